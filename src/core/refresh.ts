import { Failure, type FailureCode, type Reason } from './failure.ts'
import { isStillValid, isUsable, type Integration, type StoredFailure, type TokenSet } from './integration.ts'
import type { Claim, Clock, IntegrationStore, Microsoft, Pause, Permit, Random, Verdict } from './ports.ts'

// The product in one file (design 2.3): usable → back-off → join → claim → send → judge → save or yield. At most one lease
// holder per generation, and a loser can never hurt a winner, because every write names the generation it read.

/** Seconds a claim holds: longer than Microsoft's 5 s time-out, shorter than a caller's default patience of 8 s. */
const LEASE_SECONDS = 7
/** Seconds before a refusal that may be cured elsewhere is tried again by a caller's read (design 2.3). */
const CURABLE_RETRY_SECONDS = 900
/** Seconds Microsoft's loop detection (AADSTS50196) is left alone. */
const LOOP_RETRY_SECONDS = 600
/** Milliseconds between two looks at a row that somebody else is refreshing, before jitter. */
const POLL_MS = { first: 50, last: 250 }

export interface TokenRequest {
  userId: string
  /** Seconds of life the token must at least have. */
  minTtl: number
  /** Milliseconds the caller waits. */
  deadlineMs: number
  /** The generation that failed for the caller: only a later one will do. */
  after?: number
  requestId: string
}

export interface TokenAnswer {
  integration: Integration
  /** The token still works but could not be refreshed. `retryAfter` in seconds. */
  degraded?: { reason: Reason; retryAfter?: number }
}

/** What happened, for metrics and the log. Never holds a token. */
export type RefreshEvent =
  | { kind: 'sent'; integrationId: string; userId: string; outcome: Verdict['kind']; reason?: Reason; seconds: number; aadsts?: number; correlationId?: string }
  | { kind: 'joined' | 'waited' | 'lease_taken_over' | 'discarded'; integrationId: string }
  | { kind: 'recovered'; integrationId: string; userId: string }
  | { kind: 'save_failed' | 'save_given_up'; integrationId: string; userId: string; code: FailureCode }

export interface RefreshPorts {
  integrations: IntegrationStore
  microsoft: Microsoft
  clock: Clock
  random: Random
  observe(event: RefreshEvent): void
}

/** Why no fresh token can be had now. */
interface Stop {
  verdict: StoredFailure['verdict']
  reason: Reason
  retryAfter?: number
  microsoft?: StoredFailure['microsoft']
}

type Outcome =
  | { kind: 'tokens'; integration: Integration }
  | { kind: 'stopped'; stop: Stop }
  | { kind: 'broken'; failure: Failure }
  /** The row changed under us: read it again. */
  | { kind: 'moved' }

export interface Refresh {
  /**
   * The best token that can be had within the deadline: fresh, else the still valid one marked `degraded`.
   * Throws Failure `not_connected`, `reconnect_required`, `microsoft_unavailable`, `broker_misconfigured`,
   * `database_unavailable` or `token_unreadable` only when there is no valid token (with `after`: no valid later one).
   */
  tokenFor(request: TokenRequest): Promise<TokenAnswer>
  /** Refreshes without a caller (keep-alive), by the same claim. Resolves with what came of it; never throws. */
  renew(integration: Integration, requestId: string): Promise<'tokens' | 'stopped' | 'moved' | 'broken'>
  /** Resolves when every refresh that has begun is finished and saved. New ones may still begin while it waits. */
  drain(): Promise<void>
}

