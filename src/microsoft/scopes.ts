/**
 * How scopes are compared: Microsoft answers them in any order and case, as short or as full names, with more or fewer
 * than were asked (docs/microsoft.md#scopes). The table of the permissions is core/microsoft-permissions.ts.
 */
import { findPermission } from '../core/microsoft-permissions.ts'

// Without offline_access there is no refresh token, without openid no id token, without profile no oid and tid
// (docs/microsoft.md#scopes).
const OPENID_REQUEST = ['openid', 'profile', 'offline_access']
const OPENID_SCOPES = new Set(['openid', 'profile', 'offline_access', 'email'])
// Graph of each cloud, or its application id (docs/microsoft.md#clouds).
const GRAPH_PREFIX = new RegExp(
  '^(?:https://(?:(?:dod-)?graph\\.microsoft\\.(?:com|us)|microsoftgraph\\.chinacloudapi\\.cn)' +
    '|00000003-0000-0000-c000-000000000000)/',
  'i',
)
const SCOPE_TOKEN = /^[\x21\x23-\x5b\x5d-\x7e]{1,256}$/
const MAX_SCOPES = 200

/**
 * The `scope` parameter of an authorize or token request (RFC 6749 section 3.3): the permissions and what OpenID
 * Connect needs.
 */
export function requestedScope(permissions: readonly string[]): string {
  return [...OPENID_REQUEST, ...canonicalScopes(permissions)].join(' ')
}

/**
 * Scopes as we store them: Graph prefixes stripped, our own permissions in our spelling, OpenID Connect scopes and
 * `.default` left out, each once, sorted. What is no scope-token of RFC 6749 section 3.3 is left out.
 */
export function canonicalScopes(scopes: string | readonly string[]): string[] {
  const found = new Map<string, string>()
  const names = typeof scopes === 'string' ? scopes.split(/\s+/, MAX_SCOPES) : scopes
  for (const name of names) {
    const short = name.replace(GRAPH_PREFIX, '')
    const key = short.toLowerCase()
    if (!SCOPE_TOKEN.test(short) || OPENID_SCOPES.has(key) || key === '.default' || found.has(key)) continue
    found.set(key, findPermission(short)?.scope ?? short)
  }
  return [...found.values()].sort()
}

/**
 * Which of `needed` were not granted, in the order of `needed`; compared without case and prefixes. A granted
 * permission that covers a needed one is enough.
 */
export function missingScopes(granted: readonly string[], needed: readonly string[]): string[] {
  // As they are stored: every read asks.
  if (needed.every((scope) => granted.includes(scope))) return []
  const have = keysOf(granted)
  return canonicalScopes(needed)
    .filter((scope) => satisfying(scope, have) === undefined)
    .sort((a, b) => needed.indexOf(a) - needed.indexOf(b))
}

/** What was granted and is not needed (any longer), sorted. */
export function excessScopes(granted: readonly string[], needed: readonly string[]): string[] {
  // As they are stored: every read asks.
  if (granted.every((scope) => needed.includes(scope))) return []
  const wanted = keysOf(needed)
  return canonicalScopes(granted).filter((scope) => !wanted.has(scope.toLowerCase()))
}

/**
 * What a refresh asks for: of what is needed the part that was granted. Microsoft refuses a refresh as a whole
 * (AADSTS65001) if one scope in it is not approved (any longer): so nothing is asked for that was added to the
 * configuration later, nor that was removed from it and may be withdrawn. If nothing that is needed was granted, it is
 * all that was granted.
 */
export function scopesToRefresh(granted: readonly string[], needed: readonly string[]): string[] {
  const have = keysOf(granted)
  const asked = canonicalScopes(needed).flatMap((scope) => satisfying(scope, have) ?? [])
  return asked.length === 0 ? canonicalScopes(granted) : canonicalScopes(asked)
}

/** By their name in lower case, the granted scopes in their spelling. */
function keysOf(scopes: readonly string[]): ReadonlyMap<string, string> {
  return new Map(canonicalScopes(scopes).map((scope) => [scope.toLowerCase(), scope]))
}

/** The granted scope that satisfies `needed`: itself, or one that covers it. */
function satisfying(needed: string, granted: ReadonlyMap<string, string>): string | undefined {
  const own = granted.get(needed.toLowerCase())
  if (own !== undefined) return own
  return [...granted.values()].find((scope) =>
    findPermission(scope)?.covers?.some((covered) => covered.toLowerCase() === needed.toLowerCase()),
  )
}
