/**
 * The one table of the Microsoft Graph permissions that may be configured (all delegated), in core because the
 * configuration, the pages and microsoft/ all need it. The words that people see are in texts/, how Microsoft spells
 * granted scopes is in microsoft/scopes.ts.
 */

export interface MicrosoftPermission {
  /** Microsoft's name and spelling. */
  readonly scope: string
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
  { scope: 'User.Read', usersMayApprove: true },
  { scope: 'Files.ReadWrite', usersMayApprove: true },
  { scope: 'Files.ReadWrite.All', usersMayApprove: false, covers: ['Files.ReadWrite'] },
  { scope: 'Sites.Selected', usersMayApprove: true },
  { scope: 'Sites.ReadWrite.All', usersMayApprove: false },
] as const satisfies readonly MicrosoftPermission[]

/** A permission that may be configured. */
export type PermissionName = (typeof PERMISSIONS)[number]['scope']

/** Names of all permissions that may be configured. */
export const KNOWN_SCOPES: readonly PermissionName[] = PERMISSIONS.map(({ scope }) => scope)

/** What is asked for if MICROSOFT_PERMISSIONS is not set. */
export const DEFAULT_SCOPES: readonly string[] = ['User.Read', 'Files.ReadWrite.All']

export function isPermissionName(scope: string): scope is PermissionName {
  return KNOWN_SCOPES.some((known) => known === scope)
}

/** The permission with this name, in any letter case. */
export function findPermission(scope: string): MicrosoftPermission | undefined {
  const key = scope.toLowerCase()
  return PERMISSIONS.find((permission) => permission.scope.toLowerCase() === key)
}

/** The rows of these names, in the order of the table. */
export function permissionsOf(scopes: readonly string[]): MicrosoftPermission[] {
  return PERMISSIONS.filter(({ scope }) => scopes.includes(scope))
}
