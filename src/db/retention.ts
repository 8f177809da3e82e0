import { sql } from './drizzle.ts'
import type { Database } from './client.ts'
import { browserSessions, callerKeyUse, connectSessions, events, replicas, requestNonces } from './schema.ts'

/**
 * How long rows are kept after they ended (docs/design.md#tables): outcomes of attempts for a day, events as long as a
 * cursor may be old.
 */
const RETENTION = [
  { table: requestNonces, endsAt: requestNonces.expiresAt, keepFor: '0 seconds' },
  { table: browserSessions, endsAt: browserSessions.expiresAt, keepFor: '0 seconds' },
  { table: connectSessions, endsAt: connectSessions.expiresAt, keepFor: '1 day' },
  { table: callerKeyUse, endsAt: callerKeyUse.hour, keepFor: '15 days' },
  { table: replicas, endsAt: replicas.seenAt, keepFor: '7 days' },
  { table: events, endsAt: events.at, keepFor: '90 days' },
] as const

/**
 * The newest event that is old enough stays, with all that came later: the cursor of a reader that has read everything
 * is at that event, for as long as nothing happens (events.ts).
 */
const NEEDED_BY_A_CURSOR = sql`and ${events.id} < (
  select id from ${events} where at < now() - interval '90 days' order by id desc limit 1)`

/** Rows per statement: each ends well within the time-out of a query, however many there are. */
const BATCH_ROWS = 5_000

/**
 * Deletes rows that are over. Any replica may run it at any time, and several at once. Resolves with the number of
 * deleted rows.
 */
export async function deleteExpiredRows(database: Database): Promise<number> {
  let gone = 0
  for (const { table, endsAt, keepFor } of RETENTION) {
    let batch: number
    do {
      const { count } = await database.run((db) =>
        db.execute(sql`delete from ${table} where ctid in (
        select ctid from ${table} where ${endsAt} < now() - ${keepFor}::interval
          ${table === events ? NEEDED_BY_A_CURSOR : sql``}
        limit ${BATCH_ROWS} for update skip locked)`),
      )
      batch = count
      gone += batch
    } while (batch === BATCH_ROWS)
  }
  return gone
}
