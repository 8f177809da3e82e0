import type { StoredFailure } from '../core/integration.ts'
import type { ConnectIntent, ConnectOutcome, ConnectSessionStatus } from '../core/ports.ts'
import type { Database } from './client.ts'
import { and, desc, eq, sql, type Column } from './drizzle.ts'
import { INACTIVITY_DAYS } from './keep-alive.ts'
import { iso } from './instants.ts'
import { connectSessions, events, integrations, type EventDetail } from './schema.ts'

// One user, as doctor looks at them. Reads only.

const PROVIDER = 'microsoft'
const secondsUntil = (column: Column) => sql<number | null>`extract(epoch from ${column} - clock_timestamp())::float8`

export interface UserDiagnostics {
  id: string
  status: 'active' | 'reconnect_required'
  generation: number
  tenantId: string | null
  objectId: string | null
  username: string | null
  scopes: string[]
  /** ISO 8601, all of them. */
  connectedAt: string
  refreshedAt: string
  lastUsedAt: string
  expiresAt: string
  retryAt: string | null
  /** Seconds by Postgres' clock; negative when it is over. */
  remaining: number
  retryInSeconds: number | null
  leaseInSeconds: number | null
  /** Seconds until Microsoft lets the refresh token die, unless it is used. */
  diesIn: number
  failure: StoredFailure | null
  failures: number
  /** As they lie in the row. */
  accessToken: Uint8Array
  refreshToken: Uint8Array
}

/** Undefined: not connected. */
export async function userDiagnostics(database: Database, userId: string): Promise<UserDiagnostics | undefined> {
  const {
    id,
    status,
    generation,
    tenantId,
    objectId,
    username,
    scopes,
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
        status,
        generation,
        tenantId,
        objectId,
        username,
        scopes,
        connectedAt,
        refreshedAt,
        lastUsedAt,
        failure,
        failures,
        retryAt,
        expiresAt: integrations.accessTokenExpiresAt,
        remaining: secondsUntil(integrations.accessTokenExpiresAt),
        retryInSeconds: secondsUntil(retryAt),
        leaseInSeconds: secondsUntil(integrations.leaseUntil),
        diesIn: sql<number>`extract(epoch from ${refreshedAt} + make_interval(days => ${INACTIVITY_DAYS}) - clock_timestamp())::float8`,
        accessToken: integrations.accessToken,
        refreshToken: integrations.refreshToken,
      })
      .from(integrations)
      .where(and(eq(integrations.provider, PROVIDER), eq(integrations.userId, userId))),
  )
  if (row === undefined) return undefined
  return {
    ...row,
    connectedAt: iso(row.connectedAt),
    refreshedAt: iso(row.refreshedAt),
    lastUsedAt: iso(row.lastUsedAt),
    expiresAt: iso(row.expiresAt),
    retryAt: row.retryAt === null ? null : iso(row.retryAt),
    remaining: row.remaining ?? 0,
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
        createdAt,
        expiresAt,
        expired: sql<boolean>`${expiresAt} <= clock_timestamp()`,
      })
      .from(connectSessions)
      .where(eq(connectSessions.userId, userId))
      .orderBy(desc(createdAt))
      .limit(limit),
  )
  return rows.map((row) => ({ ...row, createdAt: iso(row.createdAt), expiresAt: iso(row.expiresAt) }))
}

export interface EventDiagnostics {
  /** ISO 8601. */
  at: string
  type: (typeof events.$inferSelect)['type']
  caller: string
  detail: EventDetail
}

/** The user's events, newest first; they are kept for 90 days. */
export async function lastEvents(database: Database, userId: string, limit: number): Promise<EventDiagnostics[]> {
  const { at, type, caller, detail } = events
  const rows = await database.run((db) =>
    db
      .select({ at, type, caller, detail })
      .from(events)
      .where(eq(events.userId, userId))
      .orderBy(desc(events.id))
      .limit(limit),
  )
  return rows.map((row) => ({ ...row, at: iso(row.at) }))
}
