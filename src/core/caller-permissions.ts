/** What a caller may be allowed to do (docs/design.md#signed-requests). Each route names the one that it needs. */
export const CALLER_PERMISSIONS = [
  'tokens:read',
  'tokens:refresh',
  'connect:write',
  'integrations:read',
  'integrations:delete',
  'integrations:import',
  'events:read',
  'sessions:delete',
  'freezes:write',
] as const
export type CallerPermission = (typeof CALLER_PERMISSIONS)[number]

/** What MEGDocs needs. Imports and freezes are rare, and ops can do both by the command line. */
export const USUAL_PERMISSIONS = CALLER_PERMISSIONS.filter(
  (permission) => permission !== 'integrations:import' && permission !== 'freezes:write',
)
