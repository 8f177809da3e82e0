import type { Database } from './client.ts'
import { sql } from './drizzle.ts'
import type { StoredVerdict } from '../core/failure.ts'
import type { IntegrationStatus } from '../core/integration.ts'
import { readEventType, readReason, readVerdict } from '../core/stored.ts'
import { epochOf, isoOfEpoch } from './instants.ts'
import { statusOf } from './fast-path/statements.ts'
import { keyIdIn, type KeyCounts } from './reseal.ts'
import { integrationWindows } from './page-windows.ts'
import { connectSessions, events, integrations } from './schema.ts'

// What doctor reports about all users. Reads only; they read whole tables, so do not run them every minute.

/** Integrations whose last refresh failed in the same way. */
export interface FailureGroup {
  status: IntegrationStatus
  /**
   * As it is stored: a newer release may have written one that this release does not know. `unknown` if it is no word.
   */
  reason: string
  /** Explains a reason that this release does not know. */
  verdict: StoredVerdict
  tenantId: string | null
  aadsts: number | null
  count: number
  /** Of them, those whose last failure is at most a day old. */
  lastDay: number
  /**
   * ISO 8601. When the first of them began to fail for this reason, and the last try; null if the rows do not say it.
   */
  firstAt: string | null
  lastAt: string | null
}

const yesterday = sql`to_char((now() - interval '1 day') at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')`

type FailureRow = {
  status: IntegrationStatus
  reason: string | null
  verdict: string | null
  tenant: string | null
  aadsts: string | null
  count: number
  last_day: number
  first_at: string | null
  last_at: string | null
}

/** A time in `failure`, or null if it does not have the form in which times are written there. */
const instantIn = (member: 'at' | 'since') => {
  const value = sql`${integrations.failure}->>${sql.raw(`'${member}'`)}`
  return sql`case when ${value} ~ '^[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]Z$' then ${value} end`
}

/**
 * Groups with failures of the last day first, then the largest; at most `limit`. `groups`: how many there are in all.
 */
export async function failureGroups(
  database: Database,
  limit: number,
): Promise<{ list: FailureGroup[]; groups: number }> {
  const { failure, tenantId } = integrations
  const at = instantIn('at')
  const merged = new Map<string, FailureRow>()
  for await (const window of integrationWindows(database)) {
    // Times are compared as text, because all are written in one form, and a row with another form must not break the
    // report.
    const rows = await database.run((db) =>
      db.execute<FailureRow>(sql`
      select ${sql.raw(statusOf())} as status, left(${failure}->>'reason', 100) as reason, ${tenantId} as tenant,
        left(${failure}->'microsoft'->>'aadsts', 100) as aadsts, count(*)::int as count,
        (count(*) filter (where ${at} >= ${yesterday}))::int as last_day,
        min(coalesce(${instantIn('since')}, ${at})) as first_at, max(${at}) as last_at,
        left(max(${failure}->>'verdict'), 100) as verdict
      from ${integrations} where ${failure} is not null and ${window} group by 1, 2, 3, 4`),
    )
    for (const row of rows) {
      const key = JSON.stringify([row.status, row.reason, row.tenant, row.aadsts])
      const known = merged.get(key)
      merged.set(key, known === undefined ? row : mergeGroups(known, row))
    }
  }
  const list = [...merged.values()]
    .toSorted((a, b) => b.last_day - a.last_day || b.count - a.count)
    .slice(0, limit)
    .map((row) => ({
      status: row.status,
      reason: readReason(row.reason),
      verdict: readVerdict(row.verdict, row.status),
      tenantId: row.tenant,
      aadsts: /^\d{1,9}$/.test(row.aadsts ?? '') ? Number(row.aadsts) : null,
      count: row.count,
      lastDay: row.last_day,
      firstAt: row.first_at,
      lastAt: row.last_at,
    }))
  return { list, groups: merged.size }
}

function mergeGroups(a: FailureRow, b: FailureRow): FailureRow {
  const pick = (x: string | null, y: string | null, isFirst: (x: string, y: string) => boolean) =>
    x === null || y === null ? (x ?? y) : isFirst(x, y) ? x : y
  return {
    ...a,
    count: a.count + b.count,
    last_day: a.last_day + b.last_day,
    first_at: pick(a.first_at, b.first_at, (x, y) => x < y),
    last_at: pick(a.last_at, b.last_at, (x, y) => x > y),
    verdict: pick(a.verdict, b.verdict, (x, y) => x > y),
  }
}

