import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { CallerPermission } from '../core/caller-permissions.ts'
import { FREEZE_SCOPES } from '../core/freeze.ts'
import { STORED_VERDICTS, type AnyReason } from '../core/failure.ts'
import type { IntegrationStatus } from '../core/integration.ts'
import { RENEWAL_RESULTS, SWEEP_ENDS, type KeepAlivePorts } from '../core/keep-alive.ts'
import { FORCED_RESULTS, type RefreshEvent } from '../core/refresh-event.ts'
import type { DatabaseFailureKind } from '../db/failure-kinds.ts'
import { VERSION } from '../version.ts'
import { atMostEvery } from './at-most-every.ts'
import { addDatabaseMetrics, type DatabaseMetricSources } from './database-metrics.ts'
import { addBreakerGauges, type BreakerSources } from './breaker-gauges.ts'
import { FAILURE_STATUSES, known, REASON_LABELS, WATCHED_ROUTES } from './label-values.ts'
import { addMicrosoftMetrics, type MicrosoftMetricSources } from './microsoft-metrics.ts'
import { createRouteCounts, type RouteCounts } from './route-counts.ts'

// The metrics, by Prometheus' conventions: base units, few labels, no user ids. A metric that costs a query is
// collected only when Prometheus scrapes, and at most once a minute.

export interface Metrics {
  registry: Registry
  refreshed(event: RefreshEvent): void
  keptAlive(event: Parameters<KeepAlivePorts['observe']>[0]): void
  /** The signature of a request was refused. */
  requestRefused(detail: string, keyId: string | undefined): void
  /** `caller` is a name of the callers file. */
  callerForbidden(caller: string, permission: CallerPermission): void
  /** Something that nobody vouches for was refused or not logged. */
  stranger(listener: string, event: string): void
  /** A listener serves this route: before its first request. */
  routeAdded(listener: string, route: string): void
  answered(listener: string, method: string, route: string, status: number, seconds: number): void
  /** Whether an audit line was written in time. */
  audited(written: boolean): void
  /** A stored value could not be opened. */
  unreadable(detail: string): void
  /** A statement failed because of the database. */
  databaseFailed(kind: DatabaseFailureKind): void
  /** A token was handed out although it could not be refreshed. */
  degraded(reason: AnyReason): void
  /** A connect session has come so far. */
  connectReached(step: ConnectStep): void
  /** An attempt to connect is over. */
  connectEnded(outcome: ConnectEnd, reason: AnyReason | undefined): void
  /** The counts that `GET /status` reports. */
  counts(): Promise<ReplicaCounts>
}

/** What this process has counted since its start. Every time is ISO 8601; null: not since the start. */
export interface ReplicaCounts extends RouteCounts {
  /** Requests whose signature was refused. `key_id` is empty if the request named no known key. */
  requests_refused: { detail: string; key_id: string; count: number; last_at: string | null }[]
  /** Answers to reads of a token, by HTTP status. */
  token_reads: { status: number; count: number; last_at: string | null }[]
  /** Signed requests whose caller lacks the permission. */
  requests_forbidden: { caller: string; permission: string; count: number }[]
  /** Stored values that could not be opened, by reason. */
  unreadable_values: { detail: string; count: number }[]
}

/** Steps of an attempt to connect, for `token_broker_connect_steps_total`. */
export const CONNECT_STEPS = ['begun', 'sent_to_microsoft', 'returned', 'connected'] as const
export type ConnectStep = (typeof CONNECT_STEPS)[number]
/** How an attempt ended. `failed`: by a fault of Microsoft, the registration or the broker. */
export type ConnectEnd = 'connected' | 'refused' | 'failed' | 'expired'

/** `microsoft_previous`: of earlier app registrations, the first that ends. */
export type CertificateUse = 'microsoft' | 'microsoft_previous' | 'internal'

