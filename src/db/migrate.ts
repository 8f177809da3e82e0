import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import postgres from 'postgres'
import { Failure } from '../core/failure.ts'
import { tlsOf, type Database, type Drizzle } from './client.ts'
import { createHosts, takesWrites } from './hosts.ts'
import { drizzle, migrate as applyMigrations, sql } from './drizzle.ts'

const MIGRATIONS = fileURLToPath(new URL('./migrations', import.meta.url))

/** Any fixed number, the same in every release: drizzle's migrate() takes no lock of its own. */
const MIGRATION_LOCK = 7_290_420

/** Milliseconds another migration may hold the lock before this one gives up. */
const LOCK_TIMEOUT_MS = 60_000

interface Journal {
  entries: { when: number; tag: string }[]
}
const journal = (): Journal => JSON.parse(readFileSync(`${MIGRATIONS}/meta/_journal.json`, 'utf8')) as Journal

/**
 * Migrates the database to this release under a session lock, so that several jobs may call it at once. Resolves with
 * the tags of the migrations that it applied. Throws Failure `database_unavailable`, its detail naming a pooler where
 * there is one: a session lock taken through a pooler protects nothing.
 */
export async function migrate(
  first: string,
  options: { ca?: string | undefined; otherUrls?: readonly string[] | undefined } = {},
): Promise<{ applied: string[] }> {
  const url = await writable([first, ...(options.otherUrls ?? [])], options.ca)
  const client = postgres(url, {
    max: 1,
    fetch_types: false,
    prepare: false,
    onnotice: () => {},
    connect_timeout: 10,
    // A start-up parameter: Postgres takes it, a pooler in transaction mode refuses or drops it. Also bounds the lock
    // below.
    connection: { lock_timeout: LOCK_TIMEOUT_MS },
    ...tlsOf({ url, ca: options.ca }),
  })
  try {
    const [setting] = await client`select setting from pg_settings where name = 'lock_timeout'`
    if (setting?.['setting'] !== String(LOCK_TIMEOUT_MS)) throw throughPooler()
    await client`select pg_advisory_lock(${MIGRATION_LOCK})`
    const db = drizzle(client)
    const before = await appliedAt(db)
    await applyMigrations(db, { migrationsFolder: MIGRATIONS })
    return {
      applied: journal()
        .entries.filter((entry) => entry.when > before)
        .map((entry) => entry.tag),
    }
  } catch (error) {
    throw error instanceof Failure ? error : migrationFailure(error)
  } finally {
    await client.end({ timeout: 5 })
  }
}

/** The URL of the host that takes writes. */
async function writable(urls: readonly [string, ...string[]], ca: string | undefined): Promise<string> {
  if (urls.length === 1) return urls[0]
  const hosts = createHosts(urls, { probe: (url) => takesWrites(url, tlsOf({ url, ca })), onMove: () => {} })
  const index = await hosts.choose().catch((error: unknown) => {
    throw migrationFailure(error)
  })
  return urls[index]!
}

const throughPooler = () =>
  new Failure('database_unavailable', { detail: 'migrate needs a direct connection, this one leads through a pooler' })

/**
 * Only the SQLSTATE: the driver's message holds statements and values. 08P01 is what PgBouncer answers to unknown
 * parameters.
 */
function migrationFailure(error: unknown): Failure {
  const { code } = ((error as { cause?: unknown }).cause ?? error) as { code?: unknown }
  if (code === '08P01') return throughPooler()
  return new Failure('database_unavailable', {
    detail: `migrate ${typeof code === 'string' && /^\w{1,40}$/.test(code) ? code : 'unknown'}`,
  })
}

/** Journal time (milliseconds) of the newest migration in the database; 0 when there is none. */
async function appliedAt(db: Drizzle): Promise<number> {
  const [table] = await db.execute<{ name: string | null }>(
    sql`select to_regclass('drizzle.__drizzle_migrations')::text as name`,
  )
  if (table?.name == null) return 0
  const [row] = await db.execute<{ at: string }>(
    sql`select coalesce(max(created_at), 0) as at from drizzle.__drizzle_migrations`,
  )
  return Number(row?.at ?? 0)
}

/** `behind`: this release has migrations that the database lacks. `ahead`: a newer release migrated it. */
export async function migrationState(database: Database): Promise<'current' | 'behind' | 'ahead'> {
  const at = await database.run(appliedAt)
  const newest = Math.max(...journal().entries.map((entry) => entry.when))
  return at < newest ? 'behind' : at > newest ? 'ahead' : 'current'
}
