/** Runs the load generator (load.ts) in a separate process, round by round. */
import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Round, RoundResult } from './load.ts'

export interface Generator {
  pid: number
  /** Throws if an answer was not 200. */
  run(round: Round): Promise<RoundResult>
  stop(): void
}

export function startGenerator(): Generator {
  const child = fork(fileURLToPath(new URL('./load.ts', import.meta.url)))
  return {
    pid: child.pid!,
    async run(round) {
      child.send(round)
      const result = await nextMessage<RoundResult>(child)
      if (result.wrong > 0) throw new Error(`${result.wrong} of ${result.answered} answers were not 200`)
      return result
    },
    stop: () => void child.kill('SIGKILL'),
  }
}

export function nextMessage<T>(child: ChildProcess): Promise<T> {
  return new Promise((resolve, reject) => {
    const end = () => reject(new Error('a process of the benchmark ended'))
    child.once('exit', end)
    child.once('message', (message) => {
      child.off('exit', end)
      resolve(message as T)
    })
  })
}
