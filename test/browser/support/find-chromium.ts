import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

// `npm run test:browser` runs this before the tests, so that a missing browser gives one line and not a stack trace for
// each file.

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** Path of a browser: the value of `variable`, or else the first of `names` in the PATH. Undefined: there is none. */
export function findBrowser(variable: string, names: readonly string[]): string | undefined {
  const named = process.env[variable]
  if (named !== undefined && named !== '') return isExecutable(named) ? named : undefined
  const folders = (process.env['PATH'] ?? '').split(delimiter)
  return names.flatMap((name) => folders.map((folder) => join(folder, name))).find(isExecutable)
}

export const findChromium = (): string | undefined => findBrowser('CHROMIUM', NAMES)

if (import.meta.main && findChromium() === undefined) {
  const named = process.env['CHROMIUM']
  const what = named ? `CHROMIUM is ${named}, which cannot be run.` : 'No Chromium found.'
  console.error(
    `${what} The browser tests need it: apt-get install chromium, or set CHROMIUM to the path of another binary.`,
  )
  process.exitCode = 1
}
