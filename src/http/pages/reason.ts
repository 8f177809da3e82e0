import { REASONS, type Actor, type MicrosoftError, type Reason } from '../../core/failure.ts'
import { adminMessage } from './admin-message.ts'
import type { PageContext } from './context.ts'
import type { Html } from './html.ts'
import { texts, type AdminReason } from './texts.ts'

/** Whether a page may offer to reconnect for this reason: only where it can cure. No reason known: it may. */
export function offersReconnect(reason: Reason | undefined): boolean {
  return reason === undefined || REASONS[reason].curable
}

/** Who acts, and in words whether reconnecting cures it. */
export function cureOf(context: PageContext, reason: Reason): { who: string; cure: string } {
  const t = texts[context.language]
  const { whoActs, curable }: { whoActs: Actor; curable: boolean } = REASONS[reason]
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

/** Microsoft does not say whether the user or only an administrator could have approved (entra.md 0, item 2). */
function mayNeedAdmin(reason: Reason): boolean {
  return reason === 'not_approved' || reason === 'consent_required'
}

/** Whether writing to the administrator is the thing to do, rather than another round at Microsoft. */
export function adminFirst(reason: Reason | undefined): boolean {
  return reason !== undefined && REASONS[reason].whoActs === 'tenant_admin'
}

/** The message for the administrator, where the reason is one for them. */
export function adminMessageFor(context: PageContext, reason?: Reason, microsoft?: MicrosoftError): Html | undefined {
  return reason !== undefined && isForAdmin(context, reason)
    ? adminMessage(context, reason, adminFirst(reason), microsoft)
    : undefined
}

function isForAdmin(context: PageContext, reason: Reason): reason is AdminReason {
  return Object.hasOwn(texts[context.language].adminRequests, reason)
}
