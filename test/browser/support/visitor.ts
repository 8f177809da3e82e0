import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  chromium,
  type ConsoleMessage,
  type Page,
  type Response,
} from 'playwright-core'
import { temporaryFolder } from '../../../sandbox/temporary-folder.ts'
import type { World } from '../../../sandbox/world.ts'
import { contentSecurityPolicy, type Language } from '../../../src/http/pages/pages.ts'
import { findChromium } from './find-chromium.ts'

// The browser of a person: a real Chromium without JavaScript. All it does is observed.

type Teardown = { teardown(end: () => unknown): unknown }

/** `--host-resolver-rules`: only this machine can be reached. A request to another host fails. */
const FLAGS = [
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1',
]

function launchOptions() {
  const executablePath = findChromium()
  if (executablePath === undefined) throw new Error('no Chromium: apt-get install chromium, or set CHROMIUM')
  return { executablePath, args: FLAGS, headless: true, chromiumSandbox: false }
}

export async function openChromium(t: Teardown): Promise<Browser> {
  const browser = await chromium.launch(launchOptions())
  t.teardown(() => browser.close())
  return browser
}

export interface Visitor {
  context: BrowserContext
  page: Page
  language: Language
  /** What no page may do: console messages, requests to other hosts, missing headers, script errors. */
  faults: string[]
  /** All requests, in order. */
  requests: string[]
  /** Opens another tab of the same browser. */
  tab(): Promise<Page>
}

export interface VisitorOptions {
  language?: Language
  /** Default: off. Our pages do not need it. */
  javaScript?: boolean
}

const LOCALES = { en: 'en-GB', de: 'de-DE', es: 'es-ES' } as const

function contextOptions({ language = 'en', javaScript = false }: VisitorOptions): BrowserContextOptions {
  return {
    javaScriptEnabled: javaScript,
    locale: LOCALES[language],
    viewport: { width: 1280, height: 800 },
    colorScheme: 'light',
    ignoreHTTPSErrors: true,
  }
}

/** Opens a new browser profile for this world. */
export async function visit(
  t: Teardown,
  browser: Browser,
  world: Pick<World, 'url' | 'entra'>,
  options: VisitorOptions = {},
): Promise<Visitor> {
  const context = await browser.newContext(contextOptions(options))
  t.teardown(() => context.close())
  return watched(context, await context.newPage(), world, options.language ?? 'en')
}

/** A browser whose settings block all cookies. */
export async function visitWithoutCookies(
  t: Teardown,
  world: Pick<World, 'url' | 'entra'>,
  options: VisitorOptions = {},
): Promise<Visitor> {
  const profile = temporaryFolder('token-broker-chromium')
  t.teardown(() => rmSync(profile, { recursive: true, force: true }))
  mkdirSync(join(profile, 'Default'))
  writeFileSync(
    join(profile, 'Default', 'Preferences'),
    JSON.stringify({ profile: { default_content_setting_values: { cookies: 2 } } }),
  )
  const context = await chromium.launchPersistentContext(profile, { ...launchOptions(), ...contextOptions(options) })
  t.teardown(() => context.close())
  return watched(context, context.pages()[0] ?? (await context.newPage()), world, options.language ?? 'en')
}

function watched(
  context: BrowserContext,
  page: Page,
  world: Pick<World, 'url' | 'entra'>,
  language: Language,
): Visitor {
  const faults: string[] = []
  const requests: string[] = []
  const hosts = new Set([world.url, world.entra.url].map((url) => new URL(url).host))
  context.on('request', (request) => {
    requests.push(`${request.method()} ${request.url()}`)
    if (/^https?:/.test(request.url()) && !hosts.has(new URL(request.url()).host))
      faults.push(`request to ${request.url()}`)
  })
  context.on('response', (response) => void faults.push(...headerFaults(response, world.url)))
  context.on('console', (message) => {
    if (!isOwnStatus(message)) faults.push(`console ${message.type()}: ${message.text()}`)
  })
  context.on('weberror', (error) => void faults.push(`script error: ${error.error().message}`))
  return { context, page, language, faults, requests, tab: () => context.newPage() }
}

/** Chromium logs a line for each page with an error status. Our error pages have one on purpose. */
function isOwnStatus(message: ConsoleMessage): boolean {
  const { url } = message.location()
  return (
    message.text().startsWith('Failed to load resource: the server responded with a status of') &&
    message.page()?.url() === url
  )
}

const BROKER = /^\/(?:auth\/oauth2\/microsoft|accounts\/account\/microsoft)(?:\/|$)/

/** Headers that an answer of the public listener must have (docs/security.md#headers-of-pages), redirects included. */
function headerFaults(response: Response, origin: string): string[] {
  const url = new URL(response.url())
  if (url.origin !== origin || !BROKER.test(url.pathname)) return []
  const headers = response.headers()
  const expected: Record<string, string> = {
    'content-security-policy': contentSecurityPolicy,
    'cache-control': 'no-store',
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    'cross-origin-opener-policy': 'same-origin',
    ...(url.protocol === 'https:' ? { 'strict-transport-security': 'max-age=31536000; includeSubDomains' } : {}),
  }
  const wrong = Object.entries(expected)
    .filter(([name, value]) => headers[name] !== value)
    .map(([name]) => `${name}: ${headers[name]}`)
  const isPage = headers['content-type']?.startsWith('text/html') === true
  if (isPage && headers['vary'] !== 'Accept-Language, Cookie') wrong.push(`vary: ${headers['vary']}`)
  if (isPage && !/^(?:en|de|es)$/.test(headers['content-language'] ?? ''))
    wrong.push(`content-language: ${headers['content-language']}`)
  if ([429, 503].includes(response.status()) && !/^\d+$/.test(headers['retry-after'] ?? ''))
    wrong.push('no retry-after')
  return wrong.map((header) => `${response.request().method()} ${url.pathname} ${response.status()} has ${header}`)
}
