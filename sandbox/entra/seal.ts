/**
 * Opaque tokens that carry their own content. Refresh tokens have to survive a restart of the simulator (the sandbox
 * keeps its database between runs), so they are sealed under a key made from the seed instead of being kept in a table.
 */
import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  createSecretKey,
  randomFillSync,
  timingSafeEqual,
} from 'node:crypto'

export interface Sealer {
  /** Sealed JSON as bytes; padded so that the result has about `size` bytes. */
  seal(purpose: string, content: object, size: number): Buffer
  /** The content, or undefined when the bytes were not sealed here for that purpose. */
  open(purpose: string, bytes: Buffer): unknown
  /** 256 bytes that look like an RSA signature and that only this seed can make. */
  mark(text: string): Buffer
  marked(text: string, mark: Buffer): boolean
}

export function createSealer(seed: number): Sealer {
  // As KeyObjects: from bytes, Node makes each cipher and HMAC several times as slowly (measured).
  const key = createSecretKey(createHash('sha256').update(`simulated entra, seal, ${seed}`).digest())
  const markKey = createSecretKey(createHash('sha256').update(`simulated entra, mark, ${seed}`).digest())
  const random = Buffer.alloc(12 * 512)
  let offset = random.length

  function iv(): Buffer {
    if (offset === random.length) {
      randomFillSync(random)
      offset = 0
    }
    offset += 12
    return Buffer.from(random.subarray(offset - 12, offset))
  }

  return {
    seal(purpose, content, size) {
      const plain = JSON.stringify(content)
      const nonce = iv()
      const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: 16 })
      cipher.setAAD(Buffer.from(purpose))
      const body = cipher.update(plain.padEnd(Math.max(0, size - 28), ' '))
      cipher.final()
      return Buffer.concat([nonce, body, cipher.getAuthTag()])
    },
    open(purpose, bytes) {
      if (bytes.length < 30) return undefined
      try {
        const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, 12), { authTagLength: 16 })
        decipher.setAAD(Buffer.from(purpose))
        decipher.setAuthTag(bytes.subarray(-16))
        const plain = Buffer.concat([decipher.update(bytes.subarray(12, -16)), decipher.final()])
        return JSON.parse(plain.toString())
      } catch {
        return undefined
      }
    },
    mark(text) {
      const mac = createHmac('sha512', markKey).update(text).digest()
      return Buffer.concat([mac, mac, mac, mac])
    },
    marked(text, mark) {
      const expected = this.mark(text)
      return mark.length === expected.length && timingSafeEqual(mark, expected)
    },
  }
}
