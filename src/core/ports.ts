import type { CallerPermission } from './caller-permissions.ts'
import type { Actor, FailureCode, MicrosoftError, Reason } from './failure.ts'
import type { Account, Integration, IntegrationSummary, StoredFailure, TokenSet } from './integration.ts'

// What core asks of the world. Types only, each with its contract in words; joined to implementations in services.ts.

// ---- Microsoft -----------------------------------------------------------------------------------------------------

/** What an answer from Microsoft to a refresh means for us (docs/design.md#verdicts). */
export type Verdict =
  | { kind: 'tokens'; tokens: TokenSet }
  /** Nothing is wrong with the authorization. `retryAfterSeconds` in seconds when Microsoft named it. */
  | { kind: 'try_later'; reason: Reason; retryAfterSeconds?: number; microsoft: MicrosoftError }
  /** `final`: no more tries. Otherwise a policy, a consent or an account state that may be cured elsewhere. */
  | { kind: 'reconnect'; reason: Reason; final: boolean; microsoft: MicrosoftError; claims?: string }
  /**
   * `everybody`: our credential, which concerns all (opens the breaker, marks nobody); else this integration backs off.
   */
  | { kind: 'misconfigured'; reason: Reason; everybody: boolean; microsoft: MicrosoftError }

/** What an answer to a code exchange means for us. Tokens always come with a proven account and a refresh token. */
export type CodeVerdict =
  | { kind: 'tokens'; tokens: TokenSet & { refreshToken: string; account: Account } }
  | { kind: 'refused'; reason: Reason; microsoft: MicrosoftError; claims?: string }
  | { kind: 'try_later'; reason: Reason; retryAfterSeconds?: number; microsoft: MicrosoftError }
  | { kind: 'misconfigured'; reason: Reason; microsoft: MicrosoftError }

/** Leave to send one refresh. Given back unused with `release` when the row could not be claimed. */
export interface Permit {
  release(): void
}
/** The breaker's word that nothing is to be sent now. `retryAfterSeconds` in seconds. */
export interface Pause {
  verdict: 'try_later' | 'misconfigured'
  reason: Reason
  retryAfterSeconds: number
}

export interface RefreshRequest {
  refreshToken: string
  /** What the row was granted (docs/microsoft.md#scopes). */
  scopes: readonly string[]
  /**
   * Stored account, if known: its tenant is the token path to use, and an id token for another account is not accepted.
   */
  account?: Account
  /** Becomes Microsoft's `client-request-id`. */
  requestId: string
}

export interface AuthorizeRequest {
  state: string
  nonce: string
  /** PKCE S256 challenge (RFC 7636 section 4.2). */
  codeChallenge: string
  prompt?: 'select_account'
  loginHint?: string
  claims?: string
  requestId?: string
}

export interface CodeRequest {
  code: string
  codeVerifier: string
  nonce: string
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
  /** Asks the breaker. Cheap, no I/O. */
  admit(): Permit | Pause
  /**
   * Sends one refresh and judges the answer. Never throws for anything Microsoft or the network does; ends within 5 s.
   */
  refresh(request: RefreshRequest, permit: Permit): Promise<Verdict>
  /** Exchanges a code. Never throws for anything Microsoft or the network does; never opens the breaker. */
  redeem(request: CodeRequest): Promise<CodeVerdict>
}

// ---- Vault ---------------------------------------------------------------------------------------------------------

/** Which value of which row: bound into the sealed value, so that it opens nowhere else (design 4). */
export interface SealContext {
  table: 'oauth2_integration' | 'connect_session' | 'sealing_key'
  column: 'access_token' | 'refresh_token' | 'pkce_verifier' | 'code' | 'canary'
  provider: string
  userId: string
  recordId: string
}

export interface Vault {
  seal(context: SealContext, plaintext: string): Buffer
  /** Throws Failure `token_unreadable` when the value does not open here. */
  open(context: SealContext, sealed: Uint8Array): string
}

// ---- Stores --------------------------------------------------------------------------------------------------------

