import { isReason, type Explained, type MicrosoftError, type Reason } from '../../core/failure.ts'
import { FROZEN_REASONS } from '../../core/freeze.ts'
import { texts, type AdminReason, type ExplainedText } from '../../texts/texts.ts'
import { adminMessage } from './admin-message.ts'
import type { PageContext } from './context.ts'
import { html, type Html } from './html.ts'
import { facts } from './parts.ts'
import { contactShown, nextSteps, type Step } from './steps.ts'

/**
 * `account`: a stored connection, which a read tries again once the cause is removed (docs/design.md#verdicts).
 * `result`: a connect, which only the user repeats.
 */
export type Place = 'account' | 'result'

/** `writeMail`: the message to the administrator. */
type Offered = readonly (Step | 'writeMail')[]
type Steps = Readonly<Record<Place, Offered>>

const both = (...steps: Offered): Steps => ({ account: steps, result: steps })

/** Trouble of ours that may be over by the next attempt. */
const MAY_PASS: Steps = { account: ['backToMegdocs', 'contactSupport'], result: ['connectAgain', 'contactSupport'] }

/** Reasons whose next steps do not follow from who must act. The first is what most people should do. */
const STEPS: Partial<Record<Reason, Steps>> = {
  // Microsoft does not say whether the user declined or was not asked. Most organisations need the administrator
  // (docs/microsoft.md#callback-errors).
  not_approved: both('writeMail', 'connectAgain'),
  consent_required: both('connectAgain', 'writeMail'),
  // A connect was just refused on this device: another one helps, not this page.
  device_not_compliant: { account: ['writeMail', 'connectAgain'], result: ['writeMail'] },
  // In a connect, the wrong account was chosen, or the lock passes within minutes.
  account_not_found: { account: ['writeMail'], result: ['connectAgain', 'writeMail'] },
  account_locked: { account: ['backToMegdocs', 'writeMail'], result: ['connectAgain', 'writeMail'] },
  other_account: { account: ['backToMegdocs'], result: ['backToMegdocs', 'openConnection'] },
  other_cloud: both('contactSupport', 'connectAgain'),
  connect_in_progress: { account: [], result: ['openConnection'] },
  identity_unproven: MAY_PASS,
  microsoft_bad_answer: MAY_PASS,
  loop_detected: MAY_PASS,
  broker_trouble: MAY_PASS,
}

const BY_ACTOR: Readonly<Record<Explained['whoActs'], Steps>> = {
  user: both('connectAgain'),
  tenant_admin: both('writeMail'),
  ops: both('contactSupport'),
  nobody: { account: [], result: ['connectAgain'] },
}

export function stepsFor({ reason, whoActs }: Explained, place: Place): Offered {
  return ((isReason(reason) ? STEPS[reason] : undefined) ?? BY_ACTOR[whoActs])[place]
}

/** Whether a refused connect may succeed at the next attempt, although the fault is ours. */
export function mayPass({ reason }: Explained): boolean {
  return isReason(reason) && STEPS[reason] === MAY_PASS
}

/** The words for a reason. A reason of a newer release gets neutral words, by who must act. */
export function wordsOf(context: PageContext, { reason, whoActs }: Explained): ExplainedText {
  const t = texts[context.language]
  return isReason(reason) ? t.reasons[reason] : t.unknownReason[whoActs]
}

/**
 * Who can fix it, and what the user has to do after that. Nothing where the user can, or nobody has to: what to do says
 * it already.
 */
export function whoAndCure(context: PageContext, why: Explained, place: Place): Html | undefined {
  const { whoActs } = why
  if (whoActs !== 'tenant_admin' && whoActs !== 'ops') return undefined
  if (place === 'result' && stepsFor(why, place)[0] === 'connectAgain') return undefined
  const { cure, whoActs: term } = texts[context.language]
  // Without a reconnect: the words of a freeze say it already, and where a reconnect is offered it is not true.
  const recovers = isFrozen(why) || stepsFor(why, place).includes('connectAgain') ? undefined : cure.recovers
  const after = place === 'account' ? recovers : whoActs === 'tenant_admin' ? cure.afterAdmin : undefined
  return html`${after !== undefined && html`<p>${after}</p>`}${facts([{ term, detail: actor(context, whoActs) }])}`
}

/** Tokens are withheld (docs/design.md#freeze). */
export function isFrozen({ reason }: Explained): boolean {
  return Object.values<string>(FROZEN_REASONS).includes(reason)
}

/** With how to reach them, where we know it. */
export function actor(context: PageContext, who: 'tenant_admin' | 'ops'): Html {
  const { support } = context.people
  const contact = who === 'ops' && support !== undefined && html`: ${contactShown(context, support)}`
  return html`${texts[context.language].actors[who]}${contact}`
}

/**
 * The buttons, and the message to the administrator where the reason is one for them: above the other buttons if
 * sending it is what most people should do.
 */
export function stepsAndMessage(
  context: PageContext,
  offered: Offered,
  why: Explained | undefined,
  microsoft?: MicrosoftError,
): Html {
  const steps = offered.filter((step) => step !== 'writeMail')
  const isMain = offered[0] === 'writeMail'
  const reason = why?.reason ?? ''
  if (!offered.includes('writeMail') || !isForAdmin(context, reason)) return nextSteps(context, steps)
  const message = adminMessage(context, reason, isMain, microsoft)
  return isMain ? html`${message}\n${nextSteps(context, steps, true)}` : html`${nextSteps(context, steps)}\n${message}`
}

function isForAdmin(context: PageContext, reason: string): reason is AdminReason {
  return Object.hasOwn(texts[context.language].adminRequests, reason)
}
