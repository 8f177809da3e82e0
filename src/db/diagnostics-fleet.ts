import type { Database } from './client.ts'
import { sql } from './drizzle.ts'
import { iso } from './instants.ts'
import { keyIdIn, type KeyCounts } from './reseal.ts'
import { connectSessions, events, integrations } from './schema.ts'

// All users, as doctor looks at them. Reads only; each statement goes over a whole table once, so nothing here is for every minute.

/** Integrations whose last refresh failed in the same way. */
export interface FailureGroup {
  status: 'active' | 'reconnect_required'
  /** As it is stored: a newer release may have written one that this one does not know. */
  reason: string
  tenantId: string | null
  aadsts: number | null
  count: number
  /** Of them, those whose last failure is at most a day old. */
  lastDay: number
  /** ISO 8601. Since when the first of them fails for this reason, and the last try; null where a row does not say. */
  firstAt: string | null
  lastAt: string | null
}

const yesterday = sql`to_char((now() - interval '1 day') at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')`

/** Those of the last day first, then the largest; `limit` of them; `groups` is how many there are. */
export async function failureGroups(
  database: Database,
  limit: number,
): Promise<{ list: FailureGroup[]; groups: number }> {
  const { status, failure, tenantId } = integrations
  // The times are compared as the texts they are: all are written in one form (design 4), and one that is not must not stop the look.
  const rows = await database.run((db) =>
    db.execute<Record<string, unknown>>(sql`
    select ${status} as status, coalesce(${failure}->>'reason', '') as reason, ${tenantId} as tenant, ${failure}->'microsoft'->>'aadsts' as aadsts,
      count(*)::int as count, (count(*) filter (where ${failure}->>'at' >= ${yesterday}))::int as last_day, min(coalesce(${failure}->>'since', ${failure}->>'at')) as first_at, max(${failure}->>'at') as last_at, (count(*) over ())::int as groups
    from ${integrations} where ${failure} is not null group by 1, 2, 3, 4 order by 6 desc, 5 desc limit ${limit}`),
  )
  const list = rows.map((row) => ({
    status: row['status'] as FailureGroup['status'],
    reason: String(row['reason']),
    tenantId: row['tenant'] as string | null,
    aadsts: /^\d{1,9}$/.test(String(row['aadsts'])) ? Number(row['aadsts']) : null,
    count: Number(row['count']),
    lastDay: Number(row['last_day']),
    firstAt: row['first_at'] as string | null,
    lastAt: row['last_at'] as string | null,
  }))
  return { list, groups: Number(rows[0]?.['groups'] ?? 0) }
}

/** ISO 8601; null: none that is known. Tokens that came by a connect (both times of one statement) or an import (its event) are no refresh. */
export async function lastRefresh(database: Database): Promise<string | null> {
  const { refreshedAt, connectedAt, userId, generation } = integrations
  const [row] = await database.run((db) =>
    db.select({ at: sql<string | null>`max(${refreshedAt})` }).from(integrations)
      .where(sql`${refreshedAt} > ${connectedAt} + interval '1 second' and not exists (select from ${events}
      where ${events.type} = 'imported' and ${events.userId} = ${userId} and ${events.detail}->>'generation' = ${generation}::text)`),
  )
  return row?.at == null ? null : iso(row.at)
}

export interface ConnectGroup {
  /** `connected`, `refused`, or the step at which the attempt ran out. */
  ended: string
  reason: string | null
  count: number
  /** ISO 8601. */
  lastAt: string
}

/** How the attempts of the last day ended, and how many are under way (`open`). */
export async function connectGroups(database: Database): Promise<ConnectGroup[]> {
  const { status, outcome, createdAt, expiresAt, intent } = connectSessions
  const rows = await database.run((db) =>
    db.execute<{ ended: string; reason: string | null; count: number; last_at: string }>(sql`
    select case when ${status} in ('connected', 'refused', 'expired') then ${status} when ${expiresAt} > now() then 'open' else ${status} end as ended,
      ${outcome}->>'reason' as reason, count(*)::int as count, max(${createdAt}) as last_at
    from ${connectSessions} where ${intent} = 'connect' and ${createdAt} > now() - interval '1 day' group by 1, 2 order by 3 desc`),
  )
  return rows.map(({ ended, reason, count, last_at: at }) => ({ ended, reason, count, lastAt: iso(at) }))
}

/** Events of the last hour and of the last day, by type. */
export async function eventCounts(database: Database): Promise<{ type: string; lastHour: number; lastDay: number }[]> {
  return database.run((db) =>
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
}

/** Rows looked at by one statement: each ends within the deadline of a query, however large the table is. */
const WINDOW = 10_000

/**
 * Stored values by the key that sealed them (empty: no sealed value), without opening one. `complete` is false where `mayGoOn` said no
 * before the end.
 */
export async function sealedByKey(
  database: Database,
  mayGoOn: () => boolean,
  window = WINDOW,
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
