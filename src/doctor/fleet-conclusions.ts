import { VERSION } from '../version.ts'
import { defect, ops, type Conclusion } from './check.ts'
import {
  blockedLog,
  clocks,
  databaseProblems,
  failedRequests,
  previousBreakers,
  refusedChanges,
  unreadableValues,
} from './fleet-replicas.ts'
import type { FleetFacts } from './fleet.ts'
import { explain } from './user.ts'

// When users cannot edit documents: the likely causes, and who must act, the likeliest cause first.

/** From this many users with the same problem within a day, it is no coincidence. */
const MANY_USERS = 5
/** Counts are since the start of a replica, so only their last time says whether they are news. */
const RECENT_MS = 900_000
/** If no token was handed out for this time while requests were refused this often, every request is refused. */
const NO_TOKENS_MS = 60_000
const MANY_REFUSALS = 5
/**
 * A stranger's request, which has no key id, is not refused for these reasons: a caller's key or address has changed.
 */
const DETAILS_OF_CALLERS: readonly string[] = ['unknown_key', 'unknown_authority']

type Replicas = Pick<FleetFacts, 'replicas'>
type Rule = (facts: FleetFacts, now: number) => Conclusion[]

/** In the order of likelihood; a failed conclusion comes before every warning. */
const RULES: Readonly<Record<string, Rule>> = {
  database,
  database_problems: databaseProblems,
  log: blockedLog,
  replicas,
  breaker,
  previous_breakers: previousBreakers,
  sealing_keys: sealingKeys,
  refused_signatures: refusedSignatures,
  token_reads: failingTokenReads,
  failed_requests: failedRequests,
  freezes,
  refused_changes: refusedChanges,
  clocks,
  caller_keys: callerKeys,
  failures,
  unreadable_values: unreadableValues,
  connect_attempts: connectAttempts,
  keep_alive: keepAlive,
  versions,
  no_users: noUsers,
  replicas_unknown: replicasUnknown,
}

/** `now` in milliseconds. The first is the likeliest. A rule that throws becomes a failed conclusion with its name. */
export function fleetConclusions(
  facts: FleetFacts,
  now: number,
  rules: Readonly<Record<string, Rule>> = RULES,
): [Conclusion, ...Conclusion[]] {
  const all = Object.entries(rules).flatMap(([name, rule]): Conclusion[] => {
    try {
      return rule(facts, now)
    } catch (error) {
      const { message, advice } = defect(name, error)
      return [ops('failed', message, advice ?? '')]
    }
  })
  const [first, ...others] = [
    ...all.filter(({ result }) => result === 'failed'),
    ...all.filter(({ result }) => result === 'warning'),
  ]
  return first === undefined ? [noProblem(facts)] : [first, ...others]
}

function noProblem({ refreshes }: FleetFacts): Conclusion {
  const last = refreshes?.last_at == null ? '' : ` It last refreshed a token at ${refreshes.last_at}.`
  return {
    result: 'ok',
    who_acts: 'nobody',
    message:
      `The broker sees no problem.${last} If users cannot edit, the cause is MEGDocs, Graph, or something that concerns ` +
      'single users.',
    advice:
      'token-broker doctor --user <id> for one of these users; then the log of MEGDocs, which has the answer of Graph.',
  }
}

function freezes({ freezes: list }: FleetFacts): Conclusion[] {
  if (list === null || list.length === 0) return []
  return [
    ops(
      'warning',
      `${list.length === 1 ? 'One freeze withholds' : `${list.length} freezes withhold`} tokens: ` +
        `${list
          .slice(0, 5)
          .map(({ scope, value }) => `${scope} ${value}`)
          .join(', ')}${list.length > 5 ? ' …' : ''}.`,
      `token-broker unfreeze shows them all. See ${runbook('freeze')}`,
    ),
  ]
}

function callerKeys({ caller_keys: keys }: FleetFacts): Conclusion[] {
  return (keys ?? [])
    .filter(({ users, limit }) => users > limit)
    .map(({ key_id, users, limit }) =>
      ops(
        'warning',
        `The caller key ${key_id} has asked for about ${users} different users in this hour; the alarm begins above ${limit}.`,
        `It may be stolen. See ${runbook('tokenbrokerharvest')}`,
      ),
    )
}

export const runbook = (anchor: string): string => `docs/runbooks.md#${anchor}`

/** Where the advice of the finding names no runbook. */
const DATABASE_RUNBOOKS: Record<keyof FleetFacts['database'], string> = {
  database: 'postgres-failover',
  database_writable: 'the-database-cannot-be-written',
  database_rights: 'the-database-cannot-be-written',
  database_locks: 'locks-and-long-transactions',
  database_connections: 'no-free-connections',
  migrations: 'upgrade-and-rollback',
  deployment: 'another-subdomain',
  sealing_keys: 'tokenbrokerunreadable',
}

