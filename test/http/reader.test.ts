import t from 'tap'
import { request } from 'undici'
import { createBrowser, type Page } from '../../sandbox/browser.ts'
import { CALLBACK, handleIn, JANE, startWorld } from '../support/world.ts'
import { texts, type PageProblem, type Texts } from '../../src/texts/texts.ts'

// In which language and time zone a person reads the pages (docs/design.md#language-and-time).

const world = await startWorld(t)
const { caller, entra, baseUrl } = world
const ACCOUNT = `${baseUrl}/accounts/account/microsoft/`
const ADMIN = `${baseUrl}/auth/oauth2/microsoft/admin-consent`

const languageOf = ({ html, headers }: Page): string => {
  const lang = /<html lang="(\w+)">/.exec(html)?.[1] ?? ''
  return lang === headers['content-language'] ? lang : `lang ${lang}, content-language ${headers['content-language']}`
}
/** A browser that asks for this language, and stops before Microsoft and MEGDocs. */
const browserOf = (language: string) =>
  createBrowser({
    headers: { 'accept-language': language },
    stopBefore: (url) => url.includes('/microsoft/connected') || url.startsWith(entra.url),
  })

t.test('language and zone of the session are those of all pages of the visit, whatever the browser says', async (t) => {
  await world.connect('visit')
  const browser = browserOf('en')
  const manage = await caller.beginConnect('visit', { intent: 'manage', locale: 'de-AT', timeZone: 'Europe/Vienna' })
  const account = await browser.open(manage.url)
  t.equal(languageOf(account), 'de')
  t.match(account.text, /\(\d+\.\d+\.\d{4}, \d\d:\d\d (?:MEZ|MESZ)\)/, 'in the zone, with its name')
  t.equal(languageOf(await browser.open(`${ACCOUNT}?confirm=disconnect`)), 'de')
  t.equal(languageOf(await browser.open(`${baseUrl}/auth/oauth2/microsoft/no-such-page`)), 'de', 'also a problem')

  const connect = await caller.beginConnect('visit', { locale: 'es-419', timeZone: 'America/Bogota' })
  const { refresh: authorizeUrl = '' } = await browser.open(connect.url)
  const refused = await browser.open(entra.control.decline({ authorizeUrl }))
  t.equal(languageOf(refused), 'es', 'the newest visit')
  const bare = createBrowser({ headers: { 'accept-language': 'en' }, blockCookies: true })
  t.equal(languageOf(await bare.open(connect.url)), 'es', 'a used link, without a cookie')
  const result = refused.links.find(({ href }) => href.includes('/result/'))?.href ?? ''
  t.equal(
    languageOf(await bare.open(new URL(result, baseUrl).href.replace(/\?.*/, ''))),
    'es',
    'the result, without a cookie',
  )
  const mail = new URLSearchParams(refused.links.find(({ href }) => href.startsWith('mailto:'))?.href.split('?')[1])
  t.match(mail.get('body'), 'admin-consent?lang=es', 'the link for the administrator')
})

t.test('without them the browser decides, and times are in UTC', async (t) => {
  await world.connect('plain')
  const browser = browserOf('de-DE,de;q=0.9')
  const { url } = await caller.beginConnect('plain', { intent: 'manage' })
  const page = await browser.open(url)
  t.equal(languageOf(page), 'de')
  t.match(page.text, /\d\d:\d\d UTC\)/)
  t.notOk(
    browser.exchanges.some(({ setCookie }) => setCookie.some((line) => line.includes('reader'))),
    'nothing to keep',
  )
})

t.test('what is unknown is English and UTC; what has a bad form is refused', async (t) => {
  await world.connect('unknown')
  const browser = browserOf('de')
  const { url } = await caller.beginConnect('unknown', { intent: 'manage', locale: 'fr-CA', timeZone: 'Mars/Base' })
  const page = await browser.open(url)
  t.equal(languageOf(page), 'en')
  t.match(page.text, /\d\d:\d\d UTC\)/)
  for (const body of [
    ...['', 'd', 'de_DE', 'de-', 'de DE', 'de-AT;q=1', 'x'.repeat(9), `de${'-x1234567'.repeat(5)}`].map((locale) => ({
      locale,
    })),
    ...['', '+01:00', 'Europe/', 'Europe Berlin', '/etc', '../UTC', 'UTC+01:00', 'x'.repeat(65)].map((time_zone) => ({
      time_zone,
    })),
    { locale: null },
    { time_zone: 1 },
  ]) {
    const answer = await caller.send('POST', '/connect-sessions', { user_id: 'unknown', ...body })
    t.match(answer, { status: 422, body: { code: 'invalid_request' } }, JSON.stringify(body))
  }
})

