import { sql } from 'drizzle-orm'
import type { Transaction } from './client.ts'
import { type EventDetail, type EventType, events } from './schema.ts'

/** Any fixed number, the same in every release: it names the lock all event writers queue on. */
const EVENT_LOCK = 7_290_421

/**
 * Writes an event in the transaction that makes it true. The lock is taken before the id, so ids become visible in order and
 * a reader's cursor never passes one that commits later (design 2.5). Take it late in the transaction: it serialises writers.
 */
export async function appendEvent(
  tx: Transaction,
  event: { userId: string; type: EventType; caller: string; detail?: EventDetail },
): Promise<void> {
  await tx.execute(sql`select pg_advisory_xact_lock(${EVENT_LOCK})`)
  await tx.insert(events).values({ userId: event.userId, type: event.type, caller: event.caller, detail: event.detail ?? {} })
}
