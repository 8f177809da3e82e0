import { createHash } from 'node:crypto'
import { Failure } from './failure.ts'
import type { Account } from './integration.ts'
import type {
  CallbackParameters,
  Clock,
  CodeRequest,
  CodeVerdict,
  ConnectIntent,
  ConnectOutcome,
  ConnectSession,
  ConnectSessionStore,
  IntegrationStore,
  Microsoft,
  Random,
} from './ports.ts'

// One connect session from begin to outcome (design 2.1): begin · open the ticket · receive Microsoft's answer · complete.
// Knows no cookies, pages or URLs of ours; a browser session is a hash to it.

/** Seconds each step may take (design 2.1). */
const STEP_SECONDS = { ticket: 600, atMicrosoft: 1800, completion: 300, manage: 1800 }

/** Milliseconds before tokens that could not be saved are tried to be saved once more. */
const SAVE_RETRY_MS = 250

/** Milliseconds a second completion waits for the one that is under way: less than a caller waits for an answer. */
const COMPLETION_WAIT_MS = 5_000

/** Milliseconds after which a stumbled code exchange is not tried again: the caller waits for both. */
const REDEEM_RETRY_WITHIN_MS = 2_500

export type TicketOutcome =
  | { kind: 'authorize'; url: string; session: ConnectSession; stateHash: Buffer }
  | { kind: 'manage'; session: ConnectSession }
  | { kind: 'over'; session?: ConnectSession }

