import type { Conclusion } from './check.ts'
import { instant, span } from './check.ts'
import type { UserFacts } from './user.ts'

// Who has to do what for one user: the worst first. Decides nothing that a caller is told; it explains what they were told.

type Integration = NonNullable<UserFacts['integration']>
type Attempt = UserFacts['connects'][number]

/** Days within which keep-alive should long have refreshed it: a refresh token lives 90 days, and the longest setting is 80. */
const TOO_LATE = 10

export function userVerdict(facts: UserFacts): Conclusion {
  const { integration } = facts
  if (integration === null) return notConnected(facts)
  const unreadable = integration.sealed.filter(({ opens }) => !opens)
  if (unreadable.length > 0) return cannotBeOpened(unreadable)
  if (integration.status === 'reconnect_required') return mustReconnect(integration, facts)
  if (integration.failure !== null) return failing(integration.failure, integration)
  if (integration.retry_at !== null) {
    return {
      result: 'warning',
      who_acts: 'ops',
      saw: `Refreshes are held back until ${integration.retry_at}, and nothing is wrong with this user: the breaker of a replica is open.`,
      todo: 'token-broker doctor --fleet',
    }
  }
  if (integration.missing_scopes.length > 0) {
    return {
      result: 'warning',
      who_acts: 'user',
      saw: `It works, but lacks ${integration.missing_scopes.join(' and ')}, which the product asks for today.`,
      todo: `The user connects again: ${facts.link}`,
    }
  }
  if (integration.refresh_token.days_left < TOO_LATE) {
    return {
      result: 'warning',
      who_acts: 'ops',
      saw: `Its refresh token dies in ${Math.max(0, integration.refresh_token.days_left)} days, and keep-alive should have used it long ago.`,
      todo: 'See docs/runbooks.md#tokenbrokerkeepalivebehind',
    }
  }
  const { seconds_left: left } = integration.access_token
  return {
    result: 'ok',
    who_acts: 'nobody',
    saw:
      left > 0
        ? "The broker hands out this user's token. If Graph refuses it, ask MEGDocs' log."
        : 'The access token is used up; the next read refreshes it.',
  }
}

function cannotBeOpened(unreadable: Integration['sealed']): Conclusion {
  const lacking = unreadable.filter(({ why }) => why === 'unknown_key').map(({ key_id }) => key_id)
  return {
    result: 'failed',
    who_acts: 'ops',
    saw: unreadable
      .map(
        ({ column, key_id, why }) =>
          `${column} does not open${key_id === '' ? '' : ` (key ${key_id})`}: ${why ?? 'unknown'}.`,
      )
      .join(' '),
    todo:
      lacking.length > 0
        ? `Put the key ${[...new Set(lacking)].join(', ')} back into SEALING_KEYS, behind the newest: docs/runbooks.md#tokenbrokerunreadable`
        : "The row was altered, or a key bears another one's id: docs/runbooks.md#tokenbrokerunreadable. If the value is lost, the user connects again.",
  }
}

function mustReconnect(integration: Integration, { link, connects }: UserFacts): Conclusion {
  const { failure } = integration
  const valid =
    integration.access_token.seconds_left > 0
      ? ` The present token is still handed out for ${span(integration.access_token.seconds_left)}.`
      : ''
  const open = underWay(connects)
  const saw = `Microsoft accepts this authorization no more: ${failure?.reason ?? 'no reason is stored'}.${valid}${open === undefined ? '' : ` ${open}`}`
  const who = failure?.who_acts ?? 'user'
  const advice = failure?.advice ?? 'Connect again.'
  if (who === 'user') return { result: 'failed', who_acts: who, saw, todo: `${advice} The user begins here: ${link}` }
  const after =
    failure?.final === true
      ? `; then the user connects again: ${link}`
      : '. Once it is cured, it works again within 15 minutes of a read, without a reconnect.'
  return {
    result: 'failed',
    who_acts: who,
    saw,
    todo: `${advice.replace(/\.$/, '')}${after} See docs/runbooks.md#refreshes-fail`,
  }
}

