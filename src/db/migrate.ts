import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import postgres from 'postgres'
import { Failure } from '../core/failure.ts'
import { tlsOf, type Database, type Drizzle } from './client.ts'
import { createHosts, placeOptions, takesWrites } from './hosts.ts'
import { grantStatements } from './serving-role.ts'
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
 * Migrates the database to this release under a session lock, so that several jobs may call it at once, and gives
 * `servingRole` its rights. Resolves with the tags of the migrations that it applied. Throws Failure
 * `broker_misconfigured` if rights or that role are missing or the URL is wrong, `database_unavailable` otherwise. Its
 * detail names a pooler where there is one: a session lock taken through a pooler protects nothing.
 */
export async function migrate(
  first: string,
  options: {
    ca?: string | undefined
    otherUrls?: readonly string[] | undefined
    servingRole?: string | undefined
  } = {},
): Promise<{ applied: string[] }> {
  const url = await writableHost([first, ...(options.otherUrls ?? [])], options.ca).catch((error: unknown) => {
    throw migrationFailure(error)
  })
  const client = connectToMigrate(url, options.ca)
  try {
    if (!(await isDirect(client))) throw throughPooler()
    const { servingRole } = options
    await client`select pg_advisory_lock(${MIGRATION_LOCK})`
    // Before anything is changed: a name that is spelt wrong must not leave a database that only looks migrated.
    if (servingRole !== undefined && !(await roleExists(client, servingRole))) throw noServingRole()
    const db = drizzle(client)
    const before = await appliedAt(db)
    await applyMigrations(db, { migrationsFolder: MIGRATIONS })
    // Each time, because the role may be another one than last time.
    if (servingRole !== undefined)
      await client.begin(async (tx) => {
        for (const statement of grantStatements(servingRole)) await tx.unsafe(statement)
      })
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

async function roleExists(client: postgres.Sql, role: string): Promise<boolean> {
  const found = await client`select from pg_roles where rolname = ${role}`
  return found.length > 0
}

const noServingRole = () =>
  new Failure('broker_misconfigured', {
    detail: 'migrate: the role of DATABASE_SERVING_ROLE does not exist: create it, or correct the name (42704)',
  })

/** One connection as `migrate` makes it. */
export function connectToMigrate(url: string, ca: string | undefined): postgres.Sql {
  return postgres(url, {
    ...placeOptions(url),
    max: 1,
    fetch_types: false,
    prepare: false,
    onnotice: () => {},
    connect_timeout: 10,
    // A start-up parameter: Postgres takes it, a pooler in transaction mode refuses or drops it. Also bounds the lock
    // of a migration.
    connection: { lock_timeout: LOCK_TIMEOUT_MS },
    ...tlsOf({ url, ca }),
  })
}

/** False: a pooler is in between, and it dropped the parameter. */
export async function isDirect(client: postgres.Sql): Promise<boolean> {
  const [setting] = await client`select setting from pg_settings where name = 'lock_timeout'`
  return setting?.['setting'] === String(LOCK_TIMEOUT_MS)
}

/** The URL of the host that takes writes. Rejects as Hosts.choose does. */
export async function writableHost(urls: readonly [string, ...string[]], ca: string | undefined): Promise<string> {
  if (urls.length === 1) return urls[0]
  const hosts = createHosts(urls, { probe: (url) => takesWrites(url, tlsOf({ url, ca })), onMove: () => {} })
  return urls[await hosts.choose()]!
}

const throughPooler = () =>
  new Failure('database_unavailable', { detail: 'migrate needs a direct connection, this one leads through a pooler' })

/** What PgBouncer answers to start-up parameters that it does not know. */
export const UNKNOWN_PARAMETER = '08P01'

/** What stands in the way of a migration other than reaching Postgres, by SQLSTATE. */
const NOT_POSSIBLE: Readonly<Record<string, string>> = {
  '42501':
    'the user of the migration lacks rights: DATABASE_MIGRATION_URL must name the owner of the database and its tables',
  '28P01': 'the user or password of the migration is wrong: check DATABASE_MIGRATION_URL',
  '28000': 'Postgres refuses the user of the migration from here: check pg_hba.conf and DATABASE_MIGRATION_URL',
  '3D000': 'the database of the migration does not exist: create it, or correct DATABASE_MIGRATION_URL',
  '25006': 'the database of the migration is read-only or a standby: DATABASE_MIGRATION_URL must name the primary',
  '55P03': 'another migration or a long transaction holds a lock: try again when it has ended',
}

/** Only the SQLSTATE: the driver's message holds statements and values. */
function migrationFailure(error: unknown): Failure {
  const { code } = ((error as { cause?: unknown }).cause ?? error) as { code?: unknown }
  if (code === UNKNOWN_PARAMETER) return throughPooler()
  const state = typeof code === 'string' && /^\w{1,40}$/.test(code) ? code : 'unknown'
  const known = NOT_POSSIBLE[state]
  if (known !== undefined) return new Failure('broker_misconfigured', { detail: `migrate: ${known} (${state})` })
  return new Failure('database_unavailable', { detail: `migrate ${state}` })
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
