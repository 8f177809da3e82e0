import { Failure } from '../core/failure.ts'
import type { Database, RawRow } from './client.ts'

/** Most users of one statement; a power of two. */
export const TOGETHER = 64

type Batch<Row> = Map<string, PromiseWithResolvers<Row | undefined>>

/**
 * Reads by user id, of which those that come at the same time go to Postgres as one statement: what a statement costs on both sides is most
 * of what a quick read costs (bench/README.md). More gather while every connection for reads is busy; who asks for a user already asked for
 * shares the answer, as long as that is not on its way. `statement`: the SQL for so many users, each a parameter, whose rows name theirs.
 * Resolves with the user's row or undefined; fails as Database.read does, after `patienceMs` at the latest.
 */
export function gathered<Row extends RawRow & { user_id: string }>(
  database: Database,
  statement: (users: number) => string,
): (userId: string, patienceMs?: number) => Promise<Row | undefined> {
  // The driver knows a prepared statement by its text. Few sizes, so that few are prepared.
  const statements = Array.from({ length: Math.log2(TOGETHER) + 1 }, (_, exponent) => statement(2 ** exponent))
  let gathering: Batch<Row> | undefined

  function begin(): Batch<Row> {
    const batch: Batch<Row> = new Map()
    const close = () => {
      if (gathering === batch) gathering = undefined
    }
    // By then all sockets that have something to say have been read.
    setImmediate(() => {
      database.read<Row>(() => {
        close()
        const exponent = Math.ceil(Math.log2(batch.size))
        const users = [...batch.keys()]
        while (users.length < 2 ** exponent) users.push(users[0]!)
        return { statement: statements[exponent]!, parameters: users }
      }).then((rows) => {
        for (const row of rows) {
          batch.get(row.user_id)?.resolve(row)
          batch.delete(row.user_id)
        }
        for (const { resolve } of batch.values()) resolve(undefined)
      }, (failure: unknown) => {
        close()
        for (const { reject } of batch.values()) reject(failure)
      })
    })
    return batch
  }

  return (userId, patienceMs = Infinity) => {
    if (gathering === undefined || gathering.size >= TOGETHER) gathering = begin()
    let answer = gathering.get(userId)
    if (answer === undefined) gathering.set(userId, answer = Promise.withResolvers())
    return patienceMs < database.deadlineMs ? within(patienceMs, answer.promise) : answer.promise
  }
}

/** The others of the batch have more patience. */
function within<T>(ms: number, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Failure('database_unavailable', { detail: 'deadline' })), ms)
    work.finally(() => clearTimeout(timer)).then(resolve, reject)
  })
}
