import { randomUUID } from 'node:crypto'
import { and, desc, eq, gt, inArray, or, sql, type SQL } from './drizzle.ts'
import { completionHandle, handleHash } from '../core/completion-handle.ts'
import type { ConnectOutcome, ConnectSession, ConnectSessionStore, SealContext, Vault } from '../core/ports.ts'
import { readIntent, readOutcome, readSessionStatus, type OnMalformed } from '../core/stored.ts'
import type { Database, Drizzle, Transaction } from './client.ts'
import { epochOf, isoOfEpoch } from './instants.ts'
import { connectSessions } from './schema.ts'

/** How long the result page can still show the outcome of an attempt that is over. */
const RESULT_TTL_SECONDS = 600
/** How long a completion may take: longer than its exchanges with Microsoft can. */
const COMPLETING_TTL_SECONDS = 60

const inSeconds = (seconds: number) => sql<string>`clock_timestamp() + make_interval(secs => ${seconds})`
const notExpired = gt(connectSessions.expiresAt, sql`clock_timestamp()`)

const columns = {
  id: connectSessions.id,
  caller: connectSessions.caller,
  userId: connectSessions.userId,
  intent: connectSessions.intent,
  allowSwitch: connectSessions.allowSwitch,
  locale: connectSessions.locale,
  timeZone: connectSessions.timeZone,
  status: connectSessions.status,
  outcome: connectSessions.outcome,
  browserSession: connectSessions.browserSession,
  handleHash: connectSessions.handleHash,
  createdAt: epochOf(connectSessions.createdAt),
  expiresAt: epochOf(connectSessions.expiresAt),
  expired: sql<boolean>`${connectSessions.expiresAt} <= clock_timestamp()`,
}
type Row = Omit<Pick<typeof connectSessions.$inferSelect, Exclude<keyof typeof columns, 'expired'>>, `${string}At`> & {
  createdAt: number
  expiresAt: number
  expired: boolean
}

function toConnectSession(row: Row, onMalformed?: OnMalformed): ConnectSession {
  const { id, caller, userId, allowSwitch, browserSession, createdAt, expiresAt, expired } = row
  const outcome = readOutcome(row.outcome, row.status, onMalformed)
  return {
    id,
    caller,
    userId,
    allowSwitch,
    expired,
    intent: readIntent(row.intent),
    status: readSessionStatus(row.status, { outcome, expired }),
    createdAt: isoOfEpoch(createdAt),
    expiresAt: isoOfEpoch(expiresAt),
    ...(outcome === undefined ? {} : { outcome }),
    ...(browserSession === null ? {} : { browserSession }),
    ...(row.handleHash === null ? {} : { handleHash: row.handleHash }),
    ...(row.locale === null ? {} : { locale: row.locale }),
    ...(row.timeZone === null ? {} : { timeZone: row.timeZone }),
  }
}

function sealContext(row: { id: string; userId: string }, column: 'pkce_verifier' | 'code'): SealContext {
  return { table: 'connect_session', column, provider: 'microsoft', userId: row.userId, recordId: row.id }
}

/** Ends the user's attempts that are not over as expired, and deletes what they held (disconnect). */
export async function endConnectSessions(db: Drizzle | Transaction, userId: string, begunBefore?: SQL): Promise<void> {
  await db
    .update(connectSessions)
    .set({ status: 'expired', code: null, pkceVerifier: null, expiresAt: sql`clock_timestamp()` })
    .where(
      and(
        eq(connectSessions.userId, userId),
        inArray(connectSessions.status, ['created', 'opened', 'authorizing', 'received', 'completing']),
        begunBefore && sql`${connectSessions.createdAt} < ${begunBefore}`,
      ),
    )
}

/** completing → connected or refused, once; deletes code and verifier. Undefined: the session was ended meanwhile. */
export const endCompleting = (
  db: Drizzle | Transaction,
  id: string,
  outcome: ConnectOutcome,
): Promise<ConnectSession | undefined> => end(db, id, outcome, eq(connectSessions.status, 'completing'))

async function end(
  db: Drizzle | Transaction,
  id: string,
  outcome: ConnectOutcome,
  from: SQL | undefined,
): Promise<ConnectSession | undefined> {
  const [row] = await db
    .update(connectSessions)
    .set({
      status: outcome.result === 'refused' ? 'refused' : 'connected',
      outcome,
      code: null,
      pkceVerifier: null,
      expiresAt: inSeconds(RESULT_TTL_SECONDS),
    })
    .where(and(eq(connectSessions.id, id), from))
    .returning(columns)
  return row === undefined ? undefined : toConnectSession(row)
}

/** At Microsoft, sent there from this browser session, and not too late. */
const isAwaited = (stateHash: Buffer, browserSession: Buffer) =>
  and(
    eq(connectSessions.stateHash, stateHash),
    eq(connectSessions.browserSession, browserSession),
    eq(connectSessions.status, 'authorizing'),
    notExpired,
  )

