// `node bench/warm-read.ts`: a warm signed GET /tokens/:userId against a bare Fastify route (docs/design.md#figures).
//   --million   also with 1,000,000 integrations (some minutes and 5 GB of temporary disk)
//   --profile   only loads the broker, with --cpu-prof; writes the profile to the working directory
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import type { RoundResult } from './load.ts'
import { createBenchWorld, type BenchWorld } from './world.ts'

const { values: flags } = parseArgs({ options: { million: { type: 'boolean' }, profile: { type: 'boolean' } } })
const USERS = 1_000
const ROUNDS = 7
/** Load until V8 has compiled the hot code. */
const WARM_UP = { milliseconds: 2_000, requests: 40_000 }
const users = (count: number) => ({ prefix: 'u', from: 0, to: count - 1 })
const LOAD = { connections: 16, milliseconds: 3_000, requests: 60_000, users: users(USERS) }

const median = (values: number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
/** In megabytes: now (VmRSS) or the maximum so far (VmHWM). */
const memory = (pid: number, what: 'VmRSS' | 'VmHWM'): number =>
  Number(new RegExp(`${what}:\\s+(\\d+)`).exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024

/** CPU seconds of a process, user and kernel mode, with a resolution of 10 ms. */
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  return (Number(fields[11]) + Number(fields[12])) / 100
}

/**
 * One round and its CPU cost in the server's process. Unlike speed, the cost does not depend on other load of the
 * machine.
 */
async function measureRound(
  world: BenchWorld,
  server: { pid: number; port: number },
  signed: boolean,
): Promise<RoundResult & { microseconds: number }> {
  const before = cpuSeconds(server.pid)
  const result = await world.load({ ...LOAD, port: server.port, signed })
  return { ...result, microseconds: ((cpuSeconds(server.pid) - before) / result.answered) * 1e6 }
}

/** Rounds alternate, because machines differ and are noisy. The result is the median of the rounds' ratios. */
async function againstBare(world: BenchWorld): Promise<Record<string, string>> {
  const broker = await world.startBroker()
  const idle = memory(broker.pid, 'VmRSS')
  await world.load({ ...LOAD, ...WARM_UP, port: broker.port, signed: true })
  await world.load({ ...LOAD, ...WARM_UP, port: broker.port, signed: true })
  const rounds: Record<'ours' | 'theirs', RoundResult & { microseconds: number }>[] = []
  for (let i = 0; i < ROUNDS; i++) {
    const ours = await measureRound(world, broker, true)
    // A new process for each round: with the driver's own pool, each query takes longer than the one before
    // (docs/decisions/0001-postgres-js.md).
    const bare = await world.startBare()
    await world.load({ ...LOAD, ...WARM_UP, port: bare.port, signed: false })
    const theirs = await measureRound(world, bare, false)
    bare.stop()
    rounds.push({ ours, theirs })
  }
  const used = memory(broker.pid, 'VmHWM')
  await broker.stop()
  type Pair = (typeof rounds)[number]
  const of = (pick: (round: Pair) => number) => median(rounds.map(pick))
  const perSecond = { ours: ({ ours }: Pair) => ours.perSecond, theirs: ({ theirs }: Pair) => theirs.perSecond }
  const speed = ({ ours, theirs }: Pair) => ours.perSecond / theirs.perSecond
  return {
    'warm read, requests per second': `${of(perSecond.ours).toFixed(0)} against ${of(perSecond.theirs).toFixed(0)}`,
    'ratio (at least 0.70)': `${of(speed).toFixed(2)}   rounds ${rounds.map((pair) => speed(pair).toFixed(2)).join(' ')}`,
    'CPU time of the process per request (no target)':
      `${of(({ ours }) => ours.microseconds).toFixed(0)} µs against ` +
      `${of(({ theirs }) => theirs.microseconds).toFixed(0)} µs: ` +
      of(({ ours, theirs }) => theirs.microseconds / ours.microseconds).toFixed(2),
    'p99 ratio (at most 1.5)':
      `${of(({ ours, theirs }) => ours.p99 / theirs.p99).toFixed(2)}   ` +
      `${of(({ ours }) => ours.p99).toFixed(2)} ms against ${of(({ theirs }) => theirs.p99).toFixed(2)} ms`,
    'resident memory under load (at most 150 MB)': `${used.toFixed(0)} MB at most, ${idle.toFixed(0)} MB idle`,
  }
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

async function statementsPerRead(world: BenchWorld): Promise<Record<string, string>> {
  const reads = 5_000
  const without = await counted(world, 0)
  const withReads = await counted(world, reads)
  return {
    'SQL statements per warm read (1)': ((withReads.statements - without.statements) / reads).toFixed(2),
    'rows written per warm read (0)': ((withReads.written - without.written) / reads).toFixed(2),
  }
}

/** From starting the process until /readyz answers 200. */
async function startTime(world: BenchWorld): Promise<Record<string, string>> {
  const times = []
  for (let i = 0; i < 5; i++) {
    const broker = await world.startBroker()
    times.push(broker.readyAfterMs)
    await broker.stop()
  }
  return { 'start to ready (at most 1 s)': `${(median(times) / 1000).toFixed(2)} s` }
}

/** p50 of two readers: the same 1,000 users in a small and in a large table, and random users of the large table. */
async function million(world: BenchWorld): Promise<Record<string, string>> {
  const p50 = async (count: number) => {
    await world.sql`vacuum analyze oauth2_integration`
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
  const few = await p50(USERS)
  await world.fill(USERS, 1_000_000)
  const say = (ms: number) => `${(ms / few).toFixed(2)}   ${ms.toFixed(3)} ms against ${few.toFixed(3)} ms`
  return {
    'p50 of 1,000 users among 1,000,000 against 1,000 (at most 1.2)': say(await p50(USERS)),
    'p50 of 1,000,000 users against 1,000 (no target)': say(await p50(1_000_000)),
  }
}

async function profile(world: BenchWorld): Promise<void> {
  const broker = await world.startBroker(['--cpu-prof'])
  for (let i = 0; i < 4; i++) console.log(await world.load({ ...LOAD, port: broker.port, signed: true }))
  await broker.stop()
}

const world = await createBenchWorld()
try {
  await world.fill(0, USERS)
  const answers = await bodies(world)
  if (flags.profile === true) await profile(world)
  else {
    const table = {
      ...(await againstBare(world)),
      ...(await statementsPerRead(world)),
      ...(await startTime(world)),
      ...(flags.million === true ? await million(world) : {}),
    }
    for (const [name, figure] of Object.entries(table)) console.log(`${name.padEnd(62)} ${figure}`)
    console.log(
      `(${answers} bytes of body, ${LOAD.connections} connections, ` +
        `${ROUNDS} alternating rounds of ${LOAD.milliseconds / 1000} s)`,
    )
  }
} finally {
  await world.close()
}

/**
 * Fills the table of the bare route with bodies like those of the broker. Resolves with their average length in bytes.
 */
async function bodies({ sql }: BenchWorld): Promise<number> {
  const account = `'{"tenant_id":"' || tenant_id || '","object_id":"' || object_id
    || '","username":"' || username || '"}'`
  await sql.unsafe(`insert into bare select user_id, '{"user_id":"' || user_id || '","access_token":"'
    || translate(encode(sha512(user_id::bytea), 'base64'), E'+/=\\n', '') || repeat('x', 1900)
    || '","token_type":"Bearer","expires_at":"2026-11-22T10:00:00Z","expires_in":3187'
    || ',"scope":"Files.ReadWrite.All User.Read","missing_scopes":[],"generation":' || generation
    || ',"account":' || ${account} || '}' from oauth2_integration`)
  const [row] = await sql`select avg(length(body))::int as bytes from bare`
  return Number(row?.['bytes'])
}
