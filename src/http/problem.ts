/**
 * http owns what goes over the wire: routes, pages, sessions, signatures on requests, problems. It must not know SQL,
 * Microsoft's answers or keys; it asks core and the ports.
 *
 * This file: Failure → problem details (RFC 9457). The only table of statuses and titles: OpenAPI and docs/reference
 * are made from it.
 */
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Static } from 'typebox'
import {
  explainReason,
  Failure,
  verdictOfCode,
  type AnyReason,
  type FailureCode,
  type StoredVerdict,
} from '../core/failure.ts'
import { adminConsentUrlFor } from './pages/pages.ts'
import type { MicrosoftFacts, Problem } from './problem-schema.ts'

export interface ProblemKind {
  status: number
  title: string
  /** What a caller should do. */
  meaning: string
}

export const PROBLEMS: Record<FailureCode, ProblemKind> = {
  invalid_signature: {
    status: 401,
    title: 'Invalid request signature',
    meaning:
      'Check the key id, the secret, the covered components, the clock, and that each attempt has a new nonce. ' +
      "The broker's log says why.",
  },
  clock_skew: {
    status: 401,
    title: 'Timestamp outside the allowed window',
    meaning: 'Correct the clock by the signed `Date` of this answer, then sign again.',
  },
  caller_forbidden: {
    status: 403,
    title: 'The caller lacks the permission',
    meaning: 'Ops must give the caller the permission.',
  },
  frozen: {
    status: 403,
    title: 'Access is paused',
    meaning:
      'Forget the tokens that you hold of this user, organisation or key (`reason`). Ops lift it; nobody has to reconnect. ' +
      'Do not retry at once.',
  },
  not_connected: {
    status: 404,
    title: 'The user has connected no Microsoft account',
    meaning: 'Send the user through connect.',
  },
  not_found: {
    status: 404,
    title: 'Not found',
    meaning: 'No such route, or no such connect session of this caller.',
  },
  reconnect_required: {
    status: 409,
    title: 'Microsoft no longer accepts the stored authorization',
    meaning: 'If `who_acts` is `user`, send them through connect. Otherwise show who can help.',
  },
  connect_refused: {
    status: 409,
    title: 'Connecting failed',
    meaning: 'Send the user to `next`: that page says what happened and what to do.',
  },
  account_mismatch: {
    status: 409,
    title: 'Another Microsoft account is connected',
    meaning: 'Send the user to `next`, or begin a connect session with `allow_account_switch`.',
  },
  claims_not_satisfied: {
    status: 409,
    title: 'New tokens do not satisfy Microsoft',
    meaning:
      'Too many refreshes of this user were forced in ten minutes, and nothing was sent to Microsoft. Do not retry ' +
      'before `Retry-After`. Ops compare `addresses`: broker and caller should reach Microsoft from one.',
  },
  connect_session_expired: { status: 410, title: 'The connect session is over', meaning: 'Begin a new one.' },
  cursor_expired: {
    status: 410,
    title: 'The cursor is too old, or belongs to another database',
    meaning: 'List all integrations, then read events from the newest cursor.',
  },
  invalid_request: {
    status: 422,
    title: 'Invalid request',
    meaning: 'See `invalid`. Do not repeat the request unchanged.',
  },
  rate_limited: { status: 429, title: 'Too many requests', meaning: 'Wait `Retry-After` seconds.' },
  microsoft_unavailable: {
    status: 503,
    title: 'No valid token can be given at the moment',
    meaning: 'Wait `Retry-After` seconds. The user does not have to act.',
  },
  broker_misconfigured: {
    status: 503,
    title: 'The broker or its app registration is misconfigured',
    meaning: 'Ops must act. The user cannot.',
  },
  audit_unavailable: {
    status: 503,
    title: 'The audit line of this request could not be written',
    meaning: 'Wait `Retry-After` seconds; what was asked for may have been done. Ops must look at where the log goes.',
  },
  database_unavailable: {
    status: 503,
    title: "The broker's database does not answer",
    meaning: 'Wait `Retry-After` seconds.',
  },
  token_unreadable: {
    status: 500,
    title: 'A stored value cannot be opened',
    meaning: 'Ops must act: a sealing key is missing, or a row was altered. The user does not have to reconnect.',
  },
  internal_error: {
    status: 500,
    title: 'Internal error',
    meaning: 'Ops find the reason in the log by `request_id`.',
  },
}

