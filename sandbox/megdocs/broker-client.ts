import { Agent, request } from 'undici'
import type { CallerHalf } from '../../src/signature/keygen.ts'
import { signingKey, type SigningKey } from '../../src/signature/keys.ts'
import { type OutgoingRequest, signRequest } from '../../src/signature/sign.ts'
import { type ReceivedResponse, verifyResponse } from '../../src/signature/verify-response.ts'

// The client of the signed API for the simulated MEGDocs. The real MEGDocs uses clients/python.

export interface Token {
  user_id: string
  access_token: string
  expires_at: string
  expires_in: number
  scope: string
  missing_scopes: string[]
  generation: number
  account?: { tenant_id: string; object_id: string; username?: string }
  degraded?: { reason: string; retry_after?: number }
}

export interface IntegrationView {
  status: 'active' | 'reconnect_required'
  generation: number
  account?: { username?: string }
  missing_scopes: string[]
  failure?: { reason: string; who_acts: string; advice: string }
}

/** Body of a problem (RFC 9457): the members that MEGDocs reads. */
export interface Problem {
  status: number
  code: string
  reason?: string
  who_acts?: string
  advice?: string
  title?: string
  retry_after?: number
  microsoft?: { aadsts?: number }
  /** Only in answers to a completion: the page to send the user to. */
  next?: string
}

/** An error of the broker with its code. Status 0: the broker cannot be reached, or its answer cannot be trusted. */
export class BrokerProblem extends Error {
  readonly problem: Problem

  constructor(problem: Problem) {
    super(`the broker answered ${problem.status} ${problem.code}`)
    this.name = 'BrokerProblem'
    this.problem = problem
  }
}

/** One call, as the sandbox shows it on its pages. */
export interface Call {
  who: string
  what: string
  status: number
  milliseconds: number
  note?: string
}

interface Reply {
  status: number
  body: unknown
}

export interface BrokerClient {
  beginConnect(
    userId: string,
    options?: { intent?: 'connect' | 'manage'; allowSwitch?: boolean; locale?: string; timeZone?: string },
  ): Promise<{ id: string; url: string }>
  /** `handle`: what came with the browser. */
  complete(connectSession: string, userId: string, handle: string): Promise<{ next: string }>
  /** Ends an attempt whose browser came to a login that did not begin it. */
  endConnect(connectSession: string, handle: string): Promise<void>
  /** `context`: what the token is for, such as `document:4711`. */
  token(userId: string, context?: string): Promise<Token>
  /** Gets a token of a later generation than the one that Graph rejected. `claims`: its challenge. */
  refresh(userId: string, generation: number, claims?: string): Promise<Token>
  /** Undefined means: not connected. */
  integration(userId: string): Promise<IntegrationView | undefined>
  disconnect(userId: string): Promise<void>
  /** Tells the broker that the user has logged out. */
  endBrowserSessions(userId: string): Promise<void>
  /** Sends any call, for checks and drills. */
  send(method: string, path: string, body?: object, context?: string): Promise<Reply>
}

export interface BrokerClientOptions {
  /** URL of the internal listener, called for each request. */
  address(): string
  /** The authority that is signed and sent as Host. */
  authority: string
  key: CallerHalf
  /** PEM of the only authority that is trusted for the name in `authority`, if the API is served with TLS. */
  ca?: string
  onCall?: (call: Call) => void
  /** Milliseconds since the epoch; default: the clock of this machine. */
  now?: () => number
}

type Received = ReceivedResponse & { body: Buffer }

/** Longer than the broker's own limit of 8 s. */
const TIMEOUT_MS = 12_000

