import type { KeptChallenge, Limited } from './claims.ts'
import type { AnyReason, FailureCode, MicrosoftError } from './failure.ts'
import type { FreezeState } from './freeze.ts'
import type { Account, Integration, IntegrationSummary, StoredFailure, TokenSet } from './integration.ts'
import type { NewTokenSet, CodeRequest } from './microsoft-port.ts'

// What core needs from outside. Types only, each with its contract in words. services.ts joins them to implementations.

// ---- Vault ---------------------------------------------------------------------------------------------------------

/** Names one value of one row. Bound into the sealed value, so that it opens nowhere else (docs/design.md#sealing). */
export interface SealContext {
  table: 'oauth2_integration' | 'connect_session' | 'sealing_key'
  column: 'access_token' | 'refresh_token' | 'pkce_verifier' | 'code' | 'canary'
  provider: string
  userId: string
  recordId: string
}

export interface Vault {
  seal(context: SealContext, plaintext: string): Buffer
  /** Throws Failure `token_unreadable` if the value does not open with this context. */
  open(context: SealContext, sealed: Uint8Array): string
}

// ---- Stores --------------------------------------------------------------------------------------------------------

/**
 * A claimed row: until the lease ends, only this process may store a failure for this generation
 * (docs/design.md#refresh).
 */
export interface Claim {
  refreshToken: string
  scopes: string[]
  account?: Account
  failures: number
  /** An earlier holder's lease had expired. */
  takenOver: boolean
}

/** What a waiter watches for changes. Seconds are by Postgres' clock. */
export interface Progress {
  generation: number
  status: 'active' | 'reconnect_required'
  retryInSeconds?: number
  leaseInSeconds?: number
  /** A final refusal is stored: there is nothing to wait for. */
  final: boolean
}

export interface IntegrationStore {
  /**
   * One statement; two if the kept token set of the user is outdated. Undefined: not connected. `deadlineAt`: when the
   * caller stops waiting, milliseconds of Clock.elapsed; then it fails with `database_unavailable`. Absent: the longest
   * time of a statement.
   */
  read(userId: string, deadlineAt?: number): Promise<Integration | undefined>
  /** What is frozen now, without the token set. One statement. Undefined: not connected. `deadlineAt` as in `read`. */
  freezeState(userId: string, deadlineAt?: number): Promise<FreezeState | undefined>
  summary(userId: string): Promise<IntegrationSummary | undefined>
  /**
   * Compare-and-set on generation, status, lease and retry_at. Undefined: not claimed, also because the refusal is
   * final or another transaction has locked the row. `leaseSeconds` from now. `used`: a caller's read needs it. Throws
   * Failure `token_unreadable`, with the lease given back, if the refresh token does not open.
   */
  claim(integration: Integration, owner: string, leaseSeconds: number, used: boolean): Promise<Claim | undefined>
  /**
   * A claim for a refresh that a caller forces, counted for its user across replicas: at most MAX_FORCED_REFRESHES in
   * FORCED_WINDOW_SECONDS. `ignoreBackOff`: `retry_at` does not count. Otherwise as `claim`.
   */
  claimForced(
    integration: Integration,
    owner: string,
    leaseSeconds: number,
    options: { ignoreBackOff: boolean },
  ): Promise<Claim | Limited | undefined>
  /**
   * Saves tokens if the row still has the generation that was read, even if the lease is lost; takes a new generation.
   * `recovered`: the row was marked reconnect_required until now. Undefined: the row has another generation or is
   * deleted.
   */
  saveTokens(
    integration: Integration,
    tokens: TokenSet,
  ): Promise<{ integration: Integration; recovered: boolean } | undefined>
  /**
   * Stores a failure while generation and lease are still ours, and gives the lease back. False: discarded.
   * `retryInSeconds` absent: no further tries.
   */
  saveFailure(
    integration: Integration,
    owner: string,
    failure: StoredFailure,
    retryInSeconds?: number,
  ): Promise<boolean>
  /**
   * Gives the lease back without storing a failure (our credential was refused), and lets nobody claim the row for
   * `retryInSeconds`. A temporary failure of an earlier try is removed; an earlier refusal stays.
   */
  releaseLease(integration: Integration, owner: string, retryInSeconds: number): Promise<void>
  /**
   * Keeps a claims challenge that only the user can satisfy for the next authorize request, and gives the lease back.
   * Nothing else of the row changes. False: discarded.
   */
  keepChallenge(integration: Integration, owner: string, challenge: KeptChallenge): Promise<boolean>
  /**
   * Records that a caller used the integration, for a refresh that was claimed without one. Writes at most once an
   * hour.
   */
  recordUse(integration: Integration): Promise<void>
  progress(id: string): Promise<Progress | undefined>
  /**
   * Ends a completing connect session by storing its tokens, all in one transaction: locks or creates the row, checks
   * the account pin, takes a new generation, writes the event, ends the browser sessions that have no other attempt.
   * `ended`: the session was ended meanwhile (a disconnect), nothing is stored. What is written is decided by
   * `judgeConnect` (connect-decision.ts). Resolves with the connect session as it was ended.
   */
  connect(input: { session: ConnectSession; tokens: NewTokenSet }): Promise<EndedConnectSession | 'ended'>
  /**
   * Deletes the row, ends the user's connect and browser sessions, writes the event, all in one transaction. False:
   * there was none.
   *
   * `connectedBefore` (ISO 8601): repeats a disconnect of that time after a restore (docs/design.md#events). A row that
   * was connected later stays, and so do attempts that began later. No event is written if that disconnect has one.
   */
  disconnect(userId: string, caller: string, connectedBefore?: string): Promise<boolean>
  /** A page of all integrations, ordered by user id, from the one after `after` on. */
  list(input: { after?: string; limit: number }): Promise<IntegrationSummary[]>
}

