import type { ParseArgsOptionsConfig } from 'node:util'

/** What a command uses of the process. Tests pass their own. */
export interface Terminal {
  readonly env: NodeJS.ProcessEnv
  /** Milliseconds since the epoch. */
  now(): number
  /** Prints a line of the result to stdout. */
  out(line: string): void
  /** Prints a line of explanation or progress to stderr. */
  err(line: string): void
}

export interface Arguments {
  readonly flags: Readonly<Record<string, string | boolean | undefined>>
  readonly words: readonly string[]
}

/** One entry of the table in cli/commands.ts. Help and the documents are made from it. */
export interface Command {
  readonly name: string
  /** One sentence without its full stop, for help and the documents. */
  readonly summary: string
  /** The arguments, for help; empty: none. */
  readonly usage: string
  readonly options?: ParseArgsOptionsConfig
  /** How many arguments besides options may follow the name; absent: none. */
  readonly words?: number
  /**
   * Resolves with the exit status. An error is printed as one line (startProblem in main.ts); a Misuse exits with 2.
   */
  run(args: Arguments, terminal: Terminal): Promise<number>
}

/** The arguments of a command are wrong. The message is one line that quotes no argument. */
export class Misuse extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'Misuse'
  }
}
