import { VARIABLES } from './variables.ts'
import type { Name } from './variables.ts'

/** One problem of one variable. It never holds a value: any value may be a secret in the wrong place. */
export interface ConfigProblem {
  readonly variable: string
  readonly problem: string
  readonly expected: string
  readonly example: string
}

/** All problems of the configuration. The message is ready to print. */
export class ConfigError extends Error {
  readonly problems: readonly ConfigProblem[]

  constructor(problems: readonly ConfigProblem[]) {
    super(report(problems))
    this.name = 'ConfigError'
    this.problems = problems
  }
}

/** Collects problems while the configuration is read. */
export class Problems {
  readonly list: ConfigProblem[] = []

  report(name: Name, problem: string): void {
    this.list.push(describeProblem(name, name, problem))
  }

  has(name: Name): boolean {
    return this.list.some(({ variable }) => variable === name)
  }
}

/** A problem of `variable`, with the expected form and the example of the variable that is meant. */
export function describeProblem(variable: string, meant: Name, problem: string): ConfigProblem {
  const { expected, example } = VARIABLES[meant]
  return { variable, problem, expected, example: `${meant}=${example}` }
}

function report(problems: readonly ConfigProblem[]): string {
  const title = `The configuration cannot be used: ${problems.length} ${problems.length === 1 ? 'problem' : 'problems'}.`
  const blocks = problems.map(
    ({ variable, problem, expected, example }) =>
      `${variable}: ${problem}\n  expected  ${expected}\n  example   ${example}`,
  )
  return [title, ...blocks].join('\n\n')
}
