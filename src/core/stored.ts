import { CANARY_STEPS, type CanaryFault } from './canary.ts'
import type { KeptChallenge } from './claims.ts'
import type { EventDetail } from './events.ts'
import {
  FAILURE_CODES,
  STORED_VERDICTS,
  type AnyReason,
  type FailureCode,
  type MicrosoftError,
  type StoredVerdict,
} from './failure.ts'
import { ACCOUNT_KINDS, type Account, type IntegrationStatus, type StoredFailure } from './integration.ts'
import type { ConnectIntent, ConnectOutcome, ConnectSessionStatus } from './ports.ts'

// Reads what is stored as JSON or as a word. A newer release may have written values that this release does not know,
// and a person may have changed a row by hand. Nothing here throws: a word that is not known is kept where it is only
// shown, and everything else gets the safe default that its function names (docs/design.md#tables).

/** The columns that are read here. */
export type StoredColumn =
  | 'oauth2_integration.failure'
  | 'oauth2_integration.challenge'
  | 'connect_session.outcome'
  | 'event.detail'
  | 'event.type'
  | 'browser_session.data'

/** Called for a value whose form no release writes. The value itself is not passed on: it may hold anything. */
export type OnMalformed = (column: StoredColumn) => void

/** Shown in place of a word that does not have the form of one. */
export const UNKNOWN_WORD = 'unknown'

const WORD = /^[a-z][a-z0-9_]{0,63}$/
/** As Microsoft writes error words (microsoft/answer.ts). */
const MICROSOFT_WORD = /^[A-Za-z0-9_.-]{1,64}$/
const GUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i
const MICROSOFT_TIME = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ$/
const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?Z$/
// oxlint-disable-next-line no-control-regex -- exactly those are kept out
const NAME = /^[^\x00-\x1f\x7f]{1,256}$/
const FROZEN_VALUE = /^[\x21-\x7e]{1,128}$/
/** Characters of a claims challenge (microsoft/answer.ts stores no longer one). */
const MAX_CLAIMS = 4096

type Fields = Readonly<Record<string, unknown>>

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

const matching =
  (pattern: RegExp) =>
  (value: unknown): string | undefined =>
    typeof value === 'string' && pattern.test(value) ? value : undefined

const word = matching(WORD)
const instant = (value: unknown): string | undefined => {
  const text = matching(INSTANT)(value)
  return text === undefined || Number.isNaN(Date.parse(text)) ? undefined : text
}
const positiveInteger = (value: unknown): number | undefined =>
  typeof value === 'number' && Number.isSafeInteger(value) && value > 0 ? value : undefined
const oneOf =
  <T extends string>(known: readonly T[]) =>
  (value: unknown): T | undefined =>
    known.find((one) => one === value)

/**
 * Reads members of one object. A member that is absent or null is left out; so is a malformed one, which is reported.
 */
function membersOf(fields: Fields, onMalformed: () => void) {
  return <K extends string, T>(
    name: string,
    key: K,
    read: (value: unknown) => T | undefined,
  ): Partial<Record<K, T>> => {
    const value = fields[name]
    if (value === undefined || value === null) return {}
    const found = read(value)
    if (found === undefined) onMalformed()
    return found === undefined ? {} : ({ [key]: found } as Record<K, T>)
  }
}

/**
 * Why the last refresh of an integration with this status brought no tokens. Undefined: nothing is stored. `final`
 * counts in every form in which the statements count it (db/fast-path/statements.ts), and only a reconnect helps
 * then. An unknown verdict is derived from the status.
 */
export function readFailure(
  value: unknown,
  status: IntegrationStatus,
  onMalformed: OnMalformed = () => {},
): StoredFailure | undefined {
  if (value === null || value === undefined) return undefined
  let malformed = !isObject(value)
  const fields = isObject(value) ? value : {}
  const found = membersOf(fields, () => (malformed = true))
  const final = fields['final'] === true || fields['final'] === 'true'
  const { reason = UNKNOWN_WORD } = found('reason', 'reason', word)
  const failure: StoredFailure = {
    verdict: final ? 'reconnect' : readVerdict(fields['verdict'], status),
    reason,
    final,
    microsoft: readMicrosoft(fields['microsoft'], () => (malformed = true)),
    ...found('claims', 'claims', (claims) =>
      typeof claims === 'string' && claims.length <= MAX_CLAIMS ? claims : undefined,
    ),
    ...found('at', 'at', instant),
    ...found('since', 'since', instant),
  }
  if (malformed) onMalformed('oauth2_integration.failure')
  return failure
}

