import t from 'tap'
import { texts } from '../../src/texts/texts.ts'
import { REQUESTS_PER_PERSON } from '../../src/http/security.ts'
import { ACCOUNT, connect, goToMicrosoft, logIn, openAccountPage } from './support/people.ts'
import { inSomeLanguage, openScene, openStage, sceneOf } from './support/stage.ts'
import { visit, visitWithoutCookies } from './support/visitor.ts'

// Everything that can stop a browser: links, cookies, sessions, addresses (docs/design.md#pages).

const stage = await openStage(t)
const CALLBACK = '/auth/oauth2/microsoft/callback'

await inSomeLanguage(t, stage, 'a link that is used, expired, or belongs to another browser', async (t, scene) => {
  const { page, world, language, userId } = scene
  const { url } = await world.client.beginConnect(userId)
  await page.goto(url)
  t.ok(page.url().startsWith(world.entra.url), 'the link leads to Microsoft')

  const stranger = await visit(t, stage.chromium, world, { language })
  await stranger.page.goto(url)
  await scene.see('link-foreign', texts[language].problems.link_foreign.title, stranger.page)
  t.same(stranger.faults, [])

  await page.goto(world.entra.control.decline({ authorizeUrl: page.url() }))
  await page.goto(url)
  await scene.see('link-used', texts[language].problems.link_used.title)

  const late = await world.client.beginConnect(userId)
  await world.query(`update connect_session set expires_at = now() - interval '1 second' where id = '${late.id}'`)
  await page.goto(late.url)
  await scene.see('link-expired', texts[language].problems.link_expired.title)

  await connect(world, page, 'jane')
  const result = page.url()
  await world.query(`update connect_session set expires_at = now() - interval '1 second' where user_id = '${userId}'`)
  await page.goto(result)
  await scene.see('result-gone', texts[language].problems.result_gone.title)
})

await inSomeLanguage(t, stage, 'answers of Microsoft that do not match a sign-in of this browser', async (t, scene) => {
  const { page, world, language } = scene
  for (const query of [
    '',
    '?code=x',
    `?code=x&state=${'a'.repeat(43)}`,
    '?code=x&state=a&state=b',
    '?code=x&error=y&state=z',
  ]) {
    for (const slash of ['', '/']) {
      await page.goto(world.url + CALLBACK + slash + query)
      t.equal(
        await page.locator('h1').innerText(),
        texts[language].problems.sign_in_unmatched.title,
        `callback${slash}${query}`,
      )
    }
  }
  await goToMicrosoft(world, page)
  const callback = world.entra.control.signIn({ account: 'jane@contoso.com', authorizeUrl: page.url() })
  const stranger = await visit(t, stage.chromium, world, { language })
  await stranger.page.goto(callback)
  await scene.see('sign-in-unmatched', texts[language].problems.sign_in_unmatched.title, stranger.page)
  t.same(stranger.faults, [])
  await page.goto(callback)
  await page.locator('h1', { hasText: texts[language].result.connected }).waitFor()
  t.equal(
    await page.locator('h1').innerText(),
    texts[language].result.connected,
    'the other browser has not changed anything',
  )
})

await inSomeLanguage(
  t,
  stage,
  'cookies blocked: the page says so before Microsoft is opened, and the link stays valid',
  async (t, scene) => {
    const { world, language, userId } = scene
    const visitor = await visitWithoutCookies(t, world, { language })
    const { url } = await world.client.beginConnect(userId)
    await visitor.page.goto(url)
    await scene.see('cookies-blocked', texts[language].problems.cookies_blocked.title, visitor.page)
    t.notOk(
      visitor.requests.some((request) => request.includes(world.entra.url)),
      'Microsoft was not asked',
    )
    t.same(visitor.faults, [])
    await scene.page.goto(url)
    t.ok(scene.page.url().startsWith(world.entra.url), 'a browser that accepts cookies can still use the link')
  },
)

await inSomeLanguage(t, stage, 'the account page without a session, and for another user', async (t, scene) => {
  const { page, world, language, visitor } = scene
  await page.goto(world.url + ACCOUNT)
  await scene.see('no-session', texts[language].problems.no_session.title)
  await page.goto(world.url + ACCOUNT.slice(0, -1))
  t.equal(
    await page.locator('h1').innerText(),
    texts[language].problems.no_session.title,
    'also without the trailing slash',
  )

  await connect(world, page, 'jane')
  await openAccountPage(world, page)
  await page.getByRole('link', { name: texts[language].actions.disconnect, exact: true }).click()
  const other = await visitor.tab()
  await logIn(world, { ...visitor, page: other }, 'u-1003')
  await openAccountPage(world, other)
  await page.getByRole('button', { name: texts[language].actions.disconnectNow }).click()
  await scene.see('form-expired', texts[language].problems.form_expired.title)
  t.ok(await world.client.integration(scene.userId), 'nothing was disconnected')
})

await inSomeLanguage(t, stage, 'addresses that do not exist', async (t, scene) => {
  const { page, world, language } = scene
  await page.goto(`${world.url}/auth/oauth2/microsoft/no-such-page`)
  await scene.see('not-found', texts[language].problems.not_found.title)
  await page.goto(`${world.url}/auth/oauth2/microsoft/connect/%ff`)
  t.equal(
    await page.locator('h1').innerText(),
    texts[language].problems.not_found.title,
    'an address that cannot be decoded',
  )
})

await t.test('too many requests of one person: a page with the time to try again', async (t) => {
  const { world } = stage
  const visitor = await visit(t, stage.chromium, world)
  const scene = sceneOf(t, stage, visitor, 'u-1004')
  const { url } = await world.client.beginConnect('u-1004')
  // Only the first request beyond the limit is logged: it is the one that the person sees here.
  for (let i = 0; i < REQUESTS_PER_PERSON; i++)
    await visitor.context.request.get(`${url}`, { headers: { 'sec-purpose': 'prefetch' } })
  const limited = await visitor.page.goto(url)
  t.equal(limited?.status(), 429)
  t.match(limited?.headers(), { 'retry-after': /^\d+$/, 'content-security-policy': /default-src 'none'/ })
  await scene.see('too-many-requests', texts.en.problems.too_many_requests.title)
  t.same(visitor.faults, [])
})

// Last, because it stops the database.
await t.test('the database does not answer: a page with the time to try again', async (t) => {
  const scene = await openScene(t, stage)
  const { page, world, visitor } = scene
  await openAccountPage(world, page)
  await world.database.stop()
  const answer = await page.reload()
  t.equal(answer?.status(), 503)
  await scene.see('service-unavailable', texts.en.problems.service_unavailable.title)
  t.same(visitor.faults, [], 'the answer has Retry-After and no detail')
})