export function createRefresh({ integrations, microsoft, clock, random, observe }: RefreshPorts): Refresh {
  const flights = new Map<string, Promise<Outcome>>()
  const lateSaves = new Set<Promise<void>>()

  async function tokenFor(request: TokenRequest): Promise<TokenAnswer> {
    const deadline = clock.elapsed() + request.deadlineMs
    for (;;) {
      const integration = await integrations.read(request.userId)
      if (integration === undefined) throw new Failure('not_connected')
      const readAt = clock.elapsed()
      const now = () => aged(integration, (clock.elapsed() - readAt) / 1000)

      if (isLateEnough(integration, request.after) && isUsable(integration, request.minTtl)) return { integration }

      const backOff = backingOff(integration)
      if (backOff !== undefined) return settle(integration, backOff, request.after)

      const outcome = await within(deadline, join(integration, true, request.requestId))
      switch (outcome?.kind) {
        case 'tokens': return { integration: outcome.integration }
        case 'stopped': return settle(now(), outcome.stop, request.after)
        case 'broken': return settleBroken(now(), outcome.failure, request.after)
        case 'moved': continue
        case undefined: return settle(now(), { verdict: 'try_later', reason: 'refresh_in_progress', retryAfter: 1 }, request.after)
      }
    }
  }

  /** One flight per integration and generation in this process: a forced refresh can join a plain one and still get a later token. */
  function join(integration: Integration, used: boolean, requestId: string): Promise<Outcome> {
    const key = `${integration.id}:${integration.generation}`
    const running = flights.get(key)
    if (running !== undefined) {
      observe({ kind: 'joined', integrationId: integration.id })
      return running
    }
    const flight = fly(integration, used, requestId)
      .catch((error: unknown): Outcome => ({ kind: 'broken', failure: asFailure(error) }))
      .finally(() => flights.delete(key))
    flights.set(key, flight)
    return flight
  }

  async function fly(integration: Integration, used: boolean, requestId: string): Promise<Outcome> {
    for (;;) {
      const permit = microsoft.admit()
      if (isPause(permit)) return { kind: 'stopped', stop: permit }
      // A new name for every claim: a flight that outlived its lease must not pass for the next holder.
      const owner = random.bytes(12).toString('base64url')
      let claim: Claim | undefined
      try {
        claim = await integrations.claim(integration, owner, LEASE_SECONDS, used)
      } catch (error) {
        permit.release()
        throw error
      }
      if (claim !== undefined) return send(integration, claim, owner, permit, requestId)
      permit.release()
      if (await waitForChange(integration)) return { kind: 'moved' }
    }
  }

  /** From here on nothing stops the refresh: it is finished and saved even when every caller has left. */
  async function send(integration: Integration, claim: Claim, owner: string, permit: Permit, requestId: string): Promise<Outcome> {
    if (claim.takenOver) observe({ kind: 'lease_taken_over', integrationId: integration.id })
    const began = clock.elapsed()
    const { refreshToken, scopes, account } = claim
    const verdict = await microsoft.refresh(
      { refreshToken, scopes, requestId, ...(account === undefined ? {} : { account, tenantId: account.tenantId }) },
      permit,
    )
    observe(sentEvent(integration, verdict, (clock.elapsed() - began) / 1000))
    if (verdict.kind === 'tokens') return saveTokens(integration, verdict.tokens)
    return yieldLease(integration, owner, verdict, claim.failures)
  }

  async function saveTokens(integration: Integration, tokens: TokenSet): Promise<Outcome> {
    try {
      return await saveOnce(integration, tokens)
    } catch (error) {
      observe({ kind: 'save_failed', integrationId: integration.id, userId: integration.userId, code: asFailure(error).code })
      const late = saveLater(integration, tokens).finally(() => lateSaves.delete(late))
      lateSaves.add(late)
      // The waiters get what Microsoft gave. Its generation is not known yet, so it keeps the number of the set it replaces.
      const remaining = tokens.expiresIn - tokens.elapsed / 1000
      return {
        kind: 'tokens',
        integration: {
          ...integration,
          accessToken: tokens.accessToken,
          remaining,
          lifetime: tokens.expiresIn,
          expiresAt: new Date(clock.now() + remaining * 1000).toISOString().replace(/\.\d+Z$/, 'Z'),
          scopes: tokens.scopes,
        },
      }
    }
  }

  async function saveOnce(integration: Integration, tokens: TokenSet): Promise<Outcome> {
    const saved = await integrations.saveTokens(integration, tokens)
    if (saved === undefined) {
      observe({ kind: 'discarded', integrationId: integration.id })
      return { kind: 'moved' }
    }
    if (saved.recovered) observe({ kind: 'recovered', integrationId: integration.id, userId: integration.userId })
    return { kind: 'tokens', integration: saved.integration }
  }

  /** Tries until the row is saved or has moved on. Two minutes is longer than any failover; then the stored refresh token still stands. */
  async function saveLater(integration: Integration, tokens: TokenSet): Promise<void> {
    const began = clock.elapsed()
    let pause = 250
    for (;;) {
      await clock.sleep(pause)
      try {
        const waited = clock.elapsed() - began
        await saveOnce(integration, { ...tokens, elapsed: tokens.elapsed + waited })
        return
      } catch (error) {
        if (clock.elapsed() - began > 120_000) {
          observe({ kind: 'save_given_up', integrationId: integration.id, userId: integration.userId, code: asFailure(error).code })
          return
        }
        pause = Math.min(pause * 2, 5_000)
      }
    }
  }

  /** Marks what the answer means, but only while the lease is still ours; then gives the lease back. */
  async function yieldLease(integration: Integration, owner: string, verdict: Exclude<Verdict, { kind: 'tokens' }>, failures: number): Promise<Outcome> {
    if (verdict.kind === 'misconfigured' && verdict.everybody) {
      await integrations.releaseLease(integration, owner)
      return { kind: 'stopped', stop: { verdict: 'misconfigured', reason: verdict.reason, retryAfter: 30, microsoft: verdict.microsoft } }
    }
    const retryIn = retryAfter(verdict, failures, random)
    // A passing trouble says nothing about a refusal that already stands: the refusal stays, only the next try moves.
    const stands = verdict.kind !== 'reconnect' && integration.status === 'reconnect_required' ? integration.failure : undefined
    const failure = stands ?? toStoredFailure(verdict)
    const marked = await integrations.saveFailure(integration, owner, failure, retryIn)
    if (!marked) {
      observe({ kind: 'discarded', integrationId: integration.id })
      return { kind: 'moved' }
    }
    return { kind: 'stopped', stop: toStop(failure, retryIn) }
  }

  /** One poller per process and integration. True: there is something new to read. False: nobody holds the lease any more. */
  async function waitForChange(integration: Integration): Promise<boolean> {
    observe({ kind: 'waited', integrationId: integration.id })
    for (let pause = POLL_MS.first; ; pause = Math.min(pause * 1.5, POLL_MS.last)) {
      const progress = await integrations.progress(integration.id)
      if (progress === undefined || progress.generation !== integration.generation || progress.status !== integration.status) return true
      if (isAhead(progress.retryIn)) return true
      if (!isAhead(progress.leaseIn)) return false
      await clock.sleep(pause * (0.75 + random.fraction() / 2))
    }
  }

  async function within<T>(deadline: number, work: Promise<T>): Promise<T | undefined> {
    const done = new AbortController()
    try {
      return await Promise.race([work, clock.sleep(Math.max(0, deadline - clock.elapsed()), done.signal).then(() => undefined)])
    } finally {
      done.abort()
    }
  }

  return {
    tokenFor,
    async renew(integration, requestId) {
      return (await join(integration, false, requestId)).kind
    },
    async drain() {
      while (flights.size + lateSaves.size > 0) await Promise.all([...flights.values(), ...lateSaves])
    },
  }
}

