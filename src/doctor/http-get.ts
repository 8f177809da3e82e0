import { request as plainRequest, type IncomingHttpHeaders } from 'node:http'
import { request as tlsRequest } from 'node:https'
import type { TLSSocket } from 'node:tls'

// One request, as a browser sends it. node:https and not fetch, because its socket gives the certificate. It trusts the
// authorities that Node trusts, NODE_EXTRA_CA_CERTS included.

/** For the whole request, from the name look-up to the last byte. */
export const TIMEOUT_MS = 5_000
/** Characters of the body that are kept. */
const MAX_BODY_CHARACTERS = 65_536

export interface HttpAnswer {
  status: number
  headers: IncomingHttpHeaders
  body: string
  /** When the certificate expires, milliseconds since the epoch; undefined without TLS. */
  certificateExpiresAt: number | undefined
}

/** Does not follow redirects. Never rejects. `failed` is an error code of Node or OpenSSL, `timeout`, or `failed`. */
export async function httpGet(
  url: string,
  headers: Record<string, string> = {},
): Promise<{ answer: HttpAnswer } | { failed: string }> {
  const signal = AbortSignal.timeout(TIMEOUT_MS)
  const send = url.startsWith('https:') ? tlsRequest : plainRequest
  try {
    return await new Promise((resolve, reject) => {
      // Without an agent, each request has its own connection, which gives its certificate and is closed at the end.
      const outgoing = send(
        url,
        {
          agent: false,
          signal,
          headers: {
            'user-agent': 'Mozilla/5.0 (compatible; token-broker doctor)',
            accept: 'text/html,*/*',
            ...headers,
          },
        },
        (incoming) => {
          const certificate =
            send === tlsRequest ? (incoming.socket as TLSSocket).getPeerCertificate().valid_to : undefined
          let body = ''
          incoming.setEncoding('utf8')
          incoming.on('data', (chunk: string) => {
            if (body.length < MAX_BODY_CHARACTERS) body += chunk
          })
          incoming.on('error', reject)
          incoming.on('close', () =>
            resolve({
              answer: {
                status: incoming.statusCode ?? 0,
                headers: incoming.headers,
                body,
                certificateExpiresAt: certificate === undefined ? undefined : Date.parse(certificate),
              },
            }),
          )
        },
      )
      outgoing.on('error', reject)
      outgoing.end()
    })
  } catch (error) {
    const { code } = error as { code?: unknown }
    return {
      failed: signal.aborted ? 'timeout' : typeof code === 'string' && /^\w{1,60}$/.test(code) ? code : 'failed',
    }
  }
}
