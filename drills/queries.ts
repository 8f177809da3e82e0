import { Failure } from '../src/core/failure.ts'
import { migrate } from '../src/db/migrate.ts'
import { deploy, type Drill, expect, read, statuses } from './deployment.ts'

const ROUNDS = 5
const AT_ONCE = 40

/**
 * More reads, claims, saves and transactions at once than there are connections. Behind a pooler, `migrate` must refuse
 * to run.
 */
export const queries: Drill = {
  name: `${ROUNDS} × ${AT_ONCE} refreshes at once in one replica`,
  async run(options) {
    const deployment = await deploy(options)
    try {
      const broker = await deployment.start()
      const client = deployment.client(() => broker.internalUrl)
      const users = await deployment.users('queries', AT_ONCE)
      for (let round = 1; round <= ROUNDS; round++) {
        await deployment.setRemaining(users, -1)
        const answers = await Promise.all(users.map((user) => read(client, user)))
        expect(
          answers.every(({ status, body }) => status === 200 && !body.degraded),
          `round ${round}: ${statuses(answers)}`,
        )
      }
      expect(deployment.calls() === ROUNDS * AT_ONCE, `${deployment.calls()} calls for ${ROUNDS * AT_ONCE} refreshes`)
      const counted = `${ROUNDS * AT_ONCE} refreshes by as many calls, all 200`
      if (deployment.env['DATABASE_URL'] === deployment.databaseUrl) return counted
      const refused = await migrate(deployment.env['DATABASE_URL']!).catch((error: unknown) => error)
      expect(
        refused instanceof Failure && /pooler/.test(refused.facts.detail ?? ''),
        'migrate did not refuse the pooler',
      )
      return `${counted}; migrate refuses the pooler`
    } finally {
      await deployment.close()
    }
  },
}
