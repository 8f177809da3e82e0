import { gt, sql } from './drizzle.ts'
import type { BrokerEvent, BrokerEventType, EventDetail, EventStore } from '../core/events.ts'
import { Failure } from '../core/failure.ts'
import { readEventDetail, readEventType, type OnMalformed } from '../core/stored.ts'
import type { Database, Transaction } from './client.ts'
import { epochOf, isoOfEpoch } from './instants.ts'
import { deployment, events } from './schema.ts'

/** Any fixed number, the same in every release: the advisory lock that all writers of events take in turn. */
const EVENT_LOCK = 7_290_421
/**
 * Days after which a cursor is refused: one fewer than events are kept (retention.ts), for transactions that took long.
 */
const CURSOR_DAYS = 89

export interface NewEvent {
  userId: string
  type: BrokerEventType
  caller: string
  detail?: EventDetail
}

/**
 * Writes an event in the transaction that makes it true. The lock is taken before the id, so ids become visible in
 * order and a reader's cursor never passes an event that commits later (docs/design.md#events). Call it late in the
 * transaction, because it makes all writers wait for each other.
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
 * A position in the events: after this id. `at` (seconds since the epoch, Postgres' clock) is a moment at which no
 * event up to this id was missing. So its age alone tells whether events behind it may have been deleted.
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

/** `onMalformed` is called for stored values whose form no release writes. */
export function createEventStore(database: Database, onMalformed?: OnMalformed): EventStore {
  /**
   * One statement, so that all of it is from one snapshot. Throws Failure `broker_misconfigured` if no deployment is
   * recorded.
   */
  async function standing(): Promise<{ epoch: string; newest: number; now: number }> {
    const [row] = await database.run((db) =>
      db
        .select({
          epoch: deployment.epoch,
          newest: sql<number>`(select coalesce(max(${events.id}), 0)::numeric from ${events})`,
          now: sql<number>`floor(extract(epoch from now()))`,
        })
        .from(deployment),
    )
    if (row === undefined) throw new Failure('broker_misconfigured', { detail: 'no deployment is recorded' })
    return row
  }

  return {
    async newest() {
      const { epoch, newest, now } = await standing()
      return write({ epoch, id: newest, at: now })
    },

    async read({ after, limit }) {
      const { epoch, newest, now } = await standing()
      const from = after === undefined ? { epoch, id: 0, at: now } : parse(after)
      // If ids went backwards, the database was restored to an earlier state with the same epoch.
      const isForeign = from === undefined || from.epoch !== epoch || (newest !== 0 && from.id > newest)
      if (isForeign || from.at < now - CURSOR_DAYS * 86_400) return 'expired'
      const rows = await database.run((db) =>
        db.select(COLUMNS).from(events).where(gt(events.id, from.id)).orderBy(events.id).limit(limit),
      )
      const last = rows.at(-1)
      const cursor = write({
        epoch,
        id: last?.id ?? from.id,
        // `now` was taken before the rows were read, so no event up to the last of them was missing then.
        at: last !== undefined && rows.length === limit ? Math.floor(last.at) : now,
      })
      return { events: rows.map((row) => toEvent(row, onMalformed)), cursor, more: rows.length === limit }
    },
  }
}

const COLUMNS = {
  id: events.id,
  at: epochOf(events.at),
  userId: events.userId,
  type: events.type,
  detail: events.detail,
}
interface Row {
  id: number
  at: number
  userId: string
  type: string
  detail: unknown
}

function toEvent({ id, at, userId, type, detail }: Row, onMalformed?: OnMalformed): BrokerEvent {
  const { reason, cause, generation, freeze } = readEventDetail(detail, onMalformed)
  return {
    id,
    at: isoOfEpoch(at),
    userId,
    type: readEventType(type, onMalformed),
    ...(reason === undefined ? {} : { reason }),
    ...(cause === undefined ? {} : { cause }),
    ...(generation === undefined ? {} : { generation }),
    ...(freeze === undefined ? {} : { freeze }),
  }
}
