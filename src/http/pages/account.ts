import { explainReason, type Explained, type Reason } from '../../core/failure.ts'
import { FROZEN_REASONS, type FrozenPerson } from '../../core/freeze.ts'
import { accountKind, type Account, type AccountKind, type IntegrationSummary } from '../../core/integration.ts'
import { texts } from '../../texts/texts.ts'
import { fullAccount } from './account-name.ts'
import { forTenant, type PageContext } from './context.ts'
import { html, type Html } from './html.ts'
import { layout } from './layout.ts'
import { atMicrosoft, button, consentLinks, excessList, facts, list, notice, permissionList, status } from './parts.ts'
import { actor, stepsAndMessage, stepsFor, whoAndCure, wordsOf } from './reason.ts'
import { nextSteps } from './steps.ts'
import { timeAgo } from './time.ts'

// The paths that these pages link to; the routes answer on the same constants.

/** GET: the account page. */
export const ACCOUNT_PATH = '/accounts/account/microsoft/'
/** GET: asks before disconnecting. */
export const CONFIRM_DISCONNECT_URL = `${ACCOUNT_PATH}?confirm=disconnect`
/** POST: disconnects. Field CSRF_FIELD carries the token. */
export const DISCONNECT_PATH = `${ACCOUNT_PATH}disconnect`
/** GET: the page after it. */
export const DISCONNECTED_PATH = `${ACCOUNT_PATH}disconnected`
export const CSRF_FIELD = 'csrf_token'

export interface AccountState {
  /** Absent: not connected. */
  summary?: IntegrationSummary
  /** Names of permissions configured today that the integration was not granted. */
  missingScopes: readonly string[]
  /** Names of permissions that the integration was granted, and that are not configured (any longer). */
  excessScopes?: readonly string[]
  /** An attempt that was sent to Microsoft and has not come back. `since` ISO 8601. */
  pending?: { since: string }
  /** Milliseconds since the epoch. */
  now: number
}

/**
 * What is connected, since when, whether it works, and how to change it (docs/design.md#pages). Never begins a connect.
 */
export function accountPage(context: PageContext, state: AccountState): string {
  const { account } = texts[context.language]
  const content = state.summary === undefined ? notConnected(context, state) : connected(context, state, state.summary)
  return layout(context, account.title, html`<h1>${account.title}</h1>\n${content}`)
}

function pendingNotice(context: PageContext, state: AccountState): Html | undefined {
  const { pending } = texts[context.language].account
  return (
    state.pending &&
    notice(
      'info',
      html`<h2>${pending.title}</h2><p>${pending.text}</p>
<p>${pending.since} ${timeAgo(state.pending.since, state.now, context)}</p>`,
    )
  )
}

function notConnected(context: PageContext, state: AccountState): Html {
  const t = texts[context.language]
  const { notConnected: words } = t.account
  const isPending = state.pending !== undefined
  const wayOn = nextSteps(context, ['connect'])
  return html`${isPending ? status('warn', t.status.notFinished) : status('info', t.status.notConnected)}
${isPending && [pendingNotice(context, state), wayOn]}
<p class="lead">${words.lead}</p>
<h2>${words.does}</h2>${list(words.points)}
<h2>${words.asks}</h2>${permissionList(context)}
${atMicrosoft(context)}
<p class="quiet">${words.alsoAsks}</p>
<p class="quiet">${words.adminHint}</p>
${!isPending && wayOn}`
}

function connected(context: PageContext, state: AccountState, summary: IntegrationSummary): Html {
  const { account } = texts[context.language]
  const { frozen } = summary
  const content =
    frozen !== undefined
      ? paused(context, state, summary, frozen)
      : summary.status === 'active'
        ? working(context, state, summary)
        : broken(context, state, summary)
  return html`${content}
<h2>${account.disconnectTitle}</h2><p>${account.disconnectText}</p>
<p>${button(context, 'disconnect', CONFIRM_DISCONNECT_URL, 'second')}</p>`
}

/** Tokens are withheld (docs/design.md#freeze). Connecting again does not help, so it is not offered. */
function paused(context: PageContext, state: AccountState, summary: IntegrationSummary, frozen: FrozenPerson): Html {
  const t = texts[context.language]
  const { title, happened, todo } = t.reasons[FROZEN_REASONS[frozen]]
  return html`${status('warn', t.status.paused)}
${notice('warn', html`<h2>${title}</h2><p>${happened}</p><p>${todo}</p><p>${t.whoActs} ${actor(context, 'ops')}</p>`)}
${details(context, state, summary)}
${nextSteps(context, ['contactSupport'])}`
}

