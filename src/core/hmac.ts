// HMAC-SHA-256 (RFC 2104, FIPS 198-1), built from node:crypto's one-shot hash. createHmac of node:crypto makes a native
// object for each signature. That costs as much as all the hashing, and more when it is garbage-collected (measured:
// 2.1 against 0.9 µs). The hash itself is OpenSSL's. Why: docs/decisions/0008-own-hmac.md
import { hash } from 'node:crypto'
import type { KeyObject } from 'node:crypto'

const BLOCK_BYTES = 64
const OUTPUT_BYTES = 32

/** The key XORed with the two pads of RFC 2104 section 2. */
interface Pads {
  readonly inner: Buffer
  readonly outer: Buffer
}

const padsOf = new WeakMap<KeyObject, Pads>()
/** Shared by all calls. That is safe because hmacSha256 is synchronous. */
let innerInput = Buffer.allocUnsafeSlow(2048)
const outerInput = Buffer.allocUnsafeSlow(BLOCK_BYTES + OUTPUT_BYTES)

/** The MAC of bytes, or of the UTF-8 bytes of a text. `binary`: one character for each byte. */
export function hmacSha256(key: KeyObject, data: string | Uint8Array, encoding: 'base64' | 'binary'): string
export function hmacSha256(key: KeyObject, data: string | Uint8Array, encoding: 'buffer'): Buffer
export function hmacSha256(
  key: KeyObject,
  data: string | Uint8Array,
  encoding: 'base64' | 'binary' | 'buffer',
): string | Buffer {
  const { inner, outer } = padsOf.get(key) ?? makePads(key)
  // A UTF-16 code unit takes at most three bytes in UTF-8.
  const needed = BLOCK_BYTES + 3 * data.length
  if (innerInput.length < needed) innerInput = Buffer.allocUnsafeSlow(needed)
  innerInput.set(inner)
  let length = BLOCK_BYTES
  if (typeof data === 'string') length += innerInput.write(data, BLOCK_BYTES, 'utf8')
  else {
    innerInput.set(data, BLOCK_BYTES)
    length += data.length
  }
  outerInput.set(outer)
  outerInput.write(hash('sha256', innerInput.subarray(0, length), 'binary'), BLOCK_BYTES, 'latin1')
  return hash('sha256', outerInput, encoding)
}

function makePads(key: KeyObject): Pads {
  const bytes = key.export()
  const short = bytes.length > BLOCK_BYTES ? hash('sha256', bytes, 'buffer') : bytes
  const pad = (filler: number): Buffer => {
    const block = Buffer.alloc(BLOCK_BYTES, filler)
    for (const [i, byte] of short.entries()) block[i]! ^= byte
    return block
  }
  const pads = { inner: pad(0x36), outer: pad(0x5c) }
  padsOf.set(key, pads)
  return pads
}
