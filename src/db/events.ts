import { sql, type SQL } from './drizzle.ts'
import type { BrokerEvent, BrokerEventType, EventDetail, EventStore } from '../core/events.ts'
import { Failure } from '../core/failure.ts'
import { readEventDetail, readEventType, type OnMalformed } from '../core/stored.ts'
import type { Database, Transaction } from './client.ts'
import { epochOf, exactly } from './instants.ts'
import { events, generations } from './schema.ts'

/** Any fixed number, the same in every release: the advisory lock that all writers of events take in turn. */
const EVENT_LOCK = 7_290_421
/**
 * Days after which a cursor is refused: one fewer than events are kept (retention.ts), for transactions that took long.
 */
const CURSOR_DAYS = 89

/**
 * The time within the transaction, after its locks: a disconnect is later than the connection that it deletes, and
 * earlier than the next (`connected_before`).
 */
const NOW = sql`clock_timestamp()`

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
    .values(list.map(({ userId, type, caller, detail = {} }) => ({ userId, type, caller, detail, at: NOW })))
}

/**
 * A position in the events: after the event with this id and this tag. `at` (seconds since the epoch, Postgres' clock)
 * is a moment at which no event up to this id was missing. So its age alone tells whether events behind it may have
 * been deleted. `generation`: the newest one that had been given out.
 */
interface Cursor {
  /** 0: before the first event. */
  id: number
  /** Of the event; of the id 0: the epoch of the database. */
  tag: string
  at: number
  generation: number
}

