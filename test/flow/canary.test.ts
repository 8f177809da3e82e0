import { randomBytes } from 'node:crypto'
import t, { type Test } from 'tap'
import { type Browser, createBrowser, type Page } from '../../sandbox/browser.ts'
import { BROKER_AUTHORITY } from '../../sandbox/broker.ts'
import { createBrokerClient } from '../../sandbox/megdocs/broker-client.ts'
import { generateKey } from '../../src/signature/keygen.ts'
import { browserSecrets, dump, search, wiretap } from '../support/canary.ts'
import { unlistedLogFields } from '../support/data-inventory.ts'
import { CALLBACK, startWorld, type World } from '../support/world.ts'

// Runs all flows and all kinds of failures, and collects all secrets. Afterwards no secret may be in a log, an error, a
// page, a metric, or in plain text in the database (docs/security.md#logs).

interface Course {
  world: World
  /** All secrets. */
  secrets(): string[]
  /** Error answers to callers, and our pages. */
  said: string[]
  browsers: Browser[]
  /** By connect session. The page that sends the browser on holds it, no other page. */
  handles: Map<string, string>
  /** A browser that stops before Microsoft. Its pages are collected. */
  person(): Browser
  /** A signed call whose answer is an error or contains no secret. */
  ask(method: string, path: string, body?: object): Promise<{ status: number; body: unknown }>
  show(page: Page): Page
}

/** Sent in each place where input of others could be echoed. */
const PLANTED = randomBytes(32).toString('base64url')

async function setUp(t: Test): Promise<Course> {
  const tap = wiretap()
  t.teardown(() => tap.close())
  const world = await startWorld(t, {
    overrides: { dispatcher: tap.dispatcher },
    env: { LOG_LEVEL: 'trace', RESPONSE_SIGNING_KEY: responseKey() },
  })
  const browsers: Browser[] = []
  const said: string[] = []
  const { env } = world
  const own = [
    env['SEALING_KEYS']!.split(':')[1]!,
    env['SESSION_SECRETS']!,
    env['MICROSOFT_CLIENT_SECRET']!,
    env['RESPONSE_SIGNING_KEY']!.split(':')[1]!,
    world.secrets.megdocsKey.secret!,
    new URL(env['DATABASE_URL']!).password,
  ]
  const tickets: string[] = []
  const handles = new Map<string, string>()
  const course: Course = {
    world,
    said,
    browsers,
    handles,
    secrets: () => [
      ...own,
      PLANTED,
      ...tickets,
      ...tap.secrets,
      ...browsers.flatMap(({ exchanges }) => browserSecrets(exchanges)),
    ],
    person() {
      const browser = createBrowser({
        stopBefore: (url) => {
          const { searchParams } = new URL(url)
          const handle = searchParams.get('handle')
          if (handle !== null) handles.set(searchParams.get('connect_session')!, handle)
          return url.startsWith(world.entra.url) || url.includes('/microsoft/connected')
        },
      })
      browsers.push(browser)
      return browser
    },
    async ask(method, path, body) {
      const answer = await world.caller.send(method, path, body)
      said.push(JSON.stringify(answer))
      return answer
    },
    show(page) {
      said.push(page.html, JSON.stringify({ ...page.headers, 'set-cookie': undefined, location: undefined }))
      return page
    },
  }
  return course
}

function responseKey(): string {
  const { caller } = generateKey('ed25519', 'broker', Date.now() + 86_400_000, Date.now())
  return `${caller.key_id}:${caller.private_key}`
}

/** Begins a connect session and opens its link, up to Microsoft. */
async function toMicrosoft({ world, person }: Course, userId: string, browser = person()) {
  const { id, url } = await world.caller.beginConnect(userId)
  const page = await browser.open(url)
  if (page.refresh === undefined) throw new Error(`did not reach Microsoft: ${page.status}`)
  return { id, url, browser, authorizeUrl: page.refresh }
}

async function connect(course: Course, userId: string, account = 'jane@contoso.com') {
  const { id, browser, authorizeUrl } = await toMicrosoft(course, userId)
  course.show(await browser.open(course.world.entra.control.signIn({ account, authorizeUrl })))
  const { body } = await course.ask('POST', `/connect-sessions/${id}/complete`, {
    user_id: userId,
    handle: course.handles.get(id),
  })
  const { next } = body as { next?: string }
  if (next !== undefined) course.show(await browser.open(next))
  return { id, browser }
}

