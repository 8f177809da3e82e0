import { subscribe } from 'node:diagnostics_channel'
import { Agent, Dispatcher, ProxyAgent } from 'undici'
import type { Reason } from '../core/failure.ts'
import { isGuid } from './answer.ts'
import type { Answer } from './answer.ts'

/** The whole exchange, connecting and a second sending included; below the refresh's lease (docs/design.md#refresh). */
export const EXCHANGE_TIMEOUT_MS = 5_000
/** The largest answer recorded is 5 kB, Microsoft's key set 20 kB. */
export const MAX_BODY_BYTES = 256 * 1024
const MAX_CONNECTIONS = 128

export interface Outgoing {
  url: string
  /**
   * Makes the form that is sent by POST (RFC 6749 section 4.1.3); absent: a GET. It is made again for a second sending,
   * so that no client assertion is used twice.
   */
  form?: () => Promise<Record<string, string>>
  /** Only a GUID is sent: Microsoft takes nothing else, and nothing else is safe in a header. */
  requestId?: string
  /** What is asked for; absent: JSON. */
  accept?: string
  /** Ends the exchange, also while the body arrives. */
  signal: AbortSignal
}

export type Sent =
  /** `resent`: the answer to a second sending; what became of the first is not known. */
  | { answer: Answer; resent?: true }
  | { failed: Extract<Reason, 'microsoft_timeout' | 'microsoft_unreachable' | 'microsoft_bad_answer'> }
/** `stale`: the connection had been used before, and it ended before a byte of an answer came. */
type SentOnce = Sent & { stale?: boolean }

const TIMEOUT_CODES = new Set([
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
  'ETIMEDOUT',
])
/** The other side closed the connection, or had forgotten it. */
const CLOSED_CODES = new Set(['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE'])

/**
 * Connections to Microsoft, as many as exchanges are under way up to a cap; through a proxy, if its URL is given.
 * HTTP/1.1 only: over HTTP/2 a deadline would end the stream and keep the connection, and every exchange would wait for
 * a connection that is dead (measured: 30 of 30 failed; over HTTP/1.1 one).
 */
export function createDispatcher(proxy?: string): Dispatcher {
  const connect = (options: { pipelining?: 0 }): Dispatcher => {
    const common = { connections: MAX_CONNECTIONS, allowH2: false, ...options }
    return proxy === undefined
      ? new Agent(common)
      : new ProxyAgent({ ...common, uri: proxy, proxyTls: { allowH2: false } })
  }
  return new KeptAndNew(connect({}), connect({ pipelining: 0 }))
}

/** Kept connections, and for a request with `reset` a new one that is not kept. */
class KeptAndNew extends Dispatcher {
  readonly #kept: Dispatcher
  readonly #unkept: Dispatcher

  constructor(kept: Dispatcher, unkept: Dispatcher) {
    super()
    this.#kept = kept
    this.#unkept = unkept
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    return (options.reset ? this.#unkept : this.#kept).dispatch(options, handler)
  }

  override async close(): Promise<void> {
    await Promise.all([this.#kept.close(), this.#unkept.close()])
  }

  override async destroy(): Promise<void> {
    await Promise.all([this.#kept.destroy(), this.#unkept.destroy()])
  }
}

/**
 * Sends; no redirect is followed, no cookie kept, no Origin sent. Where a kept connection turns out to be dead before a
 * byte of an answer came, it is sent once more on a new one: Entra does not spend a refresh token
 * (docs/microsoft.md#refresh-tokens), and a code that turns out to be spent is the first sending's doing
 * (core/connect.ts). Never throws: expected failures come back as a reason, because the driver's errors hold URLs and
 * causes that are not ours to show.
 */
export async function send(dispatcher: Dispatcher, outgoing: Outgoing): Promise<Sent> {
  const { stale, ...first } = await sendOnce(dispatcher, outgoing, await outgoing.form?.(), false)
  if (stale !== true || outgoing.signal.aborted) return first
  const { stale: _, ...second } = await sendOnce(dispatcher, outgoing, await outgoing.form?.(), true)
  return 'answer' in second ? { ...second, resent: true } : second
}

/**
 * By undici's `dispatch`: its `request` makes a stream of every answer, which takes as long as all the rest (69 against
 * 33 µs of CPU, measured).
 */
function sendOnce(
  dispatcher: Dispatcher,
  { url, requestId, accept = 'application/json', signal }: Outgoing,
  form: Record<string, string> | undefined,
  newConnection: boolean,
): Promise<SentOnce> {
  const headers: Record<string, string> = { accept }
  if (form) headers['content-type'] = 'application/x-www-form-urlencoded'
  if (requestId !== undefined && isGuid(requestId)) headers['client-request-id'] = requestId
  return new Promise((resolve) => {
    let controller: Dispatcher.DispatchController | undefined
    let reused = false
    let status = 0
    let fields: Answer['headers'] = {}
    const chunks: Buffer[] = []
    let size = 0
    function end(sent: SentOnce): void {
      signal.removeEventListener('abort', giveUp)
      resolve(sent)
    }
    // May come before the connection is open: the timeout includes connecting. Aborting closes the connection.
    function giveUp(): void {
      end({ failed: 'microsoft_timeout' })
      controller?.abort(new Error('deadline'))
    }
    const fail = (error: unknown): void => {
      const code = error instanceof Error && 'code' in error ? String(error.code) : ''
      if (TIMEOUT_CODES.has(code)) return end({ failed: 'microsoft_timeout' })
      end({ failed: 'microsoft_unreachable', stale: reused && status === 0 && CLOSED_CODES.has(code) })
    }
    if (signal.aborted) return giveUp()
    signal.addEventListener('abort', giveUp)
    try {
      const { origin, pathname, search } = new URL(url)
      const body = form ? new URLSearchParams(form).toString() : null
      const method = form ? 'POST' : 'GET'
      dispatcher.dispatch(
        { origin, path: `${pathname}${search}`, method, headers, body, ...(newConnection && { reset: true }) },
        {
          onRequestStart(started) {
            controller = started
            if (signal.aborted) started.abort(new Error('deadline'))
            else onConnection = (used) => (reused = used)
          },
          onResponseStart(_controller, statusCode, received) {
            status = statusCode
            fields = received
          },
          onResponseData(receiving, chunk) {
            size += chunk.length
            if (size <= MAX_BODY_BYTES) return void chunks.push(chunk)
            end({ failed: 'microsoft_bad_answer' })
            receiving.abort(new Error('too large'))
          },
          onResponseEnd: () =>
            end({ answer: { status, headers: fields, body: Buffer.concat(chunks).toString('utf8') } }),
          onResponseError: (_controller, error) => fail(error),
        },
      )
    } catch (error) {
      fail(error)
    }
  })
}

/** Asked for by the request that starts right now. */
let onConnection: ((used: boolean) => void) | undefined
const usedConnections = new WeakSet<object>()

// The one place where undici says which connection a request goes to: in the same step, right after `onRequestStart`.
subscribe('undici:client:sendHeaders', (message) => {
  if (typeof message !== 'object' || message === null || !('socket' in message)) return
  const { socket } = message
  if (typeof socket !== 'object' || socket === null) return
  onConnection?.(usedConnections.has(socket))
  onConnection = undefined
  usedConnections.add(socket)
})
