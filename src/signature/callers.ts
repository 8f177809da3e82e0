// Callers: the services that may sign requests, and their keys, read from the callers file. Plain data plus KeyObjects;
// the file on disk is callers-file.ts. Whoever reads here refuses with paths and expectations, never with values.
import type { KeyObject } from 'node:crypto'
import { CALLER_PERMISSIONS, type CallerPermission } from '../core/caller-permissions.ts'
import { looksChosenByHand, looksLikePlaceholder } from '../core/weak-secrets.ts'
import { ed25519PublicKey, hmacKey, KEY_ID } from './keys.ts'
import type { Algorithm } from './keys.ts'

export { CALLER_PERMISSIONS, type CallerPermission }

/** One key of a caller. Valid from `notBefore` up to, not including, `notAfter`; both in ms since the epoch. */
export interface CallerKey {
  readonly keyId: string
  readonly algorithm: Algorithm
  /** The secret (HMAC) or the public key (Ed25519) */
  readonly key: KeyObject
  readonly notBefore: number
  readonly notAfter: number
}

/** A service that signs requests. */
export interface Caller {
  readonly name: string
  readonly permissions: ReadonlySet<CallerPermission>
  /** Its GETs too are checked against the nonces of all replicas */
  readonly strictReplay: boolean
  /** Answers to it are signed (default) */
  readonly signResponses: boolean
  readonly keys: readonly CallerKey[]
}

/** All callers, and every key by its id: a Map, never an object, because key ids come from strangers. */
export interface Callers {
  readonly list: readonly Caller[]
  readonly byKeyId: ReadonlyMap<string, { readonly caller: Caller; readonly key: CallerKey }>
}

/** One thing wrong in the callers file: where (`callers[0].keys[1].secret`) and what should stand there. */
export interface CallersProblem {
  readonly path: string
  readonly expected: string
}

/** Every problem of a callers file at once. Carries no value of the file. */
export class CallersError extends Error {
  readonly problems: readonly CallersProblem[]

  constructor(problems: readonly CallersProblem[]) {
    super(`callers file: ${problems.map(({ path, expected }) => `${path}: expected ${expected}`).join('; ')}`)
    this.name = 'CallersError'
    this.problems = problems
  }
}

export const CALLER_NAME = /^[a-z0-9][a-z0-9._-]{0,39}$/
const INSTANT = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/
const DAY = 86_400_000
/** A key lives at most this long, so that rotation is a habit and not an emergency. */
export const MAX_KEY_DAYS = 400

/**
 * Reads a callers file. `now` (ms) stands in for a missing `not_before`. A key that has expired is no problem, so that a
 * file forgotten in a mount cannot stop the others. Throws CallersError with everything that is wrong.
 */
export function parseCallers(json: string, now: number): Callers {
  const reader = new Reader()
  let file: unknown
  try {
    file = JSON.parse(json)
  } catch {
    // The parser's own message quotes the text, which is made of secrets.
    throw new CallersError([{ path: '$', expected: 'valid JSON' }])
  }
  const root = reader.object(file, '$', ['callers'])
  const list = reader
    .array(root['callers'], 'callers')
    .map((entry, i) => readCaller(reader, entry, `callers[${i}]`, now))
  if (reader.problems.length > 0) throw new CallersError(reader.problems)
  return {
    list,
    byKeyId: new Map(list.flatMap((caller) => caller.keys.map((key) => [key.keyId, { caller, key }] as const))),
  }
}

function readCaller(reader: Reader, entry: unknown, path: string, now: number): Caller {
  const caller = reader.object(entry, path, ['name', 'permissions', 'strict_replay', 'sign_responses', 'keys'])
  const name = reader.text(
    caller['name'],
    `${path}.name`,
    CALLER_NAME,
    'a name of at most 40 characters of a-z 0-9 . _ -',
  )
  reader.unique(`caller ${name}`, `${path}.name`, 'a name that no other caller has')
  const permissions = reader.array(caller['permissions'], `${path}.permissions`).map((value, i) => {
    const known = CALLER_PERMISSIONS.find((permission) => permission === value)
    if (known === undefined) reader.problem(`${path}.permissions[${i}]`, `one of ${CALLER_PERMISSIONS.join(', ')}`)
    return known ?? 'tokens:read'
  })
  return {
    name,
    permissions: new Set(permissions),
    strictReplay: reader.flag(caller['strict_replay'], `${path}.strict_replay`, false),
    signResponses: reader.flag(caller['sign_responses'], `${path}.sign_responses`, true),
    keys: reader.array(caller['keys'], `${path}.keys`).map((key, i) => readKey(reader, key, `${path}.keys[${i}]`, now)),
  }
}

