import { createHash } from 'node:crypto'
import type { Integration } from './integration.ts'
import type { AnyReason, Reason } from './failure.ts'

// Claims challenges of continuous access evaluation (docs/microsoft.md#claims-challenges): what a caller may hand over,
// which token answers one, and which refusals depend on it. Pure.

/** Refreshes of one user that callers may force in a time, before they get `claims_not_satisfied`. */
export const MAX_FORCED_REFRESHES = 3
export const FORCED_WINDOW_SECONDS = 600
/** How long a challenge that only the user can satisfy is kept for the next authorize request. */
export const CHALLENGE_KEPT_SECONDS = 3600
/** Characters of a challenge, as it came and as it is stored. */
export const MAX_CLAIMS_LENGTH = 4096
/** Clocks differ: `nbf` may be this much ahead of ours. */
const MAX_NBF_AHEAD_SECONDS = 300

/**
 * What Graph may ask of an access token. Nothing else goes into a request for a user: a caller must not be able to ask
 * for other claims than Graph does, nor to declare client capabilities (`xms_cc`).
 */
const MEMBERS = ['nbf', 'acrs', 'xms_rp_ipaddr', 'xms_caeerror', 'capolids', 'polids'] as const
/** Of one member (OpenID Connect Core 1.0 section 5.5.1). `Values`: older answers of Microsoft. */
const REQUEST_MEMBERS = ['essential', 'value', 'values', 'Values']
const BASE64 = /^[A-Za-z0-9+/_-]+={0,2}$/
const IP_ADDRESS = /^[0-9a-fA-F.:]{2,45}$/

/** A claims challenge of Graph, read and checked. */
export interface Challenge {
  /** JSON with the members that were checked, and no others. */
  claims: string
  /** Equal for equal challenges. */
  hash: string
  /** Seconds since the epoch: only tokens that were issued later will do. */
  notBeforeSeconds?: number
  /** From where Graph saw the request of the caller. */
  graphAddress?: string
}

/**
 * As many refreshes were forced as may be. `limited`: seconds until the next is allowed. `refused`: why one of them was
 * refused, and its challenge is kept.
 */
export interface Limited {
  limited: number
  refused?: AnyReason
}

/** A claims challenge that only the user can satisfy, and the reason of Microsoft's refusal. */
export interface KeptChallenge {
  claims: string
  reason: AnyReason
}

/** `expected`: what is wrong, in words that quote nothing of it. */
export type ReadChallenge = { challenge: Challenge } | { expected: string }

/** Reads `claims` as they stand in `WWW-Authenticate`, in base64, or as JSON. `nowMs`: since the epoch. */
export function readChallenge(text: string, nowMs: number): ReadChallenge {
  if (Buffer.byteLength(text) > MAX_CLAIMS_LENGTH) return { expected: `at most ${MAX_CLAIMS_LENGTH} bytes` }
  const json = text.trimStart().startsWith('{') ? text : decode(text)
  if (json === undefined) return { expected: 'the claims of WWW-Authenticate: base64, or its JSON' }
  const root = parse(json)
  if (root === undefined) return { expected: 'a JSON object, or the base64 of one' }
  const { access_token: asked, ...others } = root
  if (!isObject(asked) || Object.keys(others).length > 0)
    return { expected: 'an object whose only member is access_token, which is an object' }
  const names = Object.keys(asked)
  if (names.length === 0 || !names.every((name) => MEMBERS.some((known) => known === name)))
    return { expected: `access_token to have no other members than ${MEMBERS.join(', ')}, and at least one` }
  const wrong = MEMBERS.find((name) => name in asked && !isClaimRequest(asked[name]))
  if (wrong !== undefined) return { expected: `access_token.${wrong} to be an object with value or values, as text` }
  const nbf = valueOf(asked['nbf'])
  if (nbf !== undefined && !/^\d{1,12}$/.test(nbf)) return { expected: 'access_token.nbf.value to be seconds' }
  if (nbf !== undefined && Number(nbf) > nowMs / 1000 + MAX_NBF_AHEAD_SECONDS)
    return { expected: `access_token.nbf.value to be at most ${MAX_NBF_AHEAD_SECONDS} seconds ahead` }
  // In one order, so that equal challenges have one hash.
  const claims = claimsText(Object.fromEntries(names.toSorted().map((name) => [name, asked[name]])))
  const address = valueOf(asked['xms_rp_ipaddr'])
  return {
    challenge: {
      claims,
      hash: createHash('sha256').update(claims).digest('base64url'),
      ...(nbf === undefined ? {} : { notBeforeSeconds: Number(nbf) }),
      ...(address !== undefined && IP_ADDRESS.test(address) ? { graphAddress: address } : {}),
    },
  }
}

