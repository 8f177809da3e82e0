import { isPermissionName } from '../../core/microsoft-permissions.ts'
import type { AdminConsentResult } from '../../core/microsoft-port.ts'
import { adminMessage } from './admin-message.ts'
import { inCloud, type PageContext } from './context.ts'
import { html, type Html } from './html.ts'
import { layout } from './layout.ts'
import { actions, button, facts, furtherActions, list, notice, permissionList } from './parts.ts'
import { texts, type ExplainedText } from '../../texts/texts.ts'

/**
 * For the administrator: who asks, for what, how to limit and revoke it. `startUrl` continues at Microsoft.
 */
export function adminConsentPage(context: PageContext, { startUrl }: { startUrl: string }): string {
  const { adminConsent: t } = texts[context.language]
  const { app } = context
  return layout(
    context,
    t.title,
    html`<h1>${t.title}</h1><p class="lead">${t.lead}</p>
<h2>${t.who}</h2>${facts([
      { term: t.app, detail: app.name },
      { term: t.clientId, detail: html`<code>${app.clientId}</code>` },
      { term: t.service, detail: app.publicBaseUrl },
      { term: t.answersTo, detail: html`<code>${app.redirectUri}</code>` },
    ])}
<h2>${t.what}</h2>${permissionList(context)}
${list(context.permissions.flatMap(({ scope }) => reachOf(context, scope) ?? []))}
<p>${t.delegated}</p><p>${t.alsoAsks}</p><p>${t.stored}</p>
<h2>${t.approving}</h2><p>${t.approvingText}</p>
<h2>${t.limit}</h2><ol>${t.limitSteps.map((step) => html`<li>${inCloud(context, step)}</li>`)}</ol>
<h2>${t.revoke}</h2>${list(t.revokeSteps)}<p>${t.revokeNote}</p>
<div class="actions">${button(context, 'approve', startUrl)}</div><p class="quiet">${t.goHint}</p>`,
  )
}

/** What a permission can reach, for somebody who compares it with Microsoft's own words. */
function reachOf(context: PageContext, scope: string): Html | undefined {
  const { reach } = texts[context.language].adminConsent
  return isPermissionName(scope) ? html`<code>${scope}</code>: ${reach[scope]}` : undefined
}

/**
 * After the administrator came back: whether it is approved, and if not, who can act. The tenant in Microsoft's answer
 * decides nothing and is not shown (docs/microsoft.md#admin-consent).
 */
export function adminConsentResultPage(context: PageContext, result: AdminConsentResult): string {
  const t = texts[context.language]
  const { adminConsent } = t
  if (result.approved) {
    const { approvedTitle: title, approvedText } = adminConsent
    return layout(
      context,
      title,
      html`${notice('good', html`<h1>${title}</h1><p>${approvedText}</p>`, true)}
${actions(context)}`,
    )
  }
  const { title, happened, todo } = refusedWords(context, result)
  const isAdmins = result.whoActs === 'tenant_admin'
  // Whose right is missing writes to somebody who has it.
  const mailFirst = result.reason === 'admin_consent_required'
  // Anybody can write the address of this page: of Microsoft's answer only numbers, ids and the time are shown.
  const { error: _error, suberror: _suberror, ...numbers } = result.microsoft
  const message = isAdmins && adminMessage(context, 'admin_consent_required', mailFirst, numbers)
  const again = button(context, 'readRequest', context.app.adminConsentUrl, mailFirst ? 'second' : '')
  const steps = mailFirst
    ? [message, furtherActions(context, again)]
    : [actions(context, result.whoActs !== 'ops' && again), message]
  return layout(
    context,
    title,
    html`${notice('bad', html`<h1>${title}</h1><p>${happened}</p>`, true)}
<h2>${t.whatToDo}</h2><p>${todo}</p>
${isAdmins && html`<p>${adminConsent.forward}</p>`}
${facts([{ term: t.whoActs, detail: t.actors[result.whoActs] }])}
${steps}`,
  )
}

/** AADSTS65004: the person who was asked declined. */
const DECLINED = 65_004

type Refused = Extract<AdminConsentResult, { approved: false }>

function refusedWords(context: PageContext, { reason, whoActs, microsoft }: Refused): ExplainedText {
  const { adminConsent: t, reasons, result } = texts[context.language]
  const { title, happened, todo } = reasons[reason]
  // Our own fault is not the administrator's decision.
  if (whoActs === 'ops') return { title: t.brokenTitle, happened, todo }
  if (whoActs === 'nobody') return { title, happened, todo: result.tryLater }
  const refused = (text: string): ExplainedText => ({ title: t.refusedTitle, happened: text, todo: t.refusedTodo })
  if (reason === 'admin_consent_required') return refused(t.noRightText)
  if (reason !== 'not_approved') return refused(`${title}. ${happened}`)
  const declined = microsoft.suberror === 'cancel' || microsoft.aadsts === DECLINED
  return refused(declined ? t.declinedText : t.refusedText)
}
