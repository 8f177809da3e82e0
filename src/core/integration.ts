import type { AnyReason, MicrosoftError, StoredVerdict } from './failure.ts'

/** A Microsoft account. `tenantId` + `objectId` is the identity; names are only shown (entra.md 0.12). */
export interface Account {
  tenantId: string
  objectId: string
  username?: string
  displayName?: string
}

/** What a token answer of Microsoft holds, judged and typed. */
export interface TokenSet {
  accessToken: string
  /** Absent: the answer held none, the stored one stays valid (design 2.3). */
  refreshToken?: string
  /** Seconds of life counted from the moment the request was sent. */
  expiresInSeconds: number
  /** Milliseconds between sending the request and this answer; Postgres subtracts them (design 2.3). */
  elapsedMs: number
  /** Canonical names, OpenID Connect scopes left out (microsoft/scopes.ts). */
  scopes: string[]
  account?: Account
}

/** Why the last refresh brought no tokens. Kept as JSON in the row; read by core/stored.ts. */
export interface StoredFailure {
  verdict: StoredVerdict
  reason: AnyReason
  /** `reconnect` only: no further tries, the refresh token is dead. */
  final: boolean
  microsoft: MicrosoftError
  /** Microsoft's claims challenge: sent along on the next authorize (entra.md 4.1). */
  claims?: string
  /** ISO 8601, Postgres' clock: this try, and the first in a row that ended for the same reason. */
  at?: string
  since?: string
}

export type IntegrationStatus = 'active' | 'reconnect_required'

/** A row of `oauth2_integration` as a reader needs it: no refresh token. All remaining times are computed by Postgres. */
export interface Integration {
  id: string
  userId: string
  status: IntegrationStatus
  generation: number
  /** Empty where it has expired. */
  accessToken: string
  /** Seconds the access token still lives; negative when it is over. */
  remainingSeconds: number
  /** Seconds the access token lived when it was issued. */
  lifetimeSeconds: number
  /** ISO 8601. */
  expiresAt: string
  scopes: string[]
  /** Missing until the first refresh of an imported row. */
  account?: Account
  failure?: StoredFailure
  /** Seconds until a new try is allowed; absent or ≤ 0: now. */
  retryInSeconds?: number
  /** Seconds the lease of a running refresh still holds; absent or ≤ 0: nobody holds one. */
  leaseInSeconds?: number
}

/** What the account page and `GET /integrations/:userId` show. No token in it. */
export interface IntegrationSummary {
  id: string
  userId: string
  status: IntegrationStatus
  generation: number
  scopes: string[]
  account?: Account
  /** ISO 8601. */
  connectedAt: string
  /** ISO 8601. */
  refreshedAt: string
  /** ISO 8601. */
  accessTokenExpiresAt: string
  failure?: StoredFailure
}

/** Seconds before its end at which a token counts as used up (design 1: the five-minute buffer). */
export const DEFAULT_MIN_TTL_SECONDS = 300
/** Longest `min_ttl` a caller may ask for, seconds (design 2.2). */
export const MAX_MIN_TTL_SECONDS = 1800

/**
 * Whether the token can be handed out as it is. A `minTtlSeconds` (seconds) above half the token's lifetime is cut to that half:
 * otherwise a tenant with ten-minute tokens would cause a refresh on every read (design 2.2).
 */
export function isUsable(
  integration: Pick<Integration, 'remainingSeconds' | 'lifetimeSeconds'>,
  minTtlSeconds: number,
): boolean {
  const { remainingSeconds, lifetimeSeconds } = integration
  return remainingSeconds > 0 && lifetimeSeconds > 0 && remainingSeconds > Math.min(minTtlSeconds, lifetimeSeconds / 2)
}

export function isStillValid(integration: Pick<Integration, 'remainingSeconds'>): boolean {
  return integration.remainingSeconds > 0
}

export function isSameAccount(a: Account, b: Account): boolean {
  return a.tenantId.toLowerCase() === b.tenantId.toLowerCase() && a.objectId.toLowerCase() === b.objectId.toLowerCase()
}
