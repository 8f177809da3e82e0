// Parsers of single values: from text to a typed value, or Invalid. No message repeats the value.
import { isIP } from 'node:net'
import { isAbsolute } from 'node:path'
import type { Contact } from '../core/contact.ts'
import { USER_ID } from '../core/user-id.ts'
import { findPermission, KNOWN_SCOPES } from '../core/microsoft-permissions.ts'

/** The problems of one value. The message does not hold the value. */
export class Invalid extends Error {
  readonly problems: readonly string[]

  constructor(...problems: string[]) {
    super(problems.join('; '))
    this.name = 'Invalid'
    this.problems = problems
  }
}

export const GUID = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i
const DOMAIN = /^(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}$/i
// Microsoft registers http for these two names only: docs/microsoft.md#redirect-uris.
const LOOPBACK = ['localhost', '127.0.0.1']

/** The text as it is. */
export function text(value: string): string {
  return value
}

/** A path that means the same file wherever the process was started. */
export function absolutePath(value: string): string {
  if (!isAbsolute(value)) throw new Invalid('is not an absolute path')
  return value
}

/** Items separated by commas, spaces or line breaks, each once. */
export function list<T>(item: (value: string) => T): (value: string) => readonly T[] {
  return (value) => {
    const items = value.split(/[\s,]+/).filter((part) => part !== '')
    const problems: string[] = []
    const parsed = items.flatMap((part, index) => {
      try {
        if (items.indexOf(part) < index) throw new Invalid('is in the list twice')
        return [item(part)]
      } catch (error) {
        if (!(error instanceof Invalid)) throw error
        problems.push(
          ...error.problems.map((problem) => (items.length > 1 ? `entry ${index + 1} ${problem}` : problem)),
        )
        return []
      }
    })
    if (problems.length > 0) throw new Invalid(...problems)
    return parsed
  }
}

/** A whole number within bounds. */
export function integer(min: number, max: number): (value: string) => number {
  return (value) => {
    const number = /^\d{1,9}$/.test(value) ? Number(value) : NaN
    if (!(number >= min && number <= max)) throw new Invalid(`is not a whole number from ${min} to ${max}`)
    return number
  }
}

/** One word of a closed list. */
export function oneOf<const T extends readonly string[]>(...words: T): (value: string) => T[number] {
  return (value) => {
    if (!words.includes(value)) throw new Invalid(`is not one of ${words.join(', ')}`)
    return value
  }
}

export function guid(value: string): string {
  if (!GUID.test(value)) throw new Invalid('is not a GUID')
  return value.toLowerCase()
}

/** Delegated permissions of Microsoft Graph that we have words for, in Microsoft's spelling, each once. */
export function permissions(value: string): readonly string[] {
  const found = list((name) => {
    const known = findPermission(name)
    if (known === undefined) throw new Invalid(`is not one of ${KNOWN_SCOPES.join(', ')}`)
    return known.scope
  })(value)
  if (found.length === 0) throw new Invalid('names no permission')
  return [...new Set(found)]
}

/** MEGDocs' id of a user. */
export function userId(value: string): string {
  if (!USER_ID.test(value)) throw new Invalid('is not a user id')
  return value
}

/** The tenant segment of Microsoft's endpoints: docs/microsoft.md#endpoints. */
export function tenant(value: string): string {
  const lower = value.toLowerCase()
  const known = ['common', 'organizations', 'consumers'].includes(lower) || GUID.test(lower) || DOMAIN.test(lower)
  if (!known) throw new Invalid('is neither common, organizations, consumers, a tenant id nor a domain')
  return lower
}

/** The text after `audits` in the host name (a DNS label: RFC 1123 section 2.1). */
export function subdomain(value: string): string {
  if (!/^[a-z0-9-]*$/.test(value)) throw new Invalid('has characters other than a-z 0-9 -')
  if (value.endsWith('-') || value.length > 57)
    throw new Invalid('does not give a host name: ends in - or is longer than 57')
  return value
}

