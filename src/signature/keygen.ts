// Generates a key for a caller: the entry for the broker's callers file, and the values for the caller's settings.
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { CALLER_NAME } from './callers.ts'
import { CALLER_KEY_ID, type Algorithm } from './keys.ts'

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
 * second). `id`: default is caller, day and six random hex digits, because a leaked key is replaced on the day it was
 * made. Throws TypeError for a name that no caller can have, and for an id that no key can have.
 */
export function generateKey(
  algorithm: Algorithm,
  name: string,
  notAfterMs: number,
  nowMs: number,
  id = datedKeyId(`${name}-`, nowMs),
): { readonly broker: BrokerHalf; readonly caller: CallerHalf } {
  if (!CALLER_NAME.test(name)) throw new TypeError('expected a caller name of at most 40 characters of a-z 0-9 . _ -')
  const notBefore = toInstant(nowMs)
  if (!CALLER_KEY_ID.test(id)) throw new TypeError('expected a key id of 1 to 64 characters of A-Z a-z 0-9 . _ : / -')
  const common = { key_id: id, algorithm }
  const validity = { not_before: notBefore, not_after: toInstant(notAfterMs) }
  if (algorithm === 'hmac-sha256') {
    const secret = randomBytes(32).toString('base64url')
    return { broker: { ...common, secret, ...validity }, caller: { ...common, secret } }
  }
  const { d = '', x = '' } = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' })
  return { broker: { ...common, public_key: x, ...validity }, caller: { ...common, private_key: d } }
}

/** A new id for a key: its day in UTC and six random hex digits. */
export function datedKeyId(prefix: string, nowMs: number): string {
  return `${prefix}${new Date(nowMs).toISOString().slice(0, 10)}-${randomBytes(3).toString('hex')}`
}

function toInstant(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`
}
