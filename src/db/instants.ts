/** `2026-11-22 10:00:00.1+00`, as Postgres writes it, to ISO 8601 in whole seconds (RFC 3339). */
export function iso(instant: string): string {
  return new Date(instant).toISOString().replace(/\.\d+Z$/, 'Z')
}
