import type { Reason } from '../core/failure.ts'
import type { Admission, Pause, Permit } from '../core/microsoft-port.ts'

/**
 * Whether refreshes are sent at all, and how many at a time: one for each process, for trouble that is everybody's
 * (docs/design.md#breaker). A pure state machine; time and chance come in. closed → open on a credential failure,
 * throttling or an outage → half_open: one probe at a time → ramping: a few at a time, one more with each success →
 * closed: MAX_AT_ONCE at a time. Without that last limit, all who waited for the end of an outage were sent at once:
 * they timed out, and the breaker opened again (bench/minute.ts).
 */

export type BreakerMode = 'closed' | 'open' | 'half_open' | 'ramping'

export interface BreakerState {
  mode: BreakerMode
  /** Why it opened; absent while closed. */
  reason?: Reason
  /** Seconds until a probe is let through; only while open. */
  retryAfterSeconds?: number
}

/** What became of one refresh, seen as evidence about Microsoft and about us. */
export type BreakerEvidence =
  /** Microsoft answered this request as it should, be it with a refusal of this user. */
  | { kind: 'healthy' }
  /** This row's own trouble: says nothing about the others. */
  | { kind: 'neutral' }
  /** Our credential was refused: it will be for everybody. */
  | { kind: 'credential' }
  /** Throttled, failed or unreachable. `row` and `tenant` tell one row's or one tenant's trouble from everybody's. */
  | { kind: 'trouble'; reason: Reason; row: string; tenant?: string; retryAfterSeconds?: number }

export interface Breaker {
  /** Leave to send one refresh, or how long not to. A promise if it has to wait for others to finish. No I/O. */
  admit(): Admission | Promise<Admission>
  /** Reports what became of a permit's refresh; once, later calls and `release` do nothing. */
  record(permit: Permit, outcome: BreakerEvidence): void
  /** This process serves that tenant: once there are two, the trouble of one alone is not everybody's. */
  sawTenant(tenant: string): void
  state(): BreakerState
  /** Permits that have not reported, and those who wait for one. */
  use(): { sent: number; waiting: number }
}

export interface BreakerOptions {
  /** Milliseconds, monotonic. */
  now(): number
  /** Uniform in [0, 1). */
  random(): number
  /** Called at each change of mode; for the log and metrics. */
  onChange?(state: BreakerState, from: BreakerMode): void
}

/**
 * Different integrations that must fail in a row, with no healthy answer between, before trouble counts as everybody's.
 */
export const FAILURES_TO_OPEN = 5
/** A row of failures is forgotten after this time without a further one. */
export const FAILURE_WINDOW_MS = 60_000
/**
 * The first pause; doubled with each failed probe up to MAX_PAUSE_MS. `throttled`: without a Retry-After, as MSAL waits
 * (docs/microsoft.md#throttling).
 */
const FIRST_PAUSE_MS = { client_credential: 15_000, throttled: 60_000, other: 5_000 }
const MAX_PAUSE_MS = 60_000

function firstPauseMs(why: Reason, retryAfterSeconds: number): number {
  if (why === 'client_credential') return FIRST_PAUSE_MS.client_credential
  return why === 'throttled' && retryAfterSeconds === 0 ? FIRST_PAUSE_MS.throttled : FIRST_PAUSE_MS.other
}

/** A Retry-After is honoured up to an hour. */
const MAX_RETRY_AFTER_MS = 3_600_000
/** A probe that never reported is given up after this time; longer than an exchange can take. */
const PROBE_LIMIT_MS = 10_000
/** Refreshes at once right after healing. The ramp is over at MAX_AT_ONCE, or after RAMP_LIMIT_MS. */
const RAMP_START = 2
const RAMP_LIMIT_MS = 30_000
/**
 * Refreshes at once in ordinary times: 640 a second at 100 ms each. The others wait for their turn. Nothing is lost if
 * their callers leave: the tokens are saved, and the next read finds them.
 */
export const MAX_AT_ONCE = 64

/** Failures that say nothing about a tenant: Microsoft was not reached, or something else answered. */
const NETWORK: ReadonlySet<Reason> = new Set(['microsoft_unreachable', 'microsoft_bad_answer'])

interface Chain {
  rows: Map<string, string | undefined>
  at: number
  retryAfterSeconds: number
}

