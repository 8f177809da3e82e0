import type { FastifyReply, FastifyRequest } from 'fastify'
import { ofEachLanguage } from '../texts/texts.ts'
import type { ListenerErrors } from './errors.ts'
import {
  PAGE_PROBLEMS,
  pickLanguage,
  problemOfFailure,
  problemPage,
  type Language,
  type PageContext,
  type PageProblem,
  type Site,
} from './pages/pages.ts'
import { noteProblem } from './problem.ts'
import { plainSecurityHeaders } from './security.ts'
import { userOfSession } from './session.ts'

/** What the pages of one request need. The reference on the page is the request id of the log. */
export function pageContext(site: Site, request: FastifyRequest): PageContext {
  return { ...site, language: pickLanguage(request.headers['accept-language']), referenceId: request.id }
}

/** `html` must be in the language that `pageContext` gives for the same request. */
export function sendPage(reply: FastifyReply, html: string, status = 200): FastifyReply {
  const language = pickLanguage(reply.request.headers['accept-language'])
  return reply
    .code(status)
    .type('text/html; charset=utf-8')
    .headers({ 'content-language': language, vary: 'Accept-Language' })
    .send(html)
}

/** Seconds after which a page that says "try again" may be requested again. */
const RETRY_AFTER_SECONDS = 30

export function sendProblemPage(
  site: Site,
  request: FastifyRequest,
  reply: FastifyReply,
  problem: PageProblem,
  { retryAfterSeconds = RETRY_AFTER_SECONDS, continueUrl }: { retryAfterSeconds?: number; continueUrl?: string } = {},
): FastifyReply {
  const { status } = PAGE_PROBLEMS[problem]
  const page = problemPage(pageContext(site, request), problem, continueUrl)
  if (status === 429 || status === 503) reply.header('retry-after', String(retryAfterSeconds))
  return sendPage(reply, page, status)
}

/** Stands for the reference in pages that are made when the process starts. */
const REFERENCE = '00000000-0000-0000-0000-000000000000'

/** Answers failures as pages: the public listener. A page shows nothing of the error but its place in a closed list. */
export function browserErrors(site: Site, { https }: { https: boolean }): ListenerErrors {
  const headers = {
    ...plainSecurityHeaders(https),
    'content-type': 'text/html; charset=utf-8',
    vary: 'Accept-Language',
  }
  const page = (language: Language, problem: PageProblem) =>
    problemPage({ ...site, language, referenceId: REFERENCE }, problem)
  const pages = (problem: PageProblem) => ofEachLanguage((language) => page(language, problem))
  const internalError = pages('internal_error')
  const invalidRequest = pages('invalid_request')
  return {
    answer(failure, request, reply) {
      const { detail, retryAfterSeconds } = failure.facts
      const problem = detail === 'plain_http' ? 'plain_http' : problemOfFailure(failure.code)
      noteProblem(request, failure.code)
      sendProblemPage(site, request, reply, problem, retryAfterSeconds === undefined ? {} : { retryAfterSeconds })
      const level = PAGE_PROBLEMS[problem].status >= 500 ? 'error' : 'info'
      request.log[level]({ code: failure.code, detail, user_id: userOfSession(request) }, 'page failed')
    },
    plain(code, _status, requestId, acceptLanguage) {
      const language = pickLanguage(acceptLanguage)
      const made = code === 'internal_error' ? internalError : invalidRequest
      return {
        headers: { ...headers, 'content-language': language },
        body: made[language].replaceAll(REFERENCE, requestId),
      }
    },
  }
}
