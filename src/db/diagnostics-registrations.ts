import type { Database } from './client.ts'
import { sql } from './drizzle.ts'
import { CLIENT_ID } from './fast-path/statements.ts'
import { scopesColumn, scopesOf } from './integration-rows.ts'
import { integrations } from './schema.ts'

// What doctor counts of all users. Reads only; each statement reads the whole table once.

/** Groups that are reported; nobody has more registrations or sets of permissions. */
const MAX_GROUPS = 100

/** `clientId`: null as long as the database records no registration for rows without one. */
export async function countsByRegistration(database: Database): Promise<{ clientId: string | null; count: number }[]> {
  return database.run((db) =>
    db
      .select({ clientId: sql<string | null>`${sql.raw(CLIENT_ID)}`, count: sql<number>`count(*)::int` })
      .from(integrations)
      .groupBy(sql`1`)
      .orderBy(sql`2 desc`)
      .limit(MAX_GROUPS),
  )
}

/** The largest groups of integrations with the same permissions. */
export async function countsByScopes(database: Database): Promise<{ scopes: string[]; count: number }[]> {
  const rows = await database.run((db) =>
    db
      .select({ scopes: scopesColumn, count: sql<number>`count(*)::int` })
      .from(integrations)
      .groupBy(sql`1`)
      .orderBy(sql`2 desc`)
      .limit(MAX_GROUPS),
  )
  return rows.map((row) => ({ scopes: scopesOf(row), count: row.count }))
}
