/**
 * http owns what goes over the wire: routes, pages, sessions, signatures on requests, problems. It must not know SQL,
 * Microsoft's answers or keys; it asks core and the ports.
 *
 * This file: Failure → problem details (RFC 9457). The one table of statuses and titles; OpenAPI and the README are made from it.
 */
import type { FastifyReply, FastifyRequest } from 'fastify'
import {
  explainReason,
  Failure,
  verdictOfCode,
  type AnyReason,
  type FailureCode,
  type StoredVerdict,
} from '../core/failure.ts'

export interface ProblemKind {
  status: number
  title: string
  /** What a caller should do. */
  meaning: string
}

export const PROBLEMS: Record<FailureCode, ProblemKind> = {
  invalid_signature: {
    status: 401,
    title: 'The request is not signed as it must be',
    meaning: 'Check key id, secret, covered components, clock and that each attempt has a new nonce. The log says why.',
  },
  clock_skew: {
    status: 401,
    title: 'The signature is right but not of this time',
    meaning: 'Correct the clock by the signed `Date` of this answer and sign anew.',
  },
  caller_forbidden: {
    status: 403,
    title: 'The caller may not do this',
    meaning: 'Ops must give the caller the permission.',
  },
  not_connected: {
    status: 404,
    title: 'The user has connected no Microsoft account',
    meaning: 'Send the user through connect.',
  },
  not_found: {
    status: 404,
    title: 'There is nothing here',
    meaning: 'No such route, or no such connect session of this caller.',
  },
  reconnect_required: {
    status: 409,
    title: 'Microsoft accepts this authorization no more',
    meaning: 'See `who_acts` and `advice`; where the user acts, send them through connect.',
  },
  connect_refused: {
    status: 409,
    title: 'The connect brought no authorization',
    meaning: 'Send the user to `next`: it says what happened and what to do.',
  },
  account_mismatch: {
    status: 409,
    title: 'Another Microsoft account is connected',
    meaning: 'Send the user to `next`, or begin a connect session with `allow_account_switch`.',
  },
  connect_session_expired: { status: 410, title: 'The connect session is over', meaning: 'Begin a new one.' },
  cursor_expired: {
    status: 410,
    title: 'The cursor is too old or of another database',
    meaning: 'List all integrations and begin from the newest cursor.',
  },
  invalid_request: {
    status: 422,
    title: 'The request is not of the form it must have',
    meaning: 'See `invalid`; do not repeat it unchanged.',
  },
  rate_limited: { status: 429, title: 'Too many requests', meaning: 'Wait `Retry-After` seconds.' },
  microsoft_unavailable: {
    status: 503,
    title: 'No valid token is left and Microsoft gives no new one now',
    meaning: 'Wait `Retry-After` seconds; the user need not do anything.',
  },
  broker_misconfigured: {
    status: 503,
    title: 'The broker or its registration at Microsoft is not set up right',
    meaning: 'Ops must act; the user cannot.',
  },
  database_unavailable: {
    status: 503,
    title: "The broker's database does not answer",
    meaning: 'Wait `Retry-After` seconds.',
  },
  token_unreadable: {
    status: 500,
    title: 'A stored value cannot be opened',
    meaning: 'Ops must act: a sealing key is missing or a row was altered. The user need not reconnect.',
  },
  internal_error: {
    status: 500,
    title: 'The broker failed',
    meaning: 'Ops find the reason in the log by `request_id`.',
  },
}

/** Seconds named where a 503 or 429 has no better number. */
const DEFAULT_RETRY_AFTER = 5

export interface ProblemBody {
  type: string
  title: string
  status: number
  code: FailureCode
  request_id: string
  reason?: string
  who_acts?: string
  advice?: string
  retry_after?: number
  invalid?: { field: string; expected: string }[]
  microsoft?: {
    error?: string
    suberror?: string
    aadsts?: number
    trace_id?: string
    correlation_id?: string
    timestamp?: string
  }
  next?: string
}

