import { Failure } from '../../core/failure.ts'
import type { Database, Parameter, RawRow } from '../client.ts'

/** Most queries in one statement; a power of two. */
export const MAX_BATCH = 32
/**
 * Statements sent and not yet answered. Two: while Postgres works on one, this process works on the answer of the
 * other.
 */
const MAX_CONCURRENT = 2

export interface BatchOptions<Ask, Row> {
  database: Database
  /** Which method of Database sends it. */
  via: 'query' | 'read'
  /** The SQL for so many queries, whose parameters follow one another. The same query may be in it several times. */
  statement(queries: number): string
  parameters(ask: Ask): readonly Parameter[]
  /** The key by which a query and its row find each other. Queries with the same key are sent once. */
  keyOf(ask: Ask): string
  keyOfRow(row: Row): string
}

/**
 * Sends queries that are asked at the same time as one statement, because most of the cost of a quick statement is the
 * same for one row and for many (docs/decisions/0002-shared-statements.md). While MAX_CONCURRENT statements are
 * running, further queries are collected for the next one.
 *
 * With `database.batches` false, each query is a statement of its own.
 *
 * Resolves with the row that answers the query, or undefined. Fails as the statement does, at `deadlineAt`, or after
 * `database.timeoutMs`. A query is never answered by a statement that was sent before it was asked. Use it only for
 * statements that wait for no lock: one that waits would hold up the queries after it.
 */
export function batched<Ask, Row extends RawRow>({
  database,
  via,
  statement,
  parameters,
  keyOf,
  keyOfRow,
}: BatchOptions<Ask, Row>): (ask: Ask, deadlineAt?: number) => Promise<Row | undefined> {
  interface Query extends PromiseWithResolvers<Row | undefined> {
    readonly ask: Ask
    /** When the first who asked it must have an answer, unless `deadlineAt` said earlier. */
    readonly endsAt: number
  }
  if (!database.batches)
    return async (ask, deadlineAt) => (await database[via]<Row>(statement(1), parameters(ask), deadlineAt))[0]
  // The driver recognizes a prepared statement by its text. Few sizes, so that few statements are prepared.
  const texts = Array.from({ length: Math.log2(MAX_BATCH) + 1 }, (_, exponent) => statement(2 ** exponent))
  const collected = new Map<string, Query>()
  let running = 0

  function send(): void {
    while (collected.size > 0 && running < MAX_CONCURRENT) {
      const batch = new Map([...collected].slice(0, MAX_BATCH))
      for (const key of batch.keys()) collected.delete(key)
      running++
      void run(batch).finally(() => {
        running--
        send()
      })
    }
  }

  /** Never fails; its queries do. */
  async function run(batch: Map<string, Query>): Promise<void> {
    const exponent = Math.ceil(Math.log2(batch.size))
    const all = Array.from(batch.values(), ({ ask }) => parameters(ask))
    while (all.length < 2 ** exponent) all.push(all[0]!)
    const timers = Array.from(batch.values(), failInTime)
    try {
      for (const row of await database[via]<Row>(texts[exponent]!, all.flat())) {
        batch.get(keyOfRow(row))?.resolve(row)
        batch.delete(keyOfRow(row))
      }
      for (const { resolve } of batch.values()) resolve(undefined)
    } catch (error) {
      // If Postgres rejects one of several queries, each is sent alone: only the rejected one fails.
      if (batch.size > 1 && error instanceof Failure && error.code === 'internal_error') {
        await Promise.all(Array.from(batch, (one) => run(new Map([one]))))
      } else for (const { reject } of batch.values()) reject(error)
    } finally {
      for (const timer of timers) clearTimeout(timer)
    }
  }

  /**
   * A query that waited long before it was sent ends before its statement does. The others need no timer of their own.
   */
  function failInTime({ endsAt, reject }: Query): NodeJS.Timeout | undefined {
    return database.endsAt() - endsAt < database.timeoutMs / 10 ? undefined : failAt(endsAt, reject)
  }

  function failAt(deadlineAt: number, reject: (failure: Failure) => void): NodeJS.Timeout {
    const failure = new Failure('database_unavailable', { detail: 'deadline' })
    return setTimeout(reject, Math.max(0, deadlineAt - database.elapsed()), failure)
  }

  /** One caller may wait less long than others who share its query. */
  function endingAt<T>(deadlineAt: number, work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const timer = failAt(deadlineAt, reject)
      work.finally(() => clearTimeout(timer)).then(resolve, reject)
    })
  }

  return (ask, deadlineAt = Infinity) => {
    const endsAt = database.endsAt()
    const key = keyOf(ask)
    let query = collected.get(key)
    if (query === undefined) {
      query = { ...Promise.withResolvers<Row | undefined>(), ask, endsAt }
      // By the end of this turn of the event loop, all sockets that have data have been read.
      if (collected.size === 0) setImmediate(send)
      collected.set(key, query)
    }
    // Less than a millisecond earlier is a deadline that was computed from the same time-out a moment ago.
    return deadlineAt < endsAt - 1 ? endingAt(deadlineAt, query.promise) : query.promise
  }
}

/** Batches quick reads by user id. The rows have a column `user_id`. */
export function batchedByUser<Row extends RawRow & { user_id: string }>(
  database: Database,
  statement: (users: number) => string,
): (userId: string, deadlineAt?: number) => Promise<Row | undefined> {
  return batched<string, Row>({
    database,
    via: 'read',
    statement,
    parameters: (userId) => [userId],
    keyOf: (userId) => userId,
    keyOfRow: (row) => row.user_id,
  })
}
