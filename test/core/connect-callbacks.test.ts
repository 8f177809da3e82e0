import t from 'tap'
import { CALLBACK, JANE, startWorld } from '../support/world.ts'

// What comes to the callback when the user, Microsoft or somebody hostile does not approve.

const world = await startWorld(t)
const { entra, caller, sql } = world
const CANARY = 'canary-b7f3d1-do-not-echo'

const statusOf = async (id: string) => (await caller.send('GET', `/connect-sessions/${id}`)).body as Record<string, any>
const stateOf = (authorizeUrl: string): string => new URL(authorizeUrl).searchParams.get('state')!
const callback = (parameters: Record<string, string> | [string, string][]): string =>
  `${world.baseUrl}${CALLBACK}?${new URLSearchParams(parameters)}`
/** What the log says under the reference of the page. */
const linesOf = ({ html }: { html: string }): Record<string, unknown>[] => {
  const reference = /<code>([0-9a-f-]{36})<\/code><\/p>/.exec(html)?.[1]
  return world.replica
    .logged()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .filter((line) => line['request_id'] === reference)
}
const UNMATCHED = { status: 400, title: /cannot be finished here/ }

interface Refusal {
  name: string
  answer(authorizeUrl: string): string
  outcome: object
  page: RegExp
}

const withError =
  (error: string, more: Record<string, string> = {}) =>
  (authorizeUrl: string) =>
    callback({
      error,
      error_description: `AADSTS99999: ${CANARY}`,
      error_uri: `https://evil.example/${CANARY}`,
      state: stateOf(authorizeUrl),
      ...more,
    })

const REFUSALS: Refusal[] = [
  {
    name: 'a bare Cancel of a work account',
    answer: (authorizeUrl) => entra.control.decline({ account: JANE, authorizeUrl }),
    outcome: {
      code: 'connect_refused',
      reason: 'not_approved',
      who_acts: 'user',
      microsoft: { error: 'access_denied', suberror: 'cancel' },
    },
    page: /administrator/,
  },
  {
    name: 'access_denied from "Need admin approval"',
    answer: (authorizeUrl) => entra.control.needAdminApproval({ authorizeUrl }),
    outcome: {
      code: 'connect_refused',
      reason: 'not_approved',
      microsoft: { error: 'access_denied', suberror: 'cancel' },
    },
    page: /administrator/,
  },
  {
    name: 'access_denied with a description',
    answer: withError('access_denied'),
    outcome: { code: 'connect_refused', reason: 'not_approved' },
    page: /administrator/,
  },
  {
    name: 'consent_required',
    answer: withError('consent_required'),
    outcome: { code: 'connect_refused', reason: 'consent_required', who_acts: 'user' },
    page: /approve/,
  },
  {
    name: 'interaction_required',
    answer: withError('interaction_required'),
    outcome: { code: 'connect_refused', reason: 'sign_in_required' },
    page: /sign in/,
  },
  {
    name: 'server_error',
    answer: withError('server_error'),
    outcome: { code: 'microsoft_unavailable', reason: 'microsoft_error', who_acts: 'nobody' },
    page: /again/,
  },
  {
    name: 'temporarily_unavailable',
    answer: withError('temporarily_unavailable'),
    outcome: { code: 'microsoft_unavailable', reason: 'microsoft_error' },
    page: /again/,
  },
  {
    name: 'an error of our registration',
    answer: withError('unauthorized_client'),
    outcome: { code: 'broker_misconfigured', reason: 'app_registration', who_acts: 'ops' },
    page: /reference/i,
  },
  {
    name: 'an error that nobody listed',
    answer: withError(`${CANARY}<script>`),
    outcome: { code: 'broker_misconfigured', reason: 'app_registration', microsoft: {} },
    page: /reference/i,
  },
]

