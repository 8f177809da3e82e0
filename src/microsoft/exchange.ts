import { Agent, ProxyAgent, request } from 'undici'
import type { Dispatcher } from 'undici'
import type { Reason } from '../core/failure.ts'
import { isGuid } from './answer.ts'
import type { Answer } from './answer.ts'

/** The whole exchange, connecting included, in milliseconds; below the refresh's lease (design 2.3). */
export const EXCHANGE_TIMEOUT = 5_000
/** Bytes; the largest answer recorded is 5 kB, Microsoft's key set 20 kB. */
export const MAX_BODY = 256 * 1024

export interface Outgoing {
  url: string
  /** Sent as a form by POST (RFC 6749 4.1.3); absent: a GET. */
  form?: Record<string, string>
  /** Only a GUID is sent: Microsoft takes nothing else, and nothing else is safe in a header. */
  requestId?: string
  /** Ends the exchange, also while the body arrives. */
  signal: AbortSignal
}

export type Sent = { answer: Answer } | { failed: Extract<Reason, 'microsoft_timeout' | 'microsoft_unreachable' | 'microsoft_bad_answer'> }

const TIMEOUT_CODES = new Set(['UND_ERR_CONNECT_TIMEOUT', 'UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT', 'ETIMEDOUT'])

/** Connections to Microsoft, as many as refreshes are under way up to a cap; through a proxy, if its URL is given. */
export function createDispatcher(proxy?: string): Dispatcher {
  const connections = 128
  return proxy === undefined ? new Agent({ connections }) : new ProxyAgent({ uri: proxy, connections })
}

/**
 * Sends once; no redirect is followed, no cookie kept, no Origin sent, nothing retried. Expected failures come back as a reason:
 * the driver's errors hold URLs and causes that are not ours to show.
 */
export async function send(dispatcher: Dispatcher, { url, form, requestId, signal }: Outgoing): Promise<Sent> {
  const headers: Record<string, string> = { accept: 'application/json' }
  if (form) headers['content-type'] = 'application/x-www-form-urlencoded'
  if (requestId !== undefined && isGuid(requestId)) headers['client-request-id'] = requestId
  const body = form ? new URLSearchParams(form).toString() : null
  try {
    const response = await request(url, { dispatcher, method: form ? 'POST' : 'GET', headers, body, signal })
    const text = await readCapped(response.body)
    if (text === undefined) return { failed: 'microsoft_bad_answer' }
    return { answer: { status: response.statusCode, headers: response.headers, body: text } }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : ''
    return { failed: signal.aborted || TIMEOUT_CODES.has(code) ? 'microsoft_timeout' : 'microsoft_unreachable' }
  }
}

// Leaving the loop early destroys the body and with it the connection.
async function readCapped(body: AsyncIterable<Buffer>): Promise<string | undefined> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of body) {
    size += chunk.length
    if (size > MAX_BODY) return undefined
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}
