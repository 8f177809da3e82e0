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

/**
 * Path of the browser: the variable `CHROMIUM`, or else the first usual name in the PATH. Undefined if there is none.
 */
export function findChromium(env: Record<string, string | undefined> = process.env): string | undefined {
  const named = env['CHROMIUM']
  if (named !== undefined && named !== '') return isExecutable(named) ? named : undefined
  const folders = (env['PATH'] ?? '').split(delimiter)
  return NAMES.flatMap((name) => folders.map((folder) => join(folder, name))).find(isExecutable)
}

if (import.meta.main && findChromium() === undefined) {
  const named = process.env['CHROMIUM']
  const what = named ? `CHROMIUM is ${named}, which cannot be run.` : 'No Chromium found.'
  console.error(
    `${what} The browser tests need it: apt-get install chromium, or set CHROMIUM to the path of another binary.`,
  )
  process.exitCode = 1
}