for (const [index, { name, answer, outcome, page }] of REFUSALS.entries()) {
  t.test(`${name}: a page that says what to do, the outcome for MEGDocs, nothing stored, nothing echoed`, async (t) => {
    const userId = `refusal-${index}`
    const before = entra.control.tokenRequests().total
    const { id, browser, authorizeUrl } = await world.toMicrosoft(userId)
    const url = answer(authorizeUrl)
    const shown = await browser.open(url)
    t.equal(shown.status, 200)
    t.match(shown.text, page)
    t.ok(
      shown.links.some(({ href }) => href.startsWith(world.baseUrl)),
      'there is a way on',
    )
    const status = await statusOf(id)
    t.match(status, { status: 'refused', outcome: { result: 'refused', ...outcome } })
    t.same(
      (await browser.open(url)).text.replace(/Reference.*/, ''),
      shown.text.replace(/Reference.*/, ''),
      'a reload shows the same',
    )

    const completed = await caller.send('POST', `/connect-sessions/${id}/complete`, {
      user_id: userId,
      handle: 'A'.repeat(43),
    })
    t.match(completed, { status: 409, body: { code: 'connect_refused', reason: 'not_back_yet', next: undefined } })
    t.same(await statusOf(id), status, 'a completion changes nothing: no browser has a handle of this attempt')
    const result = await world.browser().open(world.replica.services.links.result(id))
    t.match(result.text, page)
    t.match(
      linesOf(result).find((line) => line['connect_session'] === id),
      {
        user_id: userId,
        outcome: 'refused',
        reason: status['outcome'].reason,
      },
      'the reference on the page leads ops to the connect session',
    )
    t.equal(await world.row(userId), undefined)
    t.equal(entra.control.tokenRequests().total, before, 'Microsoft was not asked for tokens')
    const [row] = await sql`select pkce_verifier, code from connect_session where id = ${id}`
    t.same(row, { pkce_verifier: null, code: null })
    for (const text of [shown.html, result.html, JSON.stringify([status, completed])]) t.notMatch(text, CANARY)
  })
}

t.test('what Microsoft described, and code and state, are in no log line and no row', async (t) => {
  const rows = JSON.stringify(await sql`select outcome from connect_session`)
  for (const text of [world.replica.logged(), rows]) t.notMatch(text, CANARY)
  const { browser, authorizeUrl } = await world.toMicrosoft('unlogged')
  const url = entra.control.signIn({ account: JANE, authorizeUrl })
  await browser.open(url)
  const { code, state } = Object.fromEntries(new URL(url).searchParams)
  for (const secret of [code!, state!, ...browser.jar.values()]) t.notOk(world.replica.logged().includes(secret))
})

t.test(
  'an answer without its state, or with parameters that say two things, is refused and uses nothing up',
  async (t) => {
    const { id, browser, authorizeUrl } = await world.toMicrosoft('hostile')
    const good = entra.control.signIn({ account: JANE, authorizeUrl })
    const { code = '', state = '' } = Object.fromEntries(new URL(good).searchParams)
    const hostile: Record<string, string> = {
      'nothing at all': callback({}),
      'no state': callback({ code }),
      'an empty state': callback({ code, state: '' }),
      'a foreign state': callback({ code, state: 'A'.repeat(43) }),
      'a state of other characters': callback({ code, state: `${state}'; drop table connect_session` }),
      'the state twice': callback([
        ['code', code],
        ['state', state],
        ['state', state],
      ]),
      'two states': callback([
        ['code', code],
        ['state', state],
        ['state', 'A'.repeat(43)],
      ]),
      'the code twice': callback([
        ['code', code],
        ['code', code],
        ['state', state],
      ]),
      'a code and an error': callback({ code, state, error: 'access_denied' }),
      'neither code nor error': callback({ state }),
      'an empty code': callback({ code: '', state }),
      'a code that is too long': callback({ code: 'x'.repeat(8193), state }),
      'another parameter twice': callback([
        ['code', code],
        ['state', state],
        ['session_state', 'a'],
        ['session_state', 'b'],
      ]),
      'a state as an array by name': `${callback({ code })}&state[]=${state}`,
      'the prototype as a parameter': `${callback({ code })}&__proto__=${state}`,
    }
    for (const [name, url] of Object.entries(hostile)) {
      const page = await browser.open(url)
      t.match(page, UNMATCHED, name)
      t.notOk(page.html.includes(code.slice(0, 40)), 'and nothing of it is on the page')
    }
    t.match(await statusOf(id), { status: 'authorizing' })
    await browser.open(good)
    t.match(await statusOf(id), { status: 'received' }, 'the right answer still counts')
  },
)

