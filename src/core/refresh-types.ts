import type { Blocked, TokenAnswer } from './blocked.ts'
import type { Challenge } from './claims.ts'
import type { Failure } from './failure.ts'
import type { Integration } from './integration.ts'
import type { Microsoft } from './microsoft-port.ts'
import type { Clock, IntegrationStore, Random } from './ports.ts'
import type { RefreshEvent } from './refresh-event.ts'

// What refresh.ts is asked, what it needs and what it answers. Types only.

export interface TokenRequest {
  userId: string
  /** Seconds that the token must still live. */
  minTtlSeconds: number
  /** When the caller stops waiting: milliseconds of Clock.elapsed. */
  deadlineAt: number
  /** The generation that failed for the caller: only a later one is an answer. */
  after?: number
  /** What Graph asked for when it failed: only a token that was got with it, or issued later, is an answer. */
  challenge?: Challenge
  requestId: string
  /** The key of the caller: while it is frozen, it gets nothing. Absent: no caller of the API. */
  keyId?: string
}

export interface RefreshPorts {
  integrations: IntegrationStore
  microsoft: Microsoft
  clock: Clock
  random: Random
  /**
   * Forced refreshes without a challenge are counted and limited too, because callers may ignore challenges (continuous
   * access evaluation is on).
   */
  limitForced?: boolean
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
  /** `unsent`: Microsoft was not asked. */
  | { kind: 'blocked'; blocked: Blocked; unsent?: true }
  | { kind: 'broken'; failure: Failure }
  /**
   * Too many refreshes of this user were forced; the next is allowed after so many seconds. `refused`: one of them was
   * refused, because Microsoft wants the user.
   */
  | { kind: 'limited'; retryAfterSeconds: number; refused?: Blocked }
  /** The row has changed: read it again. */
  | { kind: 'moved' }

/** `leavesBefore`: Clock.elapsed until which this answer may be sent; later, `recheck` it (docs/design.md#freeze). */
export type CheckedAnswer = TokenAnswer & { leavesBefore: number }

export interface Refresh {
  /**
   * The best token that can be had before the deadline: a fresh one, else the still valid one marked `degraded`.
   * Throws Failure `not_connected`, `reconnect_required`, `claims_not_satisfied`, `microsoft_unavailable`,
   * `broker_misconfigured`, `database_unavailable` or `token_unreadable` only if there is no valid token (with `after`:
   * no valid later one; with `challenge`: none that satisfies it), and `frozen` whatever there is.
   */
  tokenFor(request: TokenRequest): Promise<CheckedAnswer>
  /**
   * For an answer that was held up after `tokenFor`: as it is while it may leave, else after the freezes were read
   * again. Throws Failure `frozen`, `not_connected` or `database_unavailable`.
   */
  recheck(answer: CheckedAnswer, request: TokenRequest): Promise<CheckedAnswer>
  /**
   * Refreshes without a caller (keep-alive), by the same claim. Never throws.
   */
  renew(integration: Integration, requestId: string): Promise<RefreshOutcome>
  /** As `renew`, as if a caller had asked: for the canary account. Never throws. */
  refreshNow(integration: Integration, requestId: string): Promise<RefreshOutcome>
  /** Resolves when every refresh that has begun is finished and saved. New ones may still begin while it waits. */
  drain(): Promise<void>
}
