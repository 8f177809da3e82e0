import type { Broker } from '../sandbox/broker.ts'
import type { BrokerClient } from '../sandbox/megdocs/broker-client.ts'
import { deploy, type Drill, expect, pause, statuses } from './deployment.ts'
import { type Load, startLoad } from './load.ts'

/** Time between two readiness probes: like Kubernetes, but faster. */
const PROBE_MS = 200

/** Three replicas are replaced one after the other while callers read and tokens expire. No request may fail. */
export const rolling: Drill = {
  name: 'rolling restart of 3 replicas under load',
  async run(options) {
    const deployment = await deploy({ ...options, env: { DRAIN_SECONDS: '2', ...options?.env } })
    let load: Load | undefined
    let ready: Broker[] = []
    let all: Broker[] = []
    const probe = setInterval(() => void probeAll(), PROBE_MS)
    const probeAll = async () => {
      const probed = await Promise.all(
        all.map(async (broker) =>
          (await fetch(`${broker.operationsUrl}/readyz`).catch(() => undefined))?.ok ? broker : undefined,
        ),
      )
      ready = probed.filter((broker) => broker !== undefined)
    }
    try {
      all = await Promise.all([deployment.start(), deployment.start(), deployment.start()])
      await probeAll()
      const users = await deployment.users('rolling', 30)
      let turn = 0
      let broken = 0
      // The client retries once after a broken connection. Here, each broken connection counts.
      const client = (): BrokerClient =>
        deployment.client(
          () => ready[turn++ % ready.length]!.internalUrl,
          ({ status }) => void (status === 0 && (broken += 1)),
        )
      load = startLoad(8, users, client)
      const codes: number[] = []
      for (const old of all) {
        await deployment.setRemaining(users, 30)
        const fresh = await deployment.start()
        all = [...all.filter((broker) => broker !== old), fresh, old]
        await probeAll()
        codes.push(await old.stop('SIGTERM'))
        all = all.filter((broker) => broker !== old)
        await pause(300)
      }
      await load.stop()
      const failed = load.answers.filter(({ answer }) => answer.status !== 200)
      expect(
        failed.length === 0 && broken === 0,
        `${statuses(load.answers.map(({ answer }) => answer))}; ${broken} broken connections`,
      )
      expect(
        codes.every((code) => code === 0),
        `exit codes ${codes.join(', ')}`,
      )
      const degraded = load.answers.filter(({ answer }) => answer.body.degraded).length
      return (
        `${load.answers.length} requests while 3 replicas were replaced: ` +
        `0 failed, ${degraded} degraded, ${deployment.calls()} refreshes`
      )
    } finally {
      clearInterval(probe)
      await Promise.all([load?.stop(), deployment.close()])
    }
  },
}
