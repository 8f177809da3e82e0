import { isReason, type Explained, type MicrosoftError, type Reason } from '../../core/failure.ts'
import { adminMessage } from './admin-message.ts'
import type { PageContext } from './context.ts'
import type { Html } from './html.ts'
import { texts, type AdminReason, type ExplainedText } from '../../texts/texts.ts'

/** Only the user's own help is "connect again": `whoActs` decides (docs/design.md#failures). */
export function offersReconnect(why: Explained | undefined): boolean {
  return why === undefined || why.whoActs === 'user'
}

/** Trouble of ours that may be over by the next attempt. */
const MAY_PASS: readonly Reason[] = ['identity_unproven', 'microsoft_bad_answer', 'loop_detected', 'broker_trouble']

/** Whether a connect that ended like this may succeed later without anybody's help. Nobody but the user repeats it. */
export function mayPass({ reason, whoActs }: Explained): boolean {
  return whoActs === 'nobody' || MAY_PASS.some((one) => one === reason)
}

/** An administrator must act, unless the user signs in on another device or, in a connect, with another account. */
export function hasWayAround(reason: string | undefined, place: 'account' | 'result'): boolean {
  return reason === 'device_not_compliant' || (reason === 'account_not_found' && place === 'result')
}

/** The words for a reason. A reason of a newer release gets neutral words, by who must act. */
export function wordsOf(context: PageContext, { reason, whoActs }: Explained): ExplainedText {
  const t = texts[context.language]
  return isReason(reason) ? t.reasons[reason] : t.unknownReason[whoActs]
}

/**
 * Who acts, and in words what follows. `account`: a stored connection, which a read tries again once the cause is
 * removed (docs/design.md#verdicts). `result`: a connect, which only the user repeats.
 */
export function cureOf(
  context: PageContext,
  why: Explained,
  place: 'account' | 'result',
): { who: string; cure: string } {
  const t = texts[context.language]
  if (mayNeedAdmin(why.reason)) return { who: t.userOrAdmin, cure: t.cure.maybe }
  return { who: t.actors[why.whoActs], cure: t.cure[cureName(why, place)] }
}

function cureName(why: Explained, place: 'account' | 'result'): keyof (typeof texts)['en']['cure'] {
  if (why.whoActs === 'user') return 'yes'
  if (place === 'account') return why.whoActs === 'nobody' ? 'notNeeded' : 'recovers'
  if (why.whoActs === 'tenant_admin') return 'afterAdmin'
  if (why.whoActs === 'nobody') return 'later'
  return mayPass(why) ? 'maybe' : 'no'
}

/**
 * Microsoft does not say whether the user or only an administrator could have approved
 * (docs/microsoft.md#callback-errors).
 */
function mayNeedAdmin(reason: string): boolean {
  return reason === 'not_approved' || reason === 'consent_required'
}

/** Whether the user should write to the administrator, instead of trying again at Microsoft. */
export function adminFirst(why: Explained | undefined): boolean {
  return why?.whoActs === 'tenant_admin'
}

/** The message for the administrator, if the reason is one for them. */
export function adminMessageFor(context: PageContext, why?: Explained, microsoft?: MicrosoftError): Html | undefined {
  return why !== undefined && isForAdmin(context, why.reason)
    ? adminMessage(context, why.reason, adminFirst(why), microsoft)
    : undefined
}

function isForAdmin(context: PageContext, reason: string): reason is AdminReason {
  return Object.hasOwn(texts[context.language].adminRequests, reason)
}
