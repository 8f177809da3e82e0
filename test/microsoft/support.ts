// The far side of src/microsoft: a clock that moves by hand, a signing key of "Microsoft", and a raw HTTP server that
// answers as it is told, also badly.
import { createHash, generateKeyPairSync, sign } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { createServer } from 'node:http'
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Clock, Random } from '../../src/core/ports.ts'

export const NOW = Date.parse('2026-11-22T10:00:00Z')
export const CLIENT_ID = '11111111-2222-3333-4444-555555555555'
export const TENANT = 'aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee'
export const OTHER_TENANT = 'ffffffff-bbbb-cccc-dddd-eeeeeeeeeeee'
export const OBJECT = '01234567-89ab-cdef-0123-456789abcdef'
export const TRACE = '47a2d1a1-0000-4000-8000-000000000001'
export const CORRELATION = '14bf0a0a-0000-4000-8000-000000000002'

export interface ManualClock extends Clock {
  /** Milliseconds. */
  advance(ms: number): void
}

export function manualClock(): ManualClock {
  let passed = 0
  return {
    now: () => NOW + passed,
    elapsed: () => 5_000 + passed,
    sleep: async () => {},
    advance: (ms) => {
      passed += ms
    },
  }
}

/** Counted bytes, and always the same fraction. */
export function fixedRandom(fraction = 0): Random {
  let count = 0
  return {
    bytes: (size) => createHash('shake256', { outputLength: size }).update(String(count++)).digest(),
    uuid: () => '00000000-0000-4000-8000-000000000000',
    fraction: () => fraction,
  }
}

const pair = generateKeyPairSync('rsa', { modulusLength: 2048 })
export const OTHER_PAIR = generateKeyPairSync('rsa', { modulusLength: 2048 })
export const KID = 'key-1'

export function jwk(kid = KID, key: KeyObject = pair.publicKey, extra: object = {}): Record<string, unknown> {
  return { use: 'sig', kid, ...key.export({ format: 'jwk' }), ...extra }
}

export function claims(issuerBase: string, changes: object = {}): Record<string, unknown> {
  const now = NOW / 1000
  return {
    aud: CLIENT_ID,
    iss: `${issuerBase}/${TENANT}/v2.0`,
    iat: now - 300,
    nbf: now - 300,
    exp: now + 3600,
    name: 'Jane Doe',
    nonce: 'the-nonce',
    oid: OBJECT,
    preferred_username: 'jane@contoso.com',
    tid: TENANT,
    ver: '2.0',
    ...changes,
  }
}

/** A signed id token; `header` and `key` can be wrong. */
export function idToken(payload: object, header: object = {}, key: KeyObject = pair.privateKey): string {
  const input = [{ typ: 'JWT', alg: 'RS256', kid: KID, ...header }, payload]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.')
  return `${input}.${sign('sha256', Buffer.from(input), key).toString('base64url')}`
}

/** Microsoft's error body (docs/microsoft.md#errors), fields in its order. */
export function errorBody(
  code: number,
  error: string,
  extra: object = {},
  text = 'Something about jane@contoso.com.',
): string {
  return JSON.stringify({
    error,
    error_description: `AADSTS${code}: ${text} Trace ID: ${TRACE} Correlation ID: ${CORRELATION} Timestamp: 2026-03-02 09:05:31Z`,
    error_codes: [code],
    timestamp: '2026-03-02 09:05:31Z',
    trace_id: TRACE,
    correlation_id: CORRELATION,
    error_uri: `https://login.microsoftonline.com/error?code=${code}`,
    ...extra,
  })
}

export function tokenBody(changes: object = {}): string {
  return JSON.stringify({
    token_type: 'Bearer',
    scope: 'email openid profile https://graph.microsoft.com/Files.ReadWrite.All https://graph.microsoft.com/User.Read',
    expires_in: 4372,
    ext_expires_in: 4372,
    access_token: 'access-token-canary',
    refresh_token: 'refresh-token-canary',
    ...changes,
  })
}

export interface Seen {
  method: string
  path: string
  headers: IncomingHttpHeaders
  form: Record<string, string>
}
export type Reply = (response: ServerResponse, seen: Seen) => void

export const json =
  (body: string, status = 200, headers: Record<string, string> = {}): Reply =>
  (response) =>
    response.writeHead(status, { 'content-type': 'application/json; charset=utf-8', ...headers }).end(body)

type Teardown = { teardown(end: () => unknown): unknown }

/** A server on loopback; `reply` decides for every request. */
export async function listen(t: Teardown, reply: Reply): Promise<{ url: string; seen: Seen[] }> {
  const seen: Seen[] = []
  const server = createServer((request, response) => {
    void read(request).then((body) => {
      const { method = '', url = '', headers } = request
      const one = { method, path: url, headers, form: Object.fromEntries(new URLSearchParams(body)) }
      seen.push(one)
      reply(response, one)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => new Promise((resolve) => server.close(resolve).closeAllConnections()))
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen }
}

async function read(request: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of request) text += String(chunk)
  return text
}
