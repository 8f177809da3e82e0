/** Who can sign in at the simulated Microsoft: organisations (tenants) and accounts. All are invented. */

/** Microsoft's tenant of every personal account; the path `consumers` means the same. */
export const personalTenantId = '9188040d-6c67-4c5b-b112-36a304b66dad'

export interface Tenant {
  id: string
  domain: string
  name: string
  /** `microsoft_managed` is the default of new organisations: users cannot approve Files.ReadWrite.All themselves. */
  userConsent: 'all' | 'microsoft_managed'
}

export interface Account {
  username: string
  displayName: string
  givenName: string
  surname: string
  tenantId: string
  objectId: string
  /** One line in the account picker: what this account is good for. */
  note: string
  /** May approve for the whole organisation. */
  admin?: boolean
  /** Consented, but left out of every token, as Entra does for scopes that need an unmet policy. */
  withheldScopes?: string[]
  /** The sign-in ends at Microsoft with this error page (50057, 53003 …). */
  signInError?: number
}

export const tenants: readonly Tenant[] = [
  { id: 'c0470500-0000-4000-8000-00000c047050', domain: 'contoso.com', name: 'Contoso Hospital', userConsent: 'all' },
  { id: 'fab21ca0-0000-4000-8000-00000fab21ca', domain: 'fabrikam.com', name: 'Fabrikam Clinic', userConsent: 'all' },
  {
    id: '40270a1d-0000-4000-8000-0000040270a1',
    domain: 'northwind.com',
    name: 'Northwind Health',
    userConsent: 'microsoft_managed',
  },
  { id: personalTenantId, domain: 'consumers', name: 'Personal accounts', userConsent: 'all' },
]

const [contoso, fabrikam, northwind] = tenants.map((tenant) => tenant.id) as [string, string, string]

export const defaultAccounts: readonly Account[] = [
  {
    username: 'jane@contoso.com',
    displayName: 'Jane Miller',
    givenName: 'Jane',
    surname: 'Miller',
    tenantId: contoso,
    objectId: '1a5e0001-c047-4000-8000-000000000001',
    note: 'Work account',
  },
  {
    username: 'omar@contoso.com',
    displayName: 'Omar Haddad',
    givenName: 'Omar',
    surname: 'Haddad',
    tenantId: contoso,
    objectId: '1a5e0002-c047-4000-8000-000000000002',
    note: 'Work account, a colleague of Jane',
  },
  {
    username: 'lena@fabrikam.com',
    displayName: 'Lena Vogt',
    givenName: 'Lena',
    surname: 'Vogt',
    tenantId: fabrikam,
    objectId: '1a5e0003-fab2-4000-8000-000000000003',
    note: 'Work account of another organisation',
  },
  {
    username: 'pat@outlook.example',
    displayName: 'Pat Young',
    givenName: 'Pat',
    surname: 'Young',
    tenantId: personalTenantId,
    objectId: '00000000-0000-0000-990f-ceb1639eb15a',
    note: 'Personal account',
  },
  {
    username: 'nora@northwind.com',
    displayName: 'Nora Berg',
    givenName: 'Nora',
    surname: 'Berg',
    tenantId: northwind,
    objectId: '1a5e0004-4027-4000-8000-000000000004',
    note: 'Needs her administrator’s approval',
  },
  {
    username: 'adele@northwind.com',
    displayName: 'Adele Admin',
    givenName: 'Adele',
    surname: 'Admin',
    tenantId: northwind,
    objectId: '1a5e0005-4027-4000-8000-000000000005',
    note: 'Administrator: can approve for the organisation',
    admin: true,
  },
  {
    username: 'sam@fabrikam.com',
    displayName: 'Sam Little',
    givenName: 'Sam',
    surname: 'Little',
    tenantId: fabrikam,
    objectId: '1a5e0006-fab2-4000-8000-000000000006',
    note: 'Gets only part of the permissions',
    withheldScopes: ['Files.ReadWrite.All'],
  },
  {
    username: 'dora@contoso.com',
    displayName: 'Dora Left',
    givenName: 'Dora',
    surname: 'Left',
    tenantId: contoso,
    objectId: '1a5e0007-c047-4000-8000-000000000007',
    note: 'Account is disabled',
    signInError: 50057,
  },
  {
    username: 'blake@contoso.com',
    displayName: 'Blake Barred',
    givenName: 'Blake',
    surname: 'Barred',
    tenantId: contoso,
    objectId: '1a5e0008-c047-4000-8000-000000000008',
    note: 'Blocked by Conditional Access',
    signInError: 53003,
  },
]

/** `count` more work accounts of Contoso (user0@contoso.com …), for benchmarks; the same ones every time. */
export function crowd(count: number): Account[] {
  return Array.from({ length: count }, (_, i) => ({
    username: `user${i}@contoso.com`,
    displayName: `User ${i}`,
    givenName: 'User',
    surname: String(i),
    tenantId: contoso,
    objectId: `c2090000-c047-4000-8000-${i.toString(16).padStart(12, '0')}`,
    note: 'One of a crowd',
  }))
}

export function isPersonal(account: Account): boolean {
  return account.tenantId === personalTenantId
}

/** What `{tenant}` in a path stands for: one organisation, or one of Microsoft's three collective names. */
export interface Audience {
  /** common, organizations, or the tenant's GUID; two paths with the same `key` are the same place (AADSTS700005). */
  key: string
  tenant: Tenant | null
}

export interface Directory {
  accounts: readonly Account[]
  /** By username or object id, in any case. */
  find(name: string): Account | undefined
  tenantOf(account: Account): Tenant
  /** undefined: AADSTS90002, no such tenant. */
  audience(segment: string): Audience | undefined
}

export function createDirectory(accounts: readonly Account[]): Directory {
  const byName = new Map<string, Account>()
  const bySegment = new Map<string, Tenant>()
  for (const tenant of tenants) {
    bySegment.set(tenant.id, tenant)
    bySegment.set(tenant.domain, tenant)
  }
  for (const account of accounts) {
    byName.set(account.username.toLowerCase(), account)
    byName.set(account.objectId.toLowerCase(), account)
    if (bySegment.has(account.tenantId)) continue
    const domain = account.username.split('@')[1] ?? account.tenantId
    const tenant: Tenant = { id: account.tenantId, domain, name: domain, userConsent: 'all' }
    bySegment.set(tenant.id, tenant)
    bySegment.set(domain, tenant)
  }
  return {
    accounts,
    find: (name) => byName.get(name.toLowerCase()),
    tenantOf: (account) => bySegment.get(account.tenantId) as Tenant,
    audience(segment) {
      const key = segment.toLowerCase()
      if (key === 'common' || key === 'organizations') return { key, tenant: null }
      const tenant = bySegment.get(key)
      return tenant && { key: tenant.id, tenant }
    },
  }
}

/** Whether this account may sign in on that path; `common` takes everybody. */
export function admits(audience: Audience, account: Account): boolean {
  if (audience.key === 'common') return true
  if (audience.key === 'organizations') return !isPersonal(account)
  return audience.key === account.tenantId
}
