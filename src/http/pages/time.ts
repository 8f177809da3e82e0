import { html, type Html } from './html.ts'
import type { Language } from './language.ts'

const UNITS = [
  { unit: 'year', seconds: 365 * 86_400 },
  { unit: 'month', seconds: 30 * 86_400 },
  { unit: 'day', seconds: 86_400 },
  { unit: 'hour', seconds: 3600 },
  { unit: 'minute', seconds: 60 },
  { unit: 'second', seconds: 1 },
] as const

/**
 * "3 minutes ago", and "1 day ago" rather than "yesterday", which the server cannot know: it is by the reader's
 * calendar. `at` ISO 8601, `now` milliseconds since the epoch. A stored time slightly ahead of our clock counts as now:
 * stored times are Postgres', and the two clocks may differ by seconds.
 */
export function timeInWords(at: string, now: number, language: Language): string {
  const past = Math.max(0, Math.round((now - Date.parse(at)) / 1000))
  const { unit, seconds } = UNITS.find((candidate) => past >= candidate.seconds) ?? { unit: 'second', seconds: 1 }
  return new Intl.RelativeTimeFormat(language, { numeric: past === 0 ? 'auto' : 'always' }).format(
    -Math.floor(past / seconds),
    unit,
  )
}

/** The time zone of this name if Intl knows it, else UTC. */
export function knownTimeZone(name: string | undefined): string {
  if (name === undefined) return 'UTC'
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone
  } catch {
    return 'UTC'
  }
}

/** Who reads a time: `timeZone` is the name of a zone that Intl knows. */
export interface TimeReader {
  language: Language
  timeZone: string
}

/** "22 Nov 2026, 11:00 CET": in the zone of the reader, and with its name. `zoneName`: short, or in words. */
export function exactTime(
  at: string,
  { language, timeZone }: TimeReader,
  zoneName: 'short' | 'long' = 'short',
): string {
  const locale = language === 'en' ? 'en-GB' : language
  const time = Date.parse(at)
  const zone = new Intl.DateTimeFormat(locale, { timeZone, timeZoneName: zoneName })
    .formatToParts(time)
    .find(({ type }) => type === 'timeZoneName')
  const shown = new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'short', timeZone }).format(time)
  return `${shown} ${zone?.value ?? timeZone}`
}

/**
 * Words first, the exact time beside them: a title alone is out of reach for keyboard and touch. A time that is none is
 * left out.
 */
export function timeAgo(at: string, now: number, reader: TimeReader): Html {
  if (Number.isNaN(Date.parse(at))) return html``
  const words = timeInWords(at, now, reader.language)
  return html`<time datetime="${new Date(at).toISOString()}" title="${exactTime(at, reader, 'long')}">${words}</time> <span class="quiet">(${exactTime(at, reader)})</span>`
}
