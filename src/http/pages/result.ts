import { FROZEN_REASONS } from '../../core/freeze.ts'
import { explainReason, verdictOfCode, type Explained } from '../../core/failure.ts'
import type { ConnectOutcome } from '../../core/ports.ts'
import { fullAccount, maskedAccount } from './account-name.ts'
import type { PageContext } from './context.ts'
import { html, safeUrl, type Fragment, type Html } from './html.ts'
import { layout } from './layout.ts'
import { actions, button, facts, furtherActions, link, list, notice } from './parts.ts'
import { problemOfFailure } from './problem-list.ts'
import { adminFirst, adminMessageFor, cureOf, hasWayAround, mayPass, offersReconnect, wordsOf } from './reason.ts'
import { texts, type ExplainedText } from '../../texts/texts.ts'

// A connect ends the browser session. Disconnecting therefore starts at MEGDocs, which opens a new one for the account
// page.

/** How a connect ended: as which account, or what went wrong and what to do. */
export function resultPage(context: PageContext, outcome: ConnectOutcome): string {
  return outcome.result === 'refused' ? refusedPage(context, outcome) : connectedPage(context, outcome)
}

function connectedPage(context: PageContext, outcome: ConnectOutcome): string {
  const t = texts[context.language]
  const title = outcome.result === 'reconnected' ? t.result.reconnected : t.result.connected
  return layout(
    context,
    title,
    html`${notice(
      'good',
      html`<h1>${title}</h1>
${outcome.account && html`<p class="lead">${t.result.as} ${fullAccount(outcome.account)}</p>`}`,
      true,
    )}
<p>${t.result.next}</p>
${actions(context)}
<p>${t.result.notYou} ${link(context, 'disconnect', context.entryUrls.manage)}</p>`,
  )
}

function refusedPage(context: PageContext, outcome: ConnectOutcome): string {
  const t = texts[context.language]
  const reason = outcome.code === 'account_mismatch' ? 'other_account' : outcome.reason
  const why = reason === undefined ? undefined : explainReason(reason, verdictOfCode(outcome.code))
  const words = wordsFor(context, outcome, why)
  const passes = why?.whoActs === 'nobody'
  // The words of the reason say that nobody has to connect again, which holds for people who are connected.
  const isPaused = Object.values<string>(FROZEN_REASONS).includes(why?.reason ?? '')
  const todo = isPaused ? t.result.whilePaused : passes ? t.result.tryLater : words.todo
  const message = adminMessageFor(context, why, outcome.microsoft)
  const offered = offers(context, outcome, why)
  return layout(
    context,
    words.title,
    html`${notice('bad', html`<h1>${words.title}</h1><p>${words.happened}</p>`, true)}
${reason === 'other_account' ? mismatch(context, outcome) : usedAccount(context, outcome)}
${reason === 'not_approved' ? readings(context) : html`<h2>${t.whatToDo}</h2><p>${todo}</p>`}
${reason === 'other_account' && list([t.result.useFirst, t.result.switchFirst])}
${why !== undefined && whoAndCure(context, why)}
${adminFirst(why) ? [message, furtherActions(context, offered)] : [actions(context, offered), message]}`,
  )
}

function wordsFor(context: PageContext, outcome: ConnectOutcome, why: Explained | undefined): ExplainedText {
  const t = texts[context.language]
  if (outcome.code === 'account_mismatch') return t.reasons.other_account
  if (why !== undefined) return wordsOf(context, why)
  if (outcome.code === undefined || outcome.code === 'connect_refused') return t.result.refused
  return t.problems[problemOfFailure(outcome.code)]
}

/**
 * Connecting again only where the user can help, and after trouble that may pass, because a connect is not repeated
 * without the user.
 */
function offers(context: PageContext, outcome: ConnectOutcome, why: Explained | undefined): Fragment[] {
  const t = texts[context.language]
  const { connect, manage } = context.entryUrls
  if (why === undefined) return outcome.code === 'broker_misconfigured' ? [] : [button(context, 'tryAgain', connect)]
  if (mayPass(why)) return [button(context, 'tryAgain', connect)]
  if (hasWayAround(why.reason, 'result')) return [button(context, 'tryAgain', connect, 'second')]
  return [
    offersReconnect(why) && button(context, 'connect', connect),
    why.reason === 'other_account' && button(context, 'disconnect', manage, 'second'),
  ]
}

/** Two reasons have their own words for this: two readings, and two choices. */
function whoAndCure(context: PageContext, why: Explained): Html | undefined {
  if (why.reason === 'not_approved' || why.reason === 'other_account') return undefined
  const t = texts[context.language]
  const { who, cure } = cureOf(context, why, 'result')
  return html`<p>${cure}</p>${facts([{ term: t.whoActs, detail: who }])}`
}

/** Microsoft reports both in the same way, so the page names both (docs/microsoft.md#callback-errors). */
function readings(context: PageContext): Html {
  const { readings: title, declined, adminNeeded } = texts[context.language].result
  return html`<h2>${title}</h2>
<ol><li><h3>${declined.title}</h3><p>${declined.text}</p></li>
<li><h3>${adminNeeded.title}</h3><p>${adminNeeded.text}</p></li></ol>`
}

function usedAccount(context: PageContext, outcome: ConnectOutcome): Html | undefined {
  const shown = maskedAccount(outcome.account)
  return shown && facts([{ term: texts[context.language].result.usedAccount, detail: shown }])
}

function mismatch(context: PageContext, outcome: ConnectOutcome): Html {
  const t = texts[context.language].result
  const [before, now] = [maskedAccount(outcome.expectedAccount), maskedAccount(outcome.account)]
  return html`${facts([
    { term: t.pinned, detail: before },
    { term: t.chosen, detail: now },
  ])}
${before !== undefined && before.toString() === now?.toString() && html`<p>${t.lookAlike}</p>`}`
}

/**
 * A 200 page that sends the browser on to MEGDocs at once, with a link in case it does not: a redirect begun at
 * Microsoft's site would leave SameSite=Strict cookies behind (docs/design.md#completion).
 */
export function continuePage(context: PageContext, url: string): string {
  const t = texts[context.language].goingOn
  return layout(
    context,
    t.title,
    html`<h1>${t.title}</h1><p role="status">${t.text}</p>
<div class="actions">${button(context, 'continueToMegdocs', url)}</div>`,
    safeUrl(url),
  )
}
