import { isReason, type Explained, type MicrosoftError } from '../../core/failure.ts'
import { adminMessage } from './admin-message.ts'
import type { PageContext } from './context.ts'
import type { Html } from './html.ts'
import { texts, type AdminReason, type ExplainedText } from './texts.ts'

/** Whether a page offers to reconnect: if that can help, or if no reason is known. */
export function offersReconnect(why: Explained | undefined): boolean {
  return why === undefined || why.curable
}

/** The words for a reason. A reason of a newer release gets neutral words, by who must act. */
export function wordsOf(context: PageContext, { reason, whoActs }: Explained): ExplainedText {
  const t = texts[context.language]
  return isReason(reason) ? t.reasons[reason] : t.unknownReason[whoActs]
}

/** Who acts, and in words whether reconnecting cures it. */
export function cureOf(context: PageContext, { reason, whoActs, curable }: Explained): { who: string; cure: string } {
  const t = texts[context.language]
  if (mayNeedAdmin(reason)) return { who: t.userOrAdmin, cure: t.cure.maybe }
  const cure =
    whoActs === 'nobody'
      ? t.cure.notNeeded
      : !curable
        ? t.cure.no
        : whoActs === 'ops'
          ? t.cure.maybe
          : whoActs === 'tenant_admin'
            ? t.cure.afterAdmin
            : t.cure.yes
  return { who: t.actors[whoActs], cure }
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
