/**
 * npm run sandbox -- --check: runs the whole path in a new world, as a person and MEGDocs would, and prints for each
 * step whether it passed and what was seen.
 */
import { connectSteps } from './check-connect.ts'
import { lastSteps } from './check-end.ts'
import type { Course } from './check-step.ts'
import { tokenSteps } from './check-tokens.ts'
import type { Person } from './driver.ts'
import { createWorld, WITH_CHALLENGES, type WorldOptions } from './world.ts'

const STEP_TIMEOUT_MS = 20_000

/** Resolves with whether all steps passed. All steps run, even after a failure, to show how much is affected. */
export async function check(
  say: (line: string) => void,
  options: Pick<WorldOptions, 'startMegdocs'> = {},
): Promise<boolean> {
  const began = performance.now()
  const world = await createWorld({
    brokerEnvironment: WITH_CHALLENGES,
    ...options,
    report: (line) => say(`  starting ${line}`),
  })
  const people: Person[] = []
  const course: Course = {
    world,
    jane: undefined as unknown as Person,
    exchanges: () => people.flatMap(({ browser }) => browser.exchanges),
    with(person) {
      people.push(person)
      return person
    },
    tokens: [],
  }
  let failures = 0
  const steps = [...connectSteps, ...tokenSteps, ...lastSteps]
  try {
    for (const step of steps) {
      try {
        say(`✓ ${step.name}: ${await within(STEP_TIMEOUT_MS, step.run(course))}`)
      } catch (error) {
        failures += 1
        say(`✗ ${step.name}: ${error instanceof Error ? error.message : String(error)}`)
      }
    }
    if (failures > 0) say(`\nThe broker's last log lines:\n${world.broker().log().split('\n').slice(-20).join('\n')}`)
  } finally {
    await world.close()
  }
  const seconds = ((performance.now() - began) / 1000).toFixed(1)
  const verdict = failures === 0 ? `All ${steps.length} steps passed` : `${failures} of ${steps.length} steps failed`
  say(`\n${verdict} (${seconds} s).`)
  return failures === 0
}

async function within<T>(milliseconds: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no result within ${milliseconds / 1000} s`)), milliseconds)
  })
  return Promise.race([work, limit]).finally(() => clearTimeout(timer))
}