/** A claims challenge that was kept for the next authorize request. Undefined: none, or of another form. */
export function readKeptChallenge(value: unknown, onMalformed: OnMalformed = () => {}): KeptChallenge | undefined {
  if (value === null || value === undefined) return undefined
  const { claims, reason } = isObject(value) ? value : {}
  if (typeof claims === 'string' && claims.length <= MAX_CLAIMS) return { claims, reason: word(reason) ?? UNKNOWN_WORD }
  onMalformed('oauth2_integration.challenge')
  return undefined
}

/** An unknown verdict is derived from the status. */
export const readVerdict = (value: unknown, status: IntegrationStatus): StoredVerdict =>
  oneOf(STORED_VERDICTS)(value) ?? (status === 'reconnect_required' ? 'reconnect' : 'try_later')

/** What Microsoft's support asks for. Members of another form are left out. */
function readMicrosoft(value: unknown, onMalformed: () => void): MicrosoftError {
  if (value === undefined || value === null) return {}
  if (!isObject(value)) {
    onMalformed()
    return {}
  }
  const found = membersOf(value, onMalformed)
  return {
    ...found('status', 'status', positiveInteger),
    ...found('error', 'error', matching(MICROSOFT_WORD)),
    ...found('suberror', 'suberror', matching(MICROSOFT_WORD)),
    ...found('aadsts', 'aadsts', positiveInteger),
    ...found('traceId', 'traceId', matching(GUID)),
    ...found('correlationId', 'correlationId', matching(GUID)),
    ...found('timestamp', 'timestamp', matching(MICROSOFT_TIME)),
  }
}

function readAccount(value: unknown): Account | undefined {
  if (!isObject(value)) return undefined
  const [tenantId, objectId] = [matching(NAME)(value['tenantId']), matching(NAME)(value['objectId'])]
  if (tenantId === undefined || objectId === undefined) return undefined
  const found = membersOf(value, () => {})
  return {
    tenantId,
    objectId,
    ...found('username', 'username', matching(NAME)),
    ...found('displayName', 'displayName', matching(NAME)),
  }
}

/**
 * How a connect session with this stored status ended. Undefined: nothing is stored. A result that is not known is told
 * by the status: only a session that is stored as connected may be shown as connected. An unknown code becomes
 * `connect_refused`, and so does `internal_error`: the request that met it has failed, and asking for the outcome
 * works.
 */
export function readOutcome(
  value: unknown,
  status: string,
  onMalformed: OnMalformed = () => {},
): ConnectOutcome | undefined {
  if (value === null || value === undefined) return undefined
  let malformed = !isObject(value)
  const fields = isObject(value) ? value : {}
  const found = membersOf(fields, () => (malformed = true))
  const known = oneOf(['connected', 'reconnected', 'refused'])(fields['result'])
  const result = known ?? (status === 'connected' ? 'connected' : 'refused')
  const stored = oneOf(FAILURE_CODES)(fields['code'])
  const code: FailureCode = stored === undefined || stored === 'internal_error' ? 'connect_refused' : stored
  const { reason } = found('reason', 'reason', word)
  const outcome: ConnectOutcome = {
    result,
    ...(result === 'refused' ? { code, reason: reason ?? UNKNOWN_WORD } : {}),
    ...found('account', 'account', readAccount),
    ...found('expectedAccount', 'expectedAccount', readAccount),
    ...(fields['microsoft'] === undefined
      ? {}
      : { microsoft: readMicrosoft(fields['microsoft'], () => (malformed = true)) }),
  }
  if (malformed) onMalformed('connect_session.outcome')
  return outcome
}

const SESSION_STATUSES: readonly ConnectSessionStatus[] = [
  'created',
  'opened',
  'authorizing',
  'received',
  'completing',
  'connected',
  'refused',
  'expired',
]

/**
 * An unknown status is derived from the outcome. Without an outcome the session is `expired` if its time is over, else
 * `completing`: a caller that asks again sees how it ended. No statement changes a session with such a status.
 */
export function readSessionStatus(
  status: string,
  { outcome, expired }: { outcome: ConnectOutcome | undefined; expired: boolean },
): ConnectSessionStatus {
  const known = oneOf(SESSION_STATUSES)(status)
  if (known !== undefined) return known
  if (outcome !== undefined) return outcome.result === 'refused' ? 'refused' : 'connected'
  return expired ? 'expired' : 'completing'
}

