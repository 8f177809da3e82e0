import { refuseFrozen } from './freeze.ts'
import { Failure } from './failure.ts'
import { isStillValid, isUsable, type Integration, type TokenSet } from './integration.ts'
import type { Claim, Clock, IntegrationStore, Microsoft, Pause, Permit, Random, Verdict } from './ports.ts'
import type { RefreshEvent } from './refresh-event.ts'
import {
  answerOrThrow,
  blockedBy,
  blockedByCredential,
  blockedByRow,
  CREDENTIAL_RELEASE_SECONDS,
  failureToStore,
  isLaterThan,
  jittered,
  REFRESH_IN_PROGRESS,
  type Blocked,
  type RefusedVerdict,
  type TokenAnswer,
} from './blocked.ts'

// The product in one file (docs/design.md#refresh): usable? → back-off? → join → claim → send → judge → save or record
// the refusal. At most one process holds the lease of a generation. One that lost its lease cannot harm the new holder,
// because every write names the generation that was read.

/**
 * Seconds a claim holds: longer than the 5 s that an exchange with Microsoft may take, shorter than a caller's default
 * deadline of 8 s.
 */
export const LEASE_SECONDS = 7
/** Milliseconds between two reads of a row that another process is refreshing: 50 to 250 with jitter. */
const POLL_MS = { first: 65, last: 200 }
/**
 * Tries to claim a row that has no lease and still cannot be claimed, because another transaction has locked it:
 * together about as long as a statement may take.
 */
const MAX_CLAIM_ATTEMPTS = 40
/** Milliseconds between two tries to save tokens that could not be saved at once. */
const SAVE_RETRY_MS = { first: 250, last: 1_000 }
/** Milliseconds that a shutdown waits for such a save. After that, the refresh token in the row has to do. */
const SAVE_AT_SHUTDOWN_MS = 20_000
/** Milliseconds that reading the row may take, even if the deadline is nearer. */
const MIN_READ_MS = 100
/**
 * Milliseconds before a token is handed out within which its freezes must have been read (docs/design.md#freeze).
 * Counted from before the statement was sent: Postgres' snapshot is never older.
 */
export const FREEZE_READ_MS = 1_000

export interface TokenRequest {
  userId: string
  /** Seconds that the token must still live. */
  minTtlSeconds: number
  /** When the caller stops waiting: milliseconds of Clock.elapsed. */
  deadlineAt: number
  /** The generation that failed for the caller: only a later one is an answer. */
  after?: number
  requestId: string
  /** The key of the caller: while it is frozen, it gets nothing. Absent: no caller of the API. */
  keyId?: string
}

export interface RefreshPorts {
  integrations: IntegrationStore
  microsoft: Microsoft
  clock: Clock
  random: Random
  observe(event: RefreshEvent): void
  /** New tokens were saved; for the log: it leads from a generation to the refresh that brought it. */
  saved?(refresh: { integrationId: string; userId: string; requestId: string; generation: number }): void
  /** Wraps each flight in a trace. Absent: no traces. */
  traced?<T extends { kind: string }>(refreshOnce: () => Promise<T>): Promise<T>
}

export type RefreshOutcome =
  /**
   * `at`: the time (Clock.elapsed) at which `remainingSeconds` was right. `checkedAt`: before the save was sent, which
   * also reads the freezes. `saving`: ends when tokens that could not be saved at once are.
   */
  | { kind: 'tokens'; integration: Integration; at: number; checkedAt?: number; saving?: Promise<void> }
  | { kind: 'blocked'; blocked: Blocked }
  | { kind: 'broken'; failure: Failure }
  /** The row has changed: read it again. */
  | { kind: 'moved' }

/** One refresh of this process that is still running. */
interface Flight {
  /** A caller waits for it, and the use of the integration has been recorded. */
  used: boolean
  outcome: Promise<RefreshOutcome>
  /** Resolves when nothing is left to do, saving included. */
  settled: Promise<void>
}