t.test('the choice of the person comes first, on this page and on the next ones', async (t) => {
  await world.connect('chooses')
  const browser = browserOf('en')
  const { url } = await caller.beginConnect('chooses', { intent: 'manage', locale: 'de', timeZone: 'Europe/Berlin' })
  const german = await browser.open(url)
  t.match(
    german.text,
    new RegExp(
      Object.values(texts)
        .map(({ language }) => language.name)
        .join(' '),
    ),
  )
  const spanish = await browser.click(german, 'Español')
  t.equal(languageOf(spanish), 'es')
  t.equal(spanish.title, `${texts.es.account.title} – ${texts.es.product}`, 'the same page')
  t.match(spanish.text, /CET|CEST/, 'in the same zone')
  t.equal(languageOf(await browser.open(ACCOUNT)), 'es')
  const next = await caller.beginConnect('chooses', { locale: 'de' })
  const { refresh: authorizeUrl = '' } = await browser.open(next.url)
  const handle = handleIn(await browser.open(entra.control.signIn({ account: JANE, authorizeUrl })))
  const { next: result } = await caller.complete(next.id, 'chooses', handle)
  t.equal(languageOf(await browser.open(result)), 'es', 'the result, whose session is over')
  t.equal(languageOf(await browser.open(`${ACCOUNT}?lang=en`)), 'en', 'a problem page')
  t.equal(languageOf(await browser.open(`${ACCOUNT}?lang=fr`)), 'en', 'an unknown language changes nothing')
})

t.test('on a shared computer the choice of one person does not reach the next', async (t) => {
  const browser = browserOf('en')
  const visit = async (userId: string, locale?: string) =>
    browser.open((await caller.beginConnect(userId, { intent: 'manage', ...(locale && { locale }) })).url)
  await browser.click(await visit('first', 'de'), 'Español')
  t.equal(languageOf(await visit('first', 'de')), 'es', 'the same person')
  t.equal(languageOf(await visit('second', 'de')), 'de')
  t.equal(languageOf(await browser.open(ACCOUNT)), 'de')
  t.equal(languageOf(await visit('third')), 'en', 'neither choice nor visit of another person')
})

t.test('a cookie that nobody of us made changes nothing', async (t) => {
  for (const value of ['xx.yy.Mars/Base.', 'de', '..', 'de.de.UTC.short', '"de...', '%64e...', 'de...;', 'de...\u00e9'])
    for (const path of ['', '?lang=fr']) {
      const { statusCode, headers } = await request(`${baseUrl}/auth/oauth2/microsoft/none${path}`, {
        headers: { cookie: Buffer.from(`token_broker_reader=${value}`).toString('latin1'), 'accept-language': 'es' },
      })
      const expected = value === 'de...;' ? 'de' : 'es'
      t.match({ statusCode, headers }, { statusCode: 404, headers: { 'content-language': expected } }, value)
      t.notOk(headers['set-cookie'])
    }
})

