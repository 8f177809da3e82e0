import { randomUUID } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { FastifyBaseLogger, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Failure, FailureCode } from '../core/failure.ts'
import { askedBy, hasAuditLine } from './audit.ts'
import { asFailure, noteProblem, plainProblem, sendProblem, toProblem } from './problem.ts'
import { askedOf, type Asked } from './reader.ts'
import type { Strangers } from './strangers.ts'

// What a listener answers when something fails. Fastify's own error bodies never go out: they quote messages of errors
// and lack our headers. Whatever fails while an answer is made, the client gets a complete answer.

/** A complete answer, made of constants, a request id and what the start of the process has made. */
export interface PlainAnswer {
  headers: Record<string, string>
  body: string
}

export interface ListenerErrors {
  /** Sends the answer to a failure, then logs it. May throw: then nothing else has logged it. */
  answer(failure: Failure, request: FastifyRequest, reply: FastifyReply, error: unknown): void
  /**
   * The answer if `answer` throws (`internal_error`), and for a request that Node could not parse (`invalid_request`).
   * Must not throw. `status` is sent beside it.
   */
  plain(code: FailureCode, status: number, requestId: string, asked: Asked): PlainAnswer
}

/**
 * Sets the error handlers of a listener: one on `app` and one on `scope`, which has all its routes. Fastify calls that
 * of the scope, and that of the app for an error in it or in a hook on its answer.
 */
export function handleErrors(app: FastifyInstance, scope: FastifyInstance, { answer, plain }: ListenerErrors): void {
  const plainFor = (request: FastifyRequest): PlainAnswer => {
    noteProblem(request, 'internal_error')
    return plain('internal_error', 500, request.id, askedOf(request))
  }
  app.setErrorHandler((error, request, reply) => {
    logFault(request, error)
    const { headers, body } = plainFor(request)
    writeDirectly(reply, headers, body)
  })
  scope.setErrorHandler((error, request, reply) => {
    try {
      answer(asFailure(error), request, reply, error)
    } catch (fault) {
      logFault(request, fault)
      // Only the line about the failure is missing. An answer may still be waiting for its audit line.
      if (reply.sent || hasAuditLine(request)) return
      const { headers, body } = plainFor(request)
      // Through the hooks: a caller accepts signed answers only.
      reply.code(500).removeHeader('retry-after').headers(headers).send(body)
    }
  })
}

/** One line of constants: the logger itself may be what failed. */
function logFault(request: FastifyRequest, fault: unknown): void {
  try {
    const { user_id, caller, key_id } = askedBy(request)
    request.log.error(
      { code: 'internal_error', detail: faultDetail(fault), user_id, caller, key_id },
      'the answer to a failed request failed',
    )
  } catch {
    // Nothing is left to report it to.
  }
}

function faultDetail(fault: unknown): string | undefined {
  try {
    return asFailure(fault).facts.detail
  } catch {
    return undefined
  }
}

/** Refuses a request before any route, past all hooks. */
export function answerPlainly(
  request: FastifyRequest,
  reply: FastifyReply,
  { plain }: ListenerErrors,
  status: number,
): void {
  noteProblem(request, 'invalid_request')
  request.log.info({ code: 'invalid_request', status }, 'request refused before it was routed')
  const { headers, body } = plain('invalid_request', status, request.id, askedOf(request))
  writeDirectly(reply, { ...headers, connection: 'close' }, body, status)
}

/** Past all hooks. */
function writeDirectly(reply: FastifyReply, headers: Record<string, string>, body: string, status = 500): void {
  reply.hijack()
  const { raw } = reply
  // The client must not take half an answer for a whole one.
  if (raw.headersSent) return void raw.destroy()
  for (const name of raw.getHeaderNames()) raw.removeHeader(name)
  raw.writeHead(status, { ...headers, 'content-length': String(Buffer.byteLength(body)) })
  raw.end(body)
}

/** Node's codes of requests that it could not parse, and their statuses; 400 for all others. */
const UNPARSABLE: Record<string, { status: number; phrase: string }> = {
  ERR_HTTP_REQUEST_TIMEOUT: { status: 408, phrase: 'Request Timeout' },
  HPE_HEADER_OVERFLOW: { status: 431, phrase: 'Request Header Fields Too Large' },
  HPE_CHUNK_EXTENSIONS_OVERFLOW: { status: 413, phrase: 'Payload Too Large' },
}
const BAD_REQUEST = { status: 400, phrase: 'Bad Request' }
const METHOD_NOT_ALLOWED = { status: 405, phrase: 'Method Not Allowed' }

