import crypto from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'
import t from 'tap'
import { verifyRequest } from '../../src/signature/verify.ts'
import { ED25519, get, HMAC, message, NOW, OPTIONS, params } from './support.ts'

// The time of a refusal must not show whether a key exists. The test counts operations instead of measuring time: each
// refusal makes one operation with a key. An HMAC has two hashes (RFC 2104).

const { hash, verify } = crypto
let operations: string[] = []
Object.assign(crypto, {
  hash: (...args: Parameters<typeof hash>) => (operations.push('hash'), hash(...args)),
  verify: (...args: Parameters<typeof verify>) => (operations.push('ed25519'), verify(...args)),
})
syncBuiltinESMExports()
t.teardown(() => {
  Object.assign(crypto, { hash, verify })
  syncBuiltinESMExports()
})

const YEAR_MS = 366 * 86_400_000

for (const [key, other, work] of [
  [HMAC, ED25519, ['hash', 'hash']],
  [ED25519, HMAC, ['ed25519']],
] as const) {
  t.test(
    `${key.algorithm}: an unknown key, another algorithm, a key not valid now, a wrong signature: one operation each`,
    async (t) => {
      const named = (keyId: string) => get({ key, params: params({ keyid: `"${keyId}"` }) })
      const requests = {
        verified: message(named(key.keyId)),
        unknown_key: message(named('x'.repeat(key.keyId.length))),
        algorithm_mismatch: message(named(other.keyId)),
        wrong_signature: message(named(key.keyId), undefined, { target: '/tokens/43?min_ttl=300' }),
        key_not_valid_now: message(named(key.keyId)),
      }
      for (const [detail, request] of Object.entries(requests)) {
        operations = []
        const result = verifyRequest(request, { ...OPTIONS, now: detail === 'key_not_valid_now' ? NOW - YEAR_MS : NOW })
        t.equal(result.kind === 'verified' ? result.kind : result.detail, detail)
        t.same(operations, work, detail)
      }
    },
  )
}