/** `onMalformed` is called for stored JSON whose form no release writes. */
export function createConnectSessionStore(
  database: Database,
  vault: Vault,
  onMalformed?: OnMalformed,
): ConnectSessionStore {
  const first = ([row]: Row[]): ConnectSession | undefined =>
    row === undefined ? undefined : toConnectSession(row, onMalformed)
  const handleOf = (row: { id: string; userId: string }, pkceVerifier: Buffer, code: string): string =>
    completionHandle({ codeVerifier: vault.open(sealContext(row, 'pkce_verifier'), pkceVerifier), id: row.id, code })

  return {
    async create({ ttlSeconds, ...input }) {
      const rows = await database.run((db) =>
        db
          .insert(connectSessions)
          .values({
            ...input,
            id: randomUUID(),
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

    async findByState(hash, code) {
      const [row] = await database.run((db) =>
        db
          .select({ ...columns, pkceVerifier: connectSessions.pkceVerifier })
          .from(connectSessions)
          .where(eq(connectSessions.stateHash, hash)),
      )
      if (row === undefined) return undefined
      const session = toConnectSession(row, onMalformed)
      if (code === undefined || row.pkceVerifier === null) return { session }
      return { session, handle: handleOf(row, row.pkceVerifier, code) }
    },

    async isAtMicrosoft(browserSession) {
      const rows = await database.run((db) =>
        db
          .select({ id: connectSessions.id })
          .from(connectSessions)
          .where(
            and(
              eq(connectSessions.browserSession, browserSession),
              eq(connectSessions.status, 'authorizing'),
              notExpired,
            ),
          )
          .limit(1),
      )
      return rows.length > 0
    },

    async pendingSince(userId) {
      const [row] = await database.run((db) =>
        db
          .select({ createdAt: epochOf(connectSessions.createdAt) })
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
      return row === undefined ? undefined : isoOfEpoch(row.createdAt)
    },

    async authorize({ session, browserSession, stateHash, nonce, codeVerifier, clientId, claims, ttlSeconds }) {
      return first(
        await database.run((db) =>
          db
            .update(connectSessions)
            .set({
              status: 'authorizing',
              browserSession,
              stateHash,
              nonce,
              clientId,
              claims: claims ?? null,
              pkceVerifier: vault.seal(sealContext(session, 'pkce_verifier'), codeVerifier),
              expiresAt: inSeconds(ttlSeconds),
            })
            .where(
              and(
                eq(connectSessions.id, session.id),
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

    async open({ id, browserSession, ttlSeconds }) {
      return first(
        await database.run((db) =>
          db
            .update(connectSessions)
            .set({ status: 'opened', browserSession, expiresAt: inSeconds(ttlSeconds) })
            .where(
              and(
                eq(connectSessions.id, id),
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

    async receiveCode({ stateHash, answerHash, browserSession, code, ttlSeconds }) {
      const [row] = await database.run((db) =>
        db
          .select({
            id: connectSessions.id,
            userId: connectSessions.userId,
            pkceVerifier: connectSessions.pkceVerifier,
          })
          .from(connectSessions)
          .where(isAwaited(stateHash, browserSession)),
      )
      if (row === undefined || row.pkceVerifier === null) return undefined
      const handle = handleOf(row, row.pkceVerifier, code)
      const session = first(
        await database.run((db) =>
          db
            .update(connectSessions)
            .set({
              status: 'received',
              stateHash: answerHash,
              handleHash: handleHash(handle),
              code: vault.seal(sealContext(row, 'code'), code),
              expiresAt: inSeconds(ttlSeconds),
            })
            .where(isAwaited(stateHash, browserSession))
            .returning(columns),
        ),
      )
      return session === undefined ? undefined : { session, handle }
    },

    async receiveRefusal({ stateHash, answerHash, browserSession, outcome }) {
      return first(
        await database.run((db) =>
          db
            .update(connectSessions)
            .set({
              status: 'refused',
              stateHash: answerHash,
              outcome,
              pkceVerifier: null,
              expiresAt: inSeconds(RESULT_TTL_SECONDS),
            })
            .where(isAwaited(stateHash, browserSession))
            .returning(columns),
        ),
      )
    },

    async beginCompletion(id) {
      const rows = await database.run((db) =>
        db
          .update(connectSessions)
          .set({ status: 'completing', expiresAt: inSeconds(COMPLETING_TTL_SECONDS) })
          .where(and(eq(connectSessions.id, id), eq(connectSessions.status, 'received'), notExpired))
          .returning({
            ...columns,
            code: connectSessions.code,
            pkceVerifier: connectSessions.pkceVerifier,
            nonce: connectSessions.nonce,
            clientId: connectSessions.clientId,
            claims: connectSessions.claims,
          }),
      )
      const row = rows[0]
      if (row === undefined) return undefined
      const { code, pkceVerifier, nonce, clientId, claims, ...rest } = row
      if (code === null || pkceVerifier === null || nonce === null)
        throw new TypeError('a received connect session lacks its code')
      return {
        session: toConnectSession(rest, onMalformed),
        reveal: () => ({
          code: vault.open(sealContext(row, 'code'), code),
          codeVerifier: vault.open(sealContext(row, 'pkce_verifier'), pkceVerifier),
          nonce,
          ...(clientId === null ? {} : { clientId }),
          ...(claims === null ? {} : { claims }),
        }),
      }
    },

    endReceived: (id, outcome) =>
      database.run((db) => end(db, id, outcome, and(eq(connectSessions.status, 'received'), notExpired))),

    async refuse(id, outcome) {
      return database.run((db) => endCompleting(db, id, outcome))
    },
  }
}
