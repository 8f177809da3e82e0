import t from 'tap'
import { fill, texts } from '../../src/texts/texts.ts'
import { connect } from './support/people.ts'
import { inSomeLanguage, openStage } from './support/stage.ts'
import { visit } from './support/visitor.ts'

// Admin consent (docs/microsoft.md#admin-consent): from the user's message to Microsoft and back, and then the user
// connects.

const stage = await openStage(t)

await inSomeLanguage(
  t,
  stage,
  'an administrator reads, declines, reads again and approves; then the user connects',
  async (t, scene) => {
    const { page, world, language } = scene
    const words = texts[language].adminConsent
    await connect(world, page, 'nora')
    t.equal(
      await page.locator('h1').innerText(),
      texts[language].reasons.not_approved.title,
      'a user without the right cannot approve',
    )
    const message = await page.locator('textarea').inputValue()
    const address = /http:\S+admin-consent/.exec(message)?.[0] ?? ''

    // Another person with another browser, without a login at MEGDocs.
    const adele = await visit(t, stage.chromium, world, { language })
    await adele.page.goto(address)
    const text = await scene.see('admin-consent', words.title, adele.page)
    for (const part of [
      world.entra.clientId,
      world.url,
      words.delegated,
      ...words.limitSteps.map((step) => fill(step, { clientId: world.entra.clientId })),
      ...words.revokeSteps,
      'User.Read',
      'Files.ReadWrite.All',
    ]) {
      t.ok(text.includes(part), part)
    }

    await adele.page.getByRole('link', { name: texts[language].actions.approve }).first().click()
    t.ok(adele.page.url().startsWith(world.entra.url))
    t.equal(
      new URL(adele.page.url()).searchParams.get('redirect_uri'),
      `${world.url}/auth/oauth2/microsoft/callback`,
      'the same redirect URI',
    )
    await adele.page.locator('#account-adele').click()
    await adele.page.locator('#cancel').click()
    t.match(await scene.see('admin-consent-refused', words.refusedTitle, adele.page), words.declinedTodo)

    await adele.page.getByRole('link', { name: texts[language].actions.readRequest }).first().click()
    await adele.page.getByRole('link', { name: texts[language].actions.approve }).first().click()
    await adele.page.locator('#account-adele').click()
    await adele.page.locator('#accept').click()
    t.match(await scene.see('admin-consent-approved', words.approvedTitle, adele.page), words.close)
    await adele.page.reload()
    t.equal(await adele.page.locator('h1').innerText(), words.approvedTitle)

    const forged = new URL(adele.page.url())
    forged.searchParams.set('tenant', '00000000-0000-4000-8000-000000000000')
    await adele.page.goto(forged.href)
    t.notMatch(
      await adele.page.content(),
      /00000000-0000-4000|c0470500|40270a1d/,
      'the returned tenant changes nothing and is not shown',
    )
    forged.searchParams.set('state', 'admin.AAAAAAAAAAAAAAAAAAAAAA.AAAA')
    await adele.page.goto(forged.href)
    t.equal(
      await adele.page.locator('h1').innerText(),
      texts[language].problems.sign_in_unmatched.title,
      'a state that is not ours',
    )
    t.same(adele.faults, [])

    await page.getByRole('link', { name: texts[language].actions.connectAgain }).click()
    await page.getByRole('button', { name: 'Connect to Microsoft' }).click()
    await page.locator('#account-nora').click()
    await page.locator('#sign-in, h1').first().waitFor()
    await page.locator('h1', { hasText: texts[language].result.connected }).waitFor()
    t.match(await page.locator('main').innerText(), 'nora@northwind.com')
  },
)
