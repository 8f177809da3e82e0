import { Type, type Static, type TSchema } from 'typebox'
import type { FailureCode } from '../core/failure.ts'
import { DEFAULT_MIN_TTL_SECONDS, MAX_MIN_TTL_SECONDS } from '../core/integration.ts'
import { USER_ID } from '../core/user-id.ts'
import { exampleProblem } from './example-problems.ts'
import { Actor, closedList, Code, MicrosoftFacts, openList, Problem, Reason } from './problem-schema.ts'
import { FREEZE_SCOPES } from '../core/freeze.ts'
import { PROBLEMS } from './problem.ts'

// TypeBox shapes that several routes use: one object is type, validation and OpenAPI. Those with a title become
// components.

export const UserId = Type.String({
  pattern: USER_ID.source,
  description: "MEGDocs' own id of the user.",
  examples: ['42'],
})
export const UserParams = Type.Object({ userId: UserId }, { additionalProperties: false })

/** How long a caller may let us take. */
export const DEADLINE_MS = { default: 8_000, minimum: 100, maximum: 30_000 }
export const DeadlineMs = Type.Integer({
  ...DEADLINE_MS,
  description: 'Milliseconds that the caller waits. The best answer within this time is given.',
})
export const MinTtl = Type.Integer({
  minimum: 0,
  maximum: MAX_MIN_TTL_SECONDS,
  default: DEFAULT_MIN_TTL_SECONDS,
  description: 'Seconds that the token must still be valid for; at most half of its lifetime counts.',
})

const Instant = (description: string) =>
  Type.String({ format: 'date-time', description, examples: ['2026-11-22T10:00:00Z'] })

export const Account = Type.Object(
  {
    tenant_id: Type.String({ description: 'Tenant (`tid`).' }),
    object_id: Type.String({ description: 'Object of the user in it (`oid`).' }),
    username: Type.Optional(Type.String({ description: 'For showing only: it can change.' })),
  },
  { title: 'Account', description: 'The Microsoft account. `tenant_id` and `object_id` identify it.' },
)

export const Token = Type.Object(
  {
    user_id: Type.String({ description: 'As in the request.' }),
    access_token: Type.String({ description: 'For Microsoft Graph. Never log or store it.' }),
    token_type: Type.Literal('Bearer'),
    expires_at: Instant("By the broker's database clock."),
    expires_in: Type.Integer({ description: 'Seconds.' }),
    scope: Type.String({ description: 'Granted permissions, separated by spaces.' }),
    missing_scopes: Type.Array(Type.String(), {
      description: 'Permissions configured today that this integration was not granted.',
    }),
    excess_scopes: Type.Array(Type.String(), {
      description: 'Permissions that were granted and are not configured (any longer).',
    }),
    generation: Type.Integer({
      description: 'Number of this token set. Send it to `POST /tokens/{userId}/refresh` when Graph refuses the token.',
    }),
    account: Type.Optional(Account),
    degraded: Type.Optional(
      Type.Object(
        {
          reason: Reason,
          retry_after: Type.Optional(Type.Integer({ description: 'Seconds.' })),
        },
        { description: 'The token is valid, but for a shorter time than requested, and could not be refreshed.' },
      ),
    ),
  },
  { title: 'Token' },
)

const ALWAYS: FailureCode[] = [
  'invalid_signature',
  'clock_skew',
  'caller_forbidden',
  'frozen',
  'invalid_request',
  'rate_limited',
  'database_unavailable',
  'audit_unavailable',
  'internal_error',
]

const RETRY_AFTER = { 'Retry-After': { type: 'integer', description: 'Seconds after which a retry makes sense.' } }

/** The problem responses of a signed route, by status, each with its codes and an example of each code. */
export function problemResponses(codes: readonly FailureCode[] = []): Record<number, unknown> {
  const byStatus = Map.groupBy(new Set([...ALWAYS, ...codes]), (code) => PROBLEMS[code].status)
  return Object.fromEntries(
    [...byStatus]
      .sort(([a], [b]) => a - b)
      .map(([status, here]) => [
        status,
        {
          description: here.map((code) => `\`${code}\`: ${PROBLEMS[code].title}.`).join(' '),
          ...(status === 429 || status === 503 ? { headers: RETRY_AFTER } : {}),
          content: {
            'application/problem+json': {
              schema: Problem,
              examples: Object.fromEntries(here.map((code) => [code, { value: exampleProblem(code) }])),
            },
          },
        },
      ]),
  )
}

