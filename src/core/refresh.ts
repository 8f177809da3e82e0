import { Failure, type FailureCode, type Reason } from './failure.ts'
import { isStillValid, isUsable, type Integration, type TokenSet } from './integration.ts'
import type { Claim, Clock, IntegrationStore, Microsoft, Pause, Permit, Random, Verdict } from './ports.ts'
import {
  blockedByRow,
  CREDENTIAL_RELEASE_SECONDS,
  blockedByCredential,
  REFRESH_IN_PROGRESS,
  isLaterThan,
  jittered,
  answerOrThrow,
  failureToStore,
  blockedBy,
  type RefusedVerdict,
  type Blocked,
} from './blocked.ts'

// The product in one file (design 2.3): usable → back-off → join → claim → send → judge → save or yield. At most one lease
// holder per generation, and a loser can never hurt a winner, because every write names the generation it read.

/** Seconds a claim holds: longer than Microsoft's 5 s time-out, shorter than a caller's default patience of 8 s. */
export const LEASE_SECONDS = 7
/** Milliseconds between two looks at a row that somebody else is refreshing: 50 to 250 with jitter. */
const POLL_MS = { first: 65, last: 200 }
/** Looks at a row that nobody holds and that cannot be claimed all the same, because somebody is writing it: about as long as a query may take. */
const MAX_CLAIM_ATTEMPTS = 40
/** Milliseconds between two tries to save what could not be saved at once. */
const SAVE_RETRY_MS = { first: 250, last: 1_000 }
/** Milliseconds a shutdown waits for such saves; then the stored refresh token has to do. */
const SAVE_AT_SHUTDOWN_MS = 20_000
/** Milliseconds the row may take to be read at least, however little patience is left. */
const MIN_READ_MS = 100

export interface TokenRequest {
  userId: string
  /** Seconds of life the token must at least have. */
  minTtlSeconds: number
  /** Milliseconds the caller waits. */
  deadlineMs: number
  /** The generation that failed for the caller: only a later one will do. */
  after?: number
  requestId: string
}

export interface TokenAnswer {
  integration: Integration
  /** The token still works but could not be refreshed. `retryAfterSeconds` in seconds. */
  degraded?: { reason: Reason; retryAfterSeconds?: number }
}

/** What happened, for metrics and the log. Never holds a token. */
export type RefreshEvent =
  | {
      kind: 'sent'
      integrationId: string
      userId: string
      outcome: Verdict['kind']
      reason?: Reason
      seconds: number
      aadsts?: number
      correlationId?: string
    }
  | { kind: 'joined' | 'waited' | 'lease_taken_over'; integrationId: string }
  /** Microsoft's answer came after the row had moved on or gone: nothing of it was written. */
  | { kind: 'discarded'; integrationId: string; what: 'tokens' | 'refusal' }
  /** A refusal was cured elsewhere: the integration works again without a reconnect. */
  | { kind: 'recovered'; integrationId: string; userId: string }
  /** The row was marked while this process held its new tokens: the user was told to reconnect by our mistake. Must never happen. */
  | { kind: 'false_reconnect'; integrationId: string; userId: string }
  /** Tokens of Microsoft could not be saved; it is tried again. */
  | { kind: 'save_failed'; integrationId: string; userId: string; code: FailureCode }
  /** They never were (a lost rotation): the process ended first. Must never happen. */
  | { kind: 'save_given_up'; integrationId: string; userId: string; code: FailureCode }

export interface RefreshPorts {
  integrations: IntegrationStore
  microsoft: Microsoft
  clock: Clock
  random: Random
  observe(event: RefreshEvent): void
  /** Goes around each flight, for traces; absent: nothing does. */
  traced?<T extends { kind: string }>(fly: () => Promise<T>): Promise<T>
}

