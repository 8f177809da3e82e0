/**
 * Federated credentials of the application: a token of another issuer in the place of an assertion. As Entra does, the
 * keys come from the issuer's own discovery document, and issuer, subject and audience are compared exactly
 * (docs/microsoft.md#client-credentials).
 */
import { createPublicKey, verify } from 'node:crypto'
import type { JsonWebKey } from 'node:crypto'
import { Refusal } from './errors.ts'
import type { World } from './world.ts'

type Fields = Record<string, unknown>
type PublishedKey = JsonWebKey & { kid?: string }

const HOW = 'Check your federated identity credential Subject, Audience and Issuer against the presented assertion.'
const no = (code: number, what: string, value: unknown): Refusal =>
  new Refusal(code, {
    text: `No matching federated identity record found for presented assertion ${what} '${String(value)}'. ${HOW}`,
  })

/** Which checks come first at Entra is not known, except that it must know the issuer before it can ask for keys. */
export async function checkFederatedAssertion(world: World, parts: readonly string[], claims: Fields): Promise<void> {
  const [head = '', body = '', signature = ''] = parts
  const header = JSON.parse(Buffer.from(head, 'base64url').toString()) as Fields
  const { iss: issuer, sub: subject, aud } = claims
  if (typeof issuer !== 'string' || typeof subject !== 'string') throw new Refusal(50027)
  const audiences = (Array.isArray(aud) ? aud : [aud]) as unknown[]
  const ofIssuer = world.app.federatedCredentials.filter((credential) => credential.issuer === issuer)
  if (ofIssuer.length === 0) throw no(700211, 'issuer', issuer)
  const ofSubject = ofIssuer.filter((credential) => credential.subject === subject)
  if (ofSubject.length === 0) throw no(700213, 'subject', subject)
  if (!ofSubject.some((credential) => credential.audiences.some((audience) => audiences.includes(audience))))
    throw no(700212, 'audience', audiences.join(' '))
  const key = await keyOf(world, issuer, header.kid)
  const isValid =
    header.alg === 'RS256' && verify('sha256', Buffer.from(`${head}.${body}`), key, Buffer.from(signature, 'base64url'))
  if (!isValid) throw new Refusal(50013)
  const now = world.clock.now() / 1000
  if (typeof claims.exp !== 'number' || claims.exp <= now) throw new Refusal(700024)
  if (typeof claims.nbf === 'number' && claims.nbf > now + 300) throw new Refusal(700024)
}

const fetched = new WeakMap<World, Map<string, PublishedKey[]>>()

async function keyOf(world: World, issuer: string, kid: unknown): Promise<ReturnType<typeof createPublicKey>> {
  const cache = fetched.get(world) ?? new Map<string, PublishedKey[]>()
  fetched.set(world, cache)
  const find = (): PublishedKey | undefined => cache.get(issuer)?.find((key) => key.kid === kid)
  if (find() === undefined) cache.set(issuer, await fetchKeys(issuer))
  const key = find()
  if (key === undefined)
    throw new Refusal(7000272, {
      text:
        `The certificate with identifier ${String(kid)} used to sign the federated credential could not be found in ` +
        `the metadata of identity provider ${issuer}.`,
    })
  return createPublicKey({ key, format: 'jwk' })
}

const ISSUER_TIMEOUT_MS = 2_000

/** Of loopback only: the simulator calls nobody else. */
async function fetchKeys(issuer: string): Promise<PublishedKey[]> {
  try {
    const discovery = await fetchLoopback(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`)
    const { keys } = await fetchLoopback(String(discovery.jwks_uri))
    return keys as PublishedKey[]
  } catch {
    throw new Refusal(50166)
  }
}

async function fetchLoopback(url: string): Promise<Fields> {
  if (!['127.0.0.1', 'localhost'].includes(new URL(url).hostname)) throw new Error('not of this machine')
  const answer = await fetch(url, { signal: AbortSignal.timeout(ISSUER_TIMEOUT_MS) })
  if (!answer.ok) throw new Error(`status ${answer.status}`)
  return (await answer.json()) as Fields
}