/** A successful answer: what it means, and an example. */
export function answer<T extends TSchema>(schema: T, description: string, example: Static<T>): T {
  return { ...schema, 'x-response-description': description, examples: [example] }
}

export const NoContent = (description: string) => Type.Unsafe<undefined>({ type: 'null', description })

export const FreezeScope = openList(FREEZE_SCOPES, {
  description: '`user`: a user id. `tenant`: a tenant id of Microsoft. `caller_key`: the id of a key of a caller.',
})

export const Integration = Type.Object(
  {
    user_id: Type.String({ description: 'As in the request.' }),
    status: openList(['active', 'reconnect_required'], {
      description:
        '`reconnect_required`: the tokens cannot be refreshed; see `failure`. A token that is still valid is ' +
        'handed out.',
    }),
    generation: Type.Integer({ description: 'Number of the present token set.' }),
    account: Type.Optional(Account),
    scope: Type.String({ description: 'Granted permissions, separated by spaces.' }),
    missing_scopes: Type.Array(Type.String(), {
      description: 'Permissions configured today that this integration was not granted.',
    }),
    excess_scopes: Type.Array(Type.String(), {
      description: 'Permissions that were granted and are not configured (any longer).',
    }),
    connected_at: Instant('When the user last connected or reconnected.'),
    refreshed_at: Instant('When Microsoft issued the present tokens.'),
    access_token_expires_at: Instant('When the present access token expires. It is refreshed on demand.'),
    failure: Type.Optional(
      Type.Object(
        {
          reason: Reason,
          who_acts: Actor,
          advice: Type.String({ description: 'One sentence in plain words.' }),
          final: Type.Boolean({ description: 'The broker does not retry: only a reconnect helps.' }),
          at: Type.Optional(Instant('When the last refresh failed.')),
          microsoft: MicrosoftFacts,
        },
        { description: 'Why the last refresh failed.' },
      ),
    ),
    frozen: Type.Optional(
      Type.Object(
        { reason: Reason, who_acts: Actor, advice: Type.String({ description: 'One sentence in plain words.' }) },
        { description: 'Access is paused: its tokens are not handed out. Nothing was deleted.' },
      ),
    ),
  },
  { title: 'Integration' },
)

export const ConnectSession = Type.Object(
  {
    id: Type.String({ format: 'uuid' }),
    user_id: Type.String({ description: 'The user that it was begun for.' }),
    intent: closedList(['connect', 'manage']),
    status: openList(
      ['created', 'opened', 'authorizing', 'received', 'completing', 'connected', 'refused', 'expired'],
      {
        description:
          '`created` until the link is opened, `authorizing` at Microsoft, `received` until you complete it; then ' +
          '`connected`, `refused` or `expired`.',
      },
    ),
    created_at: Instant('When it was begun.'),
    expires_at: Instant('When its present step expires.'),
    outcome: Type.Optional(
      Type.Object(
        {
          result: openList(['connected', 'reconnected', 'refused']),
          code: Type.Optional(Code),
          reason: Type.Optional(Reason),
          who_acts: Type.Optional(Actor),
          advice: Type.Optional(Type.String({ description: 'One sentence in plain words.' })),
          account: Type.Optional(Account),
          microsoft: Type.Optional(MicrosoftFacts),
        },
        { description: 'How it ended.' },
      ),
    ),
  },
  { title: 'ConnectSession' },
)

export const Freeze = Type.Object(
  {
    id: Type.String({ format: 'uuid' }),
    scope: FreezeScope,
    value: Type.String(),
    reason: Type.String({ description: 'For operators.' }),
    caller: Type.String({ description: 'Who froze it: a caller, `token-broker freeze`, or `broker`.' }),
    created_at: Instant('Since when.'),
    expires_at: Type.Optional(Instant('When it ends by itself.')),
  },
  { title: 'Freeze' },
)