/** A claimed row: this process alone may mark a failure for this generation until the lease ends (design 2.3). */
export interface Claim {
  refreshToken: string
  scopes: string[]
  account?: Account
  failures: number
  /** Whether an earlier holder's lease had run out. */
  takenOver: boolean
}

/** What a waiter needs to see change. All in seconds, by Postgres' clock. */
export interface Progress {
  generation: number
  status: 'active' | 'reconnect_required'
  retryInSeconds?: number
  leaseInSeconds?: number
  /** A refusal for good stands: there is nothing to wait for. */
  final: boolean
}

export interface IntegrationStore {
  /**
   * One statement; two where what is remembered of the user is no longer so. Undefined: not connected. `timeoutMs`: how
   * long the caller waits, where that is less than a statement may take.
   */
  read(userId: string, timeoutMs?: number): Promise<Integration | undefined>
  summary(userId: string): Promise<IntegrationSummary | undefined>
  /**
   * Compare-and-set on generation, status, lease and retry_at; never of what is refused for good, nor of a row that
   * somebody is writing now. `leaseSeconds` from now. `used`: a caller's read asked for it. Throws Failure
   * `token_unreadable`, with the lease given back, when there is nothing to send.
   */
  claim(integration: Integration, owner: string, leaseSeconds: number, used: boolean): Promise<Claim | undefined>
  /**
   * Saves tokens `WHERE generation = $read`, whoever holds the lease; takes a new generation. `recovered`: the row was
   * marked reconnect_required until now. Undefined: the row has moved on or is gone.
   */
  saveTokens(
    integration: Integration,
    tokens: TokenSet,
  ): Promise<{ integration: Integration; recovered: boolean } | undefined>
  /**
   * Marks a failure only while generation and lease are still ours; releases the lease. False: discarded.
   * `retryInSeconds` seconds; absent: no further tries.
   */
  saveFailure(
    integration: Integration,
    owner: string,
    failure: StoredFailure,
    retryInSeconds?: number,
  ): Promise<boolean>
  /**
   * Gives the lease back without a mark (the breaker's kind of failure), so that nobody tries again for
   * `retryInSeconds` seconds. Then nothing is stored that would say why, a passing failure of an earlier try included;
   * a refusal that stands does.
   */
  releaseLease(integration: Integration, owner: string, retryInSeconds: number): Promise<void>
  /**
   * Says that a caller asked for a refresh that was claimed without one. Writes only where that was last said over an
   * hour ago.
   */
  recordUse(integration: Integration): Promise<void>
  progress(id: string): Promise<Progress | undefined>
  /**
   * Ends a completing connect session by storing its tokens, all in one transaction: locks or creates the row, checks
   * the account pin, takes a new generation, writes the event, ends the browser sessions that have no other attempt.
   * `ended`: the session was ended meanwhile (a disconnect), nothing is stored. `account_mismatch`: another account is
   * stored and no switch was allowed.
   */
  connect(input: {
    session: ConnectSession
    tokens: TokenSet & { refreshToken: string; account: Account }
  }): Promise<ConnectOutcome | 'ended'>
  /**
   * Deletes the row, ends the user's connect and browser sessions, writes the event, all in one transaction. False:
   * there was none.
   */
  disconnect(userId: string, caller: string): Promise<boolean>
  /** A page of all integrations, ordered by user id, from the one after `after` on. */
  list(input: { after?: string; limit: number }): Promise<IntegrationSummary[]>
}

/** An integration whose refresh token must be used before it dies, as it stood when it was looked for. */
export interface Due {
  id: string
  userId: string
  generation: number
  /** As Postgres wrote it. With the id it says how far a reader has come. */
  refreshedAt: string
}

/** Days, by Postgres' clock. */
export interface KeepAliveDays {
  /** Since the last refresh: due. */
  afterDays: number
  /** Since a caller's last read: not refreshed any more, let go. */
  letGoAfterDays: number
}

/**
 * How many integrations. Those that Microsoft has refused for good count in `all` and `unused` only: nothing keeps them
 * alive.
 */
