import type { Language } from './language.ts'

/** A permission with its English words: a row of PERMISSIONS in microsoft/scopes.ts. */
export interface MicrosoftPermission {
  scope: string
  words: string
}

/** Where MEGDocs begins a connect and opens the account page. From configuration, never from a browser. */
export interface EntryUrls {
  connect: string
  manage: string
}

/** The registration at Microsoft, as an administrator needs to know it. */
export interface App {
  name: string
  clientId: string
  /** Origin this service is reached at. */
  publicBaseUrl: string
  /** Exactly as registered. */
  redirectUri: string
  /** Absolute address of our page for administrators: it goes into mails. */
  adminConsentUrl: string
}

/** What is the same for every request of a deployment. */
export interface Site {
  entryUrls: EntryUrls
  app: App
  /** All that are asked for today, in the order to show. */
  permissions: readonly MicrosoftPermission[]
}

/** What every page gets. */
export interface PageContext extends Site {
  language: Language
  /** What ops search the log for. Shown on every page. */
  referenceId: string
}

/**
 * MEGDocs itself: the top of the site its account entry is on. Configuration names two entries only, and both lead back
 * here, so "Back to MEGDocs" needs an address of its own.
 */
export function homeUrl(entryUrls: EntryUrls): string {
  return URL.canParse('/', entryUrls.manage) ? new URL('/', entryUrls.manage).href : '/'
}
