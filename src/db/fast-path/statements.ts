import type { IntegrationStatus } from '../../core/integration.ts'
import type { FrozenPerson } from '../../core/freeze.ts'
import { CHALLENGE_KEPT_SECONDS, FORCED_WINDOW_SECONDS, MAX_FORCED_REFRESHES } from '../../core/claims.ts'
import { generations } from '../schema.ts'

// The statements that every token needs, as they go over the wire. They are written out, because building and mapping
// them with drizzle costs as much as unsealing (bench/README.md).

/** Seconds since the epoch (instants.ts). */
const epoch = (instant: string): string => `extract(epoch from ${instant})`
/** Seconds from now, by Postgres' clock (docs/design.md#time). */
const until = (column: string): string => epoch(`${column} - clock_timestamp()`)

/** A refusal for good leaves no retry_at: status, generation and lease do not tell it from one that may be cured. */
const isFinal = (row = ''): string => `coalesce(${row}failure->>'final' = 'true', false)`

/**
 * The status of a row. A status of a newer release is replaced by what the stored failure means: `reconnect_required`
 * if the verdict is reconnect, else `active`. Such a row is read and refreshed like any other, and a refresh keeps the
 * stored word. `row`: empty, or a table name and a dot.
 */
export const statusOf = (
  row = '',
): string => `case when ${row}status in ('active', 'reconnect_required') then ${row}status
  when ${isFinal(row)} or ${row}failure->>'verdict' = 'reconnect' then 'reconnect_required' else 'active' end`

/** Whether a row of `access_freeze` counts. By Postgres' clock. */
export const FREEZE_LIVES = '(access_freeze.expires_at is null or access_freeze.expires_at > clock_timestamp())'

/** The scope by which the user or the tenant of a row is frozen, or null. */
export const FROZEN_PERSON = `(select max(access_freeze.scope) from access_freeze where ${FREEZE_LIVES} and (
    access_freeze.scope = 'user' and access_freeze.value = user_id
    or access_freeze.scope = 'tenant' and access_freeze.value = lower(tenant_id)))`

/**
 * Whether tokens of this row are withheld (docs/design.md#freeze). In the statement that reads the row, so that no
 * answer is older than what it says. `frozen_keys` concerns no row: Postgres reads it once for each statement.
 */
const FREEZE = `${FROZEN_PERSON} as frozen,
  (select string_agg(access_freeze.value, ' ') from access_freeze
    where access_freeze.scope = 'caller_key' and ${FREEZE_LIVES}) as frozen_keys`

/** The app registration of a row. A row of a broker before 1.0.0 may name none: see `deployment`. */
export const CLIENT_ID = 'coalesce(client_id, (select deployment.client_id from deployment))'

/** What `toIntegration` reads. `failure` is as it is stored: core/stored.ts reads it. */
export const INTEGRATION = `id, user_id, generation, ${statusOf()} as status, failure,
  ${epoch('refreshed_at')} as refreshed, ${epoch('access_token_expires_at')} as expires,
  ${epoch('clock_timestamp()')} as now, ${epoch('retry_at')} as retry_at, ${epoch('lease_until')} as lease_until,
  ${epoch('refresh_due_at')} as refresh_due, claims_hash,
  array_to_string(scopes, ' ') as scopes, ${CLIENT_ID} as client_id, tenant_id, object_id, username, display_name,
  ${FREEZE}`

export type AccountColumns = {
  tenant_id: string | null
  object_id: string | null
  username: string | null
  display_name: string | null
}

export type FreezeColumns = {
  frozen: FrozenPerson | null
  /** Separated by spaces: no key id contains one. */
  frozen_keys: string | null
}

/** All times in seconds since the epoch. */
export type IntegrationColumns = FreezeColumns &
  AccountColumns & {
    id: string
    user_id: string
    /** As text: the driver does not turn 64-bit numbers into JavaScript numbers. */
    generation: string
    status: IntegrationStatus
    failure: unknown
    refreshed: number
    expires: number
    now: number
    retry_at: number | null
    lease_until: number | null
    refresh_due: number | null
    claims_hash: string | null
    /** Separated by spaces: no scope contains one (RFC 6749 section 3.3). */
    scopes: string
    client_id: string | null
  }

