import type { FreezeState, FrozenPerson } from './freeze.ts'
import type { AnyReason, MicrosoftError, StoredVerdict } from './failure.ts'

/** The tenant of all personal Microsoft accounts (docs/microsoft.md#accounts). */
export const PERSONAL_TENANT = '9188040d-6c67-4c5b-b112-36a304b66dad'

/** `unknown`: an imported account that was not used yet. */
export const ACCOUNT_KINDS = ['work', 'personal', 'unknown'] as const
export type AccountKind = (typeof ACCOUNT_KINDS)[number]

/** `tenantId`: of the account, if it is known. */
export function accountKind(tenantId: string | undefined): AccountKind {
  if (tenantId === undefined) return 'unknown'
  return tenantId.toLowerCase() === PERSONAL_TENANT ? 'personal' : 'work'
}

/** A Microsoft account. `tenantId` + `objectId` is the identity; names are only shown (docs/microsoft.md#accounts). */
export interface Account {
  tenantId: string
  objectId: string
  username?: string
  displayName?: string
}

/** A token answer of Microsoft, validated. */
export interface TokenSet {
  accessToken: string
  /** Absent: the answer held none, and the stored one stays valid (docs/microsoft.md#refresh-tokens). */
  refreshToken?: string
  /** Counted from the moment the request was sent. */
  expiresInSeconds: number
  /** Between sending the request and this answer; subtracted when the expiry is stored (docs/design.md#time). */
  elapsedMs: number
  /** Canonical names, OpenID Connect scopes left out (microsoft/scopes.ts). */
  scopes: string[]
  account?: Account
  /** The id token's optional claim `login_hint`: names the account to Microsoft at the next sign-in. */
  loginHint?: string
  /** After so many seconds Microsoft suggests a refresh, counted as the expiry (docs/microsoft.md#token-response). */
  refreshInSeconds?: number
  /** Of the claims challenge with which they were got (core/claims.ts). */
  claimsHash?: string
}

/** Why the last refresh brought no tokens. Kept as JSON in the row; read by core/stored.ts. */
export interface StoredFailure {
  verdict: StoredVerdict
  reason: AnyReason
  /** `reconnect` only: no further tries, because the refresh token is no longer valid. */
  final: boolean
  microsoft: MicrosoftError
  /** Microsoft's claims challenge, sent with the next authorize request (docs/microsoft.md#claims-challenges). */
  claims?: string
  /** ISO 8601, by Postgres' clock: this try, and the first try in a row that failed for the same reason. */
  at?: string
  since?: string
}

export type IntegrationStatus = 'active' | 'reconnect_required'

/** A row of `oauth2_integration` without its refresh token. Postgres computes all remaining times. */
export interface Integration extends FreezeState {
  id: string
  userId: string
  status: IntegrationStatus
  generation: number
  /** Empty if it has expired. */
  accessToken: string
  /** How long the access token still lives; negative if it has expired. */
  remainingSeconds: number
  /** The lifetime of the access token when it was issued. */
  lifetimeSeconds: number
  /** ISO 8601. */
  expiresAt: string
  scopes: string[]
  /** The app registration that its tokens belong to. Absent: the current one. */
  clientId?: string
  /** Missing until the first refresh of an imported row. */
  account?: Account
  failure?: StoredFailure
  /** Time until a new try is allowed; absent or ≤ 0: now. */
  retryInSeconds?: number
  /** How long the lease of a running refresh still holds; absent or ≤ 0: nobody holds one. */
  leaseInSeconds?: number
  /** Time until Microsoft suggests a refresh; absent: it does not; ≤ 0: now. */
  refreshInSeconds?: number
  /** Of the claims challenge with which the access token was got; absent: without one. */
  claimsHash?: string
}

/** What the account page and `GET /integrations/:userId` show. It holds no token. */
export interface IntegrationSummary {
  id: string
  userId: string
  status: IntegrationStatus
  generation: number
  scopes: string[]
  account?: Account
  /** For the next sign-in only. Never shown. */
  loginHint?: string
  /** ISO 8601. */
  connectedAt: string
  /** ISO 8601. */
  refreshedAt: string
  /** ISO 8601. */
  accessTokenExpiresAt: string
  failure?: StoredFailure
  /** A claims challenge that only the user can satisfy, of the last hour (JSON). */
  challenge?: string
  /** Its tokens are withheld (docs/design.md#freeze). */
  frozen?: FrozenPerson
}

/** A token with less life left is refreshed before it is handed out (docs/design.md#freshness). */
export const DEFAULT_MIN_TTL_SECONDS = 300
/** The longest `min_ttl` that a caller may ask for (docs/design.md#freshness). */
export const MAX_MIN_TTL_SECONDS = 1800

/**
 * Whether the token can be handed out as it is. A `minTtlSeconds` above half of the token's lifetime is cut to that
 * half: otherwise a tenant with ten-minute tokens would cause a refresh on every read (docs/design.md#freshness).
 */
export function isUsable(
  integration: Pick<Integration, 'remainingSeconds' | 'lifetimeSeconds'>,
  minTtlSeconds: number,
): boolean {
  const { remainingSeconds, lifetimeSeconds } = integration
  return remainingSeconds > 0 && lifetimeSeconds > 0 && remainingSeconds > Math.min(minTtlSeconds, lifetimeSeconds / 2)
}

/** Whether Microsoft suggests a refresh although the token can be handed out. */
export function isRefreshDue({ refreshInSeconds }: Pick<Integration, 'refreshInSeconds'>): boolean {
  return refreshInSeconds !== undefined && refreshInSeconds <= 0
}

export function isStillValid(integration: Pick<Integration, 'remainingSeconds'>): boolean {
  return integration.remainingSeconds > 0
}

export function isSameAccount(a: Account, b: Account): boolean {
  return a.tenantId.toLowerCase() === b.tenantId.toLowerCase() && a.objectId.toLowerCase() === b.objectId.toLowerCase()
}

/**
 * An integration with tokens that are not saved yet. Their generation is not known, so it keeps the number of the set
 * that they replace. `expiresAt` is moved from the row's, so that it stays by Postgres' clock (docs/design.md#time).
 */
export function unsaved(
  integration: Integration,
  { accessToken, scopes, expiresInSeconds, elapsedMs, claimsHash }: TokenSet,
): Integration {
  const remainingSeconds = expiresInSeconds - elapsedMs / 1000
  const expiresAt = new Date(
    Date.parse(integration.expiresAt) + (remainingSeconds - integration.remainingSeconds) * 1000,
  )
  const { refreshInSeconds: _of, claimsHash: _before, ...kept } = integration
  return {
    ...kept,
    ...(claimsHash === undefined ? {} : { claimsHash }),
    accessToken,
    scopes,
    remainingSeconds,
    lifetimeSeconds: expiresInSeconds,
    expiresAt: expiresAt.toISOString().replace(/\.\d+Z$/, 'Z'),
  }
}
