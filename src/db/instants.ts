/** `2026-11-22 10:00:00.1+00`, as Postgres writes it, to ISO 8601 in whole seconds (RFC 3339). */
export function iso(instant: string): string {
  return isoOfEpoch(Date.parse(instant) / 1000)
}

/** The same of seconds since the epoch. */
export function isoOfEpoch(seconds: number): string {
  return `${new Date(seconds * 1000).toISOString().slice(0, 19)}Z`
}
