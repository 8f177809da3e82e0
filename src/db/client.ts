/**
 * db owns Postgres: schema, migrations, every SQL statement, and the translation of the driver's errors. It must not
 * know Fastify, Microsoft or the environment. Only SQLSTATE and names of the driver's errors leave this folder, because
 * drizzle writes parameters into message and stack.
 *
 * The service uses nothing that belongs to a database session (docs/design.md#database), so PgBouncer in transaction
 * mode works.
 */
import { createConnection, type LookupFunction } from 'node:net'
import { drizzle, type PostgresJsDatabase } from './drizzle.ts'
import postgres from 'postgres'
import { Failure } from '../core/failure.ts'
import { createPools, type PoolUse } from './fast-path/connections.ts'
import { DRIVER_TYPES } from './driver-types.ts'
import { isConnectionLost } from './driver-errors.ts'
import { databaseFailureKind } from './failure-kinds.ts'
import { createHosts, placeOf, takesWrites, type Hosts } from './hosts.ts'

export type Drizzle = PostgresJsDatabase<Record<string, never>>
export type Transaction = Parameters<Parameters<Drizzle['transaction']>[0]>[0]

export interface DatabaseOptions {
  url: string
  /** The same database on other hosts. One of all hosts takes writes, and that one is used (hosts.ts). */
  otherUrls?: readonly string[] | undefined
  /** `false` behind PgBouncer older than 1.21 or without `max_prepared_statements` (docs/design.md#database). */
  prepare: boolean
  /** `false`: each query of the fast path is a statement of its own (src/db/fast-path/README.md). Default: true. */
  batches?: boolean
  /** Connections in total. */
  poolSize: number
  /** Milliseconds that a statement may take before it fails with `database_unavailable` (`DATABASE_DEADLINE_MS`). */
  timeoutMs: number
  /** PEM of the authority that signed the server's certificate. */
  ca?: string | undefined
  /** Clock.elapsed. Default: the machine's. */
  elapsed?: () => number
  /** Called for each failure of the database, with the detail of its Failure (failure-kinds.ts). */
  onFailure?: (detail: string) => void
}

/** A row as the driver gives it: text and numbers parsed, `bytea` as Buffer, every other type as text. */
export type RawRow = Record<string, unknown>

/**
 * `deadlineAt` in all of them: when the caller stops waiting, milliseconds of Clock.elapsed. Absent: after `timeoutMs`.
 */
export interface Database {
  /** Milliseconds that a statement may take, waiting for a connection included, however long its caller waits. */
  readonly timeoutMs: number
  /** Whether queries that are asked at the same time share a statement. */
  readonly batches: boolean
  /** Milliseconds, monotonic: Clock.elapsed. */
  elapsed(): number
  /** When work that begins now has to end: at `deadlineAt`, but at most `timeoutMs` from now. */
  endsAt(deadlineAt?: number): number
  /**
   * Runs statements. Throws Failure `database_unavailable` when Postgres cannot be reached, is too slow or refuses, and
   * `internal_error` when the statement itself was wrong.
   */
  run<T>(work: (db: Drizzle) => PromiseLike<T>, deadlineAt?: number): Promise<T>
  /**
   * Sends one statement as it stands, for the paths that every token takes: drizzle would build and map the statement
   * each time. Fails as `run` does.
   */
  query<Row extends RawRow>(text: string, parameters: readonly Parameter[], deadlineAt?: number): Promise<Row[]>
  /**
   * As `query`, for a quick read that waits for no lock. With batches and a pool of at least MIN_POOL_WITH_READS, such
   * reads have connections of their own, so that statements that do wait for a lock never hold them up. It is sent a
   * second time if its connection is lost.
   */
  read<Row extends RawRow>(text: string, parameters: readonly Parameter[], deadlineAt?: number): Promise<Row[]>
  transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T>
  /** How the pools are used now; one of them if reads have no connections of their own. */
  pools(): ({ pool: 'statements' | 'reads' } & PoolUse)[]
  close(): Promise<void>
}

export type Parameter = string | number | boolean | Buffer | null

/**
 * Connections for quick reads, taken from the pool's. Two: while one is busy, the next batch can use the other
 * (bench/README.md).
 */
const READ_CONNECTIONS = 2
/** While the server that one name leads to is read-only. */
const PROBE_AGAIN_MS = 5_000
/** A smaller pool cannot spare them. */
const MIN_POOL_WITH_READS = 6

/**
 * Our transactions lock the rows that they decide on. With a stricter `default_transaction_isolation` of the database
 * or role they would fail (40001) instead of waiting. Both statements are sent at once, which costs no round trip.
 */
async function committedReads<T>(tx: Transaction, work: (tx: Transaction) => Promise<T>): Promise<T> {
  const [, result] = await Promise.all([tx.setTransaction({ isolationLevel: 'read committed' }), work(tx)])
  return result
}