/** An integration whose refresh token must be used before it expires, as it was when it was selected. */
export interface Due {
  id: string
  userId: string
  generation: number
  /** ISO 8601 with microseconds. With the id it is the position of a reader. */
  refreshedAt: string
}

/** Days, by Postgres' clock. */
export interface KeepAliveDays {
  /** Since the last refresh: due. */
  afterDays: number
  /** Since a caller's last read: unused; it is no longer refreshed, and deleted. */
  letGoAfterDays: number
}

/**
 * Numbers of integrations. Those that Microsoft has refused for good count only in `all` and `unused`: nothing keeps
 * them alive.
 */
export interface KeepAliveForecast {
  all: number
  due: number
  unused: number
  /**
   * Would die within so many days if nobody refreshed them: a refresh token expires 90 days after its last use
   * (docs/microsoft.md#lifetimes).
   */
  diesWithin: { days: 7 | 30 | 90; count: number }[]
}

export interface KeepAliveStore {
  /**
   * A page of integrations that are due, oldest first, after `from`. Left out: those that are refused for good, unused,
   * being refreshed or backing off, and those that failed within the last day.
   */
  due(input: KeepAliveDays & { limit: number; from?: Due }): Promise<Due[]>
  /** User ids of integrations that no caller has read for `letGoAfterDays`. */
  unused(input: KeepAliveDays & { limit: number }): Promise<string[]>
  /**
   * Deletes an integration that is still unused and writes the event, in one transaction. False: it was read meanwhile,
   * or is gone.
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
  reason?: AnyReason
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
  /** BCP 47, as the caller sent it. Absent: the browser decides. */
  locale?: string
  /** IANA name. */
  timeZone?: string
  status: ConnectSessionStatus
  outcome?: ConnectOutcome
  /** Hash of the browser session that opened the ticket. */
  browserSession?: Buffer
  /** Of the handle that the browser got when it came back with a code; stays when the attempt is over. */
  handleHash?: Buffer
  /** ISO 8601. */
  createdAt: string
  /** ISO 8601: when the current step runs out. */
  expiresAt: string
  /** By Postgres' clock. */
  expired: boolean
}

export type EndedConnectSession = ConnectSession & { outcome: ConnectOutcome }

