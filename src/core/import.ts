import { isSameAccount, type Account } from './integration.ts'
import type { Clock } from './ports.ts'
import { USER_ID } from './user-id.ts'

// Connections that a caller held itself are taken over with their refresh tokens (issue 7): which rows are of the right form, and which
// of those may be stored. Reasons name fields and expectations, never values.

/** One row, judged to be of the right form. Times are ISO 8601. */
export interface ImportRow {
  userId: string
  refreshToken: string
  /** Together with `expiresAt`, or neither. */
  accessToken?: string
  expiresAt?: string
  /** Canonical names. */
  scopes: string[]
  account?: Account
  username?: string
  connectedAt?: string
  /** When Microsoft gave these tokens. */
  updatedAt: string
}

/** What stands in the way of a row that has nothing wrong: it is not written. */
export const IMPORT_SKIPS = [
  'newer_stored',
  'disconnected_since',
  'refresh_token_too_old',
  'other_account',
  'stored_unreadable',
] as const
export type ImportSkip = (typeof IMPORT_SKIPS)[number]

/** `imported` in a dry run: it would be, and has no generation. */
export type StoredResult =
  | { result: 'imported'; generation?: number }
  | { result: 'unchanged'; generation: number }
  | { result: 'skipped'; reason: ImportSkip }
export type ImportResult =
  ({ userId: string } & StoredResult) | { userId?: string; result: 'invalid'; reasons: string[] }

export interface ImportStore {
  /**
   * Stores rows of different users, each under its user's lock (the one connect takes) and with an `imported` event. All of them or,
   * when it throws, none. Doing it again changes nothing. Results in the order of the rows.
   */
  import(rows: readonly ImportRow[], input: { caller: string; dryRun: boolean }): Promise<StoredResult[]>
}

export interface Import {
  /** Judges and stores rows as they came. One result for each, in their order. Throws Failure `database_unavailable`: some may be stored. */
  run(rows: readonly unknown[], input: { caller: string; dryRun: boolean }): Promise<ImportResult[]>
}

/** Rows of one transaction: short enough for a query's deadline, long enough to be quick. */
const CHUNK = 50

export function createImport({
  store,
  clock,
  canonicalScopes,
  neededScopes,
}: {
  store: ImportStore
  clock: Pick<Clock, 'now'>
  canonicalScopes(scopes: string | readonly string[]): string[]
  /** What a row without scopes is taken to have: the first refresh tells the truth. */
  neededScopes: readonly string[]
}): Import {
  return {
    async run(rows, input) {
      const seen = new Set<string>()
      const read = rows.map((row) => {
        const judged = readRow(row, clock.now())
        if ('reasons' in judged || !seen.has(judged.userId)) {
          if ('userId' in judged && judged.userId !== undefined) seen.add(judged.userId)
          return judged
        }
        return { userId: judged.userId, reasons: ['user_id: once in a request'] }
      })
      const good = read.flatMap((row) =>
        'reasons' in row ? [] : [{ ...row, scopes: canonicalScopes(row.scopes ?? neededScopes) }],
      )
      const stored: StoredResult[] = []
      for (let i = 0; i < good.length; i += CHUNK) stored.push(...(await store.import(good.slice(i, i + CHUNK), input)))
      let next = 0
      return read.map((row): ImportResult =>
        'reasons' in row ? { ...row, result: 'invalid' } : { userId: row.userId, ...stored[next++]! },
      )
    },
  }
}

const GUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i
/** RFC 6749 A.12, A.17: visible ASCII. */
const TOKEN = /^[\x21-\x7e]{20,16384}$/
const INSTANT = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,6})?(?:Z|[+-]\d{2}:\d{2})$/
const DAY = 86_400_000
/** Milliseconds a caller's clock may be ahead. */
const AHEAD = 300_000
/** Milliseconds an access token of Microsoft lives at most (entra.md 3.2: 28 hours with continuous access evaluation). */
const LONGEST_LIFE = 28 * 3_600_000
const FIELDS = [
  'user_id',
  'refresh_token',
  'access_token',
  'expires_at',
  'scopes',
  'tenant_id',
  'object_id',
  'username',
  'connected_at',
  'updated_at',
]

type ReadRow = Omit<ImportRow, 'scopes'> & { scopes?: string | string[] }

