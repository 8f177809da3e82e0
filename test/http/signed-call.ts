import { request } from 'undici'
import { BROKER_AUTHORITY } from '../../sandbox/broker.ts'
import { signingKey, type SigningKey, type VerificationKey } from '../../src/signature/keys.ts'
import { signRequest, type OutgoingRequest } from '../../src/signature/sign.ts'
import { verifyResponse } from '../../src/signature/verify-response.ts'
import type { Replica, World } from '../support/world.ts'

// One signed call with everything in reach that a hostile or clumsy caller would get wrong. What a good caller does is
// in sandbox/megdocs/broker-client.ts.

export interface Call {
  method: string
  path: string
  /** An object is sent as JSON. */
  body?: object | string
  /** Sent and, with a body, signed. Default: JSON's where there is a body. */
  contentType?: string
  key?: SigningKey
  /** What the answer must be signed with; default: the key of the request. */
  answerKey?: VerificationKey
  /** ms since the epoch, of the caller's clock. */
  now?: number
  nonce?: string
  /** Sent unsigned. */
  headers?: Record<string, string>
  /** The last word on what is sent. */
  tamper?: (headers: Record<string, string>) => Record<string, string | string[]>
  /** Sent instead of what was signed. */
  sentBody?: string
  sentPath?: string
  to?: Replica
}

export interface Answer {
  status: number
  headers: Record<string, string | string[] | undefined>
  text: string
  body: any
  /** `verified`, or what is wrong with the answer's signature. */
  signature: string
}

export function megdocsKey({ secrets }: World): SigningKey {
  const { key_id, algorithm, secret = '' } = secrets.megdocsKey
  return signingKey(key_id, algorithm, secret)
}

/** Signs as told, sends, and looks at the answer as a caller would. */
export async function call(world: World, options: Call): Promise<Answer> {
  const { method, path, key = megdocsKey(world), now = Date.now(), to = world.replica } = options
  const body = typeof options.body === 'object' ? JSON.stringify(options.body) : options.body
  const content: Record<string, string> =
    body === undefined ? {} : { 'content-type': options.contentType ?? 'application/json' }
  const outgoing: OutgoingRequest = {
    method,
    url: `http://${BROKER_AUTHORITY}${path}`,
    headers: content,
    ...(body === undefined ? {} : { body }),
  }
  const signed = {
    ...content,
    ...signRequest(outgoing, key, { now, ...(options.nonce === undefined ? {} : { nonce: options.nonce }) }),
  }
  const headers = { host: BROKER_AUTHORITY, ...signed, ...options.headers }
  const answer = await request(to.internalUrl + (options.sentPath ?? path), {
    method: method as 'GET',
    headers: options.tamper?.(headers) ?? headers,
    body: options.sentBody ?? body ?? null,
  })
  const bytes = Buffer.from(await answer.body.arrayBuffer())
  const verdict = verifyResponse(
    { status: answer.statusCode, headers: answer.headers, body: bytes },
    { ...outgoing, headers: signed },
    options.answerKey ?? key,
    { now: Date.now() },
  )
  return {
    status: answer.statusCode,
    headers: answer.headers,
    text: bytes.toString(),
    body: bytes.length === 0 ? undefined : parsed(bytes.toString()),
    signature: verdict.kind === 'verified' ? 'verified' : verdict.detail,
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
