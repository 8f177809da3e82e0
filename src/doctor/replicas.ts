import { lookup } from 'node:dns/promises'
import { isIPv6 } from 'node:net'
import type { Config, ListenAddress } from '../config.ts'
import type { ReplicaStatus } from '../status.ts'
import { combined, failed, ok, skipped, warning, type Finding } from './check.ts'

// What each replica reports at `/status`: facts that the database does not have, such as which requests were refused.

/** For each replica. */
const TIMEOUT_MS = 3_000
/** More than any answer of a replica; a wrong server may send anything. */
const MAX_ANSWER_BYTES = 1_048_576

/** The status of one replica. A member that it did not report, or reported in an unknown form, is null or empty. */
export interface ReplicaFacts {
  /** host:port of its operations listener. */
  address: string
  /** Why its status is not known; null: it answered. */
  problem: string | null
  version: string | null
  node: string | null
  ready: boolean | null
  /** Whether Postgres answers this replica: `ok`, `slow`, `not_writable` or `unavailable`. */
  database: string | null
  /** What is wrong with the database, as this replica sees it. */
  database_problems: { kind: string; message: string; since: string; last_at: string | null }[]
  /** `mode` is `closed`, `open`, `half_open` or `ramping`. */
  breaker: null | { mode: string; reason: string | null }
  /** The same of each earlier app registration. */
  previous_breakers: { client_id: string; mode: string; reason: string | null }[]
  /** `open`, `blocked` or `closed`; if not `open`, audit lines cannot be written. */
  log: string | null
  /** Changed files that it does not use, because the next start would fail with them. */
  refused_changes: ReplicaStatus['refused_changes'][number][]
  /** ISO 8601. All counts are since then. */
  started_at: string | null
  uptime_seconds: number | null
  /** Its clock against that of this machine, to a second or two. Negative: behind. */
  clock_ahead_seconds: number | null
  requests_refused: ReplicaStatus['requests_refused']
  token_reads: ReplicaStatus['token_reads']
  requests_forbidden: ReplicaStatus['requests_forbidden']
  unreadable_values: ReplicaStatus['unreadable_values']
  failed_requests: ReplicaStatus['failed_requests']
  succeeded_requests: ReplicaStatus['succeeded_requests']
  /** Members that this release of doctor knows and the replica did not report: it runs another release. */
  missing_members: string[]
  /** Members that the replica reported and this release of doctor does not know. */
  unknown_members: string[]
}

/** The configured addresses, or the operations listener of this machine. */
export function replicaAddresses({ operationsReplicas, listen }: Config): readonly ListenAddress[] {
  if (operationsReplicas.length > 0) return operationsReplicas
  const { host, port } = listen.operations
  return [{ host: host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host, port }]
}

/**
 * A name stands for one replica at each of its addresses. Never rejects: `problem` says why a replica could not be
 * read.
 */
export async function readReplicas(addresses: readonly ListenAddress[]): Promise<ReplicaFacts[]> {
  const all = await Promise.all(
    addresses.map(async ({ host, port }) => {
      try {
        const found = await lookup(host, { all: true })
        return await Promise.all(found.map(({ address }) => readReplica(hostPort(address, port))))
      } catch {
        return [unread(hostPort(host, port), 'DNS does not know this name')]
      }
    }),
  )
  return all.flat().sort((a, b) => a.address.localeCompare(b.address, 'en', { numeric: true }))
}

const hostPort = (host: string, port: number): string => `${isIPv6(host) ? `[${host}]` : host}:${port}`

const unread = (address: string, problem: string): ReplicaFacts => ({
  ...parseStatus(address, {}),
  problem,
  missing_members: [],
})

const NOT_A_BROKER = 'the answer is not that of a token broker'