/** Seconds to wait if a 503 or 429 has no better number. */
const DEFAULT_RETRY_AFTER_SECONDS = 5

export type ProblemBody = Static<typeof Problem>

/** Whether this release knows the code: an outcome may hold one of a newer release. */
export const isFailureCode = (code: string): code is FailureCode => Object.hasOwn(PROBLEMS, code)

/** `status`: only for requests that Node could not parse, whose status is not that of the code. */
export function plainProblem(code: FailureCode, requestId: string, status = PROBLEMS[code].status): ProblemBody {
  const { title } = PROBLEMS[code]
  return { type: `urn:token-broker:problem:${code}`, title, status, code, request_id: requestId }
}

/**
 * `adminConsentUrl`: our page for administrators. It is given where one may have to act. Microsoft does not say whether
 * a user who did not approve had the choice (docs/microsoft.md#callback-errors).
 */
export function toProblem(failure: Failure, requestId: string, adminConsentUrl?: string): ProblemBody {
  const problem = plainProblem(failure.code, requestId)
  const { reason, retryAfterSeconds, invalid, microsoft, tenantId, addresses } = failure.facts
  const why = reason === undefined ? undefined : reasonFacts(reason, verdictOfCode(failure.code))
  const isForAdmin = why?.who_acts === 'tenant_admin' || reason === 'not_approved' || reason === 'consent_required'
  const mustWait = problem.status === 503 || problem.status === 429
  const retryAfter = retryAfterSeconds ?? (mustWait ? DEFAULT_RETRY_AFTER_SECONDS : undefined)
  return {
    ...problem,
    ...why,
    ...(isForAdmin && adminConsentUrl !== undefined
      ? { admin_consent_url: adminConsentUrlFor(adminConsentUrl, tenantId) }
      : {}),
    ...(retryAfter === undefined ? {} : { retry_after: retryAfter }),
    ...(invalid === undefined ? {} : { invalid }),
    ...(addresses === undefined ? {} : { addresses: addressFacts(addresses) }),
    ...(microsoft === undefined ? {} : { microsoft: microsoftFacts(microsoft) }),
  }
}

/** A reason with who acts and the advice. The verdict explains a reason of a newer release. */
export function reasonFacts(reason: AnyReason, verdict?: StoredVerdict) {
  const { whoActs, advice } = explainReason(reason, verdict)
  return { reason, who_acts: whoActs, advice }
}

const addressFacts = ({ graph, signIn }: NonNullable<Failure['facts']['addresses']>) => ({
  ...(graph === undefined ? {} : { graph }),
  ...(signIn === undefined ? {} : { sign_in: signIn }),
})

/** What Microsoft's support asks for, in Microsoft's names. */
export function microsoftFacts(error: NonNullable<Failure['facts']['microsoft']>): Static<typeof MicrosoftFacts> {
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

export function sendProblem(request: FastifyRequest, reply: FastifyReply, problem: ProblemBody): FastifyReply {
  noteProblem(request, problem.code)
  if (problem.retry_after !== undefined) reply.header('retry-after', String(problem.retry_after))
  return reply.code(problem.status).type('application/problem+json').send(problem)
}

interface NotedProblem {
  code: string
  reason?: string | undefined
  detail?: string | undefined
}
const noted = new WeakMap<FastifyRequest, NotedProblem>()

/** Remembers the problem that answers this request, for its trace and its audit line. */
export function noteProblem(request: FastifyRequest, code: string, facts: Omit<NotedProblem, 'code'> = {}): void {
  const before = noted.get(request)
  noted.set(request, { ...(before?.code === code ? before : {}), code, ...facts })
}

export const notedProblem = (request: FastifyRequest): NotedProblem | undefined => noted.get(request)

/** Turns anything that was thrown into a Failure. Drops the texts of foreign errors: they may quote the request. */
export function asFailure(error: unknown): Failure {
  if (error instanceof Failure) return error
  const { code, statusCode, validation, validationContext } = (error ?? {}) as {
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

/**
 * Where, and what was expected, in the words of our schema only. Leaves out `boolean` errors: they repeat those of
 * `additionalProperties` and quote the name that was sent.
 */
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