const CURSOR = /^(\d{1,15})\.([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.(\d{1,12})\.(\d{1,15})$/
const write = ({ id, tag, at, generation }: Cursor): string =>
  Buffer.from(`${id}.${tag}.${at}.${generation}`).toString('base64url')
function parse(text: string): Cursor | undefined {
  const [, id, tag, at, generation] = CURSOR.exec(Buffer.from(text, 'base64url').toString('latin1')) ?? []
  return tag === undefined ? undefined : { id: Number(id), tag, at: Number(at), generation: Number(generation) }
}

/**
 * How far the sequences are raised beyond what a cursor knows after a rewind: more than what can have been given out
 * between the cursor and the loss.
 */
const RAISE_BY = 1_000_000
/** Cursors are not signed, so no cursor raises a sequence further than this. */
const MAX_RAISE = 10_000_000

/** The database is older than a cursor that was read from it: transactions were lost (docs/design.md#events). */
export interface Rewind {
  /** Of the cursor. */
  id: number
  generation: number
  /** Undefined: the sequences are far enough. Else why they could not be raised: a SQLSTATE, or the empty text. */
  problem?: string
}

export interface EventStoreOptions {
  /** Called for stored values whose form no release writes. */
  onMalformed?: OnMalformed | undefined
  /** Called when a cursor shows a rewind that nobody has dealt with, after the sequences were raised. */
  onRewind?: ((rewind: Rewind) => void) | undefined
}

/** What is the same for all rows of an answer. */
type Standing = {
  epoch: string
  /** Seconds since the epoch. */
  now: number
  /** The newest that were given out. */
  generation: number
  newest: number
}
const STANDING = sql`select epoch, floor(extract(epoch from now())) as now,
  coalesce(pg_sequence_last_value(${generations.seqName!}::regclass), 0)::numeric as generation,
  coalesce(pg_sequence_last_value(pg_get_serial_sequence('event', 'id')::regclass), 0)::numeric as newest
  from deployment`

type Row = Standing & {
  /** Whether the event of the cursor is there. */
  known: boolean
  /** The others are null together. */
  id: number | null
  tag: string
  seconds: number
  at: string
  user_id: string
  type: string
  detail: unknown
}

export function createEventStore(
  database: Database,
  { onMalformed, onRewind = () => {} }: EventStoreOptions = {},
): EventStore {
  /** Throws Failure `broker_misconfigured` if no deployment is recorded. */
  async function rowsOf<T extends Record<string, unknown>>(statement: SQL) {
    const [first, ...rest] = await database.run((db) => db.execute<T>(statement))
    if (first === undefined) throw new Failure('broker_misconfigured', { detail: 'no deployment is recorded' })
    return [first, ...rest] as const
  }

  /** Ids and generations that were given out and lost are not given out again. */
  async function raiseSequences({ id, generation }: Cursor, { newest, generation: present }: Standing): Promise<void> {
    const wanted = { id: Math.min(id, newest + MAX_RAISE), generation: Math.min(generation, present + MAX_RAISE) }
    if (newest >= wanted.id + RAISE_BY && present >= wanted.generation + RAISE_BY) return
    try {
      await database.transaction(async (tx) => {
        await tx.execute(sql`select pg_advisory_xact_lock(${EVENT_LOCK})`)
        const raise = (sequence: SQL, to: number): SQL =>
          sql`select setval(${sequence}, ${to}::bigint)
            where coalesce(pg_sequence_last_value(${sequence}), 0) < ${to}::bigint`
        await tx.execute(raise(sql`pg_get_serial_sequence('event', 'id')::regclass`, wanted.id + RAISE_BY))
        await tx.execute(raise(sql`${generations.seqName!}::regclass`, wanted.generation + RAISE_BY))
      })
      onRewind({ id, generation })
    } catch (error) {
      // The cursor is refused all the same, which matters more.
      onRewind({ id, generation, problem: error instanceof Failure ? (error.facts.detail ?? '') : '' })
    }
  }

  return {
    async newest() {
      const [{ epoch, now, generation, id, tag }] = await rowsOf<Standing & { id: number | null; tag: string | null }>(
        sql`select standing.*, last.id::numeric as id, last.tag from (${STANDING}) as standing
          left join lateral (select id, tag from event order by id desc limit 1) as last on true`,
      )
      return write({ id: id ?? 0, tag: tag ?? epoch, at: now, generation })
    },

    async read({ after, limit }) {
      const from = after === undefined ? undefined : parse(after)
      if (after !== undefined && from === undefined) return 'expired'
      const { id = 0, tag = null } = from ?? {}
      // One statement, so that the check and the page are of one snapshot.
      const rows = await rowsOf<Row>(sql`
        with place as (
          select standing.*, ${tag}::uuid is null or ${id}::bigint = 0 and epoch = ${tag}::uuid
            or exists (select from event where id = ${id}::bigint and tag = ${tag}::uuid) as known
          from (${STANDING}) as standing)
        select place.*, page.* from place left join lateral (
          select id::numeric as id, tag, ${epochOf(events.at)} as seconds, ${exactly(events.at)} as at,
            user_id, type, detail
          from event where place.known and event.id > ${id}::bigint order by event.id limit ${limit}) as page on true
        order by page.id`)
      const [standing] = rows
      if (from !== undefined && from.at < standing.now - CURSOR_DAYS * 86_400) return 'expired'
      // Where the generations went backwards, transactions were lost too, although no event was.
      if (from !== undefined && (!standing.known || from.generation > standing.generation))
        await raiseSequences(from, standing)
      if (!standing.known) return 'expired'
      const page = rows.filter(isEvent)
      const last = page.at(-1)
      const cursor = write({
        id: last?.id ?? id,
        tag: last?.tag ?? tag ?? standing.epoch,
        // `now` was taken before the rows were read, so no event up to the last of them was missing then.
        at: last !== undefined && page.length === limit ? Math.floor(last.seconds) : standing.now,
        generation: standing.generation,
      })
      return { events: page.map((row) => toEvent(row, onMalformed)), cursor, more: page.length === limit }
    },
  }
}

type EventRow = Row & { id: number }
const isEvent = (row: Row): row is EventRow => row.id !== null

function toEvent({ id, at, user_id: userId, type, detail }: EventRow, onMalformed?: OnMalformed): BrokerEvent {
  const { reason, cause, generation, freeze } = readEventDetail(detail, onMalformed)
  return {
    id,
    at,
    userId,
    type: readEventType(type, onMalformed),
    ...(reason === undefined ? {} : { reason }),
    ...(cause === undefined ? {} : { cause }),
    ...(generation === undefined ? {} : { generation }),
    ...(freeze === undefined ? {} : { freeze }),
  }
}
