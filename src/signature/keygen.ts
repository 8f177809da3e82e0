// Generates a key for a caller: the entry for the broker's callers file, and the values for the caller's settings.
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { CALLER_NAME } from './callers.ts'
import type { Algorithm } from './keys.ts'

/** Entry for `keys` in the callers file. It contains a secret for HMAC and none for Ed25519. */
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
 * A new random key for the named caller, valid from `nowMs` to `notAfterMs` (ms since the epoch, rounded down to the
 * second). The key id consists of caller and second: a key that leaks may be replaced on the day when it was made.
 * Throws TypeError for a name that no caller can have.
 */
export function generateKey(
  algorithm: Algorithm,
  name: string,
  notAfterMs: number,
  nowMs: number,
): { readonly broker: BrokerHalf; readonly caller: CallerHalf } {
  if (!CALLER_NAME.test(name)) throw new TypeError('expected a caller name of at most 40 characters of a-z 0-9 . _ -')
  const notBefore = toInstant(nowMs)
  const common = { key_id: `${name}-${idTime(nowMs)}`, algorithm }
  const validity = { not_before: notBefore, not_after: toInstant(notAfterMs) }
  if (algorithm === 'hmac-sha256') {
    const secret = randomBytes(32).toString('base64url')
    return { broker: { ...common, secret, ...validity }, caller: { ...common, secret } }
  }
  const { d = '', x = '' } = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' })
  return { broker: { ...common, public_key: x, ...validity }, caller: { ...common, private_key: d } }
}

/** The second in UTC, for a key id: `2026-11-28-093000`. */
export function idTime(ms: number): string {
  return toInstant(ms).slice(0, -1).replace('T', '-').replaceAll(':', '')
}

function toInstant(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`
}