function readKey(reader: Reader, entry: unknown, path: string, now: number): CallerKey {
  const isEd25519 = isRecord(entry) && entry['algorithm'] === 'ed25519'
  const material = isEd25519 ? 'public_key' : 'secret'
  const fields = reader.object(entry, path, ['key_id', 'algorithm', material, 'not_before', 'not_after'])
  const keyId = reader.text(fields['key_id'], `${path}.key_id`, KEY_ID, '1 to 64 characters of A-Z a-z 0-9 . _ : / -')
  reader.unique(`key ${keyId}`, `${path}.key_id`, 'a key id that no other key has')
  if (!isEd25519 && fields['algorithm'] !== 'hmac-sha256') reader.problem(`${path}.algorithm`, 'hmac-sha256 or ed25519')
  const key = readMaterial(reader, fields[material], `${path}.${material}`, isEd25519)
  const notBefore =
    fields['not_before'] === undefined ? undefined : reader.instant(fields['not_before'], `${path}.not_before`)
  const notAfter = reader.instant(fields['not_after'], `${path}.not_after`)
  const from = notBefore ?? now
  if (notBefore !== undefined && notAfter <= notBefore) reader.problem(`${path}.not_after`, 'a time after not_before')
  if (notAfter - from > MAX_KEY_DAYS * DAY) {
    reader.problem(`${path}.not_after`, `at most ${MAX_KEY_DAYS} days after not_before (or after now, without one)`)
  }
  return { keyId, algorithm: isEd25519 ? 'ed25519' : 'hmac-sha256', key, notBefore: notBefore ?? 0, notAfter }
}

function readMaterial(reader: Reader, value: unknown, path: string, isEd25519: boolean): KeyObject {
  const key = typeof value !== 'string' ? undefined : isEd25519 ? ed25519PublicKey(value) : hmacKey(value)
  if (key === undefined) {
    reader.problem(
      path,
      isEd25519 ? 'an Ed25519 public key as base64url or PEM' : 'base64url of at least 32 random bytes',
    )
    return NO_KEY
  }
  const raw = isEd25519 ? key.export({ type: 'spki', format: 'der' }).subarray(-32) : key.export()
  if (looksLikePlaceholder(value as string) || looksChosenByHand(raw))
    reader.problem(path, 'a generated key (token-broker keygen), not a placeholder')
  // A secret is shared by two parties at most (ASVS 11.1.1), and a rotation that keeps the key is none.
  reader.unique(`material ${raw.toString('base64')}`, path, 'a key that stands nowhere else in this file')
  return key
}

/** Stands for a key that could not be read, until the problem noted with it is thrown. */
const NO_KEY = hmacKey(Buffer.alloc(32).toString('base64url')) as KeyObject

/** Collects problems instead of stopping at the first; what it returns for a wrong value is never used. */
class Reader {
  readonly problems: CallersProblem[] = []
  readonly #seen = new Set<string>()

  problem(path: string, expected: string): void {
    this.problems.push({ path, expected })
  }

  unique(what: string, path: string, expected: string): void {
    if (this.#seen.has(what)) this.problem(path, expected)
    this.#seen.add(what)
  }

  object(value: unknown, path: string, properties: readonly string[]): Record<string, unknown> {
    const known = isRecord(value) && Object.keys(value).every((name) => properties.includes(name))
    if (!known) this.problem(path, `an object with no other properties than ${properties.join(', ')}`)
    return isRecord(value) ? value : {}
  }

  array(value: unknown, path: string): readonly unknown[] {
    if (Array.isArray(value) && value.length > 0) return value
    this.problem(path, 'a list with at least one entry')
    return []
  }

  text(value: unknown, path: string, pattern: RegExp, expected: string): string {
    if (typeof value === 'string' && pattern.test(value)) return value
    this.problem(path, expected)
    return path
  }

  flag(value: unknown, path: string, otherwise: boolean): boolean {
    if (value === undefined || typeof value === 'boolean') return value ?? otherwise
    this.problem(path, 'true or false')
    return otherwise
  }

  instant(value: unknown, path: string): number {
    const ms = typeof value === 'string' && INSTANT.test(value) ? Date.parse(value) : Number.NaN
    // Date.parse moves the 30th of February into March.
    if (!Number.isNaN(ms) && new Date(ms).toISOString().slice(0, 19) === (value as string).slice(0, 19)) return ms
    this.problem(path, 'a UTC time like 2027-05-01T00:00:00Z')
    return Number.NaN
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