async function ordinaryFlows(course: Course): Promise<void> {
  const { world, ask, show } = course
  const { id } = await connect(course, '1')
  await world.caller.token('1')
  await world.setRemaining('1', 100)
  const { generation } = await world.caller.token('1')
  await world.caller.refresh('1', generation)
  for (const path of [
    '/integrations/1',
    `/connect-sessions/${id}`,
    '/integrations/nobody',
    '/tokens/nobody',
    '/nowhere',
  ])
    await ask('GET', path)
  const manager = course.person()
  const account = show(await manager.open((await world.caller.beginConnect('1', { intent: 'manage' })).url))
  const question = show(await manager.click(account, 'Disconnect'))
  show(await manager.press(question, 'Disconnect'))
  await connect(course, '1')
  await ask('DELETE', '/browser-sessions/1')
}

async function failuresOfMicrosoft(course: Course): Promise<void> {
  const { world, ask } = course
  const { control } = world.entra
  const again = () => world.sql`update oauth2_integration set retry_at = null, failure = null, status = 'active',
    access_token_expires_at = now() - interval '1 minute' where user_id = '1'`
  const cases: (() => void)[] = [
    () => control.misbehave('throttle', 1, { times: 1 }),
    () => control.misbehave('status', 503, { times: 1 }),
    // Twice: the first is sent once more on a new connection.
    () => control.misbehave('reset', true, { times: 2 }),
    () => control.misbehave('malformed', true, { times: 1 }),
    () => control.misbehave('truncated', true, { times: 1 }),
    () => control.misbehave('oversized', 300_000, { times: 1 }),
    () => control.misbehave('redirect', `${world.baseUrl}/?x=${PLANTED}`, { times: 1 }),
    () => control.misbehave('id_token', 'wrong_oid', { times: 1 }),
    ...[700082, 50173, 53003, 65001, 50196, 7000215].map(
      (code) => () => control.misbehave('aadsts', code, { times: 1 }),
    ),
  ]
  for (const misbehave of cases) {
    await again()
    misbehave()
    await ask('GET', '/tokens/1')
    control.behave()
  }
  for (const fault of [
    'missing',
    'garbage',
    'alg_none',
    'bad_signature',
    'wrong_nonce',
    'wrong_aud',
    'expired',
  ] as const) {
    control.misbehave('id_token', fault, { times: 1 })
    await connect(course, '2')
    control.behave()
  }
  control.misbehave('aadsts', 54005, { times: 2 })
  await connect(course, '2')
  control.misbehave('malformed', true, { times: 2 })
  await connect(course, '2')
  control.behave()
  await connect(course, '2', 'sam@fabrikam.com')
  await connect(course, '1', 'omar@contoso.com')
}

async function hostileBrowsers(course: Course): Promise<void> {
  const { world, person, show, ask } = course
  const { control } = world.entra
  const callback = (query: string) => `${world.baseUrl}${CALLBACK}?${query}`
  for (const query of [
    '',
    'code=x',
    `state=${PLANTED}`,
    `state=${PLANTED}&code=${PLANTED}`,
    `state=a&state=${PLANTED}&code=x`,
    `code=${PLANTED}&error=access_denied&state=${PLANTED}`,
    `error=${PLANTED}&error_description=${PLANTED}&state=${PLANTED}`,
    `error=access_denied&error_subcode=${PLANTED}&error_uri=${PLANTED}`,
  ])
    show(await person().open(callback(query)))
  for (const path of [
    `/auth/oauth2/microsoft/connect/${PLANTED}`,
    `/auth/oauth2/microsoft/result/${PLANTED}/${PLANTED}`,
    `/accounts/account/microsoft/?x=${PLANTED}`,
    `/auth/oauth2/microsoft/${PLANTED}`,
  ]) {
    show(await person().open(`${world.baseUrl}${path}`))
  }

  const declined = await toMicrosoft(course, '3')
  show(await declined.browser.open(control.decline({ authorizeUrl: declined.authorizeUrl })))
  const admin = await toMicrosoft(course, '3')
  show(await admin.browser.open(control.needAdminApproval({ authorizeUrl: admin.authorizeUrl })))
  const refused = await toMicrosoft(course, '3')
  const described = new URL(control.refuseSignIn({ authorizeUrl: refused.authorizeUrl, aadsts: 90094 }))
  described.searchParams.set('error_description', PLANTED)
  show(await refused.browser.open(described.href))
  await ask('GET', `/connect-sessions/${refused.id}`)

  const { id, url, browser, authorizeUrl } = await toMicrosoft(course, '3')
  const back = control.signIn({ account: 'jane@contoso.com', authorizeUrl })
  show(await person().open(back))
  show(await browser.open(back))
  show(await browser.open(back))
  show(await browser.open(url))
  show(await person().open(url))
  await ask('POST', `/connect-sessions/${id}/complete`, { user_id: 'somebody-else', handle: course.handles.get(id) })
  await ask('POST', `/connect-sessions/${id}/complete`, { user_id: '3', handle: course.handles.get(id) })
  await ask('POST', `/connect-sessions/${id}/complete`, { user_id: '3', handle: course.handles.get(id) })
  await connect(course, '3', 'omar@contoso.com')
}

