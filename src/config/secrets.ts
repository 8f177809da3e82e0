// Parsers of secrets, certificates and keys.
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { looksLikePlaceholder } from '../core/weak-secrets.ts'
import { parseSealingKeys, SealingKeysError } from '../crypto/keyring.ts'
import type { Keyring } from '../crypto/keyring.ts'
import { PKCS8_ED25519, signingKey } from '../signature/keys.ts'
import type { SigningKey } from '../signature/keys.ts'
import { GUID, Invalid } from './values.ts'

/**
 * How the broker authenticates to Microsoft: docs/microsoft.md#client-credentials. Certificate and private key are PEM;
 * `file` is the path of a token of another issuer, read for every exchange.
 */
export type ClientCredential =
  | { readonly kind: 'secret'; readonly secret: string }
  | { readonly kind: 'certificate'; readonly certificate: string; readonly privateKey: string }
  | { readonly kind: 'federated'; readonly file: string }

/** A client secret in the form that Microsoft issues: docs/microsoft.md#client-credentials. */
export function clientSecret(value: string): string {
  // The portal shows id and secret side by side, and later the id only.
  if (GUID.test(value))
    throw new Invalid('is a GUID: that is the id of a secret; the secret itself is the column "Value"')
  if (looksLikePlaceholder(value)) throw new Invalid('is a placeholder')
  if (!/^[!-~]{16,64}$/.test(value)) throw new Invalid('is not 16 to 64 characters long')
  return value
}

/** A secret that signs the session cookie. */
export function sessionSecret(value: string): string {
  if (looksLikePlaceholder(value)) throw new Invalid('is a placeholder')
  if (value.length < 32) throw new Invalid('is shorter than 32 characters')
  return value
}

/** The keys that seal the database, newest first. */
export function sealingKeys(value: string): Keyring {
  try {
    return parseSealingKeys(value)
  } catch (error) {
    throw error instanceof SealingKeysError ? new Invalid(...error.problems) : error
  }
}

/**
 * `key_id:key`, an Ed25519 private key as base64 or base64url of its 32-byte seed (RFC 8032 section 5.1.5) or of its
 * PKCS #8 DER.
 */
export function responseSigningKey(value: string): SigningKey {
  const colon = value.lastIndexOf(':')
  if (colon < 1) throw new Invalid('is not key_id:key')
  const key = value.slice(colon + 1)
  if (looksLikePlaceholder(key)) throw new Invalid('is a placeholder')
  const bytes = Buffer.from(key, 'base64')
  // RFC 8410 section 7: the seed is the end of the 48 bytes of PKCS #8; a longer one also holds the public key.
  const seed = bytes.length === 48 && bytes.subarray(0, 16).equals(PKCS8_ED25519) ? bytes.subarray(16) : bytes
  if (!/^[\w+/-]+={0,2}$/.test(key) || seed.length !== 32)
    throw new Invalid('is no Ed25519 private key after the colon')
  const signing = attempt(() => signingKey(value.slice(0, colon), 'ed25519', seed.toString('base64url')))
  if (signing === undefined) throw new Invalid('has a key id of other characters than A-Z a-z 0-9 . _ : / -')
  return signing
}

/**
 * The certificates of a PEM text. Microsoft accepts only RSA of at least 2048 bits:
 * docs/microsoft.md#client-credentials.
 */
export function certificates(value: string): readonly string[] {
  const blocks = pem(value).match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
  if (blocks.length === 0) throw new Invalid('holds no PEM certificate')
  for (const [index, block] of blocks.entries()) {
    const key = attempt(() => new X509Certificate(block).publicKey)
    if (key === undefined) throw new Invalid(`certificate ${index + 1} cannot be read`)
    const bits = key.asymmetricKeyDetails?.modulusLength ?? 0
    const strong = key.asymmetricKeyType === 'rsa' && bits >= 2048
    if (!strong) throw new Invalid(`certificate ${index + 1} is not RSA of at least 2048 bits`)
  }
  return blocks
}

/** The private keys of a PEM text, not encrypted. */
export function privateKeys(value: string): readonly string[] {
  const blocks =
    pem(value).match(/-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----[\s\S]+?-----END (?:[A-Z]+ )?PRIVATE KEY-----/g) ?? []
  if (blocks.length === 0) throw new Invalid('holds no PEM private key')
  for (const [index, block] of blocks.entries()) {
    if (attempt(() => createPrivateKey(block)) === undefined) {
      throw new Invalid(
        `private key ${index + 1} cannot be read${block.includes('ENCRYPTED') ? ': it is encrypted' : ''}`,
      )
    }
  }
  return blocks
}

/** Certificate authorities to trust. */
export function authorities(value: string): string {
  const blocks = pem(value).match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
  if (blocks.length === 0) throw new Invalid('holds no PEM certificate')
  const unreadable = blocks.some((block) => attempt(() => new X509Certificate(block)) === undefined)
  if (unreadable) throw new Invalid('holds a certificate that cannot be read')
  return blocks.join('\n')
}

/** Every certificate with its private key. Throws Invalid for a certificate or key without a counterpart. */
export function pair(certs: readonly string[], keys: readonly string[]): ClientCredential[] {
  const unused = new Set(keys)
  const unmatched: string[] = []
  const credentials = certs.flatMap((certificate, index) => {
    const privateKey = keys.find((key) => certificateFits(certificate, key))
    if (privateKey === undefined) unmatched.push(`certificate ${index + 1} belongs to none of the private keys`)
    else unused.delete(privateKey)
    return privateKey === undefined ? [] : [{ kind: 'certificate', certificate, privateKey } as const]
  })
  if (unused.size > 0) unmatched.push(`${unused.size} of the private keys in it fit none of the certificates`)
  if (unmatched.length > 0) throw new Invalid(...unmatched)
  return credentials
}

/**
 * Whether a PEM certificate (in a chain, the first) and a PEM private key belong together; false if one cannot be read.
 */
export function certificateFits(certificate: string, privateKey: string): boolean {
  return attempt(() => new X509Certificate(certificate).checkPrivateKey(createPrivateKey(privateKey))) === true
}

/** Many tools put PEM into a variable as one line, with `\n` written as two characters. */
function pem(value: string): string {
  return value.includes('\n') ? value : value.replaceAll('\\n', '\n')
}

function attempt<T>(make: () => T): T | undefined {
  try {
    return make()
  } catch {
    return undefined
  }
}
