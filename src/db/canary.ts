import { RUN_AFTER_FAILURE_SECONDS, RUN_SECONDS, type CanaryFault, type CanaryStore } from '../core/canary.ts'
import { readCanaryFaults } from '../core/stored.ts'
import type { Database } from './client.ts'
import { sql } from './drizzle.ts'
import { epochOf, epochOrNull, isoOfEpoch } from './instants.ts'
import { canaryRuns } from './schema.ts'

/** The runs of the canary account (docs/design.md#canary): one row, the last of them. */
export function createCanaryStore(database: Database): CanaryStore {
  return {
    async claim() {
      const taken = await database.run((db) =>
        db
          .insert(canaryRuns)
          .values({})
          .onConflictDoUpdate({
            target: canaryRuns.one,
            set: { begunAt: sql`now()` },
            // Far in the future: the clock of Postgres was set back. A little: another took the run in this moment.
            setWhere: sql`${canaryRuns.begunAt} > now() + make_interval(secs => ${RUN_SECONDS}::int)
              or ${canaryRuns.begunAt} <= now() - make_interval(secs => case when ${canaryRuns.failures} > 0
                then ${RUN_AFTER_FAILURE_SECONDS}::int else ${RUN_SECONDS}::int end)`,
          })
          .returning({ one: canaryRuns.one }),
      )
      return taken.length > 0
    },

    async save(faults) {
      const failed = faults.length > 0
      const [row] = await database.run((db) =>
        db
          .update(canaryRuns)
          .set({
            endedAt: sql`now()`,
            faults,
            failures: failed ? sql`${canaryRuns.failures} + 1` : 0,
            failingSince: failed ? sql`coalesce(${canaryRuns.failingSince}, now())` : null,
          })
          .returning({ failures: canaryRuns.failures }),
      )
      return row?.failures ?? 0
    },

    async state() {
      const [row] = await database.run((db) =>
        db
          .select({
            begun: epochOf(sql`now() - ${canaryRuns.begunAt}`),
            ended: epochOrNull(sql`now() - ${canaryRuns.endedAt}`),
            failures: canaryRuns.failures,
            failingSince: epochOrNull(canaryRuns.failingSince),
            faults: canaryRuns.faults,
          })
          .from(canaryRuns),
      )
      if (row === undefined) return undefined
      const faults: readonly CanaryFault[] = readCanaryFaults(row.faults)
      return {
        begunSecondsAgo: row.begun,
        failures: row.failures,
        faults,
        ...(row.ended === null ? {} : { endedSecondsAgo: row.ended }),
        ...(row.failingSince === null ? {} : { failingSince: isoOfEpoch(row.failingSince) }),
      }
    },
  }
}