const isPause = (admission: Permit | Pause): admission is Pause => 'retryAfter' in admission
const isAhead = (seconds: number | undefined): boolean => seconds !== undefined && seconds > 0
const isLateEnough = (integration: Integration, after: number | undefined): boolean => after === undefined || integration.generation > after
const asFailure = (error: unknown): Failure => error instanceof Failure ? error : new Failure('internal_error', { detail: 'refresh' })

function aged(integration: Integration, seconds: number): Integration {
  return { ...integration, remaining: integration.remaining - seconds }
}

/** A refresh failed lately, or for good: answer at once, send nothing. */
function backingOff(integration: Integration): Stop | undefined {
  const { failure, retryIn } = integration
  if (failure === undefined) return undefined
  if (integration.status === 'reconnect_required' && failure.final) return toStop(failure)
  return isAhead(retryIn) ? toStop(failure, retryIn) : undefined
}

function toStop(failure: StoredFailure, retryIn?: number): Stop {
  return {
    verdict: failure.verdict,
    reason: failure.reason,
    microsoft: failure.microsoft,
    ...(retryIn === undefined ? {} : { retryAfter: Math.max(1, Math.ceil(retryIn)) }),
  }
}

const FAILURE_OF: Record<Stop['verdict'], FailureCode> = {
  reconnect: 'reconnect_required',
  try_later: 'microsoft_unavailable',
  misconfigured: 'broker_misconfigured',
}

/** A token that is still valid is never an error, whatever state the integration is in (design 2.2). */
function settle(integration: Integration, stop: Stop, after: number | undefined): TokenAnswer {
  const retryAfter = stop.retryAfter === undefined ? {} : { retryAfter: stop.retryAfter }
  if (isStillValid(integration) && isLateEnough(integration, after)) return { integration, degraded: { reason: stop.reason, ...retryAfter } }
  throw new Failure(FAILURE_OF[stop.verdict], {
    reason: stop.reason,
    ...retryAfter,
    ...(stop.microsoft === undefined ? {} : { microsoft: stop.microsoft }),
  })
}

function settleBroken(integration: Integration, failure: Failure, after: number | undefined): TokenAnswer {
  if (isStillValid(integration) && isLateEnough(integration, after)) return { integration, degraded: { reason: 'broker_trouble' } }
  throw failure
}

function toStoredFailure(verdict: Exclude<Verdict, { kind: 'tokens' }>): StoredFailure {
  return {
    verdict: verdict.kind,
    reason: verdict.reason,
    final: verdict.kind === 'reconnect' && verdict.final,
    microsoft: verdict.microsoft,
    ...(verdict.kind === 'reconnect' && verdict.claims !== undefined ? { claims: verdict.claims } : {}),
  }
}

/** Seconds until the next try is allowed; undefined: never by itself. `failures` counts those before this one. */
function retryAfter(verdict: Exclude<Verdict, { kind: 'tokens' }>, failures: number, random: Random): number | undefined {
  const backOff = (first: number, last: number) => Math.min(first * 2 ** failures, last) * (0.75 + random.fraction() / 2)
  switch (verdict.kind) {
    case 'reconnect': return verdict.final ? undefined : CURABLE_RETRY_SECONDS
    case 'misconfigured': return backOff(60, 900)
    case 'try_later':
      if (verdict.retryAfter !== undefined) return verdict.retryAfter
      return verdict.reason === 'loop_detected' ? LOOP_RETRY_SECONDS : backOff(2, 30)
  }
}

function sentEvent(integration: Integration, verdict: Verdict, seconds: number): RefreshEvent {
  const sent = { kind: 'sent', integrationId: integration.id, userId: integration.userId, outcome: verdict.kind, seconds } as const
  if (verdict.kind === 'tokens') return sent
  const { aadsts, correlationId } = verdict.microsoft
  return {
    ...sent,
    reason: verdict.reason,
    ...(aadsts === undefined ? {} : { aadsts }),
    ...(correlationId === undefined ? {} : { correlationId }),
  }
}
