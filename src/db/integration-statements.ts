import type { IntegrationStatus, StoredFailure } from '../core/integration.ts'
import { generations } from './schema.ts'

// The statements that every token takes, as they go over the wire. Written out, because building and mapping them by drizzle costs as
// much as unsealing does (bench/).

/** Seconds since the epoch. */
const epoch = (instant: string): string => `date_part('epoch', ${instant})`
/** Seconds from now, by Postgres' clock (design 2.3: the only clock for stored times). */
const until = (column: string): string => epoch(`${column} - clock_timestamp()`)

/** What may change while a set of tokens stays, and by what that is known: `generation`, `refreshed`, `expires`. */
const STATE = `user_id, generation, ${epoch('refreshed_at')} as refreshed, ${epoch('access_token_expires_at')} as expires, status, failure,
  ${epoch('clock_timestamp()')} as now, ${epoch('retry_at')} as retry_at, ${epoch('lease_until')} as lease_until`

/** What comes with a set of tokens, but for the token. */
const SET = "id, array_to_string(scopes, ' ') as scopes, tenant_id, object_id, username, display_name"

/** What `toIntegration` reads. */
export const INTEGRATION = `${STATE}, ${SET}`

export type AccountColumns = {
  tenant_id: string | null
  object_id: string | null
  username: string | null
  display_name: string | null
}

/** Times in seconds since the epoch, `now` among them. */
export type StateColumns = {
  user_id: string
  /** Text: the driver does not trust its numbers with 64 bits. */
  generation: string
  refreshed: number
  expires: number
  status: IntegrationStatus
  failure: StoredFailure | null
  now: number
  retry_at: number | null
  lease_until: number | null
}

export type IntegrationColumns = StateColumns &
  AccountColumns & {
    id: string
    /** Separated by spaces: no scope-token has one in it (RFC 6749 3.3). */
    scopes: string
  }

/** `access_token`: null where it has expired. */
export type TokenColumns = IntegrationColumns & { access_token: Buffer | null }

/**
 * Of so many users at once. A parameter for each and not one array for all: how long an array is Postgres knows only from its value, so a plan
 * for any array seems dearer to it than one for this array, and it may plan the statement anew each time.
 */
const ofUsers =
  (columns: string) =>
  (users: number): string =>
    `select ${columns} from oauth2_integration where provider = 'microsoft' and user_id in (${Array.from({ length: users }, (_, i) => `$${i + 1}`).join(', ')})`
export const READ_STATE = ofUsers(STATE)
export const READ_TOKENS = ofUsers(
  `${INTEGRATION}, case when access_token_expires_at > clock_timestamp() then access_token end as access_token`,
)

/** $1 id. A refusal for good leaves no retry_at: status, generation and lease do not tell it from one that may be cured. */
const isFinal = (failure: string): string => `coalesce(${failure}->>'final' = 'true', false)`
export const PROGRESS = `select generation, status, ${isFinal('failure')} as final, ${until('retry_at')} as retry_in, ${until('lease_until')} as lease_in
  from oauth2_integration where id = $1`

export type ProgressColumns = Pick<StateColumns, 'generation' | 'status'> & {
  retry_in: number | null
  lease_in: number | null
  final: boolean
}

/** A row of VALUES for each of so many, with a parameter for each of these types. */
const values = (types: readonly string[], rows: number): string =>
  Array.from(
    { length: rows },
    (_, row) => `(${types.map((type, i) => `$${row * types.length + i + 1}::${type}`).join(', ')})`,
  ).join(', ')

/**
 * For each claim: id, generation and status as they were read, owner, seconds of the lease, whether a caller's read asks: noted once an
 * hour, because the column has an index and all others of this statement have none (a heap-only update). A row that somebody else is
 * writing right now is passed over, so that no claim waits for it: it is one that was not won.
 */
export const CLAIM = (claims: number): string => `
  with wanted (id, generation, status, owner, seconds, used) as (values ${values(['uuid', 'bigint', 'text', 'text', 'float8', 'boolean'], claims)}),
  free as (
    select row.id, row.lease_owner as prior_owner, wanted.owner, wanted.seconds, wanted.used from wanted join oauth2_integration as row on row.id = wanted.id
    where row.generation = wanted.generation and row.status = wanted.status and not ${isFinal('row.failure')}
      and (row.lease_until is null or row.lease_until <= clock_timestamp()) and (row.retry_at is null or row.retry_at <= clock_timestamp())
    order by row.id for update of row skip locked)
  update oauth2_integration as row set lease_owner = free.owner, lease_until = clock_timestamp() + make_interval(secs => free.seconds),
    last_used_at = case when free.used and row.last_used_at < clock_timestamp() - interval '1 hour' then clock_timestamp() else row.last_used_at end
  from free where row.id = free.id
  returning row.lease_owner as owner, row.refresh_token, array_to_string(row.scopes, ' ') as scopes, row.failures, row.tenant_id, row.object_id,
    row.username, row.display_name, free.prior_owner`

export type ClaimColumns = AccountColumns &
  Pick<IntegrationColumns, 'scopes'> & {
    owner: string
    refresh_token: Buffer
    failures: number
    prior_owner: string | null
  }

/**
 * For each set of tokens: id and generation as they were read, access and refresh token sealed, seconds of life, scopes, four of the account;
 * null where nothing new was told. Every write of tokens takes a new generation and clears lease, failure and retry_at (design 2.3).
 */
const save = (sets: number, lock: string): string => `
  with fresh (of_id, generation_before, new_access, new_refresh, seconds, new_scopes, new_tenant, new_object, new_username, new_name) as (
    values ${values(['uuid', 'bigint', 'text', 'text', 'float8', 'text', 'text', 'text', 'text', 'text'], sets)}),
  present as (
    select fresh.* from fresh join oauth2_integration as row on row.id = of_id and row.generation = generation_before
    where row.status = 'active' order by row.id for update of row${lock})
  update oauth2_integration set generation = nextval('${generations.seqName!}'), refreshed_at = clock_timestamp(),
    failure = null, failures = 0, retry_at = null, lease_owner = null, lease_until = null,
    access_token = decode(new_access, 'base64'), refresh_token = coalesce(decode(new_refresh, 'base64'), refresh_token), access_token_expires_at = clock_timestamp() + make_interval(secs => seconds),
    scopes = string_to_array(new_scopes, ' '), tenant_id = coalesce(new_tenant, tenant_id), object_id = coalesce(new_object, object_id),
    username = coalesce(new_username, username), display_name = coalesce(new_name, display_name)
  from present where id = of_id returning generation_before, ${INTEGRATION}`
/** A row that somebody else is writing right now is passed over: one must not hold up all. */
export const SAVE = (sets: number): string => save(sets, ' skip locked')
/** Waits for it. */
export const SAVE_ONE = save(1, '')

export type SavedColumns = IntegrationColumns & { generation_before: string }
