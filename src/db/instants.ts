/** `2026-11-22 10:00:00.1+00`, as Postgres writes it, to ISO 8601 in whole seconds (RFC 3339). On the way of every warm read. */
export function iso(instant: string): string {
  return `${new Date(instant).toISOString().slice(0, 19)}Z`
}
