import { sql } from './drizzle.ts'
import type { Database } from './client.ts'
import { browserSessions, connectSessions, events, requestNonces } from './schema.ts'

/** What goes, and how long it is kept after it ended: an attempt's outcome for a day, events for as long as a cursor may be old. */
const RETENTION = [
  { table: requestNonces, over: requestNonces.expiresAt, keptFor: '0 seconds' },
  { table: browserSessions, over: browserSessions.expiresAt, keptFor: '0 seconds' },
  { table: connectSessions, over: connectSessions.expiresAt, keptFor: '1 day' },
  { table: events, over: events.at, keptFor: '90 days' },
] as const

/** Rows per statement: each ends well within the deadline of a query, however much has piled up. */
const BATCH_ROWS = 5_000

/** Deletes what is over (design 4). Any replica may run it at any time, also several at once. Yields how many rows went. */
export async function deleteExpiredRows(database: Database): Promise<number> {
  let gone = 0
  for (const { table, over, keptFor } of RETENTION) {
    let batch: number
    do {
      const { count } = await database.run((db) =>
        db.execute(sql`delete from ${table} where ctid in (
        select ctid from ${table} where ${over} < now() - ${keptFor}::interval limit ${BATCH_ROWS} for update skip locked)`),
      )
      batch = count
      gone += batch
    } while (batch === BATCH_ROWS)
  }
  return gone
}
