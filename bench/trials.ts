// `node bench/trials.ts [flags|pool|shortcuts|storage]`: what each setting gives, side by side on one table of 100,000
// users. Not part of `npm run bench`: run it by hand before a default is changed, and put the table into
// bench/README.md.
import { fileURLToPath } from 'node:url'
import { cpuSeconds, median, memoryMb } from './processes.ts'
import { createBenchWorld, NODE_FLAGS, type BenchWorld, type RunningBroker, USERS } from './world.ts'

const ROUNDS = 5
const LOAD = { connections: 16, milliseconds: 1_500, requests: 25_000, users: { prefix: 'u', from: 0, to: USERS - 1 } }

interface Variant {
  name: string
  /** Node's flags instead of those of the image. */
  flags?: string[]
  env?: Record<string, string>
  /** Shortcuts of ours that are replaced (bench/plain). */
  without?: string
}

const PLAIN = ['--import', fileURLToPath(new URL('./plain/register.ts', import.meta.url))]

const TRIALS: Record<string, Variant[]> = {
  flags: [
    { name: `as the image: ${NODE_FLAGS.join(' ')}` },
    { name: 'no flags', flags: [] },
    { name: 'semi-space 8', flags: ['--max-semi-space-size=8'] },
    { name: 'semi-space 8, growing 10 %', flags: ['--max-semi-space-size=8', '--heap-growing-percent=10'] },
    { name: 'semi-space 8, no parallel scavenges', flags: ['--max-semi-space-size=8', '--no-parallel-scavenge'] },
    { name: 'semi-space 4, no parallel scavenges', flags: ['--max-semi-space-size=4', '--no-parallel-scavenge'] },
    { name: 'semi-space 16, no parallel scavenges', flags: ['--max-semi-space-size=16', '--no-parallel-scavenge'] },
    { name: 'semi-space 8, one GC thread', flags: ['--max-semi-space-size=8', '--single-threaded-gc'] },
  ],
  pool: [
    { name: 'as it is' },
    { name: 'DATABASE_BATCHES=off', env: { DATABASE_BATCHES: 'off' } },
    { name: 'DATABASE_POOL_SIZE=5', env: { DATABASE_POOL_SIZE: '5' } },
    { name: 'DATABASE_POOL_SIZE=20', env: { DATABASE_POOL_SIZE: '20' } },
    { name: 'AUDIT=best-effort', env: { AUDIT: 'best-effort' } },
  ],
  shortcuts: [
    { name: 'as it is' },
    { name: 'with createHmac', without: 'hmac' },
    { name: 'a system call for each line of the log', without: 'log-output' },
    { name: "with TypeBox's conversion of requests", without: 'query' },
  ],
}

/** Each way of storing the sealed tokens, as SQL. All rows are written again. */
const STORAGE: [name: string, sql: string][] = [
  ['extended (the default of bytea)', 'alter column access_token set storage extended'],
  ['access token main', 'alter column access_token set storage main'],
  ['access token main, refresh token external', 'alter column refresh_token set storage external'],
  ['all inline', 'set (toast_tuple_target = 8160)'],
]

async function compare(world: BenchWorld, variants: Variant[]): Promise<void> {
  const brokers: RunningBroker[] = []
  for (const { flags = NODE_FLAGS, env = {}, without } of variants)
    brokers.push(await world.startBroker(without ? PLAIN : [], without ? { ...env, PLAIN: without } : env, flags))
  const load = (broker: RunningBroker) => world.load({ ...LOAD, port: broker.port, signed: true })
  for (const broker of brokers) for (let i = 0; i < 3; i++) await load(broker)
  const results = variants.map(() => ({ perSecond: [] as number[], p99: [] as number[], own: [] as number[] }))
  const postgres = variants.map(() => [] as number[])
  for (let round = 0; round < ROUNDS; round++)
    for (const [i, broker] of brokers.entries()) {
      const rows = await world.sql`select pid from pg_stat_activity where backend_type = 'client backend'`
      const pids = rows.map(({ pid }) => Number(pid))
      const before = [cpuSeconds(broker.pid), cpuSeconds(...pids)] as const
      const { perSecond, p99, answered } = await load(broker)
      results[i]!.perSecond.push(perSecond)
      results[i]!.p99.push(p99)
      results[i]!.own.push(((cpuSeconds(broker.pid) - before[0]) / answered) * 1e6)
      postgres[i]!.push(((cpuSeconds(...pids) - before[1]) / answered) * 1e6)
    }
  for (const [i, { name }] of variants.entries()) {
    const { perSecond, p99, own } = results[i]!
    console.log(
      `  ${name.padEnd(62)} ${median(perSecond).toFixed(0).padStart(6)} reads/s, p99 ${median(p99).toFixed(1)} ms, ` +
        `CPU ${median(own).toFixed(0)} µs own, ${median(postgres[i]!).toFixed(0)} µs Postgres, ` +
        `${memoryMb(brokers[i]!.pid, 'VmHWM').toFixed(0)} MB`,
    )
  }
  for (const broker of brokers) await broker.stop()
}

const wanted = process.argv.slice(2)
const world = await createBenchWorld()
try {
  await world.fill(0, USERS)
  for (const [name, variants] of Object.entries(TRIALS)) {
    if (wanted.length > 0 && !wanted.includes(name)) continue
    console.log(name)
    await compare(world, variants)
  }
  if (wanted.length === 0 || wanted.includes('storage')) {
    console.log('storage')
    for (const [name, change] of STORAGE) {
      await world.sql.unsafe(`alter table oauth2_integration ${change}`)
      await world.sql`update oauth2_integration set access_token = access_token || ''::bytea,
        refresh_token = refresh_token || ''::bytea`
      await world.sql`vacuum full analyze oauth2_integration`
      await compare(world, [{ name }])
    }
  }
} finally {
  await world.close()
}
