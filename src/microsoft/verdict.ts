import type { Reason } from '../core/failure.ts'
import type { CodeVerdict, Verdict } from '../core/ports.ts'
import { findRow } from './aadsts.ts'
import { readError, readObject, readRetryAfter, readTokens } from './answer.ts'
import type { Answer, ErrorResponse, TokenResponse } from './answer.ts'

/**
 * What an answer of the token endpoint means for us: pure functions of status, headers and body (design 2.3, entra.md 4).
 * The order matters: the status first, then listed AADSTS codes, then `error` and `suberror`; an unknown 4xx is never fatal.
 */

/** A success answer still has to prove its account (id-token.ts) before it is a verdict. */
export type Judgement<V extends { kind: string }> =
  { kind: 'answer'; answer: TokenResponse } | Exclude<V, { kind: 'tokens' }>
type Refusal = Exclude<Verdict, { kind: 'tokens' }>

/** Entra pauses a client that loops; coming back within minutes makes it worse (entra.md 4.3, 5). Seconds. */
const LOOP_PAUSE = 600

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

/** Judges the answer to a refresh (RFC 6749 6). `now` in milliseconds since the epoch, for a Retry-After date. */
export function judgeRefresh(answer: Answer, now: number): Judgement<Verdict> {
  if (answer.status === 200) {
    const tokens = readTokens(readObject(answer.body))
    if (tokens) return { kind: 'answer', answer: tokens }
  }
  return judgeError(answer, now).verdict
}

/** Judges the answer to a code exchange (RFC 6749 4.1.3): as a refresh, but what is over is the code, not an integration. */
export function judgeCode(answer: Answer, now: number): Judgement<CodeVerdict> {
  if (answer.status === 200) {
    const tokens = readTokens(readObject(answer.body))
    if (tokens) return { kind: 'answer', answer: tokens }
  }
  const { verdict, onCode } = judgeError(answer, now)
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

function judgeError(answer: Answer, now: number): { verdict: Refusal; onCode?: Reason } {
  const { status } = answer
  const read = readError(answer)
  const later = (reason: Reason, atLeast = 0): Refusal => {
    const retryAfterSeconds = Math.max(readRetryAfter(answer.headers, now) ?? 0, atLeast)
    return { kind: 'try_later', reason, ...(retryAfterSeconds > 0 && { retryAfterSeconds }), microsoft: read.facts }
  }

  if (status === 429) return { verdict: later('throttled') }
  if (status === 408 || status >= 500) return { verdict: later('microsoft_error') }
  // A success nobody can use, a redirect (never followed), an informational status.
  if (status < 400) return { verdict: later('microsoft_bad_answer') }

  const row = findRow(read.codes, read.facts.error)
  if (!row) return { verdict: judgeWords(read, later) }
  const microsoft = { ...read.facts, aadsts: row.code }
  const onCode = row.onCode && { onCode: row.onCode }
  switch (row.kind) {
    case 'try_later':
      return { verdict: { ...later(row.reason, row.reason === 'loop_detected' ? LOOP_PAUSE : 0), microsoft } }
    case 'misconfigured':
      return {
        verdict: { kind: 'misconfigured', reason: row.reason, everybody: row.everybody ?? false, microsoft },
        ...onCode,
      }
    case 'reconnect': {
      const reason = row.code === 70000 && saysScopesUnauthorized(read) ? 'consent_required' : row.reason
      return { verdict: reconnect({ ...read, facts: microsoft }, reason, row.final ?? false), ...onCode }
    }
  }
}

/** No listed code: `error` and `suberror`, the fields Microsoft calls stable (entra.md 0.9). */
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
  // Only listed codes concern everybody: an unlisted one may be about one tenant, and the breaker stops all (design 2.3).
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

// How a personal account's withdrawn consent looks (entra.md 4.1, MSA).
function saysScopesUnauthorized({ description }: ErrorResponse): boolean {
  return /scopes? requested (?:is|are) unauthorized/i.test(description)
}
