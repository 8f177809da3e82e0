/** How people reach somebody, from configuration. Its kind decides whether a page makes a link of it. */
export interface Contact {
  /** `mail`: an address. `page`: a URL. `text`: any other words, such as a telephone number. */
  readonly kind: 'mail' | 'page' | 'text'
  readonly value: string
}
