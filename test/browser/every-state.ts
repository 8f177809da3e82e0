import { mkdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import axe from 'axe-core'
import type { Browser, Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { LANGUAGES, type Language } from '../../src/http/pages/pages.ts'
import { texts } from '../../src/texts/texts.ts'
import { allPages } from '../http/pages/samples.ts'
import { darkCheck, forcedColoursCheck, layoutCheck, wholeCheck, type StateFacts } from './support/state-checks.ts'
import { openChromium, openFirefox } from './support/visitor.ts'

// All pages with all reasons of the closed lists, also those that the simulator cannot cause, in every language, in
// Firefox and Chromium at the same time. `.screenshots/index.html` shows them all.

const PICTURES = resolve('.screenshots')
/** CSS pixels. 320 is also a desktop of 1280 at 400 % zoom (WCAG 2.2, 1.4.10). */
const WIDTHS = { narrow: 320, wide: 1280 } as const
/** One for each template, and for each kind of button. */
const TEMPLATES = [
  'account-not-connected',
  'account-connected',
  'attention-access_revoked',
  'disconnect-confirm',
  'disconnected',
  'result-connected',
  'result-not_approved',
  'admin-consent',
  'admin-consent-refused-declined',
  'problem-link_used',
]

/** Name of language and state → HTML. A page that redirects itself is checked before it does. */
const pages = new Map(
  LANGUAGES.flatMap((language) =>
    Object.entries(allPages(language)).map(([name, html]) => [
      `${language} ${name}`,
      html.replace(/<meta http-equiv="refresh"[^>]*>/, ''),
    ]),
  ),
)
const languageOf = (name: string): Language => name.split(' ', 1)[0] as Language

async function openPage(browser: Browser, colorScheme: 'light' | 'dark' = 'light'): Promise<Page> {
  const context = await browser.newContext({ colorScheme, viewport: { width: WIDTHS.narrow, height: 640 } })
  return context.newPage()
}

/** Loads each page in turn and checks it. The window stays the same, so axe is loaded once. */
async function checkAll(
  page: Page,
  names: Iterable<string>,
  check: (language: Language) => string,
  seen: (name: string, facts: StateFacts) => unknown,
): Promise<void> {
  await page.setContent('<title>empty</title>')
  await page.evaluate(axe.source)
  for (const name of names) {
    await page.setContent(pages.get(name) ?? '')
    await seen(name, (await page.evaluate(check(languageOf(name)))) as StateFacts)
  }
}

/** By state: the faults; nothing for a state without any. */
type Faults = Record<string, string[]>
const heights = new Map<string, number>()

async function checkStates(browser: Browser): Promise<Faults> {
  const faults: Faults = {}
  const note = (name: string, found: string[], width: number): void => {
    if (found.length > 0) (faults[name] ??= []).push(...found.map((fault) => `${width} px: ${fault}`))
  }
  const page = await openPage(browser)
  const whole = (language: Language) => wholeCheck(Object.values(texts[language].actions), texts[language].product)
  await checkAll(page, pages.keys(), whole, (name, facts) => {
    note(name, facts.faults, WIDTHS.narrow)
    heights.set(name, Math.max(heights.get(name) ?? 0, facts.height))
  })
  await page.setViewportSize({ width: WIDTHS.wide, height: 800 })
  await checkAll(
    page,
    pages.keys(),
    () => layoutCheck,
    (name, facts) => note(name, facts.faults, WIDTHS.wide),
  )
  return faults
}

async function checkColours(page: Page, check: string, kind: string): Promise<Faults> {
  const faults: Faults = {}
  const names = TEMPLATES.map((name, at) => `${LANGUAGES[at % LANGUAGES.length]} ${name}`)
  await checkAll(
    page,
    names,
    () => check,
    async (name, facts) => {
      if (facts.faults.length > 0) faults[name] = facts.faults
      await page.screenshot({ path: join(PICTURES, `${kind}-${name.replace(' ', '-')}.png`), fullPage: true })
    },
  )
  return faults
}

async function clean(t: Test, name: string, faults: Promise<Faults>): Promise<void> {
  t.same(await faults, {}, name)
}

mkdirSync(PICTURES, { recursive: true })
const [chromium, firefox, forcedFirefox] = await Promise.all([
  openChromium(t),
  openFirefox(t),
  // Firefox takes these from the system; the pages see them as `forced-colors` and dark.
  openFirefox(t, { 'browser.display.document_color_use': 2 }),
])

await t.test('all pages in all states and languages, in both browsers', async (t) => {
  await Promise.all([clean(t, 'Chromium', checkStates(chromium)), clean(t, 'Firefox', checkStates(firefox))])
})

await t.test('forced colours and dark, one state for each template', async (t) => {
  const forced = await openPage(chromium)
  await forced.emulateMedia({ forcedColors: 'active' })
  await Promise.all([
    clean(t, 'Chromium, dark', checkColours(await openPage(chromium, 'dark'), darkCheck, 'chromium-dark')),
    clean(t, 'Firefox, dark', checkColours(await openPage(firefox, 'dark'), darkCheck, 'firefox-dark')),
  ])
  await Promise.all([
    clean(t, 'Chromium, forced', checkColours(forced, forcedColoursCheck, 'chromium-forced')),
    clean(t, 'Firefox, forced', checkColours(await openPage(forcedFirefox), forcedColoursCheck, 'firefox-forced')),
  ])
})

await t.test('a hyphen of the browser in a name, an address or a headline would be found', async (t) => {
  const page = await openPage(firefox)
  const name = 'de result-mismatch'
  const planted = (pages.get(name) ?? '').replace('</style>', 'body { hyphens: auto }</style>')
  await page.setContent(planted)
  const { faults } = (await page.evaluate(layoutCheck)) as StateFacts
  t.match(faults.join('\n'), /hyphen of the browser in <h1>/)
  t.match(faults.join('\n'), /hyphen of the browser in <(?:a|bdi)>/)
})

writeSheet()

/** All states on one page, as the browser that opens it shows them. */
function writeSheet(): void {
  for (const [name, html] of pages) {
    const [language = '', state = ''] = name.split(' ')
    mkdirSync(join(PICTURES, 'states', language), { recursive: true })
    writeFileSync(join(PICTURES, 'states', language, `${state}.html`), html)
  }
  const rows = Object.keys(allPages('en')).map((state) => {
    const cells = LANGUAGES.map((language) => {
      const height = (heights.get(`${language} ${state}`) ?? 600) + 20
      return `<td><iframe title="${language} ${state}" src="states/${language}/${state}.html" style="height:${height}px" sandbox></iframe></td>`
    })
    return `<tr id="${state}"><th scope="row"><a href="#${state}">${state}</a></th>${cells.join('')}</tr>`
  })
  const heads = LANGUAGES.map((language) => `<th scope="col">${texts[language].language.name}</th>`).join('')
  writeFileSync(
    join(PICTURES, 'index.html'),
    `<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>All pages in all states</title>
<style>body{font:14px sans-serif;margin:1rem}th{text-align:left;vertical-align:top;padding:.5rem}td{vertical-align:top}iframe{width:320px;border:1px solid #999}</style>
<h1>All pages in all states, at 320 px</h1><table><thead><tr><td></td>${heads}</tr></thead><tbody>${rows.join('\n')}</tbody></table></html>\n`,
  )
}
