// `node bench/profile.ts [reads|refreshes]`: where the CPU time goes, by part; of a read of a random user at 16
// connections, or of a refresh as in bench/refresh.ts. It adds up: the main thread from V8's profile, the other threads
// (garbage collection, compiler) and Postgres from the system. The profiler itself costs about a tenth, so the parts
// say more than their sum.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type postgres from 'postgres'
import { deploy } from '../drills/deployment.ts'
import { startGenerator } from './generator.ts'
import { cpuSeconds, systemCalls, threadSeconds } from './processes.ts'
import { CALLERS, LATENCY_MS, USERS as EXPIRED } from './refresh-load.ts'
import { build, createBenchWorld, NODE_FLAGS, USERS } from './world.ts'

const LOAD = { connections: 16, milliseconds: 4_000, requests: 50_000, users: { prefix: 'u', from: 0, to: USERS - 1 } }

interface Profile {
  nodes: { id: number; callFrame: { functionName: string; url: string }; children?: number[] }[]
  samples: number[]
  timeDeltas: number[]
}

/** The first that matches the frame itself or, going up, the function that called it. */
const PARTS: [part: string, matches: RegExp][] = [
  ['garbage collection on the main thread', /^\(garbage collector\)/],
  ['HMAC of signatures and audit line', /\/(dist|src)\/core\/hmac/],
  ['signature: parse, base, nonce, digest', /\/(dist|src)\/(signature|core\/signed-requests|http\/signed)/],
  ['unsealing and sealing', /\/(dist|src)\/crypto\//],
  ['audit line', /\/(dist|src)\/(audit|http\/audit|telemetry\/log-output)/],
  ['harvest alarm', /\/(dist|src)\/core\/(harvest|user-sketch)/],
  ['database: batches and rows', /\/(dist|src)\/db\//],
  ['database: driver', /node_modules\/postgres\//],
  ['metrics and log', /\/(dist|src)\/telemetry|prom-client|node_modules\/pino/],
  ['limits and other hooks of the listeners', /\/(dist|src)\/(http|app|services)/],
  ['exchange with Microsoft: its answer', /\/(dist|src)\/microsoft|node_modules\/jose/],
  ['exchange with Microsoft: undici', /node_modules\/undici|^wasm:/],
  ['the decision about the token, claims and leases', /\/(dist|src)\/core\//],
  ['Fastify', /node_modules\/(fastify|find-my-way|@fastify|fast-json|light-my|avvio)/],
  ['Node: HTTP, sockets, timers', /^node:|^\(program\)|^\(root\)|./],
]

function partsOf({ nodes, samples, timeDeltas }: Profile, skipMicroseconds: number): Map<string, number> {
  const byId = new Map(nodes.map((node) => [node.id, node]))
  const parents = new Map(nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id] as const)))
  const result = new Map<string, number>()
  let time = 0
  for (const [i, sample] of samples.entries()) {
    time += timeDeltas[i]!
    const first = byId.get(sample)!.callFrame
    if (time < skipMicroseconds || first.functionName === '(idle)') continue
    let part: string | undefined
    for (let id: number | undefined = sample; id !== undefined && part === undefined; id = parents.get(id)) {
      const { functionName, url } = byId.get(id)!.callFrame
      // Frames of node: itself belong to who called them, up to the first frame that is not.
      if (url.startsWith('node:') || (url === '' && !functionName.startsWith('('))) continue
      part = PARTS.find(([, matches]) => matches.test(url || functionName))?.[0]
    }
    part ??= PARTS.at(-1)![0]
    result.set(part, (result.get(part) ?? 0) + timeDeltas[i]!)
  }
  return result
}

interface Process {
  readonly pid: number
  stop(): Promise<unknown>
}

const folder = mkdtempSync(join(tmpdir(), 'token-broker-profile-'))
const PROFILE = ['--cpu-prof', `--cpu-prof-dir=${folder}`]

/**
 * Runs `load` until the code is hot, then once more and prints where the CPU time of that went. `others`: processes
 * that are listed beside the broker. `load` resolves with the number of answers.
 */
async function measure(
  sql: postgres.Sql,
  broker: Process,
  others: Readonly<Record<string, number>>,
  load: () => Promise<number>,
): Promise<void> {
  const beganAt = performance.now()
  await load()
  await load()
  const warmMicroseconds = (performance.now() - beganAt) * 1e3
  const rows = await sql`select pid from pg_stat_activity where backend_type = 'client backend'`
  const processes = { Postgres: rows.map(({ pid }) => Number(pid)), ...others }
  const used = () => ({
    all: cpuSeconds(broker.pid),
    main: threadSeconds(broker.pid),
    processes: Object.values(processes).map((pids) => cpuSeconds(...[pids].flat())),
    calls: systemCalls(broker.pid),
  })
  const before = used()
  const answered = await load()
  const after = used()
  const each = (seconds: number) => (seconds / answered) * 1e6
  const main = each(after.main - before.main)
  const threads = each(after.all - before.all) - main
  const beside = after.processes.map((seconds, i) => each(seconds - before.processes[i]!))
  await broker.stop()
  const [name] = readdirSync(folder)
  const parts = partsOf(JSON.parse(readFileSync(join(folder, name!), 'utf8')) as Profile, warmMicroseconds)
  const sum = [...parts.values()].reduce((a, b) => a + b, 0)
  const say = (what: string, microseconds: number) =>
    console.log(`${what.padEnd(48)} ${microseconds.toFixed(0).padStart(4)} µs`)
  for (const [part] of PARTS) if (parts.has(part)) say(part, (parts.get(part)! / sum) * main)
  say('main thread', main)
  say('other threads of the broker (mostly GC)', threads)
  for (const [i, what] of Object.keys(processes).entries()) say(what, beside[i]!)
  say(
    'sum',
    beside.reduce((a, b) => a + b, main + threads),
  )
  console.log(
    `${((after.calls.read - before.calls.read) / answered).toFixed(2)} system calls that read, ` +
      `${((after.calls.written - before.calls.written) / answered).toFixed(2)} that write`,
  )
}

async function reads(): Promise<void> {
  const world = await createBenchWorld()
  try {
    await world.fill(0, USERS)
    const broker = await world.startBroker(PROFILE)
    const load = { ...LOAD, port: broker.port, signed: true }
    await measure(world.sql, broker, {}, async () => (await world.load(load)).answered)
  } finally {
    await world.close()
  }
}

async function refreshes(): Promise<void> {
  build()
  const deployment = await deploy({ env: { DATABASE_POOL_SIZE: '20' } })
  const generator = startGenerator()
  try {
    const { pid, stop, internalUrl } = await deployment.start(undefined, [...NODE_FLAGS, ...PROFILE], true)
    const users = await deployment.users('bench', EXPIRED)
    deployment.entra.control.misbehave('latency', LATENCY_MS)
    const round = async () => {
      await deployment.setRemaining(users, -1)
      const { answered } = await generator.run({
        ...deployment.caller,
        port: Number(new URL(internalUrl).port),
        connections: CALLERS,
        milliseconds: 60_000,
        requests: EXPIRED,
        users: { prefix: 'bench-', from: 1, to: EXPIRED, once: true },
      })
      return answered
    }
    const others = { 'simulated Microsoft': process.pid, callers: generator.pid }
    await measure(deployment.sql, { pid, stop }, others, async () => {
      let answered = 0
      for (let rounds = 0; rounds < 10; rounds++) answered += await round()
      return answered
    })
  } finally {
    generator.stop()
    await deployment.close()
  }
}

try {
  await (process.argv[2] === 'refreshes' ? refreshes() : reads())
} finally {
  rmSync(folder, { recursive: true, force: true })
}
