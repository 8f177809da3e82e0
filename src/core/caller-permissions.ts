/** What a caller may be allowed to do (docs/reference/permissions.md). Each route names the one permission that it needs. */
export const CALLER_PERMISSIONS = [
  'tokens:read',
  'tokens:refresh',
  'connect:write',
  'integrations:read',
  'integrations:delete',
  'integrations:import',
  'events:read',
  'sessions:delete',
] as const
export type CallerPermission = (typeof CALLER_PERMISSIONS)[number]
