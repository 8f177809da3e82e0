/** RFC 3339 with its zone, at most microseconds. */
export const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-]\d\d:\d\d)$/

/**
 * The same time in UTC, for a text of the form INSTANT. Undefined: no such time exists, or Postgres cannot hold it. It
 * knows no year 0, and Date.parse takes 30 February for a day in March.
 */
export function utcInstant(text: string): string | undefined {
  const [, seconds = '', fraction = '', zone = ''] = /^(.{19})(\.\d+)?(.+)$/.exec(text) ?? []
  const local = Date.parse(`${seconds}Z`)
  const utc = Date.parse(seconds + zone)
  if (Number.isNaN(local) || Number.isNaN(utc) || new Date(local).toISOString().slice(0, 19) !== seconds)
    return undefined
  const written = new Date(utc).toISOString().slice(0, 19)
  return /^(?!0000)\d{4}-/.test(written) ? `${written}${fraction}Z` : undefined
}

/** Whether JavaScript and Postgres both read this time as it stands. Postgres has no offset of 16 hours. */
export function isInstant(text: string): boolean {
  const offsetHours = text.endsWith('Z') ? 0 : Number(text.slice(-5, -3))
  return INSTANT.test(text) && offsetHours < 16 && !text.startsWith('0000') && utcInstant(text) !== undefined
}
