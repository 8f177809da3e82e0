import type { Reason } from '../core/failure.ts'
import type { CodeVerdict, Verdict } from '../core/microsoft-port.ts'
import { findRow } from './aadsts.ts'
import type { FoundRow } from './aadsts.ts'
import { readError, readObject, readRetryAfter, readTokens } from './answer.ts'
import type { Answer, ErrorResponse, TokenResponse } from './answer.ts'

/**
 * What an answer of the token endpoint means for us (docs/microsoft.md#errors): pure functions of status, headers and
 * body. The order matters: the status first, then whether Microsoft spoke at all, then listed AADSTS codes, then
 * `error` and `suberror`; an unknown 4xx is never fatal to a user.
 */

/** A success answer still has to prove its account (id-token.ts) before it is a verdict. */
export type Judgement<V extends { kind: string }> =
  { kind: 'answer'; answer: TokenResponse } | Exclude<V, { kind: 'tokens' }>
type Refusal = Exclude<Verdict, { kind: 'tokens' }>

/**
 * Whose trouble it is when a tenant, or our application in it, is not there. `organisation`: the path was that of a
 * stored account's tenant. `configuration`: it was the configured one. `everybody`: several organisations say the same.
 */
export type Scope = 'organisation' | 'configuration' | 'everybody'

/** Entra pauses a client that loops; coming back within minutes makes it worse (docs/microsoft.md#throttling). */
const LOOP_PAUSE_SECONDS = 600

/** What a token endpoint says by RFC 6749 section 5.2, and what Microsoft says besides. */
const OAUTH_ERRORS = new Set([
  'invalid_request',
  'invalid_client',
  'invalid_grant',
  'unauthorized_client',
  'unsupported_grant_type',
  'unsupported_response_type',
  'invalid_scope',
  'server_error',
  'temporarily_unavailable',
  'interaction_required',
  'login_required',
  'account_selection_required',
  'consent_required',
  'invalid_resource',
  'invalid_tenant',
  'user_password_expired',
])

const DEAD_TOKEN = new Set(['bad_token', 'token_expired'])
const USER_ERRORS: Record<string, Reason> = {
  invalid_grant: 'token_invalid',
  interaction_required: 'sign_in_required',
  login_required: 'sign_in_required',
  consent_required: 'consent_required',
  user_password_expired: 'password_changed',
}
const SUBERRORS: Record<string, Reason> = {
  bad_token: 'token_invalid',
  token_expired: 'refresh_token_expired',
  consent_required: 'consent_required',
  user_password_expired: 'password_changed',
  basic_action: 'sign_in_required',
  additional_action: 'device_not_compliant',
  device_authentication_failed: 'device_not_compliant',
  protection_policy_required: 'device_not_compliant',
  message_only: 'blocked_by_policy',
}

/**
 * Judges the answer to a refresh (RFC 6749 section 6). `now` in milliseconds since the epoch, for a Retry-After date.
 */
export function judgeRefresh(answer: Answer, now: number, scope: Scope = 'organisation'): Judgement<Verdict> {
  if (answer.status === 200) {
    const tokens = readTokens(readObject(answer.body))
    if (tokens) return { kind: 'answer', answer: tokens }
  }
  return judgeError(answer, now, scope).verdict
}

/**
 * Judges the answer to a code exchange (RFC 6749 section 4.1.3): as a refresh, but what is over is the code, not an
 * integration.
 */
export function judgeCode(answer: Answer, now: number): Judgement<CodeVerdict> {
  if (answer.status === 200) {
    const tokens = readTokens(readObject(answer.body))
    if (tokens) return { kind: 'answer', answer: tokens }
  }
  const { verdict, onCode } = judgeError(answer, now, 'configuration')
  if (verdict.kind === 'try_later') return verdict
  const { microsoft } = verdict
  if (verdict.kind === 'misconfigured') {
    return onCode
      ? { kind: 'refused', reason: onCode, microsoft }
      : { kind: 'misconfigured', reason: verdict.reason, microsoft }
  }
  const reason = onCode ?? (isAboutToken(verdict.reason) ? 'code_rejected' : verdict.reason)
  return { kind: 'refused', reason, microsoft, ...(verdict.claims !== undefined && { claims: verdict.claims }) }
}

function isAboutToken(reason: Reason): boolean {
  return reason === 'token_invalid' || reason === 'refresh_token_expired'
}

