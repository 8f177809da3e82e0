import type { Account } from '../../core/integration.ts'
import { fullAccount } from './account-name.ts'
import type { PageContext } from './context.ts'
import { html } from './html.ts'
import { layout } from './layout.ts'
import { actions, button, consentLinks, facts, list, notice } from './parts.ts'
import { ACCOUNT_PATH, CSRF_FIELD, DISCONNECT_PATH } from './paths.ts'
import { texts } from './texts.ts'

/** Asks before disconnecting; its form POSTs CSRF_FIELD to DISCONNECT_PATH. `account`: absent when not known. */
export function disconnectConfirmationPage(
  context: PageContext,
  input: { account?: Account; csrfToken: string },
): string {
  const t = texts[context.language]
  const { account, csrfToken } = input
  return layout(
    context,
    t.confirm.title,
    html`<h1>${t.confirm.title}</h1>
${account && facts([{ term: t.account.connected.account, detail: fullAccount(account) }])}
<h2>${t.confirm.endsTitle}</h2>${list(t.confirm.ends)}
<h2>${t.confirm.keepsTitle}</h2>${list([...t.confirm.keeps, [t.confirm.approval, consentLinks(context, account?.tenantId)]])}
<div class="actions"><form method="post" action="${DISCONNECT_PATH}"><input type="hidden" name="${CSRF_FIELD}" value="${csrfToken}">
<button class="button danger" type="submit">${t.confirm.yes}</button></form>${button(t.confirm.no, ACCOUNT_PATH, 'second')}</div>`,
  )
}

/** After disconnecting, also when there was nothing to disconnect (design 2.4). `tenantId`: of the account that was connected. */
export function disconnectedPage(context: PageContext, { tenantId }: { tenantId?: string } = {}): string {
  const t = texts[context.language]
  const { title, text, consent, again } = t.disconnected
  return layout(
    context,
    title,
    html`${notice('good', html`<h1>${title}</h1><p>${text}</p>`, true)}
<p>${consent}</p>${consentLinks(context, tenantId)}
<p>${again}</p>
${actions(context, button(t.connect, context.entryUrls.connect, 'second'))}`,
  )
}
