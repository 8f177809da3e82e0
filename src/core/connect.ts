import { createHash } from 'node:crypto'
import { mergeClaims } from './claims.ts'
import { fitsHandle } from './completion-handle.ts'
import { Failure, type AnyReason } from './failure.ts'
import type { IntegrationSummary } from './integration.ts'
import type { CallbackParameters, CodeRequest, CodeVerdict, Microsoft } from './microsoft-port.ts'
import type {
  Clock,
  ConnectIntent,
  ConnectOutcome,
  ConnectSession,
  ConnectSessionStore,
  EndedConnectSession,
  IntegrationStore,
  Random,
} from './ports.ts'

// One connect session from begin to outcome (docs/design.md#connect): begin · open the ticket · receive Microsoft's
// answer · complete. This file knows no cookies, pages or URLs of ours; for it a browser session is a hash.

/** How long each step may take (docs/design.md#connect). */
const STEP_SECONDS = { ticket: 600, atMicrosoft: 1800, completion: 300, manage: 1800 }

/** Pause before tokens that could not be saved are saved once more. */
const SAVE_RETRY_MS = 250

/** How long a second completion waits for the running one: less than a caller waits for an answer. */
const COMPLETION_WAIT_MS = 5_000

/** A failed code exchange that took longer is not repeated, because the caller waits for both. */
const REDEEM_RETRY_WITHIN_MS = 2_500

export type TicketOutcome =
  | { kind: 'authorize'; url: string; session: ConnectSession; stateHash: Buffer }
  | { kind: 'manage'; session: ConnectSession }
  | { kind: 'over'; session: ConnectSession }

/** What Microsoft sent to the callback, each parameter at most once. */
export type CallbackAnswer =
  | {
      state: string
      code: string
      /** Login host of the cloud that made the code, if Microsoft names it. */
      cloudHost?: string
    }
  | ({ state: string; error: string } & CallbackParameters)

export type CallbackOutcome =
  /** `handle`: what the browser must bring to MEGDocs (docs/design.md#completion). */
  | { kind: 'received'; session: ConnectSession; handle: string }
  | { kind: 'refused'; session: ConnectSession }
  /**
   * This very answer came already, in this very browser: where the attempt stands now. `handle`: the same as the first
   * time, while the attempt waits for its completion.
   */
  | { kind: 'again'; session: ConnectSession; handle?: string }
  /** Unknown (also: used with another answer), too late, or begun in another browser. */
  | { kind: 'foreign'; why: 'unknown_state' | 'other_browser' | 'too_late' }

/**
 * What is counted of attempts to connect. `step`: how far one came. `ended`: how one ended; `failed` is a fault of
 * Microsoft, the registration or the broker.
 */
export type ConnectEvent =
  | { kind: 'step'; step: 'begun' | 'sent_to_microsoft' | 'returned' | 'connected' }
  | { kind: 'ended'; outcome: 'connected' | 'refused' | 'failed' | 'expired'; reason?: AnyReason }

export interface ConnectPorts {
  sessions: ConnectSessionStore
  integrations: IntegrationStore
  microsoft: Microsoft
  clock: Clock
  random: Random
  observe?(event: ConnectEvent): void
}

