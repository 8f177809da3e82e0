/** Text that is HTML already. Only `html` and `raw` make one, so a plain string can never pass for markup. */
export class Html {
  readonly #text: string

  constructor(text: string) {
    this.#text = text
  }

  toString(): string {
    return this.#text
  }
}

/** What may stand in a template: text is escaped, fragments are kept, absent values and `false` leave nothing. */
export type Fragment = string | number | Html | undefined | false | readonly Fragment[]

const ENTITIES: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
  '`': '&#96;',
}

/** Escapes for element content and for quoted attribute values alike (WHATWG HTML 13.1.2.3, 13.1.3). */
export function escape(text: string): string {
  return text.replace(/[&<>"'`]/g, (character) => ENTITIES[character] ?? '').replace(/[\0\r]/g, '')
}

function render(fragment: Fragment): string {
  if (fragment === undefined || fragment === false) return ''
  if (fragment instanceof Html) return fragment.toString()
  if (typeof fragment === 'object') return fragment.map(render).join('')
  return escape(String(fragment))
}

/**
 * The one way to write markup here: everything put in is escaped unless it is Html. Attribute values must stand in
 * double quotes.
 */
export function html(strings: TemplateStringsArray, ...values: Fragment[]): Html {
  return new Html(strings.reduce((text, part, index) => text + render(values[index - 1]) + part))
}

/** For text of our own that must not be escaped (the stylesheet). Never for input. */
export function raw(text: string): Html {
  return new Html(text)
}

/**
 * An address fit for `href`: http, https, mailto, or a path of our own. Addresses come from configuration, which is
 * checked at the start; anything else that gets here (`javascript:`, `//host`) becomes `/`, so that a page always has a
 * way on.
 */
export function safeUrl(url: string): string {
  if (/^(?:\/(?![/\\])|\?)/.test(url)) return url
  return /^(?:https?|mailto):/i.test(url) && URL.canParse(url) ? url : '/'
}