export interface KeepAliveForecast {
  all: number
  due: number
  unused: number
  /**
   * Would die within so many days if nobody refreshed them: a refresh token dies 90 days after its last use (entra.md
   * 3).
   */
  diesWithin: { days: 7 | 30 | 90; count: number }[]
}

export interface KeepAliveStore {
  /**
   * A page of what is due, oldest first, from `from` on. Left out: refused for good, unused, being refreshed, backing
   * off, and what has failed within the last day.
   */
  due(input: KeepAliveDays & { limit: number; from?: Due }): Promise<Due[]>
  /** User ids of integrations that no caller has read for `letGoAfterDays`. */
  unused(input: KeepAliveDays & { limit: number }): Promise<string[]>
  /**
   * Deletes one that is still unused and writes the event, in one transaction. False: a caller has read it meanwhile,
   * or it is gone.
   */
  letGo(userId: string, days: KeepAliveDays): Promise<boolean>
  forecast(days: KeepAliveDays): Promise<KeepAliveForecast>
}

export type ConnectIntent = 'connect' | 'manage'

/**
 * created: ticket not opened · authorizing: sent to Microsoft · received: code sealed, not redeemed · completing: being
 * redeemed · connected | refused | expired: over, outcome stored. A manage session goes from created to opened.
 */
export type ConnectSessionStatus =
  'created' | 'opened' | 'authorizing' | 'received' | 'completing' | 'connected' | 'refused' | 'expired'

export interface ConnectOutcome {
  result: 'connected' | 'reconnected' | 'refused'
  reason?: Reason
  /** The caller-facing failure code when refused. */
  code?: FailureCode
  /** The account that was chosen at Microsoft. */
  account?: Account
  /** `account_mismatch`: the account that is stored. */
  expectedAccount?: Account
  microsoft?: MicrosoftError
}

export interface ConnectSession {
  id: string
  caller: string
  userId: string
  intent: ConnectIntent
  allowSwitch: boolean
  status: ConnectSessionStatus
  outcome?: ConnectOutcome
  /** Hash of the browser session that opened the ticket. */
  browserSession?: Buffer
  /** ISO 8601. */
  createdAt: string
  /** ISO 8601: when the present step runs out. */
  expiresAt: string
  /** By Postgres' clock. */
  expired: boolean
}

export interface ConnectSessionStore {
  create(input: {
    ticketHash: Buffer
    caller: string
    userId: string
    intent: ConnectIntent
    allowSwitch: boolean
    ttlSeconds: number
  }): Promise<ConnectSession>
  find(id: string): Promise<ConnectSession | undefined>
  findByTicket(ticketHash: Buffer): Promise<ConnectSession | undefined>
  findByState(stateHash: Buffer): Promise<ConnectSession | undefined>
  /** ISO 8601: since when the user's newest attempt is at Microsoft; undefined when none is. */
  pendingSince(userId: string): Promise<string | undefined>
  /**
   * Spends the ticket once, or restarts an attempt of the same browser session that has not come back yet. Undefined:
   * it is spent elsewhere, over or expired. `ttlSeconds` seconds.
   */
  authorize(input: {
    ticketHash: Buffer
    browserSession: Buffer
    stateHash: Buffer
    nonce: string
    codeVerifier: string
    ttlSeconds: number
  }): Promise<ConnectSession | undefined>
  /** A manage ticket: spent once by one browser session. */
  open(input: { ticketHash: Buffer; browserSession: Buffer; ttlSeconds: number }): Promise<ConnectSession | undefined>
  /**
   * One UPDATE consumes the state (design 2.1): undefined when it was used, is foreign to this browser or too late.
   * Seals the code.
   */
  receiveCode(input: {
    stateHash: Buffer
    browserSession: Buffer
    code: string
    ttlSeconds: number
  }): Promise<ConnectSession | undefined>
  /** The same consumption for an error answer of Microsoft. */
  receiveRefusal(input: {
    stateHash: Buffer
    browserSession: Buffer
    outcome: ConnectOutcome
  }): Promise<ConnectSession | undefined>
  /**
   * received → completing, once. Undefined: not in that state any more. A process that dies in it leaves it to run out
   * within a minute. `reveal` opens what was sealed; throws Failure `token_unreadable`.
   */
  beginCompletion(
    id: string,
  ): Promise<{ session: ConnectSession; reveal(): { code: string; codeVerifier: string; nonce: string } } | undefined>
  /** Ends a completing session that brought nothing. A connected one is ended by IntegrationStore.connect. */
  refuse(id: string, outcome: ConnectOutcome): Promise<ConnectSession | undefined>
}

