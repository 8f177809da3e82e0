import { gt, sql } from './drizzle.ts'
import type { BrokerEvent, BrokerEventType, EventStore } from '../core/events.ts'
import type { Database, Transaction } from './client.ts'
import { iso } from './instants.ts'
import { deployment, type EventDetail, events } from './schema.ts'

/** Any fixed number, the same in every release: it names the lock all event writers queue on. */
const EVENT_LOCK = 7_290_421
/** Days after which a cursor is no longer good: one fewer than events are kept (purge.ts), for transactions that took long. */
const CURSOR_DAYS = 89

export interface NewEvent {
  userId: string
  type: BrokerEventType
  caller: string
  detail?: EventDetail
}

/**
 * Writes an event in the transaction that makes it true. The lock is taken before the id, so ids become visible in order and
 * a reader's cursor never passes one that commits later (design 2.5). Take it late in the transaction: it serialises writers.
 */
export const appendEvent = (tx: Transaction, event: NewEvent): Promise<void> => appendEvents(tx, [event])

/** The same for several, in this order. */
export async function appendEvents(tx: Transaction, list: readonly NewEvent[]): Promise<void> {
  if (list.length === 0) return
  await tx.execute(sql`select pg_advisory_xact_lock(${EVENT_LOCK})`)
  await tx
    .insert(events)
    .values(list.map(({ userId, type, caller, detail = {} }) => ({ userId, type, caller, detail })))
}

/**
 * A place in the events: after this id. `at` (s since the epoch, Postgres' clock) is when nothing was missing up to it, so that its age
 * alone tells whether a purge can have taken something behind it.
 */
interface Cursor {
  epoch: string
  id: number
  at: number
}

const CURSOR = /^([0-9a-f-]{36})\.(\d{1,15})\.(\d{1,12})$/
const write = ({ epoch, id, at }: Cursor): string => Buffer.from(`${epoch}.${id}.${at}`).toString('base64url')
function parse(text: string): Cursor | undefined {
  const [, epoch, id, at] = CURSOR.exec(Buffer.from(text, 'base64url').toString('latin1')) ?? []
  return epoch === undefined ? undefined : { epoch, id: Number(id), at: Number(at) }
}

export function createEventStore(database: Database): EventStore {
  /** One statement, so that everything in it is of one snapshot. */
  async function standing(): Promise<{ epoch: string; newest: number; now: number }> {
    const [row] = await database.run((db) =>
      db
        .select({
          epoch: deployment.epoch,
          newest: sql<number>`(select coalesce(max(${events.id}), 0)::float8 from ${events})`,
          now: sql<number>`floor(extract(epoch from now()))::float8`,
        })
        .from(deployment),
    )
    return row!
  }

  return {
    async newest() {
      const { epoch, newest, now } = await standing()
      return write({ epoch, id: newest, at: now })
    },

    async read({ after, limit }) {
      const { epoch, newest, now } = await standing()
      const from = after === undefined ? { epoch, id: 0, at: now } : parse(after)
      // Ids that went backwards: the database was put back to an earlier state under the same epoch.
      const isForeign = from === undefined || from.epoch !== epoch || (newest !== 0 && from.id > newest)
      if (isForeign || from.at < now - CURSOR_DAYS * 86_400) return 'expired'
      const rows = await database.run((db) =>
        db.select().from(events).where(gt(events.id, from.id)).orderBy(events.id).limit(limit),
      )
      const last = rows.at(-1)
      const cursor = write({
        epoch,
        id: last?.id ?? from.id,
        // `now` was taken before the rows were read: what it says is true of them.
        at: last !== undefined && rows.length === limit ? Math.floor(Date.parse(last.at) / 1000) : now,
      })
      return { events: rows.map(toEvent), cursor, more: rows.length === limit }
    },
  }
}

function toEvent({ id, at, userId, type, detail }: typeof events.$inferSelect): BrokerEvent {
  const { reason, cause, generation } = detail
  return {
    id,
    at: iso(at),
    userId,
    type,
    ...(reason === undefined ? {} : { reason }),
    ...(cause === undefined ? {} : { cause }),
    ...(generation === undefined ? {} : { generation }),
  }
}
