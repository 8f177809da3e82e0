// Callers: the services that may sign requests, and their keys, parsed from the text of the callers file.
// callers-file.ts reads the file from disk. Problems name a path and what was expected there, never a value: values can
// be secrets.
import type { KeyObject } from 'node:crypto'
import { CALLER_PERMISSIONS, type CallerPermission } from '../core/caller-permissions.ts'
import { looksChosenByHand, looksLikePlaceholder } from '../core/weak-secrets.ts'
import { CALLER_KEY_ID, ed25519PublicKey, hmacKey } from './keys.ts'
import type { Algorithm } from './keys.ts'

export { CALLER_PERMISSIONS, type CallerPermission }

/** One key of a caller. Valid from `notBefore` until just before `notAfter`; both in ms since the epoch. */
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
  /** Its GET requests, too, are checked against the nonces of all replicas */
  readonly strictReplay: boolean
  /** Whether answers to it are signed (default: true) */
  readonly signResponses: boolean
  /** Whether it passes claims challenges of Graph on (default: false) */
  readonly claimsChallenges: boolean
  readonly keys: readonly CallerKey[]
}

/** All callers, and every key by its id. A Map, not an object: requests that are not verified yet supply the key id. */
export interface Callers {
  readonly list: readonly Caller[]
  readonly byKeyId: ReadonlyMap<string, { readonly caller: Caller; readonly key: CallerKey }>
}

/** One problem in the callers file: where it is (`callers[0].keys[1].secret`) and what was expected there. */
export interface CallersProblem {
  readonly path: string
  readonly expected: string
}

/** All problems of a callers file. Contains no value of the file. */
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
const DAY_MS = 86_400_000
/** A key is valid at most this long. So operators rotate keys regularly and know how to do it. */
export const MAX_KEY_DAYS = 400

/**
 * Parses a callers file. `nowMs` (since the epoch) is used where `not_before` is missing. An expired key is not a
 * problem, so that one old key does not disable all other callers. Throws CallersError with all problems.
 */
export function parseCallers(json: string, nowMs: number): Callers {
  const reader = new Reader()
  let file: unknown
  try {
    file = JSON.parse(json)
  } catch {
    // The message of JSON.parse quotes the text, which contains secrets.
    throw new CallersError([{ path: '$', expected: 'valid JSON' }])
  }
  const root = reader.object(file, '$', ['callers'])
  const list = reader
    .array(root['callers'], 'callers')
    .map((entry, i) => readCaller(reader, entry, `callers[${i}]`, nowMs))
  if (reader.problems.length > 0) throw new CallersError(reader.problems)
  return {
    list,
    byKeyId: new Map(list.flatMap((caller) => caller.keys.map((key) => [key.keyId, { caller, key }] as const))),
  }
}

function readCaller(reader: Reader, entry: unknown, path: string, nowMs: number): Caller {
  const caller = reader.object(entry, path, [
    'name',
    'permissions',
    'strict_replay',
    'sign_responses',
    'claims_challenges',
    'keys',
  ])
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
    claimsChallenges: reader.flag(caller['claims_challenges'], `${path}.claims_challenges`, false),
    keys: reader
      .array(caller['keys'], `${path}.keys`)
      .map((key, i) => readKey(reader, key, `${path}.keys[${i}]`, nowMs)),
  }
}

function readKey(reader: Reader, entry: unknown, path: string, nowMs: number): CallerKey {
  const isEd25519 = isRecord(entry) && entry['algorithm'] === 'ed25519'
  const material = isEd25519 ? 'public_key' : 'secret'
  const fields = reader.object(entry, path, ['key_id', 'algorithm', material, 'not_before', 'not_after'])
  const keyId = reader.text(
    fields['key_id'],
    `${path}.key_id`,
    CALLER_KEY_ID,
    '1 to 64 characters of A-Z a-z 0-9 . _ : / -',
  )
  reader.unique(`key ${keyId}`, `${path}.key_id`, 'a key id that no other key has')
  if (!isEd25519 && fields['algorithm'] !== 'hmac-sha256') reader.problem(`${path}.algorithm`, 'hmac-sha256 or ed25519')
  const key = readMaterial(reader, fields[material], `${path}.${material}`, isEd25519)
  const notBefore =
    fields['not_before'] === undefined ? undefined : reader.instant(fields['not_before'], `${path}.not_before`)
  const notAfter = reader.instant(fields['not_after'], `${path}.not_after`)
  const from = notBefore ?? nowMs
  if (notBefore !== undefined && notAfter <= notBefore) reader.problem(`${path}.not_after`, 'a time after not_before')
  if (notAfter - from > MAX_KEY_DAYS * DAY_MS) {
    reader.problem(
      `${path}.not_after`,
      `at most ${MAX_KEY_DAYS} days after not_before (or after now, if not_before is missing)`,
    )
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
  // At most two parties may share a secret (ASVS 11.1.1), and a rotation must change the key.
  reader.unique(`material ${raw.toString('base64')}`, path, 'a key that is used nowhere else in this file')
  return key
}

/** Placeholder for a key that could not be read. It is never used: the recorded problem is thrown first. */
const NO_KEY = hmacKey(Buffer.alloc(32).toString('base64url')) as KeyObject

/** Collects all problems instead of stopping at the first. What it returns for an invalid value is never used. */
class Reader {
  readonly problems: CallersProblem[] = []
  readonly #seen = new Set<string>()

  problem(path: string, expected: string): void {
    this.problems.push({ path, expected })
  }

  unique(value: string, path: string, expected: string): void {
    if (this.#seen.has(value)) this.problem(path, expected)
    this.#seen.add(value)
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

  flag(value: unknown, path: string, byDefault: boolean): boolean {
    if (value === undefined || typeof value === 'boolean') return value ?? byDefault
    this.problem(path, 'true or false')
    return byDefault
  }

  instant(value: unknown, path: string): number {
    const ms = typeof value === 'string' && INSTANT.test(value) ? Date.parse(value) : Number.NaN
    // Date.parse reads 30 February as a day in March.
    if (!Number.isNaN(ms) && new Date(ms).toISOString().slice(0, 19) === (value as string).slice(0, 19)) return ms
    this.problem(path, 'a UTC time like 2027-05-01T00:00:00Z')
    return Number.NaN
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
