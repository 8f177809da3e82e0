import { and, eq, gt, isNull, lt, lte, not, or, sql, type SQL } from './drizzle.ts'
import type { IntegrationStatus } from '../core/integration.ts'
import type { KeepAliveDays, KeepAliveForecast, KeepAliveStore } from '../core/ports.ts'
import type { Database } from './client.ts'
import { appendEvent } from './events.ts'
import { exactly } from './instants.ts'
import { lockUser } from './integration-rows.ts'
import { FROZEN_PERSON, statusOf } from './fast-path/statements.ts'
import { integrationWindows } from './page-windows.ts'
import { integrations } from './schema.ts'

// Statements over all integrations: which need a refresh to stay alive, which nobody uses, how many there are of each
// kind.

/** Days after which Microsoft invalidates an unused refresh token (docs/microsoft.md#lifetimes). */
export const INACTIVITY_DAYS = 90

// now(), not clock_timestamp(): only a stable expression can use the index.
const daysAgo = (days: number): SQL => sql`now() - make_interval(days => ${days})`
const status = sql<IntegrationStatus>`${sql.raw(statusOf())}`
// What is in `failure` is compared as text and never cast: one row with another value must not break a query over all
// of them.
const refusedForGood = sql`(${status} = 'reconnect_required' and ${integrations.failure}->>'final' is distinct from 'false')`
/** Whether the failure was stored in the last so many days. False if its time cannot be read or is in the future. */
const failedWithin = (days: number): SQL =>
  sql`coalesce((${integrations.failure}->>'at') collate "C" between ${asStored(-days)} and ${asStored(1)}, false)`
/** A time so many days from now in the form of `failure.at` (integrations.ts), in which times sort as text. */
const asStored = (days: number): SQL =>
  sql`to_char((now() + make_interval(days => ${days})) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')`
/**
 * No caller's read has asked for a refresh for so long. An integration that is refused for good is never refreshed, and
 * reads write nothing, so it is not known whether it is used: then the refusal itself must be that old. Its refresh
 * token has been invalid for as long, and only a connect helps.
 */
const isUnused = ({ letGoAfterDays }: KeepAliveDays): SQL =>
  and(
    lt(integrations.lastUsedAt, daysAgo(letGoAfterDays)),
    not(sql`(${refusedForGood} and ${failedWithin(letGoAfterDays)})`),
    // Its reads are refused, so nobody knows whether it is used. Nothing is deleted under a freeze.
    sql`${sql.raw(FROZEN_PERSON)} is null`,
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
            refreshedAt: exactly(integrations.refreshedAt),
          })
          .from(integrations)
          .where(
            and(
              isDue(days),
              // A failing integration is tried once a day, not with each sweep: a blocked account must not look like an
              // attack.
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
      const sum = { all: 0, due: 0, unused: 0, in7: 0, in30: 0, in90: 0 }
      for await (const window of integrationWindows(database)) {
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
            .from(integrations)
            .where(window),
        )
        for (const name of Object.keys(sum) as (keyof typeof sum)[]) sum[name] += row?.[name] ?? 0
      }
      const { all, due, unused, in7, in30, in90 } = sum
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
  status: IntegrationStatus
  count: number
  /**
   * Seconds since the oldest refresh among them. Integrations that are refused for good are left out: nothing refreshes
   * them.
   */
  oldestRefresh: number | null
}

/** How many integrations there are of each status. Reads the whole table: for metrics, at most once a minute. */
export async function integrationCounts(database: Database): Promise<IntegrationCounts[]> {
  const byStatus = new Map<IntegrationStatus, IntegrationCounts>()
  for await (const window of integrationWindows(database)) {
    const rows = await database.run((db) =>
      db
        .select({
          status,
          count: count(),
          oldestRefresh: sql<
            number | null
          >`extract(epoch from now() - min(${integrations.refreshedAt}) filter (where not ${refusedForGood}))`,
        })
        .from(integrations)
        .where(window)
        .groupBy(sql`1`),
    )
    for (const row of rows) {
      const known = byStatus.get(row.status)
      byStatus.set(row.status, {
        status: row.status,
        count: row.count + (known?.count ?? 0),
        oldestRefresh: greatest(row.oldestRefresh, known?.oldestRefresh ?? null),
      })
    }
  }
  return [...byStatus.values()]
}

const greatest = (a: number | null, b: number | null): number | null =>
  a === null || b === null ? (a ?? b) : Math.max(a, b)
