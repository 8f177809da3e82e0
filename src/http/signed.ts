import type { FastifyInstance, FastifyRequest } from 'fastify'
import { BROKER_CONTEXT, BROKER_CONTEXT_RULE } from '../core/audit.ts'
import type { CallerPermission } from '../core/caller-permissions.ts'
import { Failure } from '../core/failure.ts'
import { frozenFailure, type FreezeStore } from '../core/freeze.ts'
import type { NonceStore } from '../core/ports.ts'
import type { RefusedRequest, RequestSignatures, SignedRequest, WireRequest } from '../core/signed-requests.ts'
import { createCallerLimit } from './caller-limit.ts'
import type { Strangers } from './strangers.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The permission a caller needs for this route. Routes without one are refused at boot. */
    permission?: CallerPermission
    /** The route itself refuses a frozen key, in the statement that it needs anyway. */
    readsFreezes?: boolean
  }
}

export interface SignedOptions {
  signatures: RequestSignatures
  nonces: NonceStore
  freezes: Pick<FreezeStore, 'isKeyFrozen'>
  /** Limit for one caller at this replica. */
  requestsPerMinute(): number
  /** Milliseconds since the epoch, for the `Date` of answers. */
  now(): number
  /** Refused requests count for their address, and only some of each kind are logged one by one. */
  strangers: Strangers
  isKnownKey(keyId: string): boolean
  /** Called for every refused request, for metrics. */
  onRefused(refused: RefusedRequest): void
  /** Called for every request whose caller lacks the permission, for metrics. */
  onForbidden(caller: string, permission: CallerPermission): void
}

const SIGNED = 'signedRequest'
const wireOf = (request: FastifyRequest): WireRequest => ({
  method: request.raw.method ?? '',
  // As it was sent: `raw.url` is `/` where it could not be decoded (app.ts).
  target: request.originalUrl,
  rawHeaders: request.raw.rawHeaders,
})

/** The signed request that a route in a signed scope answers. */
export function callerOf(request: FastifyRequest): SignedRequest {
  return request.getDecorator<SignedRequest>(SIGNED)
}

/** Whether the route is one of those that need a signature. */
export const isSigned = (request: FastifyRequest): boolean => request.server.hasRequestDecorator(SIGNED)

// Refused requests whose signature was valid: their answers are signed too.
const refusals = new WeakMap<FastifyRequest, SignedRequest>()

/** The signed request behind this one, also if it was refused after its signature had been verified. */
export function authenticatedAs(request: FastifyRequest): SignedRequest | undefined {
  return request.getDecorator<SignedRequest | null>(SIGNED) ?? refusals.get(request)
}

/**
 * Protects every route of the scope (docs/design.md#signed-requests). In this order (docs/security.md#order-of-checks):
 * the signature, the caller's rate limit, the nonce at this replica, the digest of the body before it is parsed, the
 * caller's permission, the nonce at all replicas. Answers are signed. Routes need no code for any of this.
 */
