import { createSecretKey, randomBytes as cryptoRandomBytes, type KeyObject } from 'node:crypto'
import { looksChosenByHand, looksLikePlaceholder } from '../core/weak-secrets.ts'

/**
 * A sealing key of 32 bytes. Its id is used in the configuration, in each sealed value, in `sealing_key` and in
 * metrics.
 */
export interface SealingKey {
  readonly id: string
  readonly key: KeyObject
}

/** Newest first. The first key seals; each of them opens. */
export type Keyring = readonly [SealingKey, ...SealingKey[]]

/** All problems of a list of sealing keys. Says where they are and what was expected, never the value itself. */
export class SealingKeysError extends Error {
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super(`sealing keys: ${problems.join('; ')}`)
    this.name = 'SealingKeysError'
    this.problems = problems
  }
}

const KEY_BYTES = 32
export const SEALING_KEY_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$/
export const SEALING_KEY_ID_RULE = 'a key id is 1 to 32 of A-Z a-z 0-9 . _ -, beginning with a letter or digit'
const BASE64 = /^(?:[A-Za-z0-9+/]+|[A-Za-z0-9_-]+)={0,2}$/

/**
 * Parses `key_id:base64` entries, newest first, separated by commas, spaces or line breaks; base64 or base64url of 32
 * bytes. A line that begins with `#` is a comment, so that the output of `keygen` can be used as a file. Throws
 * SealingKeysError with all problems: an empty list, invalid ids, wrong lengths, placeholders, a repeated id or key.
 */
export function parseSealingKeys(text: string): Keyring {
  const problems: string[] = []
  const keys: SealingKey[] = []
  const entries = text
    .replace(/^\s*#.*$/gm, '')
    .split(/[\s,]+/)
    .filter((entry) => entry !== '')

  for (const [index, entry] of entries.entries()) {
    const colon = entry.indexOf(':')
    const id = entry.slice(0, Math.max(colon, 0))
    // An entry without a colon may be the bare key: the problem names its position only, never a part of it.
    if (colon < 0) problems.push(`entry ${index + 1}: expected key_id:key`)
    else if (!SEALING_KEY_ID.test(id)) problems.push(`entry ${index + 1}: ${SEALING_KEY_ID_RULE}`)
    else {
      const key = parseKey(entry.slice(colon + 1))
      if (typeof key === 'string') problems.push(`entry ${index + 1} (${printable(id)}): ${key}`)
      else keys.push(Object.freeze({ id, key }))
    }
  }
  for (const [index, { id, key }] of keys.entries()) {
    const earlier = keys.slice(0, index)
    if (earlier.some((other) => other.id === id)) problems.push(`${printable(id)}: this key id is in the list twice`)
    const twin = earlier.find((other) => other.id !== id && other.key.equals(key))
    if (twin !== undefined) problems.push(`${printable(id)}: the same key as ${printable(twin.id)}`)
  }
  if (entries.length === 0) problems.push('the list is empty: at least one key is needed')

  const [newest, ...older] = keys
  if (problems.length > 0 || newest === undefined) throw new SealingKeysError(problems)
  return Object.freeze([newest, ...older] as const)
}

/**
 * A new key as an entry of the list, ready to paste: `key_id:base64url`.
 * Throws RangeError for an id that `parseSealingKeys` would refuse.
 */
export function generateSealingKey(id: string, randomBytes: (size: number) => Buffer = cryptoRandomBytes): string {
  if (!SEALING_KEY_ID.test(id)) throw new RangeError(SEALING_KEY_ID_RULE)
  return `${id}:${randomBytes(KEY_BYTES).toString('base64url')}`
}

/** The key, or a description of the problem. */
function parseKey(text: string): KeyObject | string {
  if (text === '') return 'the key is missing after the colon'
  if (looksLikePlaceholder(text)) return 'a placeholder, not a key; make one with: token-broker keygen'
  if (!BASE64.test(text)) return `expected base64 or base64url of ${KEY_BYTES} random bytes`
  const bytes = Buffer.from(text, 'base64')
  if (bytes.length !== KEY_BYTES) return `expected ${KEY_BYTES} bytes in base64, found ${bytes.length}`
  if (looksChosenByHand(bytes)) return 'not random; make a key with: token-broker keygen'
  return createSecretKey(bytes)
}

/** A very long id may be a key with a colon in the wrong place, so it is not shown in full. */
function printable(id: string): string {
  return id.length <= 24 ? id : `${id.slice(0, 4)}…`
}
