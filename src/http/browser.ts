import type { FastifyReply, FastifyRequest } from 'fastify'
import { ofEachLanguage } from '../texts/texts.ts'
import type { ListenerErrors } from './errors.ts'
import { CALLBACK_PATH } from './links.ts'
import {
  inLanguage,
  isPageProblem,
  PAGE_PROBLEMS,
  problemOfFailure,
  problemPage,
  type PageContext,
  type PageProblem,
  type Site,
} from './pages/pages.ts'
import { noteProblem } from './problem.ts'
import { keepChoice, pageUrlOfRequest, readerOf, readerOfRequest, type Reader } from './reader.ts'
import { plainSecurityHeaders } from './security.ts'
import { userOfSession } from './session.ts'

/** The language depends on both (docs/design.md#language-and-time). */
const VARY = 'Accept-Language, Cookie'

function contextFor(site: Site, reader: Reader, referenceId: string, pageUrl: string): PageContext {
  const { language } = reader
  const adminConsentUrl = inLanguage(site.app.adminConsentUrl, language)
  return { ...site, app: { ...site.app, adminConsentUrl }, ...reader, referenceId, pageUrl }
}

/** What the pages of one request need. The reference on the page is the request id of the log. */
export function pageContext(site: Site, request: FastifyRequest): PageContext {
  return contextFor(site, readerOfRequest(site, request), request.id, pageUrlOfRequest(request))
}

/** `html` must be made with what `pageContext` gives for the same request. */
export function sendPage(site: Site, reply: FastifyReply, html: string, status = 200): FastifyReply {
  const { request } = reply
  keepChoice(site, request, reply)
  return reply
    .code(status)
    .type('text/html; charset=utf-8')
    .headers({ 'content-language': readerOfRequest(site, request).language, vary: VARY })
    .send(html)
}

/** Seconds after which a page that says "try again" may be requested again. */
const RETRY_AFTER_SECONDS = 30

/** Query of the addresses that take a form or an answer of Microsoft: shows this problem, as if it had happened. */
const SHOWN = 'shown'

/** Where the page of a problem can be seen again. What was sent to us is repeated only where the page depends on it. */
function problemUrl(request: FastifyRequest, problem: PageProblem): string {
  if (problem === 'not_found' || problem === 'invalid_request') return '?'
  const isAnswer = request.method === 'POST' || request.routeOptions.url?.startsWith(CALLBACK_PATH) === true
  return isAnswer ? `?${SHOWN}=${problem}` : pageUrlOfRequest(request)
}

/** The problem that a switch of the language asks for, on an address that takes a form or an answer of Microsoft. */
export function shownProblem(query: Record<string, unknown>): PageProblem | undefined {
  const shown = query[SHOWN]
  return isPageProblem(shown) ? shown : undefined
}

export function sendProblemPage(
  site: Site,
  request: FastifyRequest,
  reply: FastifyReply,
  problem: PageProblem,
  options: { retryAfterSeconds?: number; continueUrl?: string } = {},
): FastifyReply {
  // Shown again in another language, nothing fails: alerts count the failures of a route.
  const status =
    shownProblem(request.query as Record<string, unknown>) === problem ? 200 : PAGE_PROBLEMS[problem].status
  const { retryAfterSeconds = RETRY_AFTER_SECONDS, continueUrl } = options
  const context = { ...pageContext(site, request), pageUrl: problemUrl(request, problem) }
  const page = problemPage(context, problem, continueUrl)
  if (status === 429 || status === 503) reply.header('retry-after', String(retryAfterSeconds))
  return sendPage(site, reply, page, status)
}

/** Stands for the reference in pages that are made when the process starts. */
const REFERENCE = '00000000-0000-0000-0000-000000000000'

/** Answers failures as pages: the public listener. A page shows nothing of the error but its place in a closed list. */
export function browserErrors(site: Site, { https }: { https: boolean }): ListenerErrors {
  const headers = {
    ...plainSecurityHeaders(https),
    'content-type': 'text/html; charset=utf-8',
    vary: VARY,
  }
  const pages = (problem: PageProblem) =>
    ofEachLanguage((language) => problemPage(contextFor(site, { language, timeZone: 'UTC' }, REFERENCE, '?'), problem))
  const internalError = pages('internal_error')
  const invalidRequest = pages('invalid_request')
  const tooLarge = pages('request_too_large')
  return {
    answer(failure, request, reply) {
      const { detail, retryAfterSeconds } = failure.facts
      const problem = detail === 'plain_http' ? 'plain_http' : problemOfFailure(failure.code)
      noteProblem(request, failure.code)
      sendProblemPage(site, request, reply, problem, retryAfterSeconds === undefined ? {} : { retryAfterSeconds })
      const level = PAGE_PROBLEMS[problem].status >= 500 ? 'error' : 'info'
      request.log[level]({ code: failure.code, detail, user_id: userOfSession(request) }, 'page failed')
    },
    plain(code, status, requestId, asked) {
      const { language } = readerOf(site, asked)
      const made = code === 'internal_error' ? internalError : status === 431 ? tooLarge : invalidRequest
      return {
        headers: { ...headers, 'content-language': language },
        body: made[language].replaceAll(REFERENCE, requestId),
      }
    },
  }
}
