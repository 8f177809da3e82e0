// `node bench/warm-read.ts`: a signed GET /tokens/:userId of users drawn at random, against a bare Fastify route and
// against a service with msal-node (docs/design.md#figures).
//   --rounds <n>  default 3
//   --million     also with 1,000,000 integrations (some minutes and 10 GB of temporary disk)
import { parseArgs } from 'node:util'
import type { RoundResult } from './load.ts'
import { cpuSeconds, median, memoryMb } from './processes.ts'
import { createBenchWorld, type BenchWorld, type Server, USERS } from './world.ts'

const { values: flags } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    million: { type: 'boolean' },
  },
})
const ROUNDS = Number(flags.rounds)
const CONNECTIONS = [16, 1, 50] as const
/** Load until V8 has compiled the hot code. */
const WARM_UP = { milliseconds: 3_000, requests: 40_000 }
const users = (count: number) => ({ prefix: 'u', from: 0, to: count - 1 })
const LOAD = { milliseconds: 2_000, requests: 30_000, users: users(USERS) }

interface Measured extends RoundResult {
  /** CPU time for each request: of the server's process, and of its connections' processes in Postgres. */
  ownMicroseconds: number
  postgresMicroseconds: number
}

async function backends({ sql }: BenchWorld): Promise<number[]> {
  const rows = await sql`select pid from pg_stat_activity where backend_type = 'client backend'`
  return rows.map(({ pid }) => Number(pid))
}

/** One round. Unlike speed, the CPU time hardly depends on other load of the machine. */
async function measureRound(
  world: BenchWorld,
  server: Server,
  signed: boolean,
  connections: number,
): Promise<Measured> {
  const pids = await backends(world)
  const before = { own: cpuSeconds(server.pid), postgres: cpuSeconds(...pids) }
  const result = await world.load({ ...LOAD, connections, port: server.port, signed })
  const perRequest = (seconds: number) => (seconds / result.answered) * 1e6
  return {
    ...result,
    ownMicroseconds: perRequest(cpuSeconds(server.pid) - before.own),
    postgresMicroseconds: perRequest(cpuSeconds(...pids) - before.postgres),
  }
}

const NAMES = ['broker', 'bare', 'peer'] as const
type Name = (typeof NAMES)[number]

/** Rounds alternate, because machines differ and are noisy. A ratio is the median of the rounds' ratios. */
async function compare(world: BenchWorld): Promise<void> {
  const broker = await world.startBroker()
  const idle = memoryMb(broker.pid, 'VmRSS')
  const servers: Record<Name, Server> = { broker, bare: await world.startBare(), peer: await world.startPeer() }
  for (const name of NAMES)
    for (let i = 0; i < 2; i++)
      await world.load({
        ...LOAD,
        ...WARM_UP,
        connections: 16,
        port: servers[name].port,
        signed: name === 'broker',
      })
  for (const connections of CONNECTIONS) {
    const rounds: Record<Name, Measured>[] = []
    for (let i = 0; i < ROUNDS; i++) {
      const measure = (name: Name) => measureRound(world, servers[name], name === 'broker', connections)
      rounds.push({ broker: await measure('broker'), bare: await measure('bare'), peer: await measure('peer') })
    }
    const of = (pick: (round: Record<Name, Measured>) => number) => median(rounds.map(pick))
    console.log(`\n${connections === 1 ? '1 connection' : `${connections} connections`}`)
    for (const name of NAMES)
      console.log(
        `  ${name.padEnd(6)} ${of((round) => round[name].perSecond).toFixed(0)} requests/s, ` +
          `p50 ${of((round) => round[name].p50).toFixed(2)} ms, p99 ${of((round) => round[name].p99).toFixed(2)} ms, ` +
          `CPU ${of((round) => round[name].ownMicroseconds).toFixed(0)} µs own, ` +
          `${of((round) => round[name].postgresMicroseconds).toFixed(0)} µs Postgres`,
      )
    const ratio = (pick: (round: Record<Name, Measured>) => number) =>
      `${of(pick).toFixed(2)} (${rounds.map((round) => pick(round).toFixed(2)).join(' ')})`
    console.log(`  of the bare route   ${ratio(({ broker, bare }) => broker.perSecond / bare.perSecond)}`)
    console.log(`  p50 of its p50      ${ratio(({ broker, bare }) => broker.p50 / bare.p50)}`)
    console.log(`  p99 of its p99      ${ratio(({ broker, bare }) => broker.p99 / bare.p99)}`)
    console.log(`  times the peer      ${ratio(({ broker, peer }) => broker.perSecond / peer.perSecond)}`)
  }
  console.log(
    `\nresident memory: broker ${memoryMb(broker.pid, 'VmHWM').toFixed(0)} MB at most, ${idle.toFixed(0)} MB idle; ` +
      `bare ${memoryMb(servers.bare.pid, 'VmHWM').toFixed(0)} MB; peer ${memoryMb(servers.peer.pid, 'VmHWM').toFixed(0)} MB`,
  )
  for (const name of NAMES) await servers[name].stop()
}

