import type { Actor, Reason, REASONS } from '../../core/failure.ts'
import type { Language } from './language.ts'
import type { PageProblem } from './problem-list.ts'
import { de } from './texts/de.ts'
import { adminRequestsDe, reasonsDe } from './texts/de-reasons.ts'
import { problemsDe } from './texts/de-problems.ts'
import { en } from './texts/en.ts'
import { adminRequestsEn, reasonsEn } from './texts/en-reasons.ts'
import { problemsEn } from './texts/en-problems.ts'

// All words of all pages, by language. The types make a missing text a compile error; texts/ holds them, one file a subject.

/** What happened and what to do, in plain words: for somebody who did not choose this software. */
export interface ExplainedText {
  title: string
  happened: string
  todo: string
}

/** Reasons an administrator can cure, and those that may turn out to be one: what to ask of them, one sentence in the user's voice. */
export type AdminReason =
  | { [R in Reason]: (typeof REASONS)[R]['whoActs'] extends 'tenant_admin' ? R : never }[Reason]
  | 'not_approved'
  | 'consent_required'

export type ReasonTexts = Record<Reason, ExplainedText>
export type ProblemTexts = Record<PageProblem, ExplainedText>
export type AdminRequestTexts = Record<AdminReason, string>
/** The shape English gives; every other language fills it. */
export type CommonTexts = typeof en
export type ActorTexts = Record<Actor, string>

export interface Texts extends CommonTexts {
  reasons: ReasonTexts
  problems: ProblemTexts
  adminRequests: AdminRequestTexts
}

export const texts: Record<Language, Texts> = {
  en: { ...en, reasons: reasonsEn, problems: problemsEn, adminRequests: adminRequestsEn },
  de: { ...de, reasons: reasonsDe, problems: problemsDe, adminRequests: adminRequestsDe },
}