t.test('the switch keeps the place of the reader, also on problems and on answers to a form', async (t) => {
  const browser = browserOf('en')
  /** Presses the switch, and expects the same page in the other language. */
  const switched = async (page: Page, titleIn: (words: Texts) => string, name: string): Promise<Page> => {
    const from = languageOf(page) === 'de' ? 'de' : 'en'
    const to = from === 'de' ? 'en' : 'de'
    t.equal(page.title, `${titleIn(texts[from])} – MEGDocs`, name)
    const other = await browser.click(page, texts[to].language.name)
    t.equal(other.title, `${titleIn(texts[to])} – MEGDocs`, `${name}, in ${to}`)
    // Shown again, nothing fails: otherwise strangers could cause alerts.
    t.equal(other.status, other.url.includes('shown=') ? 200 : page.status, name)
    return other
  }
  const problem =
    (name: PageProblem) =>
    ({ problems }: Texts) =>
      problems[name].title
  const none = await browser.open(`${baseUrl}/auth/oauth2/microsoft/none?a=1`)
  t.notMatch(none.html, 'a=1', 'an unknown address is not repeated')
  await switched(none, problem('not_found'), 'an unknown address')
  const tenant = '72f988bf-86f1-41af-91ab-2d7cd011db47'
  const admin = await browser.open(`${ADMIN}?tenant=${tenant}`)
  t.match((await switched(admin, ({ adminConsent }) => adminConsent.title, 'approval')).url, `?tenant=${tenant}&lang=`)
  const unmatched = await browser.open(`${baseUrl}${CALLBACK}?code=secret-code&state=y`)
  t.notMatch(unmatched.html, 'secret-code', 'an answer of Microsoft is not repeated')
  await switched(unmatched, problem('sign_in_unmatched'), 'an answer that does not fit')
  const stranger = await browser.open(`${baseUrl}${CALLBACK}?shown=internal_error`)
  t.match(stranger, { status: 200, headers: { 'retry-after': undefined } }, 'a stranger causes no failure')

  await world.connect('places')
  await browser.open((await caller.beginConnect('places', { intent: 'manage', locale: 'en' })).url)
  const confirm = await browser.open(`${ACCOUNT}?confirm=disconnect`)
  const expired = await browser.press(confirm, 'disconnect', { csrf_token: 'x' })
  await switched(expired, problem('form_expired'), 'the answer to a form')
  const asked = await switched(confirm, ({ confirm: words }) => words.title, 'the question')
  const done = await browser.press(asked, 'disconnect')
  await switched(done, ({ disconnected }) => disconnected.title, 'the page after the form')

  const late = await caller.beginConnect('places')
  await world.sql`update connect_session set expires_at = now() - interval '1 second' where id = ${late.id}`
  await switched(await browser.open(late.url), problem('link_expired'), 'a link')
  const attempt = await caller.beginConnect('places')
  const { refresh: authorizeUrl = '' } = await browser.open(attempt.url)
  const goingOn = await browser.open(entra.control.signIn({ account: JANE, authorizeUrl }))
  t.notMatch(goingOn.html, /[?&;]code=/)
  const again = await switched(goingOn, (words) => words.goingOn.title, 'on the way back to MEGDocs')
  t.equal(again.refresh, goingOn.refresh)
})

t.test('an administrator without cookies comes back to the language of the link', async (t) => {
  const browser = createBrowser({ blockCookies: true, stopBefore: (url) => url.startsWith(entra.url) })
  const page = await browser.open(`${ADMIN}?lang=es`)
  t.equal(languageOf(page), 'es')
  const start = page.links.find(({ href }) => href.startsWith(entra.url))?.href ?? ''
  const state = new URL(start).searchParams.get('state') ?? ''
  const back = await browser.open(
    `${baseUrl}${CALLBACK}?${new URLSearchParams({ state, admin_consent: 'True', tenant: 'x' })}`,
  )
  t.equal(languageOf(back), 'es')
  t.equal(languageOf(await browser.click(back, 'Deutsch')), 'de', 'the switch keeps the answer')
})

t.test('a page says that it depends on language and cookie, and a link says its language', async (t) => {
  const page = await browserOf('de').open(`${baseUrl}/auth/oauth2/microsoft/none`)
  t.equal(page.headers['vary'], 'Accept-Language, Cookie')
  t.match(page.html, '<li aria-current="true">Deutsch</li>')
  t.match(page.html, '<a href="?lang=es" lang="es" hreflang="es">Español</a>')
})

t.test('the head of a page is that of the page, and asking for it changes nothing', async (t) => {
  const rows = async () => (await world.sql`select 1 from browser_session`).length
  const before = await rows()
  const url = world.replica.publicUrl
  for (const path of [
    CALLBACK,
    '/accounts/account/microsoft/',
    '/accounts/account/microsoft/disconnected',
    '/auth/oauth2/microsoft/admin-consent',
    '/auth/oauth2/microsoft/result/x/y',
    '/auth/oauth2/microsoft/nothing',
  ]) {
    const [get, head] = [await request(url + path), await request(url + path, { method: 'HEAD' })]
    const text = await get.body.text()
    t.equal(await head.body.text(), '', path)
    for (const name of ['content-type', 'content-language', 'content-security-policy', 'vary', 'location'])
      t.equal(head.headers[name], get.headers[name], `${path} ${name}`)
    t.equal(head.statusCode, get.statusCode, path)
    t.equal(Number(head.headers['content-length']), Buffer.byteLength(text), path)
  }
  t.equal(await rows(), before)
  const { id, authorizeUrl, browser } = await world.toMicrosoft('head')
  const callback = world.entra.control.signIn({ account: JANE, authorizeUrl })
  const cookie = browser.jar.header(new URL(callback), { method: 'GET', crossSite: false }) ?? ''
  t.equal((await request(callback, { method: 'HEAD', headers: { cookie } })).statusCode, 200)
  t.match((await caller.send('GET', `/connect-sessions/${id}`)).body, { status: 'authorizing' })
})
