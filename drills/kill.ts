import type { Broker } from '../sandbox/broker.ts'
import { deploy, type Drill, expect, read, statuses } from './deployment.ts'

const PROCESSES = 25
const USERS = 4

/**
 * A process dies after Microsoft issued new tokens and before they are stored: the stored refresh token still works
 * (docs/microsoft.md#refresh-tokens).
 */
export const kill: Drill = {
  name: `SIGKILL between Microsoft's answer and the commit, ${PROCESSES * USERS} times`,
  async run(options) {
    const deployment = await deploy(options)
    const { entra } = deployment
    try {
      const users = await deployment.users('killed', USERS)
      const survivor = await deployment.start()
      const reader = deployment.client(() => survivor.internalUrl)
      let next: Promise<Broker> = deployment.start()
      let served = 0
      for (let round = 1; round <= PROCESSES; round++) {
        const victim = await next
        if (round < PROCESSES) next = deployment.start()
        await deployment.setRemaining(users, -1)
        entra.control.holdAfter()
        const doomed = deployment.client(() => victim.internalUrl)
        const lost = users.map((user) => read(doomed, user))
        await entra.control.held(USERS)
        await victim.stop('SIGKILL')
        entra.control.release()
        await Promise.all(lost)
        await deployment.endLeases()
        const answers = await Promise.all(users.map((user) => read(reader, user)))
        expect(
          answers.every(({ status, body }) => status === 200 && !body.degraded),
          `round ${round}: ${statuses(answers)}`,
        )
        served += answers.length
      }
      expect(served === PROCESSES * USERS, `${served} served`)
      const marked = await deployment.marked()
      expect(marked === 0, `${marked} users had to reconnect`)
      await survivor.stop()
      const takenOver = survivor
        .log()
        .split('\n')
        .filter((line) => line.includes('lease_taken_over')).length
      expect(takenOver === served, `${takenOver} leases were taken over`)
      return (
        `${PROCESSES} processes killed, each with ${USERS} refreshes in that gap: ` +
        `${served} of ${served} next reads got a fresh token, 0 users had to reconnect`
      )
    } finally {
      await deployment.close()
    }
  },
}
