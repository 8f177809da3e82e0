import { createHash } from 'node:crypto'
import { Failure, type Reason } from './failure.ts'
import type { Account } from './integration.ts'
import type {
  Clock, CodeRequest, CodeVerdict, ConnectIntent, ConnectOutcome, ConnectSession, ConnectSessionStore, IntegrationStore, Microsoft, Random,
} from './ports.ts'

// One connect session from begin to outcome (design 2.1): begin · open the ticket · receive Microsoft's answer · complete.
// Knows no cookies, pages or URLs of ours; a browser session is a hash to it.

/** Seconds each step may take (design 2.1). */
const TTL = { ticket: 600, atMicrosoft: 1800, completion: 300, manage: 1800 }

/** Milliseconds a second completion waits for the one that is under way. */
const COMPLETION_PATIENCE = 12_000

export type TicketOutcome =
  | { kind: 'authorize'; url: string; session: ConnectSession; stateHash: Buffer }
  | { kind: 'manage'; session: ConnectSession }
  | { kind: 'over'; session?: ConnectSession }

/** What Microsoft sent to the callback, each parameter at most once. */
export type CallbackAnswer = { state: string; code: string } | { state: string; error: string; errorSubcode?: string }

export type CallbackOutcome =
  | { kind: 'received'; session: ConnectSession }
  | { kind: 'refused'; session: ConnectSession }
  /** The state was used already, in this very browser: where the attempt stands now. */
  | { kind: 'again'; session: ConnectSession }
  /** Unknown, too late, or begun in another browser. */
  | { kind: 'foreign'; why: 'unknown_state' | 'other_browser' | 'too_late' }

export interface ConnectPorts {
  sessions: ConnectSessionStore
  integrations: IntegrationStore
  microsoft: Microsoft
  clock: Clock
  random: Random
}

export interface Connect {
  /** A new connect session. The ticket is the only copy; its hash is stored. */
  begin(input: { caller: string; userId: string; intent: ConnectIntent; allowSwitch: boolean }): Promise<{ session: ConnectSession; ticket: string }>
  /** Looks at a ticket without spending it. */
  peek(ticket: string): Promise<ConnectSession | undefined>
  /** Spends the ticket for this browser session; the same browser may come back (reload, back button) until Microsoft has answered. */
  openTicket(input: { ticket: string; browserSession: Buffer; requestId: string }): Promise<TicketOutcome>
  /** Consumes the state once. A code is kept sealed and not redeemed: only MEGDocs knows who is logged in. */
  receive(answer: CallbackAnswer, browserSession: Buffer | undefined): Promise<CallbackOutcome>
  /**
   * Redeems the code and stores the integration, for the caller and the user that began (design 2.1). Repeating it gives the stored
   * outcome. Throws Failure `not_found` (unknown id, another caller's), `connect_refused` with `not_the_same_user`,
   * `connect_session_expired`.
   */
  complete(input: { id: string; caller: string; userId: string; requestId: string }): Promise<ConnectSession & { outcome: ConnectOutcome }>
  /** For `GET /connect-sessions/:id`. Throws Failure `not_found`. */
  status(id: string, caller: string): Promise<ConnectSession>
  /** Without a caller: for a page whose address is the proof. */
  find(id: string): Promise<ConnectSession | undefined>
  /** How a state is known everywhere but in the browser and at Microsoft. */
  stateHash(state: string): Buffer
}

