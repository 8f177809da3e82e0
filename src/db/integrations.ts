import { randomUUID } from 'node:crypto'
import { and, eq, gt, sql, type SQL } from './drizzle.ts'
import { Failure } from '../core/failure.ts'
import { isSameAccount, type Integration, type IntegrationSummary } from '../core/integration.ts'
import type { ConnectOutcome, IntegrationStore, Vault } from '../core/ports.ts'
import { endBrowserSessions, endBrowserSessionsButPending } from './browser-sessions.ts'
import type { Database, Parameter } from './client.ts'
import { endCompleting, endConnectSessions } from './connect-sessions.ts'
import { appendEvent } from './events.ts'
import { gathered } from './gathered.ts'
import { iso } from './instants.ts'
import {
  accountOf,
  inSeconds,
  lockUser,
  PROVIDER,
  scopesOf,
  sealContext,
  sealedTokens,
  secondsLeft,
  toAccount,
  toIntegration,
  tokenColumns,
} from './integration-rows.ts'
import {
  CLAIM,
  INTEGRATION,
  PROGRESS,
  SAVE,
  SAVE_ONE,
  type ClaimColumns,
  type IntegrationColumns,
  type ProgressColumns,
  type SavedColumns,
} from './integration-statements.ts'
import { integrations } from './schema.ts'
import { createTokenReads } from './token-reads.ts'

/** Rolls a connect back whose session was ended meanwhile. A Failure, so that it passes the translation of driver errors. */
class Ended extends Failure {
  constructor() {
    super('connect_session_expired')
  }
}
async function endedIsNothing(work: Promise<ConnectOutcome>): Promise<ConnectOutcome | 'ended'> {
  try {
    return await work
  } catch (error) {
    if (error instanceof Ended) return 'ended'
    throw error
  }
}