function failing(
  failure: NonNullable<Integration['failure']>,
  { access_token: { seconds_left: left }, retry_at }: Integration,
): Conclusion {
  const still =
    left > 0 ? `The present token is still handed out for ${span(left)}.` : 'No valid token is left: callers get 503.'
  const again =
    retry_at === null ? 'The next read tries again.' : `It is tried again from ${instant(Date.parse(retry_at))} on.`
  const saw = `The last refresh failed: ${failure.reason}. ${still} ${again}`
  if (failure.who_acts === 'nobody')
    return {
      result: 'warning',
      who_acts: 'nobody',
      saw,
      todo: `${failure.advice} Many users at once? token-broker doctor --fleet`,
    }
  return {
    result: 'failed',
    who_acts: failure.who_acts,
    saw,
    todo: `${failure.advice} See docs/runbooks.md#refreshes-fail`,
  }
}

function notConnected({ connects, events, link }: UserFacts): Conclusion {
  const [event] = events
  const gone =
    event?.type === 'disconnected'
      ? ` ${howGone(event)}`
      : event === undefined
        ? ' No event of the last 90 days names this user.'
        : ''
  const attempt = connects.find(({ intent }) => intent === 'connect')
  const tried =
    attempt === undefined ? ' There was no attempt to connect within the last day.' : ` ${lastAttempt(attempt)}`
  const ranOut = attempt !== undefined && !attempt.open && ['received', 'completing'].includes(attempt.status)
  if (ranOut) {
    return {
      result: 'failed',
      who_acts: 'ops',
      saw: `No Microsoft account is connected.${gone}${tried}`,
      todo: "MEGDocs did not complete in time: look at COMPLETION_URL and at MEGDocs' log, see docs/runbooks.md#a-user-cannot-connect",
    }
  }
  const who = attempt?.refused?.who_acts ?? 'user'
  const advice = attempt?.refused == null ? '' : `${attempt.refused.advice} `
  return {
    result: 'failed',
    who_acts: who === 'nobody' ? 'user' : who,
    saw: `No Microsoft account is connected.${gone}${tried}`,
    todo:
      attempt?.open === true
        ? 'The user goes on at Microsoft, or begins anew: ' + link
        : `${advice}The user begins here: ${link}`,
  }
}

function howGone({ at, caller, cause }: UserFacts['events'][number]): string {
  const who =
    caller === 'account-page'
      ? 'The user disconnected on the account page'
      : cause === 'unused'
        ? 'The broker let it go, because no caller had read it for LET_GO_AFTER_DAYS'
        : `${caller} disconnected the user`
  return `${who} on ${instant(Date.parse(at))}.`
}

/** Where an attempt stands, or stood when it ran out. */
export const STEPS: Record<string, string> = {
  created: 'the link was not opened',
  opened: 'the link was opened',
  authorizing: 'sent to Microsoft, and not back',
  received: 'back from Microsoft, and not completed by MEGDocs',
  completing: 'being completed',
  expired: 'ended before it was over',
}

function lastAttempt({ created_at: at, status, open, refused, microsoft }: Attempt): string {
  const when = instant(Date.parse(at))
  const code = microsoft?.aadsts === undefined ? '' : ` (AADSTS${microsoft.aadsts})`
  if (refused !== null) return `The last attempt, of ${when}, was refused: ${refused.reason}${code}.`
  if (status === 'connected') return `The last attempt, of ${when}, connected.`
  return `The last attempt, of ${when}: ${STEPS[status] ?? status}${open ? '; it is under way' : '; it ran out'}.`
}

const underWay = (connects: readonly Attempt[]): string | undefined => {
  const attempt = connects.find(({ open, intent }) => open && intent === 'connect')
  return attempt === undefined ? undefined : lastAttempt(attempt)
}
