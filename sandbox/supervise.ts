import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { RunAs } from './temporary-folder.ts'

// A child process that ends with this process, however this process ends, so that no process of the sandbox or a test
// remains.

export interface Supervised {
  /** Process id of the command itself. */
  pid: number
  /** Resolves with the exit code, or 128 + n if signal n ended it. */
  ended: Promise<number>
  isOver(): boolean
  kill(signal: NodeJS.Signals): void
}

export interface SuperviseOptions {
  env: Record<string, string>
  cwd: string
  user?: RunAs | undefined
  /** The signal that the command gets when its parent has ended. Ten seconds later it gets KILL. */
  lastSignal: 'INT' | 'TERM'
  /** Deleted when the parent has ended. */
  temporaryFolder?: string | undefined
  onOutput?: (line: string) => void
  onError?: (line: string) => void
}

/**
 * $1: last signal; $2: temporary folder or empty; the rest: the command. Prints the process id of the command. Standard
 * input is a pipe that the parent never writes to: when it closes, the parent has ended, even by SIGKILL.
 */
const SCRIPT = `
signal=$1; folder=$2; shift 2
exec 3<&0 </dev/null
"$@" 3<&- &
command=$!
echo $command
{
  read -r _ <&3
  trap '' TERM
  kill -$signal $command
  n=0
  while kill -0 $command; do
    n=$((n + 1)); test $n -eq 200 && kill -KILL $command
    sleep 0.05
  done
  test -z "$folder" || rm -rf "$folder"
} >/dev/null 2>&1 &
watch=$!
exec 3<&-
wait $command; code=$?
kill $watch 2>/dev/null
exit $code
`

/** Resolves when the command runs. `ended` resolves when it has ended, also if it ends early. */
export async function supervise(command: readonly string[], options: SuperviseOptions): Promise<Supervised> {
  // Detached: Ctrl-C in the terminal must reach only the parent, which ends its children in the right order.
  const child = spawn('/bin/sh', ['-c', SCRIPT, 'sh', options.lastSignal, options.temporaryFolder ?? '', ...command], {
    ...options.user,
    cwd: options.cwd,
    env: options.env,
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  let over = false
  const output = createInterface({ input: child.stdout })
  const errors = createInterface({ input: child.stderr })
  errors.on('line', (line) => options.onError?.(line))
  const pid = await new Promise<number>((resolve, reject) => {
    child.once('error', reject)
    output.once('line', (line) => {
      output.on('line', (later) => options.onOutput?.(later))
      resolve(Number(line))
    })
  })
  // `close`, not `exit`: when `ended` resolves, all lines of output have been reported.
  const ended = new Promise<number>((resolve) =>
    child.once('close', (code) => {
      over = true
      resolve(code ?? 1)
    }),
  )
  return {
    pid,
    ended,
    isOver: () => over,
    kill(signal) {
      if (!over) process.kill(pid, signal)
    },
  }
}
