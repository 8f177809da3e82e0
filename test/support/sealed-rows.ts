import { randomUUID } from 'node:crypto'
import type postgres from 'postgres'
import type { SealContext, Vault } from '../../src/core/ports.ts'

// Inserts rows with sealed values directly, without connecting.

export interface SealedRow {
  id: string
  userId: string
  accessToken: string
  refreshToken: string
}

export const contextOf = (
  { id, userId }: { id: string; userId: string },
  column: SealContext['column'],
): SealContext => ({
  table: column === 'code' || column === 'pkce_verifier' ? 'connect_session' : 'oauth2_integration',
  column,
  provider: 'microsoft',
  userId,
  recordId: id,
})

/** Inserts integrations sealed by this vault, valid for an hour. Resolves with them, ordered by id. */
export async function insertIntegrations(sql: postgres.Sql, vault: Vault, count: number): Promise<SealedRow[]> {
  const rows = Array.from({ length: count }, (_, i) => ({
    id: randomUUID(),
    userId: `row-${i}`,
    accessToken: `access-${i}`,
    refreshToken: `refresh-${i}`,
  }))
  rows.sort((a, b) => (a.id < b.id ? -1 : 1))
  await sql`insert into oauth2_integration ${sql(
    rows.map((row) => ({
      id: row.id,
      user_id: row.userId,
      status: 'active',
      generation: 1,
      access_token: vault.seal(contextOf(row, 'access_token'), row.accessToken),
      refresh_token: vault.seal(contextOf(row, 'refresh_token'), row.refreshToken),
      access_token_expires_at: new Date(Date.now() + 3_600_000).toISOString(),
      scopes: ['User.Read'],
    })),
  )}`
  return rows
}

/** All stored integrations, opened by this vault. */
export async function openIntegrations(sql: postgres.Sql, vault: Vault): Promise<SealedRow[]> {
  const rows = await sql`select id, user_id, access_token, refresh_token from oauth2_integration order by id`
  return rows.map((row) => {
    const { id, user_id: userId } = row as unknown as { id: string; user_id: string }
    return {
      id,
      userId,
      accessToken: vault.open(contextOf({ id, userId }, 'access_token'), row['access_token'] as Buffer),
      refreshToken: vault.open(contextOf({ id, userId }, 'refresh_token'), row['refresh_token'] as Buffer),
    }
  })
}