/** An absolute http(s) URL without user name and fragment; http only for this machine. */
export function url(value: string): URL {
  // new URL() accepts `https:/x`, `https:x` and inner white space, and changes their meaning.
  const parsed = /^https?:\/\/[^\s\\]+$/i.test(value) && URL.canParse(value) ? new URL(value) : undefined
  if (parsed === undefined) throw new Invalid('is not an absolute URL that begins with https://')
  if (parsed.username !== '' || parsed.password !== '') throw new Invalid('has a user name or password in it')
  if (value.includes('#')) throw new Invalid('has a fragment (#…)')
  if (parsed.protocol === 'http:' && !LOOPBACK.includes(parsed.hostname)) {
    throw new Invalid(`is http: only https is allowed, except for ${LOOPBACK.join(' and ')}`)
  }
  return parsed
}

/** Words that stand on pages, on one line. They are short, because they also go into a mail link. */
export function line(value: string): string {
  const trimmed = value.trim()
  // Control characters, and those that turn the direction of the text around them.
  if (/[\p{Cc}\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/u.test(trimmed))
    throw new Invalid('has a line break or another control character in it')
  if (trimmed === '') throw new Invalid('is blank')
  if (trimmed.length > 120) throw new Invalid('is longer than 120 characters')
  return trimmed
}

/** A mail address, an https URL, or any other words. */
export function contact(value: string): Contact {
  const trimmed = line(value)
  if (/^mailto:/i.test(trimmed)) throw new Invalid('begins with mailto: (write the address only)')
  const [, domain = ''] = /^[\w.!#$%&'*+/=?^`{|}~-]{1,64}@([^@]+)$/.exec(trimmed) ?? []
  if (DOMAIN.test(domain)) return { kind: 'mail', value: trimmed }
  return /^https?:/i.test(trimmed) ? { kind: 'page', value: url(trimmed).href } : { kind: 'text', value: trimmed }
}

/** A URL that is scheme, host and port only, without a slash at the end. */
export function origin(value: string): string {
  const parsed = url(value)
  if (parsed.pathname !== '/' || value.includes('?')) throw new Invalid('has a path or query')
  return parsed.origin
}

/** The URL of an HTTP proxy; it may have a user and a password. */
export function proxy(value: string): string {
  const parsed = URL.parse(value)
  if (parsed === null || !/^https?:$/.test(parsed.protocol))
    throw new Invalid('is not a URL that begins with http:// or https://')
  if (parsed.pathname !== '/' || parsed.search !== '' || parsed.hash !== '') throw new Invalid('has a path or query')
  return parsed.href
}

/**
 * The exact text of a redirect URI that Microsoft can register (docs/microsoft.md#redirect-uris) and that our callback
 * answers.
 */
export function redirectUri(paths: readonly string[]): (value: string) => string {
  return (value) => {
    const parsed = url(value)
    // Compared as text, as Microsoft does. URL would correct dot segments and escapes.
    const path = value.replace(/^https?:\/\/[^/?]*/i, '')
    const problems = [
      ...(value.length > 256 ? ['is longer than the 256 characters that Microsoft registers'] : []),
      ...(/[!$'(),;*]/.test(value) ? ["has one of ! $ ' ( ) , ; * which Microsoft does not register"] : []),
      ...(paths.includes(path)
        ? []
        : [`has a path that the callback does not answer: it must be ${paths.join(' or ')}`]),
      ...(parsed.host === value.split('/')[2]
        ? []
        : ['has a host in other than its plain form (lower case, no default port)']),
    ]
    if (problems.length > 0) throw new Invalid(...problems)
    return value
  }
}

/** The address of a listener. In text, an IPv6 address is in brackets. */
export interface ListenAddress {
  readonly host: string
  readonly port: number
}

export function listenAddress(value: string): ListenAddress {
  const [, host, port] = /^(\[[0-9a-f:.]+\]|[a-z0-9.-]+):(\d{1,5})$/i.exec(value) ?? []
  const bare = host?.replace(/^\[|\]$/g, '')
  if (host === undefined || bare === undefined || Number(port) > 65_535 || (host !== bare && isIP(bare) !== 6)) {
    throw new Invalid('is not host:port')
  }
  return { host: bare, port: Number(port) }
}

/** A host with or without port, as in a Host header; in lower case. */
export function authority(value: string): string {
  const match = /^(?:\[[0-9a-f:.]+\]|[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?)(?::(\d{1,5}))?$/i.exec(value)
  if (match === null || Number(match[1] ?? 0) > 65_535)
    throw new Invalid('is not host or host:port (no scheme, no path)')
  return value.toLowerCase()
}

/** An address or a range of addresses (RFC 4632 section 3.1). */
export function cidr(value: string): string {
  const [, address = '', prefix] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(value) ?? []
  const version = isIP(address)
  if (version === 0 || Number(prefix ?? 1) > (version === 4 ? 32 : 128))
    throw new Invalid('is not an address or CIDR range')
  if (Number(prefix ?? 1) === 0) throw new Invalid('covers every address: any client could claim to be any other')
  return value
}

/** A name in Postgres: at most 63 bytes, and Postgres would cut a longer one. Cloud services have names with @. */
export function databaseRole(value: string): string {
  if (!/^[\w.$@-]{1,63}$/.test(value)) throw new Invalid('is not the name of a role')
  return value
}

const SSL_MODES = ['disable', 'prefer', 'require', 'verify-full']

const TARGETS = ['any', 'read-write', 'primary']
/** Scheme, user, hosts and rest of a URL whose hosts may be several. */
const HOSTS = /^(postgres(?:ql)?:\/\/(?:[^@/?#]*@)?)([^/?#]*,[^/?#]*)(.*)$/s

/**
 * A Postgres URL for postgres.js, which sends other parameters as start-up parameters. Poolers refuse those. Several
 * hosts are separated by commas, each with or without its port, as libpq takes them. One URL for each host, without
 * `target_session_attrs`: the host that takes writes is used.
 */
export function postgresUrls(value: string): readonly [string, ...string[]] {
  const [, before = '', hosts, after = ''] = HOSTS.exec(value) ?? []
  const names = hosts?.split(',') ?? []
  const [first = value, ...others] = names.map((host) => `${before}${host}${after}`)
  if (names.includes('')) throw new Invalid('has an empty place in its list of hosts')
  if (new Set(names).size < names.length) throw new Invalid('names a host twice')
  const problems = new Set([first, ...others].flatMap((url) => problemsOfPostgresUrl(url)))
  if (problems.size > 0) throw new Invalid(...problems)
  return [withoutTarget(first), ...others.map(withoutTarget)]
}

function withoutTarget(url: string): string {
  if (!url.includes('target_session_attrs')) return url
  const parsed = new URL(url)
  parsed.searchParams.delete('target_session_attrs')
  return parsed.href
}

function problemsOfPostgresUrl(value: string): string[] {
  const parsed = /^postgres(?:ql)?:\/\//.test(value) && URL.canParse(value) ? new URL(value) : undefined
  if (parsed === undefined) return ['is not a postgres:// URL (or has characters that must be percent-encoded)']
  const parameters = [...parsed.searchParams]
  const valuesOf = (wanted: string) => parameters.flatMap(([name, text]) => (name === wanted ? [text] : []))
  return [
    ...(parsed.hostname === '' ? ['names no host'] : []),
    ...(parsed.username === '' ? ['names no user'] : []),
    ...(parsed.pathname.length < 2 ? ['names no database'] : []),
    ...(parameters.every(([name]) => name === 'sslmode' || name === 'target_session_attrs')
      ? []
      : ['has parameters other than sslmode and target_session_attrs']),
    ...(valuesOf('sslmode').every((mode) => SSL_MODES.includes(mode))
      ? []
      : [`has an sslmode other than ${SSL_MODES.join(', ')}`]),
    ...(valuesOf('target_session_attrs').every((target) => TARGETS.includes(target))
      ? []
      : [`has target_session_attrs other than ${TARGETS.join(', ')}: the service needs a host that takes writes`]),
  ]
}
