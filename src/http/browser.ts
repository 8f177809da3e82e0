import type { FastifyReply, FastifyRequest } from 'fastify'
import { asFailure } from './problem.ts'
import {
  PAGE_PROBLEMS,
  pickLanguage,
  PROBLEM_OF_FAILURE,
  problemPage,
  type PageContext,
  type PageProblem,
  type Site,
} from './pages/pages.ts'

/** What one request's pages need. The reference on the page is the request id of the log. */
export function pageContext(site: Site, request: FastifyRequest): PageContext {
  return { ...site, language: pickLanguage(request.headers['accept-language']), referenceId: request.id }
}

/** `html` in the language of pageContext, of the same request. */
export function sendPage(reply: FastifyReply, html: string, status = 200): FastifyReply {
  const language = pickLanguage(reply.request.headers['accept-language'])
  return reply
    .code(status)
    .type('text/html; charset=utf-8')
    .headers({ 'content-language': language, vary: 'Accept-Language' })
    .send(html)
}

/** Seconds after which a page that says "try again" may be asked for again. */
const RETRY_AFTER = 30

export function sendProblemPage(
  site: Site,
  request: FastifyRequest,
  reply: FastifyReply,
  problem: PageProblem,
  retryAfterSeconds = RETRY_AFTER,
): FastifyReply {
  const { status } = PAGE_PROBLEMS[problem]
  if (status === 429 || status === 503) reply.header('retry-after', String(retryAfterSeconds))
  return sendPage(reply, problemPage(pageContext(site, request), problem), status)
}

/** The error handler of the public listener: nothing of the error is on the page but its place in a closed list. */
export function browserErrors(site: Site) {
  return (error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply => {
    const failure = asFailure(error)
    const problem = failure.facts.detail === 'plain_http' ? 'plain_http' : PROBLEM_OF_FAILURE[failure.code]
    const { status } = PAGE_PROBLEMS[problem]
    request.log[status >= 500 ? 'error' : 'info']({ code: failure.code, detail: failure.facts.detail }, 'page failed')
    return sendProblemPage(site, request, reply, problem, failure.facts.retryAfterSeconds)
  }
}
