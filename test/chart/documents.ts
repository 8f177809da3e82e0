import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isMap, isScalar, type Pair, parseDocument, type Scalar, type YAMLMap } from 'yaml'
import { CHART } from './helm.ts'

/**
 * Generates the table of values in the chart's README. `node test/chart/documents.ts` writes it; test:chart compares
 * it.
 */

export const README = join(CHART, 'README.md')
const MARKS = ['<!-- values:begin -->', '<!-- values:end -->'] as const

export interface Value {
  /** Keys joined by dots. */
  path: string
  what: string | undefined
  byDefault: unknown
}

/** All values that have their own comment or contain no further values. */
export function values(): Value[] {
  const document = parseDocument(readFileSync(join(CHART, 'values.yaml'), 'utf8'))
  const found: Value[] = []
  function visit(map: YAMLMap, path: string[]): void {
    for (const [index, { key, value }] of (map.items as Pair<Scalar<string>, unknown>[]).entries()) {
      const here = [...path, key.value]
      // The parser gives the comment before a map's first key to the map.
      const comment = key.commentBefore ?? (index === 0 ? map.commentBefore : undefined)
      const what = /^ -- (.+)$/m.exec(comment?.split('\n').at(-1) ?? '')?.[1]
      if (what === undefined && isMap(value) && value.items.length > 0) visit(value, here)
      else
        found.push({
          path: here.join('.'),
          what,
          byDefault: isScalar(value) ? value.value : (value as YAMLMap).toJSON(),
        })
    }
  }
  visit(document.contents as YAMLMap, [])
  return found
}

export function readme(): string {
  const rows = values().map(
    ({ path, what = '', byDefault }) =>
      `| \`${path}\` | ${what.replaceAll('|', '\\|')} | \`${JSON.stringify(byDefault)}\` |`,
  )
  const table = ['| value | what it is | default |', '|---|---|---|', ...rows].join('\n')
  const text = readFileSync(README, 'utf8')
  const [before, after] = [text.split(MARKS[0])[0], text.split(MARKS[1])[1]]
  return `${before}${MARKS[0]}\n${table}\n${MARKS[1]}${after}`
}

if (import.meta.main) writeFileSync(README, readme())
