/** RFC 3339 with its zone, at most microseconds. */
export const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-]\d\d:\d\d)$/

/**
 * Whether JavaScript and Postgres both read this time, as the same. Date.parse takes 30 February for a day in March,
 * and Postgres has neither a year 0 nor an offset of 16 hours: such a time would make its whole statement fail.
 */
export function isInstant(text: string): boolean {
  if (!INSTANT.test(text) || Number.isNaN(Date.parse(text)) || text.startsWith('0000')) return false
  const day = text.slice(0, 10)
  const offsetHours = text.endsWith('Z') ? 0 : Number(text.slice(-5, -3))
  return offsetHours < 16 && new Date(`${day}T00:00:00Z`).toISOString().startsWith(day)
}
