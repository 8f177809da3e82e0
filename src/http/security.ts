import helmet from '@fastify/helmet'
import rateLimit from '@fastify/rate-limit'
import type { FastifyInstance } from 'fastify'
import { Failure } from '../core/failure.ts'
import { contentSecurityPolicy } from './pages/pages.ts'

/** Requests a minute. An address is a whole hospital behind one NAT, so it comes last and is wide; a session or a ticket is one person. */
export const LIMITS = { perAddress: 3_000, perPerson: 120 }

const A_YEAR = 31_536_000
const tooMany = () => new Failure('rate_limited')
/** No `x-ratelimit-*`: they tell an attacker where the limit is, and cost bytes on every page. */
const silent = {
  addHeaders: { 'x-ratelimit-limit': false, 'x-ratelimit-remaining': false, 'x-ratelimit-reset': false },
  addHeadersOnExceeding: { 'x-ratelimit-limit': false, 'x-ratelimit-remaining': false, 'x-ratelimit-reset': false },
}

/** Headers of every browser answer (security.md 5.5) and the limits of the public listener. */
export async function publicSecurity(scope: FastifyInstance, { https }: { https: boolean }): Promise<void> {
  await scope.register(helmet, {
    contentSecurityPolicy: false,
    strictTransportSecurity: https ? { maxAge: A_YEAR, includeSubDomains: true } : false,
    referrerPolicy: { policy: 'no-referrer' },
    crossOriginOpenerPolicy: { policy: 'same-origin' },
    frameguard: { action: 'deny' },
  })
  scope.addHook('onRequest', async (request, reply) => {
    reply.headers({ 'cache-control': 'no-store', 'content-security-policy': contentSecurityPolicy })
    // @fastify/session would silently set no cookie, and every page would say that cookies are blocked (design 4).
    if (https && request.protocol !== 'https') {
      request.log.error(
        { forwarded_proto_seen: request.headers['x-forwarded-proto'] !== undefined, peer_trusted: request.ips !== undefined && request.ips.length > 1 },
        'plain HTTP arrived where PUBLIC_BASE_URL is https: the ingress must send X-Forwarded-Proto: https and its address must be in TRUSTED_PROXIES',
      )
      throw new Failure('invalid_request', { detail: 'plain_http' })
    }
  })
  await scope.register(rateLimit, { global: true, max: LIMITS.perAddress, timeWindow: 60_000, errorResponseBuilder: tooMany, ...silent })
}

/** A limit for one person, named by what a request carries: first come ticket and session (design 4). */
export function personLimit(scope: FastifyInstance) {
  return scope.rateLimit({
    max: LIMITS.perPerson,
    timeWindow: 60_000,
    keyGenerator: (request) => {
      const { ticket } = request.params as { ticket?: string }
      return ticket ?? request.session.sessionId
    },
    errorResponseBuilder: tooMany,
  })
}
