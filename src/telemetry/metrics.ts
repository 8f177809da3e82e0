import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { CallerPermission } from '../core/caller-permissions.ts'
import type { IntegrationStatus } from '../core/integration.ts'
import type { KeepAlivePorts } from '../core/keep-alive.ts'
import type { RefreshEvent } from '../core/refresh.ts'

// Metric definitions, by Prometheus' conventions: base units, few labels, no user ids. Those that cost a query are asked for at most once
// a minute, and only when Prometheus asks.

export interface Metrics {
  registry: Registry
  refreshed(event: RefreshEvent): void
  keptAlive(event: Parameters<KeepAlivePorts['observe']>[0]): void
  requestRefused(detail: string, keyId: string | undefined): void
  /** `caller` is a name of the callers file. */
  callerForbidden(caller: string, permission: CallerPermission): void
  answered(listener: string, route: string, status: number, seconds: number): void
  /** A stored value did not open, and why. */
  unreadable(detail: string): void
}

/** What is read when Prometheus asks. */
export interface MetricSources {
  /** Milliseconds, monotonic. */
  elapsed(): number
  breaker(): { mode: string; reason?: string }
  /** `notAfter` in milliseconds since the epoch. */
  callerKeys(): { keyId: string; notAfter: number }[]
  noncesRemembered(): number
  /** Newest first: the first seals. */
  sealingKeyIds: readonly string[]
  /** Ours, by what they are for. */
  certificates(): { use: 'microsoft' | 'internal'; notAfter: Date }[]
  /** One query over all integrations; may fail. `oldestRefresh` in seconds. */
  census(): Promise<{ status: IntegrationStatus; count: number; oldestRefresh: number | null }[]>
}

/** Milliseconds that an answer of the database stands for Prometheus. */
const CENSUS_KEPT = 60_000
const TOKEN_READ = '/tokens/:userId'
const STATUSES: readonly IntegrationStatus[] = ['active', 'reconnect_required']