type RefreshOutcome =
  /** `at`: the clock's milliseconds when `remaining` was true. `saving`: ends when they are saved, where that did not work at once. */
  | { kind: 'tokens'; integration: Integration; at: number; saving?: Promise<void> }
  | { kind: 'stopped'; stop: Blocked }
  | { kind: 'broken'; failure: Failure }
  /** The row changed under us: read it again. */
  | { kind: 'moved' }

interface Flight {
  /** A caller's read takes part: it has been said that the integration is used. */
  used: boolean
  outcome: Promise<RefreshOutcome>
  /** Resolves when nothing is left to do, the saving included. */
  settled: Promise<void>
}

export interface Refresh {
  /**
   * The best token that can be had within the deadline: fresh, else the still valid one marked `degraded`.
   * Throws Failure `not_connected`, `reconnect_required`, `microsoft_unavailable`, `broker_misconfigured`,
   * `database_unavailable` or `token_unreadable` only when there is no valid token (with `after`: no valid later one).
   */
  tokenFor(request: TokenRequest): Promise<TokenAnswer>
  /** Refreshes without a caller (keep-alive), by the same claim. Resolves with what came of it; never throws. */
  renew(integration: Integration, requestId: string): Promise<RefreshOutcome['kind']>
  /** Resolves when every refresh that has begun is finished and saved. New ones may still begin while it waits. */
  drain(): Promise<void>
}

