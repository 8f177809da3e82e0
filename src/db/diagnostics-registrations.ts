import type { Database } from './client.ts'
import { sql, type SQL } from './drizzle.ts'
import { CLIENT_ID } from './fast-path/statements.ts'
import { scopesColumn, scopesOf } from './integration-rows.ts'
import { integrationWindows } from './page-windows.ts'
import { integrations } from './schema.ts'

// What doctor counts of all users. Reads only; each statement reads the whole table once.

/** Groups that are reported; nobody has more registrations or sets of permissions. */
const MAX_GROUPS = 100

/** `clientId`: null as long as the database records no registration for rows without one. */
export async function countsByRegistration(database: Database): Promise<{ clientId: string | null; count: number }[]> {
  const counts = await countsBy<string | null>(database, sql`${sql.raw(CLIENT_ID)}`)
  return counts.map(([clientId, count]) => ({ clientId, count }))
}

/** The largest groups of integrations with the same permissions. */
export async function countsByScopes(database: Database): Promise<{ scopes: string[]; count: number }[]> {
  const counts = await countsBy<string>(database, sql`${scopesColumn}`)
  return counts.map(([scopes, count]) => ({ scopes: scopesOf({ scopes }), count }))
}

/** The largest first. */
async function countsBy<Value extends string | null>(database: Database, value: SQL): Promise<[Value, number][]> {
  const counts = new Map<Value, number>()
  for await (const window of integrationWindows(database)) {
    const rows = await database.run((db) =>
      db
        .select({ value: sql<Value>`${value}`, count: sql<number>`count(*)::int` })
        .from(integrations)
        .where(window)
        .groupBy(sql`1`),
    )
    for (const row of rows) counts.set(row.value, row.count + (counts.get(row.value) ?? 0))
  }
  return [...counts].toSorted(([, a], [, b]) => b - a).slice(0, MAX_GROUPS)
}
