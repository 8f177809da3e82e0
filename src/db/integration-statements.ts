import type { Drizzle } from './client.ts'
import { and, eq, isNull, lte, not, or, sql, type Column } from './drizzle.ts'
import { cleared, inSeconds, isFinal, PROVIDER, read } from './integration-rows.ts'
import { integrations } from './schema.ts'

// The statements of reading and refreshing, prepared: built once, and one round trip each.

/** Null where nothing new was told. */
const orAsItIs = (name: string, column: Column) => sql`coalesce(${sql.placeholder(name)}, ${column})`

export const integrationStatements = (db: Drizzle) => ({
  read: db.select(read).from(integrations)
    .where(and(eq(integrations.provider, PROVIDER), eq(integrations.userId, sql.placeholder('userId'))))
    .prepare('integration_read'),
  progress: db.select({
    generation: integrations.generation, status: integrations.status, retryIn: read.retryIn, leaseIn: read.leaseIn, final: isFinal,
  }).from(integrations).where(eq(integrations.id, sql.placeholder('id'))).prepare('integration_progress'),
  claim: db.update(integrations)
    .set({
      leaseOwner: sql`${sql.placeholder('owner')}`,
      leaseUntil: inSeconds(sql.placeholder('seconds')),
      lastUsedAt: sql`case when ${sql.placeholder('used')}::boolean then clock_timestamp() else ${integrations.lastUsedAt} end`,
    })
    .from(db.select({ priorId: sql<string>`id`.as('prior_id'), priorOwner: sql<string | null>`lease_owner`.as('prior_owner') })
      .from(integrations).where(eq(integrations.id, sql.placeholder('id'))).as('prior'))
    .where(and(
      sql`prior.prior_id = ${integrations.id}`,
      eq(integrations.generation, sql.placeholder('generation')),
      // Marked since it was read.
      eq(integrations.status, sql.placeholder('status')),
      not(isFinal),
      or(isNull(integrations.leaseUntil), lte(integrations.leaseUntil, sql`clock_timestamp()`)),
      or(isNull(integrations.retryAt), lte(integrations.retryAt, sql`clock_timestamp()`)),
    ))
    .returning({
      refreshToken: integrations.refreshToken,
      scopes: integrations.scopes,
      failures: integrations.failures,
      tenantId: integrations.tenantId,
      objectId: integrations.objectId,
      username: integrations.username,
      displayName: integrations.displayName,
      priorOwner: sql<string | null>`prior.prior_owner`,
    })
    .prepare('integration_claim'),
  saveActive: db.update(integrations)
    .set({
      ...cleared,
      accessToken: sql`${sql.placeholder('accessToken')}`,
      refreshToken: orAsItIs('refreshToken', integrations.refreshToken),
      accessTokenExpiresAt: inSeconds(sql.placeholder('seconds')),
      // No scope-token has a space in it (RFC 6749 3.3).
      scopes: sql`string_to_array(${sql.placeholder('scopes')}, ' ')`,
      tenantId: orAsItIs('tenantId', integrations.tenantId),
      objectId: orAsItIs('objectId', integrations.objectId),
      username: orAsItIs('username', integrations.username),
      displayName: orAsItIs('displayName', integrations.displayName),
    })
    .where(and(
      eq(integrations.id, sql.placeholder('id')),
      eq(integrations.generation, sql.placeholder('generation')),
      eq(integrations.status, 'active'),
    ))
    .returning(read)
    .prepare('integration_save'),
})