export function createRefresh({
  integrations,
  microsoft,
  clock,
  random,
  observe,
  traced = (fly) => fly(),
}: RefreshPorts): Refresh {
  const flights = new Map<string, Flight>()
  let drainingSince = Infinity

  async function tokenFor({ userId, minTtlSeconds, deadlineMs, after, requestId }: TokenRequest): Promise<TokenAnswer> {
    const deadline = clock.elapsed() + deadlineMs
    for (;;) {
      const integration = await integrations.read(userId, Math.max(MIN_READ_MS, deadline - clock.elapsed()))
      if (integration === undefined) throw new Failure('not_connected')
      if (isLaterThan(integration, after) && isUsable(integration, minTtlSeconds)) return { integration }

      const readAt = clock.elapsed()
      const stored = () => aged(integration, readAt)
      const stop = blockedByRow(integration)
      if (stop !== undefined) return answerOrThrow(stored(), after, stop)

      const outcome = await within(deadline, join(integration, true, requestId))
      switch (outcome?.kind) {
        case 'tokens':
          return handOut(outcome)
        case 'stopped':
          return answerOrThrow(stored(), after, outcome.stop)
        case 'broken':
          return answerOrThrow(stored(), after, outcome.failure)
        case 'moved':
          if (clock.elapsed() < deadline) continue
      }
      return answerOrThrow(stored(), after, REFRESH_IN_PROGRESS)
    }
  }

  /** One flight per integration and generation in this process: a forced refresh can join a plain one and still get a later token. */
  function join(integration: Integration, used: boolean, requestId: string): Promise<RefreshOutcome> {
    const key = `${integration.id}:${integration.generation}`
    const running = flights.get(key)
    if (running !== undefined) {
      observe({ kind: 'joined', integrationId: integration.id })
      if (!used || running.used) return running.outcome
      running.used = true
      return recordUse(integration).then(() => running.outcome)
    }
    const outcome = traced(() => refreshOnce(integration, used, requestId)).catch((error: unknown): RefreshOutcome => ({
      kind: 'broken',
      failure: asFailure(error),
    }))
    const settled = outcome
      .then((ended) => (ended.kind === 'tokens' ? ended.saving : undefined))
      .finally(() => flights.delete(key))
    flights.set(key, { used, outcome, settled })
    return outcome
  }

  async function refreshOnce(integration: Integration, used: boolean, requestId: string): Promise<RefreshOutcome> {
    for (let looks = 0; looks < MAX_CLAIM_ATTEMPTS; looks++) {
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
      // Whoever holds the lease may be keeping it alive, and does not know of this caller.
      if (used) await recordUse(integration)
      if (await waitForChange(integration)) return { kind: 'moved' }
    }
    throw new Failure('database_unavailable', { detail: 'row locked' })
  }

  /** No read fails for this: while it lasts, further ones will say so again. */
  async function recordUse(integration: Integration): Promise<void> {
    await integrations.recordUse(integration).catch(() => {})
  }

  /** From here on nothing stops the refresh: it is finished and saved even when every caller has left. */
  async function send(
    integration: Integration,
    claim: Claim,
    owner: string,
    permit: Permit,
    requestId: string,
  ): Promise<RefreshOutcome> {
    if (claim.takenOver) observe({ kind: 'lease_taken_over', integrationId: integration.id })
    const began = clock.elapsed()
    const { refreshToken, scopes, account } = claim
    const verdict = await microsoft.refresh(
      { refreshToken, scopes, requestId, ...(account === undefined ? {} : { account }) },
      permit,
    )
    observe(sentEvent(integration, verdict, (clock.elapsed() - began) / 1000))
    if (verdict.kind === 'tokens') return save(integration, verdict.tokens)
    return recordRefusal(integration, owner, verdict, claim.failures)
  }

  /** Saves whoever holds the lease by now. Where Postgres does not take them, the waiters get what Microsoft gave all the same. */
  async function save(integration: Integration, tokens: TokenSet): Promise<RefreshOutcome> {
    const answeredAt = clock.elapsed()
    try {
      return await saveOnce(integration, tokens)
    } catch (error) {
      const { id, userId } = integration
      observe({ kind: 'save_failed', integrationId: id, userId, code: asFailure(error).code })
      return {
        kind: 'tokens',
        integration: unsaved(integration, tokens),
        at: answeredAt,
        saving: saveLater(integration, tokens, answeredAt),
      }
    }
  }

  async function saveOnce(integration: Integration, tokens: TokenSet): Promise<RefreshOutcome> {
    const { id, userId } = integration
    const saved = await integrations.saveTokens(integration, tokens)
    if (saved === undefined) {
      observe({ kind: 'discarded', integrationId: id, what: 'tokens' })
      return { kind: 'moved' }
    }
    // Whoever marked a row that was active when we claimed it did so while its new tokens were on their way to us.
    if (saved.recovered)
      observe({ kind: integration.status === 'active' ? 'false_reconnect' : 'recovered', integrationId: id, userId })
    return { kind: 'tokens', integration: saved.integration, at: clock.elapsed() }
  }

  /** Tries until the row is saved or has moved on. Meanwhile the flight stays joinable: who reads here gets these tokens. */
  async function saveLater(integration: Integration, tokens: TokenSet, answeredAt: number): Promise<void> {
    const { id, userId } = integration
    for (let pause = SAVE_RETRY_MS.first; ; pause = Math.min(pause * 2, SAVE_RETRY_MS.last)) {
      await clock.sleep(jittered(pause, random))
      try {
        await saveOnce(integration, { ...tokens, elapsedMs: tokens.elapsedMs + (clock.elapsed() - answeredAt) })
        return
      } catch (error) {
        if (clock.elapsed() - drainingSince > SAVE_AT_SHUTDOWN_MS)
          return observe({ kind: 'save_given_up', integrationId: id, userId, code: asFailure(error).code })
      }
    }
  }

  /** Marks what the refusal means, but only while the lease is still ours; then gives the lease back. */
  async function recordRefusal(
    integration: Integration,
    owner: string,
    refusal: RefusedVerdict,
    failures: number,
  ): Promise<RefreshOutcome> {
    if (refusal.kind === 'misconfigured' && refusal.everybody) {
      await integrations.releaseLease(integration, owner, CREDENTIAL_RELEASE_SECONDS)
      return { kind: 'stopped', stop: blockedByCredential(refusal) }
    }
    const { failure, retryInSeconds } = failureToStore(integration, refusal, failures, random)
    if (await integrations.saveFailure(integration, owner, failure, retryInSeconds))
      return { kind: 'stopped', stop: blockedBy(failure, retryInSeconds) }
    observe({ kind: 'discarded', integrationId: integration.id, what: 'refusal' })
    return { kind: 'moved' }
  }

  /** One poller per process and integration. True: there is something new to read. False: nobody holds the lease any more. */
  async function waitForChange({ id, generation, status }: Integration): Promise<boolean> {
    observe({ kind: 'waited', integrationId: id })
    for (let pause = POLL_MS.first; ; pause = Math.min(pause * 1.5, POLL_MS.last)) {
      const now = await integrations.progress(id)
      if (
        now === undefined ||
        now.generation !== generation ||
        now.status !== status ||
        now.final ||
        isAhead(now.retryInSeconds)
      )
        return true
      await clock.sleep(jittered(pause, random))
      if (!isAhead(now.leaseInSeconds)) return false
    }
  }

  /** Undefined: the deadline (the clock's milliseconds) came first. The work goes on. */
  async function within<T>(deadline: number, work: Promise<T>): Promise<T | undefined> {
    const done = new AbortController()
    try {
      return await Promise.race([
        work,
        clock.sleep(Math.max(0, deadline - clock.elapsed()), done.signal).then(() => undefined),
      ])
    } finally {
      // With a reason: without one an error with its stack is made.
      done.abort('done')
    }
  }

  /** Those that were saved are fresh; those that could not be for a long time may have run out. */
  function handOut({ integration, at }: Extract<RefreshOutcome, { kind: 'tokens' }>): TokenAnswer {
    const answer = { integration: aged(integration, at) }
    if (!isStillValid(answer.integration))
      throw new Failure('database_unavailable', { detail: 'refreshed tokens could not be saved' })
    return answer
  }

  function aged(integration: Integration, since: number): Integration {
    return { ...integration, remainingSeconds: integration.remainingSeconds - (clock.elapsed() - since) / 1000 }
  }

  return {
    tokenFor,
    async renew(integration, requestId) {
      return (await join(integration, false, requestId)).kind
    },
    async drain() {
      drainingSince = Math.min(drainingSince, clock.elapsed())
      while (flights.size > 0) await Promise.all(Array.from(flights.values(), ({ settled }) => settled))
    },
  }
}

