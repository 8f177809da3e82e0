import { LISTENER_LIMITS as LISTENER, MAX_HEADER_BYTES, REQUEST_TIMEOUT_CHECK_MS } from '../../src/app.ts'
import { VARIABLES } from '../../src/config/variables.ts'
import {
  CHALLENGE_KEPT_SECONDS,
  FORCED_WINDOW_SECONDS,
  MAX_CLAIMS_LENGTH,
  MAX_FORCED_REFRESHES,
} from '../../src/core/claims.ts'
import { MAX_MIN_TTL_SECONDS } from '../../src/core/integration.ts'
import { LEASE_SECONDS } from '../../src/core/refresh.ts'
import { MAX_CONNECTIONS } from '../../src/http/connections.ts'
import { BODY_LIMIT, MAX_ROWS } from '../../src/http/import.ts'
import { DEADLINE_MS } from '../../src/http/schemas.ts'
import { REQUESTS_PER_PERSON } from '../../src/http/security.ts'
import { STRANGER_LIMITS as STRANGERS } from '../../src/http/strangers.ts'
import { MAX_KEYS } from '../../src/http/window-limit.ts'
import { BROWSER_SESSION_MS } from '../../src/http/session.ts'
import { EXCHANGE_TIMEOUT_MS, MAX_BODY_BYTES } from '../../src/microsoft/exchange.ts'
import { MAX_KEY_DAYS } from '../../src/signature/callers.ts'
import { MAX_DIGEST_FIELD } from '../../src/signature/content-digest.ts'
import { NONCES_REMEMBERED } from '../../src/signature/nonces.ts'
import { MAX_LIFETIME_SECONDS, MAX_SIGNATURE_FIELD, MAX_SKEW_SECONDS, MAX_TARGET } from '../../src/signature/profile.ts'

// The table of docs/reference/limits.md: each limit from the constant that is in force.

const number = (value: number): string => value.toLocaleString('en')
const kB = (bytes: number): string => (bytes % 1024 === 0 ? `${number(bytes / 1024)} KiB` : `${number(bytes)} bytes`)
const seconds = (ms: number): string => `${number(ms / 1000)} s`

export function limitsTable(): string {
  const { DATABASE_DEADLINE_MS: deadline, CALLER_REQUESTS_PER_MINUTE: perCaller } = VARIABLES
  const rows: [what: string, limit: string, beyond: string][] = [
    ['Request line and headers', kB(MAX_HEADER_BYTES), '431'],
    ['Body of a request', kB(LISTENER.bodyLimit), '`invalid_request`'],
    ['Body of `POST /integrations/import`; rows in it', `${kB(BODY_LIMIT)}; ${number(MAX_ROWS)}`, '`invalid_request`'],
    [
      'Until a request has arrived whole',
      `${seconds(LISTENER.requestTimeout)}, looked at every ${seconds(REQUEST_TIMEOUT_CHECK_MS)}`,
      '408',
    ],
    ['A connection without any traffic', seconds(LISTENER.connectionTimeout), 'closed'],
    ['Between two requests of a connection', seconds(LISTENER.keepAliveTimeout), 'closed'],
    [
      '`deadline_ms`',
      `${number(DEADLINE_MS.minimum)} to ${number(DEADLINE_MS.maximum)}, ${number(DEADLINE_MS.default)} by default`,
      '`invalid_request`; within them the best answer by then',
    ],
    [
      '`min_ttl`',
      `${number(MAX_MIN_TTL_SECONDS)} s, never more than half of the token's lifetime`,
      '`invalid_request`; the half takes its place',
    ],
    [
      'Requests of one caller at one replica',
      `\`CALLER_REQUESTS_PER_MINUTE\`, ${number(Number(perCaller.default))} by default, a minute`,
      '`rate_limited`',
    ],
    ['Requests of one browser session or link', `${number(REQUESTS_PER_PERSON)} a minute`, '`rate_limited`'],
    [
      'Requests of one address (IPv4, or an IPv6 /64) at the public and at the operations listener',
      `${number(STRANGERS.perAddress.public)} and ${number(STRANGERS.perAddress.operations)} a minute; not probes`,
      '`rate_limited`',
    ],
    [
      'Refused requests of one address at the internal listener',
      `${number(STRANGERS.perAddress.internal)} a minute`,
      '`rate_limited`; correctly signed requests are answered',
    ],
    ['Keys that each of these limits remembers', number(MAX_KEYS), 'the oldest is forgotten'],
    [
      'Requests of strangers that a listener logs one by one',
      `${number(STRANGERS.lines)} a minute; ${STRANGERS.linesPerCause} refused signatures of one reason and key`,
      'counted, and summed up in a line a minute',
    ],
    [
      'Connections of the public, internal and operations listener',
      Object.values(MAX_CONNECTIONS).map(number).join(', '),
      'closed; one address other than a trusted proxy gets half of them',
    ],
    ['A browser session', `${number(BROWSER_SESSION_MS / 60_000)} minutes`, 'a page leads back to MEGDocs'],
    ['Signed request target', `${number(MAX_TARGET)} characters`, '`invalid_signature`'],
    [
      '`Signature-Input`, `Signature` of a request, each',
      `${number(MAX_SIGNATURE_FIELD)} characters`,
      '`invalid_signature`',
    ],
    ['`Content-Digest`', `${number(MAX_DIGEST_FIELD)} characters`, '`invalid_signature`'],
    ['From `created` to `expires`', `${number(MAX_LIFETIME_SECONDS)} s`, '`invalid_signature`'],
    ['Between two clocks', `${number(MAX_SKEW_SECONDS)} s`, '`clock_skew`'],
    ['Nonces one replica remembers', `2 × ${number(NONCES_REMEMBERED)}`, '`rate_limited`'],
    ['A caller key', `${number(MAX_KEY_DAYS)} days`, 'a callers file with it is refused'],
    ['An exchange with Microsoft, connecting included', seconds(EXCHANGE_TIMEOUT_MS), 'tried again later'],
    ['An answer of Microsoft', kB(MAX_BODY_BYTES), 'not used, tried again later'],
    ['`claims` of a forced refresh', kB(MAX_CLAIMS_LENGTH), '`invalid_request`'],
    [
      'Refreshes of a user that callers force, over all replicas',
      `${MAX_FORCED_REFRESHES} in ${number(FORCED_WINDOW_SECONDS / 60)} minutes`,
      '`claims_not_satisfied`',
    ],
    [
      'A challenge that only the user can satisfy',
      `${number(CHALLENGE_KEPT_SECONDS / 60)} minutes`,
      'the next connect does not ask for it',
    ],
    ['The lease of a refresh', `${number(LEASE_SECONDS)} s`, 'another replica takes over'],
    [
      'A database query',
      `\`DATABASE_DEADLINE_MS\`, ${number(Number(deadline.default))} ms by default`,
      '`database_unavailable`',
    ],
  ]
  return ['| what | limit | beyond it |', '|---|---|---|', ...rows.map((row) => `| ${row.join(' | ')} |`)].join('\n')
}
