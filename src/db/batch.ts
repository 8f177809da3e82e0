import { Failure } from '../core/failure.ts'
import type { Database, Parameter, RawRow } from './client.ts'

/** Most questions of one statement; a power of two. */
export const MAX_BATCH = 32
/** Statements under way at once. Two: while Postgres works on one, the answers of the other are worked on here. */
const MAX_CONCURRENT = 2

export interface BatchOptions<Ask, Row> {
  database: Database
  /** How it is sent. */
  via: 'query' | 'read'
  /** The SQL for so many questions, whose parameters stand one after the other. A question may be in it several times. */
  statement(questions: number): string
  parameters(ask: Ask): readonly Parameter[]
  /** By which question and row find each other. Questions of the same name are asked once. */
  keyOf(ask: Ask): string
  keyOfRow(row: Row): string
}

/**
 * What is asked of Postgres at the same time goes there as one statement: what a statement costs on both sides is most of what a quick one
 * costs (bench/README.md). While AT_ONCE are under way, more gather. Resolves with the row that answers a question, or undefined; fails as
 * the statement does, and not later than a statement may take. A question is never answered by a statement that was sent before it was
 * asked. Only for statements that wait for no lock: one that does would hold up what is asked after it.
 */
export function batched<Ask, Row extends RawRow>({
  database,
  via,
  statement,
  parameters,
  keyOf,
  keyOfRow,
}: BatchOptions<Ask, Row>): (ask: Ask) => Promise<Row | undefined> {
  interface Question extends PromiseWithResolvers<Row | undefined> {
    readonly ask: Ask
    /** Milliseconds of `performance.now()`. */
    readonly since: number
  }
  // The driver knows a prepared statement by its text. Few sizes, so that few are prepared.
  const texts = Array.from({ length: Math.log2(MAX_BATCH) + 1 }, (_, exponent) => statement(2 ** exponent))
  const gathering = new Map<string, Question>()
  let underWay = 0

  function send(): void {
    while (gathering.size > 0 && underWay < MAX_CONCURRENT) {
      const batch = new Map([...gathering].slice(0, MAX_BATCH))
      for (const name of batch.keys()) gathering.delete(name)
      underWay++
      void run(batch).finally(() => {
        underWay--
        send()
      })
    }
  }

  /** Never fails; the questions do. */
  async function run(batch: Map<string, Question>): Promise<void> {
    const exponent = Math.ceil(Math.log2(batch.size))
    const all = Array.from(batch.values(), ({ ask }) => parameters(ask))
    while (all.length < 2 ** exponent) all.push(all[0]!)
    const ends = Array.from(batch.values(), endInTime)
    try {
      for (const row of await database[via]<Row>(texts[exponent]!, all.flat())) {
        batch.get(keyOfRow(row))?.resolve(row)
        batch.delete(keyOfRow(row))
      }
      for (const { resolve } of batch.values()) resolve(undefined)
    } catch (error) {
      // What Postgres does not take fails alone.
      if (batch.size > 1 && error instanceof Failure && error.code === 'internal_error') {
        await Promise.all(Array.from(batch, (one) => run(new Map([one]))))
      } else for (const { reject } of batch.values()) reject(error)
    } finally {
      for (const end of ends) clearTimeout(end)
    }
  }

  /** A statement may take its whole time, for those who asked last. Who had to wait for it to be sent does not wait that much longer. */
  function endInTime({ since, reject }: Question): NodeJS.Timeout | undefined {
    const waited = performance.now() - since
    if (waited < database.deadlineMs / 10) return undefined
    return setTimeout(
      reject,
      Math.max(0, database.deadlineMs - waited),
      new Failure('database_unavailable', { detail: 'deadline' }),
    )
  }

  return (ask) => {
    const name = keyOf(ask)
    let question = gathering.get(name)
    if (question === undefined) {
      question = { ...Promise.withResolvers<Row | undefined>(), ask, since: performance.now() }
      // By the end of this turn all sockets that have something to say have been read.
      if (gathering.size === 0) setImmediate(send)
      gathering.set(name, question)
    }
    return question.promise
  }
}

/** The same by user id, for quick reads. `columns` name `user_id`. At the latest after `timeoutMs`: the others of a statement may have more. */
export function batchedByUser<Row extends RawRow & { user_id: string }>(
  database: Database,
  statement: (users: number) => string,
): (userId: string, timeoutMs?: number) => Promise<Row | undefined> {
  const read = batched<string, Row>({
    database,
    via: 'read',
    statement,
    parameters: (userId) => [userId],
    keyOf: (userId) => userId,
    keyOfRow: (row) => row.user_id,
  })
  return (userId, timeoutMs = Infinity) =>
    timeoutMs < database.deadlineMs ? within(timeoutMs, read(userId)) : read(userId)
}

function within<T>(ms: number, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Failure('database_unavailable', { detail: 'deadline' })), ms)
    work.finally(() => clearTimeout(timer)).then(resolve, reject)
  })
}
