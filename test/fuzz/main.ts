// npm run fuzz [-- --minutes 10] [-- <target> …]: random inputs for what reads the input of others. It runs until the
// time is over or an input breaks a promise; that input is made small and added to the corpus, which npm test runs.
import { parseArgs } from 'node:util'
import fc from 'fast-check'
import { addToCorpus } from './corpus.ts'
import { TARGETS } from './targets.ts'

const BATCH = 5_000

const { values, positionals } = parseArgs({
  options: { minutes: { type: 'string', default: '10' } },
  allowPositionals: true,
})
const minutes = Number(values.minutes)
const unknown = positionals.filter((name) => !TARGETS.some((target) => target.name === name))
if (!(minutes > 0) || unknown.length > 0) {
  console.error(`usage: npm run fuzz -- [--minutes N] [${TARGETS.map(({ name }) => name).join(' | ')}] …`)
  process.exit(2)
}
const targets = TARGETS.filter(({ name }) => positionals.length === 0 || positionals.includes(name))
const end = performance.now() + minutes * 60_000
const counts = new Map(targets.map(({ name }) => [name, 0]))
let failures = 0

while (performance.now() < end && failures === 0) {
  for (const { name, inputs, check } of targets) {
    const result = await fc.check(
      fc.asyncProperty(inputs, async (input) => {
        await check(input)
      }),
      { numRuns: BATCH },
    )
    counts.set(name, counts.get(name)! + result.numRuns)
    if (!result.failed) continue
    failures++
    const input: unknown = result.counterexample?.[0]
    console.error(`${name}: ${result.errorInstance instanceof Error ? result.errorInstance.message : 'failed'}`)
    console.error(`input: ${JSON.stringify(input)} (added to ${addToCorpus(name, input)})`)
  }
}
for (const [name, count] of counts) console.log(`${name}: ${count} inputs`)
console.log(`${counts.size - failures} targets passed, ${failures} failed`)
process.exitCode = failures === 0 ? 0 : 1
