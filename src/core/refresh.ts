import { refuseFrozen } from './freeze.ts'
import { Failure } from './failure.ts'
import { isRefreshDue, isStillValid, isUsable, unsaved, type Integration, type TokenSet } from './integration.ts'
import type { Admission, Pause, Permit, Verdict } from './microsoft-port.ts'
import type { Claim } from './ports.ts'
import type { Challenge, Limited } from './claims.ts'
import {
  courseOf,
  flightKey,
  forcedEvent,
  FOR_A_READ,
  FOR_KEEP_ALIVE,
  judgeRefusal,
  notSatisfied,
  wantsUser,
  type Course,
} from './forced-refresh.ts'
import type { RefreshEvent } from './refresh-event.ts'
import type { CheckedAnswer, Refresh, RefreshOutcome, RefreshPorts, TokenRequest } from './refresh-types.ts'
import {
  answerOrThrow,
  blockedBy,
  blockedByCredential,
  blockedByRow,
  CREDENTIAL_RELEASE_SECONDS,
  failureToStore,
  isAnswer,
  jittered,
  REFRESH_IN_PROGRESS,
  type Blocked,
  type RefusedVerdict,
  type TokenAnswer,
} from './blocked.ts'

// The product in one file (docs/design.md#refresh): usable? → back-off? → join → claim → send → judge → save or record
// the refusal. At most one process holds the lease of a generation. One that lost its lease cannot harm the new holder,
// because every write names the generation that was read.

export type { Refresh, TokenRequest }

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

/** One refresh of this process that is still running. */
interface Flight {
  /** A caller waits for it, and the use of the integration has been recorded. */
  used: boolean
  outcome: Promise<RefreshOutcome>
  /** Resolves when nothing is left to do, saving included. */
  settled: Promise<void>
}

