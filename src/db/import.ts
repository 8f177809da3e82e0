import { randomUUID } from 'node:crypto'
import { and, eq, inArray, sql } from './drizzle.ts'
import { Failure } from '../core/failure.ts'
import { isSameAccount, type Account } from '../core/integration.ts'
import { judge, type ImportRow, type ImportStore, type StoredForImport } from '../core/import.ts'
import type { Vault } from '../core/ports.ts'
import type { Database, Transaction } from './client.ts'
import { appendEvents } from './events.ts'
import { frozenAmong } from './freezes.ts'
import { exactly } from './instants.ts'
import { CLIENT_ID } from './fast-path/statements.ts'
import { lockUsers, nextGeneration, PROVIDER, sealContext } from './integration-rows.ts'
import { events, integrations } from './schema.ts'

// Imports many rows in few statements: lock the users, read what is stored, write the rows that may be stored, write
// the events (docs/design.md#import).

const EPOCH = new Date(0).toISOString()

const STORED = {
  id: integrations.id,
  userId: integrations.userId,
  generation: integrations.generation,
  refreshToken: integrations.refreshToken,
  tenantId: integrations.tenantId,
  objectId: integrations.objectId,
  clientId: sql<string | null>`${sql.raw(CLIENT_ID)}`,
  username: integrations.username,
  displayName: integrations.displayName,
  loginHint: integrations.loginHint,
  imported: integrations.imported,
  connectedAt: exactly(integrations.connectedAt),
  refreshedAt: exactly(integrations.refreshedAt),
}
type StoredRow = Pick<typeof integrations.$inferSelect, keyof typeof STORED>

/** `clientId`: the app registration of rows that name none. */
export function createImportStore(database: Database, vault: Vault, { clientId }: { clientId: string }): ImportStore {
  const opened = (row: StoredRow): string | undefined => {
    try {
      return vault.open(sealContext(row, 'refresh_token'), row.refreshToken)
    } catch (error) {
      if (error instanceof Failure && error.code === 'token_unreadable') return undefined
      throw error
    }
  }

  /** Every write of tokens takes a new generation and clears lease, failure and retry_at (docs/design.md#refresh). */
  function columns(id: string, row: ImportRow, stored: StoredRow | undefined) {
    const context = { id, userId: row.userId }
    // A row without account keeps the stored one. For a new user the first refresh fills it.
    const { tenantId, objectId } = row.account ?? {
      tenantId: stored?.tenantId ?? null,
      objectId: stored?.objectId ?? null,
    }
    return {
      id,
      userId: row.userId,
      status: 'active' as const,
      generation: nextGeneration,
      accessToken: vault.seal(sealContext(context, 'access_token'), row.accessToken ?? ''),
      refreshToken: vault.seal(sealContext(context, 'refresh_token'), row.refreshToken),
      // Without an access token: a time long ago. So the first read refreshes, also if the caller's clock is wrong.
      accessTokenExpiresAt: row.expiresAt ?? EPOCH,
      scopes: row.scopes,
      tenantId,
      objectId,
      username: row.username ?? stored?.username ?? null,
      displayName: stored?.displayName ?? null,
      // Of another account it would lead to the wrong sign-in.
      loginHint: id === stored?.id ? stored.loginHint : null,
      clientId: row.clientId ?? clientId,
      // A user who connected through the broker stays protected by `judge`, also after a newer row of the same account.
      imported: stored?.imported ?? true,
      connectedAt: row.connectedAt ?? stored?.connectedAt ?? row.updatedAt,
      // When Microsoft issued the tokens: their 90 days began then, and a later row is newer.
      // A caller's clock may be ahead, but no stored time may be later than Postgres' clock.
      refreshedAt: sql`least(${row.updatedAt}::timestamptz, now())`,
      failure: null,
      failures: 0,
      retryAt: null,
      leaseOwner: null,
      leaseUntil: null,
      refreshDueAt: null,
      claimsHash: null,
      challenge: null,
      challengedAt: null,
      forcedAt: null,
    }
  }

  async function readStored(tx: Transaction, userIds: string[]) {
    const stored = await tx
      .select(STORED)
      .from(integrations)
      .where(and(eq(integrations.provider, PROVIDER), inArray(integrations.userId, userIds)))
      .orderBy(integrations.id)
      .for('update')
    const disconnects = await tx
      .select({ userId: events.userId, at: exactly(sql`max(${events.at})`) })
      .from(events)
      .where(and(eq(events.type, 'disconnected'), inArray(events.userId, userIds)))
      .groupBy(events.userId)
    const [clock] = await tx.execute<{ now: number }>(sql`select extract(epoch from clock_timestamp()) * 1000 as now`)
    return {
      stored: new Map(stored.map((row) => [row.userId, row])),
      disconnectedAt: new Map(disconnects.map(({ userId, at }) => [userId, at])),
      now: clock!.now,
    }
  }

  return {
    async import(rows, { caller, dryRun }) {
      if (rows.length === 0) return []
      return database.transaction(async (tx) => {
        const userIds = rows.map(({ userId }) => userId)
        if (!dryRun) await lockUsers(tx, userIds)
        const { stored, disconnectedAt, now } = await readStored(tx, userIds)
        const frozen = await frozenAmong(
          tx,
          rows.map(({ userId, account }) => ({
            userId,
            tenantId: account?.tenantId ?? stored.get(userId)?.tenantId ?? undefined,
          })),
        )
        const results = rows.map((row) =>
          judge(
            row,
            toStored(stored.get(row.userId), opened),
            disconnectedAt.get(row.userId),
            now,
            frozen.has(row.userId),
          ),
        )
        if (dryRun) return results
        const wanted = rows.filter((_row, i) => results[i]!.result === 'imported')
        if (wanted.length === 0) return results
        const written = await tx
          .insert(integrations)
          .values(wanted.map((row) => columns(idFor(row, stored.get(row.userId)), row, stored.get(row.userId))))
          .onConflictDoUpdate({ target: [integrations.provider, integrations.userId], set: REPLACED })
          .returning({ userId: integrations.userId, generation: integrations.generation })
        const generations = new Map(written.map(({ userId, generation }) => [userId, generation]))
        await appendEvents(
          tx,
          wanted.map(({ userId }) => ({
            userId,
            type: 'imported',
            caller,
            detail: { generation: generations.get(userId)! },
          })),
        )
        return results.map((result, i) =>
          result.result === 'imported' ? { ...result, generation: generations.get(rows[i]!.userId)! } : result,
        )
      })
    },
  }
}

