// What the failures of Postgres and of its driver mean: one table from SQLSTATE (or the driver's name) to a kind. The
// metric `token_broker_database_failures_total`, `/readyz`, doctor and the runbooks use these kinds and no others.

/** The closed list of kinds. */
export const DATABASE_FAILURE_KINDS = [
  'unreachable',
  'login',
  'connections',
  'read_only',
  'disk_full',
  'rights',
  'locked',
  'timeout',
  'conflict',
  'schema',
  'statement',
  'other',
] as const
export type DatabaseFailureKind = (typeof DATABASE_FAILURE_KINDS)[number]

/** The first pattern that fits decides. A class of SQLSTATEs is its first two characters. */
const KINDS: readonly (readonly [details: RegExp, kind: DatabaseFailureKind])[] = [
  [/^25006$/, 'read_only'],
  [/^53100$/, 'disk_full'],
  [/^42501$/, 'rights'],
  [/^(?:53300|no free connection)$/, 'connections'],
  [/^(?:55P03|row locked)$/, 'locked'],
  [/^(?:40001|40P01)$/, 'conflict'],
  [/^(?:57014|25P03|25P04|deadline)$/, 'timeout'],
  [/^(?:28...|3D000|57P04|SELF_SIGNED_CERT_IN_CHAIN|DEPTH_ZERO_\w+|UNABLE_TO_\w+|CERT_\w+|ERR_TLS_\w+)$/, 'login'],
  [
    /^(?:08...|57P0[1235]|55000|ECONN\w+|E(?:HOST|NET)UNREACH|ENOTFOUND|EAI_AGAIN|EPIPE|ETIMEDOUT|CONNECT(?:ION)?_\w+|NO_WRITABLE_HOST)$/,
    'unreachable',
  ],
  [/^(?:42P01|42703|42883|3F000)$/, 'schema'],
  [/^(?:22|23|42)...$/, 'statement'],
]

/** `detail`: as the Failure of `db` has it. */
export function databaseFailureKind(detail: string): DatabaseFailureKind {
  const [state = ''] = /^(?:database|migrate) (\S+)/.exec(detail)?.slice(1) ?? [detail]
  return KINDS.find(([details]) => details.test(state))?.[1] ?? 'other'
}