export interface Connect {
  /** A new connect session. The ticket is the only copy; its hash is stored. */
  begin(input: {
    caller: string
    userId: string
    intent: ConnectIntent
    allowSwitch: boolean
    /** BCP 47 language tag and IANA time zone of the user, for the pages of the visit. */
    locale?: string
    timeZone?: string
  }): Promise<{ session: ConnectSession; ticket: string }>
  /** Finds the session of a ticket without spending it. */
  peek(ticket: string): Promise<ConnectSession | undefined>
  /**
   * Spends the ticket of a session that `peek` returned, for this browser session. The same browser may come back
   * (reload, back button) until Microsoft has answered.
   */
  openTicket(input: { known: ConnectSession; browserSession: Buffer; requestId: string }): Promise<TicketOutcome>
  /** Consumes the state once. The code is kept sealed and not redeemed, because only MEGDocs knows who is logged in. */
  receive(answer: CallbackAnswer, browserSession: Buffer | undefined): Promise<CallbackOutcome>
  /**
   * Redeems the code and stores the integration, for the caller and the user that began (docs/design.md#completion).
   * Repeating it gives the stored outcome. For another user the attempt ends and its code is not redeemed. `handle`:
   * what came with the browser. Throws Failure `not_found` (unknown id, another caller's), `connect_refused` with
   * `not_back_yet` (no handle, or not that of this attempt: nothing is changed and nothing is said) or with
   * `not_the_same_user` (an attempt that is over), `connect_session_expired`.
   */
  complete(input: {
    id: string
    caller: string
    userId: string
    handle: string | undefined
    requestId: string
  }): Promise<EndedConnectSession>
  /**
   * The browser came back to a login that did not begin the attempt: nobody can complete it afterwards. Resolves with
   * the ended session, or undefined where nothing was changed: the handle is not that of this attempt, or its code is
   * redeemed or expired. Throws Failure `not_found`.
   */
  end(input: { id: string; caller: string; handle: string }): Promise<EndedConnectSession | undefined>
  /** For `GET /connect-sessions/:id`. Throws Failure `not_found`. */
  status(id: string, caller: string): Promise<ConnectSession>
  /** Without a caller: for a page whose address proves that the visitor may see it. */
  find(id: string): Promise<ConnectSession | undefined>
  /**
   * Tenant of the account that this attempt is bound to: the stored one of its user. Undefined: none is stored, or
   * another account may replace it.
   */
  tenantOf(session: Pick<ConnectSession, 'userId' | 'allowSwitch'>): Promise<string | undefined>
  /** Whether an attempt of this browser session is at Microsoft. */
  isAtMicrosoft(browserSession: Buffer): Promise<boolean>
  /** The form of a state everywhere except in the browser and at Microsoft. */
  stateHash(state: string): Buffer
}

