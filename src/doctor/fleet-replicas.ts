import { ops, type Conclusion } from './check.ts'
import { databaseAdvice, DATABASE_PROBLEMS, type DatabaseProblemKind } from './database-problems.ts'
import type { FleetFacts } from './fleet.ts'
import { LOG_ADVICE, REFUSED_CHANGE_ADVICE, refusedChangeLines, withoutLog } from './replicas.ts'

// Conclusions about what single replicas say of themselves (fleet-conclusions.ts has the others).

type Replicas = Pick<FleetFacts, 'replicas'>

/** Before `replicas`, which says only that such a replica is not ready. */
export function blockedLog({ replicas: all }: Replicas): Conclusion[] {
  const blocked = withoutLog(all)
  if (blocked.length === 0) return []
  const serving = all.some(({ problem, ready }) => problem === null && ready === true)
  const list = blocked.map(({ address, log }) => `${address} (${log})`).join(', ')
  return [
    ops(
      serving ? 'warning' : 'failed',
      `These replicas cannot write audit lines to their log: ${list}. ` +
        'They hand out no token, unless AUDIT is best-effort.',
      LOG_ADVICE,
    ),
  ]
}

export function refusedChanges({ replicas: all }: Replicas): Conclusion[] {
  const lines = refusedChangeLines(all)
  if (lines.length === 0) return []
  return [
    ops(
      'warning',
      `Changed files are not used, because the next start would fail with them: ${lines.join('; ')}.`,
      REFUSED_CHANGE_ADVICE,
    ),
  ]
}

/** Problems that concern everybody; the others may concern one row or one moment. */
const OF_EVERYBODY: readonly string[] = ['unreachable', 'login', 'read_only', 'disk_full', 'rights']

const isKnownKind = (kind: string): kind is DatabaseProblemKind => Object.hasOwn(DATABASE_PROBLEMS, kind)

/** What the replicas say about the database. One conclusion for each kind. */
export function databaseProblems({ replicas: all }: Replicas): Conclusion[] {
  const seen = all.flatMap(({ address, database_problems }) =>
    database_problems.map(({ kind, message }) => ({ address, kind, message })),
  )
  return [...Map.groupBy(seen, ({ kind }) => kind)].map(([kind, list]) =>
    ops(
      OF_EVERYBODY.includes(kind) ? 'failed' : 'warning',
      `${list[0]!.message} Seen by ${list.map(({ address }) => address).join(', ')}.`,
      databaseAdvice(isKnownKind(kind) ? kind : 'other'),
    ),
  )
}

/** Counts are since the start of a replica, so only their last time says whether they are news. */
const RECENT_MS = 900_000
/** Of token reads, fleet-conclusions.ts explains it. */
const EXPLAINED = { route: '/tokens/:userId', status: 500 }

/**
 * Requests of users that were answered with 5xx: connects, refreshes, reads, pages. Failed, if none of that route has
 * succeeded since at any replica.
 */
export function failedRequests({ replicas: all }: Replicas, now: number): Conclusion[] {
  const recent = all
    .flatMap(({ failed_requests }) => failed_requests)
    .filter(
      ({ route, status, last_at }) =>
        !(route === EXPLAINED.route && status === EXPLAINED.status) &&
        last_at !== null &&
        now - Date.parse(last_at) < RECENT_MS,
    )
  return [...Map.groupBy(recent, ({ method, route, status }) => `${method} ${route} with ${status}`)].map(
    ([what, list]) => {
      const last = Math.max(...list.map(({ last_at }) => Date.parse(last_at!)))
      const succeeded = all
        .flatMap(({ succeeded_requests }) => succeeded_requests)
        .filter(({ method, route }) => method === list[0]!.method && route === list[0]!.route)
        .map(({ last_at }) => Date.parse(last_at ?? ''))
      const count = list.reduce((sum, one) => sum + one.count, 0)
      const noneSince = !succeeded.some((at) => at > last)
      return ops(
        noneSince ? 'failed' : 'warning',
        `Requests failed: ${count} × ${what}, last at ${new Date(last).toISOString()}; ` +
          (noneSince ? 'none of them has succeeded since.' : 'others have succeeded since.'),
        'The log says why, by request_id. See docs/runbooks.md#tokenbrokererrors',
      )
    },
  )
}

/** Ranked after faults of many users: the count stays until the replicas restart, even if one edited row caused it. */
export function unreadableValues({ replicas: all }: Replicas): Conclusion[] {
  const values = all.flatMap(({ unreadable_values }) => unreadable_values)
  if (values.length === 0) return []
  const count = values.reduce((sum, one) => sum + one.count, 0)
  const details = [...new Set(values.map(({ detail }) => detail))].join(', ')
  return [
    ops(
      'failed',
      `Stored values could not be opened (${details}): ${count} times since the start of the replicas. Their users get ` +
        'token_unreadable.',
      `token-broker doctor --user <id> for one of these users; docs/runbooks.md#tokenbrokerunreadable`,
    ),
  ]
}

/** A signature is refused with `clock_skew` if the clocks differ by more (src/signature/verify.ts). */
const MAX_CLOCK_DIFFERENCE_SECONDS = 5

/** Plain doctor compares the clock of its own machine with those of Microsoft and Postgres. */
export function clocks({ replicas: all }: Replicas): Conclusion[] {
  const wrong = all.filter(
    ({ clock_ahead_seconds: ahead }) => ahead !== null && Math.abs(ahead) > MAX_CLOCK_DIFFERENCE_SECONDS,
  )
  if (wrong.length === 0) return []
  const list = wrong.map(({ address, clock_ahead_seconds: ahead }) => {
    const seconds = Math.abs(ahead!)
    return `${address} is ${seconds} s ${ahead! > 0 ? 'ahead' : 'behind'}`
  })
  return [
    ops(
      'warning',
      `The clocks of replicas differ from the clock of this machine: ${list.join(', ')}.`,
      'Synchronise the nodes with NTP. token-broker doctor says which clock is right: it compares with Microsoft and Postgres.',
    ),
  ]
}

/** One user in two may be refused while the other registration works. */
export function previousBreakers({ replicas: all }: Replicas): Conclusion[] {
  const open = all.flatMap((replica) => replica.previous_breakers.filter(({ mode }) => mode === 'open'))
  return [...new Set(open.map(({ client_id }) => client_id))].map((clientId) => {
    const mine = open.filter(({ client_id }) => client_id === clientId)
    const reason = mine[0]!.reason || 'not known'
    return ops(
      'failed',
      `${mine.length} of ${all.length} replicas refresh no tokens of the earlier app registration ${clientId} (${reason}). ` +
        'Users of the current one are not concerned.',
      `Look at its credential in MICROSOFT_PREVIOUS_CLIENTS with token-broker doctor. See docs/runbooks.md#move-to-another-registration.`,
    )
  })
}