export function openDatabase(options: DatabaseOptions): Database {
  const { poolSize, prepare, batches = true, timeoutMs, elapsed = () => performance.now() } = options
  const urls = [options.url, ...(options.otherUrls ?? [])]
  const hosts =
    urls.length === 1
      ? undefined
      : createHosts(urls, {
          probe: (url) => takesWrites(url, tlsOf({ url, ca: options.ca })),
          // When one connection changes host, all do: two hosts must not be used at once.
          onMove: () => openPool.replaceAll(),
        })
  const openPool = createPools({
    timeoutMs,
    elapsed,
    onFailure(detail) {
      options.onFailure?.(detail)
      if (hosts !== undefined || databaseFailureKind(detail) !== 'read_only') return
      isReadOnly = true
      lookAgain()
    },
    open() {
      const { sql, retire } = connect(options, urls, hosts)
      return { sql, retire, db: drizzle(sql) }
    },
  })
  /** One name: a write has failed because the server is read-only. */
  let isReadOnly = false
  let probedAt = -Infinity
  /**
   * While it is, a new connection is tried now and then: DNS or a proxy may lead to another server, or a setting may
   * have been changed. If it can write, all connections are replaced. Otherwise reads would stay at the old server,
   * which is perhaps an old primary that nobody updates any more.
   */
  function lookAgain(): void {
    if (elapsed() - probedAt < PROBE_AGAIN_MS) return
    probedAt = elapsed()
    takesWrites(options.url, tlsOf(options)).then(
      (writable) => {
        if (!writable || !isReadOnly) return
        isReadOnly = false
        openPool.replaceAll()
      },
      () => {},
    )
  }
  /** A host that fails may have been replaced by another. */
  function watched<T>(result: Promise<T>): Promise<T> {
    if (isReadOnly) lookAgain()
    if (hosts === undefined) return result
    return result.catch((error: unknown) => {
      if (error instanceof Failure && error.code === 'database_unavailable') hosts.doubt()
      throw error
    })
  }
  const readConnections = batches && poolSize >= MIN_POOL_WITH_READS ? READ_CONNECTIONS : 0
  const pool = openPool(poolSize - readConnections)
  const readPool = readConnections === 0 ? pool : openPool(readConnections)
  const endsAt = (deadlineAt = Infinity): number => Math.min(deadlineAt, elapsed() + timeoutMs)
  const send =
    <Row extends RawRow>(text: string, parameters: readonly Parameter[]) =>
    ({ sql }: { sql: postgres.Sql }) =>
      sql.unsafe<Row[]>(text, parameters as Parameter[], { prepare })

  return {
    timeoutMs,
    batches,
    elapsed,
    endsAt,
    run: (work, deadlineAt) => watched(pool.run(({ db }) => work(db), endsAt(deadlineAt))),
    query: (text, parameters, deadlineAt) => watched(pool.run(send(text, parameters), endsAt(deadlineAt))),
    read: (text, parameters, deadlineAt) =>
      watched(readPool.run(send(text, parameters), endsAt(deadlineAt), { again: true })),
    transaction: (work) =>
      watched(
        pool.run(({ db }) => db.transaction((tx) => pendingIfLost(committedReads(tx, work))), endsAt(), { once: true }),
      ),
    pools: () => [
      { pool: 'statements', ...pool.use() },
      ...(readPool === pool ? [] : [{ pool: 'reads' as const, ...readPool.use() }]),
    ],
    async close() {
      await Promise.all([pool.close(), readPool.close()])
    },
  }
}

function connect(
  options: DatabaseOptions,
  urls: readonly string[],
  hosts: Hosts | undefined,
): { sql: postgres.Sql; retire(): void } {
  let retired = false
  const places = urls.map(placeOf)
  /** The host of the one connection. */
  let place = places[0]!
  const sql = postgres(options.url, {
    // A retired client must stay closed: postgres.js 3.4.9 opens a new connection for statements that still wait in it,
    // even after `end`, and keeps that connection (docs/decisions/0001-postgres-js.md).
    async socket() {
      const index = await hosts?.choose().catch((error: Error) => error)
      if (retired) throw Object.assign(new Error(), { code: 'CONNECTION_DESTROYED' })
      place = places[typeof index === 'number' ? index : 0]!
      // An error that is thrown here would leave the client of postgres.js 3.4.9 waiting for ever.
      const lookup: LookupFunction | undefined = index instanceof Error ? failingLookup(index) : undefined
      const target = lookup === undefined ? place : { host: 'no-writable-host.invalid', port: place.port, lookup }
      return Object.assign(createConnection(target), place)
    },
    max: 1,
    prepare: options.prepare,
    fetch_types: false,
    types: DRIVER_TYPES,
    connect_timeout: Math.max(1, Math.ceil(options.timeoutMs / 1000)),
    idle_timeout: 300,
    // Seconds. The default of postgres.js is up to 20 s between tries, which is long after Postgres is back.
    backoff: (tries: number) => Math.min(3 ** tries / 100, 0.5),
    onnotice: () => {},
    connection: { application_name: 'token-broker' },
    ...tlsOf(options, () => place.host),
  } as postgres.Options<Record<string, postgres.PostgresType>>)
  return { sql, retire: () => void (retired = true) }
}

/**
 * When the work of a transaction fails because its connection is lost, postgres.js 3.4 sends ROLLBACK to the closed
 * socket, and that ends the process (porsager/postgres#1208). So such work stays pending: postgres.js notices the loss
 * and fails the transaction.
 */
function pendingIfLost<T>(work: Promise<T>): Promise<T> {
  return work.catch((error: unknown) =>
    isConnectionLost(error) ? new Promise<never>(() => {}) : Promise.reject(error),
  )
}

const failingLookup =
  (error: Error): LookupFunction =>
  (_host, _options, done) =>
    done(error, '', 4)

/**
 * TLS options for the driver. With `ca` the server's certificate and its name are always verified (sslmode
 * verify-full): of each host its own. `hostNow`: of the connection that begins.
 */
export function tlsOf(
  { url, ca }: Pick<DatabaseOptions, 'url' | 'ca'>,
  hostNow: () => string = () => placeOf(url).host,
): {
  ssl?: { ca: string; rejectUnauthorized: true; readonly host?: string }
} {
  if (ca === undefined) return {}
  // If the host is an address, postgres.js passes no server name, and Node would look for "localhost" in the
  // certificate. With a server name, Node does not use this.
  const ssl = { ca, rejectUnauthorized: true as const }
  return { ssl: Object.defineProperty(ssl, 'host', { get: hostNow, enumerable: true }) }
}
