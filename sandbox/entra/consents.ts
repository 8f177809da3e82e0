/** What users and administrators have approved, as far as this run of the simulator knows. */
import type { Account } from './accounts.ts'

export interface Consents {
  /** Scopes approved by the user or for the whole organisation. */
  of(account: Account): Set<string>
  covers(account: Account, scopes: readonly string[]): boolean
  forOrganisation(tenantId: string): Set<string>
  record(account: Account, scopes: readonly string[]): void
  recordForOrganisation(tenantId: string, scopes: readonly string[]): void
  /** Withdraws, as the user can at Microsoft: the page asks again, and refresh tokens fail until approved again. */
  forget(account: Account): void
  forgetAll(): void
  /**
   * May a refresh token that was granted these scopes still be used? One from before a restart is unknown here, and
   * may.
   */
  stands(account: Account, scopes: readonly string[]): boolean
}

export function createConsents(): Consents {
  const byAccount = new Map<string, Set<string>>()
  const byTenant = new Map<string, Set<string>>()
  const withdrawn = new Set<string>()
  let allWithdrawn = false

  function add(map: Map<string, Set<string>>, key: string, scopes: readonly string[]): void {
    map.set(key, new Set([...(map.get(key) ?? []), ...scopes]))
  }

  return {
    of: (account) => new Set([...(byAccount.get(account.objectId) ?? []), ...(byTenant.get(account.tenantId) ?? [])]),
    covers(account, scopes) {
      const approved = this.of(account)
      return scopes.every((scope) => approved.has(scope))
    },
    forOrganisation: (tenantId) => byTenant.get(tenantId) ?? new Set(),
    record: (account, scopes) => add(byAccount, account.objectId, scopes),
    recordForOrganisation: (tenantId, scopes) => add(byTenant, tenantId, scopes),
    forget(account) {
      byAccount.delete(account.objectId)
      withdrawn.add(account.objectId)
    },
    forgetAll() {
      byAccount.clear()
      byTenant.clear()
      allWithdrawn = true
    },
    stands(account, scopes) {
      return (!allWithdrawn && !withdrawn.has(account.objectId)) || this.covers(account, scopes)
    },
  }
}
