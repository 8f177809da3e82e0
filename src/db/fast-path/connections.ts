import type postgres from 'postgres'
import { Failure } from '../../core/failure.ts'
import { isConflict, isConnectionLost, isStatementError, translate } from '../driver-errors.ts'

// Connections to Postgres, each a postgres.js client of its own, and who uses which. The pool of postgres.js is not
// used: it gets slower with every query (31 µs of CPU for a query at first, 105 µs after 300,000; postgres.js 3.4.9,
// measured). This and the other work-arounds for postgres.js in this file are listed in
// docs/decisions/0001-postgres-js.md.
//
// Every point in time here is milliseconds of Clock.elapsed.

/** One connection. */
interface Connection<C> {
  /**
   * Runs statements and fails as Database.run does, at `deadlineAt` or after `timeoutMs`, whichever comes first.
   * `onEnded` is called once, when the work no longer occupies the connection, or when the connection has been replaced
   * (`fresh`: not opened yet).
   */
  run<T>(work: (connection: C) => PromiseLike<T>, deadlineAt: number, onEnded: (fresh: boolean) => void): Promise<T>
  /**
   * Treats a connection that was made before `time` as dead: what runs on it fails at once. Does nothing if nothing
   * runs on it.
   */
  failOlderThan(time: number): void
  /** Treats the connection as dead, also if nothing runs on it. */
  replace(): void
  close(): Promise<void>
}

interface Open {
  readonly sql: postgres.Sql
  /** Opens no socket any more. */
  retire(): void
}

export interface PoolsOptions<C extends Open> {
  /**
   * Milliseconds that a statement may take. A connection that is silent for so long after a statement was sent is dead.
   */
  timeoutMs: number
  /** Clock.elapsed. */
  elapsed(): number
  open(): C
  /**
   * Called for work that failed because of the database, with the detail of its Failure. Not for a caller who did not
   * wait for the whole time-out.
   */
  onFailure?(detail: string): void
}

/** Learns from all connections of all pools whether Postgres answers. */
interface Watch {
  answered(at: number): void
  /** A connection was found dead. `sentAt`: when its unanswered statement was sent. */
  silent(sentAt: number): void
}

/** A connection that is replaced when it is found dead. */
function openConnection<C extends Open>({ timeoutMs, elapsed, open }: PoolsOptions<C>, watch: Watch): Connection<C> {
  const begin = () => ({
    connection: open(),
    madeAt: elapsed(),
    answeredAt: 0,
    onEnded: new Set<(fresh: boolean) => void>(),
  })
  let present = begin()
  const retired = new Set<Promise<void>>()
  let closing: Promise<void> | undefined

  function replace(dead: typeof present): void {
    if (present !== dead || closing !== undefined) return
    present = begin()
    // Statements that wait in the dead client would open connections beyond the pool's size and keep them (postgres.js
    // 3.4.9).
    dead.connection.retire()
    const ending = dead.connection.sql
      .end({ timeout: 0 })
      .catch(() => {})
      .finally(() => retired.delete(ending))
    retired.add(ending)
    for (const onEnded of dead.onEnded) onEnded(true)
    dead.onEnded.clear()
  }

  // postgres.js has no time-out for a query: a connection that died silently would hold its queries for ever.
  function replaceIfSilent(used: typeof present, sentAt: number): void {
    if (used !== present || used.answeredAt > sentAt) return
    replace(used)
    watch.silent(sentAt)
  }
  function answered(used: typeof present): void {
    used.answeredAt = elapsed()
    watch.answered(used.answeredAt)
  }

  const run: Connection<C>['run'] = (work, deadlineAt, onEnded) => {
    const used = present
    const sentAt = elapsed()
    // Rounded up, so that a deadline that was computed from `timeoutMs` a moment ago still means the whole time-out.
    const waitMs = Math.min(timeoutMs, Math.max(1, Math.ceil(deadlineAt - sentAt)))
    used.onEnded.add(onEnded)
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        // The deadline of an impatient caller says nothing about the connection yet.
        const restMs = timeoutMs - waitMs
        if (restMs > 0) setTimeout(replaceIfSilent, restMs, used, sentAt).unref()
        else replaceIfSilent(used, sentAt)
        reject(new Failure('database_unavailable', { detail: 'deadline' }))
      }, waitMs)
      const settle = () => {
        clearTimeout(timer)
        if (used.onEnded.delete(onEnded)) onEnded(false)
      }
      attempt(work, used.connection).then(
        (value) => {
          answered(used)
          settle()
          resolve(value)
        },
        (error: unknown) => {
          const failure = translate(error)
          if (failure.code !== 'database_unavailable') answered(used)
          // postgres.js 3.4.9 can keep half a message of a connection that closed, and then never opens it again. It
          // also counts rows that came before a statement failed into the answer of the next statement, whose own rows
          // are then missing.
          if (isConnectionLost(error) || isStatementError(error)) replace(used)
          settle()
          reject(failure)
        },
      )
    })
  }

  return {
    run,
    failOlderThan(time) {
      if (present.madeAt < time && present.onEnded.size > 0) replace(present)
    },
    replace: () => replace(present),
    close: () =>
      (closing ??= present.connection.sql
        .end({ timeout: 5 })
        .then(() => Promise.all(retired))
        .then(nothing)),
  }
}