/** What Microsoft sent to the callback, each parameter at most once. */
export type CallbackAnswer = { state: string; code: string } | ({ state: string; error: string } & CallbackParameters)

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
  begin(input: {
    caller: string
    userId: string
    intent: ConnectIntent
    allowSwitch: boolean
  }): Promise<{ session: ConnectSession; ticket: string }>
  /** Looks at a ticket without spending it. */
  peek(ticket: string): Promise<ConnectSession | undefined>
  /** Spends the ticket for this browser session; the same browser may come back (reload, back button) until Microsoft has answered. */
  openTicket(input: { ticket: string; browserSession: Buffer; requestId: string }): Promise<TicketOutcome>
  /** Consumes the state once. A code is kept sealed and not redeemed: only MEGDocs knows who is logged in. */
  receive(answer: CallbackAnswer, browserSession: Buffer | undefined): Promise<CallbackOutcome>
  /**
   * Redeems the code and stores the integration, for the caller and the user that began (design 2.1). Repeating it gives the stored
   * outcome. For another user the attempt ends, its code unredeemed. Throws Failure `not_found` (unknown id, another caller's),
   * `connect_refused` with `not_the_same_user` (an attempt that is over or not back yet), `connect_session_expired`.
   */
  complete(input: {
    id: string
    caller: string
    userId: string
    requestId: string
  }): Promise<ConnectSession & { outcome: ConnectOutcome }>
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

  /** Sends the code, once more when Microsoft only stumbled: a code that was not answered is mostly still good. */
  async function redeem(request: CodeRequest): Promise<CodeVerdict> {
    const began = clock.elapsed()
    const verdict = await microsoft.redeem(request)
    const worthAnother =
      verdict.kind === 'try_later' &&
      verdict.retryAfterSeconds === undefined &&
      clock.elapsed() - began < REDEEM_RETRY_WITHIN_MS
    if (!worthAnother) return verdict
    const second = await microsoft.redeem(request)
    // The first try has spent the code after all. That is Microsoft's stumble too, and nothing the user did.
    return second.kind === 'refused' && second.reason === 'code_rejected' ? verdict : second
  }

  async function conclude(session: ConnectSession, verdict: CodeVerdict): Promise<ConnectOutcome | 'ended'> {
    switch (verdict.kind) {
      case 'refused':
        return { result: 'refused', code: 'connect_refused', reason: verdict.reason, microsoft: verdict.microsoft }
      case 'try_later':
        return {
          result: 'refused',
          code: 'microsoft_unavailable',
          reason: verdict.reason,
          microsoft: verdict.microsoft,
        }
      case 'misconfigured':
        return { result: 'refused', code: 'broker_misconfigured', reason: verdict.reason, microsoft: verdict.microsoft }
      case 'tokens':
        return save(session, verdict.tokens)
    }
  }

  /** Once more where the database stumbled: the code is spent, and the user has approved. */
  async function save(
    session: ConnectSession,
    tokens: Extract<CodeVerdict, { kind: 'tokens' }>['tokens'],
  ): Promise<ConnectOutcome | 'ended'> {
    try {
      return await integrations.connect({ session, tokens })
    } catch (error) {
      if (!(error instanceof Failure) || error.code !== 'database_unavailable') throw error
      await clock.sleep(SAVE_RETRY_MS)
      const outcome = await integrations.connect({ session, tokens })
      // What was not answered in time may have been done all the same.
      return outcome === 'ended' ? ((await sessions.find(session.id))?.outcome ?? 'ended') : outcome
    }
  }

  /**
   * The browser came back with another user than the one who began (design 2.1): somebody was lured into approving for somebody else.
   * The attempt ends here, so that whoever began it cannot complete it afterwards; its code dies at Microsoft.
   */
  async function refuseStranger(known: ConnectSession): Promise<ConnectSession & { outcome: ConnectOutcome }> {
    if (known.outcome?.reason === 'not_the_same_user') return { ...known, outcome: known.outcome }
    const outcome: ConnectOutcome = { result: 'refused', code: 'connect_refused', reason: 'not_the_same_user' }
    const ended =
      (await sessions.beginCompletion(known.id)) === undefined ? undefined : await sessions.refuse(known.id, outcome)
    // Of an attempt that is over, or not back yet, a stranger learns nothing and changes nothing.
    if (ended === undefined)
      throw new Failure('connect_refused', { reason: 'not_the_same_user', detail: 'completed by another user' })
    return { ...ended, outcome }
  }

  /** Another completion of the same session is under way: its outcome is this one's too. */
  async function outcomeOfOther(id: string): Promise<ConnectSession | undefined> {
    const deadline = clock.elapsed() + COMPLETION_WAIT_MS
    for (;;) {
      const session = await sessions.find(id)
      if (session?.status !== 'completing' || session.expired || clock.elapsed() > deadline) return session
      await clock.sleep(100)
    }
  }

  return {
    async begin({ caller, userId, intent, allowSwitch }) {
      const ticket = secret()
      const session = await sessions.create({
        ticketHash: sha256(ticket),
        caller,
        userId,
        intent,
        allowSwitch,
        ttlSeconds: STEP_SECONDS.ticket,
      })
      return { session, ticket }
    },

    peek: (ticket) => sessions.findByTicket(sha256(ticket)),

    async openTicket({ ticket, browserSession, requestId }) {
      const ticketHash = sha256(ticket)
      const known = await sessions.findByTicket(ticketHash)
      if (known === undefined) return { kind: 'over' }
      if (known.intent === 'manage') {
        const session = await sessions.open({ ticketHash, browserSession, ttlSeconds: STEP_SECONDS.manage })
        return session === undefined ? { kind: 'over', session: known } : { kind: 'manage', session }
      }
      const [state, nonce, codeVerifier] = [secret(), secret(), secret()]
      const stateHash = sha256(state)
      const session = await sessions.authorize({
        ticketHash,
        browserSession,
        stateHash,
        nonce,
        codeVerifier,
        ttlSeconds: STEP_SECONDS.atMicrosoft,
      })
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
        const session =
          'code' in answer
            ? await sessions.receiveCode({
                stateHash,
                browserSession,
                code: answer.code,
                ttlSeconds: STEP_SECONDS.completion,
              })
            : await sessions.receiveRefusal({
                stateHash,
                browserSession,
                outcome: { result: 'refused', ...microsoft.judgeCallback(answer) },
              })
        if (session !== undefined) return { kind: 'code' in answer ? 'received' : 'refused', session }
      }
      const known = await sessions.findByState(stateHash)
      if (known === undefined) return { kind: 'foreign', why: 'unknown_state' }
      if (browserSession === undefined || known.browserSession?.equals(browserSession) !== true)
        return { kind: 'foreign', why: 'other_browser' }
      return known.status === 'authorizing' || known.expired
        ? { kind: 'foreign', why: 'too_late' }
        : { kind: 'again', session: known }
    },

    async complete({ id, caller, userId, requestId }) {
      const known = await status(id, caller)
      if (known.userId !== userId) return refuseStranger(known)
      const begun = await sessions.beginCompletion(id)
      if (begun === undefined) {
        const session = await outcomeOfOther(id)
        if (session?.outcome !== undefined) return { ...session, outcome: session.outcome }
        if (session?.status === 'completing' && !session.expired)
          throw new Failure('microsoft_unavailable', { reason: 'connect_in_progress', retryAfterSeconds: 2 })
        // Not back from Microsoft yet is no outcome: the attempt goes on.
        throw new Failure('connect_session_expired', session?.expired === false ? {} : { reason: 'abandoned' })
      }
      const { session, reveal } = begun
      let outcome: ConnectOutcome | 'ended'
      try {
        outcome = await conclude(session, await redeem({ ...reveal(), requestId }))
      } catch (error) {
        // The code is spent or cannot be read, so the attempt is over; whoever asks again is told so at once.
        const code = error instanceof Failure ? error.code : 'internal_error'
        await sessions.refuse(id, { result: 'refused', code, reason: 'broker_trouble' }).catch(() => {})
        throw error
      }
      if (outcome === 'ended')
        throw new Failure('connect_session_expired', { reason: 'abandoned', detail: 'ended during completion' })
      // As it is stored now: the answer to a repeated completion is the same to the byte.
      const stored = outcome.result === 'refused' ? await sessions.refuse(id, outcome) : undefined
      return { ...(stored ?? (await sessions.find(id)) ?? session), outcome }
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
function signInHints(
  account: Account | undefined,
  allowSwitch: boolean,
): { prompt?: 'select_account'; loginHint?: string } {
  return account?.username === undefined || allowSwitch ? { prompt: 'select_account' } : { loginHint: account.username }
}
