import { lookup } from 'node:dns/promises'
import { isIPv6 } from 'node:net'
import type { Config, ListenAddress } from '../config.ts'
import { parseMetrics, type Sample } from './prometheus-text.ts'

// What the replicas know and the database does not: whom they refused, and whether they send anything to Microsoft.

/** Milliseconds for each replica. */
const PATIENCE = 3_000
const TOKENS = '/tokens/:userId'

export interface ReplicaFacts {
  /** host:port of its operations listener. */
  address: string
  /** Why nothing is known of it; null: it answered. */
  problem: string | null
  ready: boolean | null
  /** As /readyz has it: whether Postgres answers this replica. */
  database: string | null
  breaker: null | { state: 'closed' | 'healing' | 'open'; reason: string | null }
  /** ISO 8601. All counts are since then. */
  started_at: string | null
  /** Requests whose signature did not hold. An empty key id: none that is known. */
  refused: { detail: string; key_id: string; count: number; last_at: string | null }[]
  /** Answers to reads of a token, by HTTP status. */
  tokens: { status: string; count: number; last_at: string | null }[]
  /** Signed requests for which the caller lacks the permission. */
  forbidden: { caller: string; permission: string; count: number }[]
  /** Stored values that did not open when they were read, by why. */
  unreadable: { detail: string; count: number }[]
}

/** Where the replicas are: as configured, else this machine's own listener. */
export function replicaTargets({ operationsReplicas, listen }: Config): readonly ListenAddress[] {
  if (operationsReplicas.length > 0) return operationsReplicas
  const { host, port } = listen.operations
  return [{ host: host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host, port }]
}

/** Every address behind every name is a replica. Does not throw: what cannot be reached is named. */
export async function readReplicas(targets: readonly ListenAddress[]): Promise<ReplicaFacts[]> {
  const all = await Promise.all(
    targets.map(async ({ host, port }) => {
      try {
        const addresses = await lookup(host, { all: true })
        return await Promise.all(addresses.map(({ address }) => lookAtReplica(written(address, port))))
      } catch {
        return [unknown(written(host, port), 'the name service does not know it')]
      }
    }),
  )
  return all.flat().sort((a, b) => a.address.localeCompare(b.address, 'en', { numeric: true }))
}

const written = (host: string, port: number): string => `${isIPv6(host) ? `[${host}]` : host}:${port}`

const unknown = (address: string, problem: string): ReplicaFacts => ({
  address,
  problem,
  ready: null,
  database: null,
  breaker: null,
  started_at: null,
  refused: [],
  tokens: [],
  forbidden: [],
  unreadable: [],
})

async function lookAtReplica(address: string): Promise<ReplicaFacts> {
  const signal = AbortSignal.timeout(PATIENCE)
  try {
    const [metrics, readyz] = await Promise.all(
      ['metrics', 'readyz'].map((path) => fetch(`http://${address}/${path}`, { signal, redirect: 'manual' })),
    )
    const samples = parseMetrics(await metrics!.text())
    const body = (await readyz!.json()) as { ready?: unknown; database?: unknown }
    if (!samples.some(({ name }) => name === 'token_broker_breaker_open'))
      return unknown(address, 'what answers there is no token broker')
    const started = samples.find(({ name }) => name === 'process_start_time_seconds')?.value
    return {
      address,
      problem: null,
      ready: body.ready === true,
      database: typeof body.database === 'string' ? body.database : null,
      breaker: breakerOf(samples),
      started_at: started === undefined ? null : isoOf(started),
      refused: refusedOf(samples),
      tokens: tokensOf(samples),
      forbidden: counted(samples, 'caller_forbidden_total').map(
        ({ labels: { caller = '', permission = '' }, value }) => ({ caller, permission, count: value }),
      ),
      unreadable: counted(samples, 'unreadable_values_total').map(({ labels: { detail = '' }, value }) => ({
        detail,
        count: value,
      })),
    }
  } catch (error) {
    const { code } = ((error as { cause?: unknown }).cause ?? {}) as { code?: unknown }
    return unknown(
      address,
      signal.aborted
        ? `no answer within ${PATIENCE / 1000} s`
        : typeof code === 'string'
          ? code
          : error instanceof SyntaxError
            ? 'what answers there is no token broker'
            : 'it cannot be reached',
    )
  }
}

const isoOf = (seconds: number): string => `${new Date(seconds * 1000).toISOString().slice(0, 19)}Z`

function breakerOf(samples: readonly Sample[]): ReplicaFacts['breaker'] {
  const { labels, value } = samples.find(({ name }) => name === 'token_broker_breaker_open')!
  return { state: value === 1 ? 'open' : value === 0 ? 'closed' : 'healing', reason: labels['reason'] || null }
}

const counted = (samples: readonly Sample[], what: string): Sample[] =>
  samples.filter(({ name, value }) => name === `token_broker_${what}` && value > 0)

function refusedOf(samples: readonly Sample[]): ReplicaFacts['refused'] {
  const last = samples.filter(({ name }) => name === 'token_broker_last_refused_timestamp_seconds')
  return counted(samples, 'requests_refused_total').map(({ labels, value }) => {
    const { detail = '', key_id = '' } = labels
    const at = last.find((sample) => sample.labels['detail'] === detail && sample.labels['key_id'] === key_id)?.value
    return { detail, key_id, count: value, last_at: at === undefined ? null : isoOf(at) }
  })
}

function tokensOf(samples: readonly Sample[]): ReplicaFacts['tokens'] {
  return samples
    .filter(
      ({ name, labels }) =>
        name === 'token_broker_http_seconds_count' && labels['listener'] === 'internal' && labels['route'] === TOKENS,
    )
    .map(({ labels: { status = '' }, value }) => {
      const at = samples.find(
        ({ name, labels }) => name === 'token_broker_last_token_read_timestamp_seconds' && labels['status'] === status,
      )?.value
      // To the millisecond: which of two answers came later is what it is for.
      return { status, count: value, last_at: at === undefined ? null : new Date(at * 1000).toISOString() }
    })
}
