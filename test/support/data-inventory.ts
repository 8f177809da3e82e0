import { readdirSync, readFileSync } from 'node:fs'
import { getTableColumns, getTableName, is, Table } from 'drizzle-orm'
import { AUDIT_LINE_SCHEMA } from '../../src/audit/line-schema.ts'
import * as schema from '../../src/db/schema.ts'
import { createMetrics } from '../../src/telemetry/metrics.ts'
import { NO_SOURCES } from './metric-sources.ts'

// What docs/data-inventory.md must list, derived from the code, and what it lists.
//
// Columns and metric labels are read from the objects in the code. Log fields and trace attributes have no such
// objects: they are parsed from the source of all calls that log. test/flow/canary.test.ts and
// test/telemetry/traces.test.ts also check real lines and spans.

const SOURCE = new URL('../../src/', import.meta.url)
const INVENTORY = new URL('../../docs/data-inventory.md', import.meta.url)

export const SECTIONS = ['Columns', 'Log fields', 'Metric labels', 'Trace attributes'] as const
export type Section = (typeof SECTIONS)[number]

export interface InventoryRow {
  names: string[]
  cells: string[]
}

/** The rows of one section: the names in backticks of the first cell, and all cells. */
export function inventoryRows(section: Section, document: string = readFileSync(INVENTORY, 'utf8')): InventoryRow[] {
  const body = document.split(`\n## ${section}\n`)[1]?.split(/\n## /)[0] ?? ''
  return body
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) => {
      const cells = line
        .slice(1, line.lastIndexOf('|'))
        .split('|')
        .map((cell) => cell.trim())
      return { names: backticked(cells[0] ?? ''), cells }
    })
}

export const inventoryNames = (section: Section): string[] =>
  inventoryRows(section)
    .flatMap(({ names }) => names)
    .sort()

export const backticked = (text: string): string[] => [...text.matchAll(/`([^`]+)`/g)].map(([, name]) => name!)

/** `table.column` of every table that src/db/schema.ts exports. */
export function schemaColumns(): string[] {
  return Object.values(schema)
    .filter((value) => is(value, Table))
    .flatMap((table) => Object.values(getTableColumns(table)).map(({ name }) => `${getTableName(table)}.${name}`))
    .sort()
}

/** The names of metrics by label. */
export function metricLabels(): Map<string, string[]> {
  const { registry } = createMetrics(NO_SOURCES)
  const labels = new Map<string, string[]>()
  for (const metric of registry.getMetricsAsArray()) {
    const names: unknown = Reflect.get(metric, 'labelNames')
    if (!Array.isArray(names)) throw new TypeError(`${metric.name} has no labelNames`)
    for (const label of names) labels.set(String(label), [...(labels.get(String(label)) ?? []), metric.name].sort())
  }
  return labels
}

// ---- Log fields
// ------------------------------------------------------------------------------------------------------

/** Fields of all lines: pino's own, and `base` of src/telemetry.ts. */
const OF_EVERY_LINE = ['level', 'time', 'service', 'msg']
/** Of the one line that src/telemetry/log-output.ts makes without a logger. */
const OF_THE_OUTPUT = ['dropped']
const LOG_CALL = /\blog(?:ger)?(?:\.(?:trace|debug|info|warn|error|fatal|child)|\[[^\]]+\])\(/g

/**
 * Fields of all log lines, parsed from the arguments of all calls in src that log. Throws if it cannot parse an
 * argument.
 */
export function loggedFields(): string[] {
  const files = sourceFiles()
  const argumentsOfCalls = (call: RegExp, position: number) =>
    files.flatMap(({ source }) =>
      [...source.matchAll(call)].flatMap(
        ({ index, 0: { length } }) => splitArguments(source, index + length)[position] ?? [],
      ),
    )
  const textOf = (file: string) => files.find(({ name }) => name === file)?.source ?? ''

  // Arguments that are not object literals, and where their fields are defined.
  const resolve: Record<string, () => string[]> = {
    // services.ts: events of refresh and keep-alive without their `kind`.
    facts: () =>
      [
        ...membersOf(textOf('core/refresh-event.ts'), /export type RefreshEvent =([^]*)$/),
        ...membersOf(textOf('core/keep-alive.ts'), /export interface Sweep \{([^]*?)\n\}/),
        'err',
      ]
        .filter((name) => name !== 'kind')
        .map((name) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)),
    warning: () => membersOf(textOf('config/problems.ts'), /export interface ConfigProblem \{([^]*?)\n\}/),
    // Fastify's, named by `requestIdLogLabel` in app.ts.
    bindings: () => ['request_id'],
    // http/connect.ts: fields that it adds when it refuses a page.
    detail: () => argumentsOfCalls(/\bproblem\(/g, 3).flatMap((text) => fieldsOf(text, resolve)),
  }
  const fields = argumentsOfCalls(LOG_CALL, 0).flatMap((text) => fieldsOf(text, resolve))
  return [
    ...new Set([...OF_EVERY_LINE, ...OF_THE_OUTPUT, ...fields, ...Object.keys(AUDIT_LINE_SCHEMA.properties)]),
  ].sort()
}

function sourceFiles(): { name: string; source: string }[] {
  return readdirSync(SOURCE, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => ({ name, source: withoutComments(readFileSync(new URL(name, SOURCE), 'utf8')) }))
}

const withoutComments = (source: string): string =>
  source.replace(/^\s*\/\*\*?[^]*?\*\/|^\s*\/\/.*$/gm, '').replace(/\s\/\/ .*$/gm, '')

/** Names of members in the text of a type. */
function membersOf(source: string, type: RegExp): string[] {
  const [, body] = type.exec(source) ?? []
  if (body === undefined) throw new Error(`no type matches ${type.source}`)
  return [...body.matchAll(/\b(\w+)\??:/g)].map(([, name]) => name!)
}

const OPENING = '([{'
const CLOSING = ')]}'

/** Splits source text at separators outside of brackets and strings, up to a closing bracket without an opening one. */
function splitOutside(text: string, from: number, isSeparator: (text: string, at: number) => boolean): string[] {
  const parts: string[] = []
  let depth = 0
  let begin = from
  let at = from
  for (; at < text.length; at++) {
    const character = text[at]!
    if (character === "'" || character === '"' || character === '`') {
      while (text[++at] !== character && at < text.length) if (text[at] === '\\') at++
    } else if (OPENING.includes(character)) depth++
    else if (CLOSING.includes(character) && --depth < 0) break
    else if (depth === 0 && isSeparator(text, at)) {
      parts.push(text.slice(begin, at).trim())
      begin = at + 1
    }
  }
  const last = text.slice(begin, at).trim()
  return last === '' ? parts : [...parts, last]
}

