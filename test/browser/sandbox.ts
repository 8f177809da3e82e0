import t, { type Test } from 'tap'
import { axeFaults, look } from './support/look.ts'
import { connect, goToMicrosoft, logIn, microsoftPage, throughMicrosoft, expireToken } from './support/people.ts'
import { inSomeLanguage, openStage, type Scene } from './support/stage.ts'

// The simulated MEGDocs and Microsoft, as shown to customers: each page says that it is simulated. These pages are
// always English. The language only selects the views that are checked.

const stage = await openStage(t)

async function show(t: Test, { visitor, chromium, page }: Scene, name: string): Promise<void> {
  t.match(await page.getByRole('complementary').first().innerText(), /simulated/i, `${name}: says that it is simulated`)
  await look(visitor, `sandbox-${name}`)
  visitor.faults.push(...(await axeFaults(chromium, await page.content())).map((fault) => `${name}: ${fault}`))
}

await inSomeLanguage(
  t,
  stage,
  'MEGDocs: login, connect, a saved document, and a connection that needs attention',
  async (t, scene) => {
    const { page, world, userId, visitor } = scene
    await page.goto(`${world.url}/login`)
    await show(t, scene, 'megdocs-login')
    await logIn(world, visitor, userId)
    await show(t, scene, 'megdocs-home-not-connected')
    await page.getByRole('link', { name: 'Documents' }).click()
    await show(t, scene, 'megdocs-documents-not-connected')
    await connect(world, page, 'jane')
    await page.goto(world.url)
    await show(t, scene, 'megdocs-home')
    await page.getByRole('link', { name: 'Open your documents' }).click()
    await show(t, scene, 'megdocs-documents')
    await page.locator('main ul.plain a').first().click()
    await page.getByLabel('Text').fill('Written by hand.')
    await page.getByRole('button', { name: 'Save to Microsoft 365' }).click()
    t.match(await page.getByRole('status').innerText(), 'Saved')
    t.equal(await page.getByLabel('Text').inputValue(), 'Written by hand.')
    await show(t, scene, 'megdocs-document')
    world.entra.control.revokeSessions({ account: 'jane@contoso.com' })
    await expireToken(world, userId)
    await page.goto(world.url)
    await show(t, scene, 'megdocs-home-attention')
  },
)

await inSomeLanguage(t, stage, 'Microsoft: all pages', async (t, scene) => {
  const { page, world } = scene
  await goToMicrosoft(world, page)
  await show(t, scene, 'microsoft-picker')
  const authorizeUrl = page.url()
  await page.locator('#account-jane').click()
  await show(t, scene, 'microsoft-consent')
  await page.goto(authorizeUrl)
  await page.locator('#account-nora').click()
  t.equal(await microsoftPage(page), 'need-admin-approval')
  await show(t, scene, 'microsoft-need-admin')
  await page.goto(authorizeUrl)
  await throughMicrosoft(world, page, 'blake')
  await show(t, scene, 'microsoft-blocked')
  await page.goto(authorizeUrl.replace('prompt=select_account', 'login_hint=jane@contoso.com'))
  t.equal(await microsoftPage(page), 'sign-in-page')
  await show(t, scene, 'microsoft-sign-in')
  await page.goto(`${world.url}/auth/oauth2/microsoft/admin-consent`)
  await page.locator('main a.button').first().click()
  await show(t, scene, 'microsoft-admin-picker')
  await page.locator('#account-adele').click()
  await show(t, scene, 'microsoft-admin-consent')
})
