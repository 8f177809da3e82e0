import { REASONS } from '../core/failure.ts'
import type { MicrosoftError, Reason } from '../core/failure.ts'
import type { AdminConsentResult, CallbackParameters, CallbackRefusal } from '../core/microsoft-port.ts'
import { findRow } from './aadsts.ts'
import type { FoundRow } from './aadsts.ts'

/**
 * What Microsoft says by way of the browser (docs/microsoft.md#callback-errors, docs/microsoft.md#admin-consent),
 * judged by the table that refreshes use. Pure. Anybody can write such a URL: it only decides what a page says and what
 * the log shows. Of its free text the number, the ids and the time are taken, each in its strict form; the rest is
 * never kept.
 */

const WORD = /^[a-z_]{1,40}$/
/** Only at the start: further down the text quotes names that others chose. */
const NUMBER = /^AADSTS(\d{4,9})(?!\d)/
const NUMBER_IN_URI = /[?&]code=(\d{4,9})(?:&|#|$)/
const GUID = '([0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12})(?![0-9a-zA-Z-])'
const TRACE_ID = new RegExp(`Trace ID: ?${GUID}`)
const CORRELATION_ID = new RegExp(`Correlation ID: ?${GUID}`)
const TIMESTAMP = /Timestamp: ?(\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ)/
const MAX_TEXT_LENGTH = 4_000

/**
 * `error` without a number that we know (RFC 6749 section 4.1.2.1). `access_denied` is also how "an administrator must
 * approve" looks.
 */
const WORDS: Record<string, Reason> = {
  access_denied: 'not_approved',
  consent_required: 'consent_required',
  interaction_required: 'sign_in_required',
  login_required: 'sign_in_required',
  account_selection_required: 'sign_in_required',
  temporarily_unavailable: 'microsoft_error',
  server_error: 'microsoft_error',
}

/** An error that came to the callback of a connect. */
export function judgeCallback(parameters: CallbackParameters & { error: string }): CallbackRefusal {
  const microsoft = readFacts(parameters)
  const reason = reasonOf(microsoft)
  return { reason, code: codeOf(reason), microsoft }
}

/**
 * What came back from Microsoft's page for administrators. An error may stand beside `admin_consent=True`: the error
 * decides. Whom a reason sends to "the user" is the administrator here, because they are the one who looks at the page.
 */
export function judgeAdminConsent(parameters: CallbackParameters): AdminConsentResult {
  const { error, adminConsent } = parameters
  if (error === undefined && adminConsent?.toLowerCase() === 'true') return { approved: true }
  const microsoft = readFacts(parameters)
  const reason = adminReasonOf(microsoft)
  const { whoActs } = REASONS[reason]
  return { approved: false, reason, whoActs: whoActs === 'user' ? 'tenant_admin' : whoActs, microsoft }
}

function reasonOf({ error, aadsts }: MicrosoftError): Reason {
  const row = rowOf(error, aadsts)
  if (row) return rowReason(row)
  return Object.hasOwn(WORDS, error ?? '') ? WORDS[error ?? '']! : 'app_registration'
}

/** `admin_consent_required` here: the account that was used has no right to approve. */
function adminReasonOf({ error, aadsts }: MicrosoftError): Reason {
  const row = rowOf(error, aadsts)
  if (row) return rowReason(row)
  if (error === undefined || error === 'access_denied' || error === 'consent_required') return 'not_approved'
  // Recorded without a number when a personal account was chosen.
  if (error === 'invalid_request' && aadsts === undefined) return 'account_type_not_allowed'
  return Object.hasOwn(WORDS, error) ? WORDS[error]! : 'app_registration'
}

function rowOf(error: string | undefined, aadsts: number | undefined): FoundRow | undefined {
  if (aadsts === undefined || error === 'temporarily_unavailable') return undefined
  return findRow([aadsts], error)
}

/** On the configured path: a tenant or an application that is not there is a mistake of our configuration. */
function rowReason(row: FoundRow): Reason {
  if (row.organisation === 'stored_tenant') return 'app_registration'
  if (row.onCode !== undefined) return row.onCode
  return row.reason === 'token_invalid' || row.reason === 'refresh_token_expired' ? 'code_rejected' : row.reason
}

function codeOf(reason: Reason): CallbackRefusal['code'] {
  if (reason === 'app_registration' || reason === 'client_credential') return 'broker_misconfigured'
  if (reason === 'microsoft_error' || reason === 'throttled' || reason === 'loop_detected')
    return 'microsoft_unavailable'
  return 'connect_refused'
}

function readFacts({ error, errorSubcode, errorDescription, errorUri }: CallbackParameters): MicrosoftError {
  const description = (errorDescription ?? '').slice(0, MAX_TEXT_LENGTH)
  const number = NUMBER.exec(description)?.[1] ?? NUMBER_IN_URI.exec((errorUri ?? '').slice(0, MAX_TEXT_LENGTH))?.[1]
  const traceId = TRACE_ID.exec(description)?.[1]
  const correlationId = CORRELATION_ID.exec(description)?.[1]
  const timestamp = TIMESTAMP.exec(description)?.[1]
  return {
    ...(error !== undefined && WORD.test(error) && { error }),
    ...(errorSubcode !== undefined && WORD.test(errorSubcode) && { suberror: errorSubcode }),
    ...(number !== undefined && { aadsts: Number(number) }),
    ...(traceId !== undefined && { traceId }),
    ...(correlationId !== undefined && { correlationId }),
    ...(timestamp !== undefined && { timestamp }),
  }
}
