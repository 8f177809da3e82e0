import { randomUUID } from 'node:crypto'
import { and, desc, eq, gt, inArray, or, sql } from './drizzle.ts'
import type { ConnectOutcome, ConnectSession, ConnectSessionStore, SealContext, Vault } from '../core/ports.ts'
import type { Database, Drizzle, Transaction } from './client.ts'
import { iso } from './instants.ts'
import { connectSessions } from './schema.ts'

/** Seconds a finished attempt's outcome can still be shown on the result page. */
const RESULT_TTL = 600
/** Seconds a completion may take: more than its exchanges can. */
const COMPLETING_TTL = 60

const inSeconds = (seconds: number) => sql<string>`clock_timestamp() + make_interval(secs => ${seconds})`
const notExpired = gt(connectSessions.expiresAt, sql`clock_timestamp()`)

const columns = {
  id: connectSessions.id,
  caller: connectSessions.caller,
  userId: connectSessions.userId,
  intent: connectSessions.intent,
  allowSwitch: connectSessions.allowSwitch,
  status: connectSessions.status,
  outcome: connectSessions.outcome,
  browserSession: connectSessions.browserSession,
  createdAt: connectSessions.createdAt,
  expiresAt: connectSessions.expiresAt,
  expired: sql<boolean>`${connectSessions.expiresAt} <= clock_timestamp()`,
}
type Row = {
  [K in keyof typeof columns]: K extends 'expired'
    ? boolean
    : (typeof connectSessions.$inferSelect)[K & keyof typeof connectSessions.$inferSelect]
}

function toConnectSession(row: Row): ConnectSession {
  const { outcome, browserSession, createdAt, expiresAt, ...rest } = row
  return {
    ...rest,
    createdAt: iso(createdAt),
    expiresAt: iso(expiresAt),
    ...(outcome === null ? {} : { outcome }),
    ...(browserSession === null ? {} : { browserSession }),
  }
}

const first = (rows: Row[]): ConnectSession | undefined =>
  rows[0] === undefined ? undefined : toConnectSession(rows[0])

function sealContext(row: { id: string; userId: string }, column: 'pkce_verifier' | 'code'): SealContext {
  return { table: 'connect_session', column, provider: 'microsoft', userId: row.userId, recordId: row.id }
}

/** Attempts that are not over end as expired; what they held is forgotten (disconnect). */
export async function endConnectSessions(db: Drizzle | Transaction, userId: string): Promise<void> {
  await db
    .update(connectSessions)
    .set({ status: 'expired', code: null, pkceVerifier: null, expiresAt: sql`clock_timestamp()` })
    .where(
      and(
        eq(connectSessions.userId, userId),
        inArray(connectSessions.status, ['created', 'opened', 'authorizing', 'received', 'completing']),
      ),
    )
}

/** completing → connected or refused, once; code and verifier are forgotten. No row: it was ended meanwhile. */
export function endCompleting(db: Drizzle | Transaction, id: string, outcome: ConnectOutcome) {
  return db
    .update(connectSessions)
    .set({
      status: outcome.result === 'refused' ? 'refused' : 'connected',
      outcome,
      code: null,
      pkceVerifier: null,
      expiresAt: inSeconds(RESULT_TTL),
    })
    .where(and(eq(connectSessions.id, id), eq(connectSessions.status, 'completing')))
    .returning(columns)
}