function judgeError(answer: Answer, now: number, scope: Scope): { verdict: Refusal; onCode?: Reason } {
  const { status } = answer
  const read = readError(answer)
  const later = (reason: Reason, atLeastSeconds = 0): Refusal => {
    const retryAfterSeconds = Math.max(readRetryAfter(answer.headers, now) ?? 0, atLeastSeconds)
    return { kind: 'try_later', reason, ...(retryAfterSeconds > 0 && { retryAfterSeconds }), microsoft: read.facts }
  }

  if (status === 429) return { verdict: later('throttled') }
  if (status === 408 || status >= 500) return { verdict: later('microsoft_error') }
  // A success nobody can use, a redirect (never followed), an informational status; the page of a proxy or filter.
  if (status < 400 || !isFromMicrosoft(read)) return { verdict: later('microsoft_bad_answer') }

  const row = findRow(read.codes, read.facts.error)
  if (!row) return { verdict: judgeWords(read, later) }
  const facts = { ...read.facts, aadsts: row.code }
  const onCode = row.onCode && { onCode: row.onCode }
  if (row.kind === 'try_later') {
    const verdict = later(row.reason, row.reason === 'loop_detected' ? LOOP_PAUSE_SECONDS : 0)
    return { verdict: { ...verdict, microsoft: facts } }
  }
  // Microsoft also sends the code of a permanent error for a temporary one. Then `error` decides.
  if (facts.error === 'temporarily_unavailable') return { verdict: { ...later('microsoft_error'), microsoft: facts } }
  if (isOurs(row, scope)) {
    const reason = row.organisation === undefined ? row.reason : 'app_registration'
    return {
      verdict: { kind: 'misconfigured', reason, everybody: row.everybody ?? false, microsoft: facts },
      ...onCode,
    }
  }
  return { verdict: reconnect({ ...read, facts }, reasonOf(row, read), row.final ?? false), ...onCode }
}

/**
 * Whether Microsoft spoke at all: it gives a code, or an `error` of its own or of RFC 6749. Anything else is the page
 * or the JSON of something on the way.
 */
export function isFromMicrosoft({ facts, codes }: ErrorResponse): boolean {
  if (codes.length > 0) return true
  if (facts.error === undefined) return false
  return OAUTH_ERRORS.has(facts.error) || (facts.correlationId !== undefined && facts.timestamp !== undefined)
}

/** Whether this row, in this scope, is about our registration, configuration or credential. */
function isOurs(row: FoundRow, scope: Scope): boolean {
  if (row.organisation === undefined) return row.kind === 'misconfigured'
  return scope === 'everybody' || (scope === 'configuration' && row.organisation === 'stored_tenant')
}

/**
 * Whether the code says that a tenant, or our application in it, is not there: several organisations at once make it
 * ours.
 */
export function isAboutOrganisation({ aadsts, error }: { aadsts?: number; error?: string }): boolean {
  return aadsts !== undefined && findRow([aadsts], error)?.organisation !== undefined
}

/** No listed code: `error` and `suberror`, the fields Microsoft calls stable (docs/microsoft.md#suberrors). */
function judgeWords(read: ErrorResponse, later: (reason: Reason) => Refusal): Refusal {
  const { facts } = read
  const error = facts.error ?? ''
  if (error === 'temporarily_unavailable' || error === 'server_error') return later('microsoft_error')
  const userReason = Object.hasOwn(USER_ERRORS, error) ? USER_ERRORS[error] : undefined
  if (userReason !== undefined) {
    const refined =
      facts.suberror !== undefined && Object.hasOwn(SUBERRORS, facts.suberror) ? SUBERRORS[facts.suberror] : undefined
    return reconnect(read, refined ?? userReason, false)
  }
  // Only known codes concern everybody: an unknown one may be about one tenant, and the breaker stops all.
  const reason = error === 'invalid_client' ? 'client_credential' : 'app_registration'
  return { kind: 'misconfigured', reason, everybody: false, microsoft: facts }
}

function reconnect(read: ErrorResponse, reason: Reason, final: boolean): Refusal {
  const dead = final || DEAD_TOKEN.has(read.facts.suberror ?? '')
  return {
    kind: 'reconnect',
    reason,
    final: dead,
    microsoft: read.facts,
    ...(read.claims !== undefined && { claims: read.claims }),
  }
}

/** 70000 is one number for several things; only its text tells them apart (docs/microsoft.md#aadsts-codes). */
function reasonOf(row: FoundRow, { description }: ErrorResponse): Reason {
  if (row.code !== 70000) return row.reason
  // How a personal account's withdrawn consent looks.
  if (/scopes? requested (?:is|are) unauthorized/i.test(description)) return 'consent_required'
  // Microsoft has blocked the account: until it lifts that, signing in again fails as well.
  return /service abuse mode/i.test(description) ? 'account_locked' : row.reason
}
