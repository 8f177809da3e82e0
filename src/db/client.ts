/**
 * db owns Postgres: schema, migrations, every SQL statement, and the translation of the driver's errors. It must not know
 * Fastify, Microsoft or the environment. Nothing of the driver's errors but SQLSTATE and names leaves this folder: drizzle
 * writes parameters into message and stack.
 *
 * The service needs nothing of a database session (design 4), so PgBouncer in transaction mode works.
 */
import { createConnection, isIP } from 'node:net'
import { drizzle, type PostgresJsDatabase } from './drizzle.ts'
import postgres from 'postgres'
import { createPools } from './connections.ts'
import { isLost } from './driver-errors.ts'
import { DRIVER_TYPES } from './driver-types.ts'

export type Drizzle = PostgresJsDatabase<Record<string, never>>
export type Transaction = Parameters<Parameters<Drizzle['transaction']>[0]>[0]

export interface DatabaseOptions {
  url: string
  /** `false` behind PgBouncer older than 1.21 or without `max_prepared_statements` (design 4). */
  prepare: boolean
  /** Connections, all in all. */
  poolSize: number
  /** Milliseconds a query may take before it ends in `database_unavailable`. */
  deadlineMs: number
  /** PEM of the authority that signed the server's certificate. */
  ca?: string | undefined
}

/** A row as the driver gives it: text and numbers parsed, `bytea` as Buffer, what it does not know as text. */
export type RawRow = Record<string, unknown>

export interface Database {
  /** Milliseconds after which every statement has ended for who waits for it. */
  readonly deadlineMs: number
  /**
   * Runs statements with a client-side deadline. Throws Failure `database_unavailable` when Postgres cannot be reached, is
   * too slow or refuses, and `internal_error` when the statement itself was wrong. `timeoutMs`: where the caller waits less long
   * than the deadline.
   */
  run<T>(work: (db: Drizzle) => PromiseLike<T>, timeoutMs?: number): Promise<T>
  /** One statement as it stands, for the paths that every token takes: drizzle would build and map it anew each time. Fails as `run` does. */
  query<Row extends RawRow>(text: string, parameters: readonly Parameter[], timeoutMs?: number): Promise<Row[]>
  /**
   * The same for a quick read that waits for no lock. In a pool of READS_APART_FROM such reads have connections of their own, which nobody
   * who does wait for one keeps busy. Tried a second time when its connection is lost.
   */
  read<Row extends RawRow>(text: string, parameters: readonly Parameter[], timeoutMs?: number): Promise<Row[]>
  transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T>
  close(): Promise<void>
}

export type Parameter = string | number | boolean | Buffer | null

/** Connections for quick reads, out of the pool's. Two: while one answers, what is asked meanwhile can go on the other (bench/README.md). */
const READ_CONNECTIONS = 2
/** A smaller pool cannot spare them. */
const READS_APART_FROM = 6

export function openDatabase(options: DatabaseOptions): Database {
  const { poolSize, prepare, deadlineMs } = options
  const openPool = createPools(deadlineMs, () => {
    const { sql, retire } = connect(options)
    return { sql, retire, db: drizzle(sql) }
  })
  const apart = poolSize >= READS_APART_FROM ? READ_CONNECTIONS : 0
  const pool = openPool(poolSize - apart)
  const reading = apart === 0 ? pool : openPool(apart)
  const send =
    <Row extends RawRow>(text: string, parameters: readonly Parameter[]) =>
    ({ sql }: { sql: postgres.Sql }) =>
      sql.unsafe<Row[]>(text, parameters as Parameter[], { prepare })

  return {
    deadlineMs,
    run: (work, timeoutMs) => pool.run(({ db }) => work(db), { timeoutMs }),
    query: (text, parameters, timeoutMs) => pool.run(send(text, parameters), { timeoutMs }),
    read: (text, parameters, timeoutMs) => reading.run(send(text, parameters), { timeoutMs, again: true }),
    transaction: (work) => pool.run(({ db }) => db.transaction((tx) => neverIfLost(work(tx)))),
    async close() {
      await Promise.all([pool.close(), reading.close()])
    },
  }
}

function connect(options: DatabaseOptions): { sql: postgres.Sql; retire(): void } {
  let retired = false
  const sql = postgres(options.url, {
    // One that is retired must not come back to life: postgres.js 3.4.9 opens a connection anew for what still waits in it, ended or not,
    // and keeps it beside those of its successor.
    socket({ host: [host], port: [port] }: { host: string[]; port: number[] }) {
      if (retired) throw Object.assign(new Error(), { code: 'CONNECTION_DESTROYED' })
      return Object.assign(createConnection(port!, host), { host, port })
    },
    max: 1,
    prepare: options.prepare,
    fetch_types: false,
    types: DRIVER_TYPES,
    connect_timeout: Math.max(1, Math.ceil(options.deadlineMs / 1000)),
    idle_timeout: 300,
    // Seconds. By itself postgres.js waits up to 20 s between tries, long after Postgres is back.
    backoff: (tries: number) => Math.min(3 ** tries / 100, 0.5),
    onnotice: () => {},
    ...tlsOf(options),
  } as postgres.Options<Record<string, postgres.PostgresType>>)
  return { sql, retire: () => void (retired = true) }
}

/**
 * Of a transaction whose connection is lost, postgres.js 3.4 sends ROLLBACK to a socket that is no more, and that ends the process
 * (porsager/postgres#1208). It does so only when the work fails; by itself it notices the loss all the same.
 */
function neverIfLost<T>(work: Promise<T>): Promise<T> {
  return work.catch((error: unknown) => (isLost(error) ? new Promise<never>(() => {}) : Promise.reject(error)))
}

/** With `ca` the server's certificate is always verified, its name included (sslmode verify-full). For the driver. */
export function tlsOf({ url, ca }: Pick<DatabaseOptions, 'url' | 'ca'>): {
  ssl?: { ca: string; rejectUnauthorized: true; host?: string }
} {
  if (ca === undefined) return {}
  // postgres.js names no server where the host is an address: Node would then look for "localhost" in the certificate.
  const host = new URL(url).hostname.replace(/^\[|\]$/g, '')
  return { ssl: { ca, rejectUnauthorized: true, ...(isIP(host) === 0 ? {} : { host }) } }
}
