import type { FailureCode } from '../../core/failure.ts'
import type { PageProblem } from '../../texts/texts.ts'
import type { Step } from './steps.ts'

export type { PageProblem }

export interface ProblemTraits {
  status: number
  steps: readonly Step[]
  calm?: true
}

/**
 * Why: the closed list of problem pages, with the HTTP status to answer and the next steps (steps.ts). None: only
 * MEGDocs itself, because starting again would end in the same problem. `calm`: most who see it have done what they
 * wanted, so it is no alert.
 */
export const PAGE_PROBLEMS = {
  link_expired: { status: 410, steps: ['connect'] },
  /** Most have connected with it before, and came back by the history. */
  link_used: { status: 410, steps: ['openConnection', 'connect'], calm: true },
  link_foreign: { status: 403, steps: ['connect'] },
  /** A link of another user, while a sign-in is under way in this browser: the page offers to continue with it. */
  other_sign_in: { status: 409, steps: [] },
  /** The page that says how a connect ended. */
  result_gone: { status: 410, steps: ['openConnection', 'connect'], calm: true },
  /** The callback's state is missing, repeated, used, too late or of another browser: all the same to the user. */
  sign_in_unmatched: { status: 400, steps: ['openConnection', 'connect'], calm: true },
  cookies_blocked: { status: 400, steps: ['connect'] },
  /** A form of the account page whose session has ended, most often by that very form: a reload, a double click. */
  session_over: { status: 410, steps: ['openConnection'], calm: true },
  no_session: { status: 403, steps: ['openConnection'] },
  /** The CSRF token of a form did not fit. */
  form_expired: { status: 403, steps: ['openConnection'] },
  microsoft_unavailable: { status: 503, steps: ['connect'] },
  broker_misconfigured: { status: 503, steps: ['contactSupport'] },
  service_unavailable: { status: 503, steps: [] },
  plain_http: { status: 400, steps: ['backToMegdocs', 'contactSupport'] },
  invalid_request: { status: 400, steps: [] },
  /** Request line and headers, cookies of MEGDocs included. */
  request_too_large: { status: 431, steps: [] },
  not_found: { status: 404, steps: [] },
  too_many_requests: { status: 429, steps: [] },
  internal_error: { status: 500, steps: ['backToMegdocs', 'contactSupport'] },
} as const satisfies Record<PageProblem, ProblemTraits>

export const isPageProblem = (name: unknown): name is PageProblem =>
  typeof name === 'string' && Object.hasOwn(PAGE_PROBLEMS, name)

const PAGE_OF_CODE: ReadonlyMap<string, PageProblem> = new Map<FailureCode, PageProblem>([
  ['connect_session_expired', 'link_expired'],
  ['microsoft_unavailable', 'microsoft_unavailable'],
  ['broker_misconfigured', 'broker_misconfigured'],
  ['database_unavailable', 'service_unavailable'],
  ['rate_limited', 'too_many_requests'],
  ['invalid_request', 'invalid_request'],
  ['not_found', 'not_found'],
])

/**
 * The page for a failure on a browser route. Codes that no browser route raises, and unknown ones, are an error of
 * ours.
 */
export function problemOfFailure(code: string): PageProblem {
  return PAGE_OF_CODE.get(code) ?? 'internal_error'
}
