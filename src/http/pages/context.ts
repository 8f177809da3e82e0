import type { Contact } from '../../core/contact.ts'
import { PERSONAL_TENANT } from '../../core/integration.ts'
import type { Language } from './language.ts'

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

/** Who stands behind MEGDocs, as far as it is configured. */
export interface People {
  support?: Contact
  publisher?: string
  publisherContact?: Contact
  privacyNoticeUrl?: string
}

/** What is the same for every request of a deployment. */
export interface Site {
  entryUrls: EntryUrls
  app: App
  people: People
  /** All that are asked for today, in the order to show: names of core/microsoft-permissions.ts. */
  permissions: readonly { scope: string }[]
  /** Microsoft's pages for people, of another cloud than the global one: a row of microsoft/clouds.ts. */
  cloud?: { adminCenterUrl: string; myAppsUrl?: string }
}

/** Microsoft's pages for people in the global cloud, which the texts name. */
export const GLOBAL_CLOUD = {
  adminCenterUrl: 'https://entra.microsoft.com',
  myAppsUrl: 'https://myapps.microsoft.com',
} as const

/** A text that names a page of the global cloud, with the name of the same page in this cloud. */
export function inCloud({ cloud = GLOBAL_CLOUD }: Pick<Site, 'cloud'>, text: string): string {
  const host = (url: string): string => new URL(url).host
  const { adminCenterUrl, myAppsUrl = GLOBAL_CLOUD.myAppsUrl } = cloud
  return text
    .replace(host(GLOBAL_CLOUD.adminCenterUrl), host(adminCenterUrl))
    .replace(host(GLOBAL_CLOUD.myAppsUrl), host(myAppsUrl))
}

/** What every page gets. */
export interface PageContext extends Site {
  language: Language
  /** Name of a time zone that Intl knows. */
  timeZone: string
  /** Address of this page without its language, for the switch: relative, or a path. */
  pageUrl: string
  /** What ops search the log for. Shown on every page. */
  referenceId: string
}

const GUID = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i
/** Whether a text is the id of a tenant that has administrators. */
export const isOrganisation = (tenantId: string): boolean =>
  GUID.test(tenantId) && tenantId.toLowerCase() !== PERSONAL_TENANT

/**
 * The page for administrators, of this organisation where it is known: Microsoft asks for its tenant id
 * (docs/microsoft.md#admin-consent). Personal accounts have no administrator.
 */
export function adminConsentUrlFor(adminConsentUrl: string, tenantId: string | undefined): string {
  if (tenantId === undefined || !isOrganisation(tenantId)) return adminConsentUrl
  return `${adminConsentUrl}${adminConsentUrl.includes('?') ? '&' : '?'}tenant=${tenantId.toLowerCase()}`
}

/** The same context, with links for the administrator of this organisation. */
export function forTenant(context: PageContext, tenantId: string | undefined): PageContext {
  return {
    ...context,
    app: { ...context.app, adminConsentUrl: adminConsentUrlFor(context.app.adminConsentUrl, tenantId) },
  }
}

/**
 * MEGDocs itself: the top of the site its account entry is on. Configuration names two entries only, and both lead back
 * here, so "Back to MEGDocs" needs an address of its own.
 */
export function homeUrl(entryUrls: EntryUrls): string {
  return URL.canParse('/', entryUrls.manage) ? new URL('/', entryUrls.manage).href : '/'
}