/** What is read when Prometheus scrapes. */
export interface MetricSources extends DatabaseMetricSources, MicrosoftMetricSources, BreakerSources {
  /** Milliseconds, monotonic. */
  elapsed(): number
  /** `notAfter` in milliseconds since the epoch. */
  callerKeys(): { keyId: string; notAfter: number }[]
  noncesRemembered(): number
  /** Newest first. The first one seals. */
  sealingKeyIds(): readonly string[]
  /** Variables whose changed files are not used, or would stop the next start. */
  refusedChanges(): readonly string[]
  /** When our own certificates end. Undefined: there is none. */
  certificates(): Record<CertificateUse, Date | undefined>
  /** Those that count now. Rejects if the database does not answer. */
  freezes(): Promise<readonly { scope: string }[]>
  /** Caller keys in the present hour, as of the last merge. */
  keyUse(): readonly { keyId: string; users: number; limit: number }[]
  logOutput: { state(): 'open' | 'blocked' | 'closed'; dropped(): number }
  /** One query over all integrations. Rejects if the database does not answer. `oldestRefresh` in seconds. */
  integrationCounts(): Promise<{ status: IntegrationStatus; count: number; oldestRefresh: number | null }[]>
}

/** How long counts from the database are used again. */
const INTEGRATION_COUNTS_MS = 60_000
const TOKEN_ROUTE = '/tokens/:userId'
const STATUSES: readonly IntegrationStatus[] = ['active', 'reconnect_required']

