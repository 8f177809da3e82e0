import t from 'tap'
import { JANE, startWorld } from '../support/world.ts'

// An account of another cloud of Microsoft, and the hint that names the account at the next sign-in.

const world = await startWorld(t)
const { entra, caller } = world
const outcomeOf = async (id: string) =>
  ((await caller.send('GET', `/connect-sessions/${id}`)).body as { outcome?: object }).outcome

t.test('a code of another cloud is never redeemed, and a page says so', async (t) => {
  entra.control.resetCounters()
  const { id, browser, authorizeUrl } = await world.toMicrosoft('42')
  const callback = new URL(entra.control.signIn({ account: JANE, authorizeUrl }))
  callback.searchParams.set('cloud_instance_host_name', 'login.microsoftonline.us')
  const page = await browser.open(callback.href)
  t.match(page.html, 'This account belongs to another Microsoft cloud')
  t.match(await outcomeOf(id), { code: 'connect_refused', reason: 'other_cloud', who_acts: 'ops' })
  t.equal(entra.control.tokenRequests().total, 0)
  t.equal(await world.row('42'), undefined)
})

t.test('the own cloud, or a name that is no cloud, changes nothing', async (t) => {
  for (const host of ['login.microsoftonline.com', 'login.example.com']) {
    const { id, browser, authorizeUrl } = await world.toMicrosoft('43')
    const callback = new URL(entra.control.signIn({ account: JANE, authorizeUrl }))
    callback.searchParams.set('cloud_instance_host_name', host)
    await browser.open(callback.href)
    await t.resolves(world.complete(id, '43'), host)
  }
})

t.test('the numbers of another cloud say so, in the callback and at the code exchange', async (t) => {
  for (const aadsts of [90038, 900439, 900382, 900432]) {
    const sent = await world.toMicrosoft('44')
    const { authorizeUrl } = sent
    const page = await sent.browser.open(entra.control.refuseSignIn({ authorizeUrl, aadsts, error: 'invalid_request' }))
    t.match(page.html, 'This account belongs to another Microsoft cloud', `callback ${aadsts}`)

    const { id, browser, authorizeUrl: second } = await world.toMicrosoft('44')
    await browser.open(entra.control.signIn({ account: JANE, authorizeUrl: second }))
    entra.control.misbehave('aadsts', { code: aadsts, error: 'invalid_request' }, { times: 1 })
    await t.rejects(world.complete(id, '44'), /409 connect_refused/)
    t.match(await outcomeOf(id), { code: 'connect_refused', reason: 'other_cloud' }, `code ${aadsts}`)
  }
})

t.test(
  'a reconnect uses the claim login_hint, which outlives a new user name; without it, the user name',
  async (t) => {
    const hintOf = (authorizeUrl: string) => new URL(authorizeUrl).searchParams.get('login_hint')
    await world.connect('50')
    t.equal(hintOf((await world.toMicrosoft('50')).authorizeUrl), JANE)

    // The claim is added to the registration: the next refresh brings it.
    entra.control.configure({ loginHintClaim: true })
    await world.setRemaining('50', -1)
    await caller.token('50')
    const stored = String((await world.row('50'))?.['login_hint'])
    t.match(stored, /^O\./)
    await world.sql`update oauth2_integration set username = 'old.name@contoso.com' where user_id = '50'`
    const { authorizeUrl } = await world.toMicrosoft('50')
    t.equal(hintOf(authorizeUrl), stored)
    t.notOk(new URL(authorizeUrl).searchParams.has('prompt'))
    t.equal(
      hintOf((await world.toMicrosoft('50', { allowSwitch: true })).authorizeUrl),
      null,
      'a switch asks for the account',
    )

    // Nobody but Microsoft sees it.
    for (const path of ['/tokens/50', '/integrations/50'])
      t.notMatch(JSON.stringify((await caller.send('GET', path)).body), stored, path)
    t.notMatch(world.replica.logged(), stored)

    // Of another account it would lead to the wrong sign-in.
    entra.control.configure({ loginHintClaim: false })
    await world.connect('50', 'omar@contoso.com', { allowSwitch: true })
    t.match(await world.row('50'), { login_hint: null })
  },
)
