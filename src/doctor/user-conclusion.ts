import { formatDuration, formatTime, type Conclusion, type Finding } from './check.ts'
import { STEPS, type UserFacts } from './user.ts'

// Who must do what for one user. The most serious problem comes first.

type Integration = NonNullable<UserFacts['integration']>
type Attempt = UserFacts['connect_attempts'][number]

/**
 * A refresh token expires after 90 days without use. Keep-alive uses it after 80 at the latest, so this is too late.
 */
const KEEP_ALIVE_LATE_DAYS = 10

export function userConclusion(facts: UserFacts): Conclusion {
  const { integration, freezes } = facts
  const [freeze] = freezes
  if (freeze !== undefined) {
    return {
      result: 'failed',
      who_acts: 'ops',
      message: `Access is paused by a freeze (${freeze.scope}): no token of this user is handed out. Nothing was deleted.`,
      advice: `If the cause is over: token-broker unfreeze --id ${freeze.id} --apply. See docs/runbooks.md#freeze`,
    }
  }
  const broken = Object.values(facts.database).filter(({ result }) => result === 'failed')
  if (broken.length > 0) return notWritable(broken, integration)
  if (integration === null) return notConnected(facts)
  const unreadable = integration.sealed.filter(({ opens }) => !opens)
  if (unreadable.length > 0) return cannotBeOpened(unreadable)
  if (integration.status === 'reconnect_required') return mustReconnect(integration, facts)
  if (integration.registration === 'unknown') return ofUnknownRegistration(integration.client_id)
  if (integration.failure !== null) return failing(integration.failure, integration)
  if (integration.retry_at !== null) {
    return {
      result: 'warning',
      who_acts: 'ops',
      message: `The breaker of a replica delayed the refresh until ${integration.retry_at}. There is no problem with this user.`,
      advice: 'token-broker doctor --fleet',
    }
  }
  if (integration.challenge !== null) {
    const { reason, who_acts, advice } = integration.challenge
    return {
      result: 'warning',
      who_acts,
      message: `The connection works, but Graph refused a token of this user, and Microsoft wants more for it: ${reason}.`,
      advice: who_acts === 'user' ? `${advice} The user starts here: ${facts.connect_url}` : advice,
    }
  }
  if (integration.missing_scopes.length > 0) {
    return {
      result: 'warning',
      who_acts: 'user',
      message: `The connection works, but lacks ${integration.missing_scopes.join(' and ')}, which the product needs now.`,
      advice: `The user connects again: ${facts.connect_url}`,
    }
  }
  if (integration.refresh_token.days_left < KEEP_ALIVE_LATE_DAYS) {
    return {
      result: 'warning',
      who_acts: 'ops',
      message:
        `The refresh token expires in ${Math.max(0, integration.refresh_token.days_left)} days. Keep-alive should have ` +
        'used it long ago.',
      advice: 'See docs/runbooks.md#tokenbrokerkeepalivebehind',
    }
  }
  return {
    result: 'ok',
    who_acts: 'nobody',
    message:
      integration.access_token.seconds_left > 0
        ? "The broker hands out this user's token. If Graph refuses it, look in the log of MEGDocs."
        : 'The access token has expired. The next read refreshes it.',
  }
}

function ofUnknownRegistration(clientId: string | null): Conclusion {
  return {
    result: 'failed',
    who_acts: 'ops',
    message: `This integration belongs to the app registration ${clientId ?? ''}, which is not configured: it cannot be refreshed.`,
    advice: `Add ${clientId ?? 'it'} to MICROSOFT_PREVIOUS_CLIENTS. See docs/runbooks.md#move-to-another-registration`,
  }
}

/** No user can connect, and no token is refreshed: what the row says comes after that. */
function notWritable(findings: readonly Finding[], integration: UserFacts['integration']): Conclusion {
  const left = integration?.access_token.seconds_left ?? 0
  const token =
    integration === null
      ? 'This user cannot connect until then.'
      : left > 0
        ? `The present token may be handed out for ${formatDuration(left)} more; it cannot be refreshed.`
        : 'The access token has expired and cannot be refreshed: callers get 503.'
  return {
    result: 'failed',
    who_acts: 'ops',
    message: `${findings.map(({ message }) => message).join(' ')} ${token}`,
    advice: [...new Set(findings.flatMap(({ advice }) => advice ?? []))].join(' '),
  }
}