async function invalidCalls({ world, ask, said }: Course): Promise<void> {
  await ask('POST', '/connect-sessions', { user_id: `not a user id ${PLANTED}`, [PLANTED]: PLANTED })
  await ask('POST', '/connect-sessions', { user_id: '1', intent: PLANTED })
  await ask('GET', `/tokens/1?min_ttl=${PLANTED}&${PLANTED}=1`)
  await ask('GET', `/connect-sessions/${PLANTED}`)
  await ask('POST', '/tokens/1/refresh', { generation: PLANTED })
  const { internalUrl } = world.replica
  const stranger = generateKey('hmac-sha256', 'stranger', Date.now() + 86_400_000, Date.now()).caller
  for (const key of [stranger, { ...world.secrets.megdocsKey, secret: stranger.secret! }]) {
    const client = createBrokerClient({ address: () => internalUrl, authority: BROKER_AUTHORITY, key })
    said.push(String(await client.send('GET', '/tokens/1').catch(String)))
  }
  for (const headers of [
    { authorization: `Bearer ${PLANTED}` },
    { cookie: `a=${PLANTED}`, 'signature-input': PLANTED, signature: `sig1=:${PLANTED}:` },
    { 'sec-fetch-site': PLANTED },
  ]) {
    const answer = await fetch(`${internalUrl}/tokens/1?${PLANTED}`, { headers })
    said.push(await answer.text(), JSON.stringify([...answer.headers]))
  }
}

/** Errors of the driver contain statement and parameters. Errors of Postgres can contain the row. */
async function failuresOfTheDatabase(course: Course): Promise<void> {
  const { world, ask, show } = course
  const breaking = async (table: string, work: () => Promise<unknown>) => {
    await world.sql.unsafe(`alter table ${table} rename to renamed`)
    await work()
    await world.sql.unsafe(`alter table renamed rename to ${table}`)
  }
  await breaking('oauth2_integration', async () => {
    for (const [method, path] of [
      ['GET', '/tokens/1'],
      ['GET', '/integrations/1'],
      ['DELETE', '/integrations/1'],
    ] as const)
      await ask(method, path)
  })
  const pending = await toMicrosoft(course, '4')
  const back = world.entra.control.signIn({ account: 'jane@contoso.com', authorizeUrl: pending.authorizeUrl })
  const { url } = await world.caller.beginConnect('4')
  await breaking('connect_session', async () => {
    await ask('POST', '/connect-sessions', { user_id: '4' })
    show(await pending.browser.open(back))
    show(await course.person().open(url))
  })
  await breaking('browser_session', async () => {
    show(await course.person().open(url))
  })
  await breaking('request_nonce', () => ask('DELETE', '/integrations/9'))

  // An error whose message contains the whole row, raised when tokens are saved.
  await world.sql.unsafe(
    `create function refuse() returns trigger language plpgsql as
      $$ begin raise exception '%', new using detail = new::text; end $$`,
  )
  await world.sql.unsafe(
    'create trigger refuse_row before insert on oauth2_integration for each row execute function refuse()',
  )
  await world.sql.unsafe(`create trigger refuse_tokens before update on oauth2_integration for each row
    when (old.generation is distinct from new.generation) execute function refuse()`)
  show(await pending.browser.open(back))
  await ask('POST', `/connect-sessions/${pending.id}/complete`, {
    user_id: '4',
    handle: course.handles.get(pending.id),
  })
  await world.setRemaining('1', -1)
  // The waiting caller gets the new token although it is not saved. So this answer contains a token and is not
  // searched.
  await world.caller.token('1')
  await world.sql.unsafe('drop function refuse cascade')
  await world.replica.services.refresh.drain()
}