export function createConnect({ sessions, integrations, microsoft, clock, random }: ConnectPorts): Connect {
  const secret = () => random.bytes(32).toString('base64url')

  async function status(id: string, caller: string): Promise<ConnectSession> {
    const session = await sessions.find(id)
    if (session === undefined || session.caller !== caller) throw new Failure('not_found')
    return session
  }

  /** Sends the code, once more when Microsoft only stumbled: a code that was not answered is still good. */
  async function redeem(request: CodeRequest): Promise<CodeVerdict> {
    const verdict = await microsoft.redeem(request)
    const worthAnother = verdict.kind === 'try_later' && verdict.retryAfter === undefined && verdict.reason !== 'microsoft_timeout'
    return worthAnother ? microsoft.redeem(request) : verdict
  }

  async function conclude(session: ConnectSession, verdict: CodeVerdict): Promise<ConnectOutcome | 'ended'> {
    switch (verdict.kind) {
      case 'refused': return { result: 'refused', code: 'connect_refused', reason: verdict.reason, microsoft: verdict.microsoft }
      case 'try_later': return { result: 'refused', code: 'microsoft_unavailable', reason: verdict.reason, microsoft: verdict.microsoft }
      case 'misconfigured': return { result: 'refused', code: 'broker_misconfigured', reason: verdict.reason, microsoft: verdict.microsoft }
      case 'tokens': return integrations.connect({ session, tokens: verdict.tokens })
    }
  }

  /** Another completion of the same session is under way: its outcome is this one's too. */
  async function outcomeOfOther(id: string): Promise<ConnectSession | undefined> {
    const deadline = clock.elapsed() + COMPLETION_PATIENCE
    for (;;) {
      const session = await sessions.find(id)
      if (session?.status !== 'completing' || clock.elapsed() > deadline) return session
      await clock.sleep(100)
    }
  }

  return {
    async begin({ caller, userId, intent, allowSwitch }) {
      const ticket = secret()
      const session = await sessions.create({ ticketHash: sha256(ticket), caller, userId, intent, allowSwitch, ttl: TTL.ticket })
      return { session, ticket }
    },

    peek: (ticket) => sessions.findByTicket(sha256(ticket)),

    async openTicket({ ticket, browserSession, requestId }) {
      const ticketHash = sha256(ticket)
      const known = await sessions.findByTicket(ticketHash)
      if (known === undefined) return { kind: 'over' }
      if (known.intent === 'manage') {
        const session = await sessions.open({ ticketHash, browserSession, ttl: TTL.manage })
        return session === undefined ? { kind: 'over', session: known } : { kind: 'manage', session }
      }
      const [state, nonce, codeVerifier] = [secret(), secret(), secret()]
      const stateHash = sha256(state)
      const session = await sessions.authorize({ ticketHash, browserSession, stateHash, nonce, codeVerifier, ttl: TTL.atMicrosoft })
      if (session === undefined) return { kind: 'over', session: known }
      const stored = await integrations.summary(session.userId)
      const url = microsoft.authorizeUrl({
        state,
        nonce,
        codeChallenge: createHash('sha256').update(codeVerifier).digest('base64url'),
        requestId,
        ...signInHints(stored?.account, session.allowSwitch),
        ...(stored?.failure?.claims === undefined ? {} : { claims: stored.failure.claims }),
      })
      return { kind: 'authorize', url, session, stateHash }
    },

    async receive(answer, browserSession) {
      const stateHash = sha256(answer.state)
      if (browserSession !== undefined) {
        const session = 'code' in answer
          ? await sessions.receiveCode({ stateHash, browserSession, code: answer.code, ttl: TTL.completion })
          : await sessions.receiveRefusal({ stateHash, browserSession, outcome: refusalOf(answer) })
        if (session !== undefined) return { kind: 'code' in answer ? 'received' : 'refused', session }
      }
      const known = await sessions.findByState(stateHash)
      if (known === undefined) return { kind: 'foreign', why: 'unknown_state' }
      if (browserSession === undefined || known.browserSession?.equals(browserSession) !== true) return { kind: 'foreign', why: 'other_browser' }
      return known.status === 'authorizing' || known.expired ? { kind: 'foreign', why: 'too_late' } : { kind: 'again', session: known }
    },

    async complete({ id, caller, userId, requestId }) {
      const known = await status(id, caller)
      // Somebody else's attempt (design 2.1): the code is never redeemed and dies at Microsoft.
      if (known.userId !== userId) throw new Failure('connect_refused', { reason: 'not_the_same_user', detail: 'completed by another user' })
      const begun = await sessions.beginCompletion(id)
      if (begun === undefined) {
        const session = await outcomeOfOther(id)
        if (session?.outcome === undefined) throw new Failure('connect_session_expired', { reason: 'abandoned' })
        return { ...session, outcome: session.outcome }
      }
      const { session, ...code } = begun
      const outcome = await conclude(session, await redeem({ ...code, requestId }))
      if (outcome === 'ended') throw new Failure('connect_session_expired', { reason: 'abandoned', detail: 'ended during completion' })
      if (outcome.result !== 'refused') return { ...session, status: 'connected', outcome }
      return { ...(await sessions.refuse(id, outcome) ?? session), outcome }
    },

    status,
    find: (id) => sessions.find(id),
    stateHash: sha256,
  }
}

const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest()

/**
 * First connect: an account picker, because a shared computer must not sign in a colleague silently. Reconnect: straight to the stored
 * account. Microsoft does not want both at once (entra.md 1.2).
 */
function signInHints(account: Account | undefined, allowSwitch: boolean): { prompt?: 'select_account'; loginHint?: string } {
  return account?.username === undefined || allowSwitch ? { prompt: 'select_account' } : { loginHint: account.username }
}

/** `error` values of an authorize answer (RFC 6749 4.1.2.1 and entra.md 4.2). `access_denied` is also how "needs admin approval" looks. */
const CALLBACK_REASONS: Record<string, Reason> = {
  access_denied: 'not_approved',
  consent_required: 'consent_required',
  interaction_required: 'sign_in_required',
  login_required: 'sign_in_required',
  temporarily_unavailable: 'microsoft_error',
  server_error: 'microsoft_error',
}

function refusalOf(answer: { error: string; errorSubcode?: string }): ConnectOutcome {
  const reason = Object.hasOwn(CALLBACK_REASONS, answer.error) ? CALLBACK_REASONS[answer.error]! : 'app_registration'
  const code = reason === 'microsoft_error' ? 'microsoft_unavailable' : reason === 'app_registration' ? 'broker_misconfigured' : 'connect_refused'
  // The words of the list are kept, anything else is Microsoft's free text by way of a browser: not kept.
  const known = /^[a-z_]{1,40}$/
  return {
    result: 'refused',
    code,
    reason,
    microsoft: {
      ...(known.test(answer.error) ? { error: answer.error } : {}),
      ...(answer.errorSubcode !== undefined && known.test(answer.errorSubcode) ? { suberror: answer.errorSubcode } : {}),
    },
  }
}