/** Node reports each further part of a request that it could not parse. */
const answered = new WeakSet<Socket>()

/** Answers what Node could not parse, on the socket itself: no route, no hook and no reply exist for it. */
export function answerUnparsable(
  error: Error & { code?: string; rawPacket?: unknown },
  socket: Socket,
  errors: ListenerErrors,
  log: FastifyBaseLogger,
  strangers: Strangers,
): void {
  if (error.code === 'ECONNRESET' || socket.destroyed || answered.has(socket)) return
  answered.add(socket)
  const answer = UNPARSABLE[error.code ?? ''] ?? BAD_REQUEST
  const requestId = randomUUID()
  strangers.count('not_parsed')
  // Not the error itself: it holds the bytes that arrived.
  if (strangers.mayLog())
    log.info(
      { request_id: requestId, code: 'invalid_request', detail: error.code, status: answer.status },
      'request could not be parsed',
    )
  endWith(socket, errors, answer, requestId, askedIn(error.rawPacket))
  closeWhenRead(socket)
}

/** How long a client may go on sending what nobody reads. */
const LINGER_MS = 2_000

/** If bytes are unread when a socket is closed, the client's system drops the answer (RFC 9112 section 9.6). */
function closeWhenRead(socket: Socket): void {
  socket.end()
  socket.resume()
  const timer = setTimeout(() => socket.destroy(), LINGER_MS).unref()
  socket.once('end', () => socket.destroy()).once('close', () => clearTimeout(timer))
}

/** What the part that Node could not parse says about its reader. The parts before it are gone. */
function askedIn(packet?: unknown): Asked {
  const text = Buffer.isBuffer(packet) ? packet.toString('latin1') : ''
  const field = (name: string): string | undefined => new RegExp(`^${name}:[ \\t]*(.*)`, 'im').exec(text)?.[1]
  return {
    url: /^[A-Z]+ (\S+) /.exec(text)?.[1],
    headers: { 'accept-language': field('accept-language'), cookie: field('cookie') },
  }
}

/** CONNECT asks for a tunnel, and Node would only close the connection. */
export function answerConnect(socket: Duplex, errors: ListenerErrors, strangers: Strangers): void {
  strangers.count('not_parsed')
  socket.on('error', () => {})
  endWith(socket, errors, METHOD_NOT_ALLOWED, randomUUID(), askedIn())
  socket.end()
}

function endWith(
  socket: Duplex,
  { plain }: ListenerErrors,
  { status, phrase }: { status: number; phrase: string },
  requestId: string,
  asked: Asked,
): void {
  if (!socket.writable) return
  const { headers, body } = plain('invalid_request', status, requestId, asked)
  const fields = { ...headers, 'content-length': String(Buffer.byteLength(body)), connection: 'close' }
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.write(`HTTP/1.1 ${status} ${phrase}\r\n${lines.join('')}\r\n${body}`)
}

/** An `Expect` other than `100-continue` (RFC 9110 section 10.1.1). */
export function answerExpectation(response: ServerResponse, { plain }: ListenerErrors, strangers: Strangers): void {
  strangers.count('not_parsed')
  const { headers, body } = plain('invalid_request', 417, randomUUID(), askedIn())
  response.writeHead(417, { ...headers, 'content-length': String(Buffer.byteLength(body)), connection: 'close' })
  response.end(body)
}

/** Codes that ops must look at. */
const ALARMING: readonly FailureCode[] = ['internal_error', 'token_unreadable']

/**
 * Answers failures as problems (RFC 9457): internal and operations listener. `adminConsentUrl`: our page for
 * administrators.
 */
export const problemErrors = (adminConsentUrl?: string): ListenerErrors => ({
  answer(failure, request, reply, error) {
    const { reason, detail } = failure.facts
    noteProblem(request, failure.code, { reason, detail })
    sendProblem(request, reply, toProblem(failure, request.id, adminConsentUrl))
    const alarming = ALARMING.includes(failure.code)
    const { user_id, caller, key_id } = askedBy(request)
    request.log[alarming ? 'error' : 'info'](
      { code: failure.code, reason, detail, user_id, caller, key_id, ...(alarming ? { err: error } : {}) },
      'request failed',
    )
  },
  plain: (code, status, requestId) => ({
    headers: { 'content-type': 'application/problem+json; charset=utf-8', 'cache-control': 'no-store' },
    body: JSON.stringify(plainProblem(code, requestId, status)),
  }),
})
