/**
 * pages owns what a person sees in the browser: templates, the one stylesheet and the policy
 * that goes with it. Data in, string out. It must not know Fastify, sessions, the database, Microsoft's client, the
 * environment or the clock: what a page shows, `now` included, is handed in.
 */
export {
  ACCOUNT_PATH,
  accountPage,
  CONFIRM_DISCONNECT_URL,
  CSRF_FIELD,
  DISCONNECT_PATH,
  DISCONNECTED_PATH,
  disconnectConfirmationPage,
  disconnectedPage,
  type AccountState,
} from './account.ts'
export { adminConsentPage, adminConsentResultPage } from './admin-consent.ts'
export { adminConsentUrlFor, forTenant, isOrganisation } from './context.ts'
export type { App, EntryUrls, PageContext, Site } from './context.ts'
export { inLanguage, LANGUAGES, languageOf, pickLanguage, type Language } from './language.ts'
export { problemPage } from './problem.ts'
export { isPageProblem, PAGE_PROBLEMS, problemOfFailure, type PageProblem } from './problem-list.ts'
export { continuePage, resultPage } from './result.ts'
export { contentSecurityPolicy } from './stylesheet.ts'
export { knownTimeZone } from './time.ts'
