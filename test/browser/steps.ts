import t from 'tap'
import { texts } from '../../src/texts/texts.ts'
import {
  ACCOUNT,
  connect,
  goToMicrosoft,
  logIn,
  microsoftPage,
  openAccountPage,
  settled,
  throughMicrosoft,
} from './support/people.ts'
import { openScene, openStage } from './support/stage.ts'

// Unusual steps of users: back, reload, two tabs, a link of another person.

const stage = await openStage(t)
const words = texts.en

await t.test(
  'back and reload at all steps of a connect show a page with a next step, and never connect twice',
  async (t) => {
    const { page, world, userId, visitor } = await openScene(t, stage)
    const step = async (name: string, expected: string | RegExp): Promise<void> =>
      void t.match(await page.locator('h1').innerText(), expected, name)
    await goToMicrosoft(world, page)
    await step('at Microsoft', 'Pick an account')
    await page.reload()
    await step('reloaded at Microsoft', 'Pick an account')
    await page.goBack()
    await step('back: MEGDocs, not our link', 'Connect to Microsoft')
    await page.goForward()
    await step('forward again', 'Pick an account')
    const authorizeUrl = page.url()
    await throughMicrosoft(world, page, 'jane')
    await settled(page)
    await step('done', words.result.connected)
    await page.reload()
    await step('reloaded', words.result.connected)
    const { generation } = await world.client.token(userId)
    const ticket =
      visitor.requests.find((request) => request.includes('/auth/oauth2/microsoft/connect/'))?.replace('GET ', '') ?? ''
    await page.goto(ticket)
    await step('our link again, from the history', words.problems.link_used.title)
    // Back to Microsoft's first page, where the same request is approved again.
    await page.goto(authorizeUrl)
    await throughMicrosoft(world, page, 'jane')
    await settled(page)
    await step('approved twice', words.problems.sign_in_unmatched.title)
    t.match(await page.locator('main').innerText(), 'If you have just connected, you are done.')
    t.equal((await world.client.token(userId)).generation, generation, 'connected once')
    t.same(visitor.faults, [])
  },
)

await t.test(
  'back after a reconnect without a page of Microsoft: the page of MEGDocs, not another reconnect',
  async (t) => {
    const { page, world, userId, visitor } = await openScene(t, stage)
    await connect(world, page, 'jane')
    await goToMicrosoft(world, page)
    await settled(page)
    t.equal(await page.locator('h1').innerText(), words.result.reconnected)
    const { generation } = await world.client.token(userId)
    await page.goBack()
    t.equal(new URL(page.url()).pathname, '/microsoft/connect')
    await page.goForward()
    t.equal(await page.locator('h1').innerText(), words.result.reconnected)
    t.equal((await world.client.token(userId)).generation, generation)
    t.same(visitor.faults, [])
  },
)

await t.test('a second request to the callback shows the same result and changes nothing', async (t) => {
  const { page, world, userId, visitor } = await openScene(t, stage)
  await goToMicrosoft(world, page)
  const callback = world.entra.control.signIn({ account: 'jane@contoso.com', authorizeUrl: page.url() })
  const other = await visitor.tab()
  await Promise.all([page.goto(callback), other.goto(callback)])
  await Promise.all([settled(page), settled(other)])
  for (const tab of [page, other]) t.equal(await tab.locator('h1').innerText(), words.result.connected)
  const { generation } = await world.client.token(userId)
  await page.goto(callback)
  await settled(page)
  t.equal(
    await page.locator('h1').innerText(),
    words.problems.sign_in_unmatched.title,
    'the browser session ended with the connect',
  )
  t.match(await page.locator('main').innerText(), 'If you have just connected, you are done.')
  t.equal((await world.client.token(userId)).generation, generation)
  t.same(visitor.faults, [])
})

await t.test('a link that the browser prefetches stays valid', async (t) => {
  const { page, world, userId, visitor } = await openScene(t, stage)
  const { url } = await world.client.beginConnect(userId)
  // A page of MEGDocs that contains the link, as a template with a mistake might.
  await page.route('**/ahead', (route) =>
    route.fulfill({
      contentType: 'text/html',
      body: `<title>x</title><link rel="prefetch" href="${url}"><a href="${url}">on</a>`,
    }),
  )
  const fetched = page.waitForResponse((response) => response.url() === url)
  await page.goto(`${world.url}/ahead`)
  const answer = await fetched
  t.match((await answer.request().allHeaders())['sec-purpose'], 'prefetch', 'Chromium marks the request as a prefetch')
  t.equal(answer.status(), 503)
  await page.getByRole('link').click()
  t.equal(await microsoftPage(page), 'picker', 'the click still works')
  // Chromium logs a line about that 503.
  t.same(
    visitor.faults.filter((fault) => !fault.includes('status of 503')),
    [],
  )
})

await t.test('two tabs do not disturb each other, in any order', async (t) => {
  const { page, world, visitor } = await openScene(t, stage)
  const other = await visitor.tab()
  await goToMicrosoft(world, page)
  await goToMicrosoft(world, other)
  await throughMicrosoft(world, other, 'jane')
  await settled(other)
  t.equal(await other.locator('h1').innerText(), words.result.connected)
  await throughMicrosoft(world, page, 'jane')
  await settled(page)
  t.equal(await page.locator('h1').innerText(), words.result.reconnected)
  t.same(visitor.faults, [])
})

await t.test(
  'a sign-in that another person approved connects nothing: MEGDocs checks whose session it is',
  async (t) => {
    const { page, world, userId, visitor } = await openScene(t, stage)
    const { url } = await world.client.beginConnect('u-1003')
    await page.goto(url)
    await throughMicrosoft(world, page, 'jane')
    await page.getByRole('heading', { name: 'This sign-in was not begun here' }).waitFor()
    for (const user of ['u-1003', userId]) t.equal(await world.client.integration(user), undefined)
    t.same(visitor.faults, [])
  },
)

await t.test('MEGDocs’ own session is SameSite=Strict and still exists after Microsoft', async (t) => {
  const { page, world, visitor } = await openScene(t, stage)
  await connect(world, page, 'jane')
  const cookies = await visitor.context.cookies(world.url)
  t.match(
    cookies.find(({ name }) => name === 'megdocs_session'),
    { sameSite: 'Strict', httpOnly: true },
  )
  t.equal(await page.locator('h1').innerText(), words.result.connected)
  t.same(visitor.faults, [])
})

await t.test('after logging out of MEGDocs, this browser cannot open the account page', async (t) => {
  const { page, world, visitor } = await openScene(t, stage)
  await connect(world, page, 'jane')
  await openAccountPage(world, page)
  t.match(await page.locator('main').innerText(), 'jane@contoso.com')
  await page.goto(world.url)
  await page.getByRole('button', { name: 'Log out' }).click()
  await page.goBack()
  await page.goto(world.url + ACCOUNT)
  t.equal(await page.locator('h1').innerText(), words.problems.no_session.title)
  await page.getByRole('link', { name: words.actions.openConnection }).click()
  t.equal(new URL(page.url()).pathname, '/login')
  await logIn(world, visitor, 'u-1003')
  await openAccountPage(world, page)
  t.notMatch(await page.locator('main').innerText(), 'jane')
  t.same(visitor.faults, [])
})