/** As rows keep times in JSON. */
const NOW = sql`to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')`
export function createIntegrationStore(database: Database, vault: Vault): IntegrationStore {
  function toSummary(row: typeof integrations.$inferSelect): IntegrationSummary {
    const account = toAccount(row)
    return {
      id: row.id,
      userId: row.userId,
      status: row.status,
      generation: row.generation,
      scopes: row.scopes,
      ...(account === undefined ? {} : { account }),
      connectedAt: iso(row.connectedAt),
      refreshedAt: iso(row.refreshedAt),
      accessTokenExpiresAt: iso(row.accessTokenExpiresAt),
      ...(row.failure === null ? {} : { failure: row.failure }),
    }
  }

  /** `more`: what else is set. */
  async function endLease(
    integration: Integration,
    owner: string,
    more: { retryAt?: SQL; failure?: SQL } = {},
  ): Promise<void> {
    await database.run((db) =>
      db
        .update(integrations)
        .set({ leaseOwner: null, leaseUntil: null, ...more })
        .where(and(eq(integrations.id, integration.id), eq(integrations.leaseOwner, owner))),
    )
  }

  type ClaimParameters = readonly [
    id: string,
    generation: number,
    status: string,
    owner: string,
    leaseSeconds: number,
    used: boolean,
  ]
  const claims = gathered<ClaimParameters, ClaimColumns>({
    database,
    by: 'query',
    text: CLAIM,
    parameters: (claim) => claim,
    nameOf: ([, , , owner]) => owner,
    nameIn: ({ owner }) => owner,
  })
  type SaveParameters = readonly [id: string, generation: number, ...Parameter[]]
  const saves = gathered<SaveParameters, SavedColumns>({
    database,
    by: 'query',
    text: SAVE,
    parameters: (set) => set,
    nameOf: ([id, generation]) => `${id}/${generation}`,
    nameIn: ({ id, generation_before: generation }) => `${id}/${generation}`,
  })

  return {
    read: createTokenReads(database, vault),

    async summary(userId) {
      const [row] = await database.run((db) =>
        db
          .select()
          .from(integrations)
          .where(and(eq(integrations.provider, PROVIDER), eq(integrations.userId, userId))),
      )
      return row === undefined ? undefined : toSummary(row)
    },

    async claim(integration, owner, leaseSeconds, used) {
      const { id, generation, status } = integration
      const row = await claims([id, generation, status, owner, leaseSeconds, used])
      if (row === undefined) return undefined
      const account = accountOf(row)
      let refreshToken: string
      try {
        refreshToken = vault.open(sealContext(integration, 'refresh_token'), row.refresh_token)
      } catch (error) {
        // Nothing can be sent, so nobody is to wait for this lease. The row itself stays as it is (design 4).
        await endLease(integration, owner)
        throw error
      }
      return {
        refreshToken,
        scopes: scopesOf(row),
        failures: row.failures,
        takenOver: row.prior_owner !== null,
        ...(account === undefined ? {} : { account }),
      }
    },

    async saveTokens(integration, tokens) {
      // Together with others in the ordinary case. A row that is marked (perhaps since it was read) also gets an event, in its transaction.
      const { id, generation } = integration
      const sealed = sealedTokens(integration, tokens, vault)
      const { accessToken, refreshToken = null } = sealed
      const { tenantId = null, objectId = null, username = null, displayName = null } = tokens.account ?? {}
      // As base64: the driver would write bytes as twice as many hexadecimal digits.
      const columns = [
        id,
        generation,
        accessToken.toString('base64'),
        refreshToken?.toString('base64') ?? null,
        secondsLeft(tokens),
        tokens.scopes.join(' '),
        tenantId,
        objectId,
        username,
        displayName,
      ] as const
      const saved = (await saves(columns)) ?? (await database.query<SavedColumns>(SAVE_ONE, columns))[0]
      if (saved !== undefined) return { integration: toIntegration(saved, tokens.accessToken), recovered: false }
      const row = await database.transaction(async (tx) => {
        const marked = await tx
          .update(integrations)
          .set(tokenColumns(sealed, tokens))
          .where(and(eq(integrations.id, id), eq(integrations.generation, generation)))
          .returning({ generation: integrations.generation })
        if (marked[0] === undefined) return undefined
        await appendEvent(tx, {
          userId: integration.userId,
          type: 'recovered',
          caller: 'broker',
          detail: { generation: marked[0].generation },
        })
        const [recovered] = await tx.execute<IntegrationColumns>(
          sql`select ${sql.raw(INTEGRATION)} from ${integrations} where id = ${id}`,
        )
        return recovered
      })
      return row === undefined ? undefined : { integration: toIntegration(row, tokens.accessToken), recovered: true }
    },

    async saveFailure(integration, owner, failure, retryIn) {
      const stored = integrations.failure
      const turnsOver = failure.verdict === 'reconnect' && integration.status === 'active'
      return database.transaction(async (tx) => {
        const rows = await tx
          .update(integrations)
          .set({
            // A refusal that stands keeps the time it was made; the first of a reason, the time since when.
            failure: sql`jsonb_build_object('at', ${NOW}) || ${JSON.stringify(failure)}::jsonb || jsonb_build_object('since', coalesce(
              case when ${stored}->>'reason' = ${failure.reason} then coalesce(${stored}->>'since', ${stored}->>'at') end, ${NOW}))`,
            failures: sql`${integrations.failures} + 1`,
            retryAt: retryIn === undefined ? null : inSeconds(retryIn),
            leaseOwner: null,
            leaseUntil: null,
            ...(failure.verdict === 'reconnect' ? { status: 'reconnect_required' as const } : {}),
          })
          .where(
            and(
              eq(integrations.id, integration.id),
              eq(integrations.generation, integration.generation),
              eq(integrations.leaseOwner, owner),
            ),
          )
          .returning({ id: integrations.id })
        if (rows.length > 0 && turnsOver) {
          await appendEvent(tx, {
            userId: integration.userId,
            type: 'reconnect_required',
            caller: 'broker',
            detail: { reason: failure.reason, microsoft: failure.microsoft },
          })
        }
        return rows.length > 0
      })
    },

    releaseLease: (integration, owner, retryIn) =>
      endLease(integration, owner, {
        retryAt: inSeconds(retryIn),
        failure: sql`case when ${integrations.status} = 'reconnect_required' then ${integrations.failure} end`,
      }),

    async recordUse({ id }) {
      await database.run((db) =>
        db
          .update(integrations)
          .set({ lastUsedAt: sql`clock_timestamp()` })
          .where(and(eq(integrations.id, id), sql`${integrations.lastUsedAt} < clock_timestamp() - interval '1 hour'`)),
      )
    },

    async progress(id) {
      const [row] = await database.read<ProgressColumns>(PROGRESS, [id])
      if (row === undefined) return undefined
      return {
        generation: Number(row.generation),
        status: row.status,
        final: row.final,
        ...(row.retry_in === null ? {} : { retryIn: row.retry_in }),
        ...(row.lease_in === null ? {} : { leaseIn: row.lease_in }),
      }
    },

    async connect({ session, tokens }) {
      const { userId, caller } = session
      return endedIsNothing(
        database.transaction(async (tx) => {
          await lockUser(tx, userId)
          const [stored] = await tx
            .select()
            .from(integrations)
            .where(and(eq(integrations.provider, PROVIDER), eq(integrations.userId, userId)))
            .for('update')
          const pinned = stored === undefined ? undefined : toAccount(stored)
          if (pinned !== undefined && !session.allowSwitch && !isSameAccount(pinned, tokens.account)) {
            const refusal: ConnectOutcome = {
              result: 'refused',
              code: 'account_mismatch',
              reason: 'other_account',
              account: tokens.account,
              expectedAccount: pinned,
            }
            if ((await endCompleting(tx, session.id, refusal)).length === 0) throw new Ended()
            return refusal
          }
          // The id is part of what seals the values, so it is known before sealing.
          const id = stored?.id ?? randomUUID()
          const columns = {
            username: null,
            displayName: null,
            imported: false,
            ...tokenColumns(sealedTokens({ id, userId }, tokens, vault), tokens),
          }
          const [row] =
            stored === undefined
              ? await tx
                  .insert(integrations)
                  .values({
                    id,
                    userId,
                    ...columns,
                    refreshToken: vault.seal(sealContext({ id, userId }, 'refresh_token'), tokens.refreshToken),
                  })
                  .returning({ generation: integrations.generation })
              : await tx
                  .update(integrations)
                  .set({ ...columns, connectedAt: sql`clock_timestamp()`, lastUsedAt: sql`clock_timestamp()` })
                  .where(eq(integrations.id, id))
                  .returning({ generation: integrations.generation })
          const outcome: ConnectOutcome = {
            result: stored === undefined ? 'connected' : 'reconnected',
            account: tokens.account,
          }
          if ((await endCompleting(tx, session.id, outcome)).length === 0) throw new Ended()
          await endBrowserSessionsButPending(tx, userId)
          await appendEvent(tx, {
            userId,
            type: outcome.result as 'connected' | 'reconnected',
            caller,
            detail: { generation: row!.generation },
          })
          return outcome
        }),
      )
    },

    async disconnect(userId, caller) {
      return database.transaction(async (tx) => {
        await lockUser(tx, userId)
        const rows = await tx
          .delete(integrations)
          .where(and(eq(integrations.provider, PROVIDER), eq(integrations.userId, userId)))
          .returning({ id: integrations.id })
        await endConnectSessions(tx, userId)
        await endBrowserSessions(tx, userId)
        // Also where there was no row: an import under way may still bring this user, and finds by this event that they left (import.ts).
        await appendEvent(tx, { userId, type: 'disconnected', caller })
        return rows.length > 0
      })
    },

    async list({ after, limit }) {
      const rows = await database.run((db) =>
        db
          .select()
          .from(integrations)
          .where(
            and(eq(integrations.provider, PROVIDER), after === undefined ? undefined : gt(integrations.userId, after)),
          )
          .orderBy(integrations.userId)
          .limit(limit),
      )
      return rows.map(toSummary)
    },
  }
}
