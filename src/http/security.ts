import helmet from '@fastify/helmet'
import rateLimit from '@fastify/rate-limit'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { Failure } from '../core/failure.ts'
import { contentSecurityPolicy } from './pages/pages.ts'

/**
 * Requests in a minute. A session or a ticket is one person. An address is a whole hospital behind one NAT: a wide
 * limit, checked last.
 */
export const VISITOR_LIMITS = { perAddress: 3_000, perPerson: 120 }

const YEAR_SECONDS = 31_536_000
const MINUTE_MS = 60_000

/** The same for answers that no hook of the listener has touched. */
export const plainSecurityHeaders = (https: boolean): Record<string, string> => ({
  'cache-control': 'no-store',
  'content-security-policy': contentSecurityPolicy,
  'cross-origin-opener-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  ...(https ? { 'strict-transport-security': `max-age=${YEAR_SECONDS}; includeSubDomains` } : {}),
})

/** Headers of every answer to a browser (docs/security.md#headers-of-pages). */
export async function publicSecurity(scope: FastifyInstance, { https }: { https: boolean }): Promise<void> {
  await scope.register(helmet, {
    contentSecurityPolicy: false,
    strictTransportSecurity: https ? { maxAge: YEAR_SECONDS, includeSubDomains: true } : false,
    referrerPolicy: { policy: 'no-referrer' },
    crossOriginOpenerPolicy: { policy: 'same-origin' },
    frameguard: { action: 'deny' },
  })
  let loggedAt = -Infinity
  scope.addHook('onRequest', async (request, reply) => {
    reply.headers({ 'cache-control': 'no-store', 'content-security-policy': contentSecurityPolicy })
    // @fastify/session would set no cookie without saying so, and every page would say that cookies are blocked.
    if (https && request.protocol !== 'https') {
      // Once a minute is enough for ops, and a stranger must not be able to fill the log.
      const wasLogged = performance.now() - loggedAt < MINUTE_MS
      if (!wasLogged) loggedAt = performance.now()
      request.log[wasLogged ? 'debug' : 'error'](
        {
          forwarded_proto_seen: request.headers['x-forwarded-proto'] !== undefined,
          peer_trusted: request.ips !== undefined && request.ips.length > 1,
        },
        'plain HTTP arrived where PUBLIC_BASE_URL is https: the ingress must send X-Forwarded-Proto: https and its ' +
          'address must be in TRUSTED_PROXIES',
      )
      throw new Failure('invalid_request', { detail: 'plain_http' })
    }
  })
}

/**
 * The rate limits of the public listener, which also cover pages that do not exist. Requests beyond the limit of a
 * person do not count against the limit of their address. Call it after `browserSessions`, whose hooks must run first.
 */
export async function limitVisitors(scope: FastifyInstance): Promise<void> {
  await scope.register(rateLimit, { global: false })
  const perPerson = scope.createRateLimit({
    max: VISITOR_LIMITS.perPerson,
    timeWindow: MINUTE_MS,
    keyGenerator: (request) => personOf(request) ?? '',
  })
  const perAddress = scope.createRateLimit({ max: VISITOR_LIMITS.perAddress, timeWindow: MINUTE_MS })
  const check = async (limit: typeof perPerson, request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    const used = await limit(request)
    if (used.isAllowed || !used.isExceeded) return
    reply.header('retry-after', String(used.ttlInSeconds))
    throw new Failure('rate_limited', { retryAfterSeconds: used.ttlInSeconds })
  }
  scope.addHook('onRequest', async (request, reply) => {
    if (personOf(request) !== undefined) await check(perPerson, request, reply)
    await check(perAddress, request, reply)
  })
}

/** Undefined for a visitor without a known session: a new session id would be another person each time. */
function personOf(request: FastifyRequest): string | undefined {
  const { ticket } = request.params as { ticket?: string }
  return ticket ?? (request.session.seen === true ? request.session.sessionId : undefined)
}
