import { since, type Conclusion } from './check.ts'
import type { FleetFacts } from './fleet.ts'
import { paragraph, table } from './lines.ts'
import type { ReplicaFacts } from './replicas.ts'
import { verdictLines } from './user-report.ts'
import { STEPS } from './user-verdict.ts'

// All users in plain words, for a terminal. `now` in milliseconds.

/** Groups of failures that are shown; --json has more. */
const SHOWN = 20

export function fleetReport(
  facts: FleetFacts,
  [verdict, ...others]: readonly [Conclusion, ...Conclusion[]],
  now: number,
): string {
  const { integrations, refreshes, keep_alive: keepAlive, sealed, connects, events, replicas } = facts
  const n = (values: number | undefined): string => (values === undefined ? 'not known' : String(values))
  return [
    ...paragraph(
      'database',
      Object.entries(facts.database).map(
        ([name, { result, saw }]) => `${result.padEnd(8)} ${name.replaceAll('_', ' ')}: ${saw.replaceAll('\n', ' ')}`,
      ),
    ),
    ...paragraph('integrations', [
      `active ${n(integrations?.active)}, reconnect required ${n(integrations?.reconnect_required)}`,
      ...(refreshes === null
        ? []
        : [
            `last refreshed ${refreshes.last_at === null ? 'never' : since(refreshes.last_at, now)}${refreshes.oldest_days === null ? '' : `; the oldest was refreshed ${refreshes.oldest_days} days ago`}`,
          ]),
      ...(keepAlive === null
        ? []
        : [
            `due for keep-alive (${keepAlive.after_days} days) ${keepAlive.due}; would die unused ${keepAlive.dies_within.map(({ days, count }) => `within ${days} days ${count}`).join(', ')}`,
          ]),
      ...(sealed === null
        ? []
        : [
            `sealed values ${sealed.keys.map(({ key_id, values, held }) => `${values} under ${key_id || 'no key'}${held ? '' : ' (NOT HELD)'}`).join(', ') || 'none'}${sealed.complete ? '' : `, in the first ${sealed.rows} rows`}`,
          ]),
    ]),
    ...failureLines(facts, now),
    ...paragraph(
      'connect attempts of the last day',
      connects === null
        ? ['not known']
        : connects.map(
            ({ ended, reason, count, last_at: at }) =>
              `${count}  ${reason ?? { connected: 'connected', open: 'under way', expired: 'ended before they were over' }[ended] ?? `ran out: ${STEPS[ended] ?? ended}`}, last ${since(at, now)}`,
          ),
    ),
    ...paragraph(
      'events of the last hour, of the last day',
      events === null
        ? ['not known']
        : events.map(({ type, last_hour, last_day }) => `${type} ${last_hour}, ${last_day}`),
    ),
    ...paragraph(
      facts.replicas_told ? `replicas` : "replicas (this machine's only: OPERATIONS_REPLICAS is not set)",
      replicas.flatMap((replica) => replicaLines(replica, now)),
    ),
    '',
    ...(others.length === 0 ? [] : ['Also seen', ...others.map(verdictLines), '']),
    'Verdict',
    verdictLines(verdict),
  ].join('\n')
}

function failureLines({ failures }: FleetFacts, now: number): string[] {
  if (failures === null) return paragraph('failures', ['not known'])
  const shown = failures.list.slice(0, SHOWN)
  const rows = shown.map(({ count, reason, aadsts, tenant_id, who_acts, status, first_at, last_at }) => [
    String(count),
    `${reason}${aadsts === null ? '' : ` AADSTS${aadsts}`}`,
    status,
    `tenant ${tenant_id ?? 'not known'}`,
    `${who_acts} acts`,
    first_at === null || last_at === null
      ? 'since when is not known'
      : `${since(first_at, now)} to ${since(last_at, now)}`,
  ])
  const advice = new Map(shown.map((group) => [group.reason, group.advice]))
  return [
    ...paragraph('failures, those of the last day first', table(rows)),
    ...(failures.groups > shown.length ? [`    … and ${failures.groups - shown.length} groups more`] : []),
    ...[...advice].map(([reason, words]) => `    ${reason}: ${words}`),
  ]
}

function replicaLines(
  {
    address,
    problem,
    ready,
    database,
    breaker,
    started_at: from,
    refused,
    tokens,
    forbidden,
    unreadable,
  }: ReplicaFacts,
  now: number,
): string[] {
  if (problem !== null) return [`${address}  NO ANSWER: ${problem}`]
  const reads = tokens.map(({ status, count }) => `${count} × ${status}`).join(', ') || 'none'
  return [
    `${address}  ${ready === true ? 'ready' : 'NOT READY'}, database ${database ?? 'not known'}, breaker ${breaker?.state ?? 'not known'}${breaker?.reason == null ? '' : ` (${breaker.reason})`}`,
    `  since ${from === null ? 'its start' : since(from, now)}: reads of a token ${reads}`,
    ...refused.map(
      ({ detail, key_id, count, last_at: at }) =>
        `  refused ${count} × ${detail}${key_id === '' ? '' : ` (${key_id})`}${at === null ? '' : `, last ${since(at, now)}`}`,
    ),
    ...forbidden.map(({ caller, permission, count }) => `  refused ${count} × ${caller} lacks ${permission}`),
    ...unreadable.map(({ detail, count }) => `  stored values that did not open ${count} × ${detail}`),
  ]
}