function attempt<C, T>(work: (connection: C) => PromiseLike<T>, connection: C): PromiseLike<T> {
  try {
    return work(connection)
  } catch (error) {
    return Promise.reject(error as Error)
  }
}

/** How the connections of a pool are used now. `waiting`: work that has no connection yet. */
export interface PoolUse {
  readonly size: number
  readonly busy: number
  readonly waiting: number
}

/** Times that a statement is sent, if Postgres undoes it each time. */
const MAX_ATTEMPTS = 4

export interface Pool<C> {
  /**
   * `again`: the work is done a second time if its connection was lost or replaced, so it must be safe to repeat. Work
   * that Postgres undid because of others at the same time (40001, 40P01) is repeated, unless it is a transaction of
   * several statements (`once`).
   */
  run<T>(
    work: (connection: C) => PromiseLike<T>,
    deadlineAt: number,
    options?: { again?: boolean; once?: boolean },
  ): Promise<T>
  use(): PoolUse
  close(): Promise<void>
}

/**
 * Opens pools of so many connections each. A connection does one thing at a time; further work waits in a queue. The
 * connection that was used last is taken first. If a connection was silent for `timeoutMs` and no other connection of
 * any pool had an answer in that time, Postgres is gone, and all work that is as old fails at once.
 */
export function createPools<C extends Open>(
  options: PoolsOptions<C>,
): ((size: number) => Pool<C>) & { replaceAll(): void } {
  let answeredAt = 0
  const all: Connection<C>[] = []
  const watch: Watch = {
    answered(at) {
      answeredAt = at
    },
    silent(sentAt) {
      if (answeredAt <= sentAt) for (const connection of all) connection.failOlderThan(sentAt)
    },
  }
  const openPool = (size: number): Pool<C> => {
    const connections = Array.from({ length: size }, () => openConnection(options, watch))
    all.push(...connections)
    return poolOf(connections, options)
  }
  return Object.assign(openPool, {
    replaceAll: () => {
      for (const connection of all) connection.replace()
    },
  })
}

function poolOf<C>(
  connections: readonly Connection<C>[],
  { elapsed, timeoutMs, onFailure }: Pick<PoolsOptions<C & Open>, 'elapsed' | 'timeoutMs' | 'onFailure'>,
): Pool<C> {
  const free = [...connections]
  const waiting = new Set<(connection: Connection<C>) => void>()

  function release(connection: Connection<C>, fresh: boolean): void {
    const [next] = waiting
    if (next === undefined) return void (fresh ? free.unshift(connection) : free.push(connection))
    waiting.delete(next)
    next(connection)
  }

  function freeConnection(deadlineAt: number): Promise<Connection<C>> {
    return new Promise((resolve, reject) => {
      const take = (connection: Connection<C>) => {
        clearTimeout(timer)
        resolve(connection)
      }
      const timer = setTimeout(
        () => {
          waiting.delete(take)
          reject(new Failure('database_unavailable', { detail: 'no free connection' }))
        },
        Math.ceil(deadlineAt - elapsed()),
      )
      waiting.add(take)
    })
  }

  async function attemptOnce<T>(
    work: (connection: C) => PromiseLike<T>,
    deadlineAt: number,
    again: boolean,
  ): Promise<T> {
    const connection = free.pop() ?? (await freeConnection(deadlineAt))
    let replaced = false
    try {
      return await connection.run(work, deadlineAt, (fresh) => {
        replaced = fresh
        release(connection, fresh)
      })
    } catch (failure) {
      const lost = replaced && failure instanceof Failure && failure.code === 'database_unavailable'
      if (!again || !lost || elapsed() >= deadlineAt) throw failure
      return attemptOnce(work, deadlineAt, false)
    }
  }

  function report(failure: unknown, beganAt: number, deadlineAt: number): void {
    if (!(failure instanceof Failure)) return
    const detail = failure.facts.detail ?? ''
    const isOfDatabase = failure.code === 'database_unavailable' || detail.startsWith('database ')
    const isImpatient = /^(?:deadline|no free connection)$/.test(detail) && deadlineAt - beganAt < timeoutMs - 1
    if (isOfDatabase && !isImpatient) onFailure?.(detail)
  }

  return {
    async run(work, deadlineAt, { again = false, once = false } = {}) {
      const beganAt = elapsed()
      for (let attempts = 1; ; attempts++) {
        try {
          return await attemptOnce(work, deadlineAt, again)
        } catch (failure) {
          if (isConflict(failure) && !once && attempts < MAX_ATTEMPTS && elapsed() < deadlineAt) continue
          report(failure, beganAt, deadlineAt)
          throw failure
        }
      }
    },
    use: () => ({ size: connections.length, busy: connections.length - free.length, waiting: waiting.size }),
    async close() {
      await Promise.all(connections.map((connection) => connection.close()))
    },
  }
}

function nothing(): void {}