export function createConnect({
  sessions,
  integrations,
  microsoft,
  clock,
  random,
  observe = () => {},
}: ConnectPorts): Connect {
  const secret = () => random.bytes(32).toString('base64url')

  async function status(id: string, caller: string): Promise<ConnectSession> {
    const session = await sessions.find(id)
    if (session === undefined || session.caller !== caller) throw new Failure('not_found')
    return session
  }

  /**
   * Sends the code, and once more after a passing failure of Microsoft: a code that was not answered is usually still
   * valid.
   */
  async function redeem(request: CodeRequest): Promise<CodeVerdict> {
    const began = clock.elapsed()
    const verdict = await microsoft.redeem(request)
    const worthAnother =
      verdict.kind === 'try_later' &&
      verdict.retryAfterSeconds === undefined &&
      clock.elapsed() - began < REDEEM_RETRY_WITHIN_MS
    if (!worthAnother) return verdict
    const second = await microsoft.redeem(request)
    // The first try has spent the code after all. That is Microsoft's failure too; the user did nothing wrong.
    return second.kind === 'refused' && second.reason === 'code_rejected' ? verdict : second
  }

  /** Its code can only be redeemed at that cloud, which has another registration (docs/microsoft.md#clouds). */
  const isOfOtherCloud = ({ cloudHost }: { cloudHost?: string }): boolean =>
    cloudHost !== undefined && microsoft.isOtherCloud(cloudHost)

  async function conclude(session: ConnectSession, verdict: CodeVerdict): Promise<EndedConnectSession | 'ended'> {
    if (verdict.kind === 'tokens') return save(session, verdict.tokens)
    const { reason, microsoft } = verdict
    const outcome: ConnectOutcome = { result: 'refused', code: CODE_OF_REFUSAL[verdict.kind], reason, microsoft }
    // As it is stored: the answer to a repeated completion is the same to the byte.
    const stored = (await sessions.refuse(session.id, outcome)) ?? (await sessions.find(session.id)) ?? session
    return { ...stored, outcome }
  }

  /** Saves once more if the database failed: the code is spent, and the user has approved. */
  async function save(
    session: ConnectSession,
    tokens: Extract<CodeVerdict, { kind: 'tokens' }>['tokens'],
  ): Promise<EndedConnectSession | 'ended'> {
    try {
      return await integrations.connect({ session, tokens })
    } catch (error) {
      if (!(error instanceof Failure) || error.code !== 'database_unavailable') throw error
      await clock.sleep(SAVE_RETRY_MS)
      const ended = await integrations.connect({ session, tokens })
      if (ended !== 'ended') return ended
      // A write that was not answered in time may have succeeded.
      const stored = await sessions.find(session.id)
      return stored?.outcome === undefined ? 'ended' : { ...stored, outcome: stored.outcome }
    }
  }

  /**
   * The browser came back in a login of another user, or in another login (docs/security.md#connect-flow): somebody was
   * made to approve for somebody else. The attempt ends here, so that the user who began it cannot complete it
   * afterwards. Its code expires at Microsoft.
   */
  async function endReceived(id: string): Promise<EndedConnectSession | undefined> {
    const outcome: ConnectOutcome = { result: 'refused', code: 'connect_refused', reason: 'not_the_same_user' }
    const ended = await sessions.endReceived(id, outcome)
    return ended === undefined ? undefined : { ...ended, outcome }
  }

  async function refuseStranger(known: ConnectSession): Promise<EndedConnectSession> {
    if (known.outcome?.reason === 'not_the_same_user') return { ...known, outcome: known.outcome }
    const ended = await endReceived(known.id)
    // If the attempt is over, a stranger learns nothing and changes nothing.
    if (ended === undefined)
      throw new Failure('connect_refused', { reason: 'not_the_same_user', detail: 'completed by another user' })
    return ended
  }

  /** The session as it stands now: another tab may have changed what `known` says. */
  async function over(known: ConnectSession): Promise<TicketOutcome> {
    return { kind: 'over', session: (await sessions.find(known.id)) ?? known }
  }

  function observeEnd({ result, code, reason }: ConnectOutcome): void {
    if (result === 'connected') observe({ kind: 'step', step: 'connected' })
    const outcome =
      result === 'connected'
        ? 'connected'
        : code === 'connect_refused' || code === 'account_mismatch' || code === 'frozen'
          ? 'refused'
          : 'failed'
    observe({ kind: 'ended', outcome, ...(reason === undefined ? {} : { reason }) })
  }

  /** Waits for another completion of the same session: both have the same outcome. */
  async function outcomeOfOther(id: string): Promise<ConnectSession | undefined> {
    const deadline = clock.elapsed() + COMPLETION_WAIT_MS
    for (;;) {
      const session = await sessions.find(id)
      if (session?.status !== 'completing' || session.expired || clock.elapsed() > deadline) return session
      await clock.sleep(100)
    }
  }

  return {
    async begin(input) {
      const { intent } = input
      const ticket = secret()
      const session = await sessions.create({
        ...input,
        ticketHash: sha256(ticket),
        ttlSeconds: STEP_SECONDS.ticket,
      })
      if (intent === 'connect') observe({ kind: 'step', step: 'begun' })
      return { session, ticket }
    },

    peek: (ticket) => sessions.findByTicket(sha256(ticket)),

    async openTicket({ known, browserSession, requestId }) {
      if (known.intent === 'manage') {
        const session = await sessions.open({ id: known.id, browserSession, ttlSeconds: STEP_SECONDS.manage })
        return session === undefined ? over(known) : { kind: 'manage', session }
      }
      const [state, nonce, codeVerifier] = [secret(), secret(), secret()]
      const stateHash = sha256(state)
      const stored = await integrations.summary(known.userId)
      // The refusal that stands, and what Graph has asked for since.
      const asked = mergeClaims(stored?.failure?.claims, stored?.challenge)
      const claims = asked === undefined ? {} : { claims: asked }
      const session = await sessions.authorize({
        session: known,
        browserSession,
        stateHash,
        nonce,
        codeVerifier,
        clientId: microsoft.clientIds()[0],
        ...claims,
        ttlSeconds: STEP_SECONDS.atMicrosoft,
      })
      if (session === undefined) return over(known)
      const url = microsoft.authorizeUrl({
        state,
        nonce,
        codeChallenge: createHash('sha256').update(codeVerifier).digest('base64url'),
        requestId,
        ...signInHints(stored, session.allowSwitch),
        ...claims,
      })
      observe({ kind: 'step', step: 'sent_to_microsoft' })
      return { kind: 'authorize', url, session, stateHash }
    },

    async receive(answer, browserSession) {
      const stateHash = sha256(answer.state)
      const answerHash = hashOfAnswer(answer)
      const code = 'code' in answer ? answer.code : undefined
      if (browserSession !== undefined) {
        const came = { stateHash, answerHash, browserSession }
        if ('code' in answer && !isOfOtherCloud(answer)) {
          const received = await sessions.receiveCode({
            ...came,
            code: answer.code,
            ttlSeconds: STEP_SECONDS.completion,
          })
          if (received !== undefined) {
            observe({ kind: 'step', step: 'returned' })
            return { kind: 'received', ...received }
          }
        } else {
          const outcome: ConnectOutcome = {
            result: 'refused',
            ...('code' in answer ? OTHER_CLOUD : microsoft.judgeCallback(answer)),
          }
          const session = await sessions.receiveRefusal({ ...came, outcome })
          if (session !== undefined) {
            observe({ kind: 'step', step: 'returned' })
            observeEnd(outcome)
            return { kind: 'refused', session }
          }
        }
      }
      // A used state is found under its answer only: with another one it is unknown, and nothing is said.
      const found = (await sessions.findByState(answerHash, code)) ?? (await sessions.findByState(stateHash))
      if (found === undefined) return { kind: 'foreign', why: 'unknown_state' }
      const { session } = found
      if (browserSession === undefined || session.browserSession?.equals(browserSession) !== true)
        return { kind: 'foreign', why: 'other_browser' }
      return session.status === 'authorizing' || session.expired
        ? { kind: 'foreign', why: 'too_late' }
        : { kind: 'again', ...found }
    },

    async complete({ id, caller, userId, handle, requestId }) {
      const known = await status(id, caller)
      // First of all: who has only the id changes nothing and learns nothing.
      if (handle === undefined || !fitsHandle(known.handleHash, handle))
        throw new Failure('connect_refused', {
          reason: 'not_back_yet',
          detail: handle === undefined ? 'no handle' : 'handle of no answer',
        })
      if (known.userId !== userId) return refuseStranger(known)
      const begun = await sessions.beginCompletion(id)
      if (begun === undefined) {
        const session = await outcomeOfOther(id)
        if (session?.outcome !== undefined) return { ...session, outcome: session.outcome }
        if (session?.status === 'completing' && !session.expired)
          throw new Failure('microsoft_unavailable', { reason: 'connect_in_progress', retryAfterSeconds: 2 })
        throw new Failure('connect_session_expired', { reason: 'abandoned' })
      }
      const { session, reveal } = begun
      let ended: EndedConnectSession | 'ended'
      try {
        ended = await conclude(session, await redeem({ ...reveal(), requestId }))
      } catch (error) {
        // The code is spent or cannot be read, so the attempt is over. A repeated request gets this outcome at once.
        const code = error instanceof Failure ? error.code : 'internal_error'
        observe({ kind: 'ended', outcome: 'failed', reason: 'broker_trouble' })
        await sessions.refuse(id, { result: 'refused', code, reason: 'broker_trouble' }).catch(() => {})
        throw error
      }
      if (ended !== 'ended') observeEnd(ended.outcome)
      else observe({ kind: 'ended', outcome: 'expired', reason: 'abandoned' })
      if (ended === 'ended')
        throw new Failure('connect_session_expired', { reason: 'abandoned', detail: 'ended during completion' })
      return ended
    },

    async end({ id, caller, handle }) {
      const known = await status(id, caller)
      return fitsHandle(known.handleHash, handle) ? endReceived(id) : undefined
    },

    status,
    find: (id) => sessions.find(id),
    async tenantOf({ userId, allowSwitch }) {
      return allowSwitch ? undefined : (await integrations.summary(userId))?.account?.tenantId
    },
    isAtMicrosoft: (browserSession) => sessions.isAtMicrosoft(browserSession),
    stateHash: sha256,
  }
}

