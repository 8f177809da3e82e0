import { randomUUID } from 'node:crypto'
import type { Broker } from '../sandbox/broker.ts'
import { deploy, type Drill, expect, pause, read, statuses } from './deployment.ts'
import { type Load, startLoad } from './load.ts'

const FROZEN_USERS = 20
const OTHER_USERS = 20
/** Milliseconds after the commit from which no token may be handed out (docs/design.md#freeze). */
const LIMIT_MS = 1_000
/** Of Microsoft: longer than the limit, so that refreshes are in flight when it passes. */
const SLOW_MS = 2_500

/**
 * Half of the users are frozen, in one transaction, under load on three replicas, first with valid tokens, then with
 * refreshes in flight at a slow Microsoft: no token of them later than a second after the commit, everybody else
 * unharmed, nobody reconnects afterwards.
 */
export const freeze: Drill = {
  name: `${FROZEN_USERS} of ${FROZEN_USERS + OTHER_USERS} users are frozen under load, 3 replicas`,
  async run(options) {
    const deployment = await deploy(options)
    const { sql, entra } = deployment
    let load: Load | undefined
    try {
      const brokers: Broker[] = await Promise.all([deployment.start(), deployment.start(), deployment.start()])
      const frozen = await deployment.users('frozen', FROZEN_USERS)
      const others = await deployment.users('other', OTHER_USERS)
      const all = [...frozen, ...others]
      let turn = 0
      const client = () => deployment.client(() => brokers[turn++ % brokers.length]!.internalUrl)
      // Everybody gets a first token, and each replica remembers it.
      for (const user of all) for (const _ of brokers) await read(client(), user)
      const lines: string[] = []
      for (const kind of ['valid tokens', 'refreshes in flight'] as const) {
        if (kind === 'refreshes in flight') {
          entra.control.misbehave('latency', SLOW_MS)
          await deployment.setRemaining(all, 30)
        }
        load = startLoad(16, all, client)
        await pause(kind === 'valid tokens' ? 1_000 : 300)
        // Committed when the statement has returned, at the latest.
        await sql`insert into access_freeze ${sql(
          frozen.map((value) => ({ id: randomUUID(), scope: 'user', value, reason: 'drill', caller: 'drill' })),
        )}`
        const committedAt = performance.now()
        await pause(SLOW_MS + 2_500)
        await load.stop()
        const mine = load.answers.filter(({ user }) => frozen.includes(user))
        const late = mine.filter(({ atMs, answer }) => answer.status === 200 && atMs > committedAt + LIMIT_MS)
        const last = mine.filter(({ answer }) => answer.status === 200).at(-1)
        const refused = mine.filter(({ answer }) => answer.status === 403)
        const harmed = load.answers.filter(({ user, answer }) => others.includes(user) && answer.status !== 200)
        expect(late.length === 0, `${kind}: ${late.length} tokens later than ${LIMIT_MS} ms after the commit`)
        expect(refused.length > 0, `${kind}: nobody was refused`)
        expect(
          refused.every(({ answer }) => answer.body.code === 'frozen' && answer.body.retry_after === undefined),
          `${kind}: ${statuses(mine.map(({ answer }) => answer))}`,
        )
        expect(harmed.length === 0, `${kind}, the others: ${statuses(harmed.map(({ answer }) => answer))}`)
        lines.push(
          `${kind}: ${load.answers.length} reads, ${refused.length} refused, last token ` +
            `${last === undefined ? 'before' : `${Math.round(last.atMs - committedAt)} ms after`} the commit`,
        )
        entra.control.behave()
        await sql`delete from access_freeze`
        const after = await Promise.all(frozen.map((user) => read(client(), user)))
        expect(
          after.every(({ status }) => status === 200),
          `${kind}, after lifting: ${statuses(after)}`,
        )
      }
      expect((await deployment.marked()) === 0, `${await deployment.marked()} users were told to reconnect`)
      return `${lines.join('; ')}; 0 tokens later than ${LIMIT_MS} ms, the others unharmed, 0 reconnects after lifting`
    } finally {
      await Promise.all([load?.stop(), deployment.close()])
    }
  },
}
