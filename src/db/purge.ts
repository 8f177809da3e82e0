import { lt, sql } from 'drizzle-orm'
import type { Database } from './client.ts'
import { browserSessions, connectSessions, events, requestNonces } from './schema.ts'

/** How long things are kept after they ended: an attempt's outcome for a day, events for as long as a cursor may be old. */
const KEPT = { connectSessions: '1 day', events: '90 days' }

/** Deletes what is over (design 4). Any replica may run it at any time. Yields how many rows went. */
export async function purge(database: Database): Promise<number> {
  const gone = await database.run(async (db) => [
    ...await db.delete(requestNonces).where(lt(requestNonces.expiresAt, sql`clock_timestamp()`)).returning({ gone: sql`1` }),
    ...await db.delete(browserSessions).where(lt(browserSessions.expiresAt, sql`clock_timestamp()`)).returning({ gone: sql`1` }),
    ...await db.delete(connectSessions)
      .where(lt(connectSessions.expiresAt, sql`clock_timestamp() - ${KEPT.connectSessions}::interval`)).returning({ gone: sql`1` }),
    ...await db.delete(events).where(lt(events.at, sql`clock_timestamp() - ${KEPT.events}::interval`)).returning({ gone: sql`1` }),
  ])
  return gone.length
}
