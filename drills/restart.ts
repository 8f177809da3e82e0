import { deploy, type Drill, expect, pause, readEverywhere, statuses } from './deployment.ts'
import { type Load, startLoad } from './load.ts'

const LIMIT_MS = 5_000

/** Postgres stops and starts again while callers read and tokens expire. */
export const restart: Drill = {
  name: 'Postgres restarted under load, by a fast shutdown and by a crash',
  async run(options) {
    const deployment = await deploy(options)
    let load: Load | undefined
    try {
      const brokers = await Promise.all([deployment.start(), deployment.start()])
      const users = await deployment.users('restart', 40)
      load = startLoad(12, users, (caller) => deployment.client(() => brokers[caller % 2]!.internalUrl))
      const back: number[] = []
      for (const mode of ['fast', 'immediate', 'fast', 'immediate'] as const) {
        await pause(500)
        await deployment.setRemaining(users, -1)
        await deployment.database.stop(mode)
        await pause(1_500)
        await deployment.database.start()
        const up = performance.now()
        // Serving again means: both brokers answer each user within a second, with a fresh token that is the stored
        // one. If a save failed, the new tokens are handed out before they are stored, so the last condition may take a
        // moment longer.
        for (;;) {
          const answers = await readEverywhere(deployment, brokers, users)
          const served = answers.every(({ status, body }) => status === 200 && !body.degraded)
          const stored = served ? await deployment.stored() : undefined
          const other = answers.filter(({ body }) => body.access_token !== stored?.get(body.user_id))
          if (served && other.length === 0) break
          const what = served ? `${other.length} answers differ from the stored token of their user` : statuses(answers)
          expect(
            performance.now() - up < LIMIT_MS,
            `not serving again ${LIMIT_MS} ms after Postgres (${mode}): ${what}`,
          )
          await pause(100)
        }
        back.push(Math.round(performance.now() - up))
      }
      await load.stop()
      const wrong = load.answers.filter(({ user, answer: { status, body } }) =>
        status === 200
          ? body.user_id !== user || !deployment.isOf(user, body.access_token)
          : !(status === 503 && body.code === 'database_unavailable'),
      )
      expect(wrong.length === 0, `wrong answers: ${statuses(wrong.map(({ answer }) => answer))}`)
      expect((await deployment.marked()) === 0, 'a user had to reconnect')
      expect(
        brokers.every((broker) => !broker.isOver()),
        'a broker died',
      )
      return (
        `${load.answers.length} answers (${statuses(load.answers.map(({ answer }) => answer))}); ` +
        `all users were served again after ${back.join(', ')} ms; ` +
        'each token belonged to its user and was the stored one; 0 users had to reconnect'
      )
    } finally {
      await Promise.all([load?.stop(), deployment.close()])
    }
  },
}
