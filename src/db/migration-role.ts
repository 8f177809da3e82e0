import type postgres from 'postgres'
import type { Database } from './client.ts'
import { getTableName, is, PgTable, sql } from './drizzle.ts'
import { connectToMigrate, isDirect, writableHost, UNKNOWN_PARAMETER } from './migrate.ts'
import * as schema from './schema.ts'

// Whether the next `migrate` will work, for doctor. Reads the catalog only.

const TABLES = Object.values(schema).flatMap((value: unknown) => (is(value, PgTable) ? [getTableName(value)] : []))

export interface MigrationRole {
  /** Its role. */
  user: string
  /** False: a pooler is in between. The others are then not known. */
  direct: boolean
  /** The database of the service is another one. */
  elsewhere: boolean
  readOnly: boolean
  /** Rights that it lacks, in words of SQL. */
  lacks: readonly string[]
}

/**
 * Resolves with the code of the driver or SQLSTATE if the connection could not be made or used within `timeoutMs`
 * (`deadline` then).
 */
export async function migrationRole(
  urls: readonly [string, ...string[]],
  { ca, database, timeoutMs }: { ca: string | undefined; database: Database; timeoutMs: number },
): Promise<MigrationRole | { failed: string }> {
  let client: postgres.Sql | undefined
  const timeout = new Promise<never>((_resolve, reject) => {
    setTimeout(() => reject(Object.assign(new Error('too slow'), { code: 'deadline' })), timeoutMs).unref()
  })
  try {
    const work = async () => {
      client = connectToMigrate(await writableHost(urls, ca), ca)
      return examine(client, database)
    }
    return await Promise.race([work(), timeout])
  } catch (error) {
    const { code } = error as { code?: unknown }
    if (code === UNKNOWN_PARAMETER) return { user: '', direct: false, elsewhere: false, readOnly: false, lacks: [] }
    return { failed: typeof code === 'string' && /^\w{1,40}$/.test(code) ? code : 'unknown' }
  } finally {
    await client?.end({ timeout: 1 })
  }
}

/** The start of the server and the database in it. */
const IDENTITY = `select concat(pg_postmaster_start_time(), ' ', (select oid from pg_database where datname = current_database())) as it`

async function examine(client: postgres.Sql, database: Database): Promise<MigrationRole> {
  const direct = await isDirect(client)
  const [found] = await client<
    { user: string; read_only: boolean; in_database: boolean; in_schemas: string; tables: string }[]
  >`
    select current_user as user, pg_is_in_recovery() or current_setting('transaction_read_only')::bool as read_only,
      has_database_privilege(current_database(), 'create') as in_database,
      (select coalesce(string_agg(nspname, ' ' order by nspname), '') from pg_namespace
        where nspname in ('public', 'drizzle')
        and not has_schema_privilege(oid, 'create')) as in_schemas,
      (select coalesce(string_agg(tablename, ' ' order by tablename), '') from pg_tables
        where (schemaname = 'drizzle' or schemaname = 'public'
          and tablename = any(string_to_array(${TABLES.join(' ')}, ' ')))
        and not pg_has_role(tableowner, 'usage')) as tables`
  const [own] = await client.unsafe(IDENTITY)
  const [ofTheService] = await database.run((db) => db.execute<{ it: string }>(sql.raw(IDENTITY)))
  if (found === undefined) throw new TypeError('a select without from has one row')
  const words = (text: string): string[] => text.split(' ').filter((word) => word !== '')
  const tables = words(found.tables)
  return {
    user: found.user,
    direct,
    elsewhere: own?.['it'] !== ofTheService?.it,
    readOnly: found.read_only,
    lacks: [
      ...(found.in_database ? [] : ['create on the database']),
      ...words(found.in_schemas).map((name) => `create on the schema ${name}`),
      ...(tables.length === 0 ? [] : [`ownership of ${tables.join(', ')}`]),
    ],
  }
}
