import { Type } from 'typebox'
import { ACTORS, FAILURE_CODES, REASONS, type FailureCode } from '../core/failure.ts'
import { DEFAULT_MIN_TTL, MAX_MIN_TTL } from '../core/integration.ts'
import { PROBLEMS } from './problem.ts'

// TypeBox shapes that more than one route uses: one object is type, validation and OpenAPI.

export const UserId = Type.String({
  pattern: '^[A-Za-z0-9._~-]{1,128}$',
  description: 'MEGDocs\' own id of the user.',
  examples: ['42'],
})
export const UserParams = Type.Object({ userId: UserId }, { additionalProperties: false })

/** Milliseconds a caller may ask us to take. */
export const DEADLINE = { default: 8_000, minimum: 100, maximum: 30_000 }
export const DeadlineMs = Type.Integer({ ...DEADLINE, description: 'Milliseconds the caller waits. Within them the best answer is given.' })
export const MinTtl = Type.Integer({
  minimum: 0, maximum: MAX_MIN_TTL, default: DEFAULT_MIN_TTL,
  description: 'Seconds of life the token must at least have; never more than half of its lifetime counts.',
})

const Instant = (description: string) => Type.String({ format: 'date-time', description, examples: ['2026-11-22T10:00:00Z'] })
const literals = <T extends string>(values: readonly T[]) => Type.Enum([...values])

export const Reason = literals(Object.keys(REASONS) as (keyof typeof REASONS)[])

export const Account = Type.Object({
  tenant_id: Type.String(),
  object_id: Type.String(),
  username: Type.Optional(Type.String({ description: 'For showing only: it can change.' })),
}, { description: 'The Microsoft account. `tenant_id` and `object_id` identify it.' })

export const Token = Type.Object({
  user_id: Type.String(),
  access_token: Type.String(),
  token_type: Type.Literal('Bearer'),
  expires_at: Instant('By the broker\'s database clock.'),
  expires_in: Type.Integer({ description: 'Seconds.' }),
  scope: Type.String({ description: 'Granted permissions, separated by spaces.' }),
  missing_scopes: Type.Array(Type.String(), { description: 'Permissions configured today that this integration was not granted.' }),
  generation: Type.Integer({ description: 'Number of this set of tokens. Send it to `POST /tokens/{userId}/refresh` when Graph refuses the token.' }),
  account: Type.Optional(Account),
  degraded: Type.Optional(Type.Object({
    reason: Reason,
    retry_after: Type.Optional(Type.Integer({ description: 'Seconds.' })),
  }, { description: 'The token still works, but has less life than asked for and could not be refreshed.' })),
})

export const MicrosoftFacts = Type.Object({
  error: Type.Optional(Type.String()),
  suberror: Type.Optional(Type.String()),
  aadsts: Type.Optional(Type.Integer()),
  trace_id: Type.Optional(Type.String()),
  correlation_id: Type.Optional(Type.String()),
  timestamp: Type.Optional(Type.String()),
}, { description: 'What Microsoft\'s support asks for.' })

export const Problem = Type.Object({
  type: Type.String(),
  title: Type.String(),
  status: Type.Integer(),
  code: literals(FAILURE_CODES),
  request_id: Type.String({ description: 'Ops find the reason in the log by it.' }),
  reason: Type.Optional(Reason),
  who_acts: Type.Optional(literals(ACTORS)),
  advice: Type.Optional(Type.String()),
  retry_after: Type.Optional(Type.Integer({ description: 'Seconds.' })),
  invalid: Type.Optional(Type.Array(Type.Object({ field: Type.String(), expected: Type.String() }))),
  microsoft: Type.Optional(MicrosoftFacts),
  next: Type.Optional(Type.String({ description: 'Completion only: the page to send the user to.' })),
}, { description: 'RFC 9457 problem details.' })

const ALWAYS: FailureCode[] = ['invalid_signature', 'clock_skew', 'caller_forbidden', 'invalid_request', 'rate_limited', 'database_unavailable', 'internal_error']

/** The failure responses of a signed route, by status, each naming its codes. */
export function problemResponses(codes: readonly FailureCode[] = []): Record<number, unknown> {
  const byStatus = Map.groupBy(new Set([...ALWAYS, ...codes]), (code) => PROBLEMS[code].status)
  return Object.fromEntries([...byStatus].sort(([a], [b]) => a - b).map(([status, here]) => [status, {
    description: here.map((code) => `\`${code}\`: ${PROBLEMS[code].title}.`).join(' '),
    content: { 'application/problem+json': { schema: Problem } },
  }]))
}

export const NoContent = (description: string) => Type.Unsafe<undefined>({ type: 'null', description })

export const Integration = Type.Object({
  user_id: Type.String(),
  status: literals(['active', 'reconnect_required'] as const),
  generation: Type.Integer(),
  account: Type.Optional(Account),
  scope: Type.String(),
  missing_scopes: Type.Array(Type.String()),
  connected_at: Instant('When the user connected or reconnected last.'),
  refreshed_at: Instant('When Microsoft gave the present tokens.'),
  access_token_expires_at: Instant('When the present access token ends; it is refreshed on demand.'),
  failure: Type.Optional(Type.Object({
    reason: Reason,
    who_acts: literals(ACTORS),
    advice: Type.String(),
    final: Type.Boolean({ description: 'No further tries: only a reconnect helps.' }),
    at: Type.Optional(Instant('When the last refresh failed.')),
    microsoft: MicrosoftFacts,
  })),
})

export const ConnectSession = Type.Object({
  id: Type.String({ format: 'uuid' }),
  user_id: Type.String(),
  intent: literals(['connect', 'manage'] as const),
  status: literals(['created', 'opened', 'authorizing', 'received', 'completing', 'connected', 'refused', 'expired'] as const),
  created_at: Instant('When it was begun.'),
  expires_at: Instant('When its present step runs out.'),
  outcome: Type.Optional(Type.Object({
    result: literals(['connected', 'reconnected', 'refused'] as const),
    code: Type.Optional(Type.String()),
    reason: Type.Optional(Reason),
    who_acts: Type.Optional(literals(ACTORS)),
    advice: Type.Optional(Type.String()),
    account: Type.Optional(Account),
    microsoft: Type.Optional(MicrosoftFacts),
  })),
})
