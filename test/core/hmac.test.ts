import { createHmac, createSecretKey } from 'node:crypto'
import fc from 'fast-check'
import t from 'tap'
import { hmacSha256 } from '../../src/core/hmac.ts'

// Compared with the published cases (RFC 4231) and with node:crypto, for all lengths of key and text.

const hex = (text: string) => Buffer.from(text, 'hex')
const RFC_4231: [key: Buffer, text: string, code: string][] = [
  [Buffer.alloc(20, 0x0b), 'Hi There', 'b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7'],
  [
    Buffer.from('Jefe'),
    'what do ya want for nothing?',
    '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
  ],
  [
    Buffer.alloc(131, 0xaa),
    'Test Using Larger Than Block-Size Key - Hash Key First',
    '60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54',
  ],
  [
    Buffer.alloc(131, 0xaa),
    'This is a test using a larger than block-size key and a larger than block-size data. The key needs to be hashed before being used by the HMAC algorithm.',
    '9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2',
  ],
]

t.test('the MACs of RFC 4231 are correct, for the cases whose data is text', async (t) => {
  for (const [key, text, code] of RFC_4231) {
    t.equal(hmacSha256(createSecretKey(key), text, 'base64'), hex(code).toString('base64'))
    t.equal(hmacSha256(createSecretKey(key), text, 'binary'), hex(code).toString('latin1'))
  }
})

t.test('for any key and text the MAC equals that of node:crypto, also when buffers are reused', async () => {
  const keys = fc
    .oneof(fc.uint8Array({ minLength: 1, maxLength: 200 }), fc.uint8Array({ minLength: 63, maxLength: 65 }))
    .map((bytes) => createSecretKey(bytes))
  const texts = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 300 }),
    fc.string({ unit: 'grapheme', maxLength: 4_000 }),
    fc.constant('é€𝄞'.repeat(3_000)),
  )
  fc.assert(
    fc.property(
      fc.array(keys, { minLength: 1, maxLength: 3 }),
      fc.array(texts, { minLength: 1, maxLength: 5 }),
      (several, all) => {
        for (const text of all) {
          for (const key of several) {
            for (const encoding of ['base64', 'binary'] as const) {
              if (hmacSha256(key, text, encoding) !== createHmac('sha256', key).update(text).digest(encoding))
                return false
            }
            const bytes = Buffer.from(text, 'latin1')
            if (!hmacSha256(key, bytes, 'buffer').equals(createHmac('sha256', key).update(bytes).digest())) return false
          }
        }
        return true
      },
    ),
    { numRuns: 300 },
  )
})
