import type { FrozenPerson } from '../core/freeze.ts'
import type { Database } from './client.ts'
import { and, eq, gt, sql } from './drizzle.ts'
import { auditEntries, browserSessions, connectSessions, events, freezes, integrations } from './schema.ts'

// All users of an organisation, and all that is stored about one user. For commands.

const isOfTenant = (tenantId: string) => sql`lower(${integrations.tenantId}) = ${tenantId}`

/** How many integrations a freeze would concern. `value` of a tenant: lower case. */
export async function affectedBy(
  database: Database,
  { scope, value }: { scope: FrozenPerson | 'caller_key'; value: string },
): Promise<number> {
  const [row] = await database.run((db) =>
    db
      .select({ count: sql<number>`count(*)::int` })
      .from(integrations)
      .where(scope === 'user' ? eq(integrations.userId, value) : isOfTenant(value)),
  )
  return row?.count ?? 0
}

/**
 * A page of user ids of a tenant (lower case), after `after`; `unknown`: integrations whose tenant is not known yet.
 */
export async function usersOfTenant(
  database: Database,
  tenantId: string,
  after: string,
  limit: number,
): Promise<{ users: string[]; unknown: number }> {
  const rows = await database.run((db) =>
    db
      .select({ userId: integrations.userId })
      .from(integrations)
      .where(and(isOfTenant(tenantId), gt(integrations.userId, after)))
      .orderBy(integrations.userId)
      .limit(limit),
  )
  const [row] = await database.run((db) =>
    db
      .select({ count: sql<number>`count(*)::int` })
      .from(integrations)
      .where(sql`${integrations.tenantId} is null`),
  )
  return { users: rows.map(({ userId }) => userId), unknown: row?.count ?? 0 }
}

/** Columns that are secrets, or proofs that open something. They are named in the export and their values left out. */
export const WITHHELD_COLUMNS = [
  'oauth2_integration.access_token',
  'oauth2_integration.refresh_token',
  'connect_session.ticket_hash',
  'connect_session.state_hash',
  'connect_session.browser_session',
  'connect_session.pkce_verifier',
  'connect_session.code',
  'connect_session.nonce',
  'browser_session.id_hash',
  'browser_session.data',
] as const

/** Every table that holds rows of a user, and by which column. */
export const TABLES_OF_USERS = [
  { name: 'oauth2_integration', table: integrations, of: (userId: string) => eq(integrations.userId, userId) },
  { name: 'connect_session', table: connectSessions, of: (userId: string) => eq(connectSessions.userId, userId) },
  { name: 'browser_session', table: browserSessions, of: (userId: string) => eq(browserSessions.userId, userId) },
  { name: 'event', table: events, of: (userId: string) => eq(events.userId, userId) },
  {
    name: 'access_freeze',
    table: freezes,
    of: (userId: string) => and(eq(freezes.scope, 'user'), eq(freezes.value, userId)),
  },
  {
    name: 'audit_entry',
    table: auditEntries,
    of: (userId: string) => sql`${auditEntries.facts} ->> 'user_id' = ${userId}
      or ${auditEntries.facts} ->> 'scope' = 'user' and ${auditEntries.facts} ->> 'value' = ${userId}`,
  },
] as const

/** All rows of a user, by table. A withheld value is `(withheld)`, so that one sees that it is stored. */
export async function exportUser(database: Database, userId: string): Promise<Record<string, object[]>> {
  const tables: Record<string, object[]> = {}
  for (const { name, table, of } of TABLES_OF_USERS) {
    const rows = await database.run((db) =>
      db.execute<{ row: Record<string, unknown> }>(
        sql`select to_jsonb(${table}) ${sql.raw(withheldOf(name))} as row from ${table} where ${of(userId)}`,
      ),
    )
    tables[name] = rows.map(({ row }) => ({
      ...row,
      ...Object.fromEntries(withheld(name).map((column) => [column, '(withheld)'])),
    }))
  }
  return tables
}

const withheld = (table: string): string[] =>
  WITHHELD_COLUMNS.filter((name) => name.startsWith(`${table}.`)).map((name) => name.slice(table.length + 1))
/** They do not even leave Postgres. */
const withheldOf = (table: string): string =>
  withheld(table)
    .map((column) => `- '${column}'`)
    .join(' ')
