import { eq, sql } from './drizzle.ts'
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
export async function recordedDeployment(
  database: Database,
): Promise<{ publicBaseUrl: string; epoch: string } | undefined> {
  const [row] = await database.run((db) =>
    db.select({ publicBaseUrl: deployment.publicBaseUrl, epoch: deployment.epoch }).from(deployment),
  )
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
    throw new Failure('broker_misconfigured', {
      detail: `this database belongs to ${recorded?.publicBaseUrl ?? 'nobody'}, not to ${publicBaseUrl}`,
    })
  }
  return { epoch: recorded.epoch }
}

/** The canaries of every key that may have sealed something in this database, by key id. */
export async function recordedSealingKeys(database: Database): Promise<Map<string, Buffer>> {
  const rows = await database.run((db) =>
    db.select({ keyId: sealingKeys.keyId, canary: sealingKeys.canary }).from(sealingKeys),
  )
  return new Map(rows.map(({ keyId, canary }) => [keyId, canary]))
}

/**
 * Every configured key whose id this database knows must be the one that bears it there; nothing is written. Throws Failure
 * `token_unreadable`, its detail the sentence for ops.
 */
export async function checkCanaries(database: Database, vault: Canaries): Promise<{ recorded: string[] }> {
  const recorded = await recordedSealingKeys(database)
  for (const keyId of vault.keyIds.filter((id) => recorded.has(id))) {
    try {
      vault.checkCanary(keyId, recorded.get(keyId)!)
    } catch {
      throw refused(
        `sealing key ${keyId} in SEALING_KEYS is another key than the one that sealed this database under that id: ` +
          'put the right one back, or give the new one an id of its own',
      )
    }
  }
  return { recorded: [...recorded.keys()] }
}

/**
 * Before serving: the canaries hold, and no key is missing that may have sealed something here. A key is written down when a
 * replica begins to seal with it, not while it only reads (a key that only reads may be taken away again), and struck out by
 * `reseal` when nothing is left under it. Throws Failure `token_unreadable`, its detail the sentence for ops.
 */
export async function proveSealingKeys(database: Database, vault: Canaries): Promise<void> {
  const { recorded } = await checkCanaries(database, vault)
  const missing = recorded.filter((keyId) => !vault.keyIds.includes(keyId))
  if (missing.length > 0) {
    throw refused(
      `SEALING_KEYS lacks ${missing.join(', ')}, under which values in this database are sealed: put it back behind the newest ` +
        'key and run "token-broker reseal" before it is taken away; if it is lost, see "token-broker reseal --forget"',
    )
  }
  const [newest = ''] = vault.keyIds
  if (recorded.includes(newest)) return
  await database.run((db) =>
    db
      .insert(sealingKeys)
      .values({ keyId: newest, canary: vault.sealCanary(newest) })
      .onConflictDoNothing(),
  )
  // Two replicas may begin at once, each with a key of its own under this id: the one that is too late finds out here.
  await checkCanaries(database, vault)
}

const refused = (detail: string) => new Failure('token_unreadable', { detail })

/** Strikes a key out of those that may have sealed something here. False: it was not among them. */
export async function forgetSealingKey(database: Database, keyId: string): Promise<boolean> {
  const rows = await database.run((db) =>
    db.delete(sealingKeys).where(eq(sealingKeys.keyId, keyId)).returning({ keyId: sealingKeys.keyId }),
  )
  return rows.length > 0
}

/** How far Postgres' clock is ahead of this process', milliseconds; for doctor. */
export async function clockDifference(database: Database, now: () => number): Promise<number> {
  const before = now()
  const [row] = await database.run((db) =>
    db.execute<{ at: number }>(sql`select (extract(epoch from clock_timestamp()) * 1000)::float8 as at`),
  )
  return (row?.at ?? Number.NaN) - (before + now()) / 2
}
