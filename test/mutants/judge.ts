import { Type, type Static } from 'typebox'
import { Value } from 'typebox/value'

// Compares what Stryker found with the list of explained survivors. A survivor is recognized by its file, the text of
// its line, the mutated code and the text that replaced it, because line numbers change with every edit.

const Survivor = Type.Object({
  file: Type.String(),
  /** The trimmed text of the line on which the mutated code begins. */
  line: Type.String(),
  /** The mutated code, up to the end of that line. */
  code: Type.String(),
  replacement: Type.String(),
  /** Why no test notices it: it changes nothing, or nothing that matters. */
  why: Type.String({ minLength: 10 }),
})
type Survivor = Static<typeof Survivor>

const Position = Type.Object({ line: Type.Integer(), column: Type.Integer() })

/** The part of Stryker's mutation-testing-report-schema that is used here. */
const Report = Type.Object({
  files: Type.Record(
    Type.String(),
    Type.Object({
      source: Type.String(),
      mutants: Type.Array(
        Type.Object({
          replacement: Type.Optional(Type.String()),
          status: Type.String(),
          location: Type.Object({ start: Position, end: Position }),
        }),
      ),
    }),
  ),
})
type Report = Static<typeof Report>

/** Least share of mutants that tests must notice. */
const LEAST = 0.95

export const readReport = (text: string): Report => Value.Parse(Report, JSON.parse(text))
export const readSurvivors = (text: string): Survivor[] => Value.Parse(Type.Array(Survivor), JSON.parse(text))

export function judgeMutants(
  report: Report,
  explained: readonly Survivor[],
): { lines: string[]; summary: string; failed: boolean } {
  const lines: string[] = []
  const keyOf = ({ file, line, code, replacement }: Omit<Survivor, 'why'>) =>
    JSON.stringify([file, line, code, replacement])
  const known = new Set(explained.map(keyOf))
  const scores: string[] = []
  let [noticed, all] = [0, 0]
  for (const [file, { source, mutants }] of Object.entries(report.files)) {
    const texts = source.split('\n')
    const counted = mutants.filter(({ status }) => status !== 'Ignored' && status !== 'CompileError')
    const survived = counted.filter(({ status }) => status !== 'Killed' && status !== 'Timeout')
    for (const { replacement = '', location } of survived) {
      const { start, end } = location
      const text = texts[start.line - 1]!
      // Stryker counts lines and columns from 1.
      const code = text.slice(start.column - 1, end.line === start.line ? end.column - 1 : undefined)
      const survivor = { file, line: text.trim(), code, replacement }
      if (!known.has(keyOf(survivor))) lines.push(`not explained: ${file}:${start.line} ${JSON.stringify(survivor)}`)
    }
    all += counted.length
    noticed += counted.length - survived.length
    scores.push(`${file} ${counted.length - survived.length} of ${counted.length}`)
  }
  return {
    lines,
    summary: `killed: ${scores.join(', ')}; together ${((100 * noticed) / all).toFixed(1)} %`,
    failed: lines.length > 0 || noticed / all < LEAST,
  }
}
