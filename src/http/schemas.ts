import { Type, type Static, type TSchema } from 'typebox'
import { ACTORS, FAILURE_CODES, REASONS, type FailureCode } from '../core/failure.ts'
import { DEFAULT_MIN_TTL_SECONDS, MAX_MIN_TTL_SECONDS } from '../core/integration.ts'
import { exampleProblem } from './example-problems.ts'
import { PROBLEMS } from './problem.ts'

// TypeBox shapes that more than one route uses: one object is type, validation and OpenAPI. Those with a title become components.

export const UserId = Type.String({
  pattern: '^(?!\\.{1,2}$)[A-Za-z0-9._~-]{1,128}$',
  description: "MEGDocs' own id of the user.",
  examples: ['42'],
})
export const UserParams = Type.Object({ userId: UserId }, { additionalProperties: false })

/** Milliseconds a caller may ask us to take. */
export const DEADLINE_MS = { default: 8_000, minimum: 100, maximum: 30_000 }
export const DeadlineMs = Type.Integer({
  ...DEADLINE_MS,
  description: 'Milliseconds the caller waits. Within them the best answer is given.',
})
export const MinTtl = Type.Integer({
  minimum: 0,
  maximum: MAX_MIN_TTL_SECONDS,
  default: DEFAULT_MIN_TTL_SECONDS,
  description: 'Seconds of life the token must at least have; never more than half of its lifetime counts.',
})

const Instant = (description: string) =>
  Type.String({ format: 'date-time', description, examples: ['2026-11-22T10:00:00Z'] })
/** Marks a list of which callers must expect more values: those are no breaking change (test/support/breaking-changes.ts). */
export const VALUES_MAY_BE_ADDED = 'x-more-may-come'
const literals = <T extends string>(
  values: readonly T[],
  options: { title?: string; description?: string; [VALUES_MAY_BE_ADDED]?: true } = {},
) => Type.Enum([...values], options)

/** A list to which values may be added. An answer may hold one that this release does not know: a newer release stored it. */
export const openList = <T extends string>(
  values: readonly T[],
  options: { title?: string; description?: string } = {},
) => Type.Unsafe<T | (string & {})>(Type.Enum([...values], { ...options, [VALUES_MAY_BE_ADDED]: true }))