t.test('a state is good in the browser that was given it, and in no other', async (t) => {
  const { id, browser, authorizeUrl } = await world.toMicrosoft('mine')
  const good = entra.control.signIn({ account: JANE, authorizeUrl })
  t.match(await world.browser().open(good), UNMATCHED, 'no cookie')
  const other = await world.toMicrosoft('theirs')
  t.match(await other.browser.open(good), UNMATCHED, 'the cookie of another user')
  const samePerson = await world.toMicrosoft('mine')
  t.match(await samePerson.browser.open(good), UNMATCHED, 'another browser of the same user')
  t.match(await statusOf(id), { status: 'authorizing' })

  t.match((await browser.open(good)).refresh, `${world.baseUrl}/microsoft/connected?connect_session=${id}&handle=`)
  t.match(await samePerson.browser.open(good), UNMATCHED)
})

t.test("the database alone refuses a state that was put into another browser's session", async (t) => {
  const victim = await world.toMicrosoft('guarded')
  const thief = await world.toMicrosoft('guarded')
  const sessions = await sql`select encode(id_hash, 'hex') id, data from browser_session where user_id = 'guarded'`
  const merged = Object.assign({}, ...sessions.map(({ data }) => data as object)) as Record<string, string>
  const attempts = Object.fromEntries(Object.entries(merged).filter(([name]) => name.startsWith('attempt:')))
  await sql`update browser_session set data = data || ${sql.json(attempts)} where user_id = 'guarded'`
  t.match(
    await thief.browser.open(entra.control.signIn({ account: JANE, authorizeUrl: victim.authorizeUrl })),
    UNMATCHED,
  )
  t.match(await statusOf(victim.id), { status: 'authorizing' })
})

t.test("a state that the browser's session does not hold is refused", async (t) => {
  const { id, browser, authorizeUrl } = await world.toMicrosoft('forgetful')
  await sql`update browser_session set data = data - array(select jsonb_object_keys(data)) || '{"seen": true}' where user_id = 'forgetful'`
  t.match(await browser.open(entra.control.signIn({ account: JANE, authorizeUrl })), UNMATCHED)
  t.match(await statusOf(id), { status: 'authorizing' })
})

t.test('a second hit of the same answer leads where the first did, and its code is not taken', async (t) => {
  const { id, browser, authorizeUrl } = await world.toMicrosoft('twice')
  const good = entra.control.signIn({ account: JANE, authorizeUrl })
  const first = await browser.open(good)
  const [{ code }] = (await sql`select code from connect_session where id = ${id}`) as any
  const second = await browser.open(good)
  t.equal(second.refresh, first.refresh)
  const { state = '' } = Object.fromEntries(new URL(good).searchParams)
  for (const other of [
    callback({ code: 'another-code', state }),
    callback({ error: 'access_denied', state }),
    callback({ error: 'server_error', state }),
  ]) {
    const page = await browser.open(other)
    t.match(page, UNMATCHED, 'the used state with another answer is unknown')
    t.notMatch(page.html, id)
  }
  t.same((await sql`select code from connect_session where id = ${id}`)[0]!['code'], code)
  await world.complete(id, 'twice')
  t.match(await world.row('twice'), { username: JANE })

  const after = await browser.open(good)
  t.match(after, UNMATCHED, 'after completion the browser session is over')
  t.match(after.text, /you are done/)
  t.match(await world.row('twice'), { username: JANE })
})

