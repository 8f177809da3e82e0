/**
 * The one table of the permissions we ask for, with the words people see (docs/design.md#pages), and how scopes are
 * compared: Microsoft answers them in any order and case, as short or as full names, with more or fewer than were asked
 * (docs/microsoft.md#scopes).
 */

/** Microsoft Graph delegated permissions that a connect needs, in the order in which they are shown. */
export const PERMISSIONS = [
  { scope: 'User.Read', words: 'Read your profile information' },
  { scope: 'Files.ReadWrite.All', words: 'Read and write your M365 files' },
] as const satisfies readonly { scope: string; words: string }[]

/** Names of the needed permissions, e.g. for `missingScopes`. */
export const NEEDED_SCOPES: readonly string[] = PERMISSIONS.map(({ scope }) => scope)

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
/** Keys: hosts of MICROSOFT_LOGIN_URL. Other hosts belong to the global cloud (docs/microsoft.md#clouds). */
const GRAPH_OF_LOGIN: Record<string, string> = {
  'login.microsoftonline.us': 'https://graph.microsoft.us',
  'login.partner.microsoftonline.cn': 'https://microsoftgraph.chinacloudapi.cn',
  'login.chinacloudapi.cn': 'https://microsoftgraph.chinacloudapi.cn',
}
const SCOPE_TOKEN = /^[\x21\x23-\x5b\x5d-\x7e]{1,256}$/
const MAX_SCOPES = 200

/**
 * The `scope` parameter of an authorize or token request (RFC 6749 section 3.3): the permissions and what OpenID
 * Connect needs.
 */
export function requestedScope(permissions: readonly string[] = NEEDED_SCOPES): string {
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
    found.set(key, PERMISSIONS.find(({ scope }) => scope.toLowerCase() === key)?.scope ?? short)
  }
  return [...found.values()].sort()
}

/** Microsoft Graph of the cloud that `loginUrl` belongs to. */
export function graphUrl(loginUrl: string): string {
  return GRAPH_OF_LOGIN[new URL(loginUrl).hostname] ?? 'https://graph.microsoft.com'
}

/**
 * Which of `needed` were not granted, in the order of `needed`; compared without case and prefixes
 * (docs/microsoft.md#scopes).
 */
export function missingScopes(granted: readonly string[], needed: readonly string[] = NEEDED_SCOPES): string[] {
  // As they are stored: every read asks.
  if (needed.every((scope) => granted.includes(scope))) return []
  const have = new Set(canonicalScopes(granted).map((scope) => scope.toLowerCase()))
  return canonicalScopes(needed)
    .filter((scope) => !have.has(scope.toLowerCase()))
    .sort((a, b) => needed.indexOf(a) - needed.indexOf(b))
}
