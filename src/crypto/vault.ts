/**
 * src/crypto defines how values are sealed in the database: keys and format. It must not depend on rows, SQL,
 * configuration or the meaning of the values.
 *
 * The format of a sealed value must never change, because databases contain such values (docs/design.md#sealing,
 * docs/security.md#sealing; NIST SP 800-38D for GCM):
 *
 *   version 1 byte, 0x01 · length of key id 1 byte · key id ASCII · salt 16 · iv 12 · ciphertext · tag 16
 *
 *   record key  HMAC-SHA-256(sealing key, "tb1" || salt || table "." column): one key for each value, so that random
 *               96-bit ivs do not limit how many values a sealing key may seal (2^32 is 89 days for a million users)
 *   cipher      AES-256-GCM, UTF-8 plaintext
 *   AAD         netstrings (byte length ":" bytes) of "tb1", key id, table, column, provider, user id, record id
 *
 * The value contains the key id as it is in the configuration, not a fingerprint. So operators see one name in the
 * list, in the table sealing_key, in errors and in SQL. If b is the value:
 *   convert_from(substring(b from 3 for get_byte(b, 1)), 'UTF8')
 */
import { createCipheriv, createDecipheriv, createSecretKey, randomBytes as cryptoRandomBytes } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { Failure } from '../core/failure.ts'
import { hmacSha256 } from '../core/hmac.ts'
import type { SealContext, Vault } from '../core/ports.ts'
import type { Keyring } from './keyring.ts'

const VERSION = 1
const DOMAIN = 'tb1'
const DOMAIN_BYTES = Buffer.from(DOMAIN)
const HEADER_BYTES = 2
const SALT_BYTES = 16
const IV_BYTES = 12
const TAG_BYTES = 16
// Without it, Node accepts tags that are shortened to 4 bytes (measured on Node 20 and 24).
const GCM = { authTagLength: TAG_BYTES }
const CANARY = 'token-broker sealing key canary'

/** Why a value did not open: the `detail` of the failure `token_unreadable`, for the log and a metric. */
export const UNREADABLE = ['unknown_key', 'wrong_version', 'truncated', 'authentication'] as const
export type Unreadable = (typeof UNREADABLE)[number]

/** The vault with the additional functions that start-up and `reseal` need. */
export interface SealingVault extends Vault {
  /** Newest first; the first seals. */
  readonly keyIds: readonly string[]
  /**
   * A known text, sealed with the key of that id, for its row in `sealing_key`. Throws RangeError for an unknown id.
   */
  sealCanary(keyId: string): Buffer
  /**
   * Returns if the canary was sealed with the key that has this id today. Otherwise throws Failure `token_unreadable`:
   * the id now belongs to another key, or it is not in the list.
   */
  checkCanary(keyId: string, sealed: Uint8Array): void
}

