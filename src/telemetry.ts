import pino, { type DestinationStream, type Logger, type LoggerOptions } from 'pino'
import { Failure } from './core/failure.ts'

// What is logged, and what never is. Metrics are in telemetry/metrics.ts. Knows no routes and no SQL.

/** Last net, not the first: nothing here should ever reach the logger. */
const REDACTED: ReadonlySet<string> = new Set([
  'access_token',
  'refresh_token',
  'id_token',
  'client_secret',
  'client_assertion',
  'code_verifier',
  'cookie',
  'authorization',
  'signature',
  'ticket',
])

export function loggerOptions(level: string): LoggerOptions {
  return {
    level,
    base: { service: 'token-broker' },
    timestamp,
    formatters: { level: (label) => ({ level: label }), log: redacted },
    serializers: { err: describeError },
  }
}

let second = Number.NaN
let upToSecond = ''
/** pino's isoTime, which writes the whole date anew for each line. */
function timestamp(): string {
  const now = Date.now()
  const milliseconds = now % 1000
  if (now - milliseconds !== second) {
    second = now - milliseconds
    upToSecond = `,"time":"${new Date(now).toISOString().slice(0, 20)}`
  }
  return `${upToSecond}${String(milliseconds).padStart(3, '0')}Z"`
}

/** A line's fields without what must not be in a log, at the top and one level below. pino's own `redact` costs 10 µs a line (measured). */
function redacted(fields: Record<string, unknown>, depth = 0): Record<string, unknown> {
  let clean = fields
  for (const name in fields) {
    const value = fields[name]
    const nested =
      depth === 0 && typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Error)
    const replaced = REDACTED.has(name) ? '[redacted]' : nested ? redacted(value as Record<string, unknown>, 1) : value
    if (replaced === value) continue
    if (clean === fields) clean = { ...fields }
    clean[name] = replaced
  }
  return clean
}

/** Characters of lines, and milliseconds, after which they are written. */
const LOG_BUFFER = { characters: 16_000, ms: 100 }

/**
 * Standard output. Lines are written together, at the latest after a tenth of a second and when the process ends: a system call for each
 * costs as much as a tenth of a warm read (measured). Only SIGKILL can lose those of the last moment, or an exit in the middle of a write to
 * a reader that does not keep up. Gathered here, because pino's own destination measures all that it holds anew for each line (sonic-boom
 * 4.2, `minLength`: 8 kB copied per line, measured).
 */
function standardOutput(): DestinationStream {
  const output = pino.destination(1)
  let lines: string[] = []
  let characters = 0
  function flush(): void {
    if (lines.length === 0) return
    const text = lines.join('')
    lines = []
    characters = 0
    output.write(text)
  }
  setInterval(flush, LOG_BUFFER.ms).unref()
  process.on('beforeExit', flush)
  process.on('exit', () => {
    try {
      flush()
      output.flushSync()
    } catch {
      // Closed: nobody reads any more.
    }
  })
  return {
    write(line) {
      lines.push(line)
      characters += line.length
      if (characters >= LOG_BUFFER.characters) flush()
    },
  }
}
let standard: DestinationStream | undefined

export function createLogger(level: string, destination?: DestinationStream): Logger {
  return pino(loggerOptions(level), destination ?? (standard ??= standardOutput()))
}

/** Named fields of an error, never its message: drivers and parsers quote what they were given. */
export function describeError(error: unknown): Record<string, unknown> {
  if (error instanceof Failure) return { type: 'Failure', code: error.code, detail: error.facts.detail }
  if (!(error instanceof Error)) return { type: typeof error }
  const { code } = error as { code?: unknown }
  return {
    type: /^\w{1,60}$/.test(error.name) ? error.name : 'Error',
    ...(typeof code === 'string' && /^[\w-]{1,60}$/.test(code) ? { code } : {}),
    stack: (error.stack ?? '')
      .split('\n')
      .filter((line) => /^\s+at /.test(line))
      .slice(0, 12)
      .map((line) => line.trim()),
  }
}

export { createMetrics, type Metrics, type ReplicaCounts } from './telemetry/metrics.ts'