/**
 * `access_token`: null where it has expired. As base64: hexadecimal digits, the driver's form of `bytea`, are a third
 * longer and slower to read (bench/README.md).
 */
export type TokenColumns = IntegrationColumns & { access_token: string | null }

/**
 * For so many users at once. One parameter for each user instead of one array for all: Postgres knows the length of an
 * array only from its value, so a generic plan looks more expensive to it than a plan for this array, and it may plan
 * the statement each time.
 */
const ofUsers =
  (columns: string) =>
  (users: number): string =>
    `select ${columns} from oauth2_integration where provider = 'microsoft' and user_id in (${Array.from({ length: users }, (_, i) => `$${i + 1}`).join(', ')})`
export const READ_TOKENS = ofUsers(
  `${INTEGRATION}, case when access_token_expires_at > clock_timestamp() then encode(access_token, 'base64') end
    as access_token`,
)

/** Only what is said about freezes, for tokens that were read or refreshed a while ago. */
export const READ_FREEZE = ofUsers(`user_id, ${FREEZE}`)

/** $1: id. */
export const PROGRESS = `select generation, ${statusOf()} as status, ${isFinal()} as final,
    ${until('retry_at')} as retry_in, ${until('lease_until')} as lease_in
  from oauth2_integration where id = $1`

export type ProgressColumns = Pick<IntegrationColumns, 'generation' | 'status'> & {
  retry_in: number | null
  lease_in: number | null
  final: boolean
}

/** So many rows of VALUES, each with one parameter of each type. */
const values = (types: readonly string[], rows: number): string =>
  Array.from(
    { length: rows },
    (_, row) => `(${types.map((type, i) => `$${row * types.length + i + 1}::${type}`).join(', ')})`,
  ).join(', ')

/**
 * For each claim: id, generation and status as they were read, owner, seconds of the lease, and whether a caller's read
 * asks for it. The last is noted once an hour only, because its column has an index and the others of this statement
 * have none (a heap-only update). A row that somebody else is writing at the moment is skipped, so that no claim waits:
 * such a claim is not won.
 */
export const CLAIM = (claims: number): string => `
  with wanted (id, generation, status, owner, seconds, used) as (
    values ${values(['uuid', 'bigint', 'text', 'text', 'float8', 'boolean'], claims)}),
  free as (
    select row.id, row.lease_owner as prior_owner, wanted.owner, wanted.seconds, wanted.used
    from wanted join oauth2_integration as row on row.id = wanted.id
    where row.generation = wanted.generation and ${statusOf('row.')} = wanted.status and not ${isFinal('row.')}
      and (row.lease_until is null or row.lease_until <= clock_timestamp())
      and (row.retry_at is null or row.retry_at <= clock_timestamp())
    order by row.id for update of row skip locked)
  update oauth2_integration as row set lease_owner = free.owner,
    lease_until = clock_timestamp() + make_interval(secs => free.seconds),
    last_used_at = case when free.used and row.last_used_at < clock_timestamp() - interval '1 hour'
      then clock_timestamp() else row.last_used_at end
  from free where row.id = free.id
  returning row.lease_owner as owner, row.refresh_token, array_to_string(row.scopes, ' ') as scopes, row.failures,
    row.tenant_id, row.object_id, row.username, row.display_name, free.prior_owner`

export type ClaimColumns = AccountColumns &
  Pick<IntegrationColumns, 'scopes'> & {
    owner: string
    refresh_token: Buffer
    failures: number
    prior_owner: string | null
  }

/** Forced refreshes of a row within the window. `row.forced_at` may be null. */
const FORCED_LATELY = `from unnest(row.forced_at) as forced (at)
  where forced.at > clock_timestamp() - make_interval(secs => ${FORCED_WINDOW_SECONDS})`

/**
 * $1 id, $2 generation and $3 status as they were read, $4 owner, $5 seconds of the lease, $6 whether back-off does not
 * count. Not shared with others: it is rare, and it counts (core/claims.ts).
 */