/** Seals with the first key, opens with any. Synchronous; takes tens of microseconds. */
export function createVault(keyring: Keyring, randomBytes: (size: number) => Buffer = cryptoRandomBytes): SealingVault {
  const newest = keyring[0]
  const keys = new Map(keyring.map(({ id, key }) => [id, key]))

  function sealUnder(id: string, key: KeyObject, context: SealContext, plaintext: string): Buffer {
    const random = randomBytes(SALT_BYTES + IV_BYTES)
    const salt = random.subarray(0, SALT_BYTES)
    const cipher = createCipheriv('aes-256-gcm', recordKey(key, salt, context), random.subarray(SALT_BYTES), GCM)
    cipher.setAAD(additionalData(id, context))
    const ciphertext = cipher.update(plaintext, 'utf8')
    cipher.final()
    const header = Buffer.from(`${String.fromCharCode(VERSION, id.length)}${id}`, 'latin1')
    return Buffer.concat([header, random, ciphertext, cipher.getAuthTag()])
  }

  function open(context: SealContext, sealed: Uint8Array): string {
    const value = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.byteLength)
    if (value.length > 0 && value[0] !== VERSION) throw unreadable('wrong_version')
    const saltAt = HEADER_BYTES + (value[1] ?? 0)
    const ivAt = saltAt + SALT_BYTES
    const ciphertextAt = ivAt + IV_BYTES
    const tagAt = value.length - TAG_BYTES
    if (tagAt < ciphertextAt) throw unreadable('truncated')
    const id = value.toString('latin1', HEADER_BYTES, saltAt)
    const key = keys.get(id)
    if (key === undefined) throw unreadable('unknown_key')

    const derived = recordKey(key, value.subarray(saltAt, ivAt), context)
    const decipher = createDecipheriv('aes-256-gcm', derived, value.subarray(ivAt, ciphertextAt), GCM)
    decipher.setAAD(additionalData(id, context))
    decipher.setAuthTag(value.subarray(tagAt))
    const plaintext = decipher.update(value.subarray(ciphertextAt, tagAt))
    try {
      decipher.final()
    } catch {
      throw unreadable('authentication')
    }
    return plaintext.toString('utf8')
  }

  return {
    keyIds: keyring.map(({ id }) => id),
    seal: (context, plaintext) => sealUnder(newest.id, newest.key, context, plaintext),
    open,
    sealCanary(keyId) {
      const key = keys.get(keyId)
      if (key === undefined) throw new RangeError('no sealing key of this id')
      return sealUnder(keyId, key, canaryOf(keyId), CANARY)
    },
    checkCanary(keyId, sealed) {
      // A canary that another key of the list sealed would open too, but would prove nothing about this key.
      if (!keys.has(keyId) || keyIdOf(sealed) !== keyId) throw unreadable('unknown_key')
      if (open(canaryOf(keyId), sealed) !== CANARY) throw unreadable('authentication')
    },
  }
}

/** A vault whose keys may change while the process runs. */
export function replaceable(first: SealingVault): { vault: SealingVault; replace(next: SealingVault): void } {
  let present = first
  return {
    vault: {
      get keyIds() {
        return present.keyIds
      },
      seal: (context, plaintext) => present.seal(context, plaintext),
      open: (context, sealed) => present.open(context, sealed),
      sealCanary: (keyId) => present.sealCanary(keyId),
      checkCanary: (keyId, sealed) => present.checkCanary(keyId, sealed),
    },
    replace(next) {
      present = next
    },
  }
}

/** The same vault, which calls `onUnreadable` for each value that did not open, for an alert and a metric. */
export function watched(
  vault: SealingVault,
  onUnreadable: (context: SealContext, detail: Unreadable) => void,
): SealingVault {
  return {
    ...vault,
    open(context, sealed) {
      try {
        return vault.open(context, sealed)
      } catch (error) {
        if (error instanceof Failure) onUnreadable(context, error.facts.detail as Unreadable)
        throw error
      }
    },
  }
}

/**
 * The id of the key that sealed a value; undefined if it is not a sealed value. Not verified: only opening proves it.
 */
export function keyIdOf(sealed: Uint8Array): string | undefined {
  if (sealed[0] !== VERSION) return undefined
  const end = HEADER_BYTES + (sealed[1] ?? 0)
  if (sealed.length < end + SALT_BYTES + IV_BYTES + TAG_BYTES) return undefined
  return Buffer.from(sealed.subarray(HEADER_BYTES, end)).toString('latin1')
}

// Returns a KeyObject: with a Buffer, Node 24 needs 8 µs more to make a cipher (measured), half the time of opening.
function recordKey(key: KeyObject, salt: Buffer, context: SealContext): KeyObject {
  const purpose = `${context.table}.${context.column}`
  return createSecretKey(hmacSha256(key, Buffer.concat([DOMAIN_BYTES, salt, Buffer.from(purpose)]), 'buffer'))
}

function additionalData(keyId: string, context: SealContext): Buffer {
  const { table, column, provider, userId, recordId } = context
  let text = ''
  for (const field of [DOMAIN, keyId, table, column, provider, userId, recordId])
    text += `${Buffer.byteLength(field)}:${field}`
  return Buffer.from(text)
}

function canaryOf(keyId: string): SealContext {
  return { table: 'sealing_key', column: 'canary', provider: '', userId: '', recordId: keyId }
}

function unreadable(detail: Unreadable): Failure {
  return new Failure('token_unreadable', { detail })
}
