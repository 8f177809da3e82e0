import t from 'tap'
import { request } from 'undici'
import type { Browser, Page } from '../../sandbox/browser.ts'
import { JANE, startWorld } from '../support/world.ts'

// The account page (docs/design.md#pages): who may see it, and that a visit changes nothing.

const world = await startWorld(t)
const { caller, sql, entra } = world
const ACCOUNT = `${world.baseUrl}/accounts/account/microsoft/`
const DISCONNECT = `${ACCOUNT}disconnect`
const CLOSED = { status: 403, title: /open this page from MEGDocs/ }

async function manage(
  userId: string,
  browser = world.stoppingBrowser(),
): Promise<{ browser: Browser; page: Page; url: string }> {
  const { url } = await caller.beginConnect(userId, { intent: 'manage' })
  return { browser, page: await browser.open(url), url }
}
const tokenOf = (page: Page): string => page.forms[0]!.fields['csrf_token']!

/** A form as a hostile page or a clumsy one would send it. */
async function post(browser: Browser, fields: Record<string, string>, headers: Record<string, string> = {}) {
  const cookie = browser.jar.header(new URL(ACCOUNT), { method: 'GET', crossSite: false })
  const answer = await request(DISCONNECT, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      ...(cookie === undefined ? {} : { cookie }),
      ...headers,
    },
    body: new URLSearchParams(fields).toString(),
  })
  return { status: answer.statusCode, html: await answer.body.text() }
}

t.test('a manage link opens the page of its user, connected or not', async (t) => {
  await world.connect('anna')
  const connected = await manage('anna')
  t.equal(connected.page.url, ACCOUNT)
  t.equal(connected.page.status, 200)
  t.match(connected.page.text, JANE)
  const { page } = await manage('bert')
  t.equal(page.status, 200)
  t.notMatch(page.text, JANE)
  t.ok(
    page.links.some(({ href }) => href === `${world.baseUrl}/microsoft/connect`),
    'connecting begins in MEGDocs',
  )
  t.match(await connected.browser.open(ACCOUNT.slice(0, -1)), { status: 200 }, 'also without the slash')
})

t.test('without a manage link the page is closed', async (t) => {
  t.match(await world.browser().open(ACCOUNT), CLOSED)
  const { browser } = await world.toMicrosoft('connecting')
  t.match(await browser.open(ACCOUNT), CLOSED, 'a connect link does not open it')
  t.match(await post(browser, { csrf_token: 'x' }), { status: 410 })
})

t.test('the reference on the page leads ops to the user and to how their connection stands', async (t) => {
  await world.connect('olga')
  const at = new Date().toISOString()
  const failure = { verdict: 'reconnect', reason: 'access_revoked', final: true, microsoft: { status: 400 }, at }
  await sql`update oauth2_integration set status = 'reconnect_required', failure = ${sql.json(failure)}
    where user_id = 'olga'`
  for (const [userId, expected] of [
    ['olga', { status: 'reconnect_required', reason: 'access_revoked' }],
    ['paul', { status: 'not_connected' }],
  ] as const) {
    const { page } = await manage(userId)
    const reference = /<code>([0-9a-f-]{36})<\/code><\/p>/.exec(page.html)?.[1]
    const lines = world.replica
      .logged()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
    t.match(
      lines.find((line) => line['request_id'] === reference && line['user_id'] === userId),
      expected,
    )
  }
})

t.test('disconnecting twice, by reload or double click, ends in words that are true', async (t) => {
  await world.connect('rita')
  const { browser } = await manage('rita')
  const token = tokenOf(await browser.open(`${ACCOUNT}?confirm=disconnect`))
  const cookies = browser.jar.header(new URL(ACCOUNT), { method: 'GET', crossSite: false })!
  t.match(await post(browser, { csrf_token: token }), { status: 303 })
  for (const [language, words] of [
    ['en', /If you have just disconnected, you are done/],
    ['de', /Wenn Sie die Verbindung gerade getrennt haben, ist alles erledigt/],
  ] as const) {
    const again = await post(world.browser(), { csrf_token: token }, { cookie: cookies, 'accept-language': language })
    t.match(again, { status: 410, html: words })
    t.notMatch(again.html, /role="alert"/)
  }
})

