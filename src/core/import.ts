import { isSameAccount, type Account } from './integration.ts'
import { INSTANT, isInstant } from './instant.ts'
import type { Clock } from './ports.ts'
import { USER_ID } from './user-id.ts'

// An import takes over connections that a caller held itself, with their refresh tokens (docs/design.md#import). This
// file decides which rows are valid, and which valid rows may be stored. Reasons name fields and expectations, never
// values.

/** One valid row. Times are ISO 8601. */
export interface ImportRow {
  userId: string
  refreshToken: string
  /** Together with `expiresAt`, or neither. */
  accessToken?: string
  expiresAt?: string
  /** Canonical names. */
  scopes: string[]
  /** The app registration that its tokens belong to, in lower case. Absent: the current one. */
  clientId?: string
  account?: Account
  username?: string
  connectedAt?: string
  /** When Microsoft gave these tokens. */
  updatedAt: string
}

/** Why a valid row is not stored. */
export const IMPORT_SKIPS = [
  'newer_stored',
  'disconnected_since',
  'refresh_token_too_old',
  'other_account',
  'connected_through_broker',
  'stored_unreadable',
  'no_refresh_token',
  'no_needed_scope',
  'frozen',
] as const
export type ImportSkip = (typeof IMPORT_SKIPS)[number]

/** In a dry run, `imported` means that the row would be stored; it has no generation. */
export type StoredResult =
  | { result: 'imported'; generation?: number }
  | { result: 'unchanged'; generation: number }
  | { result: 'skipped'; reason: ImportSkip }
interface Invalid {
  userId?: string
  result: 'invalid'
  reasons: string[]
}
export type ImportResult = ({ userId: string } & StoredResult) | Invalid
/** A result that needs no look into the database. */
type DecidedResult = Invalid | { userId: string; result: 'skipped'; reason: ImportSkip }

export interface ImportStore {
  /**
   * Stores rows of different users, each under its user's lock (connect takes the same one), with an `imported` event.
   * It stores all rows, or none if it throws. A repetition changes nothing. Results are in the order of the rows.
   */
  import(rows: readonly ImportRow[], input: { caller: string; dryRun: boolean }): Promise<StoredResult[]>
}

export interface Import {
  /**
   * Validates, judges and stores rows. Gives one result for each row, in their order.
   * Throws Failure `database_unavailable`: some rows may be stored then.
   */
  run(rows: readonly unknown[], input: { caller: string; dryRun: boolean }): Promise<ImportResult[]>
}

/** Rows of one transaction: few enough for the timeout of a query, enough to be fast. */
const CHUNK_ROWS = 50

export function createImport({
  store,
  clock,
  canonicalScopes,
  neededScopes,
  knownScopes,
  clientIds,
}: {
  store: ImportStore
  clock: Pick<Clock, 'now'>
  canonicalScopes(scopes: string | readonly string[]): string[]
  /** A row without scopes is assumed to have these; the first refresh stores the real ones. */
  neededScopes: readonly string[]
  /** Names of all permissions that may be configured. */
  knownScopes: readonly string[]
  /** The configured app registrations. */
  clientIds(): readonly string[]
}): Import {
  /** A row that may be stored, or its result if that is decided without the database. */
  function read(value: unknown): ImportRow | DecidedResult {
    const row = readRow(value, clock.now(), clientIds())
    if ('result' in row) return row
    const scopes = canonicalScopes(row.scopes ?? neededScopes)
    // Usually a row of another provider. Its token would be sent to Microsoft and would be of no use.
    if (!knownScopes.some((scope) => scopes.includes(scope)))
      return { userId: row.userId, result: 'skipped', reason: 'no_needed_scope' }
    return { ...row, scopes }
  }

  return {
    async run(rows, input) {
      const seen = new Set<string>()
      const judged = rows.map((value): ImportRow | DecidedResult => {
        const row = read(value)
        if (row.userId === undefined || ('result' in row && row.result === 'skipped')) return row
        const isRepeated = seen.has(row.userId)
        seen.add(row.userId)
        if ('result' in row || !isRepeated) return row
        return { userId: row.userId, result: 'invalid', reasons: ['user_id: once in a request'] }
      })
      const storable = judged.flatMap((row) => ('result' in row ? [] : [row]))
      const stored: StoredResult[] = []
      for (let i = 0; i < storable.length; i += CHUNK_ROWS)
        stored.push(...(await store.import(storable.slice(i, i + CHUNK_ROWS), input)))
      let next = 0
      return judged.map((row): ImportResult => ('result' in row ? row : { userId: row.userId, ...stored[next++]! }))
    },
  }
}

const GUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i
/** Visible ASCII (RFC 6749 sections A.12 and A.17). */
const TOKEN = /^[\x21-\x7e]{20,16384}$/
const DAY_MS = 86_400_000
/** A caller's clock may be ahead by this much. */
const MAX_CLOCK_AHEAD_MS = 300_000
/** Longest lifetime of an access token: 28 hours, with continuous access evaluation (docs/microsoft.md#lifetimes). */
const MAX_LIFETIME_MS = 28 * 3_600_000
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
  'client_id',
]

type ReadRow = Omit<ImportRow, 'scopes'> & { scopes?: string | string[] }