export function createRefresh({
  integrations,
  microsoft,
  clock,
  random,
  limitForced = false,
  observe,
  saved: reportSaved = () => {},
  traced = (refreshOnce) => refreshOnce(),
}: RefreshPorts): Refresh {
  const flights = new Map<string, Flight>()
  let drainingSince = Infinity

  async function tokenFor(request: TokenRequest): Promise<CheckedAnswer> {
    const { userId, minTtlSeconds, deadlineAt, after, challenge, requestId } = request
    for (;;) {
      const askedAt = clock.elapsed()
      const integration = await integrations.read(userId, Math.max(deadlineAt, askedAt + MIN_READ_MS))
      if (integration === undefined) throw new Failure('not_connected')
      refuseFrozen(integration, request.keyId)
      if (isAnswer(integration, after, challenge) && isUsable(integration, minTtlSeconds)) {
        if (isRefreshDue(integration)) refreshAhead(integration, requestId)
        return checked({ integration }, request, askedAt)
      }

      const readAt = clock.elapsed()
      const stored = () => aged(integration, readAt)
      const blocked = blockedByRow(integration, challenge)
      if (blocked !== undefined) return checked(answerOrThrow(stored(), after, blocked, challenge), request, askedAt)

      const outcome = await before(
        deadlineAt,
        join(integration, courseOf(integration, request, limitForced), requestId),
      )
      switch (outcome?.kind) {
        case 'tokens':
          if (outcome.checkedAt !== undefined) refuseFrozen(outcome.integration, request.keyId)
          return checked(handOut(outcome), request, Math.max(askedAt, outcome.checkedAt ?? 0))
        case 'blocked':
          return checked(answerOrThrow(stored(), after, outcome.blocked, challenge), request, askedAt)
        case 'limited': {
          const why = outcome.refused ?? notSatisfied(integration, challenge, outcome.retryAfterSeconds)
          return checked(answerOrThrow(stored(), after, why, challenge), request, askedAt)
        }
        case 'broken':
          return checked(answerOrThrow(stored(), after, outcome.failure, challenge), request, askedAt)
        case 'moved':
          if (clock.elapsed() < deadlineAt) continue
      }
      return checked(answerOrThrow(stored(), after, REFRESH_IN_PROGRESS, challenge), request, askedAt)
    }
  }

  /**
   * An answer may leave only if the freezes were read a moment before (docs/design.md#freeze). `readAt`: when they
   * were. A refresh that waited for Microsoft, a slow Postgres or a busy process make them old: then they are read
   * again. `since`: when the `remainingSeconds` of the answer was right.
   */
  async function checked(
    answer: TokenAnswer,
    request: TokenRequest,
    readAt: number,
    since = clock.elapsed(),
  ): Promise<CheckedAnswer> {
    let checkedAt = readAt
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
    const integration = checkedAt === readAt ? answer.integration : aged(answer.integration, since)
    return { ...answer, integration, leavesBefore: checkedAt + FREEZE_READ_MS }
  }

  /**
   * Microsoft suggests a refresh long before a long-lived token expires. Nobody waits for it. So an outage of hours
   * finds tokens that live longer (docs/design.md#continuous-access-evaluation).
   */
  function refreshAhead(integration: Integration, requestId: string): void {
    if (flights.has(flightKey(integration, FOR_A_READ)) || blockedByRow(integration) !== undefined) return
    // Users whose token has ended go first.
    if (!microsoft.isFree(integration.clientId)) return
    void join(integration, FOR_A_READ, requestId)
  }

  /**
   * One flight per integration, generation and challenge in this process: a forced refresh without a challenge can join
   * a plain one and still get a later token.
   */
  function join(integration: Integration, course: Course, requestId: string): Promise<RefreshOutcome> {
    const { used, challenge } = course
    const key = flightKey(integration, course)
    const plain = challenge === undefined ? flights.get(flightKey(integration, FOR_A_READ)) : undefined
    const running = flights.get(key) ?? plain
    if (running !== undefined) {
      observe({ kind: 'joined', integrationId: integration.id })
      if (!used || running.used) return running.outcome
      running.used = true
      return recordUse(integration).then(() => running.outcome)
    }
    const outcome = traced(() => refreshOnce(integration, course, requestId)).catch(
      (error: unknown): RefreshOutcome => ({
        kind: 'broken',
        failure: asFailure(error),
      }),
    )
    const settled = outcome
      .then((ended) => (ended.kind === 'tokens' ? ended.saving : undefined))
      .finally(() => flights.delete(key))
    flights.set(key, { used, outcome, settled })
    return outcome
  }

  async function refreshOnce(integration: Integration, course: Course, requestId: string): Promise<RefreshOutcome> {
    const { used, forced, challenge } = course
    const ended = (outcome: RefreshOutcome): RefreshOutcome => {
      // After `moved` the row is read again.
      if (forced && outcome.kind !== 'moved') observe(forcedEvent(integration, outcome))
      return outcome
    }
    for (let attempts = 0; attempts < MAX_CLAIM_ATTEMPTS; attempts++) {
      const admission = microsoft.admit(integration.clientId)
      const permit = await admission
      if (isPause(permit)) return ended({ kind: 'blocked', blocked: permit, unsent: true })
      // It had to wait, and this process ends: another replica can do it.
      if (admission instanceof Promise && drainingSince < Infinity) {
        permit.release()
        return ended({ kind: 'blocked', blocked: REFRESH_IN_PROGRESS, unsent: true })
      }
      // A new owner for every claim: a flight that outlived its lease must not be taken for the next holder.
      const owner = random.bytes(12).toString('base64url')
      let claim: Claim | Limited | undefined
      try {
        claim = forced
          ? await integrations.claimForced(integration, owner, LEASE_SECONDS, {
              ignoreBackOff: challenge !== undefined,
            })
          : await integrations.claim(integration, owner, LEASE_SECONDS, used)
      } catch (error) {
        permit.release()
        throw error
      }
      if (claim !== undefined && 'limited' in claim) {
        permit.release()
        const { limited: retryAfterSeconds, refused: reason } = claim
        const refused = reason === undefined ? {} : { refused: wantsUser({ reason }) }
        return ended({ kind: 'limited', retryAfterSeconds, ...refused })
      }
      if (claim !== undefined) return ended(await send(integration, claim, owner, permit, requestId, challenge))
      permit.release()
      // The holder of the lease may be a keep-alive, which does not know that a caller waits.
      if (used) await recordUse(integration)
      if (await waitForChange(integration, challenge === undefined)) return { kind: 'moved' }
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
    challenge: Challenge | undefined,
  ): Promise<RefreshOutcome> {
    if (claim.takenOver) observe({ kind: 'lease_taken_over', integrationId: integration.id })
    const sentAt = clock.elapsed()
    const { refreshToken, scopes, account } = claim
    const verdict = await microsoft.refresh(
      {
        refreshToken,
        scopes,
        requestId,
        ...(account === undefined ? {} : { account }),
        ...(integration.clientId === undefined ? {} : { clientId: integration.clientId }),
        ...(challenge === undefined ? {} : { claims: challenge.claims }),
      },
      permit,
    )
    observe(sentEvent(integration, requestId, verdict, (clock.elapsed() - sentAt) / 1000))
    if (verdict.kind === 'tokens') {
      const claimsHash = challenge === undefined ? {} : { claimsHash: challenge.hash }
      return save(integration, { ...verdict.tokens, ...claimsHash }, requestId)
    }
    return recordRefusal(integration, owner, verdict, claim.failures, challenge)
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
    answered: RefusedVerdict,
    failures: number,
    challenge: Challenge | undefined,
  ): Promise<RefreshOutcome> {
    if (answered.kind === 'misconfigured' && answered.everybody) {
      await integrations.releaseLease(integration, owner, CREDENTIAL_RELEASE_SECONDS)
      return { kind: 'blocked', blocked: blockedByCredential(answered) }
    }
    const recorded = judgeRefusal(answered, challenge)
    if (recorded.kind === 'keep') {
      if (await integrations.keepChallenge(integration, owner, recorded.challenge)) return blockedOutcome(recorded)
      observe({ kind: 'discarded', integrationId: integration.id, what: 'refusal' })
      return { kind: 'moved' }
    }
    if (recorded.kind === 'release') {
      await integrations.releaseLease(integration, owner, 0)
      return blockedOutcome(recorded)
    }
    const { failure, retryInSeconds } = failureToStore(integration, recorded.refusal, failures, random)
    if (await integrations.saveFailure(integration, owner, failure, retryInSeconds))
      return { kind: 'blocked', blocked: blockedBy(failure, retryInSeconds) }
    observe({ kind: 'discarded', integrationId: integration.id, what: 'refusal' })
    return { kind: 'moved' }
  }

  /**
   * One poller per process and integration. True: the row has changed, read it. False: the lease has ended, claim
   * again.
   */
  async function waitForChange({ id, generation, status }: Integration, heedsBackOff: boolean): Promise<boolean> {
    observe({ kind: 'waited', integrationId: id })
    for (let pauseMs = POLL_MS.first; ; pauseMs = Math.min(pauseMs * 1.5, POLL_MS.last)) {
      const now = await integrations.progress(id)
      if (
        now === undefined ||
        now.generation !== generation ||
        now.status !== status ||
        now.final ||
        (heedsBackOff && isAhead(now.retryInSeconds))
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
    recheck(answer, request) {
      const checkedAt = answer.leavesBefore - FREEZE_READ_MS
      return checked(answer, request, checkedAt, checkedAt)
    },
    renew: (integration, requestId) => join(integration, FOR_KEEP_ALIVE, requestId),
    refreshNow: (integration, requestId) => join(integration, FOR_A_READ, requestId),
    async drain() {
      drainingSince = Math.min(drainingSince, clock.elapsed())
      while (flights.size > 0) await Promise.all(Array.from(flights.values(), ({ settled }) => settled))
    },
  }
}

const blockedOutcome = ({ blocked }: { blocked: Blocked }): RefreshOutcome => ({ kind: 'blocked', blocked })
const isPause = (admission: Admission): admission is Pause => 'retryAfterSeconds' in admission
const isAhead = (seconds: number | undefined): boolean => seconds !== undefined && seconds > 0
const asFailure = (error: unknown): Failure =>
  error instanceof Failure ? error : new Failure('internal_error', { detail: 'refresh' })

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