export function createConnectSessionStore(database: Database, vault: Vault): ConnectSessionStore {
  return {
    async create({ ticketHash, caller, userId, intent, allowSwitch, ttlSeconds }) {
      const rows = await database.run((db) =>
        db
          .insert(connectSessions)
          .values({
            id: randomUUID(),
            ticketHash,
            caller,
            userId,
            intent,
            allowSwitch,
            status: 'created',
            expiresAt: inSeconds(ttlSeconds),
          })
          .returning(columns),
      )
      const session = first(rows)
      if (session === undefined) throw new TypeError('an insert returned no row')
      return session
    },

    async find(id) {
      return first(
        await database.run((db) => db.select(columns).from(connectSessions).where(eq(connectSessions.id, id))),
      )
    },

    async findByTicket(ticketHash) {
      return first(
        await database.run((db) =>
          db.select(columns).from(connectSessions).where(eq(connectSessions.ticketHash, ticketHash)),
        ),
      )
    },

    async findByState(stateHash) {
      return first(
        await database.run((db) =>
          db.select(columns).from(connectSessions).where(eq(connectSessions.stateHash, stateHash)),
        ),
      )
    },

    async pendingSince(userId) {
      const [row] = await database.run((db) =>
        db
          .select({ createdAt: connectSessions.createdAt })
          .from(connectSessions)
          .where(
            and(
              eq(connectSessions.userId, userId),
              inArray(connectSessions.status, ['authorizing', 'received']),
              notExpired,
            ),
          )
          .orderBy(desc(connectSessions.createdAt))
          .limit(1),
      )
      return row === undefined ? undefined : iso(row.createdAt)
    },

    async authorize({ ticketHash, browserSession, stateHash, nonce, codeVerifier, ttlSeconds }) {
      // The verifier is sealed for its row, so the row's id is read first; the UPDATE alone decides who spends the ticket.
      const known = await database.run((db) =>
        db
          .select({ id: connectSessions.id, userId: connectSessions.userId })
          .from(connectSessions)
          .where(eq(connectSessions.ticketHash, ticketHash)),
      )
      const row = known[0]
      if (row === undefined) return undefined
      return first(
        await database.run((db) =>
          db
            .update(connectSessions)
            .set({
              status: 'authorizing',
              browserSession,
              stateHash,
              nonce,
              pkceVerifier: vault.seal(sealContext(row, 'pkce_verifier'), codeVerifier),
              expiresAt: inSeconds(ttlSeconds),
            })
            .where(
              and(
                eq(connectSessions.ticketHash, ticketHash),
                eq(connectSessions.intent, 'connect'),
                notExpired,
                or(
                  eq(connectSessions.status, 'created'),
                  and(eq(connectSessions.status, 'authorizing'), eq(connectSessions.browserSession, browserSession)),
                ),
              ),
            )
            .returning(columns),
        ),
      )
    },

    async open({ ticketHash, browserSession, ttlSeconds }) {
      return first(
        await database.run((db) =>
          db
            .update(connectSessions)
            .set({ status: 'opened', browserSession, expiresAt: inSeconds(ttlSeconds) })
            .where(
              and(
                eq(connectSessions.ticketHash, ticketHash),
                eq(connectSessions.intent, 'manage'),
                notExpired,
                or(
                  eq(connectSessions.status, 'created'),
                  and(eq(connectSessions.status, 'opened'), eq(connectSessions.browserSession, browserSession)),
                ),
              ),
            )
            .returning(columns),
        ),
      )
    },

    async receiveCode({ stateHash, browserSession, code, ttlSeconds }) {
      const known = await database.run((db) =>
        db
          .select({ id: connectSessions.id, userId: connectSessions.userId })
          .from(connectSessions)
          .where(eq(connectSessions.stateHash, stateHash)),
      )
      const row = known[0]
      if (row === undefined) return undefined
      return first(
        await database.run((db) =>
          db
            .update(connectSessions)
            .set({
              status: 'received',
              code: vault.seal(sealContext(row, 'code'), code),
              expiresAt: inSeconds(ttlSeconds),
            })
            .where(
              and(
                eq(connectSessions.stateHash, stateHash),
                eq(connectSessions.browserSession, browserSession),
                eq(connectSessions.status, 'authorizing'),
                notExpired,
              ),
            )
            .returning(columns),
        ),
      )
    },

    async receiveRefusal({ stateHash, browserSession, outcome }) {
      return first(
        await database.run((db) =>
          db
            .update(connectSessions)
            .set({ status: 'refused', outcome, pkceVerifier: null, expiresAt: inSeconds(RESULT_TTL) })
            .where(
              and(
                eq(connectSessions.stateHash, stateHash),
                eq(connectSessions.browserSession, browserSession),
                eq(connectSessions.status, 'authorizing'),
                notExpired,
              ),
            )
            .returning(columns),
        ),
      )
    },

    async beginCompletion(id) {
      const rows = await database.run((db) =>
        db
          .update(connectSessions)
          .set({ status: 'completing', expiresAt: inSeconds(COMPLETING_TTL) })
          .where(and(eq(connectSessions.id, id), eq(connectSessions.status, 'received'), notExpired))
          .returning({
            ...columns,
            code: connectSessions.code,
            pkceVerifier: connectSessions.pkceVerifier,
            nonce: connectSessions.nonce,
          }),
      )
      const row = rows[0]
      if (row === undefined) return undefined
      const { code, pkceVerifier, nonce, ...rest } = row
      if (code === null || pkceVerifier === null || nonce === null)
        throw new TypeError('a received connect session lacks its code')
      return {
        session: toConnectSession(rest),
        reveal: () => ({
          code: vault.open(sealContext(row, 'code'), code),
          codeVerifier: vault.open(sealContext(row, 'pkce_verifier'), pkceVerifier),
          nonce,
        }),
      }
    },

    async refuse(id, outcome) {
      return first(await database.run((db) => endCompleting(db, id, outcome)))
    },
  }
}
