/**
 * db owns Postgres: schema, migrations, every SQL statement, and the translation of the driver's errors. It must not know
 * Fastify, Microsoft or the environment. Nothing of the driver's errors but SQLSTATE and names leaves this folder: drizzle
 * writes parameters into message and stack.
 *
 * The service needs nothing of a database session (design 4), so PgBouncer in transaction mode works.
 */
import { isIP } from 'node:net'
import { drizzle, type PostgresJsDatabase } from './drizzle.ts'
import postgres from 'postgres'
import { Failure } from '../core/failure.ts'

export type Drizzle = PostgresJsDatabase<Record<string, never>>
export type Transaction = Parameters<Parameters<Drizzle['transaction']>[0]>[0]

export interface DatabaseOptions {
  url: string
  /** `false` behind PgBouncer older than 1.21 (design 4). */
  prepare: boolean
  poolSize: number
  /** Milliseconds a query may take before it ends in `database_unavailable`. */
  deadlineMs: number
  /** PEM of the authority that signed the server's certificate. */
  ca?: string | undefined
}

export interface Database {
  /**
   * Runs statements with a client-side deadline. Throws Failure `database_unavailable` when Postgres cannot be reached, is
   * too slow or refuses, and `internal_error` when the statement itself was wrong. `patienceMs`: where the caller waits less long
   * than the deadline.
   */
  run<T>(work: (db: Drizzle) => PromiseLike<T>, patienceMs?: number): Promise<T>
  transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T>
  /** Statements prepared once per pool: call the result to get those of the present one. */
  prepared<T>(prepare: (db: Drizzle) => T): (db: Drizzle) => T
  close(): Promise<void>
}

interface Pool {
  sql: postgres.Sql
  db: Drizzle
  /** When Postgres last answered anything here; to tell a slow query from a dead pool. */
  lastAnswer: number
}

export function openDatabase(options: DatabaseOptions): Database {
  let pool = openPool(options)
  const retired = new Set<Promise<void>>()
  let closed = false

  /** `grace` in milliseconds: how long its other queries may still take. */
  function retire(dead: Pool, grace: number): void {
    if (pool !== dead || closed) return
    pool = openPool(options)
    const ending = dead.sql.end({ timeout: grace / 1000 }).catch(() => {}).finally(() => retired.delete(ending))
    retired.add(ending)
  }

  // postgres.js has no query time-out: a connection that silently died would hold its queries for ever. Where nothing at all was
  // answered since a query began, its pool is thrown away; its other queries fail at once, in words.
  function retireIfSilent(used: Pool, since: number): void {
    if (used.lastAnswer <= since) retire(used, 0)
  }

  async function run<T>(work: (db: Drizzle) => PromiseLike<T>, patienceMs = Infinity): Promise<T> {
    const used = pool
    const began = performance.now()
    let timer: NodeJS.Timeout | undefined
    const deadline = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        // An impatient caller's haste says nothing about the pool yet.
        const rest = options.deadlineMs - patienceMs
        if (rest > 0) setTimeout(retireIfSilent, rest, used, began).unref()
        else retireIfSilent(used, began)
        reject(new Failure('database_unavailable', { detail: 'deadline' }))
      }, Math.min(options.deadlineMs, patienceMs))
    })
    const answer = Promise.resolve(work(used.db)).then(
      (value) => {
        used.lastAnswer = performance.now()
        return value
      },
      (error: unknown) => {
        const failure = translate(error)
        if (failure.code !== 'database_unavailable') used.lastAnswer = performance.now()
        // postgres.js 3.4 can be left with half a message on a connection that closed, and then never opens it again.
        if (isLost(error)) retire(used, options.deadlineMs)
        throw failure
      },
    )
    try {
      return await Promise.race([answer, deadline])
    } finally {
      clearTimeout(timer)
    }
  }

  return {
    run,
    transaction: (work) => run((db) => db.transaction((tx) => neverIfLost(work(tx)))),
    prepared<T>(prepare: (db: Drizzle) => T) {
      const perPool = new WeakMap<Drizzle, T>()
      return (db) => {
        let statements = perPool.get(db)
        if (statements === undefined) perPool.set(db, (statements = prepare(db)))
        return statements
      }
    },
    async close() {
      closed = true
      await pool.sql.end({ timeout: 5 })
      await Promise.all(retired)
    },
  }
}

function openPool(options: DatabaseOptions): Pool {
  const sql = postgres(options.url, {
    max: options.poolSize,
    prepare: options.prepare,
    fetch_types: false,
    connect_timeout: Math.max(1, Math.ceil(options.deadlineMs / 1000)),
    idle_timeout: 300,
    // Seconds. By itself postgres.js waits up to 20 s between tries, long after Postgres is back.
    backoff: (tries: number) => Math.min(3 ** tries / 100, 0.5),
    onnotice: () => {},
    ...tlsOf(options),
  })
  return { sql, db: drizzle(sql), lastAnswer: 0 }
}

/**
 * Of a transaction whose connection is lost, postgres.js 3.4 sends ROLLBACK to a socket that is no more, and that ends the process
 * (porsager/postgres#1208). It does so only when the work fails; by itself it notices the loss all the same.
 */
function neverIfLost<T>(work: Promise<T>): Promise<T> {
  return work.catch((error: unknown) => isLost(error) ? new Promise<never>(() => {}) : Promise.reject(error))
}

/** The connection broke under a statement, as opposed to: the statement failed, or there was no connection to be had. */
function isLost(error: unknown): boolean {
  const { code } = causeOf(error)
  return typeof code === 'string' && /^(?:57P0|08|CONNECTION_CLOSED|CONNECT_TIMEOUT|ECONNRESET|EPIPE|ETIMEDOUT)/.test(code)
}

/** With `ca` the server's certificate is always verified, its name included (sslmode verify-full). For the driver. */
export function tlsOf({ url, ca }: Pick<DatabaseOptions, 'url' | 'ca'>): { ssl?: { ca: string; rejectUnauthorized: true; host?: string } } {
  if (ca === undefined) return {}
  // postgres.js names no server where the host is an address: Node would then look for "localhost" in the certificate.
  const host = new URL(url).hostname.replace(/^\[|\]$/g, '')
  return { ssl: { ca, rejectUnauthorized: true, ...(isIP(host) === 0 ? {} : { host }) } }
}

/** SQLSTATE classes that say the statement was wrong, not the database: data, constraint, syntax or access. */
const OUR_FAULT = /^(22|23|42)/

/** By named fields only: message, stack and `params` of these errors carry values (style.md, drizzle-orm). */
function translate(error: unknown): Failure {
  if (error instanceof Failure) return error
  const { code, constraint_name: constraint } = causeOf(error)
  const state = typeof code === 'string' && /^[A-Z0-9_]{1,40}$/.test(code) ? code : 'unknown'
  const where = typeof constraint === 'string' && /^[a-z0-9_]{1,63}$/.test(constraint) ? ` ${constraint}` : ''
  return OUR_FAULT.test(state)
    ? new Failure('internal_error', { detail: `database ${state}${where}` })
    : new Failure('database_unavailable', { detail: state === 'unknown' ? programmingError(error) : state })
}

function causeOf(error: unknown): { code?: unknown; constraint_name?: unknown } {
  return ((error as { cause?: object }).cause ?? error) as object
}

function programmingError(error: unknown): string {
  return error instanceof TypeError || error instanceof RangeError ? `unknown (${error.name})` : 'unknown'
}
