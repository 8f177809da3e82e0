// npm run mutants [-- <file …>]: changes the source in many small ways (Stryker) and reports which changes no test
// notices. Fails if less than 95 % are noticed, or if a survivor has no explanation in survivors.json. Run by hand: see
// README.md beside this file.
import { spawn } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { startDatabase } from '../../sandbox/database.ts'
import { judgeMutants, readReport, readSurvivors } from './judge.ts'

const path = (name: string) => fileURLToPath(new URL(name, import.meta.url))
const REPORT = path('../../.mutants/report.json')

async function runStryker(files: readonly string[]): Promise<number> {
  // One Postgres for all mutants. Tests that Stryker ends early leave their databases behind; they end with it.
  const database = await startDatabase()
  const stryker = path('../../node_modules/@stryker-mutator/core/bin/stryker.js')
  const only = files.length === 0 ? [] : ['--mutate', files.join(',')]
  const child = spawn(process.execPath, [stryker, 'run', path('stryker.json'), ...only], {
    stdio: 'inherit',
    env: {
      ...process.env,
      DATABASE_URL: database.url,
      // Most of the time of one mutant is loading modules: this halves it.
      NODE_COMPILE_CACHE: path('../../.mutants/compile-cache'),
      // Stryker ends a test that takes too long. The limit of tap itself would count a slow machine as a noticed
      // change.
      TAP_TIMEOUT: '600',
    },
  })
  const code = await new Promise<number>((resolve) => child.on('exit', (status) => resolve(status ?? 1)))
  await database.close()
  return code
}

const files = process.argv.slice(2)
const code = await runStryker(files)
if (code !== 0) process.exitCode = code
else {
  const { lines, summary, failed } = judgeMutants(
    readReport(readFileSync(REPORT, 'utf8')),
    readSurvivors(readFileSync(path('survivors.json'), 'utf8')),
  )
  for (const line of lines) console.log(line)
  console.log(summary)
  if (files.length === 0)
    writeFileSync(
      path('result.json'),
      `${JSON.stringify({ at: new Date().toISOString().slice(0, 10), summary }, null, 2)}\n`,
    )
  if (failed) process.exitCode = 1
}
