// The two algorithms of the profile (RFC 9421 sections 3.3.3 and 3.3.6): key material in, signatures out. Make one
// KeyObject for each key and keep it: core/hmac.ts caches its pads by KeyObject.
import { createPrivateKey, createPublicKey, createSecretKey, sign, timingSafeEqual, verify } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { hmacSha256 } from '../core/hmac.ts'

export type Algorithm = 'hmac-sha256' | 'ed25519'

/** A key to sign with: a secret or a private key. */
export interface SigningKey {
  readonly keyId: string
  readonly algorithm: Algorithm
  readonly key: KeyObject
}

/** A key to verify with: a secret or a public key. */
export type VerificationKey = SigningKey

/** The form of a `keyid`, of callers and of the broker's own key for answers. */
export const CALLER_KEY_ID = /^[A-Za-z0-9._:/-]{1,64}$/

/** DER prefixes of RFC 8410: the 32 bytes of the key follow. */
export const PKCS8_ED25519 = Buffer.from('302e020100300506032b657004220420', 'hex')
const SPKI_ED25519 = Buffer.from('302a300506032b6570032100', 'hex')

/** The algorithm by the signature's length: 32 bytes HMAC, 64 bytes Ed25519. Undefined for any other length. */
export function algorithmOf(signature: Uint8Array): Algorithm | undefined {
  if (signature.length === 32) return 'hmac-sha256'
  return signature.length === 64 ? 'ed25519' : undefined
}

/** Signature over the base's ASCII bytes, in base64. */
export function createSignature({ algorithm, key }: Pick<SigningKey, 'algorithm' | 'key'>, base: string): string {
  return algorithm === 'hmac-sha256'
    ? hmacSha256(key, base, 'base64')
    : sign(null, Buffer.from(base), key).toString('base64')
}

/** Whether the signature is correct. HMACs are compared in constant time. The key must be of `algorithm`. */
export function signatureMatches(
  { algorithm, key }: Pick<VerificationKey, 'algorithm' | 'key'>,
  base: string,
  signature: Uint8Array,
): boolean {
  if (algorithm === 'ed25519') return verify(null, Buffer.from(base), key, signature)
  const expected = Buffer.from(hmacSha256(key, base, 'binary'), 'latin1')
  return signature.length === expected.length && timingSafeEqual(signature, expected)
}

/** The bytes of a base64url text without padding; undefined unless the text is canonical. */
function fromBase64url(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64url')
  return bytes.toString('base64url') === text ? bytes : undefined
}

/** An HMAC key from base64url of at least 32 bytes (RFC 2104 section 3: not shorter than the hash); else undefined. */
export function hmacKey(secret: string): KeyObject | undefined {
  const bytes = fromBase64url(secret)
  return bytes === undefined || bytes.length < 32 ? undefined : createSecretKey(bytes)
}

/**
 * An Ed25519 public key from base64url of its 32 raw bytes or an SPKI PEM; undefined otherwise, also for a private key.
 */
export function ed25519PublicKey(text: string): KeyObject | undefined {
  const raw = fromBase64url(text)
  if (raw !== undefined)
    return raw.length === 32 ? ed25519(() => createPublicKey(der(SPKI_ED25519, raw, 'spki'))) : undefined
  // createPublicKey would also accept the PEM of a private key. A private key must not be stored in the callers file.
  return text.trimStart().startsWith('-----BEGIN PUBLIC KEY-----') ? ed25519(() => createPublicKey(text)) : undefined
}

/** An Ed25519 private key from base64url of its 32-byte seed or a PKCS#8 PEM; undefined otherwise. */
function ed25519PrivateKey(text: string): KeyObject | undefined {
  const seed = fromBase64url(text)
  if (seed === undefined) return ed25519(() => createPrivateKey(text))
  return seed.length === 32 ? ed25519(() => createPrivateKey(der(PKCS8_ED25519, seed, 'pkcs8'))) : undefined
}

/** A signing key from its text (see hmacKey, ed25519PrivateKey). Throws a TypeError that does not contain the text. */
export function signingKey(keyId: string, algorithm: Algorithm, text: string): SigningKey {
  const key = algorithm === 'hmac-sha256' ? hmacKey(text) : ed25519PrivateKey(text)
  if (key === undefined || !CALLER_KEY_ID.test(keyId)) throw new TypeError(`not a usable ${algorithm} signing key`)
  return { keyId, algorithm, key }
}

/**
 * A verification key from its text (see hmacKey, ed25519PublicKey). Throws a TypeError that does not contain the text.
 */
export function verificationKey(keyId: string, algorithm: Algorithm, text: string): VerificationKey {
  const key = algorithm === 'hmac-sha256' ? hmacKey(text) : ed25519PublicKey(text)
  if (key === undefined || !CALLER_KEY_ID.test(keyId)) throw new TypeError(`not a usable ${algorithm} verification key`)
  return { keyId, algorithm, key }
}

function der<T extends 'spki' | 'pkcs8'>(
  prefix: Buffer,
  raw: Buffer,
  type: T,
): { key: Buffer; format: 'der'; type: T } {
  return { key: Buffer.concat([prefix, raw]), format: 'der', type }
}

function ed25519(make: () => KeyObject): KeyObject | undefined {
  try {
    const key = make()
    return key.asymmetricKeyType === 'ed25519' ? key : undefined
  } catch {
    return undefined
  }
}
