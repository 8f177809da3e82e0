import { generateKeyPairSync } from 'node:crypto'
import { parseCallers } from '../src/signature/callers.ts'
import { generateKey } from '../src/signature/keygen.ts'
import { signingKey } from '../src/signature/keys.ts'
import { type OutgoingRequest, signRequest, signResponse, toMessage } from '../src/signature/sign.ts'
import { verifyRequest } from '../src/signature/verify.ts'

// Requests and answers signed by src/signature. The Python client must sign the requests to the same bytes, and accept
// the answers.

const AUTHORITY = 'token-broker.internal'
const NOW = Date.parse('2026-11-22T10:00:00Z')
const json = (body: object) => ({ headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })
const at = (target: string): string => `http://${AUTHORITY}${target}`

const REQUESTS: OutgoingRequest[] = [
  { method: 'GET', url: at('/tokens/42?min_ttl=300&deadline_ms=8000') },
  { method: 'GET', url: at('/tokens/42') },
  { method: 'GET', url: at('/tokens/a~b.c_d-e?min_ttl=0') },
  { method: 'DELETE', url: at('/integrations/42') },
  { method: 'POST', url: at('/connect-sessions'), ...json({ user_id: '42', intent: 'manage' }) },
  { method: 'POST', url: at('/tokens/42/refresh?deadline_ms=8000'), ...json({ generation: 1817 }) },
]

const ANSWERS: { status: number; headers: Record<string, string>; body: string }[] = [
  {
    status: 200,
    headers: { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' },
    body: '{"user_id":"42","text":"ä€"}',
  },
  { status: 204, headers: { 'cache-control': 'no-store' }, body: '' },
  {
    status: 503,
    headers: { 'content-type': 'application/problem+json', 'retry-after': '5', date: 'Sun, 22 Nov 2026 10:00:00 GMT' },
    body: '{"code":"microsoft_unavailable"}',
  },
]

/** Each call makes new keys. */
export function vectors() {
  const later = NOW + 86_400_000
  const halves = [generateKey('hmac-sha256', 'vectors', later, NOW), generateKey('ed25519', 'vectors-ed', later, NOW)]
  const callers = parseCallers(
    JSON.stringify({
      callers: halves.map(({ broker }, i) => ({ name: `caller-${i}`, permissions: ['tokens:read'], keys: [broker] })),
    }),
    NOW,
  )
  const { d = '', x = '' } = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' })
  const broker = signingKey('broker-response', 'ed25519', d)
  const cases = halves.flatMap(({ caller }) =>
    REQUESTS.map((request, i) => {
      const key = signingKey(caller.key_id, caller.algorithm, caller.secret ?? caller.private_key ?? '')
      const nonce = `nonce-of-vector-number-${String(i).padStart(2, '0')}`
      const added = signRequest(request, key, { now: NOW, nonce })
      const headers = { ...request.headers, ...added }
      const framing = request.body === undefined ? {} : { 'content-length': String(Buffer.byteLength(request.body)) }
      const verified = verifyRequest(toMessage({ ...request, headers: { ...headers, ...framing } }), {
        callers,
        authorities: new Set([AUTHORITY]),
        now: NOW,
      })
      if (verified.kind === 'refused') throw new Error(`a vector was refused: ${verified.detail}`)
      const answers = ANSWERS.map((answer) => ({
        ...answer,
        headers: {
          ...answer.headers,
          ...signResponse(answer, verified, caller.algorithm === 'ed25519' ? broker : key, { now: NOW }),
        },
      }))
      return { algorithm: caller.algorithm, key: caller, request, nonce, headers, answers }
    }),
  )
  return { now: NOW / 1000, authority: AUTHORITY, responseKey: { key_id: 'broker-response', public_key: x }, cases }
}
