import { findBrowser } from './find-chromium.ts'

// `npm run test:browser` runs this before the tests, as find-chromium.ts. playwright-core drives an unchanged Firefox by
// WebDriver BiDi.

const NAMES = ['firefox-esr', 'firefox']

/** Path of the browser: the variable `FIREFOX`, or else the first usual name in the PATH. Undefined: there is none. */
export const findFirefox = (): string | undefined => findBrowser('FIREFOX', NAMES)

if (import.meta.main && findFirefox() === undefined) {
  const named = process.env['FIREFOX']
  const what = named ? `FIREFOX is ${named}, which cannot be run.` : 'No Firefox found.'
  console.error(
    `${what} The browser tests need it: apt-get install firefox-esr, or set FIREFOX to the path of another binary.`,
  )
  process.exitCode = 1
}
