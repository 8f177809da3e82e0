import { randomBytes } from 'node:crypto'
import t from 'tap'
import { request } from 'undici'
import { createBrowser } from '../../sandbox/browser.ts'
import { JANE, startWorld } from '../support/world.ts'

// The link that MEGDocs hands out: who may spend it, how often, how long; and the browser session it opens.

const world = await startWorld(t)
const { entra, caller, sql } = world
const COOKIE = 'token_broker'

const statusOf = async (id: string) => (await caller.send('GET', `/connect-sessions/${id}`)).body as Record<string, any>
const isAtMicrosoft = (page: { refresh?: string }): boolean => page.refresh?.startsWith(entra.url) === true
const sessionsOf = async (userId: string) =>
  await sql`select id_hash, data from browser_session where user_id = ${userId}`
const EXPIRED = { status: 410, title: /expired/ }
const OTHER_SIGN_IN = { status: 409, title: /Another sign.in is under way/ }
const USED = { status: 410, title: /already been used/ }
const FOREIGN = { status: 403, title: /another browser/ }

/** A browser with our cookie and nothing else: half a cookie round trip, the ticket unspent. */
async function withCookie() {
  const { url } = await caller.beginConnect('half-way')
  const { headers, body } = await request(url)
  await body.dump()
  const browser = world.stoppingBrowser()
  browser.jar.take([headers['set-cookie'] ?? []].flat(), new URL(url))
  return browser
}

t.test('a link works for ten minutes, and the answer says until when', async (t) => {
  const begun = await caller.send('POST', '/connect-sessions', { user_id: 'ttl' })
  t.equal(begun.status, 201)
  const { id, url, expires_at: expiresAt } = begun.body as { id: string; url: string; expires_at: string }
  t.match(url, new RegExp(`^${world.baseUrl}/auth/oauth2/microsoft/connect/[A-Za-z0-9_-]{43}$`))
  const [row] =
    await sql`select extract(epoch from expires_at - now())::int left, expires_at from connect_session where id = ${id}`
  t.ok(row!['left'] > 580 && row!['left'] <= 600)
  t.ok(Math.abs(Date.parse(expiresAt) - (row!['expires_at'] as Date).getTime()) < 1000)
  t.notOk(
    JSON.stringify(await sql`select * from connect_session where id = ${id}`).includes(url.split('/').at(-1)!),
    'only a hash of the ticket is stored',
  )

  await sql`update connect_session set expires_at = now() where id = ${id}`
  t.match(await world.stoppingBrowser().open(url), EXPIRED)
  t.match(await statusOf(id), { status: 'expired' })
})

t.test('a link that was never handed out is refused like an expired one', async (t) => {
  for (const ticket of [randomBytes(32).toString('base64url'), 'short', 'x'.repeat(150), '%00', '..%2f']) {
    t.match(
      await world.stoppingBrowser().open(`${world.baseUrl}/auth/oauth2/microsoft/connect/${ticket}`),
      EXPIRED,
      ticket,
    )
  }
})

t.test(
  'the browser that opened a link may open it again until Microsoft has answered, with the last attempt alone counting',
  async (t) => {
    const { id, url } = await caller.beginConnect('reload')
    const browser = world.stoppingBrowser()
    const first = await browser.open(url)
    const second = await browser.open(url)
    t.ok(isAtMicrosoft(first) && isAtMicrosoft(second))
    t.not(first.refresh, second.refresh)
    t.match(await browser.open(entra.control.signIn({ account: JANE, authorizeUrl: first.refresh! })), { status: 400 })
    await browser.open(entra.control.signIn({ account: JANE, authorizeUrl: second.refresh! }))
    t.match(await statusOf(id), { status: 'received' })
    t.match(await browser.open(url), { status: 410, title: /already been used/ })
    t.match(await statusOf(id), { status: 'received' }, 'which changes nothing')
  },
)

t.test('another browser cannot use a link that was opened, and does not disturb the first', async (t) => {
  const { id, browser, authorizeUrl } = await world.toMicrosoft('opened')
  const { url } = browser.exchanges.length > 0 ? browser.exchanges[0]! : { url: '' }
  t.match(await world.stoppingBrowser().open(url), FOREIGN)
  await browser.open(entra.control.signIn({ account: JANE, authorizeUrl }))
  t.match(await world.stoppingBrowser().open(url), FOREIGN)
  await world.complete(id, 'opened')
  for (const who of [browser, world.stoppingBrowser()])
    t.match(await who.open(url), USED, 'once it is over, nobody is warned of anybody')
})

