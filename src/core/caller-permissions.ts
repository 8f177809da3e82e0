/** What a caller may be allowed to do (design 3). One word per operation family; a route names the one it needs. */
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