function cannotBeOpened(unreadable: Integration['sealed']): Conclusion {
  const lackingKeys = unreadable.filter(({ problem }) => problem === 'unknown_key').map(({ key_id }) => key_id)
  return {
    result: 'failed',
    who_acts: 'ops',
    message: unreadable
      .map(
        ({ column, key_id, problem }) =>
          `${column} does not open${key_id === '' ? '' : ` (key ${key_id})`}: ${problem ?? 'unknown'}.`,
      )
      .join(' '),
    advice:
      lackingKeys.length > 0
        ? `Add the key ${[...new Set(lackingKeys)].join(', ')} to SEALING_KEYS, after the newest: ` +
          'docs/runbooks.md#tokenbrokerunreadable'
        : 'The row was changed outside the broker, or another key has the same id: docs/runbooks.md#tokenbrokerunreadable. ' +
          'If the value is lost, the user connects again.',
  }
}

function mustReconnect(integration: Integration, { connect_url, connect_attempts }: UserFacts): Conclusion {
  const { failure, access_token } = integration
  const message = [
    `Microsoft no longer accepts this authorization: ${failure?.reason ?? 'no reason is stored'}.`,
    ...(access_token.seconds_left > 0
      ? [`The present token is handed out for ${formatDuration(access_token.seconds_left)} more.`]
      : []),
    ...connect_attempts
      .filter(({ open, intent }) => open && intent === 'connect')
      .slice(0, 1)
      .map(attemptSentence),
  ].join(' ')
  const who = failure?.who_acts ?? 'user'
  const advice = failure?.advice ?? 'Connect again.'
  if (who === 'user')
    return { result: 'failed', who_acts: who, message, advice: `${advice} The user starts here: ${connect_url}` }
  const after =
    failure?.final === true
      ? `Then the user connects again: ${connect_url}`
      : 'When that is done, the connection works again within 15 minutes of a read, without a reconnect.'
  return { result: 'failed', who_acts: who, message, advice: `${advice} ${after} See docs/runbooks.md#refreshes-fail` }
}

function failing(
  { reason, who_acts, advice }: NonNullable<Integration['failure']>,
  { access_token: { seconds_left: left }, retry_at }: Integration,
): Conclusion {
  const token =
    left > 0
      ? `The present token is handed out for ${formatDuration(left)} more.`
      : 'There is no valid token: callers get 503.'
  const retry =
    retry_at === null
      ? 'The next read tries again.'
      : `The broker does not try again before ${formatTime(Date.parse(retry_at))}.`
  const message = `The last refresh failed: ${reason}. ${token} ${retry}`
  if (who_acts === 'nobody')
    return {
      result: 'warning',
      who_acts,
      message,
      advice: `${advice} If many users are concerned: token-broker doctor --fleet`,
    }
  return { result: 'failed', who_acts, message, advice: `${advice} See docs/runbooks.md#refreshes-fail` }
}

function notConnected({ connect_attempts, events, connect_url }: UserFacts): Conclusion {
  const [event] = events
  const attempt = connect_attempts.find(({ intent }) => intent === 'connect')
  const message = [
    'No Microsoft account is connected.',
    ...(event === undefined
      ? ['No event of the last 90 days names this user.']
      : event.type === 'disconnected'
        ? [disconnectSentence(event)]
        : []),
    attempt === undefined ? 'There was no attempt to connect within the last day.' : attemptSentence(attempt),
  ].join(' ')
  if (attempt !== undefined && !attempt.open && ['received', 'completing'].includes(attempt.status)) {
    return {
      result: 'failed',
      who_acts: 'ops',
      message,
      advice:
        'MEGDocs did not complete in time. Check COMPLETION_URL and the log of MEGDocs: ' +
        'docs/runbooks.md#a-user-cannot-connect',
    }
  }
  const who = attempt?.refused?.who_acts ?? 'user'
  const advice = attempt?.refused == null ? '' : `${attempt.refused.advice} `
  return {
    result: 'failed',
    who_acts: who === 'nobody' ? 'user' : who,
    message,
    advice:
      attempt?.open === true
        ? `The user continues at Microsoft, or starts again: ${connect_url}`
        : `${advice}The user starts here: ${connect_url}`,
  }
}

function disconnectSentence({ at, caller, cause }: UserFacts['events'][number]): string {
  const when = formatTime(Date.parse(at))
  if (caller === 'account-page') return `The user disconnected on the account page on ${when}.`
  if (cause === 'unused')
    return `The broker deleted the connection on ${when}: no caller had read it for LET_GO_AFTER_DAYS.`
  return `${caller} disconnected the user on ${when}.`
}

function attemptSentence({ created_at, status, open, refused, microsoft }: Attempt): string {
  const attempt = `The last attempt (${formatTime(Date.parse(created_at))})`
  const code = microsoft.aadsts === undefined ? '' : ` (AADSTS${microsoft.aadsts})`
  if (refused !== null) return `${attempt} was refused: ${refused.reason}${code}.`
  if (status === 'connected') return `${attempt} succeeded.`
  return `${attempt}: ${STEPS[status] ?? status}; it ${open ? 'is still open' : 'has expired'}.`
}
