import { Failure } from '../core/failure.ts'
import { harvestLimit } from '../core/harvest.ts'
import { connectGroups, eventCounts, failureGroups, lastRefresh, sealedByKey } from '../db/diagnostics-fleet.ts'
import { integrationCounts } from '../db/keep-alive.ts'
import type { Services } from '../services.ts'
import {
  conclusionText,
  defect,
  formatAge,
  paragraph,
  runChecks,
  skipped,
  table,
  type Conclusion,
  type Finding,
} from './check.ts'
import { DATABASE_CHECKS, databaseChecks } from './database.ts'
import { readReplicas, replicaAddresses, type ReplicaFacts } from './replicas.ts'
import { explain, freezeFacts, freezeLine, STEPS, type ExplainedReason, type FreezeFacts } from './user.ts'

// What is known about all users together, in the shape that `doctor --fleet --json` prints, and as text. It names no
// user.

/** Groups of failures in the JSON. The others are only counted. */
const MAX_GROUPS = 100
/** Groups of failures in the text. */
const MAX_GROUPS_IN_TEXT = 20
/** Counting sealed values ends after this time. */
const COUNTING_MS = 20_000

const SHOWN_CHECKS = [
  'database',
  'database_writable',
  'database_rights',
  'database_locks',
  'database_connections',
  'migrations',
  'deployment',
  'sealing_keys',
] as const

export interface FleetFacts {
  /** What must hold before the rest can be known; the names are those of plain doctor. */
  database: Record<(typeof SHOWN_CHECKS)[number], Finding>
  /** Null if the database did not answer: `query_errors` says why. The same for the other members. */
  integrations: null | { active: number; reconnect_required: number }
  failures: null | {
    /** How many groups there are, shown or not. */
    group_count: number
    groups: (ExplainedReason & {
      status: string
      tenant_id: string | null
      aadsts: number | null
      count: number
      last_day: number
      first_at: string | null
      last_at: string | null
    })[]
  }
  refreshes: null | { last_at: string | null; oldest_age_days: number | null }
  /** `expires_within`: the refresh tokens that expire within so many days if nothing refreshes them. */
  keep_alive: null | { after_days: number; due: number; expires_within: { days: number; count: number }[] }
  /** `available`: SEALING_KEYS has the key. */
  sealed: null | { keys: { key_id: string; values: number; available: boolean }[]; rows: number; complete: boolean }
  /** Of the last day, by how they ended. */
  connect_attempts: null | { ended: string; reason: string | null; count: number; last_at: string }[]
  /** What is frozen now. */
  freezes: null | FreezeFacts[]
  /** Different users in this hour by caller key; an estimate. */
  caller_keys: null | { key_id: string; users: number; limit: number }[]
  events: null | { type: string; last_hour: number; last_day: number }[]
  /** False: OPERATIONS_REPLICAS is not set, and only the replica of this machine was asked. */
  replicas_configured: boolean
  replicas: ReplicaFacts[]
  query_errors: string[]
}

/** Never rejects: what could not be read is null, and `query_errors` or a finding says why. */
export async function fleetFacts(services: Services): Promise<FleetFacts> {
  const { config } = services
  const [findings, replicas] = await Promise.all([
    runChecks(DATABASE_CHECKS, () => databaseChecks(services)),
    readReplicas(replicaAddresses(config)),
  ])
  const unchecked = skipped('the database could not be queried.')
  const finding = (name: (typeof SHOWN_CHECKS)[number]): Finding => findings[name] ?? unchecked
  const usable = (['database', 'migrations', 'deployment'] as const).every((name) =>
    ['ok', 'warning'].includes(finding(name).result),
  )
  return {
    database: {
      database: finding('database'),
      database_writable: finding('database_writable'),
      database_rights: finding('database_rights'),
      database_locks: finding('database_locks'),
      database_connections: finding('database_connections'),
      migrations: finding('migrations'),
      deployment: finding('deployment'),
      sealing_keys: finding('sealing_keys'),
    },
    ...(usable ? await queryDatabase(services) : NOT_KNOWN),
    replicas_configured: config.operationsReplicas.length > 0,
    replicas,
  }
}

type StoredFacts = Omit<FleetFacts, 'database' | 'replicas_configured' | 'replicas'>
const NOT_KNOWN: StoredFacts = {
  integrations: null,
  failures: null,
  refreshes: null,
  keep_alive: null,
  sealed: null,
  connect_attempts: null,
  events: null,
  freezes: null,
  caller_keys: null,
  query_errors: [],
}

