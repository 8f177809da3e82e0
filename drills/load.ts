import type { BrokerClient } from '../sandbox/megdocs/broker-client.ts'
import { type Answer, type Deployment, expect, read, statuses } from './deployment.ts'

export interface Load {
  /** All answers so far. `atMs`: when it came, by performance.now. */
  answers: { atMs: number; user: string; answer: Answer }[]
  /**
   * Sends no further requests. Resolves when the open ones are answered. May be called again, for example after a miss.
   */
  stop(): Promise<void>
}

/** Starts callers that read one user after the other without a pause. */
export function startLoad(callers: number, users: readonly string[], client: (caller: number) => BrokerClient): Load {
  const answers: Load['answers'] = []
  let running = true
  const work = Array.from({ length: callers }, async (_, caller) => {
    const mine = client(caller)
    for (let i = caller; running; i += callers) {
      const user = users[i % users.length]!
      const answer = await read(mine, user)
      answers.push({ atMs: performance.now(), user, answer })
      // If no listener answers, reads fail at once: wait, or the loop would use all of the CPU.
      if (answer.status === 0) await new Promise((resolve) => setTimeout(resolve, 20))
    }
  })
  return {
    answers,
    async stop() {
      running = false
      await Promise.all(work)
    },
  }
}

/** While the database is away, an answer is a token of its user or `database_unavailable`. Throws at any other. */
export function expectRightAnswers(deployment: Pick<Deployment, 'isOf'>, { answers }: Pick<Load, 'answers'>): void {
  const wrong = answers.filter(({ user, answer: { status, body } }) =>
    status === 200 ? !deployment.isOf(user, body.access_token) : body.code !== 'database_unavailable',
  )
  expect(wrong.length === 0, `wrong answers: ${statuses(wrong.map(({ answer }) => answer))}`)
}