t.test(
  'after disconnecting, reload, the form of a second tab and a restored tab all show that it is done',
  async (t) => {
    await world.connect('tabs')
    const { browser } = await manage('tabs')
    const [one, two] = [
      await browser.open(`${ACCOUNT}?confirm=disconnect`),
      await browser.open(`${ACCOUNT}?confirm=disconnect`),
    ]
    const done = await browser.press(one, 'disconnect')
    t.match(done, { status: 200, url: `${ACCOUNT}disconnected`, title: /^Disconnected/ })
    t.match(await browser.open(done.url), { status: 200, title: done.title }, 'reload')
    t.match(await browser.press(two, 'disconnect'), { url: done.url, title: done.title }, 'the second tab')
    t.match(await browser.open(DISCONNECT), { url: done.url, title: done.title }, 'Enter in the address bar')
    const rows = await sql`select data from browser_session where data ? 'disconnected'`
    t.ok(rows.length > 0)
    t.notMatch(JSON.stringify(rows), /tabs|rita|userId/, 'the session that follows knows nobody')
    await world.connect('tabs')
    await browser.open((await caller.beginConnect('tabs', { intent: 'manage' })).url)
    t.match(await browser.open(done.url), { status: 200, url: ACCOUNT }, 'a later visit knows nothing of it')
    t.match(await world.browser().open(done.url), CLOSED, 'nor does another browser')
  },
)

t.test('a manage link works in one browser', async (t) => {
  const { browser, url } = await manage('once')
  t.match(await browser.open(url), { status: 200 }, 'reload')
  t.match(await world.stoppingBrowser().open(url), { status: 403, title: /another browser/ })
  t.match(
    await caller.send(
      'POST',
      `/connect-sessions/${(await caller.beginConnect('once', { intent: 'manage' })).id}/complete`,
      { user_id: 'once' },
    ),
    { status: 409, body: { code: 'connect_refused', reason: 'not_back_yet' } },
    'and completes nothing',
  )
})

t.test('looking at pages changes nothing, and only the button disconnects', async (t) => {
  await world.connect('carl')
  const { browser } = await manage('carl')
  const elsewhere = await manage('carl')
  for (const path of ['', '?confirm=disconnect', 'disconnect', 'disconnect?csrf_token=x', '?disconnect=yes'])
    await browser.open(ACCOUNT + path)
  t.equal((await browser.open(`${ACCOUNT}disconnect`)).url, `${ACCOUNT}?confirm=disconnect`, 'a restored tab')
  t.match(await world.row('carl'), { status: 'active' })

  const confirm = await browser.click(await browser.open(ACCOUNT), 'confirm=disconnect')
  t.match(confirm.text, JANE)
  t.match(tokenOf(confirm), /^[A-Za-z0-9_-]{43}$/)
  const done = await browser.press(confirm, 'disconnect')
  t.equal(done.status, 200)
  t.equal(await world.row('carl'), undefined)
  t.same(
    (await sql`select type, caller from event where user_id = 'carl' order by id`).map((row) => ({ ...row })),
    [
      { type: 'connected', caller: 'megdocs' },
      { type: 'disconnected', caller: 'account-page' },
    ],
  )
  t.same(await sql`select 1 from browser_session where user_id = 'carl'`, [])
  t.match(await browser.open(ACCOUNT), CLOSED, 'the session is over with it')
  t.match(await elsewhere.browser.open(ACCOUNT), CLOSED, 'and those of other browsers')

  await world.connect('carla')
  const page = await manage('carla')
  await caller.disconnect('carla')
  t.match(await page.browser.open(ACCOUNT), CLOSED, 'also when MEGDocs disconnects')
})

