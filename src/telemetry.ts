import pino, { type DestinationStream, type LevelWithSilent as Level, type Logger, type LoggerOptions } from 'pino'
import { Failure } from './core/failure.ts'
import { standardOutput } from './telemetry/log-output.ts'

// The logger, and what is never logged. Metrics are in telemetry/metrics.ts. Knows no routes and no SQL.

/** The last safeguard: no field with such a name should reach the logger at all. */
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
/** The same text as pino's isoTime, which formats the whole date for each line. */
function timestamp(): string {
  const now = Date.now()
  const milliseconds = now % 1000
  if (now - milliseconds !== second) {
    second = now - milliseconds
    upToSecond = `,"time":"${new Date(now).toISOString().slice(0, 20)}`
  }
  return `${upToSecond}${String(milliseconds).padStart(3, '0')}Z"`
}

/**
 * The fields of a line without secrets, at the top level and one level below. pino's own `redact` costs 10 µs per line
 * (measured).
 */
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

export function createLogger(level: string, destination?: DestinationStream): Logger {
  return pino(loggerOptions(level), destination ?? standardOutput())
}

// A child of pino keeps the level that it was made with.
const lastingChildren = new WeakMap<Logger, Logger[]>()

/** A child that lives as long as its parent and follows its level. */
export function lastingChild(log: Logger, bindings: Record<string, string>): Logger {
  const child = log.child(bindings)
  lastingChildren.set(log, [...(lastingChildren.get(log) ?? []), child])
  return child
}

/** Lines below this level are no longer written, by this logger and its lasting children. */
export function changeLogLevel(log: Logger, level: Level): void {
  for (const logger of [log, ...(lastingChildren.get(log) ?? [])]) logger.level = level
}

/** Named fields of an error and never its message: drivers and parsers quote their input. */
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

export { createLogOutput, standardOutput, type LogOutput } from './telemetry/log-output.ts'
export { createMetrics, type Metrics, type ReplicaCounts } from './telemetry/metrics.ts'