t.test('one answer that comes several times at once leads all of them to the same handle', async (t) => {
  const { id, browser, authorizeUrl } = await world.toMicrosoft('same-answer')
  const good = entra.control.signIn({ account: JANE, authorizeUrl })
  const pages = await Promise.all([1, 2, 3, 4].map(() => browser.open(good)))
  t.equal(new Set(pages.map(({ refresh }) => refresh)).size, 1)
  await world.complete(id, 'same-answer')
})

t.test('of several answers to one state at once exactly one is taken', async (t) => {
  const { id, browser, authorizeUrl } = await world.toMicrosoft('race')
  const state = stateOf(authorizeUrl)
  const urls = [1, 2, 3, 4, 5, 6].map((n) => callback({ code: `code-${n}`, state }))
  const pages = await Promise.all(urls.map((url) => browser.open(url)))
  t.equal(pages.filter((page) => page.refresh?.includes(`connect_session=${id}&handle=`)).length, 1)
  t.equal(pages.filter(({ status }) => status === UNMATCHED.status).length, urls.length - 1)
  const taken = world.replica
    .logged()
    .split('\n')
    .filter((line) => line.includes(id) && line.includes('"callback":"received"'))
  t.equal(taken.length, 1)
})

for (const [name, order] of [
  ['in the order they were opened', [0, 1]],
  ['the other way round', [1, 0]],
] as const) {
  t.test(`two tabs with an attempt each both finish, ${name}`, async (t) => {
    const userId = `tabs-${order.join('')}`
    const first = await world.toMicrosoft(userId)
    const second = await world.toMicrosoft(userId, { browser: first.browser })
    for (const index of order) {
      const { id, browser, authorizeUrl } = [first, second][index]!
      const page = await browser.open(entra.control.signIn({ account: JANE, authorizeUrl }))
      t.match(page.refresh, `${world.baseUrl}/microsoft/connected?connect_session=${id}&handle=`)
      await world.complete(id, userId)
      t.match(await statusOf(id), {
        status: 'connected',
        outcome: { result: index === order[0] ? 'connected' : 'reconnected' },
      })
    }
    t.same(
      await sql`select 1 from browser_session where user_id = ${userId}`,
      [],
      'the browser session is over with the last one',
    )
  })
}

t.test('two tabs that come back at the same moment both finish', async (t) => {
  const first = await world.toMicrosoft('both')
  const second = await world.toMicrosoft('both', { browser: first.browser })
  await Promise.all(
    [first, second].map(async ({ id, browser, authorizeUrl }) => {
      await browser.open(entra.control.signIn({ account: JANE, authorizeUrl }))
      await world.complete(id, 'both')
    }),
  )
  for (const { id } of [first, second]) t.match(await statusOf(id), { status: 'connected' })
})

t.test('a refusal is shown again to the answer that brought it, and to no other', async (t) => {
  const { id, browser, authorizeUrl } = await world.toMicrosoft('refused-once')
  const good = entra.control.signIn({ account: JANE, authorizeUrl })
  const { state = '', code = '' } = Object.fromEntries(new URL(good).searchParams)
  const came = callback({ error: 'access_denied', error_subcode: 'cancel', state })
  t.match(await browser.open(came), { status: 200 })
  t.match(await browser.open(came), { status: 200 })
  for (const other of [
    good,
    callback({ code, state, error_subcode: 'cancel' }),
    callback({ error: 'access_denied', state }),
    callback({ error: 'consent_required', error_subcode: 'cancel', state }),
    callback({ error: 'access_denied', error_subcode: 'cancel', error_description: 'AADSTS65004: x', state }),
  ])
    t.match(await browser.open(other), UNMATCHED)
  t.match(await statusOf(id), { status: 'refused' })
})

