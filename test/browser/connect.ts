import t from 'tap'
import { texts } from '../../src/texts/texts.ts'
import { ACCOUNT, connect, goToMicrosoft, throughMicrosoft } from './support/people.ts'
import { allLines, inSomeLanguage, logLines, openStage, type Scene } from './support/stage.ts'

// All outcomes of a connect session, as the user sees them (docs/design.md#connect).

const stage = await openStage(t)
const hasConnect = ({ page, world }: Scene): Promise<number> =>
  page.locator(`main a[href="${world.url}/microsoft/connect"]`).count()

/** The message for the administrator: as a mailto: link, and as text that can be selected. */
async function administratorMessage({
  page,
  world,
  language,
}: Scene): Promise<{ mail: URL; text: string; selected: number }> {
  const mail = new URL((await page.locator('a[href^="mailto:?"]').getAttribute('href')) ?? '')
  const area = page.getByRole('textbox', { name: texts[language].adminMessage.copy })
  await area.focus()
  await page.keyboard.press('Control+a')
  const selected = (await page.evaluate(
    'document.activeElement.selectionEnd - document.activeElement.selectionStart',
  )) as number
  const text = await area.inputValue()
  for (const part of [
    `${world.url}/auth/oauth2/microsoft/admin-consent`,
    world.entra.clientId,
    'MEGDocs',
    'User.Read',
    'Files.ReadWrite.All',
  ]) {
    if (!text.includes(part)) throw new Error(`the message lacks ${part}`)
  }
  return { mail, text, selected }
}

await inSomeLanguage(
  t,
  stage,
  'approving ends on a page that names the account and offers to undo it',
  async (t, scene) => {
    const { page, world, language } = scene
    await page.route('**/microsoft/connected?*', (route) => route.abort('aborted'))
    await goToMicrosoft(world, page)
    await throughMicrosoft(world, page, 'jane')
    await scene.see('going-on', texts[language].goingOn.title)
    await page.unroute('**/microsoft/connected?*')
    await page.getByRole('link', { name: texts[language].actions.continueToMegdocs }).click()
    const text = await scene.see('connected', texts[language].result.connected)
    t.match(text, 'Jane Miller')
    t.match(text, 'jane@contoso.com')
    t.match(text, texts[language].result.notYou)
    await page.reload()
    t.equal(await page.locator('h1').innerText(), texts[language].result.connected, 'reloading shows the same page')
    await page.getByRole('link', { name: texts[language].actions.openConnection }).click()
    t.equal(new URL(page.url()).pathname, ACCOUNT, '"Not your account?" leads to the account page')
    t.ok(await page.getByRole('link', { name: texts[language].actions.disconnect, exact: true }).isVisible())

    await connect(world, page, 'jane')
    t.match(await scene.see('reconnected', texts[language].result.reconnected), 'jane@contoso.com')
  },
)

for (const [account, decision, how] of [
  ['omar', 'cancel', 'declining'],
  ['nora', 'accept', 'needing an administrator'],
] as const) {
  await inSomeLanguage(
    t,
    stage,
    `${how}: what may have happened, and a message for the administrator`,
    async (t, scene) => {
      const { page, world, language } = scene
      await connect(world, page, account, decision)
      const text = await scene.see(`not-approved-${account}`, texts[language].reasons.not_approved.title)
      const { adminNeeded, requestSent, declined } = texts[language].result.readings
      for (const reading of [adminNeeded, requestSent, declined])
        for (const part of [reading.title, reading.text]) t.ok(text.includes(part), part)
      const message = await administratorMessage(scene)
      t.equal(message.mail.protocol, 'mailto:')
      const { searchParams } = message.mail
      const mail = `${texts[language].adminMessage.subject}: ${searchParams.get('subject')}\n\n${searchParams.get('body')}`
      t.equal(mail.replaceAll('\r\n', '\n'), message.text)
      t.equal(message.selected, message.text.length, 'selectable by keyboard')
      t.equal(await hasConnect(scene), 1)
      await page.reload()
      t.equal(
        await page.locator('h1').innerText(),
        texts[language].reasons.not_approved.title,
        'reloading the callback shows the same page',
      )
    },
  )
}

