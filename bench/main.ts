// `npm run bench`: every benchmark, one after the other, each in a process of its own and against its target in words. It measures and prints;
// what must hold is in the tests. Arguments are handed on, such as --million.
import { spawnSync } from 'node:child_process'
import { availableParallelism, loadavg } from 'node:os'
import { fileURLToPath } from 'node:url'

const BENCHMARKS = [
  { file: 'warm-read.ts', what: 'A warm signed read against a bare route (design 7)', takes: ['--million'] },
  { file: 'refresh.ts', what: 'Refreshing many users at once (design 7)', takes: [] },
  { file: 'signature.ts', what: 'Signing and verifying', takes: [] },
  { file: 'vault.ts', what: 'Sealing and opening', takes: [] },
] as const

console.log(
  `node ${process.version}, ${availableParallelism()} cores, load before ${loadavg()[0]?.toFixed(1)} (anything above 0.5 makes the figures worse)`,
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