/** Of an attempt that is under way nothing is said: the connection works, and it changes nothing before it is done. */
function working(context: PageContext, state: AccountState, summary: IntegrationSummary): Html {
  const t = texts[context.language]
  const { connected: words } = t.account
  const isMissing = state.missingScopes.length > 0
  return html`${status('good', t.status.connected)}
${passingNotice(context, summary)}
${isMissing && notice('warn', html`<h2>${words.missingTitle}</h2><p>${words.missingText}</p>`)}
${details(context, state, summary)}
<p class="quiet">${words.reconnectHint}</p>
${nextSteps(context, isMissing ? ['connectAgain'] : ['backToMegdocs', 'connectAgain'])}`
}

function broken(context: PageContext, state: AccountState, summary: IntegrationSummary): Html {
  const t = texts[context.language]
  const { attention } = t.account
  const why = explained(summary)
  const steps = stepsAndMessage(
    forTenant(context, summary.account?.tenantId),
    why === undefined ? ['connectAgain'] : stepsFor(why, 'account'),
    why,
    summary.failure?.microsoft,
  )
  return html`${status('bad', t.status.notWorking)}
${brokenNotice(context, state, summary)}
${pendingNotice(context, state)}
${steps}
<h2>${attention.details}</h2>${details(context, state, summary)}`
}

function explained({ failure }: IntegrationSummary): Explained | undefined {
  return failure === undefined ? undefined : explainReason(failure.reason, failure.verdict)
}

function details(context: PageContext, state: AccountState, summary: IntegrationSummary): Html {
  const {
    account: { connected: words },
    permission,
  } = texts[context.language]
  const { excessScopes: excess = [] } = state
  const tenantId = summary.account?.tenantId
  const ago = (at: string): Html => timeAgo(at, state.now, context)
  return facts([
    {
      term: words.account,
      detail: summary.account === undefined ? words.accountUnknown : fullAccount(summary.account),
    },
    { term: words.since, detail: ago(summary.connectedAt) },
    { term: words.refreshed, detail: ago(summary.refreshedAt) },
    { term: permission.list, detail: permissionList(context, state.missingScopes) },
    {
      term: permission.excess,
      detail:
        excess.length === 0 ? undefined : [excessList(context, excess), consentLinks(context, accountKind(tenantId))],
    },
  ])
}

/** The user may find at Microsoft that somebody withdrew the access. For other reasons there is nothing to see. */
const MAY_BE_WITHDRAWN: readonly Reason[] = ['access_revoked', 'consent_required', 'token_invalid']

/** Why it does not work, since when, what to do and who can. */
function brokenNotice(context: PageContext, state: AccountState, summary: IntegrationSummary): Html {
  const t = texts[context.language]
  const { attention } = t.account
  const why = explained(summary)
  const words = why === undefined ? attention : wordsOf(context, why)
  const at = summary.failure?.at
  const mayBeWithdrawn = MAY_BE_WITHDRAWN.some((reason) => reason === why?.reason)
  return notice(
    'bad',
    html`<h2>${words.title}</h2><p>${words.happened}</p>
<p><strong>${t.whatToDo}:</strong> ${words.todo}</p>
${why !== undefined && whoAndCure(context, why, 'account')}
${at !== undefined && html`<p><strong>${attention.since}:</strong> ${timeAgo(at, state.now, context)}</p>`}
${mayBeWithdrawn && html`<p>${attention.withdrawn}</p>${consentLinks(context, accountKind(summary.account?.tenantId))}`}`,
  )
}

/** The integration works, but its last refresh failed for a reason that the user did not cause. */
function passingNotice(context: PageContext, summary: IntegrationSummary): Html | undefined {
  const t = texts[context.language]
  const why = explained(summary)
  if (why === undefined) return undefined
  const words = wordsOf(context, why)
  const todo = why.whoActs === 'ops' ? words.todo : t.account.attention.passingTodo
  return notice(
    'info',
    html`<h2>${words.title}</h2><p>${words.happened} ${t.account.attention.passing}</p><p>${todo}</p>`,
  )
}

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
<h2>${t.confirm.keepsTitle}</h2>
${list([...t.confirm.keeps, [t.confirm.approval, consentLinks(context, accountKind(account?.tenantId))]])}
<div class="actions"><form method="post" action="${DISCONNECT_PATH}">
<input type="hidden" name="${CSRF_FIELD}" value="${csrfToken}">
<button class="button danger" type="submit">${t.actions.disconnectNow}</button></form>
${button(context, 'stayConnected', ACCOUNT_PATH, 'second')}</div>`,
  )
}

/** After disconnecting, also if nothing was connected (docs/design.md#disconnect). `kind`: of the account. */
export function disconnectedPage(context: PageContext, { kind }: { kind: AccountKind }): string {
  const t = texts[context.language]
  const { title, text, consent, again } = t.disconnected
  return layout(
    context,
    title,
    html`${notice('good', html`<h1>${title}</h1><p>${text}</p>`, true)}
<p>${consent}</p>${consentLinks(context, kind)}
<p>${again}</p>
${nextSteps(context, ['backToMegdocs', 'connectAgain'])}`,
  )
}
