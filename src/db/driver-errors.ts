import { Failure } from '../core/failure.ts'

// What the driver's errors mean. Nothing of them but SQLSTATE and names leaves this folder.

/** The connection broke under a statement, as opposed to: the statement failed, or there was no connection to be had. */
export function isLost(error: unknown): boolean {
  const { code } = causeOf(error)
  return (
    typeof code === 'string' &&
    /^(?:57P0[^3]|08|CONNECTION_CLOSED|CONNECT_TIMEOUT|ECONNRESET|EPIPE|ETIMEDOUT)/.test(code)
  )
}

/** Of those that a server says instead of letting one in: starting up, too many, not this one (SQLSTATE). */
const NOT_LET_IN = /^(?:57P03|53300|55000|28|3D)/

/** Postgres said that a statement failed, perhaps after some of its rows. */
export function isRefusal(error: unknown): boolean {
  const { name, code } = causeOf(error) as { name?: unknown; code?: unknown }
  return name === 'PostgresError' && typeof code === 'string' && !NOT_LET_IN.test(code)
}

/** SQLSTATE classes that say the statement was wrong, not the database: data, constraint, syntax or access. */
const OUR_FAULT = /^(22|23|42)/

/** By named fields only: message, stack and `params` of these errors carry values (style.md, drizzle-orm). */
export function translate(error: unknown): Failure {
  if (error instanceof Failure) return error
  const { code, constraint_name: constraint } = causeOf(error)
  const state = typeof code === 'string' && /^[A-Z0-9_]{1,40}$/.test(code) ? code : 'unknown'
  const where = typeof constraint === 'string' && /^[a-z0-9_]{1,63}$/.test(constraint) ? ` ${constraint}` : ''
  return OUR_FAULT.test(state)
    ? new Failure('internal_error', { detail: `database ${state}${where}` })
    : new Failure('database_unavailable', { detail: state === 'unknown' ? programmingError(error) : state })
}

function causeOf(error: unknown): { code?: unknown; constraint_name?: unknown } {
  return ((error as { cause?: object }).cause ?? error) as object
}

function programmingError(error: unknown): string {
  return error instanceof TypeError || error instanceof RangeError ? `unknown (${error.name})` : 'unknown'
}