export function createBrokerClient(options: BrokerClientOptions): BrokerClient {
  const { now = Date.now } = options
  const key = signingKey(options.key.key_id, options.key.algorithm, options.key.secret ?? options.key.private_key ?? '')
  const { ca } = options
  const scheme = ca === undefined ? 'http' : 'https'
  const dispatcher =
    ca === undefined
      ? undefined
      : new Agent({ connect: { ca, servername: options.authority.replace(/:\d+$/, '') }, keepAliveTimeout: 1000 })

  async function attempt(
    method: string,
    path: string,
    body: string | undefined,
    context: string | undefined,
  ): Promise<Reply | 'unreachable'> {
    const content: Record<string, string> = {
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(context === undefined ? {} : { 'broker-context': context }),
    }
    const outgoing = {
      method,
      url: `${scheme}://${options.authority}${path}`,
      headers: content,
      ...(body === undefined ? {} : { body }),
    }
    const headers = { ...content, ...signRequest(outgoing, key, { now: now() }) }
    const began = performance.now()
    const sent = { host: options.authority, accept: 'application/json', ...headers }
    const received = await transmit(options.address() + path, method, sent, body, dispatcher)
    const milliseconds = Math.round(performance.now() - began)
    const { status = 0, body: bytes } = received ?? {}
    options.onCall?.({ who: 'token broker', what: `${method} ${path}`, status, milliseconds, note: summaryOf(bytes) })
    if (!received) return 'unreachable'
    requireTrusted(received, { ...outgoing, headers }, key, now())
    return { status: received.status, body: parse(received.body) }
  }

  /**
   * Retries once after a broken connection, with a new signature: the same signature would be a replay. All calls here
   * can be repeated.
   */
  async function send(method: string, path: string, body?: object, context?: string): Promise<Reply> {
    const text = body === undefined ? undefined : JSON.stringify(body)
    for (let tries = 2; tries > 0; tries--) {
      const answer = await attempt(method, path, text, context)
      if (answer !== 'unreachable') return answer
    }
    throw new BrokerProblem({ status: 0, code: 'broker_unreachable', advice: 'The token broker does not answer.' })
  }
  async function ask<T>(method: string, path: string, body?: object, context?: string): Promise<T> {
    const answer = await send(method, path, body, context)
    if (answer.status >= 400) throw new BrokerProblem({ ...(answer.body as Problem), status: answer.status })
    return answer.body as T
  }
  const at = (collection: string, id: string): string => `/${collection}/${encodeURIComponent(id)}`

  return {
    beginConnect: (userId, { intent = 'connect', allowSwitch, locale, timeZone } = {}) =>
      ask('POST', '/connect-sessions', {
        user_id: userId,
        intent,
        ...(allowSwitch === undefined ? {} : { allow_account_switch: allowSwitch }),
        ...(locale === undefined ? {} : { locale }),
        ...(timeZone === undefined ? {} : { time_zone: timeZone }),
      }),
    complete: (id, userId, handle) =>
      ask('POST', `${at('connect-sessions', id)}/complete`, { user_id: userId, handle }),
    endConnect: (id, handle) => ask('DELETE', `${at('connect-sessions', id)}?handle=${encodeURIComponent(handle)}`),
    token: (userId, context) => ask('GET', at('tokens', userId), undefined, context),
    refresh: (userId, generation, claims) =>
      ask('POST', `${at('tokens', userId)}/refresh`, { generation, ...(claims === undefined ? {} : { claims }) }),
    async integration(userId) {
      const answer = await send('GET', at('integrations', userId))
      if (answer.status === 200) return answer.body as IntegrationView
      const problem = { ...(answer.body as Problem), status: answer.status }
      if (problem.code === 'not_connected') return undefined
      throw new BrokerProblem(problem)
    },
    disconnect: (userId) => ask('DELETE', at('integrations', userId)),
    endBrowserSessions: (userId) => ask('DELETE', at('browser-sessions', userId)),
    send,
  }
}

/** Undefined: the connection failed, or the answer did not come in time. */
async function transmit(
  url: string,
  method: string,
  headers: Record<string, string>,
  body: string | undefined,
  dispatcher: Agent | undefined,
): Promise<Received | undefined> {
  try {
    const answer = await request(url, {
      method: method as 'GET',
      headers,
      body: body ?? null,
      signal: AbortSignal.timeout(TIMEOUT_MS),
      ...(dispatcher && { dispatcher }),
    })
    return { status: answer.statusCode, headers: answer.headers, body: Buffer.from(await answer.body.arrayBuffer()) }
  } catch {
    return undefined
  }
}

/**
 * Throws unless the broker signed this answer for this request: a cache or proxy may have mixed up answers of two
 * users.
 */
function requireTrusted(received: Received, sent: OutgoingRequest, key: SigningKey, now: number): void {
  const verdict = verifyResponse(received, sent, key, { now })
  if (verdict.kind === 'verified') return
  // The broker signs answers only to known callers, so `invalid_signature` has no signature.
  throw new BrokerProblem(
    received.status === 401
      ? { status: 401, code: 'invalid_signature', advice: 'The token broker does not accept our signature.' }
      : {
          status: 0,
          code: 'untrusted_answer',
          advice: `The answer cannot be trusted to be the broker's (${verdict.detail}).`,
        },
  )
}

function parse(bytes: Buffer): unknown {
  return bytes.length === 0 ? undefined : JSON.parse(bytes.toString())
}

/** The part of an answer that may be shown, without tokens. */
function summaryOf(bytes: Buffer | undefined): string {
  try {
    const { code, reason, generation, degraded } = parse(bytes ?? Buffer.alloc(0)) as Partial<Problem & Token>
    const notes = [
      code,
      reason,
      generation !== undefined && `generation ${generation}`,
      degraded && `degraded: ${degraded.reason}`,
    ]
    return notes.filter(Boolean).join(', ')
  } catch {
    return ''
  }
}