/**
 * ISO 8601; null: none is known. Tokens from a connect (both times of one statement) or an import (its event) are no
 * refresh.
 */
export async function lastRefresh(database: Database): Promise<string | null> {
  const { refreshedAt, connectedAt, userId, generation } = integrations
  let latest: number | null = null
  // Later windows look only at later times, and mostly find none: then Postgres does not look for imports either.
  for await (const window of integrationWindows(database)) {
    const [row] = await database.run((db) =>
      db.select({ at: sql<number | null>`extract(epoch from max(${refreshedAt}))` }).from(integrations)
        .where(sql`${window} and ${refreshedAt} > ${connectedAt} + interval '1 second'
          and ${refreshedAt} > to_timestamp(${latest ?? 0}::float8) and not exists (
          select from ${events} where ${events.type} = 'imported' and ${events.userId} = ${userId}
            and ${events.detail}->>'generation' = ${generation}::text)`),
    )
    if (row?.at != null && (latest === null || row.at > latest)) latest = row.at
  }
  return latest === null ? null : isoOfEpoch(latest)
}

export interface ConnectGroup {
  /** `connected`, `refused`, `expired`, `open`, or the step at which the attempt ran out of time. */
  ended: string
  reason: string | null
  count: number
  /** ISO 8601. */
  lastAt: string
}

/** How the attempts of the last day ended, and how many are not over (`open`). */
export async function connectGroups(database: Database): Promise<ConnectGroup[]> {
  const { status, outcome, createdAt, expiresAt, intent } = connectSessions
  const rows = await database.run((db) =>
    db.execute<{ ended: string; reason: string | null; count: number; last_at: number }>(sql`
    select case when ${status} in ('connected', 'refused', 'expired') then ${status}
        when ${expiresAt} > now() then 'open' else ${status} end as ended,
      left(${outcome}->>'reason', 100) as reason, count(*)::int as count, ${epochOf(sql`max(${createdAt})`)} as last_at
    from ${connectSessions} where ${intent} = 'connect' and ${createdAt} > now() - interval '1 day'
    group by 1, 2 order by 3 desc`),
  )
  return rows.map(({ ended, reason, count, last_at: at }) => ({
    ended: readReason(ended),
    reason: reason === null ? null : readReason(reason),
    count,
    lastAt: isoOfEpoch(at),
  }))
}

/** Events of the last hour and of the last day, by type. */
export async function eventCounts(database: Database): Promise<{ type: string; lastHour: number; lastDay: number }[]> {
  const rows = await database.run((db) =>
    db
      .select({
        type: events.type,
        lastHour: sql<number>`(count(*) filter (where ${events.at} > now() - interval '1 hour'))::int`,
        lastDay: sql<number>`count(*)::int`,
      })
      .from(events)
      .where(sql`${events.at} > now() - interval '1 day'`)
      .groupBy(events.type)
      .orderBy(events.type),
  )
  return rows.map((row) => ({ ...row, type: readEventType(row.type) }))
}

/** Rows that one statement reads: each ends within the time-out of a query, however large the table is. */
const WINDOW_ROWS = 10_000

/**
 * Counts stored values by the key that sealed them (empty: no sealed value), without opening one. `complete` is false
 * if `mayGoOn` returned false before the end.
 */
export async function sealedByKey(
  database: Database,
  mayGoOn: () => boolean,
  window = WINDOW_ROWS,
): Promise<{ counts: KeyCounts; rows: number; complete: boolean }> {
  const counts: KeyCounts = {}
  let rows = 0
  for (let after = '00000000-0000-0000-0000-000000000000'; ;) {
    const groups = await database.run((db) =>
      db.execute<{ a: string; r: string; count: number; last: string }>(sql`
      select a, r, count(*)::int as count, max(id::text collate "C") as last from (
        select id, ${keyIdIn('access_token')} as a, ${keyIdIn('refresh_token')} as r
        from ${integrations} where id > ${after}::uuid order by id limit ${window}
      ) as w group by 1, 2`),
    )
    for (const { a, r, count } of groups) for (const keyId of [a, r]) counts[keyId] = (counts[keyId] ?? 0) + count
    const looked = groups.reduce((sum, { count }) => sum + count, 0)
    rows += looked
    if (looked < window) return { counts, rows, complete: true }
    if (!mayGoOn()) return { counts, rows, complete: false }
    after = groups
      .map(({ last }) => last)
      .sort()
      .at(-1)!
  }
}