t.test('no secret is in logs, errors, pages, metrics, or in plain text in the database', async (t) => {
  const course = await setUp(t)
  const { world } = course
  await ordinaryFlows(course)
  await hostileBrowsers(course)
  await invalidCalls(course)
  await failuresOfTheDatabase(course)
  // Last: a refused credential opens the breaker, and then nothing is sent to Microsoft.
  await failuresOfMicrosoft(course)
  await world.sql`update oauth2_integration set access_token = ${randomBytes(80)},
    generation = nextval('integration_generation'),
    access_token_expires_at = now() + interval '1 hour' where user_id = '1'`
  await course.ask('GET', '/tokens/1')

  const operations = await Promise.all(
    ['/metrics', '/readyz', '/livez'].map(async (path) => (await world.replica.operations.inject(path)).payload),
  )
  const places = {
    log: world.replica.logged(),
    'errors and pages': course.said.join('\n'),
    metrics: operations.join('\n'),
    database: await dump(world.sql),
  }
  const secrets = course.secrets()
  t.match(places.log, 'refreshed tokens could not be saved', 'the database refused a save')
  t.ok(secrets.length > 150, `${secrets.length} secrets were collected`)
  for (const [place, text] of Object.entries(places)) {
    t.ok(text.length > 1000, `${place}: is not empty (${text.length} characters)`)
    t.same(search(text, secrets), [], place)
  }
  t.ok(course.handles.size > 3, `${course.handles.size} handles were collected`)
  for (const place of ['log', 'metrics', 'database'] as const)
    t.same(search(places[place], course.handles.values()), [], `${place}: no handle`)
  t.strictSame(unlistedLogFields(places.log), [], 'all fields of these lines are in docs/data-inventory.md')
  const levels = new Set(
    places.log
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { level: string }).level),
  )
  for (const level of ['info', 'warn', 'error']) t.ok(levels.has(level), `${level} lines were searched`)
  const codes = new Set([...places['errors and pages'].matchAll(/"code":"(\w+)"/g)].map(([, code]) => code))
  for (const code of [
    'not_connected',
    'not_found',
    'reconnect_required',
    'connect_refused',
    'account_mismatch',
    'invalid_request',
    'invalid_signature',
    'microsoft_unavailable',
    'broker_misconfigured',
    'internal_error',
    'token_unreadable',
  ])
    t.ok(codes.has(code), `${code} was among the answers`)

  // Test of the search itself: a planted secret is found in each place and encoding.
  const [token = ''] = secrets.filter((secret) => secret.startsWith('ey'))
  world.replica.services.log.debug({ deep: { body: encodeURIComponent(`{"t":"${token}"}`) } }, 'planted')
  // Other secrets may be found too: the search is for the beginning of a secret, and one token in 256 begins like this
  // one.
  t.ok(
    search(world.replica.logged(), secrets).includes(`${token.slice(0, 6)}… (${token.length})`),
    'the planted secret is found in the log',
  )
  await world.sql`update oauth2_integration set access_token = ${Buffer.from(token)},
    display_name = ${Buffer.from(secrets[0]!).toString('base64')}`
  t.ok(
    search(await dump(world.sql), secrets).length >= 2,
    'the planted secrets are found in the database, as bytes and as base64',
  )
  world.replica.services.metrics.unreadable(PLANTED)
  t.ok(
    search(await world.replica.services.metrics.registry.metrics(), secrets).length >= 1,
    'the planted secret is found in the metrics',
  )
})
