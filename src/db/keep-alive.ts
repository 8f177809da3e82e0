import { and, eq, gt, isNull, lt, lte, not, or, sql, type SQL } from './drizzle.ts'
import type { KeepAliveDays, KeepAliveForecast, KeepAliveStore } from '../core/ports.ts'
import type { Database } from './client.ts'
import { appendEvent } from './events.ts'
import { lockUser } from './integration-rows.ts'
import { integrations } from './schema.ts'

// All integrations seen from above: which need a refresh to stay alive, which nobody uses, how many there are of each kind.

/** Days after which Microsoft lets an unused refresh token die (entra.md 3). */
export const INACTIVITY_DAYS = 90

// now(), not clock_timestamp(): only a stable expression can use the index.
const daysAgo = (days: number): SQL => sql`now() - make_interval(days => ${days})`
// What is in `failure` is compared as text and never cast: one row that holds something else must not break a query over all of them.
const refusedForGood = sql`(${integrations.status} = 'reconnect_required' and ${integrations.failure}->>'final' is distinct from 'false')`
/** Whether the failure was stored in the last so many days. One whose time cannot be read, or has not come yet, was not. */
const failedWithin = (days: number): SQL =>
  sql`coalesce((${integrations.failure}->>'at') collate "C" between ${asStored(-days)} and ${asStored(1)}, false)`
/** So many days from now as `failure.at` is written (integrations.ts): its order is that of its text. */
const asStored = (days: number): SQL =>
  sql`to_char((now() + make_interval(days => ${days})) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')`
/**
 * No caller's read has asked for a refresh. Of what is refused for good none does, and reads write nothing: whether it is used is not
 * known, so the refusal itself has to be as old. By then its refresh token has been dead for as long, and a connect is all that helps.
 */
const isUnused = ({ letGoAfterDays }: KeepAliveDays): SQL =>
  and(
    lt(integrations.lastUsedAt, daysAgo(letGoAfterDays)),
    not(sql`(${refusedForGood} and ${failedWithin(letGoAfterDays)})`),
  )!
const isDue = (days: KeepAliveDays): SQL =>
  and(lt(integrations.refreshedAt, daysAgo(days.afterDays)), not(refusedForGood), not(isUnused(days)))!
const count = (condition?: SQL) =>
  condition === undefined ? sql<number>`count(*)::int` : sql<number>`(count(*) filter (where ${condition}))::int`

export function createKeepAliveStore(database: Database): KeepAliveStore {
  return {
    due: ({ limit, from, ...days }) =>
      database.run((db) =>
        db
          .select({
            id: integrations.id,
            userId: integrations.userId,
            generation: integrations.generation,
            refreshedAt: integrations.refreshedAt,
          })
          .from(integrations)
          .where(
            and(
              isDue(days),
              // What fails does so once a day here, not with each sweep: a blocked account must not look like an attack.
              not(failedWithin(1)),
              or(isNull(integrations.retryAt), lte(integrations.retryAt, sql`now()`)),
              or(isNull(integrations.leaseUntil), lte(integrations.leaseUntil, sql`now()`)),
              from &&
                gt(
                  sql`(${integrations.refreshedAt}, ${integrations.id})`,
                  sql`(${from.refreshedAt}::timestamptz, ${from.id}::uuid)`,
                ),
            ),
          )
          .orderBy(integrations.refreshedAt, integrations.id)
          .limit(limit),
      ),

    async unused({ limit, ...days }) {
      const rows = await database.run((db) =>
        db.select({ userId: integrations.userId }).from(integrations).where(isUnused(days)).limit(limit),
      )
      return rows.map(({ userId }) => userId)
    },

    letGo: (userId, days) =>
      database.transaction(async (tx) => {
        await lockUser(tx, userId)
        const gone = await tx
          .delete(integrations)
          .where(and(eq(integrations.userId, userId), isUnused(days)))
          .returning({ id: integrations.id })
        if (gone.length > 0)
          await appendEvent(tx, { userId, type: 'disconnected', caller: 'broker', detail: { cause: 'unused' } })
        return gone.length > 0
      }),

    async forecast(days) {
      const dies = (within: number) =>
        count(and(not(refusedForGood), lt(integrations.refreshedAt, daysAgo(INACTIVITY_DAYS - within))))
      const [row] = await database.run((db) =>
        db
          .select({
            all: count(),
            due: count(isDue(days)),
            unused: count(isUnused(days)),
            in7: dies(7),
            in30: dies(30),
            in90: dies(90),
          })
          .from(integrations),
      )
      const { all = 0, due = 0, unused = 0, in7 = 0, in30 = 0, in90 = 0 } = row ?? {}
      return {
        all,
        due,
        unused,
        diesWithin: [
          { days: 7, count: in7 },
          { days: 30, count: in30 },
          { days: 90, count: in90 },
        ],
      } satisfies KeepAliveForecast
    },
  }
}

export interface IntegrationCounts {
  status: 'active' | 'reconnect_required'
  count: number
  /** Seconds since the oldest refresh among them; of those that are refused for good it says nothing, so they are left out. */
  oldestRefresh: number | null
}

/** How many integrations there are of each status. Reads the whole table: for metrics, at most once a minute. */
export async function integrationCounts(database: Database): Promise<IntegrationCounts[]> {
  return database.run((db) =>
    db
      .select({
        status: integrations.status,
        count: count(),
        oldestRefresh: sql<
          number | null
        >`extract(epoch from now() - min(${integrations.refreshedAt}) filter (where not ${refusedForGood}))::float8`,
      })
      .from(integrations)
      .groupBy(integrations.status),
  )
}
