/**
 * Stands in for the issuer of a Kubernetes cluster: signs tokens of service accounts and publishes its keys, as the API
 * server does. On loopback only.
 */
import { generateKeyPairSync, randomUUID, sign } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

export const TOKEN_AUDIENCE = 'api://AzureADTokenExchange'
export const TOKEN_SUBJECT = 'system:serviceaccount:megdocs:token-broker'

export interface Issuer {
  /** The claim `iss`, with a slash at its end as that of AKS. */
  url: string
  /** The federated credential that fits its tokens. */
  credential: { issuer: string; subject: string; audiences: string[] }
  /** A token valid for an hour. `claims` and `header` replace its own. */
  token(claims?: Record<string, unknown>, header?: Record<string, unknown>): string
  /** Signs with a new key from now on. `publish` false: which it does not publish. */
  rollKey(publish?: boolean): void
  close(): Promise<void>
}

/** `now` in milliseconds since the epoch. `bits` of its RSA key. */
export async function startIssuer({
  now = Date.now,
  bits = 2048,
}: { now?: () => number; bits?: number } = {}): Promise<Issuer> {
  const published: { kid: string; publicKey: KeyObject }[] = []
  const newKey = (publish: boolean) => {
    const key = { kid: randomUUID(), ...generateKeyPairSync('rsa', { modulusLength: bits }) }
    if (publish) published.push(key)
    return key
  }
  let signing = newKey(true)
  let url = ''
  const server = createServer((request, response) => {
    const jwks_uri = `${url}openid/v1/jwks`
    const body = request.url?.endsWith('/jwks')
      ? {
          keys: published.map(({ kid, publicKey }) => ({
            ...publicKey.export({ format: 'jwk' }),
            kid,
            use: 'sig',
            alg: 'RS256',
          })),
        }
      : { issuer: url, jwks_uri, id_token_signing_alg_values_supported: ['RS256'] }
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/cluster/`
  const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  return {
    url,
    credential: { issuer: url, subject: TOKEN_SUBJECT, audiences: [TOKEN_AUDIENCE] },
    token(claims = {}, header = {}) {
      const seconds = Math.floor(now() / 1000)
      const text = [
        { alg: 'RS256', kid: signing.kid, ...header },
        {
          aud: [TOKEN_AUDIENCE],
          exp: seconds + 3600,
          iat: seconds,
          iss: url,
          jti: randomUUID(),
          'kubernetes.io': { namespace: 'megdocs', serviceaccount: { name: 'token-broker', uid: randomUUID() } },
          nbf: seconds,
          sub: TOKEN_SUBJECT,
          ...claims,
        },
      ]
        .map(encode)
        .join('.')
      return `${text}.${sign('sha256', Buffer.from(text), signing.privateKey).toString('base64url')}`
    },
    rollKey: (publish = true) => void (signing = newKey(publish)),
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
}
