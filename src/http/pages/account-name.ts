import type { Account, AccountKind } from '../../core/integration.ts'
import { GLOBAL_CLOUD, type Site } from './context.ts'
import { html, type Html } from './html.ts'

/** Without characters that turn the text around them: in a name they could reach past their `bdi`. */
const plain = (name: string): string => name.replace(/[\u202A-\u202E\u2066-\u2069]/g, '')

/** An address reads left to right, whatever its letters. */
const address = (name: string, kind: string): Html => html`<bdi class="${kind}" dir="ltr">${plain(name)}</bdi>`

/**
 * `jane@contoso.com` as `j•••@contoso.com`: enough for its owner to recognise it, too little for anybody else to
 * collect.
 */
export function maskUsername(username: string): string {
  const at = username.lastIndexOf('@')
  const [first = ''] = at > 0 ? username : username.slice(at + 1)
  return `${first}•••${at > 0 ? username.slice(at) : ''}`
}

/** The account, masked. */
export function maskedAccount(account: Account | undefined): Html | undefined {
  return account?.username === undefined ? undefined : address(maskUsername(plain(account.username)), 'account')
}

/**
 * The account in full: only for the page of the user whose it is. The object id stands in where no name is known. `bdi`:
 * a name written right to left must not turn the sentence around it.
 */
export function fullAccount(account: Account): Html {
  const name = account.username ?? account.objectId
  return account.displayName === undefined
    ? address(name, 'account')
    : html`<bdi class="account">${plain(account.displayName)}</bdi> ${address(name, 'quiet')}`
}

/** Where its owner sees, and can withdraw, what was approved at Microsoft. */
export function consentPage(
  kind: AccountKind,
  cloud: NonNullable<Site['cloud']> = GLOBAL_CLOUD,
): { kind: 'work' | 'personal'; url: string }[] {
  const { myAppsUrl } = cloud
  // Personal accounts exist in the global cloud only (docs/microsoft.md#clouds).
  if (cloud.adminCenterUrl !== GLOBAL_CLOUD.adminCenterUrl)
    return myAppsUrl === undefined ? [] : [{ kind: 'work', url: myAppsUrl }]
  const work = { kind: 'work', url: GLOBAL_CLOUD.myAppsUrl } as const
  const personal = { kind: 'personal', url: 'https://account.live.com/consent/Manage' } as const
  return { work: [work], personal: [personal], unknown: [work, personal] }[kind]
}