/** What @fastify/session keeps, named by a hash of its id: a copy of the table opens no session. */
export interface BrowserSessionStore {
  get(idHash: Buffer): Promise<Record<string, unknown> | undefined>
  /** `ttlSeconds` seconds from now. Of an id that is there it adds or replaces members, as `update` does. */
  create(idHash: Buffer, data: Record<string, unknown>, userId: string | undefined, ttlSeconds: number): Promise<void>
  /** Adds members to what is there, or replaces them; none is removed. One that was ended meanwhile stays ended. */
  update(idHash: Buffer, data: Record<string, unknown>, userId: string | undefined, ttlSeconds: number): Promise<void>
  /** Ends a session that knows a user; another one runs out by itself. */
  destroy(idHash: Buffer): Promise<void>
  /** Everything browsers of this user still hold. */
  endAllOf(userId: string): Promise<void>
}

export interface NonceStore {
  /** Inserts; false when it was there: a replay. `ttlSeconds` seconds. */
  consume(replayKey: Buffer, ttlSeconds: number): Promise<boolean>
}

// ---- The rest of the world -----------------------------------------------------------------------------------------

export interface Clock {
  /** Milliseconds since the epoch: for signatures and log lines, never for stored times. */
  now(): number
  /** Milliseconds, monotonic. */
  elapsed(): number
  /** Resolves after `ms` milliseconds, or at once when the signal aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

export interface Random {
  /** Bytes from a CSPRNG. */
  bytes(size: number): Buffer
  /** Uniform in [0, 1). For jitter only. */
  fraction(): number
}

// ---- Signed requests -----------------------------------------------------------------------------------------------

/** A request as it came over the wire. */
export interface WireRequest {
  method: string
  /** Raw request target. */
  target: string
  /** Node's `rawHeaders`. */
  rawHeaders: readonly string[]
}

/** A request whose signature holds. */
export interface SignedRequest {
  caller: { name: string; permissions: ReadonlySet<CallerPermission>; strictReplay: boolean }
  keyId: string
  /**
   * Notes the nonce at this replica, once nothing else stands against the request. Refused: it was noted before, or no
   * room is left.
   */
  remember(): RefusedRequest | undefined
  /** For the table shared by all replicas, and the seconds it has to be remembered. */
  replayKey(): Buffer
  replayTtlSeconds: number
  /**
   * Whether these raw bytes are the body that was signed (RFC 9530): at least one sha-256 or sha-512, and every one of
   * them right.
   */
  bodyMatches(body: Buffer): boolean
  /** Header fields of an answer that its signature covers where they are there; lower case. */
  answerFields: readonly string[]
  /**
   * Header fields that sign an answer to this very request; none where the caller wants none. `headers`: those of
   * `answerFields`.
   */
  signAnswer(answer: { status: number; headers: Record<string, string>; body: string | Buffer }): Record<string, string>
}

export interface RefusedRequest {
  code: 'invalid_signature' | 'clock_skew' | 'rate_limited'
  /** For the log only. */
  detail: string
  keyId?: string
  /** The signature held, so the answer can be signed. Never where a nonce was seen before. */
  answerable?: SignedRequest
}

export interface RequestSignatures {
  /** Design 3. Synchronous, does not throw. */
  check(request: WireRequest): { signed: SignedRequest } | { refused: RefusedRequest }
}
