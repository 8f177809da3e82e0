import { REASONS, type Reason } from '../../../src/core/failure.ts'
import type { Contact } from '../../../src/core/contact.ts'
import type { Account, IntegrationSummary } from '../../../src/core/integration.ts'
import type { AdminConsentResult } from '../../../src/core/microsoft-port.ts'
import type { ConnectOutcome } from '../../../src/core/ports.ts'
import {
  accountPage,
  adminConsentPage,
  adminConsentResultPage,
  disconnectConfirmationPage,
  disconnectedPage,
  continuePage,
  PAGE_PROBLEMS,
  problemPage,
  resultPage,
  type Language,
  type PageContext,
  type PageProblem,
} from '../../../src/http/pages/pages.ts'

// Every page in every state, made from one bag of values, so that tests can replace each string by a hostile one.

export const NOW = Date.parse('2026-11-22T10:00:00Z')
export const REASON_NAMES = Object.keys(REASONS) as Reason[]
export const PROBLEM_NAMES = Object.keys(PAGE_PROBLEMS) as PageProblem[]

/** Every string that reaches a page from outside it. */
export const values = {
  connect: 'https://audits.example.com/integrations/microsoft/connect/',
  manage: 'https://audits.example.com/integrations/microsoft/',
  appName: 'MEGDocs',
  clientId: '6731de76-14a6-49ae-97bc-6eba6914391e',
  publicBaseUrl: 'https://audits.example.com',
  redirectUri: 'https://audits.example.com/auth/oauth2/microsoft/callback',
  adminConsentUrl: 'https://audits.example.com/auth/oauth2/microsoft/admin-consent',
  startUrl: '/auth/oauth2/microsoft/admin-consent/start',
  goingTo: 'https://audits.example.com/integrations/microsoft/done?connect_session=cs_1',
  scope: 'Files.ReadWrite.All',
  missing: 'Files.ReadWrite.All',
  referenceId: '01JDA7Q4T2M9',
  csrfToken: 'hW2m0yq7',
  support: 'support@megsupportools.com',
  publisher: 'MEG Support Tools Ltd',
  publisherContact: 'https://megsupportools.com/contact',
  privacyNoticeUrl: 'https://megsupportools.com/privacy',
  username: 'jane.doe@contoso.com',
  displayName: 'Jane Doe',
  otherUsername: 'j.smith@fabrikam.example',
  tenantId: '72f988bf-86f1-41af-91ab-2d7cd011db47',
  objectId: '5f0c9c1e-3b5e-4a0a-9a5e-1c9d1c9d1c9d',
  error: 'invalid_grant',
  suberror: 'consent_required',
  traceId: '0b5d8e59-8f7a-4c24-9b8c-0d8a1c5d2a00',
  correlationId: 'ff2b3a3c-3d2a-4b1c-8f1d-7f4f0e3f2b11',
  timestamp: '2026-11-22 09:58:10Z',
}
export type Values = typeof values

export function contextOf(
  language: Language,
  v: Values = values,
  support: Contact | undefined = { kind: 'mail', value: v.support },
): PageContext {
  return {
    language,
    timeZone: 'Europe/Berlin',
    pageUrl: '?',
    referenceId: v.referenceId,
    entryUrls: { connect: v.connect, manage: v.manage },
    app: {
      name: v.appName,
      clientId: v.clientId,
      publicBaseUrl: v.publicBaseUrl,
      redirectUri: v.redirectUri,
      adminConsentUrl: v.adminConsentUrl,
    },
    people: {
      ...(support === undefined ? {} : { support }),
      publisher: v.publisher,
      publisherContact: { kind: 'page', value: v.publisherContact },
      privacyNoticeUrl: v.privacyNoticeUrl,
    },
    permissions: [{ scope: 'User.Read' }, { scope: v.scope }],
  }
}

export function accountOf(v: Values = values): Account {
  return { tenantId: v.tenantId, objectId: v.objectId, username: v.username, displayName: v.displayName }
}

export function summaryOf(v: Values = values): IntegrationSummary {
  return {
    id: 'i1',
    userId: '42',
    status: 'active',
    generation: 7,
    scopes: ['Files.ReadWrite.All', 'User.Read'],
    account: accountOf(v),
    connectedAt: '2026-08-03T07:30:00Z',
    refreshedAt: '2026-11-22T09:57:00Z',
    accessTokenExpiresAt: '2026-11-22T10:57:00Z',
  }
}

export function microsoftOf(v: Values = values): NonNullable<ConnectOutcome['microsoft']> {
  return {
    status: 400,
    error: v.error,
    suberror: v.suberror,
    aadsts: 65001,
    traceId: v.traceId,
    correlationId: v.correlationId,
    timestamp: v.timestamp,
  }
}