/**
 * An intent that is not known is shown as a connect; the statements that open a ticket compare the stored word and
 * refuse it.
 */
export function readIntent(intent: string): ConnectIntent {
  return intent === 'manage' ? 'manage' : 'connect'
}

function freezeOf(value: unknown): NonNullable<EventDetail['freeze']> | undefined {
  if (!isObject(value)) return undefined
  const [id, scope, subject] = [
    matching(GUID)(value['id']),
    word(value['scope']),
    matching(FROZEN_VALUE)(value['value']),
  ]
  return id === undefined || scope === undefined || subject === undefined ? undefined : { id, scope, value: subject }
}

/** What belongs to an event. Members of another form are left out. */
export function readEventDetail(value: unknown, onMalformed: OnMalformed = () => {}): EventDetail {
  let malformed = !isObject(value)
  const fields = isObject(value) ? value : {}
  const found = membersOf(fields, () => (malformed = true))
  const detail: EventDetail = {
    ...found<'reason', AnyReason>('reason', 'reason', word),
    ...found('cause', 'cause', word),
    ...found('generation', 'generation', positiveInteger),
    ...found('freeze', 'freeze', freezeOf),
    ...(fields['microsoft'] === undefined
      ? {}
      : { microsoft: readMicrosoft(fields['microsoft'], () => (malformed = true)) }),
  }
  if (malformed) onMalformed('event.detail')
  return detail
}

/** A type that is not known is shown as it is: callers ignore types that they do not know (docs/design.md#events). */
export function readEventType(type: string, onMalformed: OnMalformed = () => {}): string {
  const found = word(type)
  if (found === undefined) onMalformed('event.type')
  return found ?? UNKNOWN_WORD
}

const isString = (value: unknown): boolean => typeof value === 'string'
const isBoolean = (value: unknown): boolean => typeof value === 'boolean'
/** Members of a browser session (http/session.ts). */
const SESSION_MEMBERS: Readonly<Record<string, (value: unknown) => boolean>> = {
  seen: isBoolean,
  userId: isString,
  manages: isBoolean,
  csrfToken: isString,
  disconnected: (value) => ACCOUNT_KINDS.some((kind) => kind === value),
}
const isAttempt = (name: string): boolean => name.startsWith('attempt:')

/**
 * What a browser session holds. Undefined if a known member is malformed: its browser has no session then. Unknown
 * members are left out, because @fastify/session would copy them over its own methods; they stay in the row.
 */
export function readSessionData(
  value: unknown,
  onMalformed: OnMalformed = () => {},
): Record<string, unknown> | undefined {
  const cookie = isObject(value) ? readSessionCookie(value['cookie'] ?? {}) : undefined
  const known = isObject(value)
    ? Object.entries(value).filter(([name]) => Object.hasOwn(SESSION_MEMBERS, name) || isAttempt(name))
    : []
  const valid = known.every(([name, member]) => (isAttempt(name) ? member === true : SESSION_MEMBERS[name]?.(member)))
  if (cookie !== undefined && valid) return { ...Object.fromEntries(known), cookie }
  onMalformed('browser_session.data')
  return undefined
}

/** Only the times: the other attributes come from the configuration. */
function readSessionCookie(value: unknown): Record<string, unknown> | undefined {
  if (!isObject(value)) return undefined
  const { expires = null, originalMaxAge = null } = value
  if (expires !== null && instant(expires) === undefined) return undefined
  if (originalMaxAge !== null && positiveInteger(originalMaxAge) === undefined) return undefined
  return { expires, originalMaxAge }
}

/** A reason as a statement selected it, for a report. */
export function readReason(value: unknown): AnyReason {
  return word(value) ?? UNKNOWN_WORD
}

/** Faults of a run of the canary account. An entry without a step and a word is left out. */
export function readCanaryFaults(value: unknown): CanaryFault[] {
  return (Array.isArray(value) ? value : []).flatMap((entry: unknown): CanaryFault[] => {
    if (!isObject(entry)) return []
    const step = oneOf(CANARY_STEPS)(entry['step'])
    const fault = word(entry['fault'])
    const aadsts = positiveInteger(entry['aadsts'])
    return step === undefined || fault === undefined ? [] : [{ step, fault, ...(aadsts !== undefined && { aadsts }) }]
  })
}
