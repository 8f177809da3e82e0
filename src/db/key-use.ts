import type { KeyUse, KeyUseStore } from '../core/harvest.ts'
import { estimate, mergeSketch, SKETCH_BYTES } from '../core/user-sketch.ts'
import { Failure } from '../core/failure.ts'
import type { Database, Transaction } from './client.ts'
import { sql } from './drizzle.ts'
import { callerKeyUse, deployment } from './schema.ts'

const HOUR = sql`date_trunc('hour', now(), 'UTC')`

/** Sketches of the harvest alarm (docs/design.md#harvest-alarm). */
export function createKeyUseStore(database: Database): KeyUseStore {
  return {
    async sketchKey() {
      const [row] = await database.run((db) =>
        db
          .update(deployment)
          .set({ sketchKey: sql`coalesce(${deployment.sketchKey}, gen_random_uuid())` })
          .returning({ key: deployment.sketchKey }),
      )
      if (row?.key == null) throw new Failure('broker_misconfigured', { detail: 'no deployment is recorded' })
      return row.key
    },

    present: () => database.run((db) => present(db)),

    merge: (sketches) =>
      database.transaction(async (tx) => {
        // In one order, so that two replicas that merge the same keys cannot deadlock.
        for (const [keyId, sketch] of [...sketches].sort(([a], [b]) => (a < b ? -1 : 1))) {
          await tx
            .insert(callerKeyUse)
            .values({ keyId, hour: HOUR, sketch: Buffer.alloc(SKETCH_BYTES), users: 0 })
            .onConflictDoNothing()
          const here = sql`${callerKeyUse.keyId} = ${keyId} and ${callerKeyUse.hour} = ${HOUR}`
          const [stored] = await tx.select({ sketch: callerKeyUse.sketch }).from(callerKeyUse).where(here).for('update')
          const merged = Buffer.alloc(SKETCH_BYTES)
          if (stored !== undefined) mergeSketch(merged, stored.sketch)
          if (!mergeSketch(merged, sketch)) continue
          await tx
            .update(callerKeyUse)
            .set({ sketch: merged, users: estimate(merged) })
            .where(here)
        }
        return present(tx)
      }),
  }
}

async function present(db: Pick<Transaction, 'execute'>): Promise<KeyUse[]> {
  const rows = await db.execute<{ key_id: string; users: number; busiest: number | null }>(sql`
    select this.key_id, this.users, (select max(other.users) from ${callerKeyUse} as other
      where other.key_id = this.key_id and other.hour < ${HOUR} and other.hour > now() - interval '14 days') as busiest
    from ${callerKeyUse} as this where this.hour = ${HOUR}`)
  return rows.map(({ key_id: keyId, users, busiest }) => ({ keyId, users, busiest: busiest ?? 0 }))
}
