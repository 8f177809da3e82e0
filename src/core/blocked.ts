import { Failure, type AnyReason, type FailureCode } from './failure.ts'
import { dependsOnClaims, satisfies, type Challenge } from './claims.ts'
import { isStillValid, type Integration, type StoredFailure } from './integration.ts'
import type { Verdict } from './microsoft-port.ts'
import type { Random } from './ports.ts'

// What follows if no fresh token can be had: what is stored, when the broker tries again, and what the caller gets.
// Pure.

/** Seconds before a caller's read tries again after a refusal that may be cured elsewhere (docs/design.md#verdicts). */
const CURABLE_RETRY_SECONDS = 900
/** Seconds of the first back-off and of the longest, before jitter. */
const BACK_OFF_SECONDS = { try_later: [2, 30], misconfigured: [60, 900] } as const
/**
 * Seconds that callers are asked to wait after our credential was refused: by then the breaker has probed once or
 * twice.
 */
const CREDENTIAL_RETRY_SECONDS = 30
/**
 * Seconds during which nobody claims a row after our credential was refused: enough for its waiters, less than the
 * breaker's first pause.
 */
export const CREDENTIAL_RELEASE_SECONDS = 5
/** Seconds during which a token counts as later than one of an unknown generation. */
const RECENTLY_ISSUED_SECONDS = 60

export type RefusedVerdict = Exclude<Verdict, { kind: 'tokens' }>

export interface TokenAnswer {
  integration: Integration
  /** Present: the token still works but could not be refreshed. */
  degraded?: { reason: AnyReason; retryAfterSeconds?: number }
}

/** Why no fresh token can be had now. */
export interface Blocked {
  verdict: StoredFailure['verdict']
  reason: AnyReason
  /** Seconds. */
  retryAfterSeconds?: number
  microsoft?: StoredFailure['microsoft']
}

/** A refresh is running, and it takes longer than this caller waits. */
export const REFRESH_IN_PROGRESS: Blocked = {
  verdict: 'try_later',
  reason: 'refresh_in_progress',
  retryAfterSeconds: 1,
}

/**
 * A refresh failed recently or finally, so nothing is sent. For a caller with a `challenge`, only a refusal counts that
 * holds with any claims. A row that backs off without a stored failure is one for
 * which our credential was refused: that concerns all users, and is stored in no row.
 */
export function blockedByRow({ failure, retryInSeconds }: Integration, challenge?: Challenge): Blocked | undefined {
  if (failure?.final) return blockedBy(failure)
  if (retryInSeconds === undefined || retryInSeconds <= 0) return undefined
  // A challenge is another question than the one that was refused, unless no claims could change the answer.
  if (challenge !== undefined && (failure?.verdict !== 'reconnect' || dependsOnClaims(failure))) return undefined
  return failure === undefined
    ? blockedByCredential({ reason: 'client_credential' })
    : blockedBy(failure, retryInSeconds)
}

/**
 * What is stored of a refusal that concerns this integration. `retryInSeconds` absent: the broker does not try again.
 */
export function failureToStore(
  integration: Integration,
  refusal: RefusedVerdict,
  failures: number,
  random: Random,
): { failure: StoredFailure; retryInSeconds?: number } {
  const retryInSeconds = retryAfterSeconds(refusal, failures, random)
  const standing = standingRefusal(integration)
  // A temporary failure says nothing about an earlier refusal: the refusal stays, and so does its slower pace.
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

/** Our credential was refused: that concerns all users, and is stored in no row. */
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
 * Returns the stored token if it is still valid, whatever state the integration is in (docs/design.md#freshness); with
 * `after` or `challenge`, only if it is an answer. Else throws the Failure that belongs to `blocked`. A Failure as
 * `blocked`: an error of our own, such as an unreachable Postgres.
 */
export function answerOrThrow(
  integration: Integration,
  after: number | undefined,
  blocked: Blocked | Failure,
  challenge?: Challenge,
): TokenAnswer {
  const valid = isStillValid(integration) && isAnswer(integration, after, challenge)
  if (blocked instanceof Failure) {
    if (valid) return { integration, degraded: { reason: 'broker_trouble' } }
    throw blocked
  }
  // While Microsoft cannot be asked, an earlier refusal is the best explanation.
  const standing = blocked.verdict === 'reconnect' ? undefined : standingRefusal(integration)
  const { verdict, reason, retryAfterSeconds, microsoft } =
    standing === undefined ? blocked : blockedBy(standing, blocked.retryAfterSeconds)
  const facts = { reason, ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }) }
  if (valid) return { integration, degraded: facts }
  const tenantId = integration.account?.tenantId
  throw new Failure(CODE_OF[verdict], {
    ...facts,
    ...(microsoft === undefined ? {} : { microsoft }),
    ...(tenantId === undefined ? {} : { tenantId }),
  })
}

/** Whether this token may be handed out: of a later generation, and good for what Graph asked for. */
export function isAnswer(integration: Integration, after: number | undefined, challenge?: Challenge): boolean {
  return isLaterThan(integration, after) && (challenge === undefined || satisfies(integration, challenge))
}

/**
 * Whether this token is of a later generation than `after`. If `after` is above the stored generation, it dates from
 * before a backup was restored, and the numbers cannot be compared. Then a token that was issued in the last minute
 * counts as later: the caller gets another token than it had, and causes at most one refresh a minute.
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

/** Seconds until the broker may try again; undefined: it does not. `failures`: how many came before this one. */
function retryAfterSeconds(refusal: RefusedVerdict, failures: number, random: Random): number | undefined {
  if (refusal.kind === 'reconnect') return refusal.final ? undefined : CURABLE_RETRY_SECONDS
  if (refusal.kind === 'try_later' && refusal.retryAfterSeconds !== undefined) return refusal.retryAfterSeconds
  const [first, last]: readonly [number, number] = BACK_OFF_SECONDS[refusal.kind]
  return jittered(Math.min(first * 2 ** failures, last), random)
}

/** Up to a quarter more or less, so that replicas and rows do not try again at the same moment. */
export function jittered(value: number, random: Random): number {
  return value * (0.75 + random.fraction() / 2)
}
