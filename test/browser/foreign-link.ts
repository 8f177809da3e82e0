import t from 'tap'
import { texts } from '../../src/texts/texts.ts'
import { goToMicrosoft, settled, throughMicrosoft } from './support/people.ts'
import { inSomeLanguage, openStage } from './support/stage.ts'

// Somebody else's link is opened while a sign-in of this browser is at Microsoft (docs/security.md#connect-flow).

const stage = await openStage(t)
const SOMEBODY = 'u-1003'

await inSomeLanguage(t, stage, 'the question comes first, and the own sign-in can be finished', async (t, scene) => {
  const { page, world, language, userId, visitor } = scene
  await goToMicrosoft(world, page)
  const { url } = await world.client.beginConnect(SOMEBODY)
  const other = await visitor.tab()
  await other.goto(url)
  const { title, happened, todo } = texts[language].problems.other_sign_in
  const text = await scene.see('other-sign-in', title, other)
  for (const part of [happened, todo]) t.match(text, part)
  t.notMatch(text, SOMEBODY, 'the page does not say whose link it is')

  await throughMicrosoft(world, page, 'jane')
  await settled(page)
  t.equal(await page.locator('h1').innerText(), texts[language].result.connected)
  t.match(await world.client.integration(userId), { status: 'active', account: { username: 'jane@contoso.com' } })
})

await inSomeLanguage(
  t,
  stage,
  'who continues gets to Microsoft with the link, and the own sign-in ends with a page that says so',
  async (t, scene) => {
    const { page, world, language, userId, visitor } = scene
    await goToMicrosoft(world, page)
    const { url } = await world.client.beginConnect(SOMEBODY)
    const other = await visitor.tab()
    await other.goto(url)
    await other.getByRole('link', { name: texts[language].actions.continueWithLink }).click()
    t.ok(other.url().startsWith(world.entra.url), 'the link leads to Microsoft')

    await throughMicrosoft(world, page, 'jane')
    await scene.see('own-sign-in-over', texts[language].problems.sign_in_unmatched.title)
    t.equal(await world.client.integration(userId), undefined)
    // Now the sign-in of the link is the one that is under way.
    await goToMicrosoft(world, page)
    t.equal(await page.locator('h1').innerText(), texts[language].problems.other_sign_in.title)
    await page.getByRole('link', { name: texts[language].actions.continueWithLink }).click()
    await throughMicrosoft(world, page, 'jane')
    await settled(page)
    t.equal(await page.locator('h1').innerText(), texts[language].result.connected, 'a new attempt works')
  },
)