/**
 * The stored row stays the same row only if both accounts are known and the same: sealed values are bound to the row's
 * id, so those of an earlier account do not open in the new row (docs/security.md#sealing).
 */
function idFor(row: ImportRow, stored: StoredRow | undefined): string {
  const account = stored === undefined ? undefined : accountOf(stored)
  const isSame = account !== undefined && row.account !== undefined && isSameAccount(account, row.account)
  return isSame && stored !== undefined ? stored.id : randomUUID()
}

/** Every column that `columns` sets, except the user. */
const REPLACED = Object.fromEntries(
  (
    [
      'id',
      'status',
      'generation',
      'accessToken',
      'refreshToken',
      'accessTokenExpiresAt',
      'scopes',
      'tenantId',
      'objectId',
      'username',
      'displayName',
      'loginHint',
      'clientId',
      'connectedAt',
      'imported',
      'refreshedAt',
      'failure',
      'failures',
      'retryAt',
      'leaseOwner',
      'leaseUntil',
      'refreshDueAt',
      'claimsHash',
      'challenge',
      'challengedAt',
      'forcedAt',
    ] as const
  ).map((name) => [name, sql.raw(`excluded.${integrations[name].name}`)]),
)

function toStored(
  row: StoredRow | undefined,
  opened: (row: StoredRow) => string | undefined,
): StoredForImport | undefined {
  if (row === undefined) return undefined
  const { generation, imported, connectedAt, refreshedAt, clientId } = row
  const account = accountOf(row)
  return {
    generation,
    refreshToken: opened(row),
    imported,
    connectedAt,
    refreshedAt,
    ...(clientId === null ? {} : { clientId }),
    ...(account === undefined ? {} : { account }),
  }
}

const accountOf = ({ tenantId, objectId }: StoredRow): Account | undefined =>
  tenantId === null || objectId === null ? undefined : { tenantId, objectId }
