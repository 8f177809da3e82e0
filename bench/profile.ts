// `node bench/profile.ts`: where the CPU time of a read goes, by part, at 16 connections. It adds up: the main thread
// from V8's profile, the other threads (garbage collection, compiler) and Postgres from the system. The profiler itself
// costs about a tenth, so the parts say more than their sum.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { cpuSeconds, systemCalls, threadSeconds } from './processes.ts'
import { createBenchWorld, USERS } from './world.ts'

const LOAD = { connections: 16, milliseconds: 4_000, requests: 50_000, users: { prefix: 'u', from: 0, to: USERS - 1 } }

interface Profile {
  nodes: { id: number; callFrame: { functionName: string; url: string }; children?: number[] }[]
  samples: number[]
  timeDeltas: number[]
}

/** The first that matches the frame itself or, going up, the function that called it. */
const PARTS: [part: string, matches: RegExp][] = [
  ['garbage collection on the main thread', /^\(garbage collector\)/],
  ['HMAC of signatures and audit line', /\/dist\/core\/hmac/],
  ['signature: parse, base, nonce, digest', /\/dist\/(signature|core\/signed-requests)|\/dist\/http\/signed/],
  ['unsealing', /\/dist\/crypto\//],
  ['audit line', /\/dist\/(audit|http\/audit|telemetry\/log-output)/],
  ['harvest alarm', /\/dist\/core\/(harvest|user-sketch)/],
  ['database: batches and rows', /\/dist\/db\//],
  ['database: driver', /node_modules\/postgres\//],
  ['metrics and log', /\/dist\/telemetry|prom-client|node_modules\/pino/],
  ['limits and other hooks of the listeners', /\/dist\/(http|app|services)/],
  ['the decision about the token', /\/dist\/core\//],
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

const folder = mkdtempSync(join(tmpdir(), 'token-broker-profile-'))
const world = await createBenchWorld()
try {
  await world.fill(0, USERS)
  const broker = await world.startBroker(['--cpu-prof', `--cpu-prof-dir=${folder}`])
  const load = { ...LOAD, port: broker.port, signed: true }
  const beganAt = performance.now()
  await world.load(load)
  await world.load(load)
  const warmMicroseconds = (performance.now() - beganAt) * 1e3
  const rows = await world.sql`select pid from pg_stat_activity where backend_type = 'client backend'`
  const pids = rows.map(({ pid }) => Number(pid))
  const before = {
    all: cpuSeconds(broker.pid),
    main: threadSeconds(broker.pid),
    postgres: cpuSeconds(...pids),
    calls: systemCalls(broker.pid),
  }
  const { answered } = await world.load(load)
  const each = (seconds: number) => (seconds / answered) * 1e6
  const main = each(threadSeconds(broker.pid) - before.main)
  const others = each(cpuSeconds(broker.pid) - before.all) - main
  const postgres = each(cpuSeconds(...pids) - before.postgres)
  const calls = systemCalls(broker.pid)
  await broker.stop()
  const [name] = readdirSync(folder)
  const parts = partsOf(JSON.parse(readFileSync(join(folder, name!), 'utf8')) as Profile, warmMicroseconds)
  const sum = [...parts.values()].reduce((a, b) => a + b, 0)
  const say = (what: string, microseconds: number) =>
    console.log(`${what.padEnd(48)} ${microseconds.toFixed(0).padStart(4)} µs`)
  for (const [part] of PARTS) say(part, ((parts.get(part) ?? 0) / sum) * main)
  say('main thread', main)
  say('other threads of the broker (mostly GC)', others)
  say('Postgres', postgres)
  say('sum', main + others + postgres)
  console.log(
    `for each read ${((calls.read - before.calls.read) / answered).toFixed(2)} system calls that read, ` +
      `${((calls.written - before.calls.written) / answered).toFixed(2)} that write`,
  )
} finally {
  await world.close()
  rmSync(folder, { recursive: true, force: true })
}
