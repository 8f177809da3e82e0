import { de } from './de.ts'
import { en, type Texts } from './en.ts'
import { es } from './es.ts'

export type { Texts } from './en.ts'
export type { AdminReason, ExplainedText } from './types.ts'

/** The closed list of what a button or a link of ours can do. */
export type Action = keyof Texts['actions']

/** The closed list of problem pages. */
export type PageProblem = keyof Texts['problems']

/**
 * All words for people, by language (docs/design.md#pages). Pages, mails and the catalogues of the Django client take
 * them from here. One file a language: a further language is such a file and one line in this list. Its type makes a
 * missing text a compile error.
 *
 * A text is plain: no markup. `{name}` is a placeholder, filled by `fill`, the same in every language.
 */
export const texts = { en, de, es } satisfies Record<string, Texts>

export type Language = keyof typeof texts

/** English first: it stands in where no other language fits. */
export const LANGUAGES = Object.keys(texts) as Language[]

export function ofEachLanguage<T>(make: (language: Language) => T): Record<Language, T> {
  return Object.fromEntries(LANGUAGES.map((language) => [language, make(language)])) as Record<Language, T>
}

/** The text with its placeholders filled. A placeholder without a value stays: tests look for one. */
export function fill(text: string, values: Readonly<Record<string, string>>): string {
  return text.replace(/\{(\w+)\}/g, (placeholder, name: string) =>
    Object.hasOwn(values, name) ? (values[name] ?? placeholder) : placeholder,
  )
}
