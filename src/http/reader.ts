import type { IncomingHttpHeaders } from 'node:http'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { ConnectSession } from '../core/ports.ts'
import {
  isOrganisation,
  knownTimeZone,
  LANGUAGES,
  languageOf,
  pickLanguage,
  type Language,
  type Site,
} from './pages/pages.ts'
import { BROWSER_SESSION_MS } from './session.ts'

// In which language and time zone a person reads our pages (docs/design.md#language-and-time): what they chose, then
// what MEGDocs said when the visit began, then what the browser says. Choice and visit are kept in a cookie, because
// most pages have no session: a connect ends it, and an administrator never had one.

export interface Reader {
  language: Language
  /** IANA name that Intl knows. */
  timeZone: string
}

/** What MEGDocs said about the reader. */
export type Visit = Pick<ConnectSession, 'locale' | 'timeZone'>

/** A request, also one that no route has seen. */
export interface Asked {
  /** Path and query. */
  url?: string | undefined
  headers: Pick<IncomingHttpHeaders, 'accept-language' | 'cookie'>
}

interface Kept {
  chosen?: Language
  locale?: Language
  timeZone?: string
  /** Keyed hash of the user whose visit it is. Empty: not known yet. */
  person: string
}

const KEPT = /^(\w{2})?\.(\w{2})?\.([\w+/-]{1,64})?\.([\w-]{43})?$/
/** A longer one is not repeated in the links of a page. */
const MAX_QUERY = 4_096

const isHttps = ({ app }: Site): boolean => app.publicBaseUrl.startsWith('https:')
// MEGDocs has the same host, so the name must be ours alone.
const cookieName = (site: Site): string => (isHttps(site) ? '__Host-token_broker_reader' : 'token_broker_reader')

export const isLanguage = (text: string | null | undefined): text is Language =>
  LANGUAGES.some((language) => language === text)

function readKept(site: Site, cookies: string | undefined): Kept {
  const prefix = `${cookieName(site)}=`
  const found = cookies?.split(/; */).find((pair) => pair.startsWith(prefix))
  const [, chosen, locale, timeZone, person = ''] = KEPT.exec(found?.slice(prefix.length) ?? '') ?? []
  return {
    person,
    ...(isLanguage(chosen) ? { chosen } : {}),
    ...(isLanguage(locale) ? { locale } : {}),
    ...(timeZone === undefined ? {} : { timeZone: knownTimeZone(timeZone) }),
  }
}

function sendKept(site: Site, reply: FastifyReply, { chosen, locale, timeZone, person }: Kept): void {
  const isEmpty = chosen === undefined && locale === undefined && timeZone === undefined
  const value = isEmpty ? '' : [chosen, locale, timeZone, person].join('.')
  const seconds = isEmpty ? 0 : BROWSER_SESSION_MS / 1000
  const secure = isHttps(site) ? '; Secure' : ''
  reply.header(
    'set-cookie',
    `${cookieName(site)}=${value}; Max-Age=${seconds}; Path=/; HttpOnly; SameSite=Lax${secure}`,
  )
}

/** The query of a request; what is too long to be repeated counts as none. */
function queryOf({ url = '' }: Asked): URLSearchParams {
  const start = url.indexOf('?')
  const query = start < 0 ? '' : url.slice(start + 1)
  return new URLSearchParams(query.length > MAX_QUERY ? '' : query)
}

function wishOf(asked: Asked): Language | undefined {
  const lang = queryOf(asked).get('lang')
  return isLanguage(lang) ? lang : undefined
}

/** `visit`: that of the page, if the page knows one. `isTheirs`: whether the choice is that of the visit's person. */
export function readerOf(site: Site, asked: Asked, visit?: Visit, isTheirs = true): Reader {
  const { chosen, locale, timeZone } = readKept(site, asked.headers.cookie)
  const told = visit === undefined ? locale : visit.locale === undefined ? undefined : languageOf(visit.locale)
  return {
    language:
      wishOf(asked) ?? (isTheirs ? chosen : undefined) ?? told ?? pickLanguage(asked.headers['accept-language']),
    timeZone: knownTimeZone(visit === undefined ? timeZone : visit.timeZone),
  }
}

