import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

// Run by `npm run test:browser` before the tests, so that a missing browser is one line and not a stack trace in each file.

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** The browser's path: `CHROMIUM` from the environment, else the first of the usual names on the PATH; undefined when there is none. */
export function findChromium(env: Record<string, string | undefined> = process.env): string | undefined {
  const named = env['CHROMIUM']
  if (named !== undefined && named !== '') return isExecutable(named) ? named : undefined
  const folders = (env['PATH'] ?? '').split(delimiter)
  return NAMES.flatMap((name) => folders.map((folder) => join(folder, name))).find(isExecutable)
}

if (import.meta.main && findChromium() === undefined) {
  const named = process.env['CHROMIUM']
  const what = named ? `CHROMIUM names ${named}, which cannot be run.` : 'No Chromium found.'
  console.error(`${what} The page tests need one: apt-get install chromium, or set CHROMIUM to the binary of another.`)
  process.exitCode = 1
}
