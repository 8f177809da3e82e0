import { deploy, type Drill, expect, read, statuses } from './deployment.ts'

const ROUNDS = 20
const SIZE = 1_000

/** 1,000 concurrent readers of one expired token over three replicas: exactly one call to Microsoft. */
export const readers: Drill = {
  name: `${ROUNDS} rounds of ${SIZE} concurrent readers of one expired token, 3 replicas`,
  async run(options) {
    // A thousand reads may queue for longer than the usual deadline. This drill counts calls, not milliseconds.
    const deployment = await deploy({ ...options, env: { DATABASE_DEADLINE_MS: '30000', ...options?.env } })
    try {
      const brokers = await Promise.all([deployment.start(), deployment.start(), deployment.start()])
      const clients = brokers.map((broker) => deployment.client(() => broker.internalUrl))
      const [user] = (await deployment.users('reader', 1)) as [string]
      for (let round = 1; round <= ROUNDS; round++) {
        await deployment.setRemaining([user], -1)
        const answers = await Promise.all(
          Array.from({ length: SIZE }, (_, i) => read(clients[i % 3]!, user, '?deadline_ms=30000')),
        )
        expect(
          answers.every(({ status, body }) => status === 200 && !body.degraded),
          `round ${round}: ${statuses(answers)}`,
        )
        expect(new Set(answers.map(({ body }) => body.access_token)).size === 1, `round ${round}: more than one token`)
        expect(deployment.calls() === round, `${deployment.calls()} calls to Microsoft in ${round} rounds`)
      }
      return `${ROUNDS * SIZE} reads, all 200; ${deployment.calls()} calls to Microsoft in ${ROUNDS} rounds`
    } finally {
      await deployment.close()
    }
  },
}