/** Checks whose warnings concern users soon. */
const WARNED: readonly (keyof FleetFacts['database'])[] = ['database_locks', 'database_connections']

function database({ database: findings, query_errors }: FleetFacts): Conclusion[] {
  const names = [
    'database',
    'database_locks',
    'database_writable',
    'database_rights',
    'database_connections',
    'migrations',
    'deployment',
    'sealing_keys',
  ] as const
  return [
    ...names.flatMap((name) => {
      const { result, message, advice = '' } = findings[name]
      if (result !== 'failed' && !(result === 'warning' && WARNED.includes(name))) return []
      const hasRunbook = advice.includes(runbook(''))
      return [ops(result, message, hasRunbook ? advice : `${advice} ${runbook(DATABASE_RUNBOOKS[name])}`.trim())]
    }),
    ...(query_errors.length === 0
      ? []
      : [
          ops(
            'warning',
            `Some queries failed: ${query_errors.join('; ')}.`,
            'Check the load of the database. DATABASE_DEADLINE_MS limits the time of each query.',
          ),
        ]),
  ]
}

const withProblem = (replicas: FleetFacts['replicas']): string =>
  replicas.map(({ address, problem }) => `${address} (${problem})`).join(', ')

function replicas({ replicas: all, replicas_configured }: FleetFacts): Conclusion[] {
  const silent = all.filter(({ problem }) => problem !== null)
  const pods = `kubectl get pods; ${runbook('tokenbrokerdown')}`
  if (silent.length === all.length)
    return replicas_configured ? [ops('failed', `No replica answers: ${withProblem(silent)}.`, pods)] : []
  const answering = all.filter(({ problem }) => problem === null)
  const notReady = answering.filter(({ ready }) => ready !== true).map(({ address }) => address)
  const withDatabase = (state: string) =>
    answering.filter((replica) => replica.database === state).map(({ address }) => address)
  const [slow, unavailable] = [withDatabase('slow'), withDatabase('unavailable')]
  const failover = runbook('postgres-failover')
  return [
    ...(unavailable.length === 0
      ? []
      : [ops('failed', `Postgres does not answer these replicas: ${unavailable.join(', ')}.`, failover)]),
    // It may be slow for a moment only, and the replica still serves.
    ...(slow.length === 0
      ? []
      : [ops('warning', `Postgres is slow for these replicas: ${slow.join(', ')}.`, failover)]),
    ...(silent.length === 0 ? [] : [ops('warning', `These replicas do not answer: ${withProblem(silent)}.`, pods)]),
    ...(notReady.length === 0
      ? []
      : [
          ops(
            notReady.length === answering.length ? 'failed' : 'warning',
            `These replicas are not ready, so they get no requests: ${notReady.join(', ')}.`,
            'Wait, if they have just started or are about to end. Otherwise: kubectl logs.',
          ),
        ]),
  ]
}

function breaker({ replicas: all }: FleetFacts): Conclusion[] {
  const states = all.flatMap((replica) => replica.breaker ?? [])
  const open = states.filter(({ mode }) => mode === 'open')
  const closing = states.filter(({ mode }) => mode !== 'open' && mode !== 'closed')
  const reasonOf = (list: typeof states): string => list.find(({ reason }) => reason !== null)?.reason ?? 'not known'
  if (open.length > 0) {
    const { reason, advice, who_acts } = explain(reasonOf(open), 'try_later')
    const next = reason === 'client_credential' ? runbook('client-credential') : runbook('entra-outage')
    return [
      {
        result: 'failed',
        who_acts,
        message:
          `${open.length} of ${states.length} replicas send nothing to Microsoft (${reason}): their breaker is open. They ` +
          'still hand out tokens that are valid.',
        advice: `${advice} Next: token-broker doctor, which checks the way to Microsoft; ${next}`,
      },
    ]
  }
  if (closing.length === 0) return []
  return [
    {
      result: 'warning',
      who_acts: 'nobody',
      message:
        `The breaker of ${closing.length} of ${states.length} replicas is closing again (${reasonOf(closing)}): they send a few ` +
        'requests at a time to Microsoft.',
      advice: 'Wait a minute and run this command again.',
    },
  ]
}

function sealingKeys({ sealed }: FleetFacts): Conclusion[] {
  const lost = sealed?.keys.filter(({ available }) => !available) ?? []
  if (lost.length === 0) return []
  const counts = lost.map(({ key_id, values }) => `${values} with ${key_id || 'no key'}`).join(', ')
  return [
    ops(
      'failed',
      `SEALING_KEYS cannot open these stored values: ${counts}. Their users get token_unreadable.`,
      runbook('tokenbrokerunreadable'),
    ),
  ]
}

