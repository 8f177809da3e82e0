import t from 'tap'
import { BROKER_AUTHORITY } from '../../sandbox/broker.ts'
import type { Problem, Token } from '../../sandbox/megdocs/broker-client.ts'
import { createBrowser } from '../../sandbox/browser.ts'
import { createGraph } from '../../sandbox/megdocs/graph.ts'
import { startMegdocs } from '../../sandbox/megdocs/main.ts'
import { systemClock } from '../../src/services.ts'
import { until } from '../support/until.ts'
import { JANE, startWorld } from '../support/world.ts'

// Tokens of up to 28 hours (docs/design.md#continuous-access-evaluation): editing stops within seconds when an
// administrator disables a user, and an outage of Microsoft's sign-in of six hours goes unnoticed. Time is moved: the
// clock of the process, and the times in the rows.

const HOUR = 3600
let shiftMs = 0
const world = await startWorld(t, {
  env: { CONTINUOUS_ACCESS_EVALUATION: 'on' },
  overrides: { clock: { ...systemClock, elapsed: () => systemClock.elapsed() + shiftMs } },
})
const { entra, sql, caller } = world
const { control } = entra

async function pass(seconds: number): Promise<void> {
  shiftMs += seconds * 1000
  await sql`update oauth2_integration set
    access_token_expires_at = access_token_expires_at - make_interval(secs => ${seconds}),
    refreshed_at = refreshed_at - make_interval(secs => ${seconds}),
    refresh_due_at = refresh_due_at - make_interval(secs => ${seconds}),
    retry_at = retry_at - make_interval(secs => ${seconds}),
    lease_until = lease_until - make_interval(secs => ${seconds})`
}
const read = async (user: string) =>
  (await caller.send('GET', `/tokens/${user}`)) as { status: number; body: Token & Problem }
const refreshes = () => control.tokenRequests().byGrant['refresh_token'] ?? 0
const generation = async (user: string) => Number((await world.row(user))!['generation'])
async function connect(user: string, lifetime: number | null): Promise<void> {
  control.configure({ lifetime })
  await world.connect(user)
  control.configure({ lifetime: null })
}

t.afterEach(async () => {
  control.behave()
  control.enableUser({ account: JANE })
  // The breaker of an earlier test is over.
  await pass(2 * HOUR)
  await sql`update oauth2_integration set retry_at = null`
})

t.test('an administrator disables a user, and editing stops at the next save', async (t) => {
  const megdocs = await startMegdocs({
    broker: { address: () => world.replica.internalUrl, authority: BROKER_AUTHORITY, key: world.secrets.megdocsKey },
    graphUrl: entra.graphUrl,
  })
  t.teardown(() => megdocs.close())
  await connect('u-1001', null)
  const browser = createBrowser()
  const login = await browser.open(`${megdocs.url}/login`)
  await browser.press({ ...login, forms: login.forms.filter(({ fields }) => fields['user'] === 'u-1001') }, '/login')
  const document = await browser.click(await browser.open(`${megdocs.url}/documents`), 'Hand hygiene audit')
  t.equal((await browser.press(document, 'Save', { text: 'before' })).status, 200)
  t.ok((await read('u-1001')).body.expires_in > 19 * HOUR, 'the token would be valid for the rest of the day')

  control.disableUser({ account: JANE })
  const refused = await browser.press(document, 'Save', { text: 'after' })
  t.equal(refused.status, 409)
  t.match(refused.text, /disabled/)
  t.match(await world.row('u-1001'), { status: 'reconnect_required', failure: { reason: 'account_disabled' } })
  const before = refreshes()
  t.equal((await browser.press(document, 'Save', { text: 'again' })).status, 409)
  t.equal(refreshes(), before, 'Microsoft is not asked each time')

  control.enableUser({ account: JANE })
  const saved = await browser.open(document.url)
  t.ok(
    saved.forms.some(({ fields }) => fields['text'] === 'before'),
    'what was saved before is there, and editing works again',
  )
})

