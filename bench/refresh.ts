// `node bench/refresh.ts`: the tokens of 200 users expire at once, 50 callers read them, Microsoft answers in 100 ms.
// The shortest possible time is 200 / 50 × 100 ms = 0.4 s; the target is at most 1.25 × that (bench/README.md).
// `--inline` keeps the sealed tokens in the row instead of out of line (bench/README.md#what-each-setting-gave).
// The simulator, Postgres and the callers share the cores of this machine with the broker.
import { deploy, expect } from '../drills/deployment.ts'
import { startGenerator } from './generator.ts'
import { CALLERS, LATENCY_MS, USERS } from './refresh-load.ts'
import { build, NODE_FLAGS } from './world.ts'

/**
 * Rounds until V8 has compiled the hot code. Warm reads need one second for that, but only 400 refreshes run in a
 * second.
 */
const WARM_UP_ROUNDS = 15
const ROUNDS = 15
const LIMIT_MS = (USERS / CALLERS) * LATENCY_MS

build()
const deployment = await deploy({ env: { DATABASE_POOL_SIZE: '20' } })
const generator = startGenerator()
try {
  const broker = await deployment.start(undefined, NODE_FLAGS, true)
  const users = await deployment.users('bench', USERS)
  deployment.entra.control.misbehave('latency', LATENCY_MS)
  if (process.argv.includes('--inline'))
    await deployment.sql`alter table oauth2_integration set (toast_tuple_target = 8160)`
  const walBytes = async () => {
    const [row] = await deployment.sql`select pg_current_wal_insert_lsn() - '0/0' as bytes`
    return Number(row!.bytes)
  }
  const times: number[] = []
  const written: number[] = []
  for (let round = 0; round < WARM_UP_ROUNDS + ROUNDS; round++) {
    await deployment.setRemaining(users, -1)
    const before = await walBytes()
    // Any answer other than 200 throws. No answer can be degraded, because no valid token is left.
    const { took, answered } = await generator.run({
      ...deployment.caller,
      port: Number(new URL(broker.internalUrl).port),
      connections: CALLERS,
      milliseconds: 60_000,
      requests: USERS,
      users: { prefix: 'bench-', from: 1, to: USERS, once: true },
    })
    expect(answered === USERS, `${answered} answers`)
    if (round < WARM_UP_ROUNDS) continue
    times.push(took)
    written.push((await walBytes()) - before)
  }
  expect(deployment.calls() === USERS * (WARM_UP_ROUNDS + ROUNDS), `${deployment.calls()} calls to Microsoft`)
  const sorted = times.toSorted((a, b) => a - b)
  const say = (ms: number) => `${ms.toFixed(0)} ms (${(ms / LIMIT_MS).toFixed(2)} × ${LIMIT_MS} ms)`
  console.log(
    `${USERS} users, ${CALLERS} callers, ${LATENCY_MS} ms at Microsoft, ${ROUNDS} rounds: ` +
      `best ${say(sorted[0]!)}, median ${say(sorted[ROUNDS >> 1]!)}; ` +
      `${(written.toSorted((a, b) => a - b)[ROUNDS >> 1]! / USERS / 1_000).toFixed(1)} kB of write-ahead log for each user`,
  )
} finally {
  generator.stop()
  await deployment.close()
}