t.test('a link that is opened again in two tabs at once can still be finished', async (t) => {
  for (let round = 0; round < 8; round++) {
    const { id, url } = await caller.beginConnect(`again-${round}`)
    const browser = world.stoppingBrowser()
    await browser.open(url)
    const pages = await Promise.all([browser.open(url), browser.open(url)])
    const reached = await Promise.all(
      pages.map((page) => browser.open(entra.control.signIn({ account: JANE, authorizeUrl: page.refresh! }))),
    )
    t.equal(reached.filter((page) => page.refresh?.includes(id)).length, 1, 'the state that was sent last')
  }
})

t.test('invented links leave no session behind', async (t) => {
  const count = async () => (await sql`select count(*)::int n from browser_session`)[0]!['n']
  const before = await count()
  for (let i = 0; i < 3; i++) {
    const answer = await request(
      `${world.baseUrl}/auth/oauth2/microsoft/connect/${randomBytes(32).toString('base64url')}`,
    )
    t.match(answer, { statusCode: 410, headers: { 'set-cookie': undefined } })
    await answer.body.dump()
  }
  t.equal(await count(), before)
})

t.test('logging out of MEGDocs ends links that were not opened yet, and attempts that came back', async (t) => {
  for (const intent of ['manage', 'connect'] as const) {
    const { id, url } = await caller.beginConnect('leaving', { intent })
    await caller.endBrowserSessions('leaving')
    t.equal((await world.stoppingBrowser().open(url)).status, 410)
    t.match(await statusOf(id), { status: 'expired' })
  }
  const { id, browser, authorizeUrl } = await world.toMicrosoft('leaving')
  await browser.open(entra.control.signIn({ account: JANE, authorizeUrl }))
  await caller.endBrowserSessions('leaving')
  t.match(
    await caller.send('POST', `/connect-sessions/${id}/complete`, { user_id: 'leaving', handle: world.handle(id) }),
    { status: 410 },
  )
})

t.test(
  'of several browsers that open a link at once one gets to Microsoft, and the others are left without a session',
  async (t) => {
    const { id, url } = await caller.beginConnect('rush')
    const browsers = await Promise.all(Array.from({ length: 5 }, withCookie))
    const pages = await Promise.all(browsers.map((browser) => browser.open(url)))
    t.equal(pages.filter(isAtMicrosoft).length, 1)
    for (const page of pages) if (!isAtMicrosoft(page)) t.match(page, FOREIGN)
    t.equal((await sessionsOf('rush')).length, 1)
    const winner = pages.findIndex(isAtMicrosoft)
    await browsers[winner]!.open(entra.control.signIn({ account: JANE, authorizeUrl: pages[winner]!.refresh! }))
    t.match(await statusOf(id), { status: 'received' })
  },
)

t.test('a link that one browser opens in two tabs at once can be finished', async (t) => {
  const { id, url } = await caller.beginConnect('double')
  const browser = await withCookie()
  const pages = await Promise.all([browser.open(url), browser.open(url)])
  const reached = await Promise.all(
    pages
      .filter(isAtMicrosoft)
      .map((page) => browser.open(entra.control.signIn({ account: JANE, authorizeUrl: page.refresh! }))),
  )
  t.ok(reached.some((page) => page.refresh?.includes(id)))
})

t.test("a second tab that was on its way with the cookie of before does not take the first one's away", async (t) => {
  const { id, url } = await caller.beginConnect('overtaken')
  const browser = await withCookie()
  const cookie = browser.jar.header(new URL(url), { method: 'GET', crossSite: false })!
  const { refresh = '' } = await browser.open(url)
  const late = await request(url, { headers: { cookie } })
  t.equal(late.statusCode, 403)
  t.equal(late.headers['set-cookie'], undefined)
  await late.body.dump()
  await browser.open(entra.control.signIn({ account: JANE, authorizeUrl: refresh }))
  t.match(await statusOf(id), { status: 'received' })
})

