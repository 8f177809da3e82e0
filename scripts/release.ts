import { execFileSync, spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { buildArtifacts, Refused } from './artifacts.ts'
import { versionOf, writeVersion } from './versions.ts'

// `npm run release -- 1.2.3`: version, generated files, check, frozen baselines, changelog, commit and tag. If a step
// fails, `git reset --hard` brings the checkout back. `npm run release`: the files of the commit that is checked out, in
// release/ (scripts/artifacts.ts). It pushes and publishes nothing.

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const VERSION = /^(\d+)\.(\d+)\.(\d+)$/

const run = (command: string, ...args: string[]): string =>
  execFileSync(command, args, { cwd: ROOT, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }).trim()

/** Shows its output: it takes minutes, or says what is wrong. */
function step(command: string, ...args: string[]): void {
  const { status } = spawnSync(command, args, { cwd: ROOT, stdio: ['ignore', 'inherit', 'inherit'] })
  if (status !== 0)
    throw new Refused(`"${command} ${args.join(' ')}" failed. "git reset --hard" brings the checkout back.`)
}

function isLater(version: string, than: string): boolean {
  const [a, b] = [version, than].map((text) => text.split('.').map(Number))
  const index = a!.findIndex((part, i) => part !== b![i])
  return index >= 0 && a![index]! > b![index]!
}

/** The changelog with what was unreleased under the version. `date`: YYYY-MM-DD. Throws Refused when there is nothing to release. */
export function releasedChangelog(changelog: string, version: string, date: string): string {
  const [, head, entries, older] = /^([\s\S]*?## Unreleased\n)([\s\S]*?)((?:\n## [\s\S]*)?)$/.exec(changelog) ?? []
  if (head === undefined || entries === undefined) throw new Refused('CHANGELOG.md has no heading "## Unreleased".')
  if (entries.trim() === '') throw new Refused('CHANGELOG.md has nothing under "## Unreleased".')
  return `${head}\n## ${version} (${date})\n\n${entries.trim()}\n${older ?? ''}`
}

function checkBefore(version: string): void {
  if (!VERSION.test(version)) throw new Refused('Usage: npm run release, or npm run release -- 1.2.3')
  if (run('git', 'status', '--porcelain') !== '') throw new Refused('There are changes that are not committed.')
  if (run('git', 'tag', '--list', `v${version}`) !== '') throw new Refused(`The tag v${version} exists already.`)
  const { release } = JSON.parse(readFileSync(`${ROOT}test/db/released.json`, 'utf8')) as { release: string | null }
  const last = release ?? '0.0.0'
  if (!isLater(version, last)) throw new Refused(`${version} is not later than the last release, ${last}.`)
}

/** What later changes are compared with: the API document, the audit lines and the newest migration of this release. */
function freezeBaselines(version: string): void {
  copyFileSync(`${ROOT}openapi/openapi.json`, `${ROOT}openapi/released.json`)
  copyFileSync(`${ROOT}openapi/audit-lines.json`, `${ROOT}openapi/audit-lines.released.json`)
  const journal = JSON.parse(readFileSync(`${ROOT}src/db/migrations/meta/_journal.json`, 'utf8')) as {
    entries: { tag: string }[]
  }
  const baseline = { release: version, migration: journal.entries.at(-1)!.tag }
  writeFileSync(`${ROOT}test/db/released.json`, `${JSON.stringify(baseline, null, 2)}\n`)
}

function release(version: string): void {
  checkBefore(version)
  const changelog = readFileSync(`${ROOT}CHANGELOG.md`, 'utf8')
  const date = new Date().toISOString().slice(0, 10)
  const next = releasedChangelog(changelog, version, date)
  console.log(`Releasing ${version}; package.json says ${versionOf()}.`)
  writeVersion(version)
  step('npm', 'run', 'openapi')
  step('npm', 'run', 'documents')
  // Compares with the baselines of the last release, so before they are replaced.
  step('npm', 'run', 'check')
  step('npx', 'tap', 'build')
  step('npx', 'tap', 'run', 'test/audit/schema.test.ts', 'test/db/migration-rules.test.ts')
  freezeBaselines(version)
  writeFileSync(`${ROOT}CHANGELOG.md`, next)
  step('npx', 'prettier', '--check', 'CHANGELOG.md', 'docs', 'openapi', 'test/db/released.json')
  step('npx', 'tap', 'run', 'test/versions.test.ts', 'test/db/migration-rules.test.ts', 'test/documents.test.ts')
  run('git', 'add', '--all')
  run('git', 'commit', '--quiet', '--message', `Release ${version}`)
  run('git', 'tag', '--annotate', `v${version}`, '--message', `Release ${version}`)
  console.log(
    `Committed and tagged v${version}. "npm run release" makes its files. When .ci/run has passed on it: git push origin HEAD v${version}`,
  )
}

/** `--stand-in`: the image on stand-ins of its bases, to try it where they cannot be pulled. Never publish that. */
async function makeFiles(flags: readonly string[]): Promise<void> {
  const folder = `${ROOT}release`
  for (const name of await buildArtifacts(folder, { standIn: flags.includes('--stand-in') }))
    console.log(`release/${name}`)
}

if (process.argv[1] !== undefined && existsSync(process.argv[1]) && import.meta.filename === process.argv[1]) {
  try {
    const args = process.argv.slice(2)
    if (args.every((arg) => arg === '--stand-in')) await makeFiles(args)
    else release(args[0] ?? '')
  } catch (error) {
    if (!(error instanceof Refused)) throw error
    console.error(error.message)
    process.exitCode = 1
  }
}
