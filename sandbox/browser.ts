/**
 * A browser without screen and JavaScript: it keeps cookies, follows redirects and refreshes, and presses buttons.
 * Pages are plain values, so two pages of one browser are two tabs. Used by the sandbox's check and by tests;
 * independent of the broker.
 */
import { Agent, request } from 'undici'
import { type CookieJar, createCookieJar } from './cookie-jar.ts'
import { type Markup, readMarkup } from './markup.ts'

export interface Page extends Markup {
  url: string
  status: number
  headers: Record<string, string | string[] | undefined>
  html: string
}

/** One request and its answer, to search logs and to see what happened. */
export interface Exchange {
  method: string
  url: string
  status: number
  /** Target of a redirect. */
  location?: string
  setCookie: string[]
}

export interface Browser {
  jar: CookieJar
  exchanges: Exchange[]
  /** Opens an address as if it were typed: no site sent the browser there. */
  open(url: string): Promise<Page>
  /** Follows the first link whose id is `what` or whose text or address contains it. Throws if there is none. */
  click(page: Page, what: string): Promise<Page>
  /**
   * Presses the first button whose id is `what`, or whose text or form action contains it. `fields` replaces values of
   * its form. Throws if there is none.
   */
  press(page: Page, what: string, fields?: Record<string, string>): Promise<Page>
}

export interface BrowserOptions {
  headers?: Record<string, string>
  /** Cookies are switched off. */
  blockCookies?: boolean
  /** PEM of the only authority that is trusted. */
  ca?: string
  /**
   * Does not follow a redirect or refresh to such an address: returns the last page, with the address as its `refresh`.
   */
  stopBefore?: (url: string) => boolean
}

interface Step {
  method: 'GET' | 'POST'
  url: URL
  body?: string
  crossSite: boolean
}

const REDIRECTS = new Set([301, 302, 303, 307, 308])
/** Chrome's limit. More redirects are a loop. */
const MAX_REDIRECTS = 20

const isSameSite = (a: URL, b: URL): boolean => a.protocol === b.protocol && a.hostname === b.hostname

export function createBrowser(options: BrowserOptions = {}): Browser {
  const jar = createCookieJar()
  const exchanges: Exchange[] = []
  // A browser that was not closed must not keep the process alive.
  const { ca } = options
  const dispatcher = new Agent({
    keepAliveTimeout: 1000,
    maxHeaderSize: 65_536,
    ...(ca === undefined ? {} : { connect: { ca } }),
  })

  async function exchange({ method, url, body, crossSite }: Step): Promise<Page> {
    const cookie = options.blockCookies ? undefined : jar.header(url, { method, crossSite })
    const answer = await request(url, {
      dispatcher,
      method,
      body: body ?? null,
      headers: {
        accept: 'text/html',
        'accept-language': 'en',
        'sec-fetch-mode': 'navigate',
        'sec-fetch-site': crossSite ? 'cross-site' : 'same-origin',
        ...(method === 'POST'
          ? { 'content-type': 'application/x-www-form-urlencoded', origin: crossSite ? 'null' : url.origin }
          : {}),
        ...(cookie === undefined ? {} : { cookie }),
        ...options.headers,
      },
    })
    const html = await answer.body.text()
    const setCookie = [answer.headers['set-cookie'] ?? []].flat()
    if (!options.blockCookies) jar.take(setCookie, url)
    const location = answer.headers['location']
    exchanges.push({
      method,
      url: url.href,
      status: answer.statusCode,
      setCookie,
      ...(typeof location === 'string' ? { location } : {}),
    })
    return { url: url.href, status: answer.statusCode, headers: answer.headers, html, ...readMarkup(html) }
  }

  async function go(first: Step): Promise<Page> {
    let step = first
    for (let hops = 0; hops <= MAX_REDIRECTS; hops++) {
      const page = await exchange(step)
      const next = following(step, page)
      if (!next) return page
      if (options.stopBefore?.(next.url.href)) return { ...page, refresh: next.url.href }
      step = next
    }
    throw new Error(`more than ${MAX_REDIRECTS} hops, last to ${step.url.origin}${step.url.pathname}`)
  }

  const from = (page: Page, target: URL): boolean => !isSameSite(new URL(page.url), target)
  return {
    jar,
    exchanges,
    open: (url) => go({ method: 'GET', url: new URL(url), crossSite: false }),
    async click(page, what) {
      const link = page.links.find(({ id, text, href }) => id === what || text.includes(what) || href.includes(what))
      if (!link) throw new Error(`no link ${JSON.stringify(what)} on ${describe(page)}`)
      const url = new URL(link.href, page.url)
      return go({ method: 'GET', url, crossSite: from(page, url) })
    },
    async press(page, what, fields = {}) {
      for (const form of page.forms) {
        const named = form.buttons.find(({ id, text }) => id === what || text.includes(what))
        const button = named ?? (form.action.includes(what) ? form.buttons[0] : undefined)
        if (!button) continue
        const sent = {
          ...form.fields,
          ...(button.name === undefined ? {} : { [button.name]: button.value ?? '' }),
          ...fields,
        }
        const url = new URL(form.action || page.url, page.url)
        const body = new URLSearchParams(sent).toString()
        if (form.method === 'post') return go({ method: 'POST', url, body, crossSite: from(page, url) })
        url.search = body
        return go({ method: 'GET', url, crossSite: from(page, url) })
      }
      throw new Error(`no button ${JSON.stringify(what)} on ${describe(page)}`)
    },
  }
}

/** A redirect keeps the mark that another site sent the browser. A refresh by a page of our own site removes it. */
function following(step: Step, page: Page): Step | undefined {
  const location = page.headers['location']
  if (REDIRECTS.has(page.status) && typeof location === 'string') {
    const url = new URL(location, page.url)
    const keeps = page.status === 307 || page.status === 308
    const crossSite = step.crossSite || !isSameSite(step.url, url)
    return keeps ? { ...step, url, crossSite } : { method: 'GET', url, crossSite }
  }
  if (page.refresh === undefined) return undefined
  const url = new URL(page.refresh, page.url)
  return { method: 'GET', url, crossSite: !isSameSite(step.url, url) }
}

function describe(page: Page): string {
  const buttons = page.forms.flatMap((form) => form.buttons.map(({ text }) => text))
  const links = page.links.map(({ text }) => text)
  return (
    `${new URL(page.url).pathname} (${page.status} ${page.title}); ` +
    `its links: ${links.join(', ')}; its buttons: ${buttons.join(', ')}`
  )
}
