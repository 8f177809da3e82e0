import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { VALUES_MAY_BE_ADDED } from '../../src/http/problem-schema.ts'

// `npm run check` runs this: it finds changes of the OpenAPI document that would break a caller of the last release.
// The rules are in openapi/redocly.yaml, and @redocly/cli compares the documents.

const file = (relative: string): string => fileURLToPath(new URL(`../../${relative}`, import.meta.url))
const REDOCLY = file('node_modules/@redocly/cli/bin/cli.js')
const RULES = file('openapi/redocly.yaml')
/** No telemetry, no check for a newer version, no news. */
const NO_NETWORK = {
  REDOCLY_TELEMETRY: 'off',
  REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true',
  REDOCLY_SUPPRESS_NOTIFICATIONS: 'true',
}

export const RELEASED = file('openapi/released.json')
export const PRESENT = file('openapi/openapi.json')

interface Change {
  /** JSON pointer, with `$ref`s resolved. */
  path: string
  verdicts: { ruleId: string; impact: string; message: string }[]
  /** The member of a schema or parameter that changed. */
  property?: string
  /** Its place in the released document. Absent if it is new. */
  base?: { pointer: string; value?: unknown }
  revision?: { value?: unknown }
}

/**
 * One sentence for each breaking change between two files: operation, place, change. Throws if they cannot be compared.
 */
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
    env: { ...process.env, ...NO_NETWORK },
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

/**
 * A changed default in a request, which no rule of redocly finds: callers that omit the member get another result. A
 * new default where there was none is not breaking: it only documents the behaviour.
 */
function changedDefault({ path, property, base, revision }: Change): string[] {
  const ofRequest = stepsOf(path).some((step) => step === 'parameters' || step === 'requestBody')
  if (property !== 'default' || !ofRequest || base?.value === undefined) return []
  const now = revision?.value === undefined ? 'none' : JSON.stringify(revision.value)
  return [`Default changed from '${JSON.stringify(base.value)}' to '${now}'`]
}

/** Whether the released document says that values may be added to this list. */
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
  const elsewhere = component === undefined ? '' : `, and in all other uses of ${component}`
  return `${place.filter((step) => step !== '').join(' > ')}${elsewhere}`
}

if (import.meta.main) {
  const changes = breakingChanges(RELEASED, PRESENT)
  for (const change of changes) console.error(change)
  if (changes.length > 0) {
    console.error(
      'These changes would break callers of the last release (openapi/released.json). Add something new instead of changing it.',
    )
    process.exitCode = 1
  }
}