async function queryDatabase({
  database,
  config,
  vault,
  keepAliveStore,
  freezes: freezeStore,
  keyUse,
  clock,
}: Services): Promise<StoredFacts> {
  const query_errors: string[] = []
  async function ask<T>(name: string, query: () => Promise<T>): Promise<T | null> {
    try {
      return await query()
    } catch (error) {
      const problem = error instanceof Failure ? (error.facts.detail ?? error.code) : defect(name, error).message
      query_errors.push(`${name}: ${problem}`)
      return null
    }
  }
  const startedAt = clock.elapsed()
  const [integrations, failures, refreshes, keep_alive, sealed, connect_attempts, events, freezes, caller_keys] =
    await Promise.all([
      ask('integrations', () => integrationCounts(database)),
      ask('failures', async () => {
        const { groups, list } = await failureGroups(database, MAX_GROUPS)
        return {
          group_count: groups,
          groups: list.map(({ status, reason, verdict, tenantId, aadsts, count, lastDay, firstAt, lastAt }) => ({
            ...explain(reason, status === 'reconnect_required' ? 'reconnect' : verdict),
            status,
            tenant_id: tenantId,
            aadsts,
            count,
            last_day: lastDay,
            first_at: firstAt,
            last_at: lastAt,
          })),
        }
      }),
      ask('last refresh', async () => ({ last_at: await lastRefresh(database) })),
      ask('keep-alive', async () => {
        const { due, diesWithin } = await keepAliveStore.forecast(config.keepAlive)
        return { after_days: config.keepAlive.afterDays, due, expires_within: diesWithin }
      }),
      ask('sealed values', async () => {
        const counted = await sealedByKey(database, () => clock.elapsed() - startedAt < COUNTING_MS)
        const keys = Object.entries(counted.counts).map(([key_id, values]) => ({
          key_id,
          values,
          available: vault.keyIds.includes(key_id),
        }))
        return { keys, rows: counted.rows, complete: counted.complete }
      }),
      ask('connect attempts', async () =>
        (await connectGroups(database)).map(({ ended, reason, count, lastAt }) => ({
          ended,
          reason,
          count,
          last_at: lastAt,
        })),
      ),
      ask('events', async () =>
        (await eventCounts(database)).map(({ type, lastHour, lastDay }) => ({
          type,
          last_hour: lastHour,
          last_day: lastDay,
        })),
      ),
      ask('freezes', async () => (await freezeStore.list()).map(freezeFacts)),
      ask('caller keys', async () =>
        (await keyUse.present()).map(({ keyId, users, busiest }) => ({
          key_id: keyId,
          users,
          limit: harvestLimit(busiest, config.harvest.alertAbove),
        })),
      ),
    ])
  const countOf = (status: string): number => integrations?.find((one) => one.status === status)?.count ?? 0
  const ages = (integrations ?? []).flatMap(({ oldestRefresh }) => oldestRefresh ?? []).filter(Number.isFinite)
  return {
    integrations:
      integrations === null ? null : { active: countOf('active'), reconnect_required: countOf('reconnect_required') },
    failures,
    refreshes:
      integrations === null || refreshes === null
        ? null
        : { ...refreshes, oldest_age_days: ages.length === 0 ? null : Math.floor(Math.max(...ages) / 86_400) },
    keep_alive,
    sealed,
    connect_attempts,
    events,
    freezes,
    caller_keys,
    query_errors,
  }
}

/** For a terminal. `now` in milliseconds. */
export function fleetText(
  facts: FleetFacts,
  [conclusion, ...others]: readonly [Conclusion, ...Conclusion[]],
  now: number,
): string {
  const { connect_attempts, events, freezes, caller_keys, replicas } = facts
  return [
    ...paragraph(
      'database',
      Object.entries(facts.database).map(
        ([name, { result, message }]) =>
          `${result.padEnd(8)} ${name.replaceAll('_', ' ')}: ${message.replaceAll('\n', ' ')}`,
      ),
    ),
    ...paragraph('integrations', integrationLines(facts, now)),
    ...paragraph('frozen', freezes === null ? ['not known'] : freezes.map((freeze) => freezeLine(freeze, now))),
    ...paragraph(
      'different users of this hour by caller key',
      caller_keys === null
        ? ['not known']
        : caller_keys.map(({ key_id, users, limit }) => `${key_id} about ${users}, alarm above ${limit}`),
    ),
    ...failureLines(facts, now),
    ...paragraph(
      'connect attempts of the last day',
      connect_attempts === null
        ? ['not known']
        : connect_attempts.map(
            ({ ended, reason, count, last_at }) =>
              `${count}  ${reason ?? ENDED[ended] ?? `expired: ${STEPS[ended] ?? ended}`}, last ${formatAge(last_at, now)}`,
          ),
    ),
    ...paragraph(
      'events of the last hour, of the last day',
      events === null
        ? ['not known']
        : events.map(({ type, last_hour, last_day }) => `${type} ${last_hour}, ${last_day}`),
    ),
    ...paragraph(
      facts.replicas_configured
        ? 'replicas'
        : 'replicas (only the one of this machine: OPERATIONS_REPLICAS is not set)',
      replicas.flatMap((replica) => replicaLines(replica, now)),
    ),
    '',
    ...(others.length === 0 ? [] : ['Other conclusions', ...others.map(conclusionText), '']),
    'Conclusion',
    conclusionText(conclusion),
  ].join('\n')
}

