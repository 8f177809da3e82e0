import { Failure } from '../core/failure.ts'

// What the driver's errors mean. Only their SQLSTATE and names leave this folder.

/** The connection broke while a statement ran. False: the statement failed, or no connection could be made. */
export function isConnectionLost(error: unknown): boolean {
  const { code } = causeOf(error)
  return (
    typeof code === 'string' &&
    /^(?:57P0[^3]|08|CONNECTION_CLOSED|CONNECT_TIMEOUT|ECONNRESET|EPIPE|ETIMEDOUT)/.test(code)
  )
}

/**
 * SQLSTATEs with which a server refuses a connection: it is starting, has too many connections, or refuses this user or
 * database.
 */
const CONNECTION_REFUSED = /^(?:57P03|53300|55000|28|3D)/

/** Postgres answered that a statement failed, perhaps after some of its rows. */
export function isStatementError(error: unknown): boolean {
  const { name, code } = causeOf(error) as { name?: unknown; code?: unknown }
  return name === 'PostgresError' && typeof code === 'string' && !CONNECTION_REFUSED.test(code)
}

/**
 * SQLSTATE classes of a wrong statement: data, constraint or syntax. All others mean that the database cannot serve us,
 * missing rights (42501) too: operators must grant them, and a valid token is handed out meanwhile.
 */
const STATEMENT_WRONG = /^(?:22|23|42(?!501))/

/** Postgres undid a statement because of others that ran at the same time: it may be sent again. */
export function isConflict(error: unknown): boolean {
  return error instanceof Failure && /^(?:40001|40P01)$/.test(error.facts.detail ?? '')
}

/**
 * Uses named fields only: message, stack and `params` of the errors of postgres.js and drizzle hold values of users.
 */
export function translate(error: unknown): Failure {
  if (error instanceof Failure) return error
  const { code, constraint_name: constraint } = causeOf(error)
  const state = typeof code === 'string' && /^[A-Z0-9_]{1,40}$/.test(code) ? code : 'unknown'
  const where = typeof constraint === 'string' && /^[a-z0-9_]{1,63}$/.test(constraint) ? ` ${constraint}` : ''
  return STATEMENT_WRONG.test(state)
    ? new Failure('internal_error', { detail: `database ${state}${where}` })
    : new Failure('database_unavailable', { detail: state === 'unknown' ? programmingError(error) : state })
}

function causeOf(error: unknown): { code?: unknown; constraint_name?: unknown } {
  return ((error as { cause?: object }).cause ?? error) as object
}

function programmingError(error: unknown): string {
  return error instanceof TypeError || error instanceof RangeError ? `unknown (${error.name})` : 'unknown'
}
