import type { Language } from './language.ts'
import { de } from './texts/de.ts'
import { adminRequestsDe, reasonsDe, unknownReasonDe } from './texts/de-reasons.ts'
import { problemsDe } from './texts/de-problems.ts'
import { en, type CommonTexts } from './texts/en.ts'
import { adminRequestsEn, reasonsEn, unknownReasonEn } from './texts/en-reasons.ts'
import { problemsEn } from './texts/en-problems.ts'
import type { AdminRequestTexts, ProblemTexts, ReasonTexts, UnknownReasonTexts } from './texts/types.ts'

export type { AdminReason, ExplainedText } from './texts/types.ts'

// All words of all pages, by language. The types make a missing text a compile error; texts/ holds them, one file a
// subject.

export interface Texts extends CommonTexts {
  reasons: ReasonTexts
  unknownReason: UnknownReasonTexts
  problems: ProblemTexts
  adminRequests: AdminRequestTexts
}

export const texts: Record<Language, Texts> = {
  en: {
    ...en,
    reasons: reasonsEn,
    unknownReason: unknownReasonEn,
    problems: problemsEn,
    adminRequests: adminRequestsEn,
  },
  de: {
    ...de,
    reasons: reasonsDe,
    unknownReason: unknownReasonDe,
    problems: problemsDe,
    adminRequests: adminRequestsDe,
  },
}
