import { Type, type Static } from 'typebox'
import { Value } from 'typebox/value'

// Compares what Stryker found with the list of explained survivors. A survivor is recognized by its file, the text of its line and the
// text that replaced it, because line numbers change with every edit.

const Survivor = Type.Object({
  file: Type.String(),
  /** The trimmed text of the line on which the mutated code begins. */
  line: Type.String(),
  /** Stryker's name of the kind of change, such as `EqualityOperator`. */
  mutator: Type.String(),
  replacement: Type.String(),
  /** Why no test notices it: it changes nothing, or nothing that matters. */
  why: Type.String({ minLength: 10 }),
})
type Survivor = Static<typeof Survivor>

/** The part of Stryker's mutation-testing-report-schema that is used here. */
const Report = Type.Object({
  files: Type.Record(
    Type.String(),
    Type.Object({
      source: Type.String(),
      mutants: Type.Array(
        Type.Object({
          mutatorName: Type.String(),
          replacement: Type.Optional(Type.String()),
          status: Type.String(),
          location: Type.Object({ start: Type.Object({ line: Type.Integer() }) }),
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
  const keyOf = ({ file, line, mutator, replacement }: Omit<Survivor, 'why'>) =>
    JSON.stringify([file, line, mutator, replacement])
  const known = new Set(explained.map(keyOf))
  const scores: string[] = []
  let [noticed, all] = [0, 0]
  for (const [file, { source, mutants }] of Object.entries(report.files)) {
    const texts = source.split('\n')
    const counted = mutants.filter(({ status }) => status !== 'Ignored' && status !== 'CompileError')
    const survived = counted.filter(({ status }) => status !== 'Killed' && status !== 'Timeout')
    for (const { mutatorName: mutator, replacement = '', location } of survived) {
      const survivor = { file, line: texts[location.start.line - 1]!.trim(), mutator, replacement }
      if (!known.has(keyOf(survivor)))
        lines.push(`not explained: ${file}:${location.start.line} ${JSON.stringify(survivor)}`)
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
