import { explainReason, Failure, isReason, verdictOfCode, type Actor, type StoredVerdict } from '../core/failure.ts'
import type { StoredFailure } from '../core/integration.ts'
import type { Freeze } from '../core/freeze.ts'
import type { SealContext } from '../core/ports.ts'
import { keyIdOf } from '../crypto/vault.ts'
import {
  lastConnects,
  lastEvents,
  userDiagnostics,
  type ConnectDiagnostics,
  type EventDiagnostics,
  type UserDiagnostics,
} from '../db/diagnostics-user.ts'
import { texts } from '../texts/texts.ts'
import { microsoftFacts } from '../http/problem.ts'
import type { Services } from '../services.ts'
import { registrationOf, type RegistrationKind } from './registrations.ts'
import {
  conclusionText,
  formatAge,
  formatDuration,
  paragraph,
  WHO_ACTS,
  type Conclusion,
  type Finding,
} from './check.ts'

// What is known about one user, in the shape that `doctor --user … --json` prints, and as text. It holds no token.

/** Connect attempts and events that are shown. */
const MAX_SHOWN = 10
const DAY_SECONDS = 86_400

export type MicrosoftFacts = ReturnType<typeof microsoftFacts>

/** A reason in words, with the title that the user sees. */
export interface ExplainedReason {
  /** As stored; empty: the row has none. */
  reason: string
  title: string
  who_acts: Actor
  advice: string
}

export interface FreezeFacts {
  id: string
  scope: string
  value: string
  reason: string
  caller: string
  created_at: string
  expires_at: string | null
}

export const freezeFacts = ({ createdAt, expiresAt, ...freeze }: Freeze): FreezeFacts => ({
  ...freeze,
  created_at: createdAt,
  expires_at: expiresAt ?? null,
})

/** For a terminal. */
export const freezeLine = (freeze: FreezeFacts, now: number): string =>
  `${freeze.scope} ${freeze.value} since ${formatAge(freeze.created_at, now)}, by ${freeze.caller}: ${freeze.reason}` +
  (freeze.expires_at === null ? '' : `; ends ${formatAge(freeze.expires_at, now)}`)

export interface UserFacts {
  user_id: string
  integration: null | {
    id: string
    status: 'active' | 'reconnect_required'
    generation: number
    account: null | { tenant_id: string; object_id: string; username: string | null }
    access_token: { seconds_left: number; expires_at: string }
    /** Days until it expires if it is not used. */
    refresh_token: { days_left: number }
    connected_at: string
    refreshed_at: string
    last_used_at: string
    scopes: string[]
    missing_scopes: string[]
    excess_scopes: string[]
    /** The app registration that its tokens belong to; null: not recorded yet. */
    client_id: string | null
    registration: RegistrationKind
    failure:
      | null
      | (ExplainedReason & {
          verdict: string
          /** Only a reconnect helps; the broker does not retry. */
          final: boolean
          consecutive_failures: number
          /** When the failures began, if it is known, and the last one. */
          since: string | null
          at: string | null
          microsoft: MicrosoftFacts
        })
    /** Graph refused a token with a claims challenge that no refresh satisfied; the next connect asks for it. */
    challenge: null | (ExplainedReason & { seconds_left: number })
    /** The broker does not try before then. Without a failure: the breaker of a replica delayed a refresh. */
    retry_at: string | null
    /** `held`: a refresh is running. `expired`: a refresh never ended, and the next one takes over. */
    lease: 'free' | 'held' | 'expired'
    sealed: { column: 'access_token' | 'refresh_token'; key_id: string; opens: boolean; problem: string | null }[]
  }
  /** Whether anything can be stored; the names are those of plain doctor. */
  database: Record<'database_writable' | 'database_rights' | 'database_locks', Finding>
  /** Access is paused: no token is handed out. */
  freezes: FreezeFacts[]
  /** Of the last day, newest first. */
  connect_attempts: {
    id: string
    caller: string
    intent: string
    status: string
    /** It can still be completed. */
    open: boolean
    created_at: string
    expires_at: string
    refused: null | ExplainedReason
    /** The account that was chosen at Microsoft. */
    username: string | null
    microsoft: MicrosoftFacts
  }[]
  /** Newest first. */
  events: { at: string; type: string; caller: string; reason: string | null; cause: string | null }[]
  /** Where this user starts to connect. */
  connect_url: string
}

