/**
 * The one table of the Microsoft Graph permissions that may be configured (all delegated), with the words people see
 * (docs/design.md#pages). In core, because the configuration, the pages and microsoft/ all need it. How Microsoft
 * spells granted scopes is in microsoft/scopes.ts.
 */

export interface MicrosoftPermission {
  /** Microsoft's name and spelling. */
  readonly scope: string
  readonly words: string
  /**
   * Whether users may approve it without an administrator under the policy that Microsoft manages, the default of new
   * tenants; as of 2026-01-22 (docs/microsoft.md#consent-policies).
   */
  readonly usersMayApprove: boolean
  /** Narrower permissions that it includes, only where Microsoft documents it (docs/microsoft.md#scopes). */
  readonly covers?: readonly string[]
}

/** In the order in which they are shown. */
export const PERMISSIONS = [
  { scope: 'User.Read', words: 'Read your profile information', usersMayApprove: true },
  { scope: 'Files.ReadWrite', words: 'Read and write your own M365 files', usersMayApprove: true },
  {
    scope: 'Files.ReadWrite.All',
    words: 'Read and write your M365 files',
    usersMayApprove: false,
    covers: ['Files.ReadWrite'],
  },
  {
    scope: 'Sites.Selected',
    words: 'Read and write in the SharePoint sites that your administrator selects',
    usersMayApprove: true,
  },
  {
    scope: 'Sites.ReadWrite.All',
    words: 'Read and write in all SharePoint sites that you can open',
    usersMayApprove: false,
  },
] as const satisfies readonly MicrosoftPermission[]

/** Names of all permissions that may be configured. */
export const KNOWN_SCOPES: readonly string[] = PERMISSIONS.map(({ scope }) => scope)

/** What is asked for if MICROSOFT_PERMISSIONS is not set. */
export const DEFAULT_SCOPES: readonly string[] = ['User.Read', 'Files.ReadWrite.All']

/** The permission with this name, in any letter case. */
export function findPermission(scope: string): MicrosoftPermission | undefined {
  const key = scope.toLowerCase()
  return PERMISSIONS.find((permission) => permission.scope.toLowerCase() === key)
}

/** The rows of these names, in the order of the table. */
export function permissionsOf(scopes: readonly string[]): MicrosoftPermission[] {
  return PERMISSIONS.filter(({ scope }) => scopes.includes(scope))
}
