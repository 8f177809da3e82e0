import type { SealContext } from '../core/ports.ts'
import type { Database } from './client.ts'
import { asc, desc, sql } from './drizzle.ts'
import { integrations } from './schema.ts'

// What only doctor reads, not the service. Reads only.

/** The version that Postgres reports. */
export async function serverVersion(database: Database): Promise<string> {
  const [row] = await database.run((db) => db.execute<{ server_version: string }>(sql`show server_version`))
  return row?.server_version ?? 'of unknown version'
}

/** The sealed refresh tokens that were written first and last, with what is needed to open them. Two index reads. */
export async function sealedSamples(database: Database): Promise<{ context: SealContext; sealed: Uint8Array }[]> {
  const { id, userId, provider, refreshToken, refreshedAt } = integrations
  const rows = await Promise.all(
    [asc, desc].map((order) =>
      database.run((db) =>
        db.select({ id, userId, provider, refreshToken }).from(integrations).orderBy(order(refreshedAt)).limit(1),
      ),
    ),
  )
  return rows.flat().map((row) => ({
    context: {
      table: 'oauth2_integration',
      column: 'refresh_token',
      provider: row.provider,
      userId: row.userId,
      recordId: row.id,
    },
    sealed: row.refreshToken,
  }))
}
