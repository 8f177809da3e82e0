/** Scopes of Microsoft Graph as this application may ask for them, and the ways Entra writes them back. */
import { Refusal } from './errors.ts'
import type { Random } from './random.ts'

export const graphAppId = '00000003-0000-0000-c000-000000000000'
export const graphResource = 'https://graph.microsoft.com/'

const oidcScopes = ['openid', 'profile', 'email', 'offline_access']

/** What the registration lists, and so what `.default` stands for. */
export const registeredScopes = ['User.Read', 'Files.ReadWrite.All']

const graphScopes = [
  ...registeredScopes,
  'User.ReadWrite',
  'User.RevokeSessions.All',
  'Files.Read',
  'Files.Read.All',
  'Files.ReadWrite',
  'Sites.Read.All',
  'Sites.ReadWrite.All',
  'Sites.Selected',
  'Mail.Read',
  'Calendars.Read',
]

/** A user of a `microsoft_managed` organisation cannot approve these alone. */
const adminApproved = new Set([
  'Files.ReadWrite.All',
  'Files.Read.All',
  'Sites.Read.All',
  'Sites.ReadWrite.All',
  'Mail.Read',
  'Calendars.Read',
  'User.RevokeSessions.All',
])

export interface RequestedScopes {
  openid: boolean
  profile: boolean
  email: boolean
  offline: boolean
  /** Short Graph names in Microsoft's spelling. */
  graph: string[]
  /** How the Graph scopes were written, which is how they come back. */
  form: 'short' | 'full' | 'guid'
}

/** Reads a `scope` parameter (RFC 6749 3.3). Throws the AADSTS70011 refusal for a scope that does not exist. */
export function readScopes(text: string): RequestedScopes {
  const read: RequestedScopes = {
    openid: false,
    profile: false,
    email: false,
    offline: false,
    graph: [],
    form: 'short',
  }
  for (const word of text.split(' ').filter((part) => part !== '')) {
    const lower = word.toLowerCase()
    if (oidcScopes.includes(lower)) {
      if (lower === 'offline_access') read.offline = true
      else read[lower as 'openid' | 'profile' | 'email'] = true
      continue
    }
    let name = lower
    if (lower.startsWith(graphResource)) {
      name = lower.slice(graphResource.length)
      read.form = 'full'
    } else if (lower.startsWith(`${graphAppId}/`)) {
      name = lower.slice(graphAppId.length + 1)
      read.form = 'guid'
    }
    const known = name === '.default' ? registeredScopes : graphScopes.filter((scope) => scope.toLowerCase() === name)
    if (known.length === 0) {
      throw new Refusal(70011, {
        text: `The provided value for the input parameter 'scope' is not valid. The scope ${text} is not valid.`,
      })
    }
    for (const scope of known) if (!read.graph.includes(scope)) read.graph.push(scope)
  }
  return read
}

export function needingAdmin(scopes: readonly string[]): string[] {
  return scopes.filter((scope) => adminApproved.has(scope))
}

/**
 * The `scope` of a token response: shuffled, OpenID scopes added for work accounts whether asked or not, offline_access
 * never echoed, full names where they were asked for (docs/microsoft.md#scopes).
 */
export function echoScopes(
  granted: readonly string[],
  form: RequestedScopes['form'],
  personal: boolean,
  random: Random,
): string {
  const prefix = form === 'full' ? graphResource : form === 'guid' ? `${graphAppId}/` : ''
  const words = granted.map((scope) => prefix + scope)
  return random.shuffle(personal ? words : [...words, 'openid', 'profile', 'email']).join(' ')
}