/** Needs attention for this reason. */
export function brokenOf(reason: Reason, v: Values = values): IntegrationSummary {
  const failure = {
    verdict: 'reconnect' as const,
    reason,
    final: false,
    microsoft: microsoftOf(v),
    at: '2026-11-20T08:00:00Z',
  }
  return { ...summaryOf(v), status: 'reconnect_required', failure }
}

export function refusedOf(reason: Reason, v: Values = values): ConnectOutcome {
  return { result: 'refused', reason, code: 'connect_refused', account: accountOf(v), microsoft: microsoftOf(v) }
}

type AdminConsentRefusal = Extract<AdminConsentResult, { approved: false }>
const refusal = (
  reason: Reason,
  whoActs: AdminConsentRefusal['whoActs'],
  microsoft: AdminConsentRefusal['microsoft'] = {},
): AdminConsentRefusal => ({ approved: false, reason, whoActs, microsoft })
/** How an administrator's visit to Microsoft may end without an approval, by who must act. */
export const ADMIN_CONSENT_REFUSALS = {
  refused: refusal('not_approved', 'tenant_admin', { aadsts: 1 }),
  'refused-declined': refusal('not_approved', 'tenant_admin', { suberror: 'cancel' }),
  'refused-no-right': refusal('admin_consent_required', 'tenant_admin', { aadsts: 90094 }),
  'refused-wrong-account': refusal('account_not_found', 'tenant_admin', { aadsts: 50020 }),
  'refused-personal-account': refusal('account_type_not_allowed', 'tenant_admin'),
  'refused-broken': refusal('app_registration', 'ops', { aadsts: 1003031 }),
  'refused-credential': refusal('client_credential', 'ops', { aadsts: 7000215 }),
  'refused-trouble': refusal('microsoft_error', 'nobody'),
}

/** Name → HTML of every page in every state. */
export function allPages(language: Language, v: Values = values): Record<string, string> {
  const context = contextOf(language, v)
  const mismatch: ConnectOutcome = {
    ...refusedOf('other_account', v),
    code: 'account_mismatch',
    expectedAccount: { ...accountOf(v), username: v.otherUsername },
  }
  const state = { missingScopes: [], now: NOW }
  const summary = summaryOf(v)
  const { account: _, ...anonymous } = summary
  const pending = { since: '2026-11-22T09:48:00Z' }
  const passing = {
    verdict: 'try_later' as const,
    reason: 'microsoft_error' as const,
    final: false,
    microsoft: microsoftOf(v),
  }
  const pages: Record<string, string> = {
    'account-not-connected': accountPage(context, state),
    'account-pending': accountPage(context, { ...state, pending }),
    'account-connected': accountPage(context, { ...state, summary }),
    'account-connected-pending': accountPage(context, { ...state, summary, pending }),
    'account-connected-missing': accountPage(context, { ...state, summary, missingScopes: [v.missing] }),
    'account-connected-passing': accountPage(context, { ...state, summary: { ...summary, failure: passing } }),
    'account-imported': accountPage(context, { ...state, summary: anonymous }),
    'account-attention-unknown': accountPage(context, {
      ...state,
      summary: { ...summary, status: 'reconnect_required' },
    }),
    'disconnect-confirm': disconnectConfirmationPage(context, { account: accountOf(v), csrfToken: v.csrfToken }),
    disconnected: disconnectedPage(context, { kind: 'work' }),
    'disconnected-unknown': disconnectedPage(context, { kind: 'unknown' }),
    'result-connected': resultPage(context, { result: 'connected', account: accountOf(v) }),
    'result-reconnected': resultPage(context, { result: 'reconnected', account: accountOf(v) }),
    'result-mismatch': resultPage(context, mismatch),
    'result-refused-unknown': resultPage(context, { result: 'refused' }),
    'result-expired': resultPage(context, { result: 'refused', code: 'connect_session_expired' }),
    'result-misconfigured': resultPage(context, { result: 'refused', code: 'broker_misconfigured' }),
    'going-on': continuePage(context, v.goingTo),
    'admin-consent': adminConsentPage(context, { startUrl: v.startUrl }),
    'admin-consent-approved': adminConsentResultPage(context, { approved: true }),
  }
  for (const [name, result] of Object.entries(ADMIN_CONSENT_REFUSALS))
    pages[`admin-consent-${name}`] = adminConsentResultPage(context, {
      ...result,
      microsoft: { ...microsoftOf(v), ...result.microsoft },
    })
  for (const problem of PROBLEM_NAMES) pages[`problem-${problem}`] = problemPage(context, problem)
  pages['problem-other_sign_in-own-link'] = problemPage(context, 'other_sign_in', v.startUrl)
  for (const reason of REASON_NAMES) {
    pages[`attention-${reason}`] = accountPage(context, { ...state, summary: brokenOf(reason, v) })
    pages[`result-${reason}`] = resultPage(context, refusedOf(reason, v))
  }
  return pages
}
