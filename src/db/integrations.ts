import { randomUUID } from 'node:crypto'
import { and, eq, gt, sql, type SQL } from './drizzle.ts'
import { MAX_FORCED_REFRESHES } from '../core/claims.ts'
import { judgeConnect } from '../core/connect-decision.ts'
import { Failure } from '../core/failure.ts'
import type { FrozenPerson } from '../core/freeze.ts'
import type { Integration, IntegrationStatus, IntegrationSummary } from '../core/integration.ts'
import type { Claim, IntegrationStore, Vault } from '../core/ports.ts'
import { judgeFailure, judgeTokens } from '../core/refresh-decision.ts'
import { readFailure, readKeptChallenge, type OnMalformed } from '../core/stored.ts'
import { endBrowserSessions, endBrowserSessionsButPending } from './browser-sessions.ts'
import type { Database, Parameter, Transaction } from './client.ts'
import { endCompleting, endConnectSessions } from './connect-sessions.ts'
import { appendEvent } from './events.ts'
import { frozenAmong } from './freezes.ts'
import { batched, batchedByUser } from './fast-path/batch.ts'
import { epochOf, isoOfEpoch } from './instants.ts'
import {
  accountOf,
  dueInSeconds,
  inSeconds,
  lockUser,
  PROVIDER,
  scopesColumn,
  scopesOf,
  sealContext,
  sealedTokens,
  secondsLeft,
  toAccount,
  toFreezeState,
  toIntegration,
  tokenColumns,
} from './integration-rows.ts'
import {
  CLAIM,
  CLAIM_FORCED,
  FORCED,
  FROZEN_PERSON,
  INTEGRATION,
  KEPT_CHALLENGE,
  PROGRESS,
  READ_FREEZE,
  SAVE,
  SAVE_ONE,
  statusOf,
  type ClaimColumns,
  type ForcedColumns,
  type FreezeColumns,
  type IntegrationColumns,
  type ProgressColumns,
  type SavedColumns,
} from './fast-path/statements.ts'
import { events, integrations } from './schema.ts'
import { createTokenReads } from './fast-path/token-reads.ts'

/** Whether the user has connected since, or the disconnect of that time has its event. */
async function hasChangedSince(tx: Transaction, userId: string, before: SQL): Promise<boolean> {
  const [found] = await tx.execute(sql`select from ${integrations}
    where ${integrations.provider} = ${PROVIDER} and ${integrations.userId} = ${userId}
    union all select from ${events}
    where ${events.userId} = ${userId} and ${events.type} = 'disconnected' and ${events.at} >= ${before}`)
  return found !== undefined
}

/**
 * Rolls back a connect whose session was ended meanwhile. A Failure, so that it passes the translation of driver
 * errors.
 */
class Ended extends Failure {
  constructor() {
    super('connect_session_expired')
  }
}
async function endedIsNothing<T>(work: Promise<T>): Promise<T | 'ended'> {
  try {
    return await work
  } catch (error) {
    if (error instanceof Ended) return 'ended'
    throw error
  }
}

/** As times are written in JSON. */
const NOW = sql`to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')`

const SUMMARY = {
  id: integrations.id,
  userId: integrations.userId,
  status: sql<IntegrationStatus>`${sql.raw(statusOf())}`,
  generation: integrations.generation,
  scopes: scopesColumn,
  tenantId: integrations.tenantId,
  objectId: integrations.objectId,
  username: integrations.username,
  displayName: integrations.displayName,
  loginHint: integrations.loginHint,
  connectedAt: epochOf(integrations.connectedAt),
  refreshedAt: epochOf(integrations.refreshedAt),
  accessTokenExpiresAt: epochOf(integrations.accessTokenExpiresAt),
  failure: integrations.failure,
  challenge: sql<unknown>`${sql.raw(KEPT_CHALLENGE)}`,
  frozen: sql<FrozenPerson | null>`${sql.raw(FROZEN_PERSON)}`,
}
type SummaryRow = Omit<
  Pick<typeof integrations.$inferSelect, Exclude<keyof typeof SUMMARY, 'frozen'>>,
  `${string}At` | 'status' | 'scopes'
