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
const SET = 'id, array_to_string(scopes, \' \') as scopes, tenant_id, object_id, username, display_name'

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

export type IntegrationColumns = StateColumns & AccountColumns & {
  id: string
  /** Separated by spaces: no scope-token has one in it (RFC 6749 3.3). */
  scopes: string
}

export type TokenColumns = IntegrationColumns & { access_token: Buffer }

/**
 * Of so many users at once. A parameter for each and not one array for all: how long an array is Postgres knows only from its value, and
 * so it plans such a statement anew each time, which takes as long as running it (measured).
 */
const ofUsers = (columns: string) => (users: number): string =>
  `select ${columns} from oauth2_integration where provider = 'microsoft' and user_id in (${Array.from({ length: users }, (_, i) => `$${i + 1}`).join(', ')})`
export const READ_STATE = ofUsers(STATE)
export const READ_TOKENS = ofUsers(`${INTEGRATION}, access_token`)

/** $1 id. A refusal for good leaves no retry_at: status, generation and lease do not tell it from one that may be cured. */
const isFinal = (failure: string): string => `coalesce(${failure}->>'final' = 'true', false)`
export const PROGRESS = `select generation, status, ${isFinal('failure')} as final, ${until('retry_at')} as retry_in, ${until('lease_until')} as lease_in
  from oauth2_integration where id = $1`

export type ProgressColumns = Pick<StateColumns, 'generation' | 'status'> & { retry_in: number | null; lease_in: number | null; final: boolean }

/**
 * $1 id, $2 generation, $3 status as they were read, $4 owner, $5 seconds of the lease, $6 whether a caller's read asks: noted once an
 * hour, because the column has an index and all others of this statement have none (a heap-only update). */
export const CLAIM = `update oauth2_integration as row set lease_owner = $4, lease_until = clock_timestamp() + make_interval(secs => $5),
    last_used_at = case when $6::boolean and row.last_used_at < clock_timestamp() - interval '1 hour' then clock_timestamp() else row.last_used_at end
  from (select id, lease_owner from oauth2_integration where id = $1) as prior
  where row.id = prior.id and row.generation = $2 and row.status = $3 and not ${isFinal('row.failure')}
    and (row.lease_until is null or row.lease_until <= clock_timestamp()) and (row.retry_at is null or row.retry_at <= clock_timestamp())
  returning row.refresh_token, array_to_string(row.scopes, ' ') as scopes, row.failures, row.tenant_id, row.object_id, row.username, row.display_name,
    prior.lease_owner as prior_owner`

export type ClaimColumns = AccountColumns & Pick<IntegrationColumns, 'scopes'> & { refresh_token: Buffer; failures: number; prior_owner: string | null }

/**
 * $1 id, $2 generation as it was read, $3 access token and $4 refresh token sealed, $5 seconds of life, $6 scopes, $7 to $10 the account; null
 * where nothing new was told. Every write of tokens takes a new generation and clears lease, failure and retry_at (design 2.3).
 */
export const SAVE = `update oauth2_integration set generation = nextval('${generations.seqName!}'), refreshed_at = clock_timestamp(),
    failure = null, failures = 0, retry_at = null, lease_owner = null, lease_until = null,
    access_token = $3, refresh_token = coalesce($4, refresh_token), access_token_expires_at = clock_timestamp() + make_interval(secs => $5),
    scopes = string_to_array($6, ' '), tenant_id = coalesce($7, tenant_id), object_id = coalesce($8, object_id),
    username = coalesce($9, username), display_name = coalesce($10, display_name)
  where id = $1 and generation = $2 and status = 'active' returning ${INTEGRATION}`