for (const header of [{ 'sec-purpose': 'prefetch;prerender' }, { purpose: 'prefetch' }, { 'x-moz': 'prefetch' }]) {
  t.test(`a look ahead (${Object.keys(header)[0]}) does not spend the link`, async (t) => {
    const { id, url } = await caller.beginConnect('prefetch')
    const browser = createBrowser({ headers: header })
    t.match(await browser.open(url), { status: 503, headers: { 'set-cookie': undefined } })
    t.match(await statusOf(id), { status: 'created' })
    t.ok(isAtMicrosoft(await world.stoppingBrowser().open(url)))
  })
}

t.test('neither a HEAD, nor a mail scanner without cookies, nor a POST spends the link', async (t) => {
  const { id, url } = await caller.beginConnect('scanned')
  const head = await request(url, { method: 'HEAD' })
  t.match(head, { statusCode: 200, headers: { 'set-cookie': undefined } })
  t.equal((await request(url, { method: 'POST' })).statusCode, 404)
  t.equal((await request(url)).statusCode, 303, 'a first visit only gets a cookie')
  t.match(await statusOf(id), { status: 'created' })
})

t.test('a browser without cookies gets a page that says so, and the link is not spent', async (t) => {
  const { id, url } = await caller.beginConnect('cookieless')
  const page = await world.browser({ blockCookies: true }).open(url)
  t.match(page, { status: 400, title: /cookies/ })
  t.match(await statusOf(id), { status: 'created' })
  t.ok(isAtMicrosoft(await world.stoppingBrowser().open(url)))
})

t.test('a visit that leads nowhere leaves no session and no cookie', async (t) => {
  const before = (await sql`select 1 from browser_session`).length
  for (const path of [
    '/auth/oauth2/microsoft/callback?state=x',
    '/accounts/account/microsoft/',
    '/auth/oauth2/microsoft/admin-consent',
    '/auth/oauth2/microsoft/nothing',
  ]) {
    t.equal((await world.browser().open(world.baseUrl + path)).headers['set-cookie'], undefined)
  }
  t.equal((await sql`select 1 from browser_session`).length, before)
})

t.test('the session gets a new id when the user differs, and the one before is gone', async (t) => {
  const first = await world.toMicrosoft('earlier')
  const [was] = first.browser.jar.values()
  const later = await caller.beginConnect('later')
  const asked = await first.browser.open(later.url)
  t.match(asked, OTHER_SIGN_IN)
  const { refresh: authorizeUrl = '' } = await first.browser.click(asked, 'Continue with this link')
  const second = { id: later.id, authorizeUrl }
  const [is] = first.browser.jar.values()
  t.not(is, was)
  t.same(await sessionsOf('earlier'), [])
  t.equal((await sessionsOf('later')).length, 1)
  t.match(
    await first.browser.open(entra.control.signIn({ account: JANE, authorizeUrl: first.authorizeUrl })),
    { status: 400 },
    "the colleague's attempt is over",
  )
  const third = await world.toMicrosoft('later', { browser: first.browser })
  t.equal(first.browser.jar.values()[0], is, 'the same user keeps theirs')
  for (const { id, authorizeUrl } of [second, third]) {
    await first.browser.open(entra.control.signIn({ account: JANE, authorizeUrl }))
    t.match(await statusOf(id), { status: 'received' })
  }
})

for (const intent of ['connect', 'manage'] as const) {
  t.test(`somebody else's ${intent} link does not end a sign-in that is under way in this browser`, async (t) => {
    const userId = `under-way-${intent}`
    const { id, browser, authorizeUrl } = await world.toMicrosoft(userId)
    const [cookie] = browser.jar.values()
    const foreign = await caller.beginConnect(`mallory-${intent}`, { intent })
    const asked = await browser.open(foreign.url)
    t.match(asked, OTHER_SIGN_IN)
    t.match(asked.text, /has not been used/)
    const proof = new URL(asked.links.find(({ text }) => text === 'Continue with this link')!.href, asked.url)
    // A proof is for one link and one browser session: nobody can send it along.
    const mallory = await world.toMicrosoft(`somebody-${intent}`)
    const another = await caller.beginConnect(`mallory-${intent}`, { intent })
    const sent = (await mallory.browser.open(another.url)).links.find(({ text }) => text === 'Continue with this link')!
    for (const url of [
      `${foreign.url}?instead=1`,
      `${foreign.url}?cookies=1`,
      `${another.url}${proof.search}`,
      new URL(sent.href, another.url).href,
    ])
      t.match(await browser.open(url), OTHER_SIGN_IN)
    t.match(await browser.open(`${world.baseUrl}/accounts/account/microsoft/`), { status: 403 }, 'no account page')
    for (const { id } of [foreign, another]) t.match(await statusOf(id), { status: 'created' }, 'the link is not spent')
    t.equal(browser.jar.values()[0], cookie)
    await browser.open(entra.control.signIn({ account: JANE, authorizeUrl }))
    await world.complete(id, userId)
    t.match(await statusOf(id), { status: 'connected' }, 'the answer to their own sign-in is taken')
  })
}