export interface ConnectSessionStore {
  create(input: {
    ticketHash: Buffer
    caller: string
    userId: string
    intent: ConnectIntent
    allowSwitch: boolean
    locale?: string
    timeZone?: string
    ttlSeconds: number
  }): Promise<ConnectSession>
  find(id: string): Promise<ConnectSession | undefined>
  findByTicket(ticketHash: Buffer): Promise<ConnectSession | undefined>
  /**
   * By the hash of a state that is not used yet, or by the hash of the answer that used it. `code`: of that answer;
   * then the handle comes too, while the attempt waits for its completion.
   */
  findByState(hash: Buffer, code?: string): Promise<{ session: ConnectSession; handle?: string } | undefined>
  /** Whether an attempt of this browser session is at Microsoft. */
  isAtMicrosoft(browserSession: Buffer): Promise<boolean>
  /** ISO 8601: since when the user's newest attempt is at Microsoft; undefined when none is. */
  pendingSince(userId: string): Promise<string | undefined>
  /**
   * Spends the ticket of this session once, or restarts an attempt of the same browser session that has not come back
   * yet. One UPDATE. Undefined: the ticket was spent elsewhere, or the session is over or expired.
   */
  authorize(input: {
    session: Pick<ConnectSession, 'id' | 'userId'>
    browserSession: Buffer
    stateHash: Buffer
    nonce: string
    codeVerifier: string
    /** The app registration that the browser is sent to Microsoft with. */
    clientId: string
    claims?: string
    ttlSeconds: number
  }): Promise<ConnectSession | undefined>
  /** Spends the manage ticket of this session once, for one browser session. One UPDATE. */
  open(input: { id: string; browserSession: Buffer; ttlSeconds: number }): Promise<ConnectSession | undefined>
  /**
   * One UPDATE consumes the state (docs/security.md#one-time-values), and puts the hash of the answer in its place.
   * Undefined: used, of another browser, or too late. Seals the code. Resolves with the handle, and stores its hash.
   */
  receiveCode(input: {
    stateHash: Buffer
    answerHash: Buffer
    browserSession: Buffer
    code: string
    ttlSeconds: number
  }): Promise<{ session: ConnectSession; handle: string } | undefined>
  /** The same consumption for an error answer of Microsoft. */
  receiveRefusal(input: {
    stateHash: Buffer
    answerHash: Buffer
    browserSession: Buffer
    outcome: ConnectOutcome
  }): Promise<ConnectSession | undefined>
  /**
   * received → completing, once. Undefined: no longer in that state. If the process dies meanwhile, the session runs
   * out within a minute. `reveal` opens what was sealed; throws Failure `token_unreadable`.
   */
  beginCompletion(id: string): Promise<
    | {
        session: ConnectSession
        reveal(): Pick<CodeRequest, 'code' | 'codeVerifier' | 'nonce' | 'clientId' | 'claims'>
      }
    | undefined
  >
  /** received → refused, once; deletes code and verifier. Undefined: no longer in that state. */
  endReceived(id: string, outcome: ConnectOutcome): Promise<ConnectSession | undefined>
  /** Ends a completing session without tokens. IntegrationStore.connect ends one with tokens. */
  refuse(id: string, outcome: ConnectOutcome): Promise<ConnectSession | undefined>
}

/** What @fastify/session keeps, under a hash of its id: a copy of the table opens no session. */
export interface BrowserSessionStore {
  get(idHash: Buffer): Promise<Record<string, unknown> | undefined>
  /** If the id exists, it adds or replaces members, as `update` does. */
  create(idHash: Buffer, data: Record<string, unknown>, userId: string | undefined, ttlSeconds: number): Promise<void>
  /** Adds or replaces members; removes none. A session that was ended meanwhile stays ended. */
  update(idHash: Buffer, data: Record<string, unknown>, userId: string | undefined, ttlSeconds: number): Promise<void>
  /** Ends a session that knows a user. An anonymous session stays until it expires. */
  destroy(idHash: Buffer): Promise<void>
  /** Ends all browser sessions and connect sessions of this user. */
  endAllOf(userId: string): Promise<void>
}

export interface NonceStore {
  /**
   * Inserts the key of a nonce. `replayed`: it was there already. `frozen`: the caller key is frozen; the nonce is used
   * up.
   */
  consume(replayKey: Buffer, ttlSeconds: number, keyId: string): Promise<'new' | 'replayed' | 'frozen'>
}

// ---- Time and chance -----------------------------------------------------------------------------------------------

export interface Clock {
  /** Milliseconds since the epoch: for signatures and log lines, never for stored times (docs/design.md#time). */
  now(): number
  /** Milliseconds, monotonic. Deadlines (`deadlineAt`) are points of this time. */
  elapsed(): number
  /** Resolves after `ms`, or at once when the signal aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

export interface Random {
  /** Bytes from a cryptographically secure generator. */
  bytes(size: number): Buffer
  /** A random UUID (RFC 9562 section 5.4): Microsoft takes nothing else as `client-request-id`. */
  uuid(): string
  /** Uniform in [0, 1). For jitter only. */
  fraction(): number
}