export function createMetrics(sources: MetricSources): Metrics {
  const registry = new Registry()
  const registers = [registry]
  const counter = <T extends string>(name: string, help: string, ...labelNames: T[]) =>
    new Counter({ name: `token_broker_${name}`, help, labelNames, registers })
  collectDefaultMetrics({ register: registry })

  new Gauge({
    name: 'token_broker_build_info',
    help: 'Always 1. The version of the token broker and of Node.',
    labelNames: ['version', 'node'],
    registers,
  }).set({ version: VERSION, node: process.version }, 1)

  const refreshes = counter(
    'refreshes_total',
    "Refreshes sent to Microsoft, by the meaning of Microsoft's answer.",
    'outcome',
    'reason',
  )
  refreshes.inc({ outcome: 'tokens', reason: '' }, 0)
  for (const outcome of STORED_VERDICTS) for (const reason of REASON_LABELS) refreshes.inc({ outcome, reason }, 0)
  const refreshSeconds = new Histogram({
    name: 'token_broker_microsoft_refresh_seconds',
    help: 'Time that Microsoft took to answer a refresh, in seconds.',
    buckets: [0.05, 0.1, 0.2, 0.4, 0.8, 1.5, 3, 5],
    registers,
  })
  const simple: Record<Exclude<RefreshEvent['kind'], 'sent' | 'forced'>, Counter> = {
    joined: counter('refreshes_joined_total', 'Reads that waited for a refresh already running in this process.'),
    waited: counter('refresh_waits_total', "Times that this process waited for another replica's refresh."),
    lease_taken_over: counter('leases_taken_over_total', 'Expired leases of other processes that were taken over.'),
    discarded: counter(
      'refresh_answers_discarded_total',
      "Microsoft's answers that were discarded, because the stored tokens had changed in the meantime.",
    ),
    recovered: counter(
      'integrations_recovered_total',
      'Integrations that needed a reconnect and now work again without one.',
    ),
    save_failed: counter('token_save_failures_total', 'Refreshed tokens that could not be saved at the first try.'),
    false_reconnect: counter(
      'mistaken_reconnects_total',
      'Integrations marked as needing a reconnect although their authorization was valid. Must stay 0.',
    ),
    save_given_up: counter('refreshed_tokens_lost_total', 'Refreshed tokens that were never saved. Must stay 0.'),
  }
  const forced = counter('forced_refreshes_total', 'Refreshes that callers forced, by result.', 'result')
  for (const result of FORCED_RESULTS) forced.inc({ result }, 0)

  const keptAlive = counter(
    'keep_alive_integrations_total',
    'Integrations that keep-alive has processed, by result.',
    'result',
  )
  for (const result of RENEWAL_RESULTS) keptAlive.inc({ result }, 0)
  const sweeps = counter('keep_alive_sweeps_total', 'Sweeps of keep-alive, by how they ended.', 'ended')
  for (const ended of SWEEP_ENDS) sweeps.inc({ ended }, 0)
  const lastSweep = new Gauge({
    name: 'token_broker_keep_alive_last_sweep_timestamp_seconds',
    help: 'When keep-alive last completed a sweep, in seconds since the epoch.',
    registers,
  })

  const refused = counter(
    'requests_refused_total',
    'Requests whose signature was refused (401), by reason and by key id. The key id is empty if it is not known.',
    'detail',
    'key_id',
  )
  /** Milliseconds since the epoch, by the labels of `refused`. */
  const lastRefused = new Map<string, number>()
  const forbidden = counter(
    'requests_forbidden_total',
    'Signed requests whose caller lacks the permission (403).',
    'caller',
    'permission',
  )
  const strangers = counter(
    'strangers_total',
    'What strangers were refused, by listener: over_address_limit (429), not_parsed, connection_refused; and not_logged: ' +
      'requests that the log only counts.',
    'listener',
    'event',
  )
  const unreadable = counter(
    'unreadable_values_total',
    'Stored values that no sealing key opens. Must stay 0: their users get token_unreadable.',
    'detail',
  )
  const databaseFailed = addDatabaseMetrics(registry, sources)
  addMicrosoftMetrics(registry, sources)
  const degraded = counter(
    'degraded_tokens_total',
    'Tokens that were handed out although they could not be refreshed, by reason.',
    'reason',
  )
  for (const reason of REASON_LABELS) degraded.inc({ reason }, 0)
  const connectSteps = counter(
    'connect_steps_total',
    'Attempts to connect by how far they came: begun, sent_to_microsoft, returned (with an answer), connected.',
    'step',
  )
  for (const step of CONNECT_STEPS) connectSteps.inc({ step }, 0)
  const connects = counter(
    'connects_total',
    'Attempts to connect by outcome (connected, refused, failed, expired) and by reason. Those that never return from Microsoft are in no outcome.',
    'outcome',
    'reason',
  )
  connects.inc({ outcome: 'connected', reason: '' }, 0)
  connects.inc({ outcome: 'expired', reason: 'abandoned' }, 0)
  for (const outcome of ['refused', 'failed'] satisfies ConnectEnd[])
    for (const reason of REASON_LABELS) connects.inc({ outcome, reason }, 0)
  // Counted in plain numbers: every token read has a line.
  const auditLines = { written: 0, late: 0 }
  new Gauge({
    name: 'token_broker_audit_lines',
    help: 'Audit lines since the start: written, or late (not within two seconds; the caller got audit_unavailable).',
    labelNames: ['result'],
    registers,
    collect() {
      for (const [result, count] of Object.entries(auditLines)) this.set({ result }, count)
    },
  })
  new Gauge({
    name: 'token_broker_log_blocked',
    help: '1 while nothing can be written to standard output; then no token is handed out, unless AUDIT=best-effort.',
    registers,
    collect() {
      this.set(sources.logOutput.state() === 'open' ? 0 : 1)
    },
  })
  new Gauge({
    name: 'token_broker_log_lines_dropped',
    help: 'Log lines since the start that were dropped because the reader of the log did not keep up. Never audit lines.',
    registers,
    collect() {
      this.set(sources.logOutput.dropped())
    },
  })
  const requests = new Histogram({
    name: 'token_broker_http_request_seconds',
    help: 'Time to answer HTTP requests, in seconds.',
    labelNames: ['listener', 'route', 'status'],
    buckets: [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 8],
    registers,
  })
  const routes = createRouteCounts()
  /** By HTTP status; `lastAt` in milliseconds since the epoch. */
  const tokenReads = new Map<number, { count: number; lastAt: number }>()

  addBreakerGauges(sources, registers)
  new Gauge({
    name: 'token_broker_caller_key_expiry_timestamp_seconds',
    help: 'When each caller key expires, in seconds since the epoch.',
    labelNames: ['key_id'],
    registers,
    collect() {
      this.reset()
      for (const { keyId, notAfter } of sources.callerKeys()) this.set({ key_id: keyId }, notAfter / 1000)
    },
  })
  new Gauge({
    name: 'token_broker_sealing_key_info',
    help: 'Always 1. The sealing keys of this replica; the use is "seals" for the key that seals and opens, "opens" for the others.',
    labelNames: ['key_id', 'use'],
    registers,
    collect() {
      this.reset()
      for (const [index, keyId] of sources.sealingKeyIds().entries())
        this.set({ key_id: keyId, use: index === 0 ? 'seals' : 'opens' }, 1)
    },
  })
  new Gauge({
    name: 'token_broker_refused_change',
    help: '1 for each variable whose changed file is not used, because the next start would fail with it.',
    labelNames: ['variable'],
    registers,
    collect() {
      this.reset()
      for (const variable of sources.refusedChanges()) this.set({ variable }, 1)
    },
  })
  new Gauge({
    name: 'token_broker_certificate_expiry_timestamp_seconds',
    help:
      'When our certificates expire, in seconds since the epoch: "microsoft" is the client credential, "internal" the signed API, ' +
      '"microsoft_previous" the first that ends of earlier app registrations.',
    labelNames: ['use'],
    registers,
    collect() {
      this.reset()
      for (const [use, notAfter] of Object.entries(sources.certificates()))
        if (notAfter !== undefined) this.set({ use }, notAfter.getTime() / 1000)
    },
  })
  new Gauge({
    name: 'token_broker_nonces_remembered',
    help: 'Nonces that this replica remembers, so that no request can be replayed.',
    registers,
    collect() {
      this.set(sources.noncesRemembered())
    },
  })

  const freezesNow = atMostEvery(INTEGRATION_COUNTS_MS, sources.elapsed, sources.freezes)
  const freezes = new Gauge({
    name: 'token_broker_freezes',
    help:
      'Freezes that count now, by scope. Every replica reports the same, up to a minute old. Absent while the database does not ' +
      'answer.',
    labelNames: ['scope'],
    registers,
    async collect() {
      const list = await freezesNow().catch(() => undefined)
      freezes.reset()
      if (list === undefined) return
      for (const scope of FREEZE_SCOPES) freezes.set({ scope }, list.filter((one) => one.scope === scope).length)
    },
  })
  new Gauge({
    name: 'token_broker_caller_key_users',
    help: 'Different users that each caller key has asked for in this hour, over all replicas; an estimate, within about 5 %.',
    labelNames: ['key_id'],
    registers,
    collect() {
      this.reset()
      for (const { keyId, users } of sources.keyUse()) this.set({ key_id: keyId }, users)
    },
  })
  new Gauge({
    name: 'token_broker_caller_key_users_limit',
    help: 'Different users in an hour above which the alarm for a caller key begins.',
    labelNames: ['key_id'],
    registers,
    collect() {
      this.reset()
      for (const { keyId, limit } of sources.keyUse()) this.set({ key_id: keyId }, limit)
    },
  })
  const integrationCounts = atMostEvery(INTEGRATION_COUNTS_MS, sources.elapsed, sources.integrationCounts)
  const integrations = new Gauge({
    name: 'token_broker_integrations',
    help:
      'Stored integrations by status. Every replica reports the same, up to a minute old. Absent while the database does not ' +
      'answer.',
    labelNames: ['status'],
    registers,
    async collect() {
      const counts = await integrationCounts().catch(() => undefined)
      integrations.reset()
      for (const status of counts === undefined ? [] : STATUSES)
        integrations.set({ status }, counts?.find((one) => one.status === status)?.count ?? 0)
    },
  })
  const oldestRefresh = new Gauge({
    name: 'token_broker_oldest_refresh_age_seconds',
    help:
      'Age of the oldest refresh of all integrations that can still be refreshed, in seconds. A refresh token expires after 90 ' +
      'days without use.',
    registers,
    async collect() {
      const counts = await integrationCounts().catch(() => undefined)
      oldestRefresh.remove()
      if (counts !== undefined) oldestRefresh.set(Math.max(0, ...counts.map((one) => one.oldestRefresh ?? 0)))
    },
  })

  return {
    registry,
    refreshed(event) {
      if (event.kind === 'forced') return forced.inc({ result: event.result })
      if (event.kind !== 'sent') return simple[event.kind].inc()
      refreshes.inc({ outcome: event.outcome, reason: event.reason ?? '' })
      refreshSeconds.observe(event.seconds)
    },
    keptAlive(event) {
      if (event.kind === 'renewal') return keptAlive.inc({ result: event.result })
      sweeps.inc({ ended: event.ended })
      if (event.ended === 'done') lastSweep.setToCurrentTime()
    },
    requestRefused(detail, keyId) {
      // Only known key ids: a stranger must not be able to create label values.
      const known = keyId !== undefined && sources.callerKeys().some((key) => key.keyId === keyId)
      const labels = { detail, key_id: known ? keyId : '' }
      refused.inc(labels)
      lastRefused.set(`${labels.detail} ${labels.key_id}`, Date.now())
    },
    callerForbidden(caller, permission) {
      forbidden.inc({ caller, permission })
    },
    stranger(listener, event) {
      strangers.inc({ listener, event })
    },
    routeAdded(listener, route) {
      if (!WATCHED_ROUTES.test(route)) return
      for (const status of FAILURE_STATUSES) requests.zero({ listener, route, status })
    },
    answered(listener, method, route, status, seconds) {
      if (listener !== 'operations' && route !== 'none') routes.count(method, route, status)
      if (route === TOKEN_ROUTE && listener === 'internal') {
        const reads = tokenReads.get(status)
        if (reads === undefined) tokenReads.set(status, { count: 1, lastAt: Date.now() })
        else {
          reads.count++
          reads.lastAt = Date.now()
        }
      }
      requests.observe({ listener, route, status: String(status) }, seconds)
    },
    audited(written) {
      auditLines[written ? 'written' : 'late'] += 1
    },
    unreadable(detail) {
      unreadable.inc({ detail })
    },
    databaseFailed,
    degraded(reason) {
      degraded.inc({ reason: known(reason) })
    },
    connectReached(step) {
      connectSteps.inc({ step })
    },
    connectEnded(outcome, reason) {
      connects.inc({ outcome, reason: reason === undefined ? '' : known(reason) })
    },
    async counts() {
      const [refusals, permissions, values] = await Promise.all([refused.get(), forbidden.get(), unreadable.get()])
      return {
        requests_refused: refusals.values.map(({ labels: { detail = '', key_id = '' }, value }) => ({
          detail: String(detail),
          key_id: String(key_id),
          count: value,
          last_at: isoOf(lastRefused.get(`${detail} ${key_id}`)),
        })),
        token_reads: [...tokenReads].map(([status, { count, lastAt }]) => ({ status, count, last_at: isoOf(lastAt) })),
        requests_forbidden: permissions.values.map(({ labels: { caller = '', permission = '' }, value }) => ({
          caller: String(caller),
          permission: String(permission),
          count: value,
        })),
        unreadable_values: values.values.map(({ labels: { detail = '' }, value }) => ({
          detail: String(detail),
          count: value,
        })),
        ...routes.counts(),
      }
    },
  }
}

const isoOf = (ms: number | undefined): string | null => (ms === undefined ? null : new Date(ms).toISOString())
