import { and, eq, gt, inArray, notInArray, sql } from './drizzle.ts'
import type { BrowserSessionStore } from '../core/ports.ts'
import { readSessionData, type OnMalformed } from '../core/stored.ts'
import type { Database, Drizzle, Transaction } from './client.ts'
import { endConnectSessions } from './connect-sessions.ts'
import { browserSessions, connectSessions } from './schema.ts'

/** Ends one user's browser sessions: after a disconnect, or a logout from MEGDocs. */
export async function endBrowserSessions(db: Drizzle | Transaction, userId: string): Promise<void> {
  await db.delete(browserSessions).where(eq(browserSessions.userId, userId))
}

/**
 * A completed connect ends the user's browser sessions (docs/security.md#browser-sessions). A session with another
 * attempt at Microsoft only loses its access to the account page, so that two tabs do not disturb each other.
 */
export async function endBrowserSessionsButPending(tx: Transaction, userId: string): Promise<void> {
  const pending = tx
    .select({ id: connectSessions.browserSession })
    .from(connectSessions)
    .where(
      and(
        eq(connectSessions.userId, userId),
        eq(connectSessions.status, 'authorizing'),
        gt(connectSessions.expiresAt, sql`clock_timestamp()`),
        sql`${connectSessions.browserSession} is not null`,
      ),
    )
  await tx
    .delete(browserSessions)
    .where(and(eq(browserSessions.userId, userId), notInArray(browserSessions.idHash, pending)))
  await tx
    .update(browserSessions)
    .set({ data: sql`${browserSessions.data} - 'manages'` })
    .where(and(eq(browserSessions.userId, userId), inArray(browserSessions.idHash, pending)))
}

const columns = (userId: string | undefined, ttlSeconds: number) => ({
  userId: userId ?? null,
  expiresAt: sql`clock_timestamp() + make_interval(secs => ${ttlSeconds})`,
})

/** The rows behind @fastify/session. */
export function createBrowserSessionStore(database: Database, onMalformed?: OnMalformed): BrowserSessionStore {
  return {
    async get(idHash) {
      const [row] = await database.run((db) =>
        db
          .select({ data: browserSessions.data })
          .from(browserSessions)
          .where(and(eq(browserSessions.idHash, idHash), gt(browserSessions.expiresAt, sql`clock_timestamp()`))),
      )
      return row === undefined ? undefined : readSessionData(row.data, onMalformed)
    },

    async create(idHash, data, userId, ttlSeconds) {
      const values = columns(userId, ttlSeconds)
      // @fastify/session saves a new session twice if it was regenerated.
      await database.run((db) =>
        db
          .insert(browserSessions)
          .values({ idHash, data, ...values })
          .onConflictDoUpdate({
            target: browserSessions.idHash,
            set: { ...values, data: sql`${browserSessions.data} || excluded.data` },
          }),
      )
    },

    async update(idHash, data, userId, ttlSeconds) {
      // Merged, not replaced: if two requests read the same session, the later save would lose what the earlier one
      // added (measured).
      await database.run((db) =>
        db
          .update(browserSessions)
          .set({ ...columns(userId, ttlSeconds), data: sql`${browserSessions.data} || ${JSON.stringify(data)}::jsonb` })
          .where(eq(browserSessions.idHash, idHash)),
      )
    },

    async destroy(idHash) {
      // Keep anonymous sessions: they hold nothing, and a second tab may still use this cookie. A new cookie for that
      // tab would replace the cookie of the first one.
      await database.run((db) =>
        db
          .delete(browserSessions)
          .where(and(eq(browserSessions.idHash, idHash), sql`${browserSessions.userId} is not null`)),
      )
    },

    async endAllOf(userId) {
      await database.transaction(async (tx) => {
        await endConnectSessions(tx, userId)
        await endBrowserSessions(tx, userId)
      })
    },
  }
}