export function createBreaker({ now, random, onChange }: BreakerOptions): Breaker {
  let mode: BreakerMode = 'closed'
  let reason: Reason | undefined
  let until = 0
  let openings = 0
  let epoch = 0
  let probeUntil = -Infinity
  let inFlight = 0
  let limit = 0
  let rampUntil = 0
  let chain: Chain = emptyChain()
  const waiting: ((admission: Admission) => void)[] = []
  const tenants = new Set<string>()
  const permits = new WeakMap<Permit, { epoch: number }>()

  const state = (): BreakerState => ({
    mode,
    ...(reason !== undefined && { reason }),
    ...(mode === 'open' && { retryAfterSeconds: Math.max(1, Math.ceil((until - now()) / 1000)) }),
  })

  const change = (next: BreakerMode): void => {
    const from = mode
    mode = next
    if (next === 'closed') {
      reason = undefined
      openings = 0
    }
    chain = emptyChain()
    if (from !== next) onChange?.(state(), from)
  }

  const open = (why: Reason, retryAfterSeconds = 0): void => {
    const wanted = Math.max(
      Math.min(firstPauseMs(why, retryAfterSeconds) * 2 ** openings, MAX_PAUSE_MS),
      Math.min(retryAfterSeconds * 1000, MAX_RETRY_AFTER_MS),
    )
    reason = why
    // Later by up to a fifth, never earlier than Microsoft asked: replicas must not probe in step.
    until = now() + Math.min(wanted * (1 + random() / 5), MAX_RETRY_AFTER_MS)
    openings += 1
    epoch += 1
    inFlight = 0
    probeUntil = -Infinity
    change('open')
  }

  const startRamp = (): void => {
    limit = RAMP_START
    rampUntil = now() + RAMP_LIMIT_MS
    change('ramping')
  }

  const permit = (): Permit => {
    inFlight += 1
    const issued: Permit = { release: () => record(issued, { kind: 'neutral' }) }
    permits.set(issued, { epoch })
    return issued
  }

  const pause = (retryAfterSeconds: number): Pause => ({
    verdict: reason === 'client_credential' ? 'misconfigured' : 'try_later',
    reason: reason ?? 'microsoft_error',
    retryAfterSeconds,
  })
  // Seconds; spread, so that those turned away do not come back together.
  const shortPause = (): Pause => pause(1 + Math.floor(random() * 3))

  const admitNow = (): Admission | undefined => {
    if (mode === 'open') {
      if (now() < until) return pause(Math.max(1, Math.ceil((until - now()) / 1000)))
      change('half_open')
    }
    if (mode === 'half_open') {
      // Nobody waits for a probe: it may take as long as Microsoft is silent.
      if (now() < probeUntil) return shortPause()
      probeUntil = now() + PROBE_LIMIT_MS
      return permit()
    }
    if (mode === 'ramping' && now() >= rampUntil) change('closed')
    // Nobody waits on the ramp either: it is short, and who has a valid token gets it at once.
    if (mode === 'ramping') return inFlight < limit ? permit() : shortPause()
    return inFlight < MAX_AT_ONCE ? permit() : undefined
  }

  // In the order in which they came.
  const admit = (): Admission | Promise<Admission> =>
    (waiting.length === 0 ? admitNow() : undefined) ?? new Promise((resolve) => void waiting.push(resolve))

  const admitWaiting = (): void => {
    while (waiting.length > 0) {
      const admission = admitNow()
      if (admission === undefined) return
      waiting.shift()!(admission)
    }
  }

  const record = (given: Permit, outcome: BreakerEvidence): void => {
    const issued = permits.get(given)
    if (!issued) return
    permits.delete(given)
    // Sent before it opened: out of date, and it must not heal or prolong anything.
    if (issued.epoch !== epoch) return
    inFlight -= 1
    if (mode === 'half_open') probeUntil = -Infinity
    if (outcome.kind === 'credential') open('client_credential')
    else if (outcome.kind === 'trouble') trouble(outcome)
    else if (outcome.kind === 'healthy') healthy()
    admitWaiting()
  }

  const healthy = (): void => {
    chain = emptyChain()
    if (mode === 'half_open') startRamp()
    else if (mode === 'ramping' && ++limit >= MAX_AT_ONCE) change('closed')
  }

  const trouble = (outcome: Extract<BreakerEvidence, { kind: 'trouble' }>): void => {
    if (mode === 'half_open') return open(outcome.reason, outcome.retryAfterSeconds)
    if (now() - chain.at > FAILURE_WINDOW_MS) chain = emptyChain()
    chain.at = now()
    chain.retryAfterSeconds = Math.max(chain.retryAfterSeconds, outcome.retryAfterSeconds ?? 0)
    // A network or proxy that gave no answer, or its own, is no tenant's trouble: such a row stands for a tenant of its
    // own.
    const tenant = NETWORK.has(outcome.reason) ? outcome.row : outcome.tenant
    chain.rows.set(outcome.row, tenant)
    if (chain.rows.size >= FAILURES_TO_OPEN && isEverybodys(chain)) open(outcome.reason, chain.retryAfterSeconds)
  }

  // Two tenants at least, unless this process has only ever seen one.
  const isEverybodys = ({ rows }: Chain): boolean => {
    const failing = new Set(rows.values())
    failing.delete(undefined)
    return failing.size >= 2 || tenants.size <= 1
  }

  const sawTenant = (tenant: string): void => {
    if (tenants.size < 2) tenants.add(tenant)
  }

  return { admit, record, sawTenant, state, use: () => ({ sent: inFlight, waiting: waiting.length }) }
}

function emptyChain(): Chain {
  return { rows: new Map(), at: -Infinity, retryAfterSeconds: 0 }
}
