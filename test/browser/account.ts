import t from 'tap'
import { texts } from '../../src/texts/texts.ts'
import { connect, goToMicrosoft, openAccountPage, expireToken } from './support/people.ts'
import { inSomeLanguage, openStage } from './support/stage.ts'

// The account page in all states, and disconnecting (docs/design.md#pages, docs/design.md#disconnect).

const stage = await openStage(t)

await inSomeLanguage(
  t,
  stage,
  'not connected: what a connection does, the permissions, one button',
  async (t, scene) => {
    const { page, world, language } = scene
    await openAccountPage(world, page)
    const text = await scene.see('account-not-connected', texts[language].account.title)
    const { notConnected } = texts[language].account
    for (const part of [
      texts[language].status.notConnected,
      ...notConnected.points,
      'User.Read',
      'Files.ReadWrite.All',
    ])
      t.match(text, part)
    await page.getByRole('link', { name: texts[language].actions.connect }).click()
    t.equal(new URL(page.url()).pathname, '/microsoft/connect', 'MEGDocs begins the connect session, not this page')
  },
)

await inSomeLanguage(t, stage, 'begun but not finished: since when, and how to continue', async (t, scene) => {
  const { page, world, language, visitor } = scene
  await goToMicrosoft(world, page)
  const other = await visitor.tab()
  await openAccountPage(world, other)
  const text = await scene.see('account-pending', texts[language].account.title, other)
  for (const part of [texts[language].account.pending.title, texts[language].account.pending.since]) t.match(text, part)
})

await inSomeLanguage(
  t,
  stage,
  'connected: account, since when, permissions; the disconnect page says what ends and what does not',
  async (t, scene) => {
    const { page, world, language, userId } = scene
    await connect(world, page, 'jane')
    await world.query(
      `update oauth2_integration set refreshed_at = now() - interval '3 minutes',
        connected_at = now() - interval '40 days' where user_id = '${userId}'`,
    )
    await openAccountPage(world, page)
    const text = await scene.see('account-connected', texts[language].account.title)
    const ago = {
      en: ['3 minutes ago', '1 month ago'],
      de: ['vor 3 Minuten', 'vor 1 Monat'],
      es: ['hace 3 minutos', 'hace 1 mes'],
    }[language]
    for (const part of ['jane@contoso.com', ...ago, 'UTC', texts[language].permission.granted]) t.match(text, part)

    await page.getByRole('link', { name: texts[language].actions.disconnect, exact: true }).click()
    const question = await scene.see('disconnect', texts[language].confirm.title)
    for (const part of [...texts[language].confirm.ends, ...texts[language].confirm.keeps]) t.match(question, part)
    await page.reload()
    await page.getByRole('link', { name: texts[language].actions.stayConnected }).click()
    t.equal(
      await page.locator('h1').innerText(),
      texts[language].account.title,
      'the user can go back without disconnecting',
    )
    await page.goBack()
    await page.getByRole('button', { name: texts[language].actions.disconnectNow }).click()
    const done = await scene.see('disconnected', texts[language].disconnected.title)
    t.match(done, 'myapps.microsoft.com', 'the page says where the consent can be withdrawn')
    t.equal(await world.client.integration(userId), undefined)
    await page.reload()
    t.equal(await page.locator('h1').innerText(), texts[language].disconnected.title, 'reloaded')
    await page.goBack()
    t.equal(
      await page.locator('h1').innerText(),
      texts[language].problems.no_session.title,
      'back after disconnecting shows a page with a next step',
    )
    await page.getByRole('link', { name: texts[language].actions.openConnection }).click()
    t.match(await page.locator('main').innerText(), texts[language].status.notConnected)
  },
)

await inSomeLanguage(t, stage, 'connected with fewer permissions than are requested today', async (t, scene) => {
  const { page, world, language, userId } = scene
  await connect(world, page, 'jane')
  await world.query(`update oauth2_integration set scopes = '{User.Read}' where user_id = '${userId}'`)
  await openAccountPage(world, page)
  const text = await scene.see('account-missing-permission', texts[language].account.title)
  for (const part of [texts[language].account.connected.missingTitle, texts[language].permission.missing])
    t.match(text, part)
})

await inSomeLanguage(t, stage, 'connected while Microsoft is unavailable: nothing to do', async (t, scene) => {
  const { page, world, language, userId } = scene
  await connect(world, page, 'jane')
  world.entra.control.misbehave('status', 503)
  await expireToken(world, userId)
  await openAccountPage(world, page)
  const text = await scene.see('account-passing-trouble', texts[language].account.title)
  for (const part of [texts[language].status.connected, texts[language].account.attention.passing]) t.match(text, part)
})

await inSomeLanguage(t, stage, 'imported, and the account is not known yet', async (t, scene) => {
  const { page, world, language, userId } = scene
  await connect(world, page, 'jane')
  await world.query(
    `update oauth2_integration set tenant_id = null, object_id = null, username = null, display_name = null
      where user_id = '${userId}'`,
  )
  await openAccountPage(world, page)
  t.match(
    await scene.see('account-imported', texts[language].account.title),
    texts[language].account.connected.accountUnknown,
  )
})

await inSomeLanguage(t, stage, 'needs attention, and a reconnect solves it', async (t, scene) => {
  const { page, world, language, userId } = scene
  await connect(world, page, 'jane')
  world.entra.control.revokeSessions({ account: 'jane@contoso.com' })
  await expireToken(world, userId)
  await openAccountPage(world, page)
  const text = await scene.see('account-attention', texts[language].account.title)
  const { attention } = texts[language].account
  for (const part of [
    texts[language].status.notWorking,
    texts[language].reasons.access_revoked.title,
    attention.since,
    attention.withdrawn,
  ])
    t.match(text, part)
  t.equal(
    await page.locator('main a[href="https://myapps.microsoft.com"]').count(),
    1,
    'a link to the consents at Microsoft',
  )
  t.equal(await page.locator('main a.button:not(.second)').count(), 1, 'one button')
  await page.getByRole('link', { name: texts[language].actions.connectAgain }).click()
  await page.getByRole('button', { name: 'Connect to Microsoft' }).click()
  await page.locator('h1', { hasText: texts[language].result.reconnected }).waitFor()
  t.equal((await world.client.integration(userId))?.status, 'active')
})

for (const [name, aadsts, reason] of [
  ['policy', 53003, 'blocked_by_policy'],
  ['disabled', 50057, 'account_disabled'],
  ['consent', 65001, 'consent_required'],
] as const) {
  await inSomeLanguage(t, stage, `needs attention, and another person may have to act: ${reason}`, async (t, scene) => {
    const { page, world, language, userId } = scene
    await connect(world, page, 'jane')
    world.entra.control.misbehave('aadsts', aadsts)
    await expireToken(world, userId)
    await openAccountPage(world, page)
    const text = await scene.see(`account-attention-${name}`, texts[language].account.title)
    t.match(text, texts[language].reasons[reason].title)
    t.match(await page.locator('textarea').inputValue(), `AADSTS${aadsts}`)
    const reconnects = await page.locator(`main a[href="${world.url}/microsoft/connect"]`).count()
    const primary = page.locator('main .button:not(.second)')
    t.equal(await primary.count(), 1, 'one button')
    t.equal(
      await primary.innerText(),
      reason === 'consent_required' ? texts[language].actions.connectAgain : texts[language].actions.writeMail,
    )
    t.equal(reconnects, reason === 'consent_required' ? 1 : 0, 'reconnect is offered only if the user can help')
  })
}
