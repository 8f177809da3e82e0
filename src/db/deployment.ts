import { eq, isNull, sql } from './drizzle.ts'
import { Failure } from '../core/failure.ts'
import type { Database } from './client.ts'
import { deployment, integrations, sealingKeys } from './schema.ts'

/** Proof of a sealing key, as the vault makes and checks it. */
export interface Canaries {
  readonly keyIds: readonly string[]
  sealCanary(keyId: string): Buffer
  /** Throws Failure `token_unreadable`. */
  checkCanary(keyId: string, sealed: Uint8Array): void
}

/** The deployment that is recorded in the database; writes nothing. */
export async function recordedDeployment(
  database: Database,
): Promise<{ publicBaseUrl: string; epoch: string } | undefined> {
  const [row] = await database.run((db) =>
    db.select({ publicBaseUrl: deployment.publicBaseUrl, epoch: deployment.epoch }).from(deployment),
  )
  return row
}

/**
 * The first start records its public base URL, and every later start compares its own with it: user 42 of another
 * deployment is another person (docs/design.md#database). Throws Failure `broker_misconfigured` if the database belongs
 * to another deployment.
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

/**
 * Records, once, the app registration that integrations without one belong to: those of brokers before 1.0.0, which
 * knew one registration only. With `hasOthers` it cannot be known which one that was. Throws Failure
 * `broker_misconfigured` with a sentence for ops as its detail.
 */
export async function recordRegistration(
  database: Database,
  { clientId, hasOthers }: { clientId: string; hasOthers: boolean },
): Promise<void> {
  const [recorded] = await database.run((db) => db.select({ clientId: deployment.clientId }).from(deployment))
  if (recorded === undefined || recorded.clientId !== null) return
  if (hasOthers) {
    const [unnamed] = await database.run((db) =>
      db.select({ id: integrations.id }).from(integrations).where(isNull(integrations.clientId)).limit(1),
    )
    if (unnamed !== undefined)
      throw new Failure('broker_misconfigured', {
        detail:
          'some integrations name no app registration, because an older broker stored them: start once without ' +
          'MICROSOFT_PREVIOUS_CLIENTS and with the MICROSOFT_CLIENT_ID that they were connected with',
      })
  }
  await database.run((db) => db.update(deployment).set({ clientId }).where(isNull(deployment.clientId)))
}

/** The canaries of every key that may have sealed something in this database, by key id. */
export async function recordedSealingKeys(database: Database): Promise<Map<string, Buffer>> {
  const rows = await database.run((db) =>
    db.select({ keyId: sealingKeys.keyId, canary: sealingKeys.canary }).from(sealingKeys),
  )
  return new Map(rows.map(({ keyId, canary }) => [keyId, canary]))
}

/**
 * Every configured key whose id is recorded in this database must be the recorded key; writes nothing. Throws Failure
 * `token_unreadable` with a sentence for ops as its detail.
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
 * Before serving: the canaries open, and no key is missing that may have sealed a value here. A key is recorded when a
 * replica begins to seal with it, not while replicas only read with it (such a key may be removed again), and `reseal`
 * deletes the record when no value is left under it. Throws Failure `token_unreadable` with a sentence for ops as its
 * detail.
 */
export async function proveSealingKeys(database: Database, vault: Canaries): Promise<void> {
  const { recorded } = await checkCanaries(database, vault)
  const missing = recorded.filter((keyId) => !vault.keyIds.includes(keyId))
  if (missing.length > 0) {
    throw refused(
      `SEALING_KEYS lacks ${missing.join(', ')}, under which values in this database are sealed: put it back behind the newest ` +
        'key and run "token-broker reseal" before it is taken away; if it is lost, see "token-broker reseal --forget <key id>"',
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
  // Two replicas may start at once with different keys under this id: the later one fails here.
  await checkCanaries(database, vault)
}

const refused = (detail: string) => new Failure('token_unreadable', { detail })

/** Deletes the record of a key. False: there was none. */
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
    db.execute<{ at: number }>(sql`select extract(epoch from clock_timestamp()) * 1000 as at`),
  )
  return (row?.at ?? Number.NaN) - (before + now()) / 2
}
