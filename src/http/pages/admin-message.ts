import type { MicrosoftError } from '../../core/failure.ts'
import { isPermissionName } from '../../core/microsoft-permissions.ts'
import { texts, type AdminReason } from '../../texts/texts.ts'
import type { PageContext } from './context.ts'
import { html, type Html } from './html.ts'
import { button, link } from './parts.ts'

const APPROVALS: readonly AdminReason[] = ['not_approved', 'consent_required', 'admin_consent_required']

/** Some mail programs cut longer links. */
export const MAILTO_CHARACTERS = 1200

/** What Microsoft's support and an administrator search their logs for (docs/microsoft.md#errors), one line. */
function microsoftLine(microsoft: MicrosoftError): string | undefined {
  const { error, aadsts, correlationId, traceId, timestamp } = microsoft
  const facts = [
    aadsts === undefined ? error : undefined,
    aadsts === undefined ? undefined : `AADSTS${aadsts}`,
    correlationId && `Correlation ID ${correlationId}`,
    traceId && `Trace ID ${traceId}`,
    timestamp,
  ].filter((fact) => fact !== undefined && fact !== '')
  return facts.length === 0 ? undefined : facts.join(', ')
}

/** Subject and text, plain. It names no user: who sends it is the sender. */
export function adminMessageText(
  context: PageContext,
  reason: AdminReason,
  microsoft?: MicrosoftError,
): { subject: string; text: string } {
  const t = texts[context.language]
  const m = t.adminMessage
  const { app, people } = context
  const answer = microsoft && microsoftLine(microsoft)
  const { publisher, publisherContact } = people
  const contact = publisherContact === undefined ? [] : [`${m.contact}: ${publisherContact.value}`]
  const message = (from: readonly string[], known: readonly string[]): { subject: string; text: string } => ({
    subject: APPROVALS.includes(reason) ? m.approveSubject : m.helpSubject,
    text: [
      m.hello,
      '',
      `${m.want} ${t.adminRequests[reason]}`,
      '',
      m.explained,
      app.adminConsentUrl,
      '',
      `${m.app}: ${[app.name, ...from].join(', ')}, ID ${app.clientId}`,
      ...known,
      `${m.permissions}:`,
      ...context.permissions.map(({ scope }) => `- ${scope}${isPermissionName(scope) ? `: ${m.reach[scope]}` : ''}`),
      ...(answer === undefined ? [] : [`${m.microsoft}: ${answer}`]),
      `${m.reference}: ${context.referenceId}`,
      '',
      m.thanks,
    ].join('\n'),
  })
  // Long names stay on the page that the message leads to.
  const from = publisher === undefined ? [] : [publisher]
  const candidates = [message(from, contact), message(from, []), message([], [])] as const
  return candidates.find(({ subject, text }) => mailto(subject, text).length <= MAILTO_CHARACTERS) ?? candidates[2]
}

/**
 * RFC 6068: line breaks are CRLF, everything percent-encoded; no recipient, because we do not know the administrator.
 */
export function mailto(subject: string, text: string): string {
  const encode = (value: string): string => encodeURIComponent(value.toWellFormed()).replaceAll("'", '%27')
  return `mailto:?subject=${encode(subject)}&body=${encode(text.replaceAll('\n', '\r\n'))}`
}

/**
 * The message, ready to send and ready to copy. `isMain`: sending it is what most people on this page should do.
 * `reader`: an administrator who reads it has a button to the request already.
 */
export function adminMessage(
  context: PageContext,
  reason: AdminReason,
  isMain: boolean,
  microsoft?: MicrosoftError,
  reader: 'user' | 'administrator' = 'user',
): Html {
  const m = texts[context.language].adminMessage
  const { subject, text } = adminMessageText(context, reason, microsoft)
  return html`<section aria-labelledby="admin-message"><h2 id="admin-message">${m.title}</h2>
<p>${button(context, 'writeMail', mailto(subject, text), isMain ? '' : 'second')}</p>
<label for="admin-text">${m.copy}</label>
<textarea id="admin-text" rows="20" readonly spellcheck="false">${m.subject}: ${subject}

${text}</textarea>
${
  reader === 'user' &&
  APPROVALS.includes(reason) &&
  html`<p>${m.isAdmin} ${link(context, 'readRequest', context.app.adminConsentUrl)}</p>`
}</section>`
}