await inSomeLanguage(
  t,
  stage,
  'another account than the connected one: both are masked, nothing changes',
  async (t, scene) => {
    const { page, world, language, userId } = scene
    await connect(world, page, 'jane')
    // Otherwise Microsoft's session would use the known account without asking.
    await page.context().clearCookies({ domain: '127.0.0.1' })
    await connect(world, page, 'omar')
    const text = await scene.see('other-account', texts[language].reasons.other_account.title)
    t.match(text, 'j•••@contoso.com')
    t.match(text, 'o•••@contoso.com')
    t.notMatch(await page.content(), /jane@|omar@|Omar|Jane/)
    t.equal((await world.client.integration(userId))?.account?.username, 'jane@contoso.com')
  },
)

await inSomeLanguage(t, stage, 'not all permissions approved: refused with an explanation', async (t, scene) => {
  const { page, world, language } = scene
  await connect(world, page, 'sam')
  await scene.see('missing-scopes', texts[language].reasons.missing_scopes.title)
  t.equal(await hasConnect(scene), 1)
})

await inSomeLanguage(
  t,
  stage,
  'blocked by the organisation: the administrator must act, with the answer of Microsoft',
  async (t, scene) => {
    const { page, world, language } = scene
    world.entra.control.misbehave('aadsts', 53003)
    await connect(world, page, 'jane')
    const text = await scene.see('blocked-by-policy', texts[language].reasons.blocked_by_policy.title)
    t.match(text, texts[language].cure.afterAdmin)
    t.match((await administratorMessage(scene)).text, 'AADSTS53003')
  },
)

await inSomeLanguage(t, stage, 'a reconnect that cannot help is not offered', async (t, scene) => {
  const { page, world, language } = scene
  world.entra.control.misbehave('aadsts', 50057)
  await connect(world, page, 'jane')
  t.match(
    await scene.see('account-disabled', texts[language].reasons.account_disabled.title),
    texts[language].cure.afterAdmin,
  )
  t.equal(await hasConnect(scene), 0)
})

await inSomeLanguage(t, stage, 'Microsoft unavailable: try again later', async (t, scene) => {
  const { page, world, language } = scene
  world.entra.control.misbehave('status', 503)
  await connect(world, page, 'jane')
  await scene.see('microsoft-unavailable', texts[language].reasons.microsoft_error.title)
  t.equal(await hasConnect(scene), 1)
  world.entra.control.behave()
})

await inSomeLanguage(
  t,
  stage,
  'Microsoft unavailable, reported by the callback: try again later',
  async (_t, scene) => {
    const { page, world, language } = scene
    await goToMicrosoft(world, page)
    const order = { authorizeUrl: page.url(), aadsts: 90033 }
    await page.goto(world.entra.control.refuseSignIn(order))
    await scene.see('microsoft-unavailable-callback', texts[language].reasons.microsoft_error.title)
  },
)

await inSomeLanguage(
  t,
  stage,
  'misconfigured broker: no detail, and a reference that is in the log',
  async (t, scene) => {
    const { page, world, language, userId } = scene
    world.entra.control.misbehave('aadsts', 7000215)
    await connect(world, page, 'jane')
    await scene.see('misconfigured', texts[language].reasons.client_credential.title)
    const lines = await logLines(world, await page.locator('footer code').innerText())
    const { connect_session: attempt } = lines.find((line) => line['connect_session'] !== undefined) ?? {}
    const audits = allLines(world).filter(
      (line) => line['audit'] === 'connect_completed' && line['connect_session'] === attempt,
    )
    t.match(
      audits,
      [{ user_id: userId, aadsts: 7000215, correlation_id: /^[0-9a-f-]{36}$/ }],
      'the log line leads to the answer of Microsoft',
    )
    t.notMatch(await page.content(), /AADSTS|7000215|invalid_client|secret/i)
    t.equal(await hasConnect(scene), 0)
  },
)

await inSomeLanguage(
  t,
  stage,
  'a sign-in that Microsoft ends on its own page: the account page says that it is not finished',
  async (t, scene) => {
    const { page, world, language } = scene
    await goToMicrosoft(world, page)
    await throughMicrosoft(world, page, 'blake')
    t.ok(page.url().startsWith(world.entra.url), 'the page of Microsoft has no link back')
    await page.goto(`${world.url}/microsoft/manage`)
    const text = await scene.see('account-not-finished', texts[language].account.title)
    t.match(text, texts[language].account.pending.title)
    await page.getByRole('link', { name: texts[language].actions.connect }).click()
    t.equal(new URL(page.url()).pathname, '/microsoft/connect')
  },
)