/** Milliseconds since the epoch of the last read answered with this status; undefined: no such read since the start. */
function lastRead({ replicas: all }: Replicas, status: number): number | undefined {
  const times = all
    .flatMap(({ token_reads }) => token_reads)
    .flatMap((read) => (read.status === status && read.last_at !== null ? [Date.parse(read.last_at)] : []))
  return times.length === 0 ? undefined : Math.max(...times)
}

export function refusedSignatures(facts: Replicas, now: number): Conclusion[] {
  // Too many nonces are no fault of a signature. failingTokenReads reports them as status 429.
  const recent = facts.replicas
    .flatMap(({ requests_refused }) => requests_refused)
    .flatMap((refusal) => {
      const at = refusal.last_at === null ? -Infinity : Date.parse(refusal.last_at)
      return refusal.detail !== 'nonce_memory_full' && now - at < RECENT_MS ? [{ ...refusal, at }] : []
    })
  if (recent.length === 0) return []
  const kinds = recent.map(({ detail, key_id }) => (key_id === '' ? detail : `${detail} (${key_id})`))
  const ofCallers = recent.filter(({ detail, key_id }) => key_id !== '' || DETAILS_OF_CALLERS.includes(detail))
  const many = ofCallers.reduce((sum, { count }) => sum + count, 0) >= MANY_REFUSALS
  const lastToken = lastRead(facts, 200)
  // A single wrong request, or a stranger, is not the reason why users cannot edit.
  const allRefused = many && Math.max(...ofCallers.map(({ at }) => at)) - (lastToken ?? -Infinity) > NO_TOKENS_MS
  const last =
    lastToken === undefined
      ? 'No token was handed out since the start of the replicas'
      : `The last token was handed out at ${new Date(lastToken).toISOString()}`
  return [
    ops(
      allRefused ? 'failed' : 'warning',
      `Requests were refused for their signature within the last ${RECENT_MS / 60_000} minutes: ` +
        `${[...new Set(kinds)].join(', ')}. ${last}.`,
      runbook('tokenbrokersignaturesrefused'),
    ),
  ]
}

/** Reads of a token that fail although no row says why. */
export function failingTokenReads(facts: Replicas, now: number): Conclusion[] {
  const callers = facts.replicas
    .flatMap(({ requests_forbidden }) => requests_forbidden)
    .filter(({ permission }) => permission === 'tokens:read')
    .map(({ caller }) => caller)
  const unreadable = facts.replicas.some(({ unreadable_values }) => unreadable_values.length > 0)
  const kinds = [
    {
      status: 403,
      cause: `${[...new Set(callers)].join(', ') || 'a caller'} lacks the permission tokens:read`,
      anchor: 'tokenbrokercallerforbidden',
    },
    { status: 429, cause: 'a caller sends more requests than its limit', anchor: 'tokenbrokerratelimited' },
    unreadable
      ? { status: 500, cause: 'a stored value does not open, or a defect', anchor: 'tokenbrokerunreadable' }
      : { status: 500, cause: 'a defect', anchor: 'tokenbrokererrors' },
  ]
  const lastToken = lastRead(facts, 200) ?? -Infinity
  return kinds.flatMap(({ status, cause, anchor }) => {
    const at = lastRead(facts, status)
    if (at === undefined || now - at >= RECENT_MS) return []
    const noneSince = at > lastToken
    const others = noneSince ? 'no token was handed out since then' : 'other reads got a token'
    return [
      ops(
        noneSince ? 'failed' : 'warning',
        `Token reads were answered with ${status}, last at ${new Date(at).toISOString()}; ${others}. Cause: ${cause}.`,
        runbook(anchor),
      ),
    ]
  })
}

type Group = NonNullable<FleetFacts['failures']>['groups'][number]

function failures({ failures: all }: FleetFacts): Conclusion[] {
  const recent = all?.groups.filter(({ last_day }) => last_day > 0) ?? []
  return [...Map.groupBy(recent, ({ reason }) => reason).values()]
    .map((groups) => ({ groups, count: groups.reduce((sum, { last_day }) => sum + last_day, 0) }))
    .sort((a, b) => b.count - a.count)
    .flatMap(({ groups, count }) => failuresOfReason(groups, count))
}

