import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { fitsHandle } from '../core/completion-handle.ts'
import type { CallbackAnswer, Connect } from '../core/connect.ts'
import type { AdminConsentResult, CallbackParameters, Microsoft } from '../core/microsoft-port.ts'
import type { ConnectSession } from '../core/ports.ts'
import { pageContext, sendPage, sendProblemPage, shownProblem } from './browser.ts'
import { CALLBACK_PATH, CONNECT_PATH, RESULT_PATH, TICKET, type Links } from './links.ts'
import {
  adminConsentResultPage,
  ACCOUNT_PATH,
  continuePage,
  forTenant,
  resultPage,
  type PageProblem,
  type Site,
} from './pages/pages.ts'
import { beginVisit, isLanguage, keepChoice, noteReader, noteVisit } from './reader.ts'
import { bindSession, browserSessionOf } from './session.ts'

export interface ConnectRoutesOptions {
  connect: Connect
  links: Links
  site: Site
  microsoft: Pick<Microsoft, 'judgeAdminConsent'>
  /** MEGDocs' page that completes; id and handle are added to its query. */
  completionUrl: string
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
const STATE = /^[A-Za-z0-9_.-]{1,200}$/
const MAX_CODE = 8_192

type Query = Record<string, string | string[] | undefined>

/**
 * The browser's side of a connect (docs/design.md#connect): ticket, Microsoft's answer, result. No page begins a
 * connect.
 */
export async function connectRoutes(
  scope: FastifyInstance,
  { connect, links, site, microsoft, completionUrl }: ConnectRoutesOptions,
): Promise<void> {
  const problem = (
    request: FastifyRequest,
    reply: FastifyReply,
    why: PageProblem,
    detail?: Record<string, unknown>,
  ) => {
    request.log.info({ page: why, ...detail }, 'connect page refused')
    return sendProblemPage(site, request, reply, why)
  }

  scope.get<{ Params: { ticket: string }; Querystring: Query }>(`${CONNECT_PATH}/:ticket`, async (request, reply) => {
    const { ticket } = request.params
    if (!TICKET.test(ticket)) return problem(request, reply, 'link_expired')
    // A browser that prefetches must not spend the ticket.
    if (isPrefetch(request)) return reply.code(503).header('retry-after', '1').send()
    const known = await connect.peek(ticket)
    if (known !== undefined) noteVisit(site, request, known, links)
    if (known === undefined || known.expired) return problem(request, reply, 'link_expired')
    if (request.method === 'HEAD') return headOnly(reply)
    // A cookie round trip first: a browser without cookies could not finish the connect with the spent ticket.
    if (request.session.seen !== true) {
      if (request.query['cookies'] !== undefined) return problem(request, reply, 'cookies_blocked')
      request.session.seen = true
      keepChoice(site, request, reply)
      return reply.redirect(`${CONNECT_PATH}/${ticket}?cookies=1`, 303)
    }
    // Somebody else's link must not end a sign-in that is under way: its answer could not be taken any longer. The way
    // on needs a proof for this very browser session, so that nobody can send it along with a link.
    const { instead } = request.query
    if (
      known.status === 'created' &&
      request.session.userId !== undefined &&
      request.session.userId !== known.userId &&
      (await connect.isAtMicrosoft(browserSessionOf(request))) &&
      !(typeof instead === 'string' && links.checkInstead(ticket, browserSessionOf(request), instead))
    ) {
      request.log.info({ page: 'other_sign_in', connect_session: known.id }, 'connect page refused')
      return sendProblemPage(site, request, reply, 'other_sign_in', {
        continueUrl: links.instead(ticket, browserSessionOf(request)),
      })
    }
    const isNew = known.status === 'created' && (await bindSession(request, known.userId))
    const opened = await connect.openTicket({
      known,
      browserSession: browserSessionOf(request),
      requestId: request.id,
    })
    switch (opened.kind) {
      case 'authorize':
        request.session[`attempt:${opened.stateHash.toString('base64url')}`] = true
        beginVisit(site, request, reply, known, links)
        request.log.info({ connect_session: opened.session.id, user_id: opened.session.userId }, 'sent to Microsoft')
        return reply.redirect(opened.url, 303)
      case 'manage':
        request.session.manages = true
        beginVisit(site, request, reply, known, links)
        return reply.redirect(ACCOUNT_PATH, 303)
      case 'over': {
        const page = isOver(opened.session) || isThisBrowsers(request, opened.session) ? 'link_used' : 'link_foreign'
        // Another tab was a moment faster. Nobody needs the session of this one, and its cookie would replace the
        // cookie of that tab.
        if (isNew) await request.session.destroy()
        return problem(request, reply, page)
      }
    }
  })

  scope.get<{ Querystring: Query }>(CALLBACK_PATH, receive)
  scope.get<{ Querystring: Query }>(`${CALLBACK_PATH}/`, receive)

  async function receive(request: FastifyRequest<{ Querystring: Query }>, reply: FastifyReply) {
    const shown = shownProblem(request.query)
    if (shown !== undefined) return sendProblemPage(site, request, reply, shown)
    const { state } = request.query
    const adminLanguage = typeof state === 'string' ? links.adminConsentLanguage(state) : undefined
    if (typeof state === 'string' && adminLanguage !== undefined) {
      // A browser that comes back here proves nothing: the page only says what to do next. `tenant` decides nothing.
      const result = microsoft.judgeAdminConsent(callbackParameters(request.query))
      request.log.info(
        result.approved
          ? { admin_consent: 'approved' }
          : { admin_consent: 'refused', reason: result.reason, who_acts: result.whoActs, microsoft: result.microsoft },
        'admin consent answered',
      )
      // Without cookies, only the state knows it.
      if (isLanguage(adminLanguage)) noteReader(request, { locale: adminLanguage })
      const context = { ...pageContext(site, request), pageUrl: `?${sameAnswer(state, result)}` }
      return sendPage(site, reply, adminConsentResultPage(context, result))
    }
    const answer = readAnswer(request.query)
    if (answer === undefined) return problem(request, reply, 'sign_in_unmatched', { why: 'malformed_callback' })
    if (request.method === 'HEAD') return headOnly(reply)
    const mine = hasAttempt(request, answer.state) ? browserSessionOf(request) : undefined
    const received = await connect.receive(answer, mine)
    if (received.kind === 'foreign') return problem(request, reply, 'sign_in_unmatched', { why: received.why })
    const { session } = received
    noteVisit(site, request, session, links)
    request.log.info(
      {
        connect_session: session.id,
        user_id: session.userId,
        callback: received.kind,
        status: session.status,
        reason: session.outcome?.reason,
      },
      'callback received',
    )
    // A second visit with the same answer gets the same page and changes nothing.
    if (session.status === 'refused' || session.status === 'connected') return showResult(request, reply, session)
    // Without a handle the attempt ended at this moment.
    const handle = 'handle' in received ? received.handle : undefined
    if (handle === undefined) return problem(request, reply, 'sign_in_unmatched', { why: 'ended' })
    return returnToMegdocs(request, reply, session, handle)
  }

  scope.get<{ Params: { id: string; proof: string }; Querystring: Query }>(
    `${RESULT_PATH}/:id/:proof`,
    async (request, reply) => {
      const { id, proof } = request.params
      if (!UUID.test(id) || !links.checkResult(id, proof)) return problem(request, reply, 'not_found')
      const session = await connect.find(id)
      if (session !== undefined) noteVisit(site, request, session, links)
      if (session === undefined || (session.outcome !== undefined && session.expired))
        return problem(request, reply, 'result_gone')
      const { handle } = request.query
      if (session.status === 'received' && typeof handle === 'string' && fitsHandle(session.handleHash, handle))
        return returnToMegdocs(request, reply, session, handle)
      return showResult(request, reply, session)
    },
  )

  const resultPath = (id: string): string => new URL(links.result(id)).pathname

  /** A page, not a redirect: the browser then sends MEGDocs' session cookie even if it is SameSite=Strict. */
  function returnToMegdocs(request: FastifyRequest, reply: FastifyReply, session: ConnectSession, handle: string) {
    const url = new URL(completionUrl)
    url.searchParams.set('connect_session', session.id)
    url.searchParams.set('handle', handle)
    // The address of the callback holds the code.
    const context = { ...pageContext(site, request), pageUrl: `${resultPath(session.id)}?handle=${handle}` }
    return sendPage(site, reply, continuePage(context, url.href))
  }

  async function showResult(request: FastifyRequest, reply: FastifyReply, session: ConnectSession) {
    const { id, userId, outcome } = session
    if (outcome === undefined) return problem(request, reply, 'link_expired', { connect_session: id, user_id: userId })
    const { result, reason, microsoft } = outcome
    // The reference on this page leads to this line: Microsoft was called under the id of another request.
    request.log.info(
      {
        connect_session: id,
        user_id: userId,
        outcome: result,
        reason,
        aadsts: microsoft?.aadsts,
        correlation_id: microsoft?.correlationId,
        trace_id: microsoft?.traceId,
        microsoft_time: microsoft?.timestamp,
      },
      'result shown',
    )
    // At the callback, the address holds Microsoft's answer.
    const context = { ...pageContext(site, request), pageUrl: resultPath(id) }
    const tenantId = result === 'refused' ? await connect.tenantOf(session) : undefined
    return sendPage(site, reply, resultPage(forTenant(context, tenantId), outcome))
  }

  function hasAttempt(request: FastifyRequest, state: string): boolean {
    return request.session[`attempt:${connect.stateHash(state).toString('base64url')}`] === true
  }

  function isThisBrowsers(request: FastifyRequest, session: ConnectSession | undefined): boolean {
    return session?.browserSession?.equals(browserSessionOf(request)) === true
  }
}

/** A completed connect has ended its browser session: whose browser it was is no longer known, and does not matter. */
function isOver(session: ConnectSession | undefined): boolean {
  return session?.outcome !== undefined || session?.status === 'connected' || session?.status === 'refused'
}

/** Microsoft's answer about an approval once more, made of what was taken from it. */
function sameAnswer(state: string, result: AdminConsentResult): URLSearchParams {
  if (result.approved) return new URLSearchParams({ state, admin_consent: 'True' })
  const { error, suberror, aadsts, traceId, correlationId, timestamp } = result.microsoft
  const description = [
    aadsts === undefined ? undefined : `AADSTS${aadsts}:`,
    traceId && `Trace ID: ${traceId}`,
    correlationId && `Correlation ID: ${correlationId}`,
    timestamp && `Timestamp: ${timestamp}`,
  ]
  return new URLSearchParams({
    state,
    ...(error === undefined ? {} : { error }),
    ...(suberror === undefined ? {} : { error_subcode: suberror }),
    error_description: description.filter((part) => part !== undefined).join(' '),
  })
}

/** For somebody who asks for the head alone: it spends nothing, begins no session and consumes no answer. */
function headOnly(reply: FastifyReply): FastifyReply {
  return reply.type('text/html; charset=utf-8').send()
}

function isPrefetch(request: FastifyRequest): boolean {
  return [request.headers['sec-purpose'], request.headers['purpose'], request.headers['x-moz']].some((value) =>
    String(value).includes('prefetch'),
  )
}

/** Each parameter at most once, and either a code or an error (docs/security.md#connect-flow). */
function readAnswer(query: Query): CallbackAnswer | undefined {
  const { state, code, error } = query
  if (typeof state !== 'string' || !STATE.test(state)) return undefined
  if (Object.values(query).some(Array.isArray)) return undefined
  if (typeof code === 'string' && error === undefined) {
    const { cloud_instance_host_name: cloudHost } = query
    if (code === '' || code.length > MAX_CODE) return undefined
    return { state, code, ...(typeof cloudHost === 'string' ? { cloudHost } : {}) }
  }
  if (typeof error === 'string' && code === undefined) return { state, ...callbackParameters(query), error }
  return undefined
}

/** As they came. Free text goes no further than to microsoft/callback.ts, which takes numbers and ids from it. */
function callbackParameters(query: Query): CallbackParameters {
  const one = (name: string): string | undefined => {
    const value = query[name]
    return typeof value === 'string' ? value : undefined
  }
  const found = {
    error: one('error'),
    errorSubcode: one('error_subcode'),
    errorDescription: one('error_description'),
    errorUri: one('error_uri'),
    adminConsent: one('admin_consent'),
  }
  return Object.fromEntries(Object.entries(found).filter(([, value]) => value !== undefined))
}