const OTHER_CLOUD = { code: 'connect_refused', reason: 'other_cloud', microsoft: {} } as const

const CODE_OF_REFUSAL = {
  refused: 'connect_refused',
  try_later: 'microsoft_unavailable',
  misconfigured: 'broker_misconfigured',
} as const

const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest()

/**
 * What takes the place of the state's hash once the state is used. It needs state and answer, so a copy of the table
 * tells nothing of either.
 */
function hashOfAnswer(answer: CallbackAnswer): Buffer {
  const { state } = answer
  if ('code' in answer) return sha256(JSON.stringify([state, answer.code]))
  const { error, errorSubcode, errorDescription, errorUri, adminConsent } = answer
  return sha256(JSON.stringify([state, { error, errorSubcode, errorDescription, errorUri, adminConsent }]))
}

/**
 * First connect: an account picker, because a shared computer must not sign in a colleague silently. Reconnect:
 * directly to the stored account. Microsoft does not accept both at once (docs/microsoft.md#prompt-and-login-hint).
 */
function signInHints(
  stored: Pick<IntegrationSummary, 'account' | 'loginHint'> | undefined,
  allowSwitch: boolean,
): { prompt?: 'select_account'; loginHint?: string } {
  // The claim stays right if the account is renamed; the user name does not.
  const loginHint = stored?.loginHint ?? stored?.account?.username
  return loginHint === undefined || allowSwitch ? { prompt: 'select_account' } : { loginHint }
}
