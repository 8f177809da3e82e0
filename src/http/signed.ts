import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { CallerPermission } from '../core/caller-permissions.ts'
import { Failure } from '../core/failure.ts'
import type { NonceStore, RefusedRequest, RequestSignatures, SignedRequest, WireRequest } from '../core/ports.ts'
import { createCallerLimit } from './caller-limit.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The permission a caller needs for this route. Routes without one are refused at boot. */
    permission?: CallerPermission
  }
}

export interface SignedOptions {
  signatures: RequestSignatures
  nonces: NonceStore
  /** Of one caller at this replica. */
  requestsPerMinute(): number
  /** Milliseconds since the epoch, for the `Date` of answers. */
  now(): number
  /** Every refusal, for metrics. */
  onRefused(refused: RefusedRequest): void
  /** Every caller that lacks a permission, for metrics. */
  onForbidden(caller: string, permission: CallerPermission): void
}

const SIGNED = 'signedRequest'
const wireOf = (request: FastifyRequest): WireRequest => ({
  method: request.raw.method ?? '',
  target: request.raw.url ?? '',
  rawHeaders: request.raw.rawHeaders,
})

/** The caller of a request in a signed scope. */
export function callerOf(request: FastifyRequest): SignedRequest {
  return request.getDecorator<SignedRequest>(SIGNED)
}

/**
 * Everything in the scope that this is called on is signed (design 3): verified before anything else, its body against the digest before
 * parsing, its nonce once, the caller's share of requests and permission, and the answer signed. Routes never call it.
 */
export async function requireSignatures(scope: FastifyInstance, options: SignedOptions): Promise<void> {
  const { signatures, nonces, requestsPerMinute, now, onRefused, onForbidden } = options
  // Only who is authenticated is counted: a stranger cannot use up a caller's share.
  const share = createCallerLimit(requestsPerMinute, now)
  scope.decorateRequest(SIGNED, null)
  // A refused request is not authenticated: its answer is signed only where its signature held.
  const refusals = new WeakMap<FastifyRequest, SignedRequest>()

  function refuse(request: FastifyRequest, refused: RefusedRequest): Failure {
    onRefused(refused)
    request.log.warn(
      { refused: refused.detail, key_id: refused.keyId, caller: refused.answerable?.caller.name },
      'request refused',
    )
    if (refused.answerable !== undefined) refusals.set(request, refused.answerable)
    return new Failure(refused.code, { detail: refused.detail })
  }

  scope.addHook('onRoute', (route) => {
    if (route.config?.permission === undefined)
      throw new TypeError(`${String(route.method)} ${route.url} names no permission`)
  })

  // These hooks are on the way of every warm read: none of them waits without need.
  scope.addHook('onRequest', (request, _reply, done) => {
    // Only browsers send it, and a browser has no business here (security.md 5.5).
    if (request.headers['sec-fetch-site'] !== undefined)
      return done(refuse(request, { code: 'invalid_signature', detail: 'sent_by_a_browser' }))
    const checked = signatures.check(wireOf(request))
    if ('refused' in checked) return done(refuse(request, checked.refused))
    const { signed } = checked
    const { name } = signed.caller
    // Before its nonce is noted: what a caller sends beyond its limit takes no room in the memory of all.
    const retryAfterSeconds = share.retryAfterSeconds(name)
    if (retryAfterSeconds !== undefined) {
      request.log.warn({ caller: name, key_id: signed.keyId }, 'caller sends too many requests')
      refusals.set(request, signed)
      return done(new Failure('rate_limited', { retryAfterSeconds }))
    }
    const refused = signed.remember()
    if (refused !== undefined) return done(refuse(request, refused))
    // After it: what somebody sends again uses up nothing of the caller's share.
    share.record(name)
    request.setDecorator<SignedRequest>(SIGNED, signed)
    done()
  })

  const parseJson = scope.getDefaultJsonParser('error', 'error')
  scope.removeAllContentTypeParsers()
  scope.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    // A signature without its body's digest protects nothing (RFC 9421 7.2.8).
    const { bodyMatches, keyId } = callerOf(request)
    if (!bodyMatches(body as Buffer))
      return done(refuse(request, { code: 'invalid_signature', detail: 'digest_mismatch', keyId }))
    parseJson(request, body.toString('utf8'), done)
  })

  function checkPermission(request: FastifyRequest, { caller, keyId }: SignedRequest): Failure | undefined {
    const { permission } = request.routeOptions.config
    if (permission === undefined || caller.permissions.has(permission)) return undefined
    onForbidden(caller.name, permission)
    request.log.warn({ caller: caller.name, key_id: keyId, permission }, 'caller lacks a permission')
    return new Failure('caller_forbidden', { detail: permission })
  }

  scope.addHook('preValidation', (request, _reply, done) => {
    const signed = callerOf(request)
    if (request.method === 'GET' && !signed.caller.strictReplay) return done(checkPermission(request, signed))
    nonces
      .consume(signed.replayKey(), signed.replayTtlSeconds)
      .then(
        (isNew) =>
          done(
            isNew
              ? checkPermission(request, signed)
              : refuse(request, { code: 'invalid_signature', detail: 'replayed', keyId: signed.keyId }),
          ),
        done,
      )
  })

  scope.addHook('onSend', (request, reply, payload, done) => {
    const signedRequest = request.getDecorator<SignedRequest | null>(SIGNED) ?? refusals.get(request)
    if (signedRequest === undefined) return done(null, payload)
    const body = typeof payload === 'string' || Buffer.isBuffer(payload) ? payload : ''
    // Fresh and covered where the caller's clock is off, so that it can correct it by this answer. Proxies may replace it elsewhere.
    if (refusals.has(request)) reply.header('date', new Date(now()).toUTCString())
    // Without a body Fastify takes the content type away after this hook.
    if (body === '') reply.removeHeader('content-type')
    const headers: Record<string, string> = {}
    for (const name of signedRequest.answerFields) {
      const value = reply.getHeader(name)
      if (value !== undefined) headers[name] = String(value)
    }
    reply.headers(signedRequest.signAnswer({ status: reply.statusCode, headers, body }))
    done(null, payload)
  })
}
