// Stands in for dist/core/hmac.js (docs/decisions/0008-own-hmac.md): node:crypto's createHmac.
import { createHmac, type KeyObject } from 'node:crypto'

export function hmacSha256(
  key: KeyObject,
  data: string | Uint8Array,
  encoding: 'base64' | 'binary' | 'buffer',
): string | Buffer {
  const hmac = createHmac('sha256', key).update(data)
  return encoding === 'buffer' ? hmac.digest() : hmac.digest(encoding)
}
