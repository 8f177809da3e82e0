/**
 * npm run sandbox -- --check: drives the whole path through a world of its own as a person and MEGDocs would, and says for each step
 * whether it held and what was seen.
 */
import { connectSteps } from './check-connect.ts'
import { lastSteps } from './check-end.ts'
import type { Course } from './check-step.ts'
import { tokenSteps } from './check-tokens.ts'
import type { Person } from './driver.ts'
import { createWorld, type WorldOptions } from './world.ts'

/** Milliseconds for one step: whatever hangs is a failure. */
const STEP_LIMIT = 20_000

/** Resolves with whether all steps held. A step that fails does not end the run: the later ones tell how far the damage goes. */
export async function check(
  say: (line: string) => void,
  options: Pick<WorldOptions, 'startMegdocs'> = {},
): Promise<boolean> {
  const began = performance.now()
  const world = await createWorld({ ...options, report: (line) => say(`  starting ${line}`) })
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
        say(`✓ ${step.name}: ${await within(STEP_LIMIT, step.run(course))}`)
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
  const verdict =
    failures === 0 ? `All ${steps.length} steps held` : `${failures} of ${steps.length} steps did not hold`
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