/**
 * Several requests for claims in one, as MSAL merges them; of members of the access token that come twice, the later
 * one wins. One alone stays as it is. Undefined: there is none. Of several, texts that are no JSON object are left out.
 */
export function mergeClaims(...texts: readonly (string | undefined)[]): string | undefined {
  const given = texts.filter((text) => text !== undefined)
  if (given.length < 2) return given[0]
  const requests = given.map((text) => parse(text) ?? {})
  const asked = requests.map(({ access_token: one }) => (isObject(one) ? one : {}))
  return JSON.stringify(Object.assign({}, ...requests, { access_token: Object.assign({}, ...asked) }))
}

const claimsText = (asked: object): string => JSON.stringify({ access_token: asked })

/**
 * Whether the stored token answers this challenge: it was got with it, or Microsoft issued it later than the challenge
 * asks for.
 */
export function satisfies({ claimsHash, expiresAt, lifetimeSeconds }: Integration, challenge: Challenge): boolean {
  if (claimsHash === challenge.hash) return true
  const { notBeforeSeconds } = challenge
  return notBeforeSeconds !== undefined && Math.floor(Date.parse(expiresAt) / 1000 - lifetimeSeconds) > notBeforeSeconds
}

/**
 * Refusals that hold with or without the challenge. All others say only that this challenge cannot be satisfied without
 * the user, so they are no news about the stored authorization.
 */
const INDEPENDENT_OF_CLAIMS: ReadonlySet<string> = new Set<Reason>([
  'access_revoked',
  'refresh_token_expired',
  'password_changed',
  'account_disabled',
  'account_not_found',
  'account_locked',
  'not_assigned',
  'app_unavailable',
  'tenant_unavailable',
  'consent_required',
  'admin_consent_required',
])

export function dependsOnClaims({ reason, final }: { reason: string; final?: boolean }): boolean {
  return final !== true && !INDEPENDENT_OF_CLAIMS.has(reason)
}

/**
 * The address that Microsoft wrote into an access token: that of the client that got it. Undefined where the token is
 * not readable, which Microsoft may change at any time (docs/microsoft.md#token-response). For showing only.
 */
export function addressIn(accessToken: string): string | undefined {
  const payload = accessToken.split('.')[1]
  const address = payload === undefined ? undefined : parse(Buffer.from(payload, 'base64url').toString())?.['ipaddr']
  return typeof address === 'string' && IP_ADDRESS.test(address) ? address : undefined
}

function decode(text: string): string | undefined {
  return BASE64.test(text) ? Buffer.from(text, 'base64').toString() : undefined
}

type Fields = Record<string, unknown>
const isObject = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const isText = (value: unknown): boolean => typeof value === 'string' && value !== '' && value.length <= 256

function parse(json: string): Fields | undefined {
  try {
    const value: unknown = JSON.parse(json)
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

function isClaimRequest(value: unknown): boolean {
  if (!isObject(value) || !Object.keys(value).every((name) => REQUEST_MEMBERS.includes(name))) return false
  const { essential = false, value: one, values, Values } = value
  const lists = [values, Values].filter((list) => list !== undefined)
  if (one !== undefined && typeof one !== 'string' && typeof one !== 'number') return false
  const texts = [...(one === undefined ? [] : [String(one)]), ...lists.flat()]
  return typeof essential === 'boolean' && lists.every(Array.isArray) && texts.length > 0 && texts.every(isText)
}

function valueOf(request: unknown): string | undefined {
  const value = isObject(request) ? request['value'] : undefined
  return value === undefined ? undefined : String(value)
}