export function createMetrics(read: MetricSources): Metrics {
  const registry = new Registry()
  const registers = [registry]
  const counter = <T extends string>(name: string, help: string, ...labelNames: T[]) =>
    new Counter({ name: `token_broker_${name}`, help, labelNames, registers })
  collectDefaultMetrics({ register: registry })

  const refreshes = counter(
    'refreshes_total',
    'Refreshes sent to Microsoft, by what the answer meant.',
    'outcome',
    'reason',
  )
  const latency = new Histogram({
    name: 'token_broker_microsoft_seconds',
    help: 'How long Microsoft took to answer a refresh.',
    buckets: [0.05, 0.1, 0.2, 0.4, 0.8, 1.5, 3, 5],
    registers,
  })
  const simple: Record<Exclude<RefreshEvent['kind'], 'sent'>, Counter> = {
    joined: counter('refresh_joined_total', 'Readers that joined a refresh under way in this process.'),
    waited: counter('refresh_waited_total', "Times this process waited for another replica's refresh."),
    lease_taken_over: counter('leases_taken_over_total', 'Leases that had run out and were taken over.'),
    discarded: counter('refresh_discarded_total', 'Answers that came too late: the row had moved on.'),
    recovered: counter('recovered_total', 'Integrations that worked again without a reconnect.'),
    save_failed: counter('save_failed_total', 'Refreshed tokens that could not be saved at first.'),
    false_reconnect: counter(
      'false_reconnect_total',
      'Integrations marked for a reconnect although their authorization was good. Must stay 0.',
    ),
    save_given_up: counter('lost_rotation_total', 'Refreshed tokens that were never saved. Must stay 0.'),
  }

  const renewals = counter(
    'keep_alive_total',
    'Integrations that keep-alive has looked after, by what became of them.',
    'result',
  )
  const sweeps = counter('keep_alive_sweeps_total', 'Sweeps of keep-alive, by how they ended.', 'ended')
  const lastSweep = new Gauge({
    name: 'token_broker_keep_alive_last_sweep_timestamp_seconds',
    help: 'When keep-alive last went over everything that was due.',
    registers,
  })

  const refused = counter(
    'requests_refused_total',
    'Requests whose signature did not hold, by why and by key id as presented where it is known.',
    'detail',
    'key_id',
  )
  const lastRefused = new Gauge({
    name: 'token_broker_last_refused_timestamp_seconds',
    help: 'When that happened last, seconds since the epoch.',
    labelNames: ['detail', 'key_id'],
    registers,
  })
  const forbidden = counter(
    'caller_forbidden_total',
    'Signed requests for which their caller lacks the permission.',
    'caller',
    'permission',
  )
  const unreadable = counter(
    'unreadable_values_total',
    'Stored values that no sealing key opens. Must stay 0: somebody gets token_unreadable.',
    'detail',
  )
  const requests = new Histogram({
    name: 'token_broker_http_seconds',
    help: 'Requests answered.',
    labelNames: ['listener', 'route', 'status'],
    buckets: [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 8],
    registers,
  })

  /** Milliseconds since the epoch by status: written on the way of every warm read, so it becomes a metric only when Prometheus asks. */
  const lastReads = new Map<number, number>()
  new Gauge({
    name: 'token_broker_last_token_read_timestamp_seconds',
    help: 'When a read of a token was last answered so, seconds since the epoch.',
    labelNames: ['status'],
    registers,
    collect() {
      for (const [status, at] of lastReads) this.set({ status: String(status) }, at / 1000)
    },
  })

  new Gauge({
    name: 'token_broker_breaker_open',
    help: '1 while no refreshes are sent to Microsoft, 0.5 while it is probed and healing, 0 in health; why it opened.',
    labelNames: ['reason'],
    registers,
    collect() {
      const { mode, reason = '' } = read.breaker()
      this.reset()
      this.set({ reason }, mode === 'open' ? 1 : mode === 'closed' ? 0 : 0.5)
    },
  })
  new Gauge({
    name: 'token_broker_caller_key_expiry_timestamp_seconds',
    help: 'When each caller key this replica holds ends, seconds since the epoch.',
    labelNames: ['key_id'],
    registers,
    collect() {
      this.reset()
      for (const { keyId, notAfter } of read.callerKeys()) this.set({ key_id: keyId }, notAfter / 1000)
    },
  })
  const sealingKeys = new Gauge({
    name: 'token_broker_sealing_key_info',
    help: 'Always 1: sealing keys this replica holds, and whether it seals with them or only opens.',
    labelNames: ['key_id', 'use'],
    registers,
  })
  for (const [index, keyId] of read.sealingKeyIds.entries())
    sealingKeys.set({ key_id: keyId, use: index === 0 ? 'seals' : 'opens' }, 1)
  new Gauge({
    name: 'token_broker_certificate_expiry_timestamp_seconds',
    help: 'When our certificates end, seconds since the epoch: the one Microsoft knows us by, the one of the internal listener.',
    labelNames: ['use'],
    registers,
    collect() {
      this.reset()
      for (const { use, notAfter } of read.certificates()) this.set({ use }, notAfter.getTime() / 1000)
    },
  })
  new Gauge({
    name: 'token_broker_request_nonces',
    help: 'Nonces this replica remembers against replay.',
    registers,
    collect() {
      this.set(read.noncesRemembered())
    },
  })

  const census = atMostEvery(CENSUS_KEPT, read.elapsed, read.census)
  const integrations = new Gauge({
    name: 'token_broker_integrations',
    help: 'Stored integrations by status; the same from every replica, up to a minute old, absent while the database does not answer.',
    labelNames: ['status'],
    registers,
    async collect() {
      const counts = await census().catch(() => undefined)
      integrations.reset()
      for (const status of counts === undefined ? [] : STATUSES)
        integrations.set({ status }, counts?.find((one) => one.status === status)?.count ?? 0)
    },
  })
  const oldest = new Gauge({
    name: 'token_broker_oldest_refresh_age_seconds',
    help: 'Since the oldest refresh of all integrations that are not refused for good. Microsoft lets a refresh token die after 90 days.',
    registers,
    async collect() {
      const counts = await census().catch(() => undefined)
      oldest.remove()
      if (counts !== undefined) oldest.set(Math.max(0, ...counts.map(({ oldestRefresh }) => oldestRefresh ?? 0)))
    },
  })

  return {
    registry,
    refreshed(event) {
      if (event.kind !== 'sent') return simple[event.kind].inc()
      refreshes.inc({ outcome: event.outcome, reason: event.reason ?? '' })
      latency.observe(event.seconds)
    },
    keptAlive(event) {
      if (event.kind === 'renewal') return renewals.inc({ result: event.result })
      sweeps.inc({ ended: event.ended })
      if (event.ended === 'done') lastSweep.setToCurrentTime()
    },
    requestRefused(detail, keyId) {
      // Only ids that exist: a stranger must not be able to make label values.
      const known = read.callerKeys().some((key) => key.keyId === keyId)
      const labels = { detail, key_id: known ? keyId! : '' }
      refused.inc(labels)
      lastRefused.setToCurrentTime(labels)
    },
    callerForbidden(caller, permission) {
      forbidden.inc({ caller, permission })
    },
    answered(listener, route, status, seconds) {
      if (route === TOKEN_READ && listener === 'internal') lastReads.set(status, Date.now())
      requests.observe({ listener, route, status: String(status) }, seconds)
    },
    unreadable(detail) {
      unreadable.inc({ detail })
    },
  }
}

/** The same answer, or the same failure, for so many milliseconds: scrapes are no load on the database. */
function atMostEvery<T>(ms: number, elapsed: () => number, ask: () => Promise<T>): () => Promise<T> {
  let last: { at: number; answer: Promise<T> } | undefined
  return () => {
    if (last === undefined || elapsed() - last.at >= ms) last = { at: elapsed(), answer: ask() }
    return last.answer
  }
}