t.test('a form without the right token disconnects nobody', async (t) => {
  await world.connect('dora')
  const { browser } = await manage('dora')
  const token = tokenOf(await browser.open(`${ACCOUNT}?confirm=disconnect`))
  const other = await manage('emil')
  await world.connect('emil')
  const { browser: emils } = await manage('emil', other.browser)
  const foreign = tokenOf(await emils.open(`${ACCOUNT}?confirm=disconnect`))
  t.not(foreign, token)
  for (const fields of [
    {},
    { csrf_token: '' },
    { csrf_token: token.slice(0, -1) },
    { csrf_token: `${token}x` },
    { csrf_token: foreign },
    { other: token },
  ] as Record<string, string>[]) {
    t.match(await post(browser, fields), { status: 403, html: /This was not done/ })
  }
  const notDone = { status: 403, html: /This was not done/ }
  t.match(await post(browser, {}, { 'content-type': 'application/json' }), notDone)
  t.match(await post(browser, {}, { 'content-type': 'multipart/form-data' }), notDone)
  t.match(await post(browser, { csrf_token: token, filler: 'x'.repeat(10_000) }), notDone, 'nor one that is too long')
  t.match(await post(world.browser(), { csrf_token: token }), { status: 410 }, 'nor one without the session')
  t.match(await post(emils, { csrf_token: token }), { status: 403 }, 'nor one of another session')
  t.match(await world.row('dora'), { status: 'active' })
  t.match(await world.row('emil'), { status: 'active' })
  t.match(await post(browser, { csrf_token: token }), { status: 200 })
  t.equal(await world.row('dora'), undefined)
})

t.test('a token that nobody was given yet fits nothing', async (t) => {
  await world.connect('fred')
  const { browser } = await manage('fred')
  for (const csrf_token of ['', 'undefined', 'null']) t.match(await post(browser, { csrf_token }), { status: 403 })
  t.match(await world.row('fred'), { status: 'active' })
})

t.test('the page is closed when the user logs out of MEGDocs, in every browser', async (t) => {
  const [one, two] = [await manage('gina'), await manage('gina')]
  const other = await manage('hans')
  await caller.endBrowserSessions('gina')
  for (const { browser } of [one, two]) t.match(await browser.open(ACCOUNT), CLOSED)
  t.equal((await other.browser.open(ACCOUNT)).status, 200)
})

t.test('the page is closed when a connect completes', async (t) => {
  const { browser } = await manage('ida')
  const { id, authorizeUrl } = await world.toMicrosoft('ida', { browser })
  t.match(
    (await browser.open(ACCOUNT)).text,
    /sent to Microsoft|not finished|unfinished/i,
    'until then it says that an attempt is under way',
  )
  await browser.open(entra.control.signIn({ account: JANE, authorizeUrl }))
  await world.complete(id, 'ida')
  t.match(await browser.open(ACCOUNT), CLOSED)
})

t.test(
  'with another attempt still at Microsoft a completed connect closes the page, and the attempt can finish',
  async (t) => {
    const { browser } = await manage('jan')
    const [first, second] = [await world.toMicrosoft('jan', { browser }), await world.toMicrosoft('jan', { browser })]
    await browser.open(entra.control.signIn({ account: JANE, authorizeUrl: first.authorizeUrl }))
    await world.complete(first.id, 'jan')
    t.match(await browser.open(ACCOUNT), CLOSED)
    await browser.open(entra.control.signIn({ account: JANE, authorizeUrl: second.authorizeUrl }))
    await world.complete(second.id, 'jan')
  },
)

t.test('the session lives for 30 minutes and no longer', async (t) => {
  const { browser } = await manage('kim')
  const [row] =
    await sql`select extract(epoch from expires_at - now())::int left from browser_session where user_id = 'kim'`
  t.ok(row!['left'] > 1700 && row!['left'] <= 1800)
  await browser.open(ACCOUNT)
  t.same(
    await sql`select extract(epoch from expires_at - now())::int > 1800 longer from browser_session where user_id = 'kim'`.then(
      ([r]) => r!['longer'],
    ),
    false,
  )
  await sql`update browser_session set expires_at = now() where user_id = 'kim'`
  t.match(await browser.open(ACCOUNT), CLOSED)
})

t.test('the user of another session sees their own account only', async (t) => {
  await world.connect('lars')
  await world.connect('mona', 'omar@contoso.com')
  const browser = world.stoppingBrowser()
  t.match((await manage('lars', browser)).page.text, JANE)
  const { page } = await manage('mona', browser)
  t.match(page.text, 'omar@contoso.com')
  t.notMatch(page.text, JANE)
})

t.test('a disconnected user can connect again with any account', async (t) => {
  await world.connect('nils')
  await caller.disconnect('nils')
  await world.connect('nils', 'omar@contoso.com')
  t.match(await world.row('nils'), { username: 'omar@contoso.com' })
})