/** Throws Failure if the database does not answer. */
export async function userFacts(
  { database, vault, compareScopes, config, freezes }: Services,
  userId: string,
  databaseFindings: UserFacts['database'],
): Promise<UserFacts> {
  const [row, attempts, events] = await Promise.all([
    userDiagnostics(database, userId),
    lastConnects(database, userId, MAX_SHOWN),
    lastEvents(database, userId, MAX_SHOWN),
  ])
  const frozen = await freezes.ofPerson(userId, row?.tenantId ?? undefined)
  return {
    user_id: userId,
    database: databaseFindings,
    integration:
      row === undefined
        ? null
        : {
            id: row.id,
            status: row.status,
            generation: row.generation,
            account:
              row.tenantId === null || row.objectId === null
                ? null
                : { tenant_id: row.tenantId, object_id: row.objectId, username: row.username },
            access_token: { seconds_left: Math.max(0, Math.floor(row.remaining)), expires_at: row.expiresAt },
            refresh_token: { days_left: Math.floor(row.diesIn / DAY_SECONDS) },
            connected_at: row.connectedAt,
            refreshed_at: row.refreshedAt,
            last_used_at: row.lastUsedAt,
            scopes: row.scopes,
            missing_scopes: compareScopes(row.scopes).missing,
            excess_scopes: compareScopes(row.scopes).excess,
            client_id: row.clientId,
            registration: registrationOf(row.clientId, config.microsoft),
            failure: row.failure === null ? null : failureFacts(row.failure, row, events),
            challenge:
              row.challenge === null
                ? null
                : { ...explain(row.challenge.reason, 'reconnect'), seconds_left: Math.ceil(row.challenge.keptSeconds) },
            retry_at: (row.retryInSeconds ?? 0) > 0 ? row.retryAt : null,
            lease: row.leaseInSeconds === null ? 'free' : row.leaseInSeconds > 0 ? 'held' : 'expired',
            sealed: (['access_token', 'refresh_token'] as const).map((column) =>
              sealedFacts(vault, userId, row, column),
            ),
          },
    freezes: frozen.map(freezeFacts),
    connect_attempts: attempts.map(attemptFacts),
    events: events.map(({ at, type, caller, detail }) => ({
      at,
      type,
      caller,
      reason: detail.reason ?? null,
      cause: detail.cause ?? null,
    })),
    connect_url: config.entryUrls.connect,
  }
}

/** A stored reason in words. A reason that a newer release stored is explained by its verdict. */
export function explain(reason: string, verdict?: StoredVerdict): ExplainedReason {
  const { whoActs, advice } = explainReason(reason, verdict)
  const title = isReason(reason) ? texts.en.reasons[reason].title : 'A reason that this release does not know'
  return { reason, title, who_acts: whoActs, advice }
}

function failureFacts(
  failure: StoredFailure,
  { status, failures }: UserDiagnostics,
  events: readonly EventDiagnostics[],
) {
  // The row has the last failure. The events have the time at which the integration stopped working.
  const stoppedAt =
    status === 'reconnect_required' ? events.find(({ type }) => type === 'reconnect_required')?.at : undefined
  return {
    ...explain(failure.reason, failure.verdict),
    verdict: failure.verdict,
    final: failure.final,
    consecutive_failures: failures,
    since: stoppedAt ?? failure.since ?? (failures === 1 ? failure.at : undefined) ?? null,
    at: failure.at ?? null,
    microsoft: microsoftFacts(failure.microsoft ?? {}),
  }
}