export const Reason = openList(Object.keys(REASONS) as (keyof typeof REASONS)[], {
  title: 'Reason',
  description: `Why. More may come: treat one you do not know as its \`who_acts\`.\n\n| reason | who acts | advice |\n|---|---|---|\n${Object.entries(
    REASONS,
  )
    .map(([reason, { whoActs, advice }]) => `| \`${reason}\` | ${whoActs} | ${advice} |`)
    .join('\n')}`,
})
const Actor = literals(ACTORS, {
  title: 'Actor',
  description: 'Who has to do something before it works again. `nobody`: it heals by itself.',
})
const Code = literals(FAILURE_CODES, {
  title: 'Code',
  [VALUES_MAY_BE_ADDED]: true,
  description: 'What went wrong. Treat one you do not know by the status.',
})

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
    user_id: Type.String({ description: 'As it was asked for.' }),
    access_token: Type.String({ description: 'For Microsoft Graph. Never log or store it.' }),
    token_type: Type.Literal('Bearer'),
    expires_at: Instant("By the broker's database clock."),
    expires_in: Type.Integer({ description: 'Seconds.' }),
    scope: Type.String({ description: 'Granted permissions, separated by spaces.' }),
    missing_scopes: Type.Array(Type.String(), {
      description: 'Permissions configured today that this integration was not granted.',
    }),
    generation: Type.Integer({
      description:
        'Number of this set of tokens. Send it to `POST /tokens/{userId}/refresh` when Graph refuses the token.',
    }),
    account: Type.Optional(Account),
    degraded: Type.Optional(
      Type.Object(
        {
          reason: Reason,
          retry_after: Type.Optional(Type.Integer({ description: 'Seconds.' })),
        },
        { description: 'The token still works, but has less life than asked for and could not be refreshed.' },
      ),
    ),
  },
  { title: 'Token' },
)

export const MicrosoftFacts = Type.Object(
  {
    error: Type.Optional(Type.String({ description: 'OAuth 2.0 error (RFC 6749 5.2).' })),
    suberror: Type.Optional(Type.String({ description: "Microsoft's finer word for it." })),
    aadsts: Type.Optional(Type.Integer({ description: 'The AADSTS number.' })),
    trace_id: Type.Optional(Type.String()),
    correlation_id: Type.Optional(Type.String()),
    timestamp: Type.Optional(Type.String({ description: 'As Microsoft wrote it.' })),
  },
  { title: 'MicrosoftFacts', description: "What Microsoft's support asks for." },
)

export const Problem = Type.Object(
  {
    type: Type.String({ description: '`urn:token-broker:problem:` and the code.' }),
    title: Type.String({ description: 'The code in words.' }),
    status: Type.Integer({ description: 'The HTTP status.' }),
    code: Code,
    request_id: Type.String({ description: 'Ops find the reason in the log by it.' }),
    reason: Type.Optional(Reason),
    who_acts: Type.Optional(Actor),
    advice: Type.Optional(Type.String({ description: 'One sentence in plain words.' })),
    retry_after: Type.Optional(Type.Integer({ description: 'Seconds, as in `Retry-After`.' })),
    invalid: Type.Optional(
      Type.Array(Type.Object({ field: Type.String(), expected: Type.String() }), {
        description: 'With `invalid_request`: which fields, and what was expected.',
      }),
    ),
    microsoft: Type.Optional(MicrosoftFacts),
    next: Type.Optional(Type.String({ description: 'Completion only: the page to send the user to.' })),
  },
  { title: 'Problem', description: 'RFC 9457 problem details.' },
)

const ALWAYS: FailureCode[] = [
  'invalid_signature',
  'clock_skew',
  'caller_forbidden',
  'invalid_request',
  'rate_limited',
  'database_unavailable',
  'internal_error',
]

const RETRY_AFTER = { 'Retry-After': { type: 'integer', description: 'Seconds after which trying again makes sense.' } }

/** The failure responses of a signed route, by status, each naming its codes and showing one of each. */
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

/** A successful answer: what it means, and one that could come. */
export function answer<T extends TSchema>(schema: T, description: string, example: Static<T>): T {
  return { ...schema, 'x-response-description': description, examples: [example] }
}

export const NoContent = (description: string) => Type.Unsafe<undefined>({ type: 'null', description })

export const Integration = Type.Object(
  {
    user_id: Type.String({ description: 'As it was asked for.' }),
    status: literals(['active', 'reconnect_required'], {
      description:
        '`reconnect_required`: no token can be refreshed; see `failure`. One that is still valid is handed out.',
    }),
    generation: Type.Integer({ description: 'Number of the present set of tokens.' }),
    account: Type.Optional(Account),
    scope: Type.String({ description: 'Granted permissions, separated by spaces.' }),
    missing_scopes: Type.Array(Type.String(), {
      description: 'Permissions configured today that this integration was not granted.',
    }),
    connected_at: Instant('When the user connected or reconnected last.'),
    refreshed_at: Instant('When Microsoft gave the present tokens.'),
    access_token_expires_at: Instant('When the present access token ends; it is refreshed on demand.'),
    failure: Type.Optional(
      Type.Object(
        {
          reason: Reason,
          who_acts: Actor,
          advice: Type.String({ description: 'One sentence in plain words.' }),
          final: Type.Boolean({ description: 'No further tries: only a reconnect helps.' }),
          at: Type.Optional(Instant('When the last refresh failed.')),
          microsoft: MicrosoftFacts,
        },
        { description: 'Why the last refresh brought no token.' },
      ),
    ),
  },
  { title: 'Integration' },
)

export const ConnectSession = Type.Object(
  {
    id: Type.String({ format: 'uuid' }),
    user_id: Type.String({ description: 'Who began it.' }),
    intent: literals(['connect', 'manage']),
    status: literals(
      ['created', 'opened', 'authorizing', 'received', 'completing', 'connected', 'refused', 'expired'],
      {
        description:
          '`created` until the link is opened, `authorizing` at Microsoft, `received` until you complete it; then `connected`, `refused` or `expired`.',
      },
    ),
    created_at: Instant('When it was begun.'),
    expires_at: Instant('When its present step runs out.'),
    outcome: Type.Optional(
      Type.Object(
        {
          result: literals(['connected', 'reconnected', 'refused']),
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
