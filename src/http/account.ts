import { timingSafeEqual } from 'node:crypto'
import formbody from '@fastify/formbody'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { AuditLog } from '../core/audit.ts'
import { accountKind } from '../core/integration.ts'
import type { ConnectSessionStore, IntegrationStore, Random } from '../core/ports.ts'
import { pageContext, sendPage, sendProblemPage, shownProblem } from './browser.ts'
import { keepChoice } from './reader.ts'
import {
  ACCOUNT_PATH,
  accountPage,
  CSRF_FIELD,
  CONFIRM_DISCONNECT_URL,
  DISCONNECT_PATH,
  DISCONNECTED_PATH,
  disconnectConfirmationPage,
  disconnectedPage,
  type Site,
} from './pages/pages.ts'
import { asFailure } from './problem.ts'
import type { CompareScopes } from './views.ts'

export interface AccountRoutesOptions {
  integrations: IntegrationStore
  connectSessions: ConnectSessionStore
  site: Site
  compareScopes: CompareScopes
  random: Random
  auditLog: AuditLog
  /** Milliseconds since the epoch. */
  now(): number
}

/** The caller in events and audit lines, for what a user does on the account page. */
const CALLER = 'account-page'

/** The account page of a user (docs/design.md#pages). Only for a session that a manage ticket opened. */
export async function accountRoutes(scope: FastifyInstance, options: AccountRoutesOptions): Promise<void> {
  const { integrations, connectSessions, site, compareScopes, random, auditLog, now } = options
  await scope.register(formbody, { bodyLimit: 4_096 })

  const managedUser = (request: FastifyRequest): string | undefined =>
    request.session.manages === true ? request.session.userId : undefined

  scope.get<{ Querystring: Record<string, unknown> }>(ACCOUNT_PATH, show)
  scope.get<{ Querystring: Record<string, unknown> }>(ACCOUNT_PATH.slice(0, -1), show)

  async function show(request: FastifyRequest<{ Querystring: Record<string, unknown> }>, reply: FastifyReply) {
    const userId = managedUser(request)
    if (userId === undefined) return sendProblemPage(site, request, reply, 'no_session')
    const context = pageContext(site, request)
    const summary = await integrations.summary(userId)
    request.log.info(
      { user_id: userId, status: summary?.status ?? 'not_connected', reason: summary?.failure?.reason },
      'account page shown',
    )
    if (request.query['confirm'] === 'disconnect' && summary !== undefined) {
      const csrfToken = (request.session.csrfToken ??= random.bytes(32).toString('base64url'))
      return sendPage(
        site,
        reply,
        disconnectConfirmationPage(context, {
          csrfToken,
          ...(summary.account === undefined ? {} : { account: summary.account }),
        }),
      )
    }
    const pending = await connectSessions.pendingSince(userId)
    const scopes = summary === undefined ? { missing: [], excess: [] } : compareScopes(summary.scopes)
    return sendPage(
      site,
      reply,
      accountPage(context, {
        missingScopes: scopes.missing,
        excessScopes: scopes.excess,
        now: now(),
        ...(summary === undefined ? {} : { summary }),
        ...(pending === undefined ? {} : { pending: { since: pending } }),
      }),
    )
  }

  // A restored tab, Enter in the address bar, or another language for the answer to the form.
  scope.get<{ Querystring: Record<string, unknown> }>(DISCONNECT_PATH, (request, reply) => {
    const shown = shownProblem(request.query)
    if (shown !== undefined) return sendProblemPage(site, request, reply, shown)
    keepChoice(site, request, reply)
    if (request.session.disconnected !== undefined) return reply.redirect(DISCONNECTED_PATH, 303)
    return reply.redirect(managedUser(request) === undefined ? ACCOUNT_PATH : CONFIRM_DISCONNECT_URL, 303)
  })

  scope.get(DISCONNECTED_PATH, (request, reply) => {
    const kind = request.session.disconnected
    keepChoice(site, request, reply)
    if (kind === undefined) return reply.redirect(ACCOUNT_PATH, 303)
    return sendPage(site, reply, disconnectedPage(pageContext(site, request), { kind }))
  })

  scope.post<{ Body: Record<string, unknown> | null }>(
    DISCONNECT_PATH,
    {
      // A body that cannot be parsed did not come from our form. Nothing was changed.
      errorHandler: (error, request, reply) => {
        if (asFailure(error).code !== 'invalid_request') throw error
        return sendProblemPage(site, request, reply, 'form_expired')
      },
    },
    async (request, reply) => {
      const userId = managedUser(request)
      // The button of another tab, after that of the first.
      if (request.session.disconnected !== undefined) return reply.redirect(DISCONNECTED_PATH, 303)
      if (userId === undefined) return sendProblemPage(site, request, reply, 'session_over')
      if (!isSame(request.session.csrfToken, request.body?.[CSRF_FIELD]))
        return sendProblemPage(site, request, reply, 'form_expired')
      const tenantId = (await integrations.summary(userId))?.account?.tenantId
      const wasConnected = await integrations.disconnect(userId, CALLER)
      // The disconnect is done, so nothing but a failure of ours could come of waiting for its line.
      auditLog.note({
        audit: 'disconnected',
        caller: CALLER,
        user_id: userId,
        was_connected: wasConnected,
        peer: request.ip,
        request_id: request.id,
      })
      // The session of the user has ended. This one knows no user, only what the next page says.
      await request.session.regenerate()
      request.session.seen = true
      request.session.disconnected = accountKind(tenantId)
      return reply.redirect(DISCONNECTED_PATH, 303)
    },
  )
}

function isSame(expected: string | undefined, given: unknown): boolean {
  if (expected === undefined || typeof given !== 'string') return false
  const [a, b] = [Buffer.from(expected), Buffer.from(given)]
  return a.length === b.length && timingSafeEqual(a, b)
}
