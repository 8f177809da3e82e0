/**
 * pages owns what a person sees in the browser: templates, texts in both languages, the one stylesheet and the policy that goes
 * with it. Data in, string out. It must not know Fastify, sessions, the database, Microsoft's client, the environment or the
 * clock: what a page shows, `now` included, is handed in.
 */
export { accountPage, type AccountState } from './account.ts'
export { adminConsentPage, adminConsentResultPage } from './admin-consent.ts'
export type { App, EntryUrls, PageContext, MicrosoftPermission, Site } from './context.ts'
export { disconnectConfirmationPage, disconnectedPage } from './disconnect.ts'
export { continuePage } from './continue-page.ts'
export { LANGUAGES, pickLanguage, type Language } from './language.ts'
export { ACCOUNT_PATH, CONFIRM_DISCONNECT_URL, CSRF_FIELD, DISCONNECT_PATH } from './paths.ts'
export { problemPage } from './problem.ts'
export { PAGE_PROBLEMS, PROBLEM_OF_FAILURE, type PageProblem } from './problem-list.ts'
export { resultPage } from './result.ts'
export { contentSecurityPolicy } from './stylesheet.ts'
