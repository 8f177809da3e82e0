// `node bench/minute.ts`: the tokens of 10,000 users have expired, and their reads arrive evenly within one minute at
// three replicas. Microsoft answers in 100 ms, and for two seconds in the middle it throttles: 429 with Retry-After.
// A caller who gets 503 asks again after the retry_after of the answer. Nothing is asserted; the results are printed.
import { deploy, pause, read, statuses, type Answer } from '../drills/deployment.ts'
import { cpuSeconds, median, memoryMb } from './processes.ts'
import { build, NODE_FLAGS } from './world.ts'

const USERS = 10_000
const REPLICAS = 3
const MINUTE_MS = 60_000
const LATENCY_MS = 100
const THROTTLE = { atMs: 30_000, forMs: 2_000, retryAfterSeconds: 5 }

build()
const deployment = await deploy({ accounts: USERS, env: { CALLER_REQUESTS_PER_MINUTE: '100000' } })
try {
  const brokers = await Promise.all(
    Array.from({ length: REPLICAS }, () => deployment.start(undefined, NODE_FLAGS, true)),
  )
  const clients = brokers.map((broker) => deployment.client(() => broker.internalUrl))
  const users = await deployment.users('minute', USERS)
  deployment.entra.control.misbehave('latency', LATENCY_MS)
  const cpuBefore = brokers.map(({ pid }) => cpuSeconds(pid))
  const callsBefore = deployment.calls()
  const began = performance.now()
  const at = () => performance.now() - began
  const first: Answer[] = []
  const waits: number[] = []
  const hurt: number[] = []
  let asked = 0

  async function serve(user: string, replica: number): Promise<void> {
    const startedAt = at()
    for (let attempt = 0; ; attempt++) {
      asked += 1
      const answer = await read(clients[(replica + attempt) % REPLICAS]!, user)
      if (attempt === 0) first.push(answer)
      if (answer.status === 200) {
        ;(attempt === 0 ? waits : hurt).push(at() - startedAt)
        return
      }
      await pause((answer.body.retry_after ?? 1) * 1_000)
    }
  }

  const calls: { atMs: number; calls: number }[] = []
  const watch = setInterval(() => calls.push({ atMs: at(), calls: deployment.calls() - callsBefore }), 100)
  const callsAt = (ms: number) => calls.findLast(({ atMs }) => atMs <= ms)?.calls ?? 0
  const throttling = (async () => {
    await pause(THROTTLE.atMs)
    deployment.entra.control.misbehave('throttle', THROTTLE.retryAfterSeconds)
    await pause(THROTTLE.forMs)
    deployment.entra.control.behave('throttle')
  })()
  const work: Promise<void>[] = []
  for (const [i, user] of users.entries()) {
    const dueIn = (i * MINUTE_MS) / USERS - at()
    if (dueIn > 0) await pause(dueIn)
    work.push(serve(user, i % REPLICAS))
  }
  await throttling
  await Promise.all(work)
  clearInterval(watch)
  const total = deployment.calls() - callsBefore
  const refusals = callsAt(THROTTLE.atMs + 500) - callsAt(THROTTLE.atMs)
  const during = callsAt(THROTTLE.atMs + THROTTLE.retryAfterSeconds * 1_000) - callsAt(THROTTLE.atMs + 500)
  const sorted = waits.toSorted((a, b) => a - b)
  console.log(
    `${USERS} users at ${REPLICAS} replicas in ${(at() / 1_000).toFixed(1)} s: ${total} calls to Microsoft, ${asked} reads; ` +
      `first answers ${statuses(first)}`,
  )
  console.log(
    `served at the first try: ${waits.length}, median ${median(sorted).toFixed(0)} ms, ` +
      `p99 ${sorted[Math.floor(sorted.length * 0.99)]!.toFixed(0)} ms, longest ${sorted.at(-1)!.toFixed(0)} ms`,
  )
  console.log(
    `throttled for ${THROTTLE.forMs / 1_000} s, Retry-After ${THROTTLE.retryAfterSeconds} s: ${refusals} calls in the first half second, ` +
      `${during} more until Retry-After was over; ${hurt.length} users had to ask again, longest ` +
      `${(Math.max(0, ...hurt) / 1_000).toFixed(1)} s until their token`,
  )
  console.log(
    `resident memory at most ${brokers.map(({ pid }) => memoryMb(pid, 'VmHWM').toFixed(0)).join(', ')} MB; ` +
      `CPU of the brokers for each read ${(
        (brokers.reduce((sum, { pid }, i) => sum + cpuSeconds(pid) - cpuBefore[i]!, 0) / asked) *
        1e3
      ).toFixed(2)} ms; ${await deployment.marked()} users had to reconnect`,
  )
} finally {
  await deployment.close()
}
