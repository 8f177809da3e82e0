import fc from 'fast-check'
import t from 'tap'
import { readCorpus } from './corpus.ts'
import { TARGETS } from './targets.ts'

const RUNS = 10_000
const SEED = 20_261_128

for (const { name, inputs, check } of TARGETS) {
  t.test(`${name}: inputs that failed once, and ${RUNS} random ones, keep all promises`, async (t) => {
    for (const input of readCorpus(name)) await t.resolves(Promise.resolve().then(() => check(input)))
    const result = await fc.check(
      fc.asyncProperty(inputs, async (input) => {
        await check(input)
      }),
      { numRuns: RUNS, seed: SEED },
    )
    t.notOk(result.failed, JSON.stringify(result.counterexample))
  })
}