/** What Postgres counted from start to stop of one broker that served `reads` reads. */
async function counted(world: BenchWorld, reads: number): Promise<{ statements: number; written: number }> {
  const read = async () => {
    const [row] =
      await world.sql`select xact_commit::int as statements, (tup_inserted + tup_updated + tup_deleted)::int as written
        from pg_stat_database where datname = current_database()`
    return row as { statements: number; written: number }
  }
  const before = await read()
  const broker = await world.startBroker()
  if (reads > 0)
    await world.load({
      connections: 4,
      milliseconds: 60_000,
      requests: reads,
      users: users(USERS),
      port: broker.port,
      signed: true,
    })
  await broker.stop()
  // A backend reports its counters when it ends, and they arrive a moment later.
  for (let last = -1, now = -2; last !== now;) {
    last = now
    await new Promise((resolve) => setTimeout(resolve, 500))
    now = (await read()).statements - last > 3 ? (await read()).statements : last
  }
  const after = await read()
  return { statements: after.statements - before.statements, written: after.written - before.written }
}

async function statementsPerRead(world: BenchWorld): Promise<void> {
  const reads = 5_000
  const without = await counted(world, 0)
  const withReads = await counted(world, reads)
  const per = (what: 'statements' | 'written') => ((withReads[what] - without[what]) / reads).toFixed(2)
  console.log(`SQL statements for each read ${per('statements')}, rows written ${per('written')}`)
}

/** From starting the process until /readyz answers 200. */
async function startTime(world: BenchWorld): Promise<void> {
  const times = []
  for (let i = 0; i < 5; i++) {
    const broker = await world.startBroker()
    times.push(broker.readyAfterMs)
    await broker.stop()
  }
  console.log(`start to ready ${(median(times) / 1000).toFixed(2)} s`)
}

/** p50 of two readers, of users all over 1,000 and all over 1,000,000 integrations. */
async function million(world: BenchWorld): Promise<void> {
  const p50 = async (count: number) => {
    const broker = await world.startBroker()
    const load = {
      connections: 2,
      milliseconds: 4_000,
      requests: 30_000,
      users: users(count),
      port: broker.port,
      signed: true,
    }
    await world.load(load)
    const rounds = [await world.load(load), await world.load(load), await world.load(load)]
    await broker.stop()
    return median(rounds.map((round) => round.p50))
  }
  await world.fill(USERS, 1_000_000)
  const [few, many] = [await p50(1_000), await p50(1_000_000)]
  console.log(
    `p50 of users all over 1,000,000 against 1,000: ${(many / few).toFixed(2)} (${many.toFixed(2)} ms, ${few.toFixed(2)} ms)`,
  )
}

const world = await createBenchWorld()
try {
  await world.fill(0, USERS)
  console.log(`${USERS} users at random, ${ROUNDS} alternating rounds of ${LOAD.milliseconds / 1000} s`)
  await compare(world)
  await statementsPerRead(world)
  await startTime(world)
  if (flags.million === true) await million(world)
} finally {
  await world.close()
}
