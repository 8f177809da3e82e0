// Makes a key for a caller: what goes into the broker's callers file, and what goes into the caller's settings.
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { CALLER_NAME } from './callers.ts'
import type { Algorithm } from './keys.ts'

/** Entry for `keys` in the callers file; holds a secret for HMAC and no secret for Ed25519. */
export interface BrokerHalf {
  readonly key_id: string
  readonly algorithm: Algorithm
  readonly secret?: string
  readonly public_key?: string
  readonly not_before: string
  readonly not_after: string
}

/** What the caller signs with: a secret, or an Ed25519 private key as base64url of its 32-byte seed. */
export interface CallerHalf {
  readonly key_id: string
  readonly algorithm: Algorithm
  readonly secret?: string
  readonly private_key?: string
}

/**
 * A new random key for the named caller, valid from `now` to `notAfter` (both ms since the epoch, cut to the second).
 * The key id tells caller and day; whoever makes two on one day renames one. Throws TypeError for a name no caller can have.
 */
export function generateKey(
  algorithm: Algorithm,
  name: string,
  notAfter: number,
  now: number,
): { readonly broker: BrokerHalf; readonly caller: CallerHalf } {
  if (!CALLER_NAME.test(name)) throw new TypeError('expected a caller name of at most 40 characters of a-z 0-9 . _ -')
  const notBefore = toInstant(now)
  const common = { key_id: `${name}-${notBefore.slice(0, 10)}`, algorithm }
  const validity = { not_before: notBefore, not_after: toInstant(notAfter) }
  if (algorithm === 'hmac-sha256') {
    const secret = randomBytes(32).toString('base64url')
    return { broker: { ...common, secret, ...validity }, caller: { ...common, secret } }
  }
  const { d = '', x = '' } = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' })
  return { broker: { ...common, public_key: x, ...validity }, caller: { ...common, private_key: d } }
}

function toInstant(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`
}
