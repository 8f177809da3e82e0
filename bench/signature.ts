// The cost of one signature check, in microseconds of one core. Run: node bench/signature.ts
// The last rows show whether timing reveals that a key is unknown: compare the rows of one algorithm.
import { hash } from 'node:crypto'
import { parseCallers } from '../src/signature/callers.ts'
import { verifyContentDigest } from '../src/signature/content-digest.ts'
import { generateKey } from '../src/signature/keygen.ts'
import { signingKey } from '../src/signature/keys.ts'
import type { Algorithm } from '../src/signature/keys.ts'
import { NonceMemory } from '../src/signature/nonces.ts'
import { signRequest, signResponse, toMessage } from '../src/signature/sign.ts'
import { verifyRequest } from '../src/signature/verify.ts'
import type { RequestMessage } from '../src/signature/base.ts'

const now = Date.now()
const algorithms: Algorithm[] = ['hmac-sha256', 'ed25519']
const made = algorithms.map((algorithm) => ({ algorithm, ...generateKey(algorithm, algorithm, now + 86_400_000, now) }))
const keys = made.map(({ algorithm, caller }) => {
  return signingKey(caller.key_id, algorithm, (caller.secret ?? caller.private_key) as string)
})
const entries = made.map(({ algorithm, broker }) => ({ name: algorithm, permissions: ['tokens:read'], keys: [broker] }))
const callers = parseCallers(JSON.stringify({ callers: entries }), now)
const options = { callers, authorities: new Set(['broker.internal']), now }
const headers = { accept: 'application/json', 'user-agent': 'bench' }
const get = { method: 'GET', url: 'https://broker.internal/tokens/42?min_ttl=300', headers }
const answer = { status: 200, headers: { 'content-type': 'application/json' }, body: 'x'.repeat(2000) }
const rows: Record<string, { median: string; p99: string }> = {}

for (const key of keys) {
  const rounds = key.algorithm === 'ed25519' ? 3_000 : 100_000
  const signed = toMessage({ ...get, headers: { ...get.headers, ...signRequest(get, key, { now }) } })
  measure(`verify request, ${key.algorithm}`, rounds, () => verifyRequest(signed, options))
  const request = verifyRequest(signed, options)
  if (request.kind !== 'verified') throw new Error(request.detail)
  measure(`sign response of 2 kB, ${key.algorithm}`, rounds, () => signResponse(answer, request, key, { now }))
  measure(`sign request, ${key.algorithm}`, rounds, () => signRequest(get, key, { now }))
}
const body = Buffer.alloc(2000)
const digest = [`sha-256=:${hash('sha256', body, 'base64')}:`]
measure('content digest of 2 kB', 100_000, () => verifyContentDigest(digest, body))
const memory = new NonceMemory({ secret: 'bench' })
let count = 0
measure('remember nonce', 100_000, () => memory.remember('key', `nonce-${count++}`, now))
measure('refuse: no signature', 100_000, () => verifyRequest(toMessage(get), options))
const garbage = {
  ...get,
  headers: { ...get.headers, 'signature-input': `sig1=("${'a'.repeat(1000)}`, signature: 'sig1=:AAAA:' },
}
measure('refuse: 1 kB of garbage', 100_000, () => verifyRequest(toMessage(garbage), options))

// Interleaved, so that a slowdown of the machine affects all cases.
const wrong = keys.flatMap((key) => {
  const good = signRequest(get, key, { now })
  const tampered = { ...get, url: get.url.replace('42', '43'), headers: { ...get.headers, ...good } }
  const stranger = { ...key, keyId: key.keyId.replace(/.$/, 'x') }
  const unknown = { ...get, headers: { ...get.headers, ...signRequest(get, stranger, { now }) } }
  const other = keys.find(({ algorithm }) => algorithm !== key.algorithm) as typeof key
  const crossed = { ...get, headers: { ...get.headers, ...signRequest(get, { ...key, keyId: other.keyId }, { now }) } }
  return [
    { name: `${key.algorithm}: wrong signature`, message: toMessage(tampered) },
    { name: `${key.algorithm}: unknown key`, message: toMessage(unknown) },
    { name: `${key.algorithm}: key of the other algorithm`, message: toMessage(crossed) },
  ]
})
interleave(wrong, 4_000)
console.table(rows)

function measure(name: string, rounds: number, run: () => unknown): void {
  for (let i = 0; i < rounds / 10; i++) run()
  const batch = 20
  const samples: number[] = []
  for (let i = 0; i < rounds / batch; i++) {
    const start = process.hrtime.bigint()
    for (let j = 0; j < batch; j++) run()
    samples.push(Number(process.hrtime.bigint() - start) / batch / 1000)
  }
  record(name, samples)
}

function interleave(cases: readonly { name: string; message: RequestMessage }[], rounds: number): void {
  const samples = cases.map((): number[] => [])
  for (let i = 0; i < rounds; i++) {
    cases.forEach(({ message }, n) => {
      const start = process.hrtime.bigint()
      verifyRequest(message, options)
      if (i > rounds / 10) samples[n]?.push(Number(process.hrtime.bigint() - start) / 1000)
    })
  }
  cases.forEach(({ name }, n) => record(`refuse: ${name}`, samples[n] ?? []))
}

function record(name: string, samples: number[]): void {
  samples.sort((a, b) => a - b)
  const at = (share: number) => `${(samples[Math.floor(samples.length * share)] ?? Number.NaN).toFixed(2)} µs`
  rows[name] = { median: at(0.5), p99: at(0.99) }
}