t.test('when nothing is at Microsoft any longer, a link of another user opens without a question', async (t) => {
  const { browser, authorizeUrl } = await world.toMicrosoft('back-already')
  await browser.open(entra.control.signIn({ account: JANE, authorizeUrl }))
  t.ok(isAtMicrosoft(await browser.open((await caller.beginConnect('next-one')).url)))
  await sql`update connect_session set expires_at = now() where user_id = 'next-one'`
  t.ok(isAtMicrosoft(await browser.open((await caller.beginConnect('third')).url)), 'too late counts as over')
  await caller.endBrowserSessions('third')
  t.ok(isAtMicrosoft(await browser.open((await caller.beginConnect('fourth')).url)), 'so does a logout')
})

t.test('a session id that somebody planted is not taken over', async (t) => {
  const attacker = world.stoppingBrowser()
  await attacker.open(
    (await caller.beginConnect('nobody')).url.replace(/.{43}$/, randomBytes(32).toString('base64url')),
  )
  const planted = attacker.jar.values()[0]!
  const victim = world.stoppingBrowser()
  victim.jar.take([`${COOKIE}=${planted}; Path=/`], new URL(world.baseUrl))
  const { id, url } = await caller.beginConnect('victim')
  const page = await victim.open(url)
  t.ok(isAtMicrosoft(page))
  t.not(victim.jar.values()[0], planted)
  t.match(
    await attacker.open(entra.control.signIn({ account: JANE, authorizeUrl: page.refresh! })),
    { status: 400 },
    'the attacker cannot answer for it',
  )
  const manage = await caller.beginConnect('victim', { intent: 'manage' })
  t.equal((await victim.open(manage.url)).status, 200)
  t.equal((await attacker.open(`${world.baseUrl}/accounts/account/microsoft/`)).status, 403, 'nor see the account page')
  t.match(await statusOf(id), { status: 'authorizing' })
})

t.test('a cookie that we did not sign opens nothing and is not stored', async (t) => {
  const browser = world.stoppingBrowser()
  const forged = randomBytes(32).toString('base64url')
  browser.jar.take([`${COOKIE}=${forged}.${randomBytes(32).toString('base64url')}; Path=/`], new URL(world.baseUrl))
  t.ok(isAtMicrosoft(await browser.open((await caller.beginConnect('forger')).url)))
  t.notMatch(browser.jar.values()[0], forged)
})

t.test('a session that was ended while a request was under way stays ended', async (t) => {
  const store = world.replica.services.browserSessions
  const id = randomBytes(32)
  const noTimes = { expires: null, originalMaxAge: null }
  await store.create(id, { seen: true }, 'gone', 60)
  t.same(await store.get(id), { seen: true, cookie: noTimes })
  await store.update(id, { manages: true }, 'gone', 60)
  t.same(await store.get(id), { seen: true, manages: true, cookie: noTimes })
  await store.endAllOf('gone')
  await store.update(id, { csrfToken: 'x' }, 'gone', 60)
  t.equal(await store.get(id), undefined)
})

t.test('the address of the link is in no log line', async (t) => {
  for (const { url } of (await Promise.all(['a', 'b'].map((user) => world.toMicrosoft(`log-${user}`)))).flatMap(
    ({ browser }) => browser.exchanges,
  )) {
    t.notOk(world.replica.logged().includes(url.split(/[/?]/).find((part) => part.length === 43) ?? 'missing'))
  }
})