const splitArguments = (text: string, from: number): string[] => splitOutside(text, from, (t, at) => t[at] === ',')

/** The names of the fields that an expression adds to a line. */
function fieldsOf(expression: string, resolve: Record<string, () => string[]>): string[] {
  if (/^['"`]/.test(expression)) return []
  if (expression.startsWith('(') && splitArguments(expression, 1).join(', ').length === expression.length - 2)
    return fieldsOf(expression.slice(1, -1), resolve)
  if (expression.startsWith('{')) {
    return splitArguments(expression, 1).flatMap((member) => {
      if (member.startsWith('...')) return fieldsOf(member.slice(3), resolve)
      const [, name] = /^(\w+)(?:\s*:|$)/.exec(member) ?? []
      if (name === undefined) throw new Error(`cannot parse: ${member}`)
      return [name]
    })
  }
  // condition ? one : other
  const isQuestion = (text: string, at: number) => /^\?(?![.?])/.test(text.slice(at, at + 2)) && text[at - 1] !== '?'
  const [condition, ...rest] = splitOutside(expression, 0, isQuestion)
  if (condition !== undefined && rest.length > 0) {
    const branches = splitOutside(
      expression,
      condition.length + expression.slice(condition.length).indexOf('?') + 1,
      (t, at) => t[at] === ':',
    )
    return branches.flatMap((branch) => fieldsOf(branch, resolve))
  }
  const known = resolve[expression]
  if (known === undefined) throw new Error(`cannot find the fields of this argument: ${expression}`)
  return known()
}

/** Fields of real log lines (JSON) that are not in the inventory. */
export function unlistedLogFields(lines: string): string[] {
  const listed = new Set(inventoryNames('Log fields'))
  const fields = lines
    .trim()
    .split('\n')
    .flatMap((line) => Object.keys(JSON.parse(line) as object))
  return [...new Set(fields)].filter((field) => !listed.has(field))
}

// ---- Trace attributes
// ------------------------------------------------------------------------------------------------

/** Names with a dot in src/telemetry/open-telemetry.ts that are keys of objects or a first argument. */
export function traceAttributes(): string[] {
  const source = withoutComments(readFileSync(new URL('telemetry/open-telemetry.ts', SOURCE), 'utf8'))
  const names = [...source.matchAll(/'([a-z_]+(?:\.[a-z_]+)+)'\s*[:,]/g)].map(([, name]) => name!)
  return [...new Set(names)].sort()
}

/** Attributes of real spans that are not in the inventory. */
export function unlistedTraceAttributes(spans: readonly { attributes: object }[]): string[] {
  const listed = new Set(inventoryNames('Trace attributes'))
  const names = spans.flatMap(({ attributes }) => Object.keys(attributes))
  return [...new Set(names)].filter((name) => !listed.has(name))
}
