import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { VALUES_MAY_BE_ADDED } from '../../src/http/problem-schema.ts'

// Run by `npm run check`: what in the present OpenAPI document would break a caller of the last release. openapi/redocly.yaml says
// by which rules; the comparison itself, both directions of it, is @redocly/cli's.

const file = (relative: string): string => fileURLToPath(new URL(`../../${relative}`, import.meta.url))
const REDOCLY = file('node_modules/@redocly/cli/bin/cli.js')
const RULES = file('openapi/redocly.yaml')
/** It neither reports home, nor looks for a newer version of itself, nor prints news. */
const QUIET = {
  REDOCLY_TELEMETRY: 'off',
  REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true',
  REDOCLY_SUPPRESS_NOTIFICATIONS: 'true',
}

export const RELEASED = file('openapi/released.json')
export const PRESENT = file('openapi/openapi.json')

interface Change {
  /** JSON pointer through the paths, `$ref`s followed. */
  path: string
  verdicts: { ruleId: string; impact: string; message: string }[]
  /** The one member of a schema or parameter that is not what it was. */
  property?: string
  /** Where it stood in the released document; absent for what is new. */
  base?: { pointer: string; value?: unknown }
  revision?: { value?: unknown }
}

/** One sentence for each change between the two files that breaks a caller: operation, place, what. Throws when they cannot be compared. */
export function breakingChanges(released: string, present: string): string[] {
  const args = [
    'diff',
    released,
    present,
    '--config',
    RULES,
    '--lint-config',
    'error',
    '--format',
    'json',
    '--fail-on',
    'none',
  ]
  const { status, stdout, stderr } = spawnSync(process.execPath, [REDOCLY, ...args], {
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    env: { ...process.env, ...QUIET },
  })
  if (status !== 0) throw new Error(`redocly diff ended with ${status}:\n${stderr}`)
  const { changes } = JSON.parse(stdout) as { changes: Change[] }
  const before: unknown = JSON.parse(readFileSync(released, 'utf8'))
  return changes.flatMap((change) =>
    [
      ...change.verdicts
        .filter(
          ({ impact, ruleId }) => impact === 'major' && !(ruleId === 'enum-values-added' && wasOpen(before, change)),
        )
        .map(({ message }) => message),
      ...changedDefault(change),
    ].map((message) => `${placeOf(change)}: ${message}`),
  )
}

/** Of a request, which no rule of redocly's looks at: who leaves the member out gets something else. One where there was none only says what was so. */
function changedDefault({ path, property, base, revision }: Change): string[] {
  const ofRequest = stepsOf(path).some((step) => step === 'parameters' || step === 'requestBody')
  if (property !== 'default' || !ofRequest || base?.value === undefined) return []
  return [
    `Default changed from '${JSON.stringify(base.value)}' to '${revision?.value === undefined ? 'none' : JSON.stringify(revision.value)}'`,
  ]
}

/** Whether the released document has told callers to expect more values of this list. */
function wasOpen(document: unknown, { base }: Change): boolean {
  const list = stepsOf(base?.pointer ?? '#')
    .slice(0, -1)
    .reduce<unknown>((node, step) => (node as Record<string, unknown> | undefined)?.[step], document)
  return (list as Record<string, unknown> | undefined)?.[VALUES_MAY_BE_ADDED] === true
}

const METHODS = new Set(['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace'])
const stepsOf = (pointer: string): string[] =>
  pointer
    .split('/')
    .slice(1)
    .map((step) => decodeURIComponent(step).replaceAll('~1', '/').replaceAll('~0', '~'))

function placeOf({ path, base }: Change): string {
  const [first = '', second = '', third = '', ...rest] = stepsOf(path)
  const operation = first === 'paths' && METHODS.has(third)
  const place = operation
    ? [`${third.toUpperCase()} ${second}`, ...rest]
    : first === 'paths'
      ? [second, third, ...rest]
      : [first, second, third, ...rest]
  const component = /^#\/components\/schemas\/(\w+)\//.exec(base?.pointer ?? '')?.[1]
  return `${place.filter((step) => step !== '').join(' > ')}${component === undefined ? '' : `, and wherever else ${component} stands`}`
}

if (import.meta.main) {
  const changes = breakingChanges(RELEASED, PRESENT)
  for (const change of changes) console.error(change)
  if (changes.length > 0) {
    console.error(
      'These would break callers of the last release (openapi/released.json): add beside what there is instead of changing it.',
    )
    process.exitCode = 1
  }
}
