import helmet from '@fastify/helmet'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { Failure } from '../core/failure.ts'
import { contentSecurityPolicy } from './pages/pages.ts'
import { TICKET } from './links.ts'
import type { Strangers } from './strangers.ts'
import { createWindowLimit } from './window-limit.ts'

/** Requests of one person in a minute: one browser session or one link. */
export const REQUESTS_PER_PERSON = 120

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

/**
 * Headers of every answer to a browser (docs/security.md#headers-of-pages). Then the limit of the address, before any
 * work and before any other limit; and what is refused for everybody.
 */
export async function publicSecurity(
  scope: FastifyInstance,
  { https, strangers }: { https: boolean; strangers: Strangers },
): Promise<void> {
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
    const refusal = strangers.refusalOf(request)
    if (refusal !== undefined) throw refusal
    if (request.is404) {
      // Here, so that no body is read and no session is looked up.
      strangers.spend(request)
      throw new Failure('not_found')
    }
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
      strangers.spend(request)
      throw new Failure('invalid_request', { detail: 'plain_http' })
    }
  })
}

/**
 * The limit of one person. Call it after `browserSessions`, whose hooks must run first. `now` in milliseconds,
 * monotonic.
 */
export function limitVisitors(
  scope: FastifyInstance,
  { strangers, now }: { strangers: Strangers; now(): number },
): void {
  const perPerson = createWindowLimit({ max: REQUESTS_PER_PERSON, windowMs: MINUTE_MS, now })
  scope.addHook('onRequest', async (request) => {
    const person = personOf(request)
    const exceeded = person === undefined ? undefined : perPerson.take(person)
    if (exceeded !== undefined) {
      if (!exceeded.first) request.log.level = 'silent'
      throw new Failure('rate_limited', { retryAfterSeconds: exceeded.retryAfterSeconds, detail: 'person' })
    }
    if (request.session.userId === undefined) strangers.spend(request)
  })
}

/**
 * Undefined for a visitor without a known session: a new session id would be another person each time. A path
 * parameter is a key only if it has the form of a ticket: strangers choose it.
 */
function personOf(request: FastifyRequest): string | undefined {
  const { ticket } = request.params as { ticket?: string }
  if (ticket !== undefined && TICKET.test(ticket)) return ticket
  return request.session.seen === true ? request.session.sessionId : undefined
}
