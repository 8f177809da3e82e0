import type { BrokerClient } from '../sandbox/megdocs/broker-client.ts'
import { type Answer, read } from './deployment.ts'

export interface Load {
  /** Every answer so far, with the milliseconds (performance.now) at which it came. */
  answers: { at: number; user: string; answer: Answer }[]
  /** No further requests; resolves when those under way are answered. May be called again, such as where a drill ends with a miss. */
  stop(): Promise<void>
}

/** So many callers, each reading one user after the other without a pause. */
export function startLoad(callers: number, users: readonly string[], client: (caller: number) => BrokerClient): Load {
  const answers: Load['answers'] = []
  let running = true
  const work = Array.from({ length: callers }, async (_, caller) => {
    const mine = client(caller)
    for (let i = caller; running; i += callers) {
      const user = users[i % users.length]!
      const answer = await read(mine, user)
      answers.push({ at: performance.now(), user, answer })
      // An answer that costs nothing (no such listener) must not turn the loop into a spin.
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
