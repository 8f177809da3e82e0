/**
 * db owns Postgres: schema, migrations, every SQL statement, and the translation of the driver's errors. It must not know
 * Fastify, Microsoft or the environment. Nothing of the driver's errors but SQLSTATE and names leaves this folder: drizzle
 * writes parameters into message and stack.
 *
 * The service needs nothing of a database session (design 4), so PgBouncer in transaction mode works.
 */
import { drizzle, type PostgresJsDatabase } from 'drizzle-orm/postgres-js'
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
   * too slow or refuses, and `internal_error` when the statement itself was wrong.
   */
  run<T>(work: (db: Drizzle) => PromiseLike<T>): Promise<T>
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

  function retire(dead: Pool): void {
    if (pool !== dead || closed) return
    pool = openPool(options)
    const ending = dead.sql.end({ timeout: 0 }).catch(() => {}).finally(() => retired.delete(ending))
    retired.add(ending)
  }

  async function run<T>(work: (db: Drizzle) => PromiseLike<T>): Promise<T> {
    const used = pool
    const began = performance.now()
    let timer: NodeJS.Timeout | undefined
    const deadline = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        // postgres.js has no query time-out: a connection that silently died would hold its queries for ever. Where nothing
        // at all was answered since this query began, the pool is thrown away; its other queries fail at once, in words.
        if (used.lastAnswer <= began) retire(used)
        reject(new Failure('database_unavailable', { detail: 'deadline' }))
      }, options.deadlineMs)
    })
    const answer = Promise.resolve(work(used.db)).then(
      (value) => {
        used.lastAnswer = performance.now()
        return value
      },
      (error: unknown) => {
        const failure = translate(error)
        if (failure.code !== 'database_unavailable') used.lastAnswer = performance.now()
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
    transaction: (work) => run((db) => db.transaction(work)),
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
    onnotice: () => {},
    ...(options.ca === undefined ? {} : { ssl: { ca: options.ca, rejectUnauthorized: true } }),
  })
  return { sql, db: drizzle(sql), lastAnswer: 0 }
}

/** SQLSTATE classes that say the statement was wrong, not the database: data, constraint, syntax or access. */
const OUR_FAULT = /^(22|23|42)/

/** By named fields only: message, stack and `params` of these errors carry values (style.md, drizzle-orm). */
function translate(error: unknown): Failure {
  if (error instanceof Failure) return error
  const cause = (error as { cause?: unknown }).cause ?? error
  const { code, constraint_name: constraint } = cause as { code?: unknown; constraint_name?: unknown }
  const state = typeof code === 'string' && /^[A-Z0-9_]{1,40}$/.test(code) ? code : 'unknown'
  const where = typeof constraint === 'string' && /^[a-z0-9_]{1,63}$/.test(constraint) ? ` ${constraint}` : ''
  return OUR_FAULT.test(state)
    ? new Failure('internal_error', { detail: `database ${state}${where}` })
    : new Failure('database_unavailable', { detail: state === 'unknown' ? programmingError(error) : state })
}

function programmingError(error: unknown): string {
  return error instanceof TypeError || error instanceof RangeError ? `unknown (${error.name})` : 'unknown'
}