function sealedFacts(
  vault: Services['vault'],
  userId: string,
  row: UserDiagnostics,
  column: 'access_token' | 'refresh_token',
) {
  const context: SealContext = { table: 'oauth2_integration', column, provider: 'microsoft', userId, recordId: row.id }
  const sealed = column === 'access_token' ? row.accessToken : row.refreshToken
  const key_id = keyIdOf(sealed) ?? ''
  try {
    vault.open(context, sealed)
    return { column, key_id, opens: true, problem: null }
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    return { column, key_id, opens: false, problem: error.facts.detail ?? error.code }
  }
}

function attemptFacts({
  id,
  caller,
  intent,
  status,
  outcome,
  createdAt,
  expiresAt,
  expired,
}: ConnectDiagnostics): UserFacts['connect_attempts'][number] {
  const ended = ['connected', 'refused', 'expired'].includes(status)
  return {
    id,
    caller,
    intent,
    status,
    open: !ended && !expired,
    created_at: createdAt,
    expires_at: expiresAt,
    refused: outcome?.result === 'refused' ? explain(outcome.reason ?? '', verdictOfCode(outcome.code)) : null,
    username: outcome?.account?.username ?? null,
    microsoft: microsoftFacts(outcome?.microsoft ?? {}),
  }
}

/** Where a connect attempt is, or was when it expired. */
export const STEPS: Readonly<Record<string, string>> = {
  created: 'the link was not opened',
  opened: 'the link was opened',
  authorizing: 'sent to Microsoft and not back',
  received: 'back from Microsoft and not completed by MEGDocs',
  completing: 'being completed',
  expired: 'cancelled before it was completed',
}

/** For a terminal. `now` in milliseconds. */
export function userText(
  { user_id, database, integration, freezes, connect_attempts, events }: UserFacts,
  conclusion: Conclusion,
  now: number,
): string {
  return [
    `User ${user_id}`,
    ...Object.values(database)
      .filter(({ result }) => result === 'failed')
      .map(({ message }) => line('DATABASE', message)),
    ...freezes.map((freeze) => line('FROZEN', freezeLine(freeze, now))),
    ...(integration === null ? [line('status', 'not connected')] : integrationLines(integration, now)),
    ...paragraph(
      'connect attempts of the last day',
      connect_attempts.map((attempt) => `${formatAge(attempt.created_at, now)}  ${attemptLine(attempt)}`),
    ),
    ...paragraph(
      'events of the last 90 days',
      events.map(
        ({ at, type, caller, reason, cause }) =>
          `${formatAge(at, now)}  ${[type, reason, cause].filter(Boolean).join(', ')}, by ${caller}`,
      ),
    ),
    '',
    conclusionText(conclusion),
  ].join('\n')
}

const REGISTRATIONS = {
  current: 'current',
  previous: 'in MICROSOFT_PREVIOUS_CLIENTS',
  unknown: 'NOT CONFIGURED: it cannot be refreshed',
} as const

const line = (name: string, words: string): string => `  ${name.padEnd(14)} ${words}`