async function readReplica(address: string): Promise<ReplicaFacts> {
  const signal = AbortSignal.timeout(TIMEOUT_MS)
  try {
    const sentAt = Date.now()
    const answer = await fetch(`http://${address}/status`, { signal, redirect: 'manual' })
    const text = await answer.text()
    if (answer.status !== 200)
      return unread(address, `${NOT_A_BROKER}, or a release without /status: HTTP ${answer.status}`)
    const body: unknown = text.length > MAX_ANSWER_BYTES ? undefined : JSON.parse(text)
    if (!isObject(body) || body['service'] !== 'token-broker') return unread(address, NOT_A_BROKER)
    const ahead = Date.parse(answer.headers.get('date') ?? '') - (sentAt + Date.now()) / 2
    return {
      ...parseStatus(address, body),
      clock_ahead_seconds: Number.isNaN(ahead) ? null : Math.round(ahead / 1000),
    }
  } catch (error) {
    if (signal.aborted) return unread(address, `no answer within ${TIMEOUT_MS / 1000} s`)
    if (error instanceof SyntaxError) return unread(address, NOT_A_BROKER)
    const cause: unknown = error instanceof Error ? error.cause : undefined
    const code = isObject(cause) ? text(cause['code']) : null
    return unread(address, code ?? 'it cannot be reached')
  }
}

type Fields = Readonly<Record<string, unknown>>
const isObject = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
/** Text for a terminal: no control characters, and not too long. */
const text = (value: unknown): string | null =>
  typeof value === 'string' ? value.replace(/\p{Cc}/gu, ' ').slice(0, 200) : null
/** Several processes may be named in it. */
const longText = (value: unknown): string | null =>
  typeof value === 'string' ? value.replace(/\p{Cc}/gu, ' ').slice(0, 2_000) : null
const number = (value: unknown): number | null =>
  typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : null
const time = (value: unknown): string | null =>
  typeof value === 'string' && !Number.isNaN(Date.parse(value)) ? new Date(value).toISOString() : null

/**
 * The members of `/status`. `null` from a parser: the member is absent, or has a form that this release does not know.
 */
const PARSERS = {
  version: text,
  node: text,
  ready: (value: unknown) => (typeof value === 'boolean' ? value : null),
  database: text,
  database_problems: listOf(({ kind, message, since, last_at }) => ({
    kind: text(kind),
    message: longText(message),
    since: time(since),
    last_at: time(last_at),
  })),
  breaker: (value: unknown) => {
    if (!isObject(value)) return null
    const mode = text(value['mode'])
    return mode === null ? null : { mode, reason: text(value['reason']) }
  },
  previous_breakers: listOf(({ client_id, mode, reason }) => ({
    client_id: text(client_id),
    mode: text(mode),
    reason: text(reason) ?? '',
  })),
  log: text,
  refused_changes: listOf(({ variable, problem }) => ({ variable: text(variable), problem: text(problem) })),
  started_at: time,
  uptime_seconds: number,
  requests_refused: listOf(({ detail, key_id, count, last_at }) => ({
    detail: text(detail),
    key_id: text(key_id) ?? '',
    count: number(count),
    last_at: time(last_at),
  })),
  token_reads: listOf(({ status, count, last_at }) => ({
    status: number(status),
    count: number(count),
    last_at: time(last_at),
  })),
  requests_forbidden: listOf(({ caller, permission, count }) => ({
    caller: text(caller),
    permission: text(permission),
    count: number(count),
  })),
  unreadable_values: listOf(({ detail, count }) => ({ detail: text(detail), count: number(count) })),
  failed_requests: listOf(({ method, route, status, count, last_at }) => ({
    method: text(method),
    route: text(route),
    status: number(status),
    count: number(count),
    last_at: time(last_at),
  })),
  succeeded_requests: listOf(({ method, route, last_at }) => ({
    method: text(method),
    route: text(route),
    last_at: time(last_at),
  })),
}
/** Members that fleet does not need. */
const UNUSED_MEMBERS = ['service', 'draining', 'caller_keys_expiring']

/** An entry without a member that may not be null is left out. */
type Whole<T> = { [K in keyof T]: K extends 'last_at' ? T[K] : NonNullable<T[K]> }
function listOf<T extends object>(parse: (entry: Fields) => T): (value: unknown) => Whole<T>[] | null {
  const isWhole = (entry: T): entry is T & Whole<T> =>
    Object.entries(entry).every(([name, member]) => name === 'last_at' || member !== null)
  return (value) =>
    Array.isArray(value) ? value.flatMap((entry) => (isObject(entry) ? [parse(entry)].filter(isWhole) : [])) : null
}

/**
 * A release that is older or newer than this one may lack members or have more: they are named, and the rest is read.
 */
