import { Failure } from '../core/failure.ts'
import { integrationCounts } from '../db/keep-alive.ts'
import { connectGroups, eventCounts, failureGroups, lastRefresh, sealedByKey } from '../db/diagnostics-fleet.ts'
import type { Services } from '../services.ts'
import type { Finding } from './check.ts'
import { examineDatabase } from './database.ts'
import { readReplicas, replicaTargets, type ReplicaFacts } from './replicas.ts'
import { explained, type Explained } from './user.ts'

// What is known about all users together, in the shape that `doctor --fleet --json` prints. No user is named in it.

/** Groups of failures that are told; the rest is counted. */
const SHOWN = 100
/** Milliseconds that counting sealed values may take. */
const COUNTING = 20_000

export interface FleetFacts {
  /** What must hold before anything below can be known, by the names of plain doctor. */
  database: Record<'database' | 'migrations' | 'deployment' | 'sealing_keys', Finding>
  /** Null where the database did not tell; `gaps` says what and why. */
  integrations: null | { active: number; reconnect_required: number }
  failures: null | {
    groups: number
    list: (Explained & {
      status: string
      tenant_id: string | null
      aadsts: number | null
      count: number
      last_day: number
      first_at: string | null
      last_at: string | null
    })[]
  }
  refreshes: null | { last_at: string | null; oldest_days: number | null }
  /** Days that keep-alive waits, what is due, and what would die within so many days if nobody refreshed it. */
  keep_alive: null | { after_days: number; due: number; dies_within: { days: number; count: number }[] }
  sealed: null | { keys: { key_id: string; values: number; held: boolean }[]; rows: number; complete: boolean }
  /** Attempts of the last day. */
  connects: null | { ended: string; reason: string | null; count: number; last_at: string }[]
  events: null | { type: string; last_hour: number; last_day: number }[]
  /** Whether ops told where all replicas are; otherwise the only one below is that of this machine. */
  replicas_told: boolean
  replicas: ReplicaFacts[]
  gaps: string[]
}

/** Does not throw for anything it looks at. */
export async function fleetFacts(services: Services): Promise<FleetFacts> {
  const { config } = services
  const [{ database, migrations, deployment, sealing_keys }, replicas] = await Promise.all([
    examineDatabase(services),
    readReplicas(replicaTargets(config)),
  ])
  const askable = [database, migrations, deployment].every(({ result }) => result === 'ok' || result === 'warning')
  return {
    database: { database, migrations, deployment, sealing_keys },
    ...(askable
      ? await counted(services)
      : {
          integrations: null,
          failures: null,
          refreshes: null,
          keep_alive: null,
          sealed: null,
          connects: null,
          events: null,
          gaps: [],
        }),
    replicas_told: config.operationsReplicas.length > 0,
    replicas,
  }
}

async function counted({ database, config, vault, keepAliveStore, clock }: Services) {
  const gaps: string[] = []
  async function ask<T>(what: string, work: () => Promise<T>): Promise<T | null> {
    try {
      return await work()
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      gaps.push(`${what}: ${error.facts.detail ?? error.code}`)
      return null
    }
  }
  const began = clock.elapsed()
  const [statuses, failures, last, forecast, sealed, connects, events] = await Promise.all([
    ask('integrations', () => integrationCounts(database)),
    ask('failures', () => failureGroups(database, SHOWN)),
    ask('last refresh', async () => ({ at: await lastRefresh(database) })),
    ask('keep-alive', () => keepAliveStore.forecast(config.keepAlive)),
    ask('sealed values', () => sealedByKey(database, () => clock.elapsed() - began < COUNTING)),
    ask('connect attempts', () => connectGroups(database)),
    ask('events', () => eventCounts(database)),
  ])
  const of = (status: string): number => statuses?.find((one) => one.status === status)?.count ?? 0
  const oldest = Math.max(-1, ...(statuses ?? []).map(({ oldestRefresh }) => oldestRefresh ?? -1))
  return {
    integrations: statuses === null ? null : { active: of('active'), reconnect_required: of('reconnect_required') },
    failures:
      failures === null
        ? null
        : {
            groups: failures.groups,
            list: failures.list.map(({ status, reason, tenantId, aadsts, count, lastDay, firstAt, lastAt }) => ({
              ...explained(reason),
              status,
              tenant_id: tenantId,
              aadsts,
              count,
              last_day: lastDay,
              first_at: firstAt,
              last_at: lastAt,
            })),
          },
    refreshes:
      statuses === null || last === null
        ? null
        : { last_at: last.at, oldest_days: oldest < 0 ? null : Math.floor(oldest / 86_400) },
    keep_alive:
      forecast === null
        ? null
        : { after_days: config.keepAlive.afterDays, due: forecast.due, dies_within: forecast.diesWithin },
    sealed:
      sealed === null
        ? null
        : {
            keys: Object.entries(sealed.counts).map(([key_id, values]) => ({
              key_id,
              values,
              held: vault.keyIds.includes(key_id),
            })),
            rows: sealed.rows,
            complete: sealed.complete,
          },
    connects:
      connects === null
        ? null
        : connects.map(({ ended, reason, count, lastAt }) => ({ ended, reason, count, last_at: lastAt })),
    events:
      events === null
        ? null
        : events.map(({ type, lastHour, lastDay }) => ({ type, last_hour: lastHour, last_day: lastDay })),
    gaps,
  }
}
