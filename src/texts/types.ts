import type { Actor, Reason, REASONS } from '../core/failure.ts'
import type { PermissionName } from '../core/microsoft-permissions.ts'

// The keys that core decides. The other keys are those of English (en.ts).

/** What happened and what to do, in plain words: for somebody who did not choose this software. */
export interface ExplainedText {
  title: string
  happened: string
  todo: string
}

/**
 * Reasons an administrator can cure, and those that may turn out to be one: what to ask of them, one sentence in the
 * user's voice.
 */
export type AdminReason =
  | { [R in Reason]: (typeof REASONS)[R]['whoActs'] extends 'tenant_admin' ? R : never }[Reason]
  | 'not_approved'
  | 'consent_required'

export type ReasonTexts = Record<Reason, ExplainedText>
export type AdminRequestTexts = Record<AdminReason, string>
/** For reasons of a newer release. */
export type UnknownReasonTexts = Record<Actor, ExplainedText>
/** Who else than the user can fix it. */
export type ActorTexts = Record<Exclude<Actor, 'user' | 'nobody'>, string>
export type PermissionTexts = Record<PermissionName, string>
