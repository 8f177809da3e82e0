import type { Browser as Chromium } from 'playwright-core'
import puppeteer, { type Browser as Firefox } from 'puppeteer-core'
import { findFirefox } from './find-firefox.ts'

// What the checks of all states need of a browser: the same for Chromium and Firefox. playwright-core drives Chromium.
// Firefox is driven by WebDriver BiDi, and for that playwright-core needs commands that Debian's Firefox does not have
// (`emulation.setMediaFeaturesOverride`, tried with 1.65 and 153 ESR). puppeteer-core needs none of them.

export interface Tab {
  /** Replaces the document. The window stays, and what scripts left in it. */
  load(html: string): Promise<void>
  run(script: string): Promise<unknown>
  resize(width: number, height: number): Promise<void>
  picture(path: string): Promise<void>
}

export type Colours = 'light' | 'dark' | 'forced'

export async function chromiumTab(browser: Chromium, colours: Colours): Promise<Tab> {
  const context = await browser.newContext({
    colorScheme: colours === 'dark' ? 'dark' : 'light',
    forcedColors: colours === 'forced' ? 'active' : 'none',
  })
  const page = await context.newPage()
  return {
    load: (html) => page.setContent(html),
    run: (script) => page.evaluate(script),
    resize: (width, height) => page.setViewportSize({ width, height }),
    picture: async (path) => void (await page.screenshot({ path, fullPage: true })),
  }
}

/** Firefox takes the colours from the system, or from these. */
const PREFERENCES: Record<Colours, Record<string, number>> = {
  light: { 'layout.css.prefers-color-scheme.content-override': 1 },
  dark: { 'layout.css.prefers-color-scheme.content-override': 0 },
  forced: { 'browser.display.document_color_use': 2 },
}

/** A Firefox of its own. */
export async function firefoxTab(t: { teardown(end: () => unknown): unknown }, colours: Colours): Promise<Tab> {
  const executablePath = findFirefox()
  if (executablePath === undefined) throw new Error('no Firefox: apt-get install firefox-esr, or set FIREFOX')
  const browser: Firefox = await puppeteer.launch({
    browser: 'firefox',
    executablePath,
    headless: true,
    extraPrefsFirefox: PREFERENCES[colours],
  })
  t.teardown(() => browser.close())
  const page = await browser.newPage()
  return {
    load: (html) => page.setContent(html),
    run: (script) => page.evaluate(script),
    resize: (width, height) => page.setViewport({ width, height }),
    picture: async (path) => void (await page.screenshot({ path: path as `${string}.png`, fullPage: true })),
  }
}