t.test('an answer that comes after 30 minutes is refused', async (t) => {
  const { id, browser, authorizeUrl } = await world.toMicrosoft('late')
  const [row] = await sql`select extract(epoch from expires_at - now())::int left from connect_session where id = ${id}`
  t.ok(row!['left'] > 1700 && row!['left'] <= 1800)
  await sql`update connect_session set expires_at = now() - interval '1 second' where id = ${id}`
  t.match(await browser.open(entra.control.signIn({ account: JANE, authorizeUrl })), UNMATCHED)
  t.match(await statusOf(id), { status: 'expired', outcome: undefined })
})

t.test('an answer to a browser session that has run out is refused', async (t) => {
  const { id, browser, authorizeUrl } = await world.toMicrosoft('session-over')
  await sql`update browser_session set expires_at = now() - interval '1 second' where user_id = 'session-over'`
  t.match(await browser.open(entra.control.signIn({ account: JANE, authorizeUrl })), UNMATCHED)
  t.match(await statusOf(id), { status: 'authorizing' })
})

t.test('what Microsoft answered to the code stands under the reference of the result page', async (t) => {
  const { id, browser, authorizeUrl } = await world.toMicrosoft('traced')
  await browser.open(entra.control.signIn({ account: JANE, authorizeUrl }))
  entra.control.misbehave('aadsts', 7000215, { times: 1 })
  const { body } = await caller.send('POST', `/connect-sessions/${id}/complete`, {
    user_id: 'traced',
    handle: world.handle(id),
  })
  const page = await world.browser().open((body as { next: string }).next)
  t.notMatch(page.html, '7000215')
  t.match(
    linesOf(page).find((line) => line['connect_session'] === id),
    {
      user_id: 'traced',
      outcome: 'refused',
      reason: 'client_credential',
      aadsts: 7000215,
      correlation_id: /^[0-9a-f-]{36}$/,
    },
  )
})

t.test('a result that is not kept any more is not called a link that has expired', async (t) => {
  const { id, next } = await world.connect('forgotten')
  await sql`update connect_session set expires_at = now() where id = ${id}`
  const page = await world.browser().open(next)
  t.match(page, { status: 410, title: /no longer shown/ })
  t.match(page.text, 'If you have just connected, you are done')
  for (const entry of ['connect', 'manage'])
    t.ok(
      page.links.some(({ href }) => href === `${world.baseUrl}/microsoft/${entry}`),
      entry,
    )
})

t.test('the state identifies an administrator who comes back, and nobody gets connected', async (t) => {
  const page = await world.browser().open(`${world.baseUrl}/auth/oauth2/microsoft/admin-consent`)
  t.equal((await world.browser().open(`${page.url}/`)).title, page.title, 'with a slash at the end too')
  const start = page.links.map(({ href }) => href).find((href) => href.startsWith(entra.url))!
  const state = stateOf(start)
  const good = await world.browser().open(callback({ admin_consent: 'True', tenant: CANARY, state, scope: CANARY }))
  t.equal(good.status, 200)
  t.match(good.title, /is approved/)
  t.equal((await world.browser().open(callback({ admin_consent: 'true', state }))).title, good.title)
  const unapproved: Record<string, Record<string, string> | [string, string][]> = {
    'an error, whatever else is said': {
      error: 'access_denied',
      error_description: CANARY,
      admin_consent: 'True',
      state,
    },
    'nothing said': { tenant: CANARY, state },
    False: { admin_consent: 'False', tenant: CANARY, state },
    'said twice': [
      ['admin_consent', 'True'],
      ['admin_consent', 'True'],
      ['state', state],
    ],
  }
  for (const [name, parameters] of Object.entries(unapproved)) {
    const page = await world.browser().open(callback(parameters))
    t.match(page, { status: 200, title: /was not approved/ }, name)
    t.notMatch(page.html, CANARY)
  }
  t.notMatch(good.html, CANARY)
  t.match(
    await world.browser().open(callback({ admin_consent: 'True', state: `admin.${'x'.repeat(22)}.${'y'.repeat(43)}` })),
    UNMATCHED,
    'a made-up state is not one',
  )
})