export function toProblem(failure: Failure, requestId: string): ProblemBody {
  const { status, title } = PROBLEMS[failure.code]
  const { reason, retryAfterSeconds, invalid, microsoft } = failure.facts
  const waits = status === 503 || status === 429
  return {
    type: `urn:token-broker:problem:${failure.code}`,
    title,
    status,
    code: failure.code,
    request_id: requestId,
    ...(reason === undefined ? {} : reasonFacts(reason, verdictOfCode(failure.code))),
    ...(waits
      ? { retry_after: retryAfterSeconds ?? DEFAULT_RETRY_AFTER }
      : retryAfterSeconds === undefined
        ? {}
        : { retry_after: retryAfterSeconds }),
    ...(invalid === undefined ? {} : { invalid }),
    ...(microsoft === undefined ? {} : { microsoft: microsoftFacts(microsoft) }),
  }
}

/** A reason with who acts and the advice; one that this release does not know is explained by its verdict. */
export function reasonFacts(reason: AnyReason, verdict?: StoredVerdict) {
  const { whoActs, advice } = explainReason(reason, verdict)
  return { reason, who_acts: whoActs, advice }
}

/** What Microsoft's support asks for, in the names they use. */
export function microsoftFacts(
  error: NonNullable<Failure['facts']['microsoft']>,
): NonNullable<ProblemBody['microsoft']> {
  const { error: code, suberror, aadsts, traceId, correlationId, timestamp } = error
  return {
    ...(code === undefined ? {} : { error: code }),
    ...(suberror === undefined ? {} : { suberror }),
    ...(aadsts === undefined ? {} : { aadsts }),
    ...(traceId === undefined ? {} : { trace_id: traceId }),
    ...(correlationId === undefined ? {} : { correlation_id: correlationId }),
    ...(timestamp === undefined ? {} : { timestamp }),
  }
}

export function sendProblem(
  request: FastifyRequest,
  reply: FastifyReply,
  failure: Failure,
  extra: { next?: string } = {},
): FastifyReply {
  const problem = { ...toProblem(failure, request.id), ...extra }
  if (problem.retry_after !== undefined) reply.header('retry-after', String(problem.retry_after))
  return reply.code(problem.status).type('application/problem+json').send(problem)
}

/** Anything thrown → Failure. Texts of foreign errors are dropped: they may quote the request. */
export function asFailure(error: unknown): Failure {
  if (error instanceof Failure) return error
  const { code, statusCode, validation, validationContext } = error as {
    code?: unknown
    statusCode?: unknown
    validation?: ValidationError[]
    validationContext?: string
  }
  if (Array.isArray(validation))
    return new Failure('invalid_request', { invalid: describeAll(validation, validationContext) })
  if (statusCode === 429) return new Failure('rate_limited')
  if (typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500) {
    return new Failure('invalid_request', {
      detail: typeof code === 'string' && /^[A-Z_]{1,60}$/.test(code) ? code : 'malformed',
    })
  }
  const name = error instanceof Error && /^\w{1,40}$/.test(error.name) ? error.name : 'unknown'
  return new Failure('internal_error', {
    detail: `unexpected ${name}${typeof code === 'string' && /^[\w-]{1,60}$/.test(code) ? ` ${code}` : ''}`,
  })
}

interface ValidationError {
  keyword?: string
  instancePath?: string
  message?: string
  params?: Record<string, unknown>
}

/** Our schema's words only: where, and what was expected. `boolean` errors repeat `additionalProperties` with a name that was sent. */
function describeAll(errors: ValidationError[], context = 'request'): { field: string; expected: string }[] {
  return errors
    .filter(({ keyword }) => keyword !== 'boolean')
    .map(({ instancePath = '', message = '', params = {} }) => {
      const missing = params['requiredProperties']
      const field = `${context}${instancePath.replaceAll('/', '.')}`
      if (Array.isArray(missing)) return { field, expected: `to have ${missing.join(', ')}` }
      return { field, expected: 'additionalProperties' in params ? 'to have no other members' : message }
    })
}
