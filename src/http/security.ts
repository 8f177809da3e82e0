import helmet from '@fastify/helmet'
import rateLimit from '@fastify/rate-limit'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { Failure } from '../core/failure.ts'
import { contentSecurityPolicy } from './pages/pages.ts'

/** Requests a minute. An address is a whole hospital behind one NAT, so it comes last and is wide; a session or a ticket is one person. */
export const LIMITS = { perAddress: 3_000, perPerson: 120 }

const A_YEAR = 31_536_000
/** Milliseconds. */
const MINUTE = 60_000

/** Headers of every browser answer (security.md 5.5). */
export async function publicSecurity(scope: FastifyInstance, { https }: { https: boolean }): Promise<void> {
  await scope.register(helmet, {
    contentSecurityPolicy: false,
    strictTransportSecurity: https ? { maxAge: A_YEAR, includeSubDomains: true } : false,
    referrerPolicy: { policy: 'no-referrer' },
    crossOriginOpenerPolicy: { policy: 'same-origin' },
    frameguard: { action: 'deny' },
  })
  let toldAt = -Infinity
  scope.addHook('onRequest', async (request, reply) => {
    reply.headers({ 'cache-control': 'no-store', 'content-security-policy': contentSecurityPolicy })
    // @fastify/session would silently set no cookie, and every page would say that cookies are blocked (design 4).
    if (https && request.protocol !== 'https') {
      // Once a minute is enough for ops; a stranger must not be able to fill the log.
      const told = performance.now() - toldAt < MINUTE
      if (!told) toldAt = performance.now()
      request.log[told ? 'debug' : 'error'](
        {
          forwarded_proto_seen: request.headers['x-forwarded-proto'] !== undefined,
          peer_trusted: request.ips !== undefined && request.ips.length > 1,
        },
        'plain HTTP arrived where PUBLIC_BASE_URL is https: the ingress must send X-Forwarded-Proto: https and its address must be in TRUSTED_PROXIES',
      )
      throw new Failure('invalid_request', { detail: 'plain_http' })
    }
  })
}

/**
 * The limits of the public listener, for pages that do not exist too. What one person sends too much of does not count against
 * their address. Called after browserSessions: its hooks come first.
 */
export async function limitVisitors(scope: FastifyInstance): Promise<void> {
  await scope.register(rateLimit, { global: false })
  const perPerson = scope.createRateLimit({
    max: LIMITS.perPerson,
    timeWindow: MINUTE,
    keyGenerator: (request) => personOf(request) ?? '',
  })
  const perAddress = scope.createRateLimit({ max: LIMITS.perAddress, timeWindow: MINUTE })
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

/** Undefined for a visitor of whom nothing is known yet: a new session id would be another person each time. */
function personOf(request: FastifyRequest): string | undefined {
  const { ticket } = request.params as { ticket?: string }
  return ticket ?? (request.session.seen === true ? request.session.sessionId : undefined)
}
