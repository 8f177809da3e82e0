// `npm run bench`: runs all benchmarks, each in its own process, and prints the results; the targets
// stand in bench/README.md. It does not assert anything. Arguments such as --million are passed on.
import { spawnSync } from 'node:child_process'
import { availableParallelism, loadavg } from 'node:os'
import { fileURLToPath } from 'node:url'

const BENCHMARKS = [
  { file: 'warm-read.ts', what: 'A warm signed read against a bare route', takes: ['--million'] },
  { file: 'audit.ts', what: 'Waiting for the audit line of a warm read', takes: [] },
  { file: 'refresh.ts', what: 'Refreshing many users at once', takes: [] },
  { file: 'signature.ts', what: 'Signing and verifying', takes: [] },
  { file: 'vault.ts', what: 'Sealing and opening', takes: [] },
] as const

console.log(
  `node ${process.version}, ${availableParallelism()} cores, ` +
    `load before ${loadavg()[0]?.toFixed(1)} (above 0.5, the results get worse)`,
)
const asked = process.argv.slice(2)
for (const { file, what, takes } of BENCHMARKS) {
  console.log(`\n${what}`)
  const path = fileURLToPath(new URL(file, import.meta.url))
  const { status } = spawnSync(
    process.execPath,
    [path, ...asked.filter((flag) => (takes as readonly string[]).includes(flag))],
    { stdio: 'inherit' },
  )
  if (status !== 0) process.exitCode = 1
}
