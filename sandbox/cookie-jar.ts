// Cookies as a browser keeps them (RFC 6265bis): ports do not matter, SameSite depends on the site that sent the
// browser, and the prefixes __Host- and __Secure- are enforced.

interface Cookie {
  name: string
  value: string
  host: string
  path: string
  secure: boolean
  sameSite: 'strict' | 'lax' | 'none'
  /** ms since the epoch. */
  expiresAt: number
}

export interface CookieJar {
  take(setCookie: readonly string[], url: URL): void
  /**
   * The Cookie header, or undefined. `crossSite`: another site sent the browser here. Then cookies with SameSite=Strict
   * are not sent, and for methods other than GET those with SameSite=Lax neither.
   */
  header(url: URL, request: { method: string; crossSite: boolean }): string | undefined
  /** The values of all cookies, to search logs for them. */
  values(): string[]
  clear(): void
}

/** Browsers treat localhost as a secure origin even without TLS. */
const isTrustworthy = (url: URL): boolean =>
  url.protocol === 'https:' || url.hostname === 'localhost' || url.hostname === '127.0.0.1'

export function createCookieJar(now: () => number = Date.now): CookieJar {
  let cookies: Cookie[] = []
  return {
    take(setCookie, url) {
      for (const line of setCookie) {
        const cookie = parse(line, url, now())
        if (!cookie) continue
        cookies = cookies.filter(
          (other) => !(other.name === cookie.name && other.host === cookie.host && other.path === cookie.path),
        )
        if (cookie.expiresAt > now()) cookies.push(cookie)
      }
    },
    header(url, { method, crossSite }) {
      const sent = cookies.filter(
        (cookie) =>
          cookie.host === url.hostname &&
          cookie.expiresAt > now() &&
          pathMatches(url.pathname, cookie.path) &&
          (!cookie.secure || isTrustworthy(url)) &&
          (!crossSite || cookie.sameSite === 'none' || (cookie.sameSite === 'lax' && method === 'GET')),
      )
      // Longer paths first (RFC 6265 section 5.4).
      sent.sort((a, b) => b.path.length - a.path.length)
      return sent.length === 0 ? undefined : sent.map(({ name, value }) => `${name}=${value}`).join('; ')
    },
    values: () => cookies.map(({ value }) => value),
    clear: () => void (cookies = []),
  }
}

function parse(line: string, url: URL, now: number): Cookie | undefined {
  const [pair = '', ...rest] = line.split(';').map((part) => part.trim())
  const equals = pair.indexOf('=')
  if (equals < 1) return undefined
  const attributes = new Map(rest.map((part) => split(part)))
  const [name, value] = [pair.slice(0, equals), pair.slice(equals + 1)]
  const secure = attributes.has('secure')
  const path = attributes.get('path')?.startsWith('/') ? attributes.get('path')! : defaultPath(url.pathname)
  if (secure && !isTrustworthy(url)) return undefined
  if (/^__(?:host|secure)-/i.test(name) && !secure) return undefined
  if (/^__host-/i.test(name) && (path !== '/' || attributes.has('domain'))) return undefined
  const stated = attributes.get('samesite')?.toLowerCase()
  const sameSite = stated === 'strict' || stated === 'none' ? stated : 'lax'
  if (sameSite === 'none' && !secure) return undefined
  const maxAge = attributes.get('max-age')
  const expires = attributes.get('expires')
  const expiresAt =
    maxAge !== undefined ? now + Number(maxAge) * 1000 : expires !== undefined ? Date.parse(expires) : Infinity
  return { name, value, host: url.hostname, path, secure, sameSite, expiresAt }
}

function split(part: string): [string, string] {
  const equals = part.indexOf('=')
  return equals < 0 ? [part.toLowerCase(), ''] : [part.slice(0, equals).toLowerCase(), part.slice(equals + 1)]
}

function defaultPath(path: string): string {
  const slash = path.lastIndexOf('/')
  return slash <= 0 ? '/' : path.slice(0, slash)
}

function pathMatches(path: string, cookiePath: string): boolean {
  return path === cookiePath || path.startsWith(cookiePath.endsWith('/') ? cookiePath : `${cookiePath}/`)
}
