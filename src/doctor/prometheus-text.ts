export interface Sample {
  name: string
  labels: Readonly<Record<string, string>>
  value: number
}

const LINE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? +(\S+)(?: +-?\d+)?$/
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:\\.|[^"\\])*)"/g
const ESCAPED: Record<string, string> = { '\\n': '\n', '\\"': '"', '\\\\': '\\' }
const NUMBERS: Record<string, number> = { '+Inf': Infinity, '-Inf': -Infinity, NaN: Number.NaN }

/** The samples of Prometheus' text format 0.0.4, as prom-client writes it. Lines that are none are left out. */
export function parseMetrics(text: string): Sample[] {
  return text.split('\n').flatMap((line) => {
    const [, name, labels = '', value] = line.startsWith('#') ? [] : (LINE.exec(line) ?? [])
    if (name === undefined || value === undefined) return []
    const pairs = [...labels.matchAll(LABEL)].map(([, label = '', raw = '']) => [
      label,
      raw.replace(/\\[n"\\]/g, (escape) => ESCAPED[escape]!),
    ])
    return [
      { name, labels: Object.fromEntries(pairs) as Record<string, string>, value: NUMBERS[value] ?? Number(value) },
    ]
  })
}
