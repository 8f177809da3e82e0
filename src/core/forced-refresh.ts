import type { Blocked, RefusedVerdict } from './blocked.ts'
import {
  addressIn,
  dependsOnClaims,
  MAX_CLAIMS_LENGTH,
  mergeClaims,
  type Challenge,
  type KeptChallenge,
} from './claims.ts'
import { Failure } from './failure.ts'
import { isUsable, type Integration, type StoredFailure } from './integration.ts'
import type { ForcedResult, RefreshEvent } from './refresh-event.ts'

// Refreshes that callers force because Graph refused a token that had not expired, with or without a claims challenge
// (docs/design.md#continuous-access-evaluation). Pure.

/** How a flight refreshes. */
export interface Course {
  /** A caller waits for it. */
  used: boolean
  /** It counts as forced by a caller. */
  forced: boolean
  challenge?: Challenge
}
export const FOR_A_READ: Course = { used: true, forced: false }
export const FOR_KEEP_ALIVE: Course = { used: false, forced: false }

/**
 * `limitForced`: refreshes without a challenge count too, because callers may ignore challenges. Not where any read
 * would cause the refresh.
 */
export function courseOf(
  integration: Integration,
  { after, challenge, minTtlSeconds }: { after?: number; challenge?: Challenge; minTtlSeconds: number },
  limitForced: boolean,
): Course {
  if (challenge !== undefined) return { used: true, forced: true, challenge }
  return { used: true, forced: limitForced && after !== undefined && isUsable(integration, minTtlSeconds) }
}

/** Flights with one key are one flight: of one integration, generation and challenge. */
export function flightKey({ id, generation }: Integration, { forced, challenge }: Course): string {
  return forced ? `${id}:${generation}:${challenge?.hash ?? 'forced'}` : `${id}:${generation}`
}

/**
 * What to do with a refusal. `keep`: the challenge, for the next connect; it is no news about the row, whose refresh
 * token works as before without it. `release`: nothing, because Microsoft may not understand the challenge. `store`: as
 * any other.
 */
export type Recorded =
  | { kind: 'keep'; challenge: KeptChallenge; blocked: Blocked }
  | { kind: 'release'; blocked: Blocked }
  | { kind: 'store'; refusal: RefusedVerdict }

export function judgeRefusal(refusal: RefusedVerdict, challenge: Challenge | undefined): Recorded {
  if (challenge === undefined || refusal.kind === 'try_later') return { kind: 'store', refusal }
  const { reason, microsoft } = refusal
  if (refusal.kind === 'misconfigured')
    return { kind: 'release', blocked: { verdict: 'misconfigured', reason, microsoft } }
  const claims = challengeToKeep(challenge, refusal.claims)
  return dependsOnClaims(refusal)
    ? { kind: 'keep', challenge: { claims, reason }, blocked: wantsUser(refusal) }
    : { kind: 'store', refusal: { ...refusal, claims } }
}

/** Microsoft wants the user for this challenge. */
export const wantsUser = ({ reason, microsoft }: Partial<StoredFailure> & Pick<StoredFailure, 'reason'>): Blocked => ({
  verdict: 'reconnect',
  reason,
  ...(microsoft === undefined ? {} : { microsoft }),
})

/** Both what Graph and what Microsoft's sign-in asked for, if they fit; else the latter, which is the newer. */
function challengeToKeep({ claims }: Challenge, more: string | undefined): string {
  const merged = mergeClaims(claims, more) ?? claims
  return merged.length <= MAX_CLAIMS_LENGTH ? merged : (more ?? claims)
}

/** Too many refreshes were forced. */
export function notSatisfied(
  { accessToken }: Integration,
  challenge: Challenge | undefined,
  retryAfterSeconds: number,
): Failure {
  const graph = challenge?.graphAddress
  const signIn = addressIn(accessToken)
  const addresses = { ...(graph === undefined ? {} : { graph }), ...(signIn === undefined ? {} : { signIn }) }
  return new Failure('claims_not_satisfied', { reason: 'challenge_repeated', retryAfterSeconds, addresses })
}

export function forcedEvent(
  { id, userId }: Integration,
  outcome: { kind: 'tokens' | 'limited' | 'broken' } | { kind: 'blocked'; blocked: Blocked },
): RefreshEvent {
  const result: ForcedResult =
    outcome.kind === 'tokens'
      ? 'tokens'
      : outcome.kind === 'limited'
        ? 'not_satisfied'
        : outcome.kind === 'blocked' && outcome.blocked.verdict === 'reconnect'
          ? 'user'
          : 'failed'
  return { kind: 'forced', integrationId: id, userId, result }
}
