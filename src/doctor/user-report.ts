import { since, span, type Conclusion } from './check.ts'
import { paragraph } from './lines.ts'
import type { UserFacts } from './user.ts'
import { STEPS } from './user-verdict.ts'

// One user in plain words, for a terminal. `now` in milliseconds.

export function userReport(
  { user_id, integration, connects, events }: UserFacts,
  verdict: Conclusion,
  now: number,
): string {
  return [
    `User ${user_id}`,
    ...(integration === null ? [line('status', 'not connected')] : integrationLines(integration, now)),
    ...paragraph(
      'connect attempts of the last day',
      connects.map((attempt) => `${since(attempt.created_at, now)}  ${attemptWords(attempt)}`),
    ),
    ...paragraph(
      'events of the last 90 days',
      events.map(
        ({ at, type, caller, reason, cause }) =>
          `${since(at, now)}  ${[type, reason, cause].filter(Boolean).join(', ')}, by ${caller}`,
      ),
    ),
    '',
    verdictLines(verdict),
  ].join('\n')
}

export function verdictLines({ result, who_acts, saw, todo }: Conclusion): string {
  return [
    `${result.padEnd(8)} ${saw}`,
    ...(who_acts === 'nobody' ? [] : [`         Who acts: ${WHO[who_acts]}`]),
    ...(todo === undefined ? [] : [`         What to do: ${todo}`]),
  ].join('\n')
}

const WHO = { user: 'the user', tenant_admin: "the user's Microsoft administrator", ops: 'ops', nobody: 'nobody' }
const line = (name: string, words: string): string => `  ${name.padEnd(14)} ${words}`

function integrationLines(integration: NonNullable<UserFacts['integration']>, now: number): string[] {
  const {
    status,
    generation,
    account,
    access_token,
    refresh_token,
    scopes,
    missing_scopes,
    failure,
    retry_at,
    lease,
    sealed,
  } = integration
  return [
    line('status', `${status}, generation ${generation}`),
    line(
      'account',
      account === null
        ? 'not known before the first refresh'
        : `${account.username ?? 'without a name'}, tenant ${account.tenant_id}, object ${account.object_id}`,
    ),
    line(
      'access token',
      access_token.seconds_left > 0
        ? `${span(access_token.seconds_left)} left`
        : `used up since ${since(access_token.expires_at, now)}`,
    ),
    line(
      'refresh token',
      refresh_token.days_left >= 0
        ? `dies in ${refresh_token.days_left} days if it is not used`
        : 'not used for more than 90 days: dead',
    ),
    line('connected', since(integration.connected_at, now)),
    line('refreshed', since(integration.refreshed_at, now)),
    line('last used', `${since(integration.last_used_at, now)}, by a refresh for a caller`),
    line(
      'permissions',
      `${scopes.join(' ')}${missing_scopes.length === 0 ? '' : `; missing: ${missing_scopes.join(' ')}`}`,
    ),
    line(
      'sealed',
      sealed
        .map(
          ({ column, key_id, opens, why }) =>
            `${column} under ${key_id || 'no key'} ${opens ? 'opens' : `DOES NOT OPEN (${why})`}`,
        )
        .join(', '),
    ),
    line(
      'refreshing',
      {
        free: 'nobody',
        held: 'a replica, right now',
        left_behind: 'a replica that never ended; the next one takes over',
      }[lease],
    ),
    ...(retry_at === null ? [] : [line('next try', since(retry_at, now))]),
    ...(failure === null ? [line('last failure', 'none')] : failureLines(failure, now)),
  ]
}

function failureLines(
  {
    reason,
    title,
    who_acts,
    advice,
    verdict,
    final,
    failures,
    since: from,
    at,
    microsoft,
  }: NonNullable<NonNullable<UserFacts['integration']>['failure']>,
  now: number,
): string[] {
  const words = {
    try_later: 'tried again by itself',
    reconnect: final ? 'final' : 'tried again: it may be cured elsewhere',
    misconfigured: 'our configuration',
  }[verdict]
  const { error, suberror, aadsts, trace_id, correlation_id, timestamp } = microsoft ?? {}
  const said = [error, suberror, aadsts === undefined ? undefined : `AADSTS${aadsts}`].filter(
    (part) => part !== undefined,
  )
  const ids = [
    ...(trace_id === undefined ? [] : [`trace ${trace_id}`]),
    ...(correlation_id === undefined ? [] : [`correlation ${correlation_id}`]),
    ...(timestamp === undefined ? [] : [timestamp]),
  ]
  return [
    line('last failure', `${reason}: ${title} (${words ?? verdict}; ${failures} in a row)`),
    ...(from === null ? [] : [line('  since', since(from, now))]),
    ...(at === null ? [] : [line('  last', since(at, now))]),
    line('  who acts', `${WHO[who_acts]}. ${advice}`),
    ...(said.length === 0 ? [] : [line('  Microsoft', said.join(', '))]),
    ...(ids.length === 0 ? [] : [line('  for support', ids.join(', '))]),
  ]
}

function attemptWords({
  caller,
  intent,
  status,
  open,
  refused,
  username,
  microsoft,
}: UserFacts['connects'][number]): string {
  const how =
    refused !== null
      ? `refused, ${refused.reason}`
      : status === 'connected'
        ? 'connected'
        : `${STEPS[status] ?? status}${open ? ', under way' : status === 'expired' || intent === 'manage' ? '' : ', ran out'}`
  const code = microsoft?.aadsts === undefined ? '' : `, AADSTS${microsoft.aadsts}`
  return `${intent}: ${how}${code}${username === null ? '' : `, as ${username}`}, begun by ${caller}`
}
