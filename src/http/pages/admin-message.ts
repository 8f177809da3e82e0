import type { MicrosoftError } from '../../core/failure.ts'
import type { PageContext } from './context.ts'
import { html, type Html } from './html.ts'
import { button, link, permissionWords } from './parts.ts'
import { texts, type AdminReason } from '../../texts/texts.ts'

const APPROVALS: readonly AdminReason[] = ['not_approved', 'consent_required', 'admin_consent_required']

/** What Microsoft's support and an administrator search their logs for (docs/microsoft.md#errors), one line. */
function microsoftLine(microsoft: MicrosoftError): string | undefined {
  const { error, aadsts, correlationId, traceId, timestamp } = microsoft
  const facts = [
    error,
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
  const answer = microsoft && microsoftLine(microsoft)
  const lines = [
    m.hello,
    '',
    `${m.want} ${t.adminRequests[reason]}`,
    '',
    m.explained,
    context.app.adminConsentUrl,
    '',
    `${m.app}: ${context.app.name}`,
    `${m.clientId}: ${context.app.clientId}`,
    `${m.permissions}:`,
    ...context.permissions.map(({ scope }) => `- ${scope}: ${permissionWords(context, scope) ?? ''}`),
    ...(answer === undefined ? [] : [`${m.microsoft}: ${answer}`]),
    `${m.reference}: ${context.referenceId}`,
    '',
    m.thanks,
  ]
  return { subject: APPROVALS.includes(reason) ? m.approveSubject : m.helpSubject, text: lines.join('\n') }
}

/**
 * RFC 6068: line breaks are CRLF, everything percent-encoded; no recipient, because we do not know the administrator.
 */
export function mailto(subject: string, text: string): string {
  const encode = (value: string): string => encodeURIComponent(value.toWellFormed()).replaceAll("'", '%27')
  return `mailto:?subject=${encode(subject)}&body=${encode(text.replaceAll('\n', '\r\n'))}`
}

/** The message, ready to send and ready to copy. `meant`: the page asks the user to send it. */
export function adminMessage(
  context: PageContext,
  reason: AdminReason,
  meant: boolean,
  microsoft?: MicrosoftError,
): Html {
  const m = texts[context.language].adminMessage
  const { subject, text } = adminMessageText(context, reason, microsoft)
  return html`<section aria-labelledby="admin-message"><h2 id="admin-message">${m.title}</h2>
<p>${button(context, 'writeMail', mailto(subject, text), meant ? '' : 'second')}</p>
<label for="admin-text">${m.copy}</label>
<textarea id="admin-text" rows="18" readonly spellcheck="false">${text}</textarea>
${APPROVALS.includes(reason) && html`<p>${m.isAdmin} ${link(context, 'readRequest', context.app.adminConsentUrl)}</p>`}</section>`
}
