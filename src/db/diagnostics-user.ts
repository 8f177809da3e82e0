import { CHALLENGE_KEPT_SECONDS, type KeptChallenge } from '../core/claims.ts'
import type { EventDetail } from '../core/events.ts'
import type { IntegrationStatus, StoredFailure } from '../core/integration.ts'
import type { ConnectIntent, ConnectOutcome, ConnectSessionStatus } from '../core/ports.ts'
import {
  readEventDetail,
  readEventType,
  readFailure,
  readIntent,
  readKeptChallenge,
  readOutcome,
  readSessionStatus,
} from '../core/stored.ts'
import type { Database } from './client.ts'
import { and, desc, eq, sql, type Column } from './drizzle.ts'
import { INACTIVITY_DAYS } from './keep-alive.ts'
import { epochOf, epochOrNull, isoOfEpoch } from './instants.ts'
import { scopesColumn, scopesOf } from './integration-rows.ts'
import { CLIENT_ID, KEPT_CHALLENGE, statusOf } from './fast-path/statements.ts'
import { connectSessions, events, integrations } from './schema.ts'

// What doctor reports about one user. Reads only.

const PROVIDER = 'microsoft'
const secondsUntil = (column: Column) => sql<number | null>`extract(epoch from ${column} - clock_timestamp())`

export interface UserDiagnostics {
  id: string
  status: IntegrationStatus
  generation: number
  tenantId: string | null
  objectId: string | null
  username: string | null
  scopes: string[]
  clientId: string | null
  /** ISO 8601, all of them. */
  connectedAt: string
  refreshedAt: string
  lastUsedAt: string
  expiresAt: string
  retryAt: string | null
  /** Seconds that the access token still lives, by Postgres' clock; negative if it has expired. */
  remaining: number
  retryInSeconds: number | null
  leaseInSeconds: number | null
  /** Seconds until Microsoft invalidates the refresh token, unless it is used. */
  diesIn: number
  failure: StoredFailure | null
  failures: number
  /** A claims challenge of Graph that the next connect answers. `keptSeconds`: until it no longer counts. */
  challenge: (KeptChallenge & { keptSeconds: number }) | null
  /** Sealed. */
  accessToken: Uint8Array
  refreshToken: Uint8Array
}

/** Undefined: not connected. */
export async function userDiagnostics(database: Database, userId: string): Promise<UserDiagnostics | undefined> {
  const {
    id,
    generation,
    tenantId,
    objectId,
    username,
    connectedAt,
    refreshedAt,
    lastUsedAt,
    failure,
    failures,
    retryAt,
  } = integrations
  const [row] = await database.run((db) =>
    db
      .select({
        id,
        status: sql<IntegrationStatus>`${sql.raw(statusOf())}`,
        generation,
        tenantId,
        objectId,
        username,
        scopes: scopesColumn,
        clientId: sql<string | null>`${sql.raw(CLIENT_ID)}`,
        connectedAt: epochOf(connectedAt),
        refreshedAt: epochOf(refreshedAt),
        lastUsedAt: epochOf(lastUsedAt),
        failure,
        failures,
        retryAt: epochOrNull(retryAt),
        expiresAt: epochOf(integrations.accessTokenExpiresAt),
        remaining: secondsUntil(integrations.accessTokenExpiresAt),
        retryInSeconds: secondsUntil(retryAt),
        leaseInSeconds: secondsUntil(integrations.leaseUntil),
        challenge: sql<unknown>`${sql.raw(KEPT_CHALLENGE)}`,
        challengeInSeconds: sql<
          number | null
        >`extract(epoch from ${integrations.challengedAt} - clock_timestamp()) + ${CHALLENGE_KEPT_SECONDS}::int`,
        diesIn: sql<number>`extract(epoch from ${refreshedAt} + make_interval(days => ${INACTIVITY_DAYS}) - clock_timestamp())`,
        accessToken: integrations.accessToken,
        refreshToken: integrations.refreshToken,
      })
      .from(integrations)
      .where(and(eq(integrations.provider, PROVIDER), eq(integrations.userId, userId))),
  )
  if (row === undefined) return undefined
  const kept = readKeptChallenge(row.challenge)
  return {
    ...row,
    challenge: kept === undefined ? null : { ...kept, keptSeconds: row.challengeInSeconds ?? 0 },
    scopes: scopesOf(row),
    connectedAt: isoOfEpoch(row.connectedAt),
    refreshedAt: isoOfEpoch(row.refreshedAt),
    lastUsedAt: isoOfEpoch(row.lastUsedAt),
    expiresAt: isoOfEpoch(row.expiresAt),
    retryAt: row.retryAt === null ? null : isoOfEpoch(row.retryAt),
    remaining: row.remaining ?? 0,
    failure: readFailure(row.failure, row.status) ?? null,
  }
}

export interface ConnectDiagnostics {
  id: string
  caller: string
  intent: ConnectIntent
  status: ConnectSessionStatus
  outcome: ConnectOutcome | null
  /** ISO 8601. */
  createdAt: string
  expiresAt: string
  /** Its present step has run out. */
  expired: boolean
}

/** The user's attempts to connect, newest first; they are kept for a day after they ended. */
export async function lastConnects(database: Database, userId: string, limit: number): Promise<ConnectDiagnostics[]> {
  const { id, caller, intent, status, outcome, createdAt, expiresAt } = connectSessions
  const rows = await database.run((db) =>
    db
      .select({
        id,
        caller,
        intent,
        status,
        outcome,
        createdAt: epochOf(createdAt),
        expiresAt: epochOf(expiresAt),
        expired: sql<boolean>`${expiresAt} <= clock_timestamp()`,
      })
      .from(connectSessions)
      .where(eq(connectSessions.userId, userId))
      .orderBy(desc(createdAt))
      .limit(limit),
  )
  return rows.map((row) => {
    const outcome = readOutcome(row.outcome, row.status)
    return {
      ...row,
      intent: readIntent(row.intent),
      status: readSessionStatus(row.status, { outcome, expired: row.expired }),
      outcome: outcome ?? null,
      createdAt: isoOfEpoch(row.createdAt),
      expiresAt: isoOfEpoch(row.expiresAt),
    }
  })
}

export interface EventDiagnostics {
  /** ISO 8601. */
  at: string
  /** As it is stored: a newer release may have written one that this release does not know. */
  type: string
  caller: string
  detail: EventDetail
}

/** The user's events, newest first; they are kept for 90 days. */
export async function lastEvents(database: Database, userId: string, limit: number): Promise<EventDiagnostics[]> {
  const { at, type, caller, detail } = events
  const rows = await database.run((db) =>
    db
      .select({ at: epochOf(at), type, caller, detail })
      .from(events)
      .where(eq(events.userId, userId))
      .orderBy(desc(events.id))
      .limit(limit),
  )
  return rows.map((row) => ({
    caller: row.caller,
    at: isoOfEpoch(row.at),
    type: readEventType(row.type),
    detail: readEventDetail(row.detail),
  }))
}
