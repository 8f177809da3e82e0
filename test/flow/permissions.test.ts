import t from 'tap'
import { runAllChecks } from '../../src/doctor.ts'
import { JANE, startWorld, type Replica, type World } from '../support/world.ts'

// Which permissions are asked for is configuration, and changing it disconnects nobody (docs/design.md#connect).

/** Northwind has the policy that is the default of new organisations. */
const NORA = 'nora@northwind.com'
const OWN_FILES = 'User.Read Files.ReadWrite'

interface Answer {
  status: number
  body: { scope: string; missing_scopes: string[]; excess_scopes: string[]; reason?: string; degraded?: object }
}
/** The user's token after a refresh by this replica. */
async function refreshed(world: World, { caller }: Replica, userId: string): Promise<Answer> {
  await world.setRemaining(userId, -1)
  return (await caller.send('GET', `/tokens/${userId}`)) as Answer
}
const lastScope = (world: World): string[] =>
  (world.entra.control.tokenRequests().recent.at(-1)?.values['scope'] ?? '').split(' ').toSorted()
const asked = (...scopes: string[]): string[] => [...scopes, 'openid', 'profile', 'offline_access'].toSorted()
const check = async ({ services }: Replica, name: string) =>
  (await runAllChecks(services)).find((one) => one.name === name)

t.test('with Files.ReadWrite, a user of an organisation with the default policy connects alone', async (t) => {
  const narrow = await startWorld(t, { env: { MICROSOFT_PERMISSIONS: OWN_FILES } })
  await narrow.connect('1', NORA)
  t.match(await narrow.caller.token('1'), { scope: 'Files.ReadWrite User.Read', missing_scopes: [], excess_scopes: [] })
  t.strictSame(lastScope(narrow), asked('User.Read', 'Files.ReadWrite'))
  t.match((await check(narrow.replica, 'permissions'))?.message, /users may approve all of it themselves/)

  t.match((await check(narrow.replica, 'microsoft'))?.message, 'Cloud: global, with graph.microsoft.com')

  const usual = await startWorld(t)
  await t.rejects(usual.connect('1', NORA), { code: 90094 }, 'needs her administrator')
  t.match((await check(usual.replica, 'permissions'))?.message, /an administrator must approve Files\.ReadWrite\.All\./)
})

t.test('a permission is added: tokens go on, and what is missing is named everywhere', async (t) => {
  const world = await startWorld(t)
  await world.connect('42')
  const wider = await world.startReplica({ MICROSOFT_PERMISSIONS: 'User.Read,Files.ReadWrite.All,Sites.Selected' })
  const { status, body } = await refreshed(world, wider, '42')
  t.equal(status, 200)
  t.match(body, { scope: 'Files.ReadWrite.All User.Read', missing_scopes: ['Sites.Selected'], excess_scopes: [] })
  t.notOk(body.degraded)
  t.strictSame(
    lastScope(world),
    asked('Files.ReadWrite.All', 'User.Read'),
    'nothing is asked for that was not approved',
  )
  t.match(await world.row('42'), { status: 'active', failure: null })
  t.match(await wider.caller.integration('42'), { missing_scopes: ['Sites.Selected'] })
  const { result, message } = (await check(wider, 'permissions'))!
  t.match({ result, message }, { result: 'warning', message: /1 integration with fewer permissions/ })

  world.sendBrowsersTo(wider)
  await world.connect('42')
  t.match(await wider.caller.token('42'), { missing_scopes: [], scope: /Sites\.Selected/ })
})

t.test('permissions are narrowed: nobody is marked, also when the rest is withdrawn at Microsoft', async (t) => {
  const world = await startWorld(t)
  const { control } = world.entra
  await world.connect('42')
  const narrow = await world.startReplica({ MICROSOFT_PERMISSIONS: OWN_FILES })
  const before = await refreshed(world, narrow, '42')
  t.match(before, {
    status: 200,
    body: { scope: 'Files.ReadWrite.All User.Read', missing_scopes: [], excess_scopes: ['Files.ReadWrite.All'] },
  })
  t.strictSame(lastScope(world), asked('Files.ReadWrite.All', 'User.Read'), 'the narrow one has no consent of its own')

  world.sendBrowsersTo(narrow)
  await world.connect('42')
  t.match(await narrow.caller.integration('42'), {
    scope: 'Files.ReadWrite Files.ReadWrite.All User.Read',
    missing_scopes: [],
    excess_scopes: ['Files.ReadWrite.All'],
  })
  const page = await accountPage(world, narrow)
  t.match(page, /Granted, but not needed/)
  t.match(page, /<code>Files\.ReadWrite\.All<\/code>/)
  t.match(page, /https:\/\/myapps\.microsoft\.com/)

  // The administrator withdraws everything but what is needed now.
  control.forgetConsent({ account: JANE })
  control.adminConsent({ account: JANE, scopes: OWN_FILES.split(' ') })
  t.match(await refreshed(world, narrow, '42'), { status: 200, body: { missing_scopes: [] } })
  t.strictSame(lastScope(world), asked('User.Read', 'Files.ReadWrite'))
  t.match(await world.row('42'), { status: 'active', failure: null })
})

t.test('nothing that is configured was granted: the tokens that are there go on', async (t) => {
  const world = await startWorld(t)
  await world.connect('42')
  const other = await world.startReplica({ MICROSOFT_PERMISSIONS: 'Sites.ReadWrite.All' })
  t.match(await refreshed(world, other, '42'), {
    status: 200,
    body: {
      scope: 'Files.ReadWrite.All User.Read',
      missing_scopes: ['Sites.ReadWrite.All'],
      excess_scopes: ['Files.ReadWrite.All', 'User.Read'],
    },
  })
  t.match(await world.row('42'), { status: 'active' })
})

t.test('pages, consent link and message name what is configured', async (t) => {
  const world = await startWorld(t, { env: { MICROSOFT_PERMISSIONS: 'User.Read Sites.Selected' } })
  const { html } = await world.browser().open(`${world.baseUrl}/auth/oauth2/microsoft/admin-consent`)
  t.match(html, 'Read and write in the SharePoint sites that your administrator selects')
  t.match(html, 'for which you give MEGDocs a role afterwards')
  t.notMatch(html, 'Files.ReadWrite')
  t.match(
    html,
    `scope=${encodeURIComponent('https://graph.microsoft.com/User.Read https://graph.microsoft.com/Sites.Selected')}`,
  )

  const { browser, authorizeUrl } = await world.toMicrosoft('1')
  const refused = await browser.open(world.entra.control.needAdminApproval({ authorizeUrl }))
  t.match(refused.html, '- Sites.Selected: only SharePoint sites that you select')
  t.notMatch(refused.html, 'Files.ReadWrite')
})

async function accountPage(world: World, { caller }: Replica): Promise<string> {
  const { url } = await caller.beginConnect('42', { intent: 'manage' })
  return (await world.browser().open(url)).html
}
