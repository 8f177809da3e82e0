import type { IncomingMessage } from 'node:http'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { AuditFacts, AuditLog } from '../core/audit.ts'
import { Failure } from '../core/failure.ts'
import type { Clock } from '../core/ports.ts'
import { USER_ID } from '../core/user-id.ts'
import { asFailure, notedProblem, noteProblem, toProblem } from './problem.ts'
import { authenticatedAs, isSigned } from './signed.ts'

const facts = new WeakMap<FastifyRequest, AuditFacts>()
const leavings = new WeakMap<FastifyRequest, Leaving>()
/** Under heavy load an answer can be late again after its freezes were read again. */
const MAX_RECHECKS = 3

/** An answer that may be sent until `before` (Clock.elapsed). `recheck` reads its freezes again and says until when. */
export interface Leaving {
  before: number
  recheck(): Promise<number>
}

/**
 * What the audit line of this request says besides who asked. The line is written before the answer is sent
 * (docs/design.md#audit), in place of the line that ends other requests. `leaving`: if the line
 * took longer than the answer may wait, its freezes are read again (docs/design.md#freeze).
 */
export function audit(request: FastifyRequest, what: AuditFacts, leaving?: Leaving): void {
  facts.set(request, what)
  if (leaving !== undefined) leavings.set(request, leaving)
}

const traceIds = new WeakMap<IncomingMessage, string>()
/** Remembers the trace of a request for its audit line. */
export const auditTrace = (raw: IncomingMessage, traceId: string): void => void traceIds.set(raw, traceId)

const audited = new WeakSet<FastifyRequest>()
/** Whether an audit line says everything that the line at the end of a request would say. */
export const hasAuditLine = (request: FastifyRequest): boolean => audited.has(request)

/**
 * Writes the audit line of every answer of the scope that has one, before the answer is sent: tokens, acts, and all
 * refusals of authenticated callers. If it cannot be written, the answer is `audit_unavailable`; if the token may not
 * leave any more, why: `frozen`, `not_connected` or `database_unavailable`. Register it before requireSignatures, which
 * then signs that answer too.
 */
export function auditAnswers(scope: FastifyInstance, log: AuditLog, clock: Pick<Clock, 'elapsed'>): void {
  scope.addHook('onSend', (request, reply, payload, done) => {
    const line = lineOf(request, reply)
    if (line === undefined) return done(null, payload)
    audited.add(request)
    const inTime = async (): Promise<void> => {
      const leaving = line.audit === 'token_handed_out' ? leavings.get(request) : undefined
      for (let tries = 0; leaving !== undefined && clock.elapsed() > leaving.before; tries++) {
        if (tries === MAX_RECHECKS)
          throw new Failure('database_unavailable', { detail: 'freezes could not be read in time' })
        leaving.before = await leaving.recheck()
      }
    }
    log
      .write(line)
      .then(inTime)
      .then(
        () => done(null, payload),
        (error: unknown) => {
          // The line about the token may still be written later. This one says that it did not leave.
          const failure = asFailure(error)
          const {
            code,
            facts: { reason, detail },
          } = failure
          noteProblem(request, code, { reason, detail })
          const problem = toProblem(failure, request.id)
          const { user_id, caller, key_id } = line
          request.log.info({ code, reason, detail, user_id, caller, key_id }, 'request failed')
          const { generation: _none, ...rest } = line
          log.note({
            ...rest,
            audit: 'refused',
            code,
            reason,
            detail,
            status: problem.status,
            ms: elapsed(reply),
          })
          for (const name of ['content-length', 'etag', 'retry-after']) reply.removeHeader(name)
          if (problem.retry_after !== undefined) reply.header('retry-after', String(problem.retry_after))
          reply.code(problem.status).type('application/problem+json; charset=utf-8')
          done(null, JSON.stringify(problem))
        },
      )
  })
}

function lineOf(request: FastifyRequest, reply: FastifyReply): AuditFacts | undefined {
  const signed = authenticatedAs(request)
  if (signed === undefined) return undefined
  const { statusCode: status } = reply
  const failed = status >= 400
  const given = facts.get(request)
  // A token that is not sent after all was not handed out.
  const what = failed && given?.audit === 'token_handed_out' ? undefined : given
  if (what === undefined && !failed) return undefined
  const refused = failed ? notedProblem(request) : undefined
  return {
    audit: 'refused',
    user_id: failed ? userOf(request) : undefined,
    connect_session: failed ? connectSessionOf(request) : undefined,
    ...what,
    caller: signed.caller.name,
    key_id: signed.key.keyId,
    peer: request.socket.remoteAddress,
    request_id: request.id,
    trace_id: traceIds.get(request.raw),
    context: signed.context,
    code: refused?.code,
    reason: what?.reason ?? refused?.reason,
    detail: refused?.detail,
    method: request.method,
    route: request.routeOptions.url ?? 'none',
    status,
    ms: elapsed(reply),
  }
}

/** Who sent a request, for the lines about its failure. A stranger's claims are left out. */
export function askedBy(request: FastifyRequest): Pick<AuditFacts, 'user_id' | 'caller' | 'key_id'> {
  // Routes that need no signature have failures too.
  if (!isSigned(request)) return {}
  const signed = authenticatedAs(request)
  if (signed === undefined) return {}
  return { user_id: userOf(request), caller: signed.caller.name, key_id: signed.key.keyId }
}

const elapsed = (reply: FastifyReply): number => Math.round(reply.elapsedTime * 10) / 10

/** The user in path or body of a refused request, if it has the form of a user id. */
function userOf({ params, body }: FastifyRequest): string | undefined {
  const { userId } = (params ?? {}) as { userId?: unknown }
  const { user_id: inBody, scope, value } = (body ?? {}) as { user_id?: unknown; scope?: unknown; value?: unknown }
  const toFreeze = scope === 'user' ? value : undefined
  return [userId, inBody, toFreeze].find((id): id is string => typeof id === 'string' && USER_ID.test(id))
}

const CONNECT_SESSION_ID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** The connect session in the path of a refused request: it leads to the line that names its user. */
function connectSessionOf({ params, routeOptions }: FastifyRequest): string | undefined {
  const { id } = (params ?? {}) as { id?: unknown }
  const isOne = routeOptions.url?.startsWith('/connect-sessions/') === true
  return isOne && typeof id === 'string' && CONNECT_SESSION_ID.test(id) ? id : undefined
}
