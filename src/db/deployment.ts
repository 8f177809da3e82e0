import { sql } from 'drizzle-orm'
import { Failure } from '../core/failure.ts'
import type { Database } from './client.ts'
import { deployment, sealingKeys } from './schema.ts'

/** Proof of a sealing key, as the vault makes and checks it. */
export interface Canaries {
  readonly keyIds: readonly string[]
  sealCanary(keyId: string): Buffer
  /** Throws Failure `token_unreadable`. */
  checkCanary(keyId: string, sealed: Uint8Array): void
}

/** What stands in the database about the deployment it belongs to; nothing is written. */
export async function recordedDeployment(database: Database): Promise<{ publicBaseUrl: string; epoch: string } | undefined> {
  const [row] = await database.run((db) => db.select({ publicBaseUrl: deployment.publicBaseUrl, epoch: deployment.epoch }).from(deployment))
  return row
}

/**
 * The first start writes its public base URL down, every later one is compared: user 42 of another deployment is another person
 * (design 1). Throws Failure `broker_misconfigured` when the database belongs to another.
 */
export async function claimDeployment(database: Database, publicBaseUrl: string): Promise<{ epoch: string }> {
  await database.run((db) => db.insert(deployment).values({ publicBaseUrl }).onConflictDoNothing())
  const recorded = await recordedDeployment(database)
  if (recorded === undefined || recorded.publicBaseUrl !== publicBaseUrl) {
    throw new Failure('broker_misconfigured', { detail: `this database belongs to ${recorded?.publicBaseUrl ?? 'nobody'}, not to ${publicBaseUrl}` })
  }
  return { epoch: recorded.epoch }
}

/**
 * Every configured sealing key must be the one that bears its id in this database; new ones are written down. Throws Failure
 * `token_unreadable` when an id stands for another key, or when the database was sealed with keys of which none is configured.
 */
export async function proveSealingKeys(database: Database, vault: Canaries): Promise<void> {
  const rows = await database.run((db) => db.select({ keyId: sealingKeys.keyId, canary: sealingKeys.canary }).from(sealingKeys))
  const known = new Map(rows.map(({ keyId, canary }) => [keyId, canary]))
  for (const keyId of vault.keyIds) {
    const canary = known.get(keyId)
    if (canary !== undefined) vault.checkCanary(keyId, canary)
  }
  if (known.size > 0 && !vault.keyIds.some((keyId) => known.has(keyId))) {
    throw new Failure('token_unreadable', { detail: 'none of the configured sealing keys has ever sealed in this database' })
  }
  for (const keyId of vault.keyIds.filter((id) => !known.has(id))) {
    await database.run((db) => db.insert(sealingKeys).values({ keyId, canary: vault.sealCanary(keyId) }).onConflictDoNothing())
  }
}

/** How far Postgres' clock is ahead of this process', milliseconds; for doctor. */
export async function clockDifference(database: Database, now: () => number): Promise<number> {
  const before = now()
  const [row] = await database.run((db) => db.execute<{ at: number }>(sql`select (extract(epoch from clock_timestamp()) * 1000)::float8 as at`))
  return (row?.at ?? Number.NaN) - (before + now()) / 2
}
