// Times in requests: RFC 3339 with a zone.

export const INSTANT = '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(?:\\.\\d{1,6})?(?:Z|[+-]\\d\\d:\\d\\d)$'

/**
 * The same time in UTC, for a text of the form INSTANT. Undefined: no such time exists, or Postgres cannot hold it. It
 * knows no year 0 and fewer offsets, and Date takes February 30 for a day in March.
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