/** All groups have the same reason. `count`: users of the last day. */
function failuresOfReason(groups: readonly Group[], count: number): Conclusion[] {
  const [first] = groups
  if (first === undefined) return []
  const { reason, who_acts, advice, status } = first
  const tenants = [...new Set(groups.map(({ tenant_id }) => tenant_id ?? 'not known'))]
  const codes = [...new Set(groups.flatMap(({ aadsts }) => aadsts ?? []))].map((code) => `AADSTS${code}`).join(', ')
  const since = groups.flatMap(({ first_at }) => first_at ?? []).sort()[0]
  const message =
    `${count} ${count === 1 ? 'user' : 'users'} of ${tenants.length === 1 ? `tenant ${tenants[0]}` : `${tenants.length} tenants`}: ` +
    `${reason}${codes === '' ? '' : ` (${codes})`}${since === undefined ? '' : `, since ${since}`}.`
  const conclude = (result: Conclusion['result'], who: Conclusion['who_acts'], before = ''): Conclusion[] => [
    { result, who_acts: who, message, advice: `${before}${advice} ${runbook('refreshes-fail')}` },
  ]
  if (who_acts === 'nobody') return conclude(status === 'reconnect_required' ? 'failed' : 'warning', 'nobody')
  if (who_acts === 'ops') return conclude('failed', 'ops')
  if (count < MANY_USERS) return conclude('warning', who_acts)
  if (tenants.length > 1)
    return conclude(
      'failed',
      'ops',
      'Several organisations are concerned at once: check the app registration, and its audit log in Azure, first. ',
    )
  return conclude(
    'failed',
    'tenant_admin',
    who_acts === 'user' ? 'Many users of one organisation: its administrator has probably changed something. ' : '',
  )
}

function connectAttempts({ connect_attempts }: FleetFacts): Conclusion[] {
  if (connect_attempts === null) return []
  const count = (...states: string[]): number =>
    connect_attempts.filter(({ ended }) => states.includes(ended)).reduce((sum, group) => sum + group.count, 0)
  const connected = count('connected')
  const conclusions = connect_attempts.flatMap(({ ended, reason, count: refused }): Conclusion[] => {
    if (ended !== 'refused' || reason === null) return []
    // A reason of a newer release: what was refused can be tried again.
    const { who_acts, advice } = explain(reason, 'reconnect')
    if (who_acts !== 'ops' && refused < MANY_USERS) return []
    return [
      {
        result: who_acts === 'ops' ? 'failed' : 'warning',
        who_acts,
        message: `${refused} attempts to connect were refused within a day: ${reason}.`,
        advice: `${advice} ${runbook('a-user-cannot-connect')}`,
      },
    ]
  })
  const notCompleted = count('received', 'completing')
  if (notCompleted >= MANY_USERS && notCompleted > connected) {
    conclusions.push(
      ops(
        'failed',
        `${notCompleted} users came back from Microsoft within a day, and MEGDocs did not complete; ${connected} connected.`,
        `Check COMPLETION_URL and the log of MEGDocs; ${runbook('a-user-cannot-connect')}`,
      ),
    )
  }
  const notReturned = count('authorizing')
  if (notReturned >= MANY_USERS && notReturned > connected) {
    conclusions.push(
      ops(
        'warning',
        `${notReturned} users were sent to Microsoft within a day and did not come back; ${connected} connected.`,
        "Run token-broker doctor --public, and connect yourself: Microsoft's page shows the problem. " +
          runbook('a-user-cannot-connect'),
      ),
    )
  }
  return conclusions
}

function keepAlive({ keep_alive }: FleetFacts): Conclusion[] {
  const soon = keep_alive?.expires_within.find(({ days }) => days === 7)?.count ?? 0
  if (soon === 0) return []
  return [
    ops(
      'warning',
      `The refresh tokens of ${soon} integrations expire within 7 days: keep-alive is behind.`,
      runbook('tokenbrokerkeepalivebehind'),
    ),
  ]
}

/** Also if this doctor runs another release than the replicas: it may misread what they report. */
export function versions({ replicas: all }: Replicas): Conclusion[] {
  const answering = all.filter(({ problem }) => problem === null)
  const byVersion = Map.groupBy(answering, ({ version }) => version ?? 'not known')
  const known = new Set([...byVersion.keys(), VERSION])
  if (answering.length === 0 || known.size === 1) return []
  const lists = [...byVersion].map(([version, list]) => `${version}: ${list.map(({ address }) => address).join(', ')}`)
  return [
    ops(
      'warning',
      `There are different versions: ${lists.sort().join('; ')}; this doctor: ${VERSION}.`,
      'This is normal during a rollout. Otherwise check the image of the replicas, and run the doctor of their release.',
    ),
  ]
}

function noUsers({ integrations }: FleetFacts): Conclusion[] {
  if (integrations === null || integrations.active + integrations.reconnect_required > 0) return []
  return [
    ops(
      'warning',
      'No user is connected.',
      'This is right on the first day. Otherwise DATABASE_URL names the wrong database.',
    ),
  ]
}

/** Last: it says nothing about the cause, only that a part was not examined. */
function replicasUnknown({ replicas: all, replicas_configured }: FleetFacts): Conclusion[] {
  if (replicas_configured || all.some(({ problem }) => problem === null)) return []
  return [
    ops(
      'warning',
      `No replica was found: ${withProblem(all)}. The breaker and refused signatures are not known.`,
      'Set OPERATIONS_REPLICAS, or run this command on the machine of a replica.',
    ),
  ]
}
