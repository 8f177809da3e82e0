import { isPermissionName } from '../../core/microsoft-permissions.ts'
import type { AdminConsentResult } from '../../core/microsoft-port.ts'
import { fill, texts, type ExplainedText } from '../../texts/texts.ts'
import { adminMessage } from './admin-message.ts'
import { inCloud, type PageContext } from './context.ts'
import { html, type Html } from './html.ts'
import { layout } from './layout.ts'
import { actions, button, facts, list, namedLink, notice, permissionList } from './parts.ts'
import { actor } from './reason.ts'
import { contactShown, nextSteps } from './steps.ts'

/**
 * For the administrator: who is asking, for what, how to limit and withdraw it. `startUrl` continues at Microsoft.
 */
export function adminConsentPage(context: PageContext, { startUrl }: { startUrl: string }): string {
  const { adminConsent: t } = texts[context.language]
  const { app } = context
  const steps = t.limitSteps.map((step) => inCloud(context, fill(step, { clientId: app.clientId })))
  return layout(
    context,
    t.title,
    html`<h1>${t.title}</h1><p class="lead">${t.lead}</p>
<div class="actions">${button(context, 'approve', startUrl)}</div><p class="quiet">${t.goHint}</p>
<h2>${t.who}</h2>${whoIsAsking(context)}<p>${t.check}</p>
<h2>${t.what}</h2>${permissionList(context)}
${list(context.permissions.flatMap(({ scope }) => reachOf(context, scope) ?? []))}
<p>${t.delegated}</p><p>${t.alsoAsks}</p><p>${t.stored}</p>
<h2>${t.approving}</h2><p>${t.approvingText}</p><p>${inCloud(context, t.requestWaiting)}</p>
<h2>${t.limit}</h2><ol>${steps.map((step) => html`<li>${step}</li>`)}</ol>
<h2>${t.revoke}</h2>${list(t.revokeSteps)}<p>${t.revokeNote}</p>
<div class="actions">${button(context, 'approve', startUrl, 'second')}</div><p class="quiet">${t.goHint}</p>`,
  )
}

/** Publisher, contact and privacy notice as far as they are configured. */
function whoIsAsking(context: PageContext): Html {
  const { adminConsent: t } = texts[context.language]
  const { app, people } = context
  const { publisher, publisherContact, privacyNoticeUrl } = people
  return facts([
    { term: t.app, detail: app.name },
    { term: t.clientId, detail: html`<code>${app.clientId}</code>` },
    { term: t.publisher, detail: publisher },
    { term: t.contact, detail: publisherContact && contactShown(context, publisherContact) },
    { term: t.privacy, detail: privacyNoticeUrl && namedLink(privacyNoticeUrl, privacyNoticeUrl) },
    { term: t.service, detail: app.publicBaseUrl },
    { term: t.redirectUri, detail: html`<code>${app.redirectUri}</code>` },
  ])
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
    const title = adminConsent.approvedTitle
    const text = fill(adminConsent.approvedText, { action: t.actions.connect })
    return layout(
      context,
      title,
      html`${notice('good', html`<h1>${title}</h1><p>${text}</p>`, true)}
<p>${adminConsent.close}</p>
${nextSteps(context, ['backToMegdocs'])}`,
    )
  }
  const { title, happened, todo } = refusedWords(context, result)
  const isAdmins = result.whoActs === 'tenant_admin'
  return layout(
    context,
    title,
    html`${notice('bad', html`<h1>${title}</h1><p>${happened}</p>`, true)}
<h2>${t.whatToDo}</h2><p>${todo}</p>
${isAdmins && html`<p>${adminConsent.forward}</p>`}
${result.whoActs === 'ops' && facts([{ term: t.whoActs, detail: actor(context, 'ops') }])}
${refusedSteps(context, result)}`,
  )
}

function refusedSteps(context: PageContext, { reason, whoActs, microsoft }: Refused): Html {
  if (whoActs === 'ops') return nextSteps(context, ['contactSupport'])
  // Whose right is missing writes to somebody who has it.
  const isMailMain = reason === 'admin_consent_required'
  const again = button(context, 'readRequest', context.app.adminConsentUrl, isMailMain ? 'second' : '')
  if (whoActs !== 'tenant_admin') return actions(context, true, again)
  // Anybody can write the address of this page: of Microsoft's answer only numbers, ids and the time are shown.
  const { error: _error, suberror: _suberror, ...numbers } = microsoft
  const message = adminMessage(context, 'admin_consent_required', isMailMain, numbers, 'administrator')
  return isMailMain
    ? html`${message}
${actions(context, true, again)}`
    : html`${actions(context, true, again)}
${message}`
}

/** AADSTS65004: the person who was asked declined. */
const DECLINED = 65_004

type Refused = Extract<AdminConsentResult, { approved: false }>

function refusedWords(context: PageContext, { reason, whoActs, microsoft }: Refused): ExplainedText {
  const { adminConsent: t, reasons } = texts[context.language]
  const { title, happened, todo } = reasons[reason]
  // Our own fault is not the administrator's decision.
  if (whoActs === 'ops') return { title: t.brokenTitle, happened, todo }
  if (whoActs === 'nobody') return { title, happened, todo: t.tryLater }
  const refused = (text: string): ExplainedText => ({ title: t.refusedTitle, happened: text, todo: t.refusedTodo })
  if (reason === 'admin_consent_required') return refused(t.noRightText)
  if (reason !== 'not_approved') return refused(`${title}. ${happened}`)
  const declined = microsoft.suberror === 'cancel' || microsoft.aadsts === DECLINED
  return declined ? { ...refused(t.declinedText), todo: t.declinedTodo } : refused(t.refusedText)
}
