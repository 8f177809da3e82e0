import type { Actor, FailureCode, MicrosoftError, Reason } from './failure.ts'
import type { Account, TokenSet } from './integration.ts'

// What the core needs of Microsoft.

/** What an answer from Microsoft to a refresh means for us (docs/design.md#verdicts). */
export type Verdict =
  | { kind: 'tokens'; tokens: TokenSet }
  /** Nothing is wrong with the authorization. `retryAfterSeconds`: Microsoft's Retry-After, if it sent one. */
  | { kind: 'try_later'; reason: Reason; retryAfterSeconds?: number; microsoft: MicrosoftError }
  /**
   * `final`: the broker does not try again. Otherwise a policy, a consent or an account state that may be cured
   * elsewhere.
   */
  | { kind: 'reconnect'; reason: Reason; final: boolean; microsoft: MicrosoftError; claims?: string }
  /**
   * `everybody`: our credential, which concerns all users (opens the breaker, marks no row); else only this integration
   * backs off.
   */
  | { kind: 'misconfigured'; reason: Reason; everybody: boolean; microsoft: MicrosoftError }

/** What a connect brings. `clientId`: the app registration that the tokens belong to, in lower case. */
export type NewTokenSet = TokenSet & { refreshToken: string; account: Account; clientId: string }

/**
 * What Microsoft's answer to a code exchange means for us. Tokens always come with a verified account and a refresh
 * token.
 */
export type CodeVerdict =
  | { kind: 'tokens'; tokens: NewTokenSet }
  | { kind: 'refused'; reason: Reason; microsoft: MicrosoftError; claims?: string }
  | { kind: 'try_later'; reason: Reason; retryAfterSeconds?: number; microsoft: MicrosoftError }
  | { kind: 'misconfigured'; reason: Reason; microsoft: MicrosoftError }

/** Permission to send one refresh. `release` gives it back unused if the row could not be claimed. */
export interface Permit {
  release(): void
}
/** The breaker lets nothing through now. */
export interface Pause {
  verdict: 'try_later' | 'misconfigured'
  reason: Reason
  retryAfterSeconds: number
}

export type Admission = Permit | Pause

export interface RefreshRequest {
  refreshToken: string
  /** What the row was granted (docs/microsoft.md#scopes). */
  scopes: readonly string[]
  /**
   * Stored account, if known: its tenant is the token path to use, and an id token for another account is not accepted.
   */
  account?: Account
  /** The app registration that the refresh token belongs to. Absent: the current one. */
  clientId?: string
  /** A claims challenge, without our own capabilities. */
  claims?: string
  /** Sent to Microsoft as `client-request-id`. */
  requestId: string
}

export interface AuthorizeRequest {
  state: string
  nonce: string
  /** PKCE S256 challenge (RFC 7636 section 4.2). */
  codeChallenge: string
  /** `none`: Microsoft asks nothing and comes back at once. */
  prompt?: 'select_account' | 'none'
  loginHint?: string
  claims?: string
  requestId?: string
}

export interface CodeRequest {
  code: string
  codeVerifier: string
  nonce: string
  /** The app registration that the code was asked for. Absent: the current one. */
  clientId?: string
  /** What the authorize request asked for, without our own capabilities. */
  claims?: string
  requestId: string
}

/**
 * What a browser brought from Microsoft to the callback, as it came: each parameter at most once, nothing believed yet.
 */
export interface CallbackParameters {
  error?: string
  errorSubcode?: string
  /** Read for the AADSTS number, the ids and the time in it. Never kept: it can hold e-mail addresses. */
  errorDescription?: string
  errorUri?: string
  adminConsent?: string
}

/** What an error in the callback means. */
export interface CallbackRefusal {
  reason: Reason
  code: Extract<FailureCode, 'connect_refused' | 'microsoft_unavailable' | 'broker_misconfigured'>
  microsoft: MicrosoftError
}

/**
 * How an administrator's visit to Microsoft's approval page ended. `whoActs`: the reason's, or the administrator who is
 * looking.
 */
export type AdminConsentResult =
  { approved: true } | { approved: false; reason: Reason; whoActs: Actor; microsoft: MicrosoftError }

/** What the authorize page can say of our registration, more exact than `app_registration`. */
export type AuthorizePageFault =
  'redirect_uri_not_registered' | 'application_not_found' | 'application_disabled' | 'tenant_not_found'

export interface Microsoft {
  authorizeUrl(request: AuthorizeRequest): string
  /**
   * Microsoft's page where an administrator approves for a whole organisation. `tenantId`: theirs, where it is known.
   */
  adminConsentUrl(request: { state: string; tenantId?: string }): string
  /** Pure. */
  judgeCallback(parameters: CallbackParameters & { error: string }): CallbackRefusal
  /** Pure. What comes back proves nothing: it decides what a page says. */
  judgeAdminConsent(parameters: CallbackParameters): AdminConsentResult
  /** Pure. Whether this login host belongs to another cloud of Microsoft than ours (docs/microsoft.md#clouds). */
  isOtherCloud(host: string): boolean
  /** The app registrations that are configured, the current one first. */
  clientIds(): [string, ...string[]]
  /**
   * Asks the breaker of this app registration; absent: of the current one. A registration that is not configured is a
   * pause, too. A promise if others have to finish first. Cheap, no I/O.
   */
  admit(clientId?: string): Admission | Promise<Admission>
  /** Whether a refresh would be sent at once: the registration's breaker is closed, and nobody waits for a turn. */
  isFree(clientId?: string): boolean
  /** Sends one refresh and judges the answer. Never throws because of Microsoft or the network; ends within 5 s. */
  refresh(request: RefreshRequest, permit: Permit): Promise<Verdict>
  /**
   * Looks at Microsoft's authorize page as a visitor without a session. Undefined: it is as it should be. Never throws;
   * ends within 5 s; never moves the breaker.
   */
  authorizePage(requestId: string): Promise<{ fault: Reason | AuthorizePageFault; aadsts?: number } | undefined>
  /** Exchanges a code once. Never throws because of Microsoft or the network; never opens the breaker. */
  redeem(request: CodeRequest): Promise<CodeVerdict>
}