/** Reads one row; `now` in ms. Null counts as absent. Every reason that is wrong with it, at once. */
function readRow(value: unknown, now: number): ReadRow | { userId?: string; reasons: string[] } {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return { reasons: ['row: an object'] }
  const row = Object.fromEntries(Object.entries(value).filter(([, member]) => member !== null)) as Record<
    string,
    unknown
  >
  const reasons: string[] = []
  const wrong = (field: string, expected: string) => void reasons.push(`${field}: ${expected}`)
  const text = (field: string, pattern: RegExp, expected: string): string | undefined => {
    const member = row[field]
    if (member === undefined) return undefined
    if (typeof member === 'string' && pattern.test(member)) return member
    wrong(field, expected)
    return undefined
  }
  const instant = (field: string): string | undefined => {
    const found = text(field, INSTANT, 'a time with its zone, like 2026-11-22T10:00:00Z')
    if (found === undefined || !Number.isNaN(Date.parse(found))) return found
    wrong(field, 'a time that exists')
    return undefined
  }
  const userId = text('user_id', USER_ID, '1 to 128 characters of A-Z a-z 0-9 . _ ~ -')
  const refreshToken = text('refresh_token', TOKEN, '20 to 16384 visible ASCII characters')
  const accessToken = text('access_token', TOKEN, '20 to 16384 visible ASCII characters')
  const [expiresAt, connectedAt, updatedAt] = [instant('expires_at'), instant('connected_at'), instant('updated_at')]
  const tenantId = text('tenant_id', GUID, 'a GUID')
  const objectId = text('object_id', GUID, 'a GUID')
  // oxlint-disable-next-line no-control-regex -- exactly those are kept out
  const username = text('username', /^[^\x00-\x1f\x7f]{1,256}$/, 'at most 256 characters')
  const { scopes } = row
  const scopesRead =
    typeof scopes === 'string' || (Array.isArray(scopes) && scopes.every((scope) => typeof scope === 'string'))
  if (scopes !== undefined && !scopesRead) wrong('scopes', 'a list of names, or names separated by spaces')
  for (const field of ['user_id', 'refresh_token', 'updated_at']) if (row[field] === undefined) wrong(field, 'present')
  if ((row['access_token'] === undefined) !== (row['expires_at'] === undefined))
    wrong('access_token, expires_at', 'both or neither')
  if ((row['tenant_id'] === undefined) !== (row['object_id'] === undefined))
    wrong('tenant_id, object_id', 'both or neither')
  if (updatedAt !== undefined && Date.parse(updatedAt) > now + AHEAD) wrong('updated_at', 'not in the future')
  if (connectedAt !== undefined && Date.parse(connectedAt) > now + AHEAD) wrong('connected_at', 'not in the future')
  if (
    updatedAt !== undefined &&
    expiresAt !== undefined &&
    Date.parse(expiresAt) > Date.parse(updatedAt) + LONGEST_LIFE
  ) {
    wrong('expires_at', 'at most 28 hours after updated_at')
  }
  // Names of other fields may be secrets in the wrong place: they are not repeated.
  if (Object.keys(row).some((field) => !FIELDS.includes(field)))
    wrong('row', `no other fields than ${FIELDS.join(', ')}`)
  if (reasons.length > 0) return { ...(userId === undefined ? {} : { userId }), reasons }
  return {
    userId: userId!,
    refreshToken: refreshToken!,
    updatedAt: updatedAt!,
    ...(accessToken === undefined ? {} : { accessToken, expiresAt: expiresAt! }),
    ...(scopes === undefined ? {} : { scopes: scopes as string | string[] }),
    ...(tenantId === undefined
      ? {}
      : {
          account: {
            tenantId: tenantId.toLowerCase(),
            objectId: objectId!.toLowerCase(),
            ...(username === undefined ? {} : { username }),
          },
        }),
    ...(username === undefined ? {} : { username }),
    ...(connectedAt === undefined ? {} : { connectedAt }),
  }
}

/** What is stored for the row's user; times in ISO 8601, by Postgres' clock. */
export interface StoredForImport {
  generation: number
  account?: Account
  /** Undefined: it does not open. */
  refreshToken: string | undefined
  connectedAt: string
  refreshedAt: string
}

/**
 * Whether a row may be stored. `now`: Postgres' clock, ms. `disconnectedAt`: the user's last disconnect that is still remembered. A
 * refresh token dies after 90 days without use (entra.md 3.3), and older disconnects are not remembered: so such rows are left.
 */
export function judge(
  row: ImportRow,
  stored: StoredForImport | undefined,
  disconnectedAt: string | undefined,
  now: number,
): StoredResult {
  const updatedAt = Date.parse(row.updatedAt)
  if (stored !== undefined && stored.refreshToken === row.refreshToken)
    return { result: 'unchanged', generation: stored.generation }
  if (stored !== undefined && Math.max(Date.parse(stored.connectedAt), Date.parse(stored.refreshedAt)) > updatedAt)
    return skipped('newer_stored')
  if (disconnectedAt !== undefined && Date.parse(disconnectedAt) > updatedAt) return skipped('disconnected_since')
  if (updatedAt < now - 89 * DAY) return skipped('refresh_token_too_old')
  if (stored === undefined) return { result: 'imported' }
  if (stored.refreshToken === undefined) return skipped('stored_unreadable')
  if (row.account !== undefined && stored.account !== undefined && !isSameAccount(row.account, stored.account))
    return skipped('other_account')
  return { result: 'imported' }
}

const skipped = (reason: ImportSkip): StoredResult => ({ result: 'skipped', reason })
