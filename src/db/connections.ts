import postgres from 'postgres'
import { Failure } from '../core/failure.ts'
import { isLost, isRefusal, translate } from './driver-errors.ts'

// Connections to Postgres, each a postgres.js of its own, and who uses which. Its own pool is not used: the list of open connections that
// it keeps grows by one entry per query and is searched by each, until all connections happen to be busy at once (postgres.js 3.4.9,
// measured: 31 µs of CPU for a query at first, 105 µs after 300,000).

/** One connection. */
interface Connection<C> {
  /**
   * Runs statements. Fails as Database.run does, at the latest after `timeoutMs`. `ended`: nothing of it occupies the connection any more,
   * or that is replaced by one that has still to be made (`fresh`).
   */
  run<T>(work: (connection: C) => PromiseLike<T>, timeoutMs: number, ended: (fresh: boolean) => void): Promise<T>
  /** A connection made before that moment is taken for dead, and what runs on it fails at once. Nothing where nothing runs. */
  failOlderThan(before: number): void
  close(): Promise<void>
}

interface Open {
  readonly sql: postgres.Sql
  /** Opens no socket any more. */
  retire(): void
}

/**
 * A connection that is replaced when it is found dead: `deadlineMs` after something was sent, without any answer since. `watch` hears of
 * answers, and of that with the moment when it was sent; both in milliseconds of `performance.now()`.
 */
function openConnection<C extends Open>(deadlineMs: number, open: () => C, watch: Watch): Connection<C> {
  const begin = () => ({
    connection: open(),
    made: performance.now(),
    lastAnswer: 0,
    onEnded: new Set<(fresh: boolean) => void>(),
  })
  let present = begin()
  const retired = new Set<Promise<void>>()
  let closing: Promise<void> | undefined

  function replace(dead: typeof present): void {
    if (present !== dead || closing !== undefined) return
    present = begin()
    // What waits in it would open connections of its own, beyond the pool's size, and keep them (postgres.js 3.4.9).
    dead.connection.retire()
    const ending = dead.connection.sql
      .end({ timeout: 0 })
      .catch(() => {})
      .finally(() => retired.delete(ending))
    retired.add(ending)
    for (const ended of dead.onEnded) ended(true)
    dead.onEnded.clear()
  }

  // postgres.js has no query time-out: a connection that silently died would hold its queries for ever.
  function replaceIfSilent(used: typeof present, since: number): void {
    if (used !== present || used.lastAnswer > since) return
    replace(used)
    watch.silent(since)
  }
  function answered(used: typeof present): void {
    used.lastAnswer = performance.now()
    watch.answered(used.lastAnswer)
  }

  const run: Connection<C>['run'] = (work, patience, ended) => {
    const timeoutMs = Math.min(deadlineMs, patience)
    const used = present
    const began = performance.now()
    used.onEnded.add(ended)
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        // An impatient caller's haste says nothing about the connection yet.
        const rest = deadlineMs - timeoutMs
        if (rest > 0) setTimeout(replaceIfSilent, rest, used, began).unref()
        else replaceIfSilent(used, began)
        reject(new Failure('database_unavailable', { detail: 'deadline' }))
      }, timeoutMs)
      const settle = () => {
        clearTimeout(timer)
        if (used.onEnded.delete(ended)) ended(false)
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
          // postgres.js 3.4.9 can be left with half a message on a connection that closed, and then never opens it again. And of a statement that
          // failed it counts the rows that came before into the answer of the next one, whose own rows then seem not to be there.
          if (isLost(error) || isRefusal(error)) replace(used)
          settle()
          reject(failure)
        },
      )
    })
  }

  return {
    run,
    failOlderThan(before) {
      if (present.made < before && present.onEnded.size > 0) replace(present)
    },
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

interface Watch {
  answered(at: number): void
  silent(since: number): void
}

export interface Pool<C> {
  /** `again`: the work may be done twice, and is when its connection was lost or given up. */
  run<T>(
    work: (connection: C) => PromiseLike<T>,
    options?: { timeoutMs?: number | undefined; again?: boolean },
  ): Promise<T>
  close(): Promise<void>
}

/**
 * Opens pools, each of so many connections. A connection does one thing at a time; who comes when none is free waits in turn. The one used
 * last is taken first. Where one was silent for as long as any may be, and no other of any pool had an answer meanwhile, Postgres is gone,
 * and none is waited for any longer.
 */
export function createPools<C extends Open>(deadlineMs: number, open: () => C): (size: number) => Pool<C> {
  let lastAnswer = 0
  const all: Connection<C>[] = []
  const watch: Watch = {
    answered(at) {
      lastAnswer = at
    },
    silent(since) {
      if (lastAnswer <= since) for (const lane of all) lane.failOlderThan(since)
    },
  }
  return (size) => {
    const lanes = Array.from({ length: size }, () => openConnection(deadlineMs, open, watch))
    all.push(...lanes)
    return poolOf(lanes, deadlineMs)
  }
}

function poolOf<C>(lanes: readonly Connection<C>[], deadlineMs: number): Pool<C> {
  const free = [...lanes]
  const waiting = new Set<(lane: Connection<C>) => void>()

  function release(lane: Connection<C>, fresh: boolean): void {
    const [next] = waiting
    if (next === undefined) return void (fresh ? free.unshift(lane) : free.push(lane))
    waiting.delete(next)
    next(lane)
  }

  function freeLane(timeoutMs: number): Promise<Connection<C>> {
    return new Promise((resolve, reject) => {
      const begin = (lane: Connection<C>) => {
        clearTimeout(timer)
        resolve(lane)
      }
      const timer = setTimeout(() => {
        waiting.delete(begin)
        reject(new Failure('database_unavailable', { detail: 'no free connection' }))
      }, timeoutMs)
      waiting.add(begin)
    })
  }

  async function run<T>(work: (connection: C) => PromiseLike<T>, timeoutMs: number, again: boolean): Promise<T> {
    const began = performance.now()
    const left = () => timeoutMs - (performance.now() - began)
    const idle = free.pop()
    const lane = idle ?? (await freeLane(timeoutMs))
    let replaced = false
    try {
      // Whole where nothing was waited for: a haste of microseconds would pass for an impatient caller's.
      return await lane.run(work, idle === undefined ? Math.max(1, left()) : timeoutMs, (fresh) => {
        replaced = fresh
        release(lane, fresh)
      })
    } catch (failure) {
      const lost = replaced && failure instanceof Failure && failure.code === 'database_unavailable'
      if (!again || !lost || left() <= 0) throw failure
      return run(work, left(), false)
    }
  }

  return {
    run: (work, { timeoutMs = deadlineMs, again = false } = {}) => run(work, Math.min(timeoutMs, deadlineMs), again),
    async close() {
      await Promise.all(lanes.map((lane) => lane.close()))
    },
  }
}

function nothing(): void {}
