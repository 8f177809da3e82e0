// `node bench/vault.ts`: how long sealing and opening take. Prints and asserts nothing. Target: 25 µs each for 2 kB.
import { createVault } from '../src/crypto/vault.ts'
import { generateSealingKey, parseSealingKeys } from '../src/crypto/keyring.ts'
import type { SealContext } from '../src/core/ports.ts'

const vault = createVault(parseSealingKeys(generateSealingKey('bench')))
const context: SealContext = {
  table: 'oauth2_integration',
  column: 'access_token',
  provider: 'microsoft',
  userId: '42',
  recordId: '01890a5d-ac96-774b-bcce-b302099a8057',
}
const ROUNDS = 9
const CALLS = 4000

function measure(work: () => unknown): { best: number; median: number } {
  const rounds = Array.from({ length: ROUNDS + 1 }, () => {
    const begin = process.hrtime.bigint()
    for (let i = 0; i < CALLS; i++) work()
    return Number(process.hrtime.bigint() - begin) / 1000 / CALLS
  })
  const sorted = rounds.slice(1).sort((a, b) => a - b) // the first round warms up
  return { best: sorted[0]!, median: sorted[ROUNDS >> 1]! }
}

console.log(`µs per call, ${ROUNDS} rounds of ${CALLS}`)
for (const size of [500, 2048, 4096, 16384]) {
  const token = 'eyJ0eXAiOiJKV1Qi'.repeat(size / 16 + 1).slice(0, size)
  const sealed = vault.seal(context, token)
  for (const [name, work] of [
    ['seal', () => vault.seal(context, token)],
    ['open', () => vault.open(context, sealed)],
  ] as const) {
    const { best, median } = measure(work)
    const figures = `median ${median.toFixed(1).padStart(6)}   best ${best.toFixed(1).padStart(6)}`
    console.log(`${name} ${String(size).padStart(6)} B   ${figures}`)
  }
}
