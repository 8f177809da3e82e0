import { PERSONAL_TENANT, type Account } from '../../core/integration.ts'
import { GLOBAL_CLOUD, type Site } from './context.ts'
import { html, type Html } from './html.ts'

/**
 * `jane@contoso.com` as `j•••@contoso.com`: enough for its owner to recognise it, too little for anybody else to
 * collect.
 */
export function maskUsername(username: string): string {
  const at = username.lastIndexOf('@')
  const [first = ''] = at > 0 ? username : username.slice(at + 1)
  return `${first}•••${at > 0 ? username.slice(at) : ''}`
}

/** The account, masked. `bdi`: a name written right to left must not turn the sentence around it. */
export function maskedAccount(account: Account | undefined): Html | undefined {
  return account?.username === undefined
    ? undefined
    : html`<bdi class="account">${maskUsername(account.username)}</bdi>`
}

/** The account in full: only for the page of the user whose it is. The object id stands in where no name is known. */
export function fullAccount(account: Account): Html {
  const name = account.username ?? account.objectId
  return account.displayName === undefined
    ? html`<bdi class="account">${name}</bdi>`
    : html`<bdi class="account">${account.displayName}</bdi> <bdi class="quiet">${name}</bdi>`
}

/**
 * Where its owner sees, and can withdraw, what was approved at Microsoft: personal accounts live in one fixed tenant
 * (docs/microsoft.md#accounts).
 */
export function consentPage(
  tenantId: string | undefined,
  cloud: NonNullable<Site['cloud']> = GLOBAL_CLOUD,
): { kind: 'work' | 'personal'; url: string }[] {
  const { myAppsUrl } = cloud
  // Personal accounts exist in the global cloud only (docs/microsoft.md#clouds).
  if (cloud.adminCenterUrl !== GLOBAL_CLOUD.adminCenterUrl)
    return myAppsUrl === undefined ? [] : [{ kind: 'work', url: myAppsUrl }]
  const work = { kind: 'work', url: GLOBAL_CLOUD.myAppsUrl } as const
  const personal = { kind: 'personal', url: 'https://account.live.com/consent/Manage' } as const
  if (tenantId === undefined) return [work, personal]
  return [tenantId.toLowerCase() === PERSONAL_TENANT ? personal : work]
}