export const CLAIM_FORCED = `
  with free as (
    select row.id, row.lease_owner as prior_owner,
      array_append((select array_agg(forced.at order by forced.at) ${FORCED_LATELY}), clock_timestamp()) as forced_at
    from oauth2_integration as row
    where row.id = $1::uuid and row.generation = $2::bigint and ${statusOf('row.')} = $3::text
      and not ${isFinal('row.')} and (row.lease_until is null or row.lease_until <= clock_timestamp())
      and ($6::boolean or row.retry_at is null or row.retry_at <= clock_timestamp())
      and (select count(*) ${FORCED_LATELY}) < ${MAX_FORCED_REFRESHES}
    for update of row skip locked)
  update oauth2_integration as row set lease_owner = $4::text, forced_at = free.forced_at,
    lease_until = clock_timestamp() + make_interval(secs => $5::float8), last_used_at = clock_timestamp()
  from free where row.id = free.id
  returning row.lease_owner as owner, row.refresh_token, array_to_string(row.scopes, ' ') as scopes, row.failures,
    row.tenant_id, row.object_id, row.username, row.display_name, free.prior_owner`

/** The challenge that is kept for the next authorize request, while it counts. */
export const KEPT_CHALLENGE = `case when challenged_at > clock_timestamp()
    - make_interval(secs => ${CHALLENGE_KEPT_SECONDS}) then challenge end`

/**
 * $1 id, $2 generation. How many refreshes were forced lately, in how many seconds there will be one less, the
 * challenge that is kept, and whether a refresh is running.
 */
export const FORCED = `
  select (select count(*)::int ${FORCED_LATELY}) as count, ${KEPT_CHALLENGE} as challenge,
    coalesce(lease_until > clock_timestamp(), false) as leased,
    (select ${epoch('min(forced.at) - clock_timestamp()')} + ${FORCED_WINDOW_SECONDS} ${FORCED_LATELY}) as next_in
  from oauth2_integration as row where row.id = $1::uuid and row.generation = $2::bigint`

export type ForcedColumns = { count: number; challenge: unknown; leased: boolean; next_in: number | null }

const SAVED_TYPES = ['uuid', 'bigint', 'text', 'text', 'float8', ...Array<string>(6).fill('text'), 'float8', 'text']

/**
 * For each set of tokens: id and generation as they were read, access and refresh token sealed, seconds of life,
 * scopes, four values of the account, the login hint, seconds until a suggested refresh, and the hash of a claims
 * challenge; null where Microsoft sent nothing new. Every write of tokens takes a new generation and clears lease,
 * failure and retry_at (docs/design.md#refresh).
 */
const save = (sets: number, lock: string): string => `
  with fresh (of_id, generation_before, new_access, new_refresh, seconds, new_scopes,
      new_tenant, new_object, new_username, new_name, new_hint, due_seconds, new_claims) as (
    values ${values(SAVED_TYPES, sets)}),
  present as (
    select fresh.* from fresh join oauth2_integration as row on row.id = of_id and row.generation = generation_before
    where ${statusOf('row.')} = 'active' order by row.id for update of row${lock})
  update oauth2_integration set generation = nextval('${generations.seqName!}'), refreshed_at = clock_timestamp(),
    failure = null, failures = 0, retry_at = null, lease_owner = null, lease_until = null,
    access_token = decode(new_access, 'base64'),
    refresh_token = coalesce(decode(new_refresh, 'base64'), refresh_token),
    access_token_expires_at = clock_timestamp() + make_interval(secs => seconds),
    scopes = string_to_array(new_scopes, ' '),
    tenant_id = coalesce(new_tenant, tenant_id), object_id = coalesce(new_object, object_id),
    username = coalesce(new_username, username), display_name = coalesce(new_name, display_name),
    login_hint = coalesce(new_hint, login_hint),
    refresh_due_at = clock_timestamp() + make_interval(secs => due_seconds), claims_hash = new_claims,
    challenge = case when new_claims is null then challenge end
  from present where id = of_id returning generation_before, ${INTEGRATION}`
/** A row that somebody else is writing at the moment is skipped: one row must not hold up the others. */
export const SAVE = (sets: number): string => save(sets, ' skip locked')
/** Waits for the row. */
export const SAVE_ONE = save(1, '')

export type SavedColumns = IntegrationColumns & { generation_before: string }
