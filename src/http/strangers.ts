import type { FastifyBaseLogger, FastifyRequest } from 'fastify'
import { Failure } from '../core/failure.ts'
import { addressKey } from './addresses.ts'
import { createWindowLimit } from './window-limit.ts'

// What requests that nobody vouches for may cost one listener: requests of one address, and lines in the log
// (docs/security.md#limits).

/**
 * In a minute. The public listener's number is that of a hospital behind one NAT. At the internal listener only refused
 * requests count. `lines`: requests of strangers that a listener logs one by one; the others are counted.
 * `linesPerCause`: refused signatures of one reason and one key id.
 */
export const STRANGER_LIMITS = {
  perAddress: { public: 3_000, internal: 600, operations: 600 },
  lines: 600,
  failures: 60,
  linesPerCause: 10,
} as const

export type Listener = keyof typeof STRANGER_LIMITS.perAddress

const MINUTE_MS = 60_000
/** Reasons and key ids are closed lists; this bounds them whatever they are. */
const MAX_CAUSES = 1_000

/** What is counted in `token_broker_strangers_total`. */
export type StrangerEvent = 'over_address_limit' | 'not_logged' | 'not_parsed' | 'connection_refused'

export interface Strangers {
  /** Counts the request for its address. Failure `rate_limited`: it is beyond the limit. */
  refusalOf(request: FastifyRequest): Failure | undefined
  /** Takes one of this minute's lines for the request, or silences its log. */
  spend(request: FastifyRequest): void
  /** The same for what is no request. False: do not log it. */
  mayLog(): boolean
  /** Whether a refused signature of this reason and key id is logged; if not, it is counted for the summary. */
  mayLogCause(detail: string, keyId: string): boolean
  /** Counts a failure of ours (5xx), because its line is logged beyond the limit of lines. */
  countFailure(request: FastifyRequest): void
  count(event: StrangerEvent): void
  /** Writes the summary of the minute that is over, and forgets old keys. Called once a minute. */
  sweep(): void
  /** Addresses that are counted now. */
  readonly addresses: number
}

/** `now` in milliseconds, monotonic. */
export function createStrangers(options: {
  listener: Listener
  log: FastifyBaseLogger
  now(): number
  onEvent(event: StrangerEvent): void
}): Strangers {
  const { listener, log, now, onEvent } = options
  const limitOf = (max: number, maxKeys?: number) =>
    createWindowLimit({ max, windowMs: MINUTE_MS, now, ...(maxKeys === undefined ? {} : { maxKeys }) })
  const addresses = limitOf(STRANGER_LIMITS.perAddress[listener])
  const causes = limitOf(STRANGER_LIMITS.linesPerCause, MAX_CAUSES)
  const lines = limitOf(STRANGER_LIMITS.lines, 1)
  let notLogged = 0
  /** Failures whose lines were logged although there was no line left. */
  let failures = 0
  /** By reason and key id. */
  const notLoggedCauses = new Map<string, { detail: string; key_id: string; count: number }>()

  function mayLog(): boolean {
    if (lines.take('') === undefined) return true
    notLogged++
    onEvent('not_logged')
    return false
  }
  function spend(request: FastifyRequest): void {
    // Also the line that ends the request.
    if (mayLog()) return
    // A visitor without a session may be a user, and the reference on a page of a failure must lead to a line.
    request.log.level = failures < STRANGER_LIMITS.failures ? 'error' : 'silent'
  }
  return {
    refusalOf(request) {
      const exceeded = addresses.take(addressKey(request.ip))
      if (exceeded === undefined) return undefined
      onEvent('over_address_limit')
      // One line for each address and minute.
      if (exceeded.first) spend(request)
      else request.log.level = 'silent'
      return new Failure('rate_limited', { retryAfterSeconds: exceeded.retryAfterSeconds, detail: 'address' })
    },
    spend,
    mayLog,
    mayLogCause(detail, keyId) {
      const cause = `${detail} ${keyId}`
      if (causes.take(cause) === undefined) return true
      onEvent('not_logged')
      const counted = notLoggedCauses.get(cause)
      if (counted !== undefined) counted.count++
      else if (notLoggedCauses.size < MAX_CAUSES) notLoggedCauses.set(cause, { detail, key_id: keyId, count: 1 })
      return false
    },
    countFailure(request) {
      if (request.log.level === 'error') failures++
    },
    count: onEvent,
    sweep() {
      for (const limit of [addresses, causes, lines]) limit.sweep()
      for (const { detail, key_id, count } of notLoggedCauses.values())
        log.warn({ refused: detail, key_id, count }, 'requests refused that were not logged one by one')
      if (notLogged > 0) log.warn({ count: notLogged }, 'requests of strangers that were not logged one by one')
      notLoggedCauses.clear()
      notLogged = 0
      failures = 0
    },
    get addresses() {
      return addresses.size
    },
  }
}
