import { and, eq, gt, inArray, notInArray, sql } from './drizzle.ts'
import type { BrowserSessionStore } from '../core/ports.ts'
import type { Database, Drizzle, Transaction } from './client.ts'
import { endConnectSessions } from './connect-sessions.ts'
import { browserSessions, connectSessions } from './schema.ts'

/** One user's browser sessions end: disconnect, or a logout of MEGDocs. */
export async function endBrowserSessions(db: Drizzle | Transaction, userId: string): Promise<void> {
  await db.delete(browserSessions).where(eq(browserSessions.userId, userId))
}

/**
 * A completed connect ends the user's browser sessions (design 2.1). One that still has an attempt at Microsoft only loses
 * its hold on the account page: two tabs do not disturb each other.
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
export function createBrowserSessionStore(database: Database): BrowserSessionStore {
  return {
    async get(idHash) {
      const [row] = await database.run((db) =>
        db
          .select({ data: browserSessions.data })
          .from(browserSessions)
          .where(and(eq(browserSessions.idHash, idHash), gt(browserSessions.expiresAt, sql`clock_timestamp()`))),
      )
      return row?.data
    },

    async create(idHash, data, userId, ttlSeconds) {
      const values = columns(userId, ttlSeconds)
      // @fastify/session saves a new one twice where it was regenerated.
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
      // Merged, not replaced: of two requests that read the same session, the later save would lose what the earlier one added (measured).
      await database.run((db) =>
        db
          .update(browserSessions)
          .set({ ...columns(userId, ttlSeconds), data: sql`${browserSessions.data} || ${JSON.stringify(data)}::jsonb` })
          .where(eq(browserSessions.idHash, idHash)),
      )
    },

    async destroy(idHash) {
      // One that knows no user holds nothing, and a second tab of the same browser may be on its way with it: without it, that tab
      // would be given a new cookie, which takes the first one's away.
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