export async function requireSignatures(scope: FastifyInstance, options: SignedOptions): Promise<void> {
  const { signatures, nonces, freezes, requestsPerMinute, now, strangers, isKnownKey, onRefused, onForbidden } = options
  // Counts authenticated requests only: a stranger cannot use up the limit of a caller.
  const limit = createCallerLimit(requestsPerMinute, now)
  scope.decorateRequest(SIGNED, null)

  function refuse(request: FastifyRequest, refused: RefusedRequest): Failure {
    const { code, detail, keyId, answerable } = refused
    onRefused(refused)
    // Only ids that exist: a stranger must not be able to create causes.
    if (strangers.mayLogCause(detail, keyId !== undefined && isKnownKey(keyId) ? keyId : ''))
      request.log.warn({ refused: detail, key_id: keyId, caller: answerable?.caller.name }, 'request refused')
    else request.log.level = 'silent'
    if (answerable !== undefined) refusals.set(request, answerable)
    // After the signature, because callers and strangers may share an address: that of a proxy or a mesh.
    const isStranger = answerable === undefined && request.getDecorator<SignedRequest | null>(SIGNED) === null
    return (isStranger ? strangers.refusalOf(request) : undefined) ?? new Failure(code, { detail })
  }

  scope.addHook('onRoute', (route) => {
    if (route.config?.permission === undefined)
      throw new TypeError(`${String(route.method)} ${route.url} names no permission`)
  })

  // Every warm read runs these hooks: none of them waits for a promise unless it must.
  scope.addHook('onRequest', (request, _reply, done) => {
    // Only browsers send this header, and no browser may call this API.
    if (request.headers['sec-fetch-site'] !== undefined)
      return done(refuse(request, { code: 'invalid_signature', detail: 'sent_by_a_browser' }))
    const checked = signatures.check(wireOf(request))
    if ('refused' in checked) return done(refuse(request, checked.refused))
    const { signed } = checked
    const { name } = signed.caller
    // Before the nonce is remembered: requests beyond the limit take no room in the memory that all callers share.
    const retryAfterSeconds = limit.retryAfterSeconds(name)
    if (retryAfterSeconds !== undefined) {
      request.log.warn({ caller: name, key_id: signed.key.keyId }, 'caller sends too many requests')
      refusals.set(request, signed)
      return done(new Failure('rate_limited', { retryAfterSeconds }))
    }
    const refused = signatures.rememberNonce(signed)
    if (refused !== undefined) return done(refuse(request, refused))
    // After the nonce: a stranger who repeats a request does not use up the limit of the caller.
    limit.record(name)
    if (signed.context !== undefined && !BROKER_CONTEXT.test(signed.context)) {
      refusals.set(request, { ...signed, context: undefined })
      const invalid = [{ field: 'headers.broker-context', expected: BROKER_CONTEXT_RULE }]
      return done(new Failure('invalid_request', { invalid }))
    }
    request.setDecorator<SignedRequest>(SIGNED, signed)
    done()
  })

  const parseJson = scope.getDefaultJsonParser('error', 'error')
  scope.removeAllContentTypeParsers()
  scope.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    // The digest is checked in two places, and both are needed. Here: the bytes of a body that arrived (RFC 9421
    // section 7.2.8). In signature/verify.ts: a request without a body must not be signed for one, because this parser
    // does not run for it.
    const signed = callerOf(request)
    if (!Buffer.isBuffer(body) || !signatures.bodyMatches(signed, body))
      return done(refuse(request, { code: 'invalid_signature', detail: 'digest_mismatch', keyId: signed.key.keyId }))
    parseJson(request, body.toString('utf8'), done)
  })

  function checkPermission(request: FastifyRequest, { caller, key }: SignedRequest): Failure | undefined {
    const { permission } = request.routeOptions.config
    if (permission === undefined || caller.permissions.has(permission)) return undefined
    onForbidden(caller.name, permission)
    request.log.warn({ caller: caller.name, key_id: key.keyId, permission }, 'caller lacks a permission')
    return new Failure('caller_forbidden', { detail: permission })
  }

  /** A frozen key may do nothing, lifting freezes included (docs/design.md#freeze). */
  function refuseKey(request: FastifyRequest, { caller, key }: SignedRequest): Failure {
    request.log.warn({ caller: caller.name, key_id: key.keyId }, 'caller key is frozen')
    return frozenFailure('caller_key')
  }

  scope.addHook('preValidation', (request, _reply, done) => {
    const signed = callerOf(request)
    // The permission first: it costs nothing, and a caller without it writes no row. Nothing is executed for a replay
    // either way, and its answer repeats the one that the original got.
    const forbidden = checkPermission(request, signed)
    if (forbidden !== undefined) return done(forbidden)
    const { keyId } = signed.key
    if (request.method === 'GET' && !signed.caller.strictReplay) {
      if (request.routeOptions.config.readsFreezes === true) return done()
      freezes.isKeyFrozen(keyId).then((frozen) => done(frozen ? refuseKey(request, signed) : undefined), done)
      return
    }
    nonces.consume(signatures.replayKey(signed), signatures.replayTtlSeconds(signed), keyId).then((result) => {
      if (result === 'new') return done()
      done(
        result === 'frozen'
          ? refuseKey(request, signed)
          : refuse(request, { code: 'invalid_signature', detail: 'replayed', keyId }),
      )
    }, done)
  })

  scope.addHook('onSend', (request, reply, payload, done) => {
    const signed = authenticatedAs(request)
    if (signed === undefined) return done(null, payload)
    const body = typeof payload === 'string' || Buffer.isBuffer(payload) ? payload : ''
    // Covered only if the caller's clock may be wrong, so that it can correct it. Proxies may replace it in other
    // answers.
    if (refusals.has(request)) reply.header('date', new Date(now()).toUTCString())
    // For an answer without a body, Fastify removes the content type after this hook.
    if (body === '') reply.removeHeader('content-type')
    const headers: Record<string, string> = {}
    for (const name of signatures.answerFields) {
      const value = reply.getHeader(name)
      if (value !== undefined) headers[name] = String(value)
    }
    reply.headers(signatures.signAnswer(signed, { status: reply.statusCode, headers, body }))
    done(null, payload)
  })
}