/** `leavesBefore`: Clock.elapsed until which this answer may be sent; later, `recheck` it (docs/design.md#freeze). */
export type CheckedAnswer = TokenAnswer & { leavesBefore: number }

export interface Refresh {
  /**
   * The best token that can be had before the deadline: a fresh one, else the still valid one marked `degraded`.
   * Throws Failure `not_connected`, `reconnect_required`, `microsoft_unavailable`, `broker_misconfigured`,
   * `database_unavailable` or `token_unreadable` only if there is no valid token (with `after`: no valid later one),
   * and `frozen` whatever there is.
   */
  tokenFor(request: TokenRequest): Promise<CheckedAnswer>
  /**
   * For an answer that was held up after `tokenFor`: as it is while it may leave, else after the freezes were read
   * again. Throws Failure `frozen`, `not_connected` or `database_unavailable`.
   */
  recheck(answer: CheckedAnswer, request: TokenRequest): Promise<CheckedAnswer>
  /**
   * Refreshes without a caller (keep-alive), by the same claim. Resolves with the kind of the outcome; never throws.
   */
  renew(integration: Integration, requestId: string): Promise<RefreshOutcome['kind']>
  /** As `renew`, as if a caller had asked, with all of the outcome: for the canary account. Never throws. */
  refreshNow(integration: Integration, requestId: string): Promise<RefreshOutcome>
  /** Resolves when every refresh that has begun is finished and saved. New ones may still begin while it waits. */
  drain(): Promise<void>
}

