import { Type } from 'typebox'
import { ACTORS, FAILURE_CODES, REASONS } from '../core/failure.ts'

// The shape of a problem (RFC 9457), and the lists that other answers share with it.

/** Marks a list that may gain values in any release: that breaks no caller (test/support/breaking-changes.ts). */
export const VALUES_MAY_BE_ADDED = 'x-more-may-come'

type ListOptions = { title?: string; description?: string }

/** A closed list: its values are the only ones. */
export const closedList = <T extends string>(values: readonly T[], options: ListOptions = {}) =>
  Type.Enum([...values], options)

/**
 * A list for answers that may gain values. Values that are not in it are answered as they are: a newer release may have
 * stored them. Only for answers: a request is checked against the list.
 */
export const openList = <T extends string>(values: readonly T[], options: ListOptions = {}) =>
  Type.Unsafe<T | (string & {})>({ enum: [...values], ...options, [VALUES_MAY_BE_ADDED]: true })

export const Reason = openList(Object.keys(REASONS) as (keyof typeof REASONS)[], {
  title: 'Reason',
  description: [
    'Why. More may come: treat one that you do not know by its `who_acts`.',
    '',
    '| reason | who acts | advice |',
    '|---|---|---|',
    ...Object.entries(REASONS).map(([reason, { whoActs, advice }]) => `| \`${reason}\` | ${whoActs} | ${advice} |`),
  ].join('\n'),
})
export const Actor = closedList(ACTORS, {
  title: 'Actor',
  description:
    'Who must act before it works again.\n\n* `user`: the next step is to connect (again).\n' +
    '* `tenant_admin`: the Microsoft administrator of the organisation. Connecting again is not the next step: show ' +
    'who can help, and give the user a message to send. See `admin_consent_url`.\n' +
    '* `ops`: those who run the broker. The user cannot help.\n' +
    '* `nobody`: it passes.\n\n' +
    'In the last three cases it works again without a reconnect once the cause is removed: a request for a token tries ' +
    'again, at most every 15 minutes.',
})
export const Code = openList(FAILURE_CODES, {
  title: 'Code',
  description: 'What went wrong. Treat one that you do not know by the status.',
})

export const MicrosoftFacts = Type.Object(
  {
    error: Type.Optional(Type.String({ description: 'OAuth 2.0 error (RFC 6749 section 5.2).' })),
    suberror: Type.Optional(Type.String({ description: "Microsoft's more precise error." })),
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
    addresses: Type.Optional(
      Type.Object(
        {
          graph: Type.Optional(Type.String({ description: 'From where Graph saw the caller.' })),
          sign_in: Type.Optional(Type.String({ description: "From where Microsoft's sign-in saw the broker." })),
        },
        {
          description:
            'With `claims_not_satisfied`, as far as they are known. If they differ, that is the likely cause.',
        },
      ),
    ),
    admin_consent_url: Type.Optional(
      Type.String({
        format: 'uri',
        description:
          'Where an administrator may have to act: the page to send to them. It says what the application asks for, and ' +
          'leads to the approval at Microsoft. Not a secret.',
      }),
    ),
    next: Type.Optional(Type.String({ description: 'Completion only: the page to send the user to.' })),
  },
  { title: 'Problem', description: 'RFC 9457 problem details.' },
)