const ENDED: Readonly<Record<string, string>> = {
  connected: 'connected',
  open: 'still open',
  expired: 'cancelled before they were completed',
}

function integrationLines({ integrations, refreshes, keep_alive, sealed }: FleetFacts, now: number): string[] {
  const count = (value: number | undefined): string => (value === undefined ? 'not known' : String(value))
  const lines = [`active ${count(integrations?.active)}, reconnect required ${count(integrations?.reconnect_required)}`]
  if (refreshes !== null) {
    const last = refreshes.last_at === null ? 'never' : formatAge(refreshes.last_at, now)
    const oldest =
      refreshes.oldest_age_days === null ? '' : `; the oldest refresh is ${refreshes.oldest_age_days} days old`
    lines.push(`last refreshed ${last}${oldest}`)
  }
  if (keep_alive !== null) {
    const expiring = keep_alive.expires_within.map(({ days, count: n }) => `within ${days} days ${n}`).join(', ')
    lines.push(`due for keep-alive (${keep_alive.after_days} days) ${keep_alive.due}; expire unused ${expiring}`)
  }
  if (sealed !== null) {
    const keys = sealed.keys.map(
      ({ key_id, values, available }) => `${values} with ${key_id || 'no key'}${available ? '' : ' (KEY MISSING)'}`,
    )
    const rows = sealed.complete ? '' : `, in the first ${sealed.rows} rows`
    lines.push(`sealed values: ${keys.join(', ') || 'none'}${rows}`)
  }
  return lines
}

function failureLines({ failures }: FleetFacts, now: number): string[] {
  if (failures === null) return paragraph('failures', ['not known'])
  const shown = failures.groups.slice(0, MAX_GROUPS_IN_TEXT)
  const rows = shown.map(({ count, reason, aadsts, tenant_id, who_acts, status, first_at, last_at }) => [
    String(count),
    `${reason}${aadsts === null ? '' : ` AADSTS${aadsts}`}`,
    status,
    `tenant ${tenant_id ?? 'not known'}`,
    `${who_acts} acts`,
    first_at === null || last_at === null
      ? 'start not known'
      : `${formatAge(first_at, now)} to ${formatAge(last_at, now)}`,
  ])
  const advice = new Map(shown.map((group) => [group.reason, group.advice]))
  const hidden = failures.group_count - shown.length
  return [
    ...paragraph('failures, those of the last day first', table(rows)),
    ...(hidden > 0 ? [`    … and ${hidden} more groups`] : []),
    ...[...advice].map(([reason, words]) => `    ${reason}: ${words}`),
  ]
}

function replicaLines(replica: ReplicaFacts, now: number): string[] {
  const { address, problem, version, node, ready, database, breaker, started_at } = replica
  if (problem !== null) return [`${address}  NO STATUS: ${problem}`]
  const reads = replica.token_reads.map(({ status, count }) => `${count} × ${status}`).join(', ') || 'none'
  const reason = breaker?.reason == null ? '' : ` (${breaker.reason})`
  return [
    `${address}  ${ready === true ? 'ready' : 'NOT READY'}, database ${database ?? 'not known'}, ` +
      `breaker ${breaker?.mode ?? 'not known'}${reason}, version ${version ?? 'not known'} (Node ${node ?? 'not known'})`,
    `  since ${started_at === null ? 'its start' : formatAge(started_at, now)}: token reads ${reads}`,
    ...replica.previous_breakers.map(
      ({ client_id, mode, reason }) =>
        `  earlier registration ${client_id}: breaker ${mode}${reason && ` (${reason})`}`,
    ),
    ...(replica.log === null || replica.log === 'open' ? [] : [`  LOG ${replica.log.toUpperCase()}: no audit lines`]),
    ...replica.database_problems.map(({ kind, message }) => `  DATABASE ${kind}: ${message}`),
    ...replica.failed_requests.map(
      ({ method, route, status, count, last_at }) =>
        `  failed ${count} × ${method} ${route} with ${status}${last_at === null ? '' : `, last ${formatAge(last_at, now)}`}`,
    ),
    ...replica.refused_changes.map(({ variable, problem }) => `  changed file not used: ${variable} ${problem}`),
    ...replica.requests_refused.map(
      ({ detail, key_id, count, last_at }) =>
        `  refused ${count} × ${detail}${key_id === '' ? '' : ` (${key_id})`}` +
        (last_at === null ? '' : `, last ${formatAge(last_at, now)}`),
    ),
    ...replica.requests_forbidden.map(
      ({ caller, permission, count }) => `  refused ${count} × ${caller} lacks ${permission}`,
    ),
    ...replica.unreadable_values.map(({ detail, count }) => `  stored values that did not open ${count} × ${detail}`),
    ...(replica.missing_members.length === 0 ? [] : [`  does not report ${replica.missing_members.join(', ')}`]),
    ...(replica.unknown_members.length === 0
      ? []
      : [`  also reports ${replica.unknown_members.join(', ')}, which this release of doctor does not know`]),
  ]
}
