import { deploy, type Drill, expect, read } from './deployment.ts'

const ROUNDS = 10

/**
 * The holder of a lease is suspended until its lease has ended, and another replica refreshes. Then the first one
 * continues: in one half of the rounds with tokens, in the other half with a refusal of Microsoft.
 */
export const stop: Drill = {
  name: 'SIGSTOP of the lease holder until its lease has ended, then SIGCONT',
  async run(options) {
    const deployment = await deploy(options)
    const { entra, sql } = deployment
    try {
      const [holder, other] = await Promise.all([deployment.start(), deployment.start()])
      const first = deployment.client(() => holder.internalUrl)
      const second = deployment.client(() => other.internalUrl)
      const [user] = (await deployment.users('stopped', 1)) as [string]
      const generation = async () =>
        Number((await sql`select generation from oauth2_integration where user_id = ${user}`)[0]!['generation'])
      for (let round = 1; round <= ROUNDS; round++) {
        await deployment.setRemaining([user], -1)
        // In every second round, the suspended replica gets a final refusal.
        if (round % 2 === 0) entra.control.misbehave('aadsts', 50173, { times: 1 })
        entra.control.holdAfter()
        const slow = read(first, user)
        await entra.control.held()
        holder.kill('SIGSTOP')
        await deployment.endLeases()
        entra.control.release()
        const fresh = await read(second, user)
        const stored = await generation()
        holder.kill('SIGCONT')
        const late = await slow
        expect(
          fresh.status === 200 && late.status === 200,
          `round ${round}: ${fresh.status} and ${late.status} ${late.body.code ?? ''}`,
        )
        expect(
          (await generation()) === stored && fresh.body.generation === stored,
          `round ${round}: more than one stored result`,
        )
        expect(late.body.access_token === fresh.body.access_token, `round ${round}: two different tokens`)
        expect((await deployment.marked()) === 0, `round ${round}: a false reconnect`)
      }
      return `${ROUNDS} rounds, half of them with a refusal waiting: 1 stored result each, 0 false reconnects`
    } finally {
      await deployment.close()
    }
  },
}