export function parseStatus(address: string, body: Fields): ReplicaFacts {
  const parsed = {
    version: PARSERS.version(body['version']),
    node: PARSERS.node(body['node']),
    ready: PARSERS.ready(body['ready']),
    database: PARSERS.database(body['database']),
    database_problems: PARSERS.database_problems(body['database_problems']),
    breaker: PARSERS.breaker(body['breaker']),
    previous_breakers: PARSERS.previous_breakers(body['previous_breakers'] ?? []),
    log: PARSERS.log(body['log']),
    refused_changes: PARSERS.refused_changes(body['refused_changes']),
    started_at: PARSERS.started_at(body['started_at']),
    uptime_seconds: PARSERS.uptime_seconds(body['uptime_seconds']),
    requests_refused: PARSERS.requests_refused(body['requests_refused']),
    token_reads: PARSERS.token_reads(body['token_reads']),
    requests_forbidden: PARSERS.requests_forbidden(body['requests_forbidden']),
    unreadable_values: PARSERS.unreadable_values(body['unreadable_values']),
    failed_requests: PARSERS.failed_requests(body['failed_requests']),
    succeeded_requests: PARSERS.succeeded_requests(body['succeeded_requests']),
  }
  return {
    address,
    problem: null,
    clock_ahead_seconds: null,
    ...parsed,
    database_problems: parsed.database_problems ?? [],
    previous_breakers: parsed.previous_breakers ?? [],
    failed_requests: parsed.failed_requests ?? [],
    succeeded_requests: parsed.succeeded_requests ?? [],
    refused_changes: parsed.refused_changes ?? [],
    requests_refused: parsed.requests_refused ?? [],
    token_reads: parsed.token_reads ?? [],
    requests_forbidden: parsed.requests_forbidden ?? [],
    unreadable_values: parsed.unreadable_values ?? [],
    missing_members: Object.entries(parsed).flatMap(([name, value]) => (value === null ? [name] : [])),
    unknown_members: Object.keys(body)
      .filter((name) => !Object.hasOwn(PARSERS, name) && !UNUSED_MEMBERS.includes(name))
      .map((name) => text(name)!),
  }
}

/** The replicas whose log is `blocked` or `closed`. */
export const withoutLog = (replicas: readonly ReplicaFacts[]): ReplicaFacts[] =>
  replicas.filter(({ log }) => log === 'blocked' || log === 'closed')

/** One line for each variable and problem: which replicas do not use the changed file. */
export function refusedChangeLines(replicas: readonly ReplicaFacts[]): string[] {
  const refused = replicas.flatMap(({ address, refused_changes }) =>
    refused_changes.map(({ variable, problem }) => ({ address, change: `${variable} ${problem}` })),
  )
  return [...Map.groupBy(refused, ({ change }) => change)].map(
    ([change, list]) => `${change} (${list.map(({ address }) => address).join(', ')})`,
  )
}

export const LOG_ADVICE =
  'Repair what reads the log of these pods; they go on without a restart. See docs/runbooks.md#tokenbrokerlogblocked'
export const REFUSED_CHANGE_ADVICE =
  'Correct the file or secret, or put the old one back; it is read again without a restart. See ' +
  'docs/runbooks.md#tokenbrokerchangerefused'

/** The check of plain doctor: problems of running replicas that only they know. */
export async function replicaProblems(config: Config): Promise<Finding> {
  const answering = (await readReplicas(replicaAddresses(config))).filter(({ problem }) => problem === null)
  if (answering.length === 0) return skipped('no replica answers. token-broker doctor --fleet says why.')
  const blocked = withoutLog(answering)
  const refused = refusedChangeLines(answering)
  if (blocked.length === 0 && refused.length === 0)
    return ok(`${answering.length} answer; they can write their log and use all changed files.`)
  return combined([
    ...blocked.map(({ address, log, ready }) => {
      const message = `The log of ${address} is ${log}: audit lines cannot be written.`
      return ready === true ? warning(message, LOG_ADVICE) : failed(`${message} It hands out no token.`, LOG_ADVICE)
    }),
    ...refused.map((line) =>
      warning(`A changed file is not used, and the next start would fail: ${line}.`, REFUSED_CHANGE_ADVICE),
    ),
  ])
}