/** The parts of a query that a page of ours depends on, and what they may be. */
const REPEATED: Record<string, (value: string) => boolean> = {
  confirm: (value) => value === 'disconnect',
  cookies: (value) => value === '1',
  tenant: isOrganisation,
  shown: (value) => /^[a-z_]{1,40}$/.test(value),
}

/**
 * The address of a page without its language, relative: what is secret in a path is not repeated, nor what anybody
 * wrote into a link.
 */
export function pageUrlOf(asked: Asked): string {
  const query = queryOf(asked)
  const repeated = new URLSearchParams()
  for (const [name, fits] of Object.entries(REPEATED)) {
    const [value = '', ...others] = query.getAll(name)
    if (others.length === 0 && fits(value)) repeated.set(name, value)
  }
  return `?${repeated}`
}

const visits = new WeakMap<FastifyRequest, { visit: Visit; isTheirs: boolean }>()

export const askedOf = ({ originalUrl, headers }: FastifyRequest): Asked => ({ url: originalUrl, headers })

export function readerOfRequest(site: Site, request: FastifyRequest): Reader {
  const noted = visits.get(request)
  return readerOf(site, askedOf(request), noted?.visit, noted?.isTheirs)
}

export const pageUrlOfRequest = (request: FastifyRequest): string => pageUrlOf(askedOf(request))

/** Keeps what the person has chosen on this page, if they have. */
export function keepChoice(site: Site, request: FastifyRequest, reply: FastifyReply): void {
  const chosen = wishOf(askedOf(request))
  const kept = readKept(site, request.headers.cookie)
  if (chosen === undefined) return
  // On a shared computer, what is kept may be of another person.
  if (visits.get(request)?.isTheirs === false) sendKept(site, reply, { chosen, person: '' })
  else if (chosen !== kept.chosen) sendKept(site, reply, { ...kept, chosen })
}

/** What proves whose visit it is: made of the user id, with a secret. */
export interface PersonMarks {
  person(userId: string): string
  isPerson(userId: string, mark: string): boolean
}

function isTheirs(marks: PersonMarks, userId: string, { person }: Kept): boolean {
  return person === '' || marks.isPerson(userId, person)
}

/** The pages of this request are of this visit. On a shared computer, the choice of another person does not count. */
export function noteVisit(
  site: Site,
  request: FastifyRequest,
  session: Visit & { userId: string },
  marks: PersonMarks,
): void {
  const kept = readKept(site, request.headers.cookie)
  visits.set(request, { visit: session, isTheirs: isTheirs(marks, session.userId, kept) })
}

/** Notes what is known about the reader of a page that belongs to no visit. */
export function noteReader(request: FastifyRequest, visit: Visit): void {
  visits.set(request, { visit, isTheirs: true })
}

/** A link of MEGDocs was opened: keeps language and time zone for the pages of this visit. */
export function beginVisit(
  site: Site,
  request: FastifyRequest,
  reply: FastifyReply,
  { locale, timeZone, userId }: Visit & { userId: string },
  marks: PersonMarks,
): void {
  const kept = readKept(site, request.headers.cookie)
  const begun: Kept = {
    person: marks.person(userId),
    ...(kept.chosen !== undefined && isTheirs(marks, userId, kept) ? { chosen: kept.chosen } : {}),
    ...(locale === undefined ? {} : { locale: languageOf(locale) }),
    ...(timeZone === undefined ? {} : { timeZone: knownTimeZone(timeZone) }),
  }
  const isEmpty = begun.chosen === undefined && locale === undefined && timeZone === undefined
  if (!isEmpty || request.headers.cookie?.includes(cookieName(site)) === true) sendKept(site, reply, begun)
}