export function createRefresh({
  integrations,
  microsoft,
  clock,
  random,
  observe,
  saved: reportSaved = () => {},
  traced = (refreshOnce) => refreshOnce(),
}: RefreshPorts): Refresh {
  const flights = new Map<string, Flight>()
  let drainingSince = Infinity

  async function tokenFor(request: TokenRequest): Promise<CheckedAnswer> {
    const { userId, minTtlSeconds, deadlineAt, after, requestId } = request
    for (;;) {
      const askedAt = clock.elapsed()
      const integration = await integrations.read(userId, Math.max(deadlineAt, askedAt + MIN_READ_MS))
      if (integration === undefined) throw new Failure('not_connected')
      refuseFrozen(integration, request.keyId)
      if (isLaterThan(integration, after) && isUsable(integration, minTtlSeconds))
        return checked({ integration }, request, askedAt)

      const readAt = clock.elapsed()
      const stored = () => aged(integration, readAt)
      const blocked = blockedByRow(integration)
      if (blocked !== undefined) return checked(answerOrThrow(stored(), after, blocked), request, askedAt)

      const outcome = await before(deadlineAt, join(integration, true, requestId))
      switch (outcome?.kind) {
        case 'tokens':
          if (outcome.checkedAt !== undefined) refuseFrozen(outcome.integration, request.keyId)
          return checked(handOut(outcome), request, Math.max(askedAt, outcome.checkedAt ?? 0))
        case 'blocked':
          return checked(answerOrThrow(stored(), after, outcome.blocked), request, askedAt)
        case 'broken':
          return checked(answerOrThrow(stored(), after, outcome.failure), request, askedAt)
        case 'moved':
          if (clock.elapsed() < deadlineAt) continue
      }
      return checked(answerOrThrow(stored(), after, REFRESH_IN_PROGRESS), request, askedAt)
    }
  }

  /**
   * An answer may leave only if the freezes were read a moment before (docs/design.md#freeze). `readAt`: when they
   * were. A refresh that waited for Microsoft, a slow Postgres or a busy process make them old: then they are read
   * again.
   */
  async function checked(answer: TokenAnswer, request: TokenRequest, readAt: number): Promise<CheckedAnswer> {
    let checkedAt = readAt
    const startedAt = clock.elapsed()
    while (clock.elapsed() - checkedAt > FREEZE_READ_MS) {
      checkedAt = clock.elapsed()
      const state = await integrations.freezeState(
        request.userId,
        Math.max(request.deadlineAt, checkedAt + MIN_READ_MS),
      )
      if (state === undefined) throw new Failure('not_connected')
      refuseFrozen(state, request.keyId)
      if (clock.elapsed() - checkedAt > FREEZE_READ_MS && clock.elapsed() >= request.deadlineAt)
        throw new Failure('database_unavailable', { detail: 'freezes could not be read in time' })
    }
    const integration = checkedAt === readAt ? answer.integration : aged(answer.integration, startedAt)
    return { ...answer, integration, leavesBefore: checkedAt + FREEZE_READ_MS }
  }

  /**
   * One flight per integration and generation in this process: a forced refresh can join a plain one and still get a
   * later token.
   */
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
    for (let attempts = 0; attempts < MAX_CLAIM_ATTEMPTS; attempts++) {
      const permit = microsoft.admit()
      if (isPause(permit)) return { kind: 'blocked', blocked: permit }
      // A new owner for every claim: a flight that outlived its lease must not be taken for the next holder.
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
      // The holder of the lease may be a keep-alive, which does not know that a caller waits.
      if (used) await recordUse(integration)
      if (await waitForChange(integration)) return { kind: 'moved' }
    }
    throw new Failure('database_unavailable', { detail: 'row locked' })
  }

  /** A read never fails because of this: a later read will record it. */
  async function recordUse(integration: Integration): Promise<void> {
    await integrations.recordUse(integration).catch(() => {})
  }

  /** From here on nothing stops the refresh: it is finished and saved even if every caller has left. */
  async function send(
    integration: Integration,
    claim: Claim,
    owner: string,
    permit: Permit,
    requestId: string,
  ): Promise<RefreshOutcome> {
    if (claim.takenOver) observe({ kind: 'lease_taken_over', integrationId: integration.id })
    const sentAt = clock.elapsed()
    const { refreshToken, scopes, account } = claim
    const verdict = await microsoft.refresh(
      { refreshToken, scopes, requestId, ...(account === undefined ? {} : { account }) },
      permit,
    )
    observe(sentEvent(integration, requestId, verdict, (clock.elapsed() - sentAt) / 1000))
    if (verdict.kind === 'tokens') return save(integration, verdict.tokens, requestId)
    return recordRefusal(integration, owner, verdict, claim.failures)
  }

  /** Saves even if the lease is lost. If Postgres does not take the tokens, the waiters still get them. */
  async function save(integration: Integration, tokens: TokenSet, requestId: string): Promise<RefreshOutcome> {
    const answeredAt = clock.elapsed()
    try {
      return await saveOnce(integration, tokens, requestId)
    } catch (error) {
      const { id, userId } = integration
      observe({ kind: 'save_failed', integrationId: id, userId, code: asFailure(error).code })
      return {
        kind: 'tokens',
        integration: unsaved(integration, tokens),
        at: answeredAt,
        saving: saveLater(integration, tokens, answeredAt, requestId),
      }
    }
  }

  async function saveOnce(integration: Integration, tokens: TokenSet, requestId: string): Promise<RefreshOutcome> {
    const { id, userId } = integration
    const checkedAt = clock.elapsed()
    const saved = await integrations.saveTokens(integration, tokens)
    if (saved === undefined) {
      observe({ kind: 'discarded', integrationId: id, what: 'tokens' })
      return { kind: 'moved' }
    }
    reportSaved({ integrationId: id, userId, requestId, generation: saved.integration.generation })
    // A row that was active when it was claimed was marked while its new tokens were on their way.
    if (saved.recovered)
      observe({ kind: integration.status === 'active' ? 'false_reconnect' : 'recovered', integrationId: id, userId })
    return { kind: 'tokens', integration: saved.integration, at: clock.elapsed(), checkedAt }
  }

  /**
   * Tries until the row is saved or has changed. The flight stays joinable meanwhile: callers who read here get these
   * tokens.
   */
  async function saveLater(
    integration: Integration,
    tokens: TokenSet,
    answeredAt: number,
    requestId: string,
  ): Promise<void> {
    const { id, userId } = integration
    for (let pauseMs = SAVE_RETRY_MS.first; ; pauseMs = Math.min(pauseMs * 2, SAVE_RETRY_MS.last)) {
      await clock.sleep(jittered(pauseMs, random))
      try {
        await saveOnce(
          integration,
          { ...tokens, elapsedMs: tokens.elapsedMs + (clock.elapsed() - answeredAt) },
          requestId,
        )
        return
      } catch (error) {
        if (clock.elapsed() - drainingSince > SAVE_AT_SHUTDOWN_MS)
          return observe({ kind: 'save_given_up', integrationId: id, userId, code: asFailure(error).code })
      }
    }
  }

  /** Stores what the refusal means, but only while the lease is still ours; then gives the lease back. */
  async function recordRefusal(
    integration: Integration,
    owner: string,
    refusal: RefusedVerdict,
    failures: number,
  ): Promise<RefreshOutcome> {
    if (refusal.kind === 'misconfigured' && refusal.everybody) {
      await integrations.releaseLease(integration, owner, CREDENTIAL_RELEASE_SECONDS)
      return { kind: 'blocked', blocked: blockedByCredential(refusal) }
    }
    const { failure, retryInSeconds } = failureToStore(integration, refusal, failures, random)
    if (await integrations.saveFailure(integration, owner, failure, retryInSeconds))
      return { kind: 'blocked', blocked: blockedBy(failure, retryInSeconds) }
    observe({ kind: 'discarded', integrationId: integration.id, what: 'refusal' })
    return { kind: 'moved' }
  }

  /**
   * One poller per process and integration. True: the row has changed, read it. False: the lease has ended, claim
   * again.
   */
  async function waitForChange({ id, generation, status }: Integration): Promise<boolean> {
    observe({ kind: 'waited', integrationId: id })
    for (let pauseMs = POLL_MS.first; ; pauseMs = Math.min(pauseMs * 1.5, POLL_MS.last)) {
      const now = await integrations.progress(id)
      if (
        now === undefined ||
        now.generation !== generation ||
        now.status !== status ||
        now.final ||
        isAhead(now.retryInSeconds)
      )
        return true
      await clock.sleep(jittered(pauseMs, random))
      if (!isAhead(now.leaseInSeconds)) return false
    }
  }

  /** Undefined: the deadline came first. The work continues. */
  async function before<T>(deadlineAt: number, work: Promise<T>): Promise<T | undefined> {
    const done = new AbortController()
    try {
      return await Promise.race([
        work,
        clock.sleep(Math.max(0, deadlineAt - clock.elapsed()), done.signal).then(() => undefined),
      ])
    } finally {
      // With a reason, because without one an Error with its stack is made.
      done.abort('done')
    }
  }

  /** Saved tokens are fresh. Tokens that could not be saved for a long time may have expired. */
  function handOut({ integration, at }: Extract<RefreshOutcome, { kind: 'tokens' }>): TokenAnswer {
    const answer = { integration: aged(integration, at) }
    if (!isStillValid(answer.integration))
      throw new Failure('database_unavailable', { detail: 'refreshed tokens could not be saved' })
    return answer
  }

  /** The same integration now. `since`: when its `remainingSeconds` was right. */
  function aged(integration: Integration, since: number): Integration {
    return { ...integration, remainingSeconds: integration.remainingSeconds - (clock.elapsed() - since) / 1000 }
  }

  return {
    tokenFor,
    recheck: (answer, request) => checked(answer, request, answer.leavesBefore - FREEZE_READ_MS),
    async renew(integration, requestId) {
      return (await join(integration, false, requestId)).kind
    },
    refreshNow: (integration, requestId) => join(integration, true, requestId),
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

/**
 * An integration with tokens that are not saved yet. Their generation is not known, so it keeps the number of the set
 * that they replace. `expiresAt` is moved from the row's, so that it stays by Postgres' clock (docs/design.md#time).
 */
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

function sentEvent(integration: Integration, requestId: string, verdict: Verdict, seconds: number): RefreshEvent {
  const sent = {
    kind: 'sent',
    integrationId: integration.id,
    userId: integration.userId,
    requestId,
    generation: integration.generation,
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
