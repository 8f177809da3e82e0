import { LANGUAGES, type Language } from '../../texts/texts.ts'

export { LANGUAGES, type Language }

/**
 * The language to answer in, from `Accept-Language` (RFC 9110 12.5.4): highest weight first, a region counts as its
 * language, English where nothing fits. Never fails, whatever the header holds.
 */
export function pickLanguage(acceptLanguage: string | undefined): Language {
  const wishes = (acceptLanguage ?? '')
    .slice(0, 500)
    .split(',')
    .flatMap((part) => {
      const [range = '', ...parameters] = part
        .trim()
        .toLowerCase()
        .split(/\s*;\s*/)
      const weight = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2)
      const q = weight === undefined ? 1 : /^(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/.test(weight) ? Number(weight) : 0
      const language =
        range === '*' ? 'en' : LANGUAGES.find((known) => range === known || range.startsWith(`${known}-`))
      return language === undefined || q === 0 ? [] : [{ language, q }]
    })
  // sort is stable: of equal weights the first one named wins
  return wishes.sort((a, b) => b.q - a.q)[0]?.language ?? 'en'
}

/** The language of a BCP 47 tag: a region counts as its language, English where none fits. */
export function languageOf(tag: string): Language {
  const [primary] = tag.toLowerCase().split('-', 1)
  return LANGUAGES.find((known) => known === primary) ?? 'en'
}

/** The address of the page in this language. `pageUrl`: its address, relative or a path, without a language. */
export function inLanguage(pageUrl: string, language: Language): string {
  const [path = '', query = ''] = pageUrl.split('?', 2)
  const parameters = new URLSearchParams(query)
  parameters.set('lang', language)
  return `${path}?${parameters}`
}
