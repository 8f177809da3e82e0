import type { FreezeState } from '../core/freeze.ts'
import type { Account, Integration, TokenSet } from '../core/integration.ts'
import { CLEARED_BY_TOKENS } from '../core/refresh-decision.ts'
import { readFailure, type OnMalformed } from '../core/stored.ts'
import type { SealContext, Vault } from '../core/ports.ts'
import type { Transaction } from './client.ts'
import { sql } from './drizzle.ts'
import { isoOfEpoch, withinYears } from './instants.ts'
import type { AccountColumns, FreezeColumns, IntegrationColumns } from './fast-path/statements.ts'
import { generations, integrations } from './schema.ts'

// Shared by everything that reads or writes rows of `oauth2_integration`: columns, remaining times, sealing, the lock
// per user.

export const PROVIDER = 'microsoft'

/** By Postgres' clock (docs/design.md#time). */
export const inSeconds = (seconds: number) => sql<string>`clock_timestamp() + make_interval(secs => ${seconds})`
export const nextGeneration = sql<number>`nextval(${generations.seqName!}::regclass)`

/** Connect and disconnect of one user happen one after the other, even if there is no row to lock yet. */
export async function lockUser(tx: Transaction, userId: string): Promise<void> {
  await lockUsers(tx, [userId])
}

/** Locks several users, always in the same order: two transactions that lock some of the same users cannot deadlock. */
export async function lockUsers(tx: Transaction, userIds: readonly string[]): Promise<void> {
  const names = JSON.stringify(userIds.map((userId) => `${PROVIDER}:${userId}`))
  await tx.execute(sql`select pg_advisory_xact_lock(key) from (
    select hashtextextended(name, 0) as key from jsonb_array_elements_text(${names}::jsonb) as name
    order by 1) as keys`)
}

/** Every write of tokens takes a new generation and clears lease, failure and retry_at (docs/design.md#refresh). */
export function tokenColumns(sealed: SealedTokens, tokens: TokenSet) {
  const dueIn = dueInSeconds(tokens)
  return {
    status: 'active' as const,
    generation: nextGeneration,
    refreshedAt: sql`clock_timestamp()`,
    ...CLEARED_BY_TOKENS,
    ...sealed,
    accessTokenExpiresAt: inSeconds(secondsLeft(tokens)),
    refreshDueAt: dueIn === undefined ? null : inSeconds(dueIn),
    claimsHash: tokens.claimsHash ?? null,
    ...(tokens.claimsHash === undefined ? {} : { challenge: null }),
    scopes: tokens.scopes,
    ...(tokens.account === undefined ? {} : accountColumns(tokens.account)),
    ...(tokens.loginHint === undefined ? {} : { loginHint: tokens.loginHint }),
  }
}

interface SealedTokens {
  accessToken: Buffer
  /** Absent: the stored one stays. */
  refreshToken?: Buffer
}

export function sealedTokens(context: { id: string; userId: string }, tokens: TokenSet, vault: Vault): SealedTokens {
  const { accessToken, refreshToken } = tokens
  return {
    accessToken: vault.seal(sealContext(context, 'access_token'), accessToken),
    ...(refreshToken === undefined
      ? {}
      : { refreshToken: vault.seal(sealContext(context, 'refresh_token'), refreshToken) }),
  }
}

/** The seconds that Microsoft names count from the moment of our request. */
export const secondsLeft = ({ expiresInSeconds, elapsedMs }: TokenSet): number => expiresInSeconds - elapsedMs / 1000

/** As `secondsLeft`, until the suggested refresh. Undefined: Microsoft suggested none. */
export const dueInSeconds = ({ refreshInSeconds, elapsedMs }: TokenSet): number | undefined =>
  refreshInSeconds === undefined ? undefined : refreshInSeconds - elapsedMs / 1000

function accountColumns(account: Account) {
  return {
    tenantId: account.tenantId,
    objectId: account.objectId,
    ...(account.username === undefined ? {} : { username: account.username }),
    ...(account.displayName === undefined ? {} : { displayName: account.displayName }),
  }
}

export function toAccount(row: {
  tenantId: string | null
  objectId: string | null
  username: string | null
  displayName: string | null
}): Account | undefined {
  if (row.tenantId === null || row.objectId === null) return undefined
  return {
    tenantId: row.tenantId,
    objectId: row.objectId,
    ...(row.username === null ? {} : { username: row.username }),
    ...(row.displayName === null ? {} : { displayName: row.displayName }),
  }
}

export const accountOf = (row: AccountColumns): Account | undefined =>
  toAccount({ tenantId: row.tenant_id, objectId: row.object_id, username: row.username, displayName: row.display_name })
/** Joined by Postgres: an array of arrays, or one with null, must not break the list of all users. */
export const scopesColumn = sql<string>`array_to_string(${integrations.scopes}, ' ')`
export const scopesOf = ({ scopes }: { scopes: string }): string[] => (scopes === '' ? [] : scopes.split(' '))

export function toIntegration(row: IntegrationColumns, accessToken: string, onMalformed?: OnMalformed): Integration {
  const account = accountOf(row)
  const failure = readFailure(row.failure, row.status, onMalformed)
  const expires = withinYears(row.expires)
  return {
    id: row.id,
    userId: row.user_id,
    status: row.status,
    generation: Number(row.generation),
    accessToken,
    lifetimeSeconds: expires - withinYears(row.refreshed),
    remainingSeconds: expires - row.now,
    expiresAt: isoOfEpoch(row.expires),
    scopes: scopesOf(row),
    ...(row.client_id === null ? {} : { clientId: row.client_id }),
    ...(account === undefined ? {} : { account }),
    ...(failure === undefined ? {} : { failure }),
    ...(row.retry_at === null ? {} : { retryInSeconds: withinYears(row.retry_at) - row.now }),
    ...(row.lease_until === null ? {} : { leaseInSeconds: withinYears(row.lease_until) - row.now }),
    ...(row.refresh_due === null ? {} : { refreshInSeconds: withinYears(row.refresh_due) - row.now }),
    ...(row.claims_hash === null ? {} : { claimsHash: row.claims_hash }),
    ...(row.frozen === null && row.frozen_keys === null ? {} : toFreezeState(row)),
  }
}

export const toFreezeState = ({ frozen, frozen_keys: keys }: FreezeColumns): FreezeState => ({
  ...(frozen === null ? {} : { frozen }),
  ...(keys === null ? {} : { frozenKeys: keys.split(' ') }),
})

export function sealContext(
  row: { id: string; userId: string },
  column: 'access_token' | 'refresh_token',
): SealContext {
  return { table: 'oauth2_integration', column, provider: PROVIDER, userId: row.userId, recordId: row.id }
}
