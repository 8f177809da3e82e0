import { readFileSync } from 'node:fs'

/** The version of this release. It stands in package.json only, which lies beside both src and dist. */
export const VERSION: string = readVersion()

function readVersion(): string {
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
    version?: unknown
  }
  if (typeof version !== 'string') throw new TypeError('package.json has no version')
  return version
}
