import { Failure, type AnyReason, type FailureCode } from './failure.ts'
import { isStillValid, type Integration, type StoredFailure } from './integration.ts'
import type { Random, Verdict } from './ports.ts'
import type { TokenAnswer } from './refresh.ts'

// What follows where no fresh token can be had: what is stored, when it is tried again, and what the caller is told. Pure.

/** Seconds before a refusal that may be cured elsewhere is tried again by a caller's read (design 2.3). */
const CURABLE_RETRY_SECONDS = 900
/** Seconds of the first back-off and of the longest, before jitter. */
const BACK_OFF_SECONDS = { try_later: [2, 30], misconfigured: [60, 900] } as const
/** Seconds named to callers after our credential was refused: by then the breaker has probed once or twice. */
const CREDENTIAL_RETRY_SECONDS = 30
/** Seconds a row is left alone after that: enough for those who wait for it, less than the breaker's first pause. */
export const CREDENTIAL_RELEASE_SECONDS = 5
/** Seconds for which a token counts as later than one of a generation that is not known. */
const RECENTLY_ISSUED_SECONDS = 60

export type RefusedVerdict = Exclude<Verdict, { kind: 'tokens' }>

/** Why no fresh token can be had now. */
export interface Blocked {
  verdict: StoredFailure['verdict']
  reason: AnyReason
  /** Seconds. */
  retryAfterSeconds?: number
  microsoft?: StoredFailure['microsoft']
}

/** Somebody is refreshing, and it takes longer than this caller waits. */
export const REFRESH_IN_PROGRESS: Blocked = {
  verdict: 'try_later',
  reason: 'refresh_in_progress',
  retryAfterSeconds: 1,
}

/** A refresh failed lately, or for good: nothing is sent. Only what is everybody's trouble leaves a row alone and no failure in it. */
export function blockedByRow({ failure, retryInSeconds }: Integration): Blocked | undefined {
  if (failure?.final) return blockedBy(failure)
  if (retryInSeconds === undefined || retryInSeconds <= 0) return undefined
  return failure === undefined
    ? blockedByCredential({ reason: 'client_credential' })
    : blockedBy(failure, retryInSeconds)
}

/** What is stored of a refusal that concerns this integration. `retryInSeconds` seconds; absent: never tried again by itself. */
export function failureToStore(
  integration: Integration,
  refusal: RefusedVerdict,
  failures: number,
  random: Random,
): { failure: StoredFailure; retryInSeconds?: number } {
  const retryInSeconds = retryAfterSeconds(refusal, failures, random)
  const standing = standingRefusal(integration)
  // A passing trouble says nothing about a refusal that already stands: it stays, and so does its pace.
  if (standing !== undefined && refusal.kind !== 'reconnect')
    return { failure: standing, retryInSeconds: Math.max(retryInSeconds ?? 0, CURABLE_RETRY_SECONDS) }
  return {
    failure: {
      verdict: refusal.kind,
      reason: refusal.reason,
      final: refusal.kind === 'reconnect' && refusal.final,
      microsoft: refusal.microsoft,
      ...(refusal.kind === 'reconnect' && refusal.claims !== undefined ? { claims: refusal.claims } : {}),
    },
    ...(retryInSeconds === undefined ? {} : { retryInSeconds }),
  }
}

export function blockedBy({ verdict, reason, microsoft }: StoredFailure, retryInSeconds?: number): Blocked {
  return {
    verdict,
    reason,
    microsoft,
    ...(retryInSeconds === undefined ? {} : { retryAfterSeconds: Math.max(1, Math.ceil(retryInSeconds)) }),
  }
}

/** Our credential was refused: everybody's trouble, written down in nobody's row. */
export const blockedByCredential = ({ reason, microsoft }: Pick<Blocked, 'reason' | 'microsoft'>): Blocked => ({
  verdict: 'misconfigured',
  reason,
  retryAfterSeconds: CREDENTIAL_RETRY_SECONDS,
  ...(microsoft === undefined ? {} : { microsoft }),
})

const CODE_OF: Record<Blocked['verdict'], FailureCode> = {
  reconnect: 'reconnect_required',
  try_later: 'microsoft_unavailable',
  misconfigured: 'broker_misconfigured',
}

/**
 * A token that is still valid is never an error, whatever state the integration is in (design 2.2); but with `after`, only one of a
 * later generation will do. Throws the Failure that the stop amounts to. `stop` as a Failure: trouble of our own, such as Postgres.
 */
export function answerOrThrow(
  integration: Integration,
  after: number | undefined,
  stop: Blocked | Failure,
): TokenAnswer {
  const valid = isStillValid(integration) && isLaterThan(integration, after)
  if (stop instanceof Failure) {
    if (valid) return { integration, degraded: { reason: 'broker_trouble' } }
    throw stop
  }
  // While Microsoft cannot be asked, a refusal that stands is what is known.
  const standing = stop.verdict === 'reconnect' ? undefined : standingRefusal(integration)
  const { verdict, reason, retryAfterSeconds, microsoft } =
    standing === undefined ? stop : blockedBy(standing, stop.retryAfterSeconds)
  const facts = { reason, ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }) }
  if (valid) return { integration, degraded: facts }
  throw new Failure(CODE_OF[verdict], { ...facts, ...(microsoft === undefined ? {} : { microsoft }) })
}

/**
 * Whether this is a token of a later generation than `after`. A generation above the stored one was never issued here: it is from
 * before a backup was restored, and cannot be compared. Then a token that has just been issued will do, so that such a caller gets
 * another one than it had, and causes a call a minute at most.
 */
export function isLaterThan(
  { generation, lifetimeSeconds, remainingSeconds }: Integration,
  after: number | undefined,
): boolean {
  if (after === undefined || generation > after) return true
  return generation < after && lifetimeSeconds - remainingSeconds < RECENTLY_ISSUED_SECONDS
}

function standingRefusal({ status, failure }: Integration): StoredFailure | undefined {
  return status === 'reconnect_required' ? failure : undefined
}

/** Seconds until the next try is allowed; undefined: never by itself. `failures` counts those before this one. */
function retryAfterSeconds(refusal: RefusedVerdict, failures: number, random: Random): number | undefined {
  if (refusal.kind === 'reconnect') return refusal.final ? undefined : CURABLE_RETRY_SECONDS
  if (refusal.kind === 'try_later' && refusal.retryAfterSeconds !== undefined) return refusal.retryAfterSeconds
  const [first, last]: readonly [number, number] = BACK_OFF_SECONDS[refusal.kind]
  return jittered(Math.min(first * 2 ** failures, last), random)
}

/** Up to a quarter more or less: replicas and rows must not come back in step. */
export function jittered(value: number, random: Random): number {
  return value * (0.75 + random.fraction() / 2)
}
