import pino, { type DestinationStream, type Logger, type LoggerOptions } from 'pino'
import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import { Failure } from './core/failure.ts'
import type { RefreshEvent } from './core/refresh.ts'

// What is seen from outside: log options and metric definitions. Knows no routes and no SQL.

/** Last net, not the first: nothing here should ever reach the logger. */
const REDACTED = ['access_token', 'refresh_token', 'id_token', 'client_secret', 'client_assertion', 'code_verifier', 'code', 'cookie', 'authorization', 'signature', 'ticket']

export function loggerOptions(level: string): LoggerOptions {
  return {
    level,
    base: { service: 'token-broker' },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    redact: { paths: REDACTED.filter((name) => name !== 'code').flatMap((name) => [name, `*.${name}`]), censor: '[redacted]' },
    serializers: { err: describeError },
  }
}

export function createLogger(level: string, destination?: DestinationStream): Logger {
  return destination === undefined ? pino(loggerOptions(level)) : pino(loggerOptions(level), destination)
}

/** Named fields of an error, never its message: drivers and parsers quote what they were given. */
export function describeError(error: unknown): Record<string, unknown> {
  if (error instanceof Failure) return { type: 'Failure', code: error.code, detail: error.facts.detail }
  if (!(error instanceof Error)) return { type: typeof error }
  const { code } = error as { code?: unknown }
  return {
    type: /^\w{1,60}$/.test(error.name) ? error.name : 'Error',
    ...(typeof code === 'string' && /^[\w-]{1,60}$/.test(code) ? { code } : {}),
    stack: (error.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line)).slice(0, 12).map((line) => line.trim()),
  }
}

export interface Metrics {
  registry: Registry
  refreshed(event: RefreshEvent): void
  requestRefused(detail: string, keyId: string | undefined): void
  answered(listener: string, route: string, status: number, seconds: number): void
}

/** `breakerMode` and `keys` are read when Prometheus asks. */
export function createMetrics(read: { breakerMode(): string; callerKeys(): { keyId: string; notAfter: number }[] }): Metrics {
  const registry = new Registry()
  const registers = [registry]
  const refreshes = new Counter({ name: 'token_broker_refreshes_total', help: 'Refreshes sent to Microsoft, by what the answer meant.', labelNames: ['outcome', 'reason'], registers })
  const latency = new Histogram({ name: 'token_broker_microsoft_seconds', help: 'How long Microsoft took to answer a refresh.', buckets: [0.05, 0.1, 0.2, 0.4, 0.8, 1.5, 3, 5], registers })
  const joined = new Counter({ name: 'token_broker_refresh_joined_total', help: 'Readers that joined a refresh under way in this process.', registers })
  const waited = new Counter({ name: 'token_broker_refresh_waited_total', help: 'Times this process waited for another replica\'s refresh.', registers })
  const takenOver = new Counter({ name: 'token_broker_leases_taken_over_total', help: 'Leases that had run out and were taken over.', registers })
  const discarded = new Counter({ name: 'token_broker_refresh_discarded_total', help: 'Answers that came too late: the row had moved on.', registers })
  const recovered = new Counter({ name: 'token_broker_recovered_total', help: 'Integrations that worked again without a reconnect.', registers })
  const saveFailed = new Counter({ name: 'token_broker_save_failed_total', help: 'Refreshed tokens that could not be saved at first.', registers })
  const lostRotation = new Counter({ name: 'token_broker_lost_rotation_total', help: 'Refreshed tokens that were never saved. Must stay 0.', registers })
  const refused = new Counter({ name: 'token_broker_requests_refused_total', help: 'Requests whose signature did not hold, by why and by key id as presented where it is known.', labelNames: ['detail', 'key_id'], registers })
  const requests = new Histogram({
    name: 'token_broker_http_seconds', help: 'Requests answered.', labelNames: ['listener', 'route', 'status'],
    buckets: [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 8], registers,
  })
  new Gauge({
    name: 'token_broker_breaker_open', help: '1 while no refreshes are sent to Microsoft, 0.5 while it is being probed.', registers,
    collect() {
      const mode = read.breakerMode()
      this.set(mode === 'open' ? 1 : mode === 'closed' ? 0 : 0.5)
    },
  })
  new Gauge({
    name: 'token_broker_caller_key_expiry_seconds', help: 'When each caller key this replica holds ends, seconds since the epoch.', labelNames: ['key_id'], registers,
    collect() {
      this.reset()
      for (const { keyId, notAfter } of read.callerKeys()) this.set({ key_id: keyId }, notAfter / 1000)
    },
  })
  const simple: Partial<Record<RefreshEvent['kind'], Counter>> = {
    joined, waited, lease_taken_over: takenOver, discarded, recovered, save_failed: saveFailed, save_given_up: lostRotation,
  }
  return {
    registry,
    refreshed(event) {
      if (event.kind !== 'sent') return simple[event.kind]?.inc()
      refreshes.inc({ outcome: event.outcome, reason: event.reason ?? '' })
      latency.observe(event.seconds)
    },
    requestRefused(detail, keyId) {
      // Only ids that exist: a stranger must not be able to make label values.
      const known = read.callerKeys().some((key) => key.keyId === keyId)
      refused.inc({ detail, key_id: known ? keyId! : '' })
    },
    answered(listener, route, status, seconds) {
      requests.observe({ listener, route, status: String(status) }, seconds)
    },
  }
}
