import { sql, type Column, type SQL } from './drizzle.ts'

// Times are read as seconds since the epoch, so that no setting of the database or role changes what is read
// (driver-types.ts).

/**
 * Seconds since the epoch. `extract` gives numeric; `date_part` would give a float, of which extra_float_digits may cut
 * digits.
 */
export const epochOf = (instant: Column | SQL): SQL<number> => sql<number>`extract(epoch from ${instant})`
export const epochOrNull = (instant: Column | SQL): SQL<number | null> =>
  sql<number | null>`extract(epoch from ${instant})`

/** ISO 8601 with microseconds, for a time that goes back into a statement as it is. */
export const exactly = (instant: Column | SQL): SQL<string> =>
  sql<string>`to_char(${instant} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`

/** The years that RFC 3339 can write. */
const EARLIEST = Date.parse('0000-01-01T00:00:00Z') / 1000
const LATEST = Date.parse('9999-12-31T23:59:59Z') / 1000

/**
 * Seconds since the epoch that can be written and subtracted: `infinity` and other times outside the years 0 to 9999
 * become the nearest time inside.
 */
export const withinYears = (seconds: number): number =>
  Number.isNaN(seconds) ? 0 : Math.min(Math.max(seconds, EARLIEST), LATEST)

/** RFC 3339 in whole seconds, of a time as `withinYears` gives it. */
export const isoOfEpoch = (seconds: number): string =>
  `${new Date(withinYears(seconds) * 1000).toISOString().slice(0, 19)}Z`
