import type { MicrosoftError } from '../core/failure.ts'

/** Header fields by lower-case name; a list where Microsoft sent several lines. */
export type Headers = Readonly<Record<string, string | string[] | undefined>>

/** An HTTP answer as it came in, nothing believed yet. */
export interface Answer {
  status: number
  headers: Headers
  body: string
}

/** What a token answer holds, typed (RFC 6749 section 5.1, docs/microsoft.md#token-response). */
export interface TokenResponse {
  accessToken: string
  refreshToken?: string
  /** Seconds. */
  expiresIn: number
  /** Seconds after which Microsoft suggests a refresh. Absent: it does not. */
  refreshIn?: number
  scope?: string
  idToken?: string
}

/** An error answer, typed. `codes` in Microsoft's order; `description` is for reading here and goes nowhere. */
export interface ErrorResponse {
  facts: MicrosoftError
  codes: number[]
  description: string
  claims?: string
}

type Fields = Record<string, unknown>

const WORD = /^[A-Za-z0-9_.-]{1,64}$/
const GUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i
const TIMESTAMP = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ$/
// RFC 6749 A.12: VSCHAR, here without the space, so that a token is always safe in a header.
const TOKEN = /^[\x21-\x7e]{1,65536}$/
// Tenant policies go to a day, continuous access evaluation to 28 hours (docs/microsoft.md#lifetimes); beyond two days
// it is no lifetime.
const MAX_EXPIRES_IN = 2 * 86_400
const MAX_CLAIMS = 4096
const MAX_RETRY_AFTER = 3600

/** Tenants, objects, traces and request ids are GUIDs at Microsoft. */
export function isGuid(value: string): boolean {
  return GUID.test(value)
}

/** The body's JSON object, or undefined for anything else (HTML, plain text, arrays, truncated). */
export function readObject(body: string): Fields | undefined {
  try {
    const value: unknown = JSON.parse(body)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : undefined
  } catch {
    return undefined
  }
}

/** Reads a success answer. Undefined: it cannot be used (no token, not Bearer, an absent or absurd lifetime). */
export function readTokens(fields: Fields | undefined): TokenResponse | undefined {
  if (!fields) return undefined
  const { access_token: accessToken, refresh_token: refreshToken, token_type: type, scope, id_token: idToken } = fields
  const expiresIn = readSeconds(fields['expires_in'])
  if (typeof accessToken !== 'string' || !TOKEN.test(accessToken)) return undefined
  if (typeof type !== 'string' || type.toLowerCase() !== 'bearer') return undefined
  if (expiresIn === undefined) return undefined
  const refreshIn = readSeconds(fields['refresh_in'])
  return {
    accessToken,
    expiresIn,
    // A suggestion that comes after the end is none.
    ...(refreshIn !== undefined && refreshIn < expiresIn && { refreshIn }),
    ...(typeof refreshToken === 'string' && TOKEN.test(refreshToken) && { refreshToken }),
    ...(typeof scope === 'string' && { scope }),
    ...(typeof idToken === 'string' && { idToken }),
  }
}

// v1 endpoints write the number as a string (docs/microsoft.md#token-response).
function readSeconds(value: unknown): number | undefined {
  const seconds = typeof value === 'string' && /^\d{1,9}$/.test(value) ? Number(value) : value
  if (typeof seconds !== 'number' || !(seconds >= 1 && seconds <= MAX_EXPIRES_IN)) return undefined
  return Math.floor(seconds)
}

/** Reads an error answer, whatever it is; only fields of the expected shape get through (docs/microsoft.md#errors). */
export function readError(answer: Answer): ErrorResponse {
  const fields = readObject(answer.body) ?? {}
  const description = typeof fields['error_description'] === 'string' ? fields['error_description'].slice(0, 2000) : ''
  const error = match(fields['error'], WORD)
  const suberror = match(fields['suberror'], WORD)
  const traceId = match(fields['trace_id'], GUID) ?? match(answer.headers['x-ms-request-id'], GUID)
  const correlationId = match(fields['correlation_id'], GUID)
  const timestamp = match(fields['timestamp'], TIMESTAMP)
  const codes = readCodes(fields['error_codes'], description)
  const claims = fields['claims']
  return {
    facts: {
      status: answer.status,
      ...(error !== undefined && { error }),
      ...(suberror !== undefined && { suberror }),
      ...(codes[0] !== undefined && { aadsts: codes[0] }),
      ...(traceId !== undefined && { traceId }),
      ...(correlationId !== undefined && { correlationId }),
      ...(timestamp !== undefined && { timestamp }),
    },
    codes,
    description,
    ...(typeof claims === 'string' && claims.length <= MAX_CLAIMS && readObject(claims) && { claims }),
  }
}

function match(value: unknown, shape: RegExp): string | undefined {
  return typeof value === 'string' && shape.test(value) ? value : undefined
}

// error_codes is occasionally absent (docs/microsoft.md#errors); the description then still begins with the code.
function readCodes(list: unknown, description: string): number[] {
  const codes = Array.isArray(list)
    ? list.slice(0, 10).filter((code): code is number => Number.isSafeInteger(code) && code > 0)
    : []
  if (codes.length > 0) return codes
  return [...description.matchAll(/AADSTS(\d{4,9})\b/g)].slice(0, 10).map(([, code]) => Number(code))
}

/**
 * `Retry-After` in seconds (RFC 9110 10.2.3: seconds or an HTTP-date), kept within 1 and 3600. Undefined when absent or
 * unreadable. `now` in milliseconds since the epoch.
 */
export function readRetryAfter(headers: Headers, now: number): number | undefined {
  const value = [headers['retry-after']].flat()[0]?.trim()
  if (!value) return undefined
  const seconds = /^\d+$/.test(value) ? Number(value) : Math.ceil((readHttpDate(value) - now) / 1000)
  return Number.isNaN(seconds) ? undefined : Math.min(Math.max(seconds, 1), MAX_RETRY_AFTER)
}

function readHttpDate(value: string): number {
  return /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/.test(value) ? Date.parse(value) : NaN
}