const isPause = (admission: Permit | Pause): admission is Pause => 'retryAfterSeconds' in admission
const isAhead = (seconds: number | undefined): boolean => seconds !== undefined && seconds > 0
const asFailure = (error: unknown): Failure =>
  error instanceof Failure ? error : new Failure('internal_error', { detail: 'refresh' })

/** Tokens without a row: their generation is not known yet, so they keep the number of the set they replace; Postgres' clock is the row's. */
function unsaved(
  integration: Integration,
  { accessToken, scopes, expiresInSeconds, elapsedMs }: TokenSet,
): Integration {
  const remainingSeconds = expiresInSeconds - elapsedMs / 1000
  const expiresAt = new Date(
    Date.parse(integration.expiresAt) + (remainingSeconds - integration.remainingSeconds) * 1000,
  )
  return {
    ...integration,
    accessToken,
    scopes,
    remainingSeconds,
    lifetimeSeconds: expiresInSeconds,
    expiresAt: expiresAt.toISOString().replace(/\.\d+Z$/, 'Z'),
  }
}

function sentEvent(integration: Integration, verdict: Verdict, seconds: number): RefreshEvent {
  const sent = {
    kind: 'sent',
    integrationId: integration.id,
    userId: integration.userId,
    outcome: verdict.kind,
    seconds,
  } as const
  if (verdict.kind === 'tokens') return sent
  const { aadsts, correlationId } = verdict.microsoft
  return {
    ...sent,
    reason: verdict.reason,
    ...(aadsts === undefined ? {} : { aadsts }),
    ...(correlationId === undefined ? {} : { correlationId }),
  }
}