/** Null, blank text and an empty list: how tables store "nothing". */
const isAbsent = (member: unknown): boolean =>
  member === null ||
  (typeof member === 'string' && member.trim() === '') ||
  (Array.isArray(member) && member.length === 0)

/** Validates one row, and names everything that is wrong with it at once. `now` in ms. */
function readRow(value: unknown, now: number, clientIds: readonly string[]): ReadRow | DecidedResult {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return { result: 'invalid', reasons: ['row: an object'] }
  const row: Record<string, unknown> = Object.fromEntries(
    Object.entries(value).filter(([, member]) => !isAbsent(member)),
  )
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
    if (found === undefined || isInstant(found)) return found
    wrong(field, 'a time that exists')
    return undefined
  }
  const userId = text('user_id', USER_ID, '1 to 128 characters of A-Z a-z 0-9 . _ ~ -')
  // This user has nothing to import. What else the row holds does not matter.
  if (userId !== undefined && 'refresh_token' in value && row['refresh_token'] === undefined)
    return { userId, result: 'skipped', reason: 'no_refresh_token' }
  const refreshToken = text('refresh_token', TOKEN, '20 to 16384 visible ASCII characters')
  const accessToken = text('access_token', TOKEN, '20 to 16384 visible ASCII characters')
  const [expiresAt, connectedAt, updatedAt] = [instant('expires_at'), instant('connected_at'), instant('updated_at')]
  const tenantId = text('tenant_id', GUID, 'a GUID')
  const objectId = text('object_id', GUID, 'a GUID')
  const clientId = text('client_id', GUID, 'a GUID')?.toLowerCase()
  // A row of a registration that is not configured could never be refreshed.
  if (clientId !== undefined && !clientIds.includes(clientId))
    wrong('client_id', 'MICROSOFT_CLIENT_ID or one of MICROSOFT_PREVIOUS_CLIENTS')
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
  if (updatedAt !== undefined && Date.parse(updatedAt) > now + MAX_CLOCK_AHEAD_MS)
    wrong('updated_at', 'not in the future')
  if (connectedAt !== undefined && Date.parse(connectedAt) > now + MAX_CLOCK_AHEAD_MS)
    wrong('connected_at', 'not in the future')
  if (
    updatedAt !== undefined &&
    expiresAt !== undefined &&
    Date.parse(expiresAt) > Date.parse(updatedAt) + MAX_LIFETIME_MS
  ) {
    wrong('expires_at', 'at most 28 hours after updated_at')
  }
  // The names of other fields are not repeated: one may be a secret in the wrong place.
  if (Object.keys(row).some((field) => !FIELDS.includes(field)))
    wrong('row', `no other fields than ${FIELDS.join(', ')}`)
  if (reasons.length > 0) return { ...(userId === undefined ? {} : { userId }), result: 'invalid', reasons }
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
    ...(clientId === undefined ? {} : { clientId }),
  }
}

/** What is stored for the row's user. Times are ISO 8601, by Postgres' clock. */
export interface StoredForImport {
  generation: number
  account?: Account
  /** Undefined: it cannot be opened. */
  refreshToken: string | undefined
  /** The app registration that it belongs to. Undefined: not recorded. */
  clientId?: string
  /** False: the user connected through the broker. */
  imported: boolean
  connectedAt: string
  refreshedAt: string
}

/**
 * Decides whether a row may be stored. `now`: Postgres' clock, in ms. `disconnectedAt`: the user's last disconnect that
 * is still stored. Rows older than 89 days are skipped: a refresh token dies after 90 days without use
 * (docs/microsoft.md#lifetimes), and older disconnects are not stored any longer. A connection that was made through
 * the broker is only replaced by a row of the same tenant and object id. `isFrozen`: the user or the tenant
 * (docs/design.md#freeze).
 */
export function judge(
  row: ImportRow,
  stored: StoredForImport | undefined,
  disconnectedAt: string | undefined,
  now: number,
  isFrozen = false,
): StoredResult {
  if (isFrozen) return skipped('frozen')
  const updatedAt = Date.parse(row.updatedAt)
  // A row that names another registration corrects what an earlier import has assumed.
  const isSameClient = row.clientId === undefined || row.clientId === stored?.clientId
  if (stored !== undefined && stored.refreshToken === row.refreshToken && isSameClient)
    return { result: 'unchanged', generation: stored.generation }
  if (stored !== undefined && Math.max(Date.parse(stored.connectedAt), Date.parse(stored.refreshedAt)) > updatedAt)
    return skipped('newer_stored')
  if (disconnectedAt !== undefined && Date.parse(disconnectedAt) > updatedAt) return skipped('disconnected_since')
  if (updatedAt < now - 89 * DAY_MS) return skipped('refresh_token_too_old')
  if (stored === undefined) return { result: 'imported' }
  if (stored.refreshToken === undefined) return skipped('stored_unreadable')
  const sameAccount =
    row.account !== undefined && stored.account !== undefined && isSameAccount(row.account, stored.account)
  if (row.account !== undefined && stored.account !== undefined && !sameAccount) return skipped('other_account')
  // The row may be of another account, or of another provider whose tokens Microsoft does not know.
  if (!stored.imported && !sameAccount) return skipped('connected_through_broker')
  return { result: 'imported' }
}

const skipped = (reason: ImportSkip): StoredResult => ({ result: 'skipped', reason })