function integrationLines(integration: NonNullable<UserFacts['integration']>, now: number): string[] {
  const { account, access_token, refresh_token, scopes, missing_scopes, excess_scopes } = integration
  const { client_id, registration, failure, challenge, retry_at, lease, sealed } = integration
  const named = (name: string, list: readonly string[]) => (list.length === 0 ? '' : `; ${name}: ${list.join(' ')}`)
  const sealedWords = sealed.map(
    ({ column, key_id, opens, problem }) =>
      `${column} with ${key_id || 'no key'} ${opens ? 'opens' : `DOES NOT OPEN (${problem})`}`,
  )
  return [
    line('status', `${integration.status}, generation ${integration.generation}`),
    line(
      'account',
      account === null
        ? 'not known before the first refresh'
        : `${account.username ?? 'without a name'}, tenant ${account.tenant_id}, object ${account.object_id}`,
    ),
    line(
      'access token',
      access_token.seconds_left > 0
        ? `${formatDuration(access_token.seconds_left)} left`
        : `expired ${formatAge(access_token.expires_at, now)}`,
    ),
    line(
      'refresh token',
      refresh_token.days_left >= 0
        ? `expires in ${refresh_token.days_left} days if it is not used`
        : 'expired: not used for more than 90 days',
    ),
    line('connected', formatAge(integration.connected_at, now)),
    line('refreshed', formatAge(integration.refreshed_at, now)),
    line('last used', `${formatAge(integration.last_used_at, now)}, by a refresh for a caller`),
    line('permissions', `${scopes.join(' ')}${named('missing', missing_scopes)}${named('not needed', excess_scopes)}`),
    ...(client_id === null ? [] : [line('registration', `${client_id} (${REGISTRATIONS[registration]})`)]),
    line('sealed', sealedWords.join(', ')),
    line(
      'refresh lease',
      {
        free: 'free',
        held: 'held: a replica is refreshing now',
        expired: 'expired: a refresh never ended, and the next one takes over',
      }[lease],
    ),
    ...(challenge === null
      ? []
      : [
          line(
            'challenge',
            `${challenge.reason}: ${challenge.title} (Graph refused a token; a connect within ${formatDuration(challenge.seconds_left)} asks for it)`,
          ),
        ]),
    ...(retry_at === null ? [] : [line('next try', formatAge(retry_at, now))]),
    ...(failure === null ? [line('last failure', 'none')] : failureLines(failure, now)),
  ]
}

function failureLines(failure: NonNullable<NonNullable<UserFacts['integration']>['failure']>, now: number): string[] {
  const { reason, title, who_acts, advice, verdict, final, consecutive_failures, since, at, microsoft } = failure
  const meanings: Readonly<Record<string, string>> = {
    try_later: 'the broker retries automatically',
    reconnect: final ? 'final' : 'the broker retries, because somebody else may correct it',
    misconfigured: "the broker's configuration",
  }
  const { error, suberror, aadsts, trace_id, correlation_id, timestamp } = microsoft
  const codes = [error, suberror, aadsts === undefined ? undefined : `AADSTS${aadsts}`].filter(
    (part) => part !== undefined,
  )
  const ids = [
    ...(trace_id === undefined ? [] : [`trace ${trace_id}`]),
    ...(correlation_id === undefined ? [] : [`correlation ${correlation_id}`]),
    ...(timestamp === undefined ? [] : [timestamp]),
  ]
  return [
    line(
      'last failure',
      `${reason}: ${title} (${meanings[verdict] ?? verdict}; consecutive failures: ${consecutive_failures})`,
    ),
    ...(since === null ? [] : [line('  since', formatAge(since, now))]),
    ...(at === null ? [] : [line('  last', formatAge(at, now))]),
    line('  who acts', `${WHO_ACTS[who_acts]}. ${advice}`),
    ...(codes.length === 0 ? [] : [line('  Microsoft', codes.join(', '))]),
    ...(ids.length === 0 ? [] : [line('  for support', ids.join(', '))]),
  ]
}

function attemptLine({
  caller,
  intent,
  status,
  open,
  refused,
  username,
  microsoft,
}: UserFacts['connect_attempts'][number]): string {
  const state = open ? ', still open' : status === 'expired' || intent === 'manage' ? '' : ', expired'
  const result =
    refused !== null
      ? `refused, ${refused.reason}`
      : status === 'connected'
        ? 'connected'
        : `${STEPS[status] ?? status}${state}`
  const code = microsoft.aadsts === undefined ? '' : `, AADSTS${microsoft.aadsts}`
  return `${intent}: ${result}${code}${username === null ? '' : `, as ${username}`}, started by ${caller}`
}