> & {
  frozen: FrozenPerson | null
  scopes: string
  status: IntegrationStatus
  connectedAt: number
  refreshedAt: number
  accessTokenExpiresAt: number
}

/** `onMalformed` is called for stored JSON whose form no release writes. */
export function createIntegrationStore(database: Database, vault: Vault, onMalformed?: OnMalformed): IntegrationStore {
  function toSummary(row: SummaryRow): IntegrationSummary {
    const account = toAccount(row)
    const failure = readFailure(row.failure, row.status, onMalformed)
    const challenge = readKeptChallenge(row.challenge, onMalformed)
    return {
      id: row.id,
      userId: row.userId,
      status: row.status,
      generation: row.generation,
      scopes: scopesOf(row),
      ...(account === undefined ? {} : { account }),
      ...(row.loginHint === null ? {} : { loginHint: row.loginHint }),
      connectedAt: isoOfEpoch(row.connectedAt),
      refreshedAt: isoOfEpoch(row.refreshedAt),
      accessTokenExpiresAt: isoOfEpoch(row.accessTokenExpiresAt),
      ...(failure === undefined ? {} : { failure }),
      ...(challenge === undefined ? {} : { challenge: challenge.claims }),
      ...(row.frozen === null ? {} : { frozen: row.frozen }),
    }
  }

  /** `more`: further columns to set. */
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

  async function toClaim(integration: Integration, owner: string, row: ClaimColumns): Promise<Claim> {
    const account = accountOf(row)
    let refreshToken: string
    try {
      refreshToken = vault.open(sealContext(integration, 'refresh_token'), row.refresh_token)
    } catch (error) {
      // Nothing can be sent, so nobody must wait for this lease. The row itself stays as it is
      // (docs/design.md#sealing).
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
  }

  const freezeStates = batchedByUser<FreezeColumns & { user_id: string }>(database, READ_FREEZE)
  type ClaimParameters = readonly [
    id: string,
    generation: number,
    status: string,
    owner: string,
    leaseSeconds: number,
    used: boolean,
  ]
  const claims = batched<ClaimParameters, ClaimColumns>({
    database,
    via: 'query',
    statement: CLAIM,
    parameters: (claim) => claim,
    keyOf: ([, , , owner]) => owner,
    keyOfRow: ({ owner }) => owner,
  })
  type SaveParameters = readonly [id: string, generation: number, ...Parameter[]]
  const saves = batched<SaveParameters, SavedColumns>({
    database,
    via: 'query',
    statement: SAVE,
    parameters: (set) => set,
    keyOf: ([id, generation]) => `${id}/${generation}`,
    keyOfRow: ({ id, generation_before: generation }) => `${id}/${generation}`,
  })

  return {
    read: createTokenReads(database, vault, onMalformed),

    async freezeState(userId, deadlineAt) {
      const row = await freezeStates(userId, deadlineAt)
      return row === undefined ? undefined : toFreezeState(row)
    },

    async summary(userId) {
      const [row] = await database.run((db) =>
        db
          .select(SUMMARY)
          .from(integrations)
          .where(and(eq(integrations.provider, PROVIDER), eq(integrations.userId, userId))),
      )
      return row === undefined ? undefined : toSummary(row)
    },

    async claim(integration, owner, leaseSeconds, used) {
      const { id, generation, status } = integration
      const row = await claims([id, generation, status, owner, leaseSeconds, used])
      return row === undefined ? undefined : toClaim(integration, owner, row)
    },

    async claimForced(integration, owner, leaseSeconds, { ignoreBackOff }) {
      const { id, generation, status } = integration
      const claim = [id, generation, status, owner, leaseSeconds, ignoreBackOff] as const
      const [row] = await database.query<ClaimColumns>(CLAIM_FORCED, claim)
      if (row !== undefined) return toClaim(integration, owner, row)
      const [forced] = await database.query<ForcedColumns>(FORCED, [id, generation])
      // The last one that was allowed may still be running: its tokens may be the answer.
      if (forced === undefined || forced.leased || forced.count < MAX_FORCED_REFRESHES) return undefined
      const kept = readKeptChallenge(forced.challenge, onMalformed)
      return {
        limited: Math.max(1, Math.ceil(forced.next_in ?? 1)),
        ...(kept === undefined ? {} : { refused: kept.reason }),
      }
    },

    async saveTokens(integration, tokens) {
      // In the ordinary case in one statement with others. A row that is marked (perhaps since it was read) also gets
      // an event, in a transaction.
      const { id, generation } = integration
      const sealed = sealedTokens(integration, tokens, vault)
      const { accessToken, refreshToken = null } = sealed
      const { tenantId = null, objectId = null, username = null, displayName = null } = tokens.account ?? {}
      // As base64: the driver would write two hexadecimal digits for each byte.
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
        tokens.loginHint ?? null,
        dueInSeconds(tokens) ?? null,
        tokens.claimsHash ?? null,
      ] as const
      const saved = (await saves(columns)) ?? (await database.query<SavedColumns>(SAVE_ONE, columns))[0]
      if (saved !== undefined)
        return { integration: toIntegration(saved, tokens.accessToken, onMalformed), recovered: false }
      return database.transaction(async (tx) => {
        const here = and(eq(integrations.id, id), eq(integrations.generation, generation))
        const [was] = await tx.select({ status: SUMMARY.status }).from(integrations).where(here).for('update')
        if (was === undefined) return undefined
        await tx.update(integrations).set(tokenColumns(sealed, tokens)).where(here)
        const [row] = await tx.execute<IntegrationColumns>(
          sql`select ${sql.raw(INTEGRATION)} from ${integrations} where id = ${id}`,
        )
        if (row === undefined) return undefined
        const fresh = toIntegration(row, tokens.accessToken, onMalformed)
        const { recovered, event } = judgeTokens(was.status, fresh.generation)
        if (event !== undefined) await appendEvent(tx, { userId: integration.userId, caller: 'broker', ...event })
        return { integration: fresh, recovered }
      })
    },

    async saveFailure(integration, owner, failure, retryInSeconds) {
      const stored = integrations.failure
      // The claim has compared the status, and the lease keeps others from changing it.
      const { status, event } = judgeFailure(integration.status, failure)
      return database.transaction(async (tx) => {
        const rows = await tx
          .update(integrations)
          .set({
            // `at` stays the time of a refusal that already stands. `since` is the time of the first failure in a row
            // with this reason.
            failure: sql`jsonb_build_object('at', ${NOW}) || ${JSON.stringify(failure)}::jsonb
              || jsonb_build_object('since', coalesce(case when ${stored}->>'reason' = ${failure.reason}
                then coalesce(${stored}->>'since', ${stored}->>'at') end, ${NOW}))`,
            failures: sql`${integrations.failures} + 1`,
            retryAt: retryInSeconds === undefined ? null : inSeconds(retryInSeconds),
            leaseOwner: null,
            leaseUntil: null,
            ...(event === undefined ? {} : { status }),
          })
          .where(
            and(
              eq(integrations.id, integration.id),
              eq(integrations.generation, integration.generation),
              eq(integrations.leaseOwner, owner),
            ),
          )
          .returning({ id: integrations.id })
        if (rows.length > 0 && event !== undefined)
          await appendEvent(tx, { userId: integration.userId, caller: 'broker', ...event })
        return rows.length > 0
      })
    },

    async keepChallenge({ id, generation }, owner, challenge) {
      const rows = await database.run((db) =>
        db
          .update(integrations)
          .set({ challenge, challengedAt: sql`clock_timestamp()`, leaseOwner: null, leaseUntil: null })
          .where(
            and(eq(integrations.id, id), eq(integrations.generation, generation), eq(integrations.leaseOwner, owner)),
          )
          .returning({ id: integrations.id }),
      )
      return rows.length > 0
    },

    releaseLease: (integration, owner, retryInSeconds) =>
      endLease(integration, owner, {
        retryAt: inSeconds(retryInSeconds),
        failure: sql`case when ${sql.raw(statusOf())} = 'reconnect_required' then ${integrations.failure} end`,
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
        ...(row.retry_in === null ? {} : { retryInSeconds: row.retry_in }),
        ...(row.lease_in === null ? {} : { leaseInSeconds: row.lease_in }),
      }
    },

    async connect({ session, tokens }) {
      const { userId, caller } = session
      return endedIsNothing(
        database.transaction(async (tx) => {
          await lockUser(tx, userId)
          const { id: storedId, tenantId, objectId, username, displayName } = integrations
          const [stored] = await tx
            .select({ id: storedId, tenantId, objectId, username, displayName })
            .from(integrations)
            .where(and(eq(integrations.provider, PROVIDER), eq(integrations.userId, userId)))
            .for('update')
          const pinned = stored === undefined ? undefined : toAccount(stored)
          const decision = judgeConnect(
            stored === undefined ? undefined : pinned === undefined ? {} : { account: pinned },
            session,
            tokens,
            (await frozenAmong(tx, [{ userId, tenantId: tokens.account.tenantId }])).get(userId),
          )
          const ended = await endCompleting(tx, session.id, decision.outcome)
          if (ended === undefined) throw new Ended()
          if (decision.kind === 'refuse') return { ...ended, outcome: decision.outcome }
          // The id is part of what seals the values, so it is known before sealing.
          const id = decision.keepsRow && stored !== undefined ? stored.id : randomUUID()
          const columns = {
            ...tokenColumns(sealedTokens({ id, userId }, tokens, vault), tokens),
            ...decision.account,
            clientId: tokens.clientId,
            loginHint: tokens.loginHint ?? null,
            imported: false,
            // The user has signed in with what was asked for.
            challenge: null,
            challengedAt: null,
            forcedAt: null,
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
                    connectedAt: sql`clock_timestamp()`,
                  })
                  .returning({ generation: integrations.generation })
              : await tx
                  .update(integrations)
                  .set({ ...columns, id, connectedAt: sql`clock_timestamp()`, lastUsedAt: sql`clock_timestamp()` })
                  .where(eq(integrations.id, stored.id))
                  .returning({ generation: integrations.generation })
          await endBrowserSessionsButPending(tx, userId)
          await appendEvent(tx, { userId, type: decision.event, caller, detail: { generation: row!.generation } })
          return { ...ended, outcome: decision.outcome }
        }),
      )
    },

    async disconnect(userId, caller, connectedBefore) {
      return database.transaction(async (tx) => {
        await lockUser(tx, userId)
        const before = connectedBefore === undefined ? undefined : sql`${connectedBefore}::timestamptz`
        const rows = await tx
          .delete(integrations)
          .where(
            and(
              eq(integrations.provider, PROVIDER),
              eq(integrations.userId, userId),
              before && sql`${integrations.connectedAt} < ${before}`,
            ),
          )
          .returning({ id: integrations.id })
        await endConnectSessions(tx, userId, before)
        if (before === undefined) await endBrowserSessions(tx, userId)
        else if (rows.length === 0 && (await hasChangedSince(tx, userId, before))) return false
        // Also if there was no row: a running import may still bring this user, and finds by this event that they left
        // (import.ts).
        await appendEvent(tx, { userId, type: 'disconnected', caller })
        return rows.length > 0
      })
    },

    async list({ after, limit }) {
      const rows = await database.run((db) =>
        db
          .select(SUMMARY)
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
