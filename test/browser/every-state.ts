import { mkdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import axe from 'axe-core'
import t from 'tap'
import { LANGUAGES, type Language } from '../../src/http/pages/pages.ts'
import { texts } from '../../src/texts/texts.ts'
import { allPages } from '../http/pages/samples.ts'
import { darkCheck, forcedColoursCheck, layoutCheck, wholeCheck, type StateFacts } from './support/state-checks.ts'
import { chromiumTab, firefoxTab, type Tab } from './support/tab.ts'
import { openChromium } from './support/visitor.ts'

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

/** Loads each page in turn and checks it. axe is loaded once: the window stays the same. */
async function checkAll(
  tab: Tab,
  names: Iterable<string>,
  check: (language: Language) => string,
  seen: (name: string, facts: StateFacts) => unknown,
): Promise<void> {
  await tab.load('<title>empty</title>')
  await tab.run(axe.source)
  for (const name of names) {
    await tab.load(pages.get(name) ?? '')
    await seen(name, (await tab.run(check(languageOf(name)))) as StateFacts)
  }
}

/** By state; nothing for a state without any. */
type Faults = Record<string, string[]>
const heights = new Map<string, number>()

async function checkStates(tab: Tab): Promise<Faults> {
  const faults: Faults = {}
  const note = (name: string, found: string[], width: number): void => {
    if (found.length > 0) (faults[name] ??= []).push(...found.map((fault) => `${width} px: ${fault}`))
  }
  const whole = (language: Language) =>
    wholeCheck(Object.values(texts[language].actions), texts[language].product, language === LANGUAGES[0])
  await tab.resize(WIDTHS.narrow, 640)
  await checkAll(tab, pages.keys(), whole, (name, facts) => {
    note(name, facts.faults, WIDTHS.narrow)
    heights.set(name, Math.max(heights.get(name) ?? 0, facts.height))
  })
  await tab.resize(WIDTHS.wide, 800)
  await checkAll(
    tab,
    pages.keys(),
    () => layoutCheck,
    (name, facts) => note(name, facts.faults, WIDTHS.wide),
  )
  return faults
}

async function checkColours(tab: Tab, check: string, kind: string): Promise<Faults> {
  const faults: Faults = {}
  const names = TEMPLATES.map((name, at) => `${LANGUAGES[at % LANGUAGES.length]} ${name}`)
  await tab.resize(WIDTHS.narrow, 640)
  await checkAll(
    tab,
    names,
    () => check,
    async (name, facts) => {
      if (facts.faults.length > 0) faults[name] = facts.faults
      await tab.picture(join(PICTURES, `${kind}-${name.replace(' ', '-')}.png`))
    },
  )
  return faults
}

mkdirSync(PICTURES, { recursive: true })
const [chromium, firefox] = await Promise.all([openChromium(t), firefoxTab(t, 'light')])

await t.test('all pages in all states and languages, in both browsers at the same time', async (t) => {
  const [inChromium, inFirefox] = await Promise.all([
    chromiumTab(chromium, 'light').then(checkStates),
    checkStates(firefox),
  ])
  t.same(inChromium, {}, 'Chromium')
  t.same(inFirefox, {}, 'Firefox')
})

for (const [colours, check] of [
  ['dark', darkCheck],
  ['forced', forcedColoursCheck],
] as const) {
  await t.test(`${colours} colours, one state for each template`, async (t) => {
    const [inChromium, inFirefox] = await Promise.all([
      chromiumTab(chromium, colours).then((tab) => checkColours(tab, check, `chromium-${colours}`)),
      firefoxTab(t, colours).then((tab) => checkColours(tab, check, `firefox-${colours}`)),
    ])
    t.same(inChromium, {}, 'Chromium')
    t.same(inFirefox, {}, 'Firefox')
  })
}

await t.test('a hyphen of the browser in a name, an address or a headline would be found', async (t) => {
  await firefox.resize(WIDTHS.narrow, 640)
  const found: string[] = []
  for (const name of ['de result-mismatch', 'de account-connected', 'de admin-consent']) {
    await firefox.load((pages.get(name) ?? '').replace('</style>', 'body { hyphens: auto }</style>'))
    found.push(...((await firefox.run(layoutCheck)) as StateFacts).faults)
  }
  for (const element of ['h1', 'a', 'bdi', 'code']) t.match(found.join('\n'), `hyphen of the browser in <${element}>`)
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
