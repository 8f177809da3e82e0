import type { PageContext } from './context.ts'
import { html } from './html.ts'
import { layout } from './layout.ts'
import { actions, button, facts, list, notice, permissionList } from './parts.ts'
import { texts } from './texts.ts'

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
<p>${t.delegated}</p><p>${t.alsoAsks}</p><p>${t.stored}</p>
<h2>${t.approving}</h2><p>${t.approvingText}</p>
<h2>${t.limit}</h2><ol>${t.limitSteps.map((step) => html`<li>${step}</li>`)}</ol>
<h2>${t.revoke}</h2>${list(t.revokeSteps)}<p>${t.revokeNote}</p>
<div class="actions">${button(t.go, startUrl)}</div><p class="quiet">${t.goHint}</p>`,
  )
}

/**
 * After the administrator came back. The tenant in Microsoft's answer decides nothing and is not shown
 * (docs/microsoft.md#admin-consent).
 */
export function adminConsentResultPage(context: PageContext, { approved }: { approved: boolean }): string {
  const { adminConsent: t } = texts[context.language]
  if (approved) {
    return layout(
      context,
      t.approvedTitle,
      html`${notice('good', html`<h1>${t.approvedTitle}</h1><p>${t.approvedText}</p>`, true)}
${actions(context)}`,
    )
  }
  return layout(
    context,
    t.refusedTitle,
    html`${notice('bad', html`<h1>${t.refusedTitle}</h1><p>${t.refusedText}</p>`, true)}
<p>${t.refusedTodo}</p>
${actions(context, button(t.again, context.app.adminConsentUrl))}`,
  )
}
