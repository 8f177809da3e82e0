import type { ParseArgsOptionsConfig } from 'node:util'

/** What a command sees of the world; tests bring their own. */
export interface Terminal {
  readonly env: NodeJS.ProcessEnv
  /** Milliseconds since the epoch. */
  now(): number
  /** A line of the result, on stdout. */
  out(line: string): void
  /** A line about it, on stderr. */
  err(line: string): void
}

export interface Arguments {
  readonly flags: Readonly<Record<string, string | boolean | undefined>>
  readonly words: readonly string[]
}

/** One entry of the table in cli.ts; help and the README's table are made from it. */
export interface Command {
  readonly name: string
  /** One sentence without its full stop, for help and the README. */
  readonly summary: string
  /** What may follow the name, for help; empty: nothing. */
  readonly usage: string
  readonly options?: ParseArgsOptionsConfig
  /** How many words may follow the name; absent: none. */
  readonly words?: number
  /** Resolves with the exit code. What it throws is told in words, never as a stack (startProblem in main.ts); a Misuse exits with 2. */
  run(args: Arguments, terminal: Terminal): Promise<number>
}

/** The command was called in a way it cannot be. The message is one line that quotes no value. */
export class Misuse extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'Misuse'
  }
}