t.test(
  'six hours without the token endpoint: long tokens serve, short ones end, new connects fail in words',
  async (t) => {
    await connect('long', 24 * HOUR)
    await connect('past-half', 24 * HOUR)
    await sql`update oauth2_integration set refresh_due_at = now() where user_id = 'past-half'`
    await connect('short', HOUR)
    const graph = createGraph(entra.graphUrl)
    control.misbehave('status', 503)
    for (let hours = 0; hours < 6; hours += 0.5) {
      for (const user of ['long', 'past-half']) {
        const { status, body } = await read(user)
        t.match({ status, degraded: body.degraded }, { status: 200, degraded: undefined }, `${user} after ${hours} h`)
        t.equal((await graph.me(body.access_token)).userPrincipalName, JANE)
      }
      if (hours > 1) t.match(await read('short'), { status: 503, body: { code: 'microsoft_unavailable' } })
      await pass(HOUR / 2)
    }

    const { id, browser, authorizeUrl } = await world.toMicrosoft('newcomer')
    await browser.open(control.signIn({ account: JANE, authorizeUrl }))
    const failed = (await caller.send('POST', `/connect-sessions/${id}/complete`, {
      user_id: 'newcomer',
      handle: world.handle(id),
    })) as { status: number; body: Problem }
    t.match(failed, {
      status: 503,
      body: { code: 'microsoft_unavailable', reason: 'microsoft_error', who_acts: 'nobody' },
    })
    const page = await browser.open(failed.body.next!)
    t.match(page.text, /Microsoft/)
    t.match(page.text, /Connect again in a few minutes/)

    control.behave()
    await pass(HOUR)
    await sql`update oauth2_integration set retry_at = null`
    t.match(await read('short'), { status: 200 }, 'after healing everybody is served')
    await read('past-half')
    await until(async () => (await world.row('past-half'))!['failure'] === null)
  },
)

t.test('Microsoft suggests a refresh at half of the life: a read starts it and does not wait', async (t) => {
  await connect('ahead', 24 * HOUR)
  const first = await generation('ahead')
  await pass(11 * HOUR)
  const before = refreshes()
  t.equal((await read('ahead')).body.generation, first)
  t.equal(refreshes(), before, 'not yet')
  await pass(1.1 * HOUR)
  control.hold()
  t.equal((await read('ahead')).body.generation, first, 'answered while the refresh is on its way')
  t.equal((await read('ahead')).body.generation, first)
  await control.held()
  control.release()
  await until(async () => (await generation('ahead')) > first)
  t.equal(refreshes() - before, 1)
  t.ok((await read('ahead')).body.expires_in > 19 * HOUR)
})

t.test('a suggested refresh that fails is tried again later, and nobody notices', async (t) => {
  await connect('fails', 24 * HOUR)
  await pass(13 * HOUR)
  control.misbehave('status', 503)
  const before = refreshes()
  t.match(await read('fails'), { status: 200, body: { degraded: undefined } })
  await until(async () => (await world.row('fails'))!['retry_at'] !== null)
  t.match(await read('fails'), { status: 200, body: { degraded: undefined } })
  t.equal(refreshes() - before, 1, 'the row backs off')
})

t.test(
  'the buffer of five minutes holds for long tokens too, and without a suggestion nothing is refreshed early',
  async (t) => {
    await connect('buffer', 24 * HOUR)
    await sql`update oauth2_integration set refresh_due_at = null where user_id = 'buffer'`
    await pass(24 * HOUR - 320)
    const before = refreshes()
    t.match(await read('buffer'), { status: 200 })
    t.equal(refreshes(), before)
    await pass(30)
    t.ok((await read('buffer')).body.expires_in > HOUR)
    t.equal(refreshes() - before, 1)
  },
)

t.test('keep-alive counts from the last refresh, not from the end of the token', async (t) => {
  await connect('kept-alive', 28 * HOUR)
  const { keepAliveStore, config } = world.replica.services
  const due = async () =>
    (await keepAliveStore.due({ ...config.keepAlive, limit: 100 })).some(({ userId }) => userId === 'kept-alive')
  await pass(44 * 24 * HOUR)
  t.equal(await due(), false)
  await pass(2 * 24 * HOUR)
  t.equal(await due(), true)
})
