import t from 'tap'
import type { Language } from '../../../src/http/pages/pages.ts'
import { exactTime, knownTimeZone, timeAgo, timeInWords } from '../../../src/http/pages/time.ts'

const NOW = Date.parse('2026-11-22T10:00:00Z')
const before = (seconds: number) => new Date(NOW - seconds * 1000).toISOString()

t.test("a time is told in the reader's own words, in the largest unit that fits", async (t) => {
  const cases: [number, string, string][] = [
    [0, 'now', 'jetzt'],
    [-5, 'now', 'jetzt'],
    [1, '1 second ago', 'vor 1 Sekunde'],
    [59, '59 seconds ago', 'vor 59 Sekunden'],
    [60, '1 minute ago', 'vor 1 Minute'],
    [3599, '59 minutes ago', 'vor 59 Minuten'],
    [3600, '1 hour ago', 'vor 1 Stunde'],
    [86_399, '23 hours ago', 'vor 23 Stunden'],
    [86_400, '1 day ago', 'vor 1 Tag'],
    [2 * 86_400, '2 days ago', 'vor 2 Tagen'],
    [30 * 86_400, '1 month ago', 'vor 1 Monat'],
    [400 * 86_400, '1 year ago', 'vor 1 Jahr'],
  ]
  for (const [seconds, english, german] of cases) {
    t.equal(timeInWords(before(seconds), NOW, 'en'), english)
    t.equal(timeInWords(before(seconds), NOW, 'de'), german)
  }
})

t.test("the exact time stands beside it, in the reader's zone and with its name", async (t) => {
  const cases: [Language, string, string, string][] = [
    ['en', 'UTC', '2026-11-22T12:00:00+02:00', '22 Nov 2026, 10:00 UTC'],
    ['de', 'UTC', '2026-11-22T10:00:00Z', '22.11.2026, 10:00 UTC'],
    ['de', 'Europe/Berlin', '2026-11-22T23:30:00Z', '23.11.2026, 00:30 MEZ'],
    ['de', 'Europe/Berlin', '2026-07-22T10:00:00Z', '22.07.2026, 12:00 MESZ'],
    ['en', 'Europe/Berlin', '2026-11-22T10:00:00Z', '22 Nov 2026, 11:00 CET'],
    ['es', 'Europe/Madrid', '2026-11-22T10:00:00Z', '22 nov 2026, 11:00 CET'],
    ['en', 'Asia/Kolkata', '2026-11-22T10:00:00Z', '22 Nov 2026, 15:30 GMT+5:30'],
  ]
  for (const [language, timeZone, at, expected] of cases) t.equal(exactTime(at, { language, timeZone }), expected)
  const page = timeAgo(before(180), NOW, { language: 'en', timeZone: 'Europe/Berlin' }).toString()
  t.match(page, '<time datetime="2026-11-22T09:57:00.000Z" title="22 Nov 2026, 10:57 Central European Standard Time">')
  t.match(page, '>3 minutes ago</time> <span class="quiet">(22 Nov 2026, 10:57 CET)</span>')
})

t.test('a zone that Intl does not know is UTC', async (t) => {
  for (const name of [undefined, '', 'Mars/Base', 'Europe', '../etc']) t.equal(knownTimeZone(name), 'UTC', String(name))
  t.equal(knownTimeZone('europe/vienna'), 'Europe/Vienna')
})

t.test('a time that is none is left out instead of breaking the page', async (t) => {
  t.equal(timeAgo('soon', NOW, { language: 'en', timeZone: 'UTC' }).toString(), '')
})
