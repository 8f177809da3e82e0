import { explainReason, verdictOfCode, type Explained } from '../../core/failure.ts'
import type { ConnectOutcome } from '../../core/ports.ts'
import { texts, type ExplainedText } from '../../texts/texts.ts'
import { fullAccount, maskedAccount } from './account-name.ts'
import type { PageContext } from './context.ts'
import { html, safeUrl, type Html } from './html.ts'
import { layout } from './layout.ts'
import { button, facts, link, list, notice } from './parts.ts'
import { problemOfFailure } from './problem-list.ts'
import { isFrozen, mayPass, stepsAndMessage, stepsFor, whoAndCure, wordsOf } from './reason.ts'
import { nextSteps } from './steps.ts'

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
${nextSteps(context, ['backToMegdocs'])}
<p>${t.result.notYou} ${link(context, 'openConnection', context.entryUrls.manage)}</p>`,
  )
}

function refusedPage(context: PageContext, outcome: ConnectOutcome): string {
  const t = texts[context.language]
  const reason = outcome.code === 'account_mismatch' ? 'other_account' : outcome.reason
  const why = reason === undefined ? undefined : explainReason(reason, verdictOfCode(outcome.code))
  const words = wordsFor(context, outcome, why)
  const steps =
    why === undefined
      ? stepsWithoutReason(context, outcome)
      : stepsAndMessage(context, stepsFor(why, 'result'), why, outcome.microsoft)
  return layout(
    context,
    words.title,
    html`${notice('bad', html`<h1>${words.title}</h1><p>${words.happened}</p>`, true)}
${reason === 'other_account' ? mismatch(context, outcome) : usedAccount(context, outcome)}
${
  reason === 'not_approved'
    ? readings(context)
    : html`<h2>${t.whatToDo}</h2><p>${why === undefined ? words.todo : todoOf(context, why, words)}</p>`
}
${reason === 'other_account' && list([t.result.useFirst, t.result.switchFirst])}
${why !== undefined && whoAndCure(context, why, 'result')}
${steps}`,
  )
}

/** A connect is not repeated without the user, so the words for a stored connection do not always hold. */
function todoOf(context: PageContext, why: Explained, words: ExplainedText): string {
  const { result } = texts[context.language]
  const own: Readonly<Record<string, string>> = result.todo
  // Nobody has to connect again: that holds for people who are connected.
  if (isFrozen(why)) return result.whilePaused
  if (Object.hasOwn(own, why.reason)) return own[why.reason] ?? words.todo
  if (why.whoActs === 'nobody') return result.tryLater
  return mayPass(why) ? result.retryOrSupport : words.todo
}

function wordsFor(context: PageContext, outcome: ConnectOutcome, why: Explained | undefined): ExplainedText {
  const t = texts[context.language]
  if (outcome.code === 'account_mismatch') return t.reasons.other_account
  if (why !== undefined) return wordsOf(context, why)
  if (outcome.code === undefined || outcome.code === 'connect_refused') return t.result.refused
  return t.problems[problemOfFailure(outcome.code)]
}

function stepsWithoutReason(context: PageContext, { code }: ConnectOutcome): Html {
  if (code === 'broker_misconfigured') return nextSteps(context, ['contactSupport'])
  return nextSteps(context, code === 'connect_session_expired' ? ['connectAgain'] : ['connectAgain', 'contactSupport'])
}

/** Microsoft reports all three in the same way, so the page names each (docs/microsoft.md#callback-errors). */
function readings(context: PageContext): Html {
  const { title, adminNeeded, requestSent, declined } = texts[context.language].result.readings
  return html`<h2>${title}</h2>
<ol>${[adminNeeded, requestSent, declined].map((one) => html`<li><h3>${one.title}</h3><p>${one.text}</p></li>`)}</ol>`
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
