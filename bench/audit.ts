// `node bench/audit.ts`: a warm signed read that waits for its audit line (AUDIT=required, the default) against one
// that does not (AUDIT=best-effort). Both write the same line. Rounds alternate; the log goes to a file.
import { cpuSeconds, median } from './processes.ts'
import { createBenchWorld, type RunningBroker } from './world.ts'

const USERS = 1_000
const ROUNDS = 5
const MODES = ['required', 'best-effort'] as const
type Mode = (typeof MODES)[number]

const world = await createBenchWorld()
try {
  await world.fill(0, USERS)
  const brokers = new Map<Mode, RunningBroker>()
  for (const mode of MODES) brokers.set(mode, await world.startBroker([], { AUDIT: mode }))
  const load = (mode: Mode, connections: number, milliseconds: number) =>
    world.load({
      port: brokers.get(mode)!.port,
      connections,
      milliseconds,
      requests: connections === 1 ? 8_000 : 30_000,
      users: { prefix: 'u', from: 0, to: USERS - 1 },
      signed: true,
    })
  for (const mode of MODES) await load(mode, 16, 2_500)
  for (const connections of [16, 1]) {
    const results = new Map<Mode, { cpu: number[]; perSecond: number[]; p50: number[]; p99: number[] }>()
    for (const mode of MODES) results.set(mode, { cpu: [], perSecond: [], p50: [], p99: [] })
    for (let i = 0; i < ROUNDS; i++)
      for (const mode of MODES) {
        const { pid } = brokers.get(mode)!
        const before = cpuSeconds(pid)
        const { answered, perSecond, p50, p99, wrong } = await load(mode, connections, 1_500)
        if (wrong > 0) throw new Error(`${wrong} answers were not 200`)
        const into = results.get(mode)!
        into.cpu.push(((cpuSeconds(pid) - before) / answered) * 1e6)
        into.perSecond.push(perSecond)
        into.p50.push(p50)
        into.p99.push(p99)
      }
    for (const [mode, { cpu, perSecond, p50, p99 }] of results)
      console.log(
        `  ${String(connections).padStart(2)} connections, AUDIT=${mode.padEnd(11)} ${median(perSecond).toFixed(0)} reads/s, ` +
          `p50 ${median(p50).toFixed(2)} ms, p99 ${median(p99).toFixed(2)} ms, ${median(cpu).toFixed(0)} µs of CPU`,
      )
  }
} finally {
  await world.close()
}
