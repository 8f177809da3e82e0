import t from 'tap'
import { startDjango } from '../../sandbox/django.ts'
import { createWorld } from '../../sandbox/world.ts'
import { texts } from '../../src/texts/texts.ts'
import { throughMicrosoft } from './support/people.ts'
import { openChromium } from './support/visitor.ts'

// The Django example as MEGDocs, in a real browser. Its session cookie is SameSite=Strict. Needs python3.

t.test(
  'a user of the Django example connects, edits a document, must reconnect, and returns to the same page',
  async (t) => {
    const world = await createWorld({ startMegdocs: startDjango })
    t.teardown(() => world.close())
    const page = await (await openChromium(t)).newPage()
    const heading = () => page.locator('h1').innerText()
    const approve = async (button: string): Promise<void> => {
      await page.getByRole('button', { name: button }).click()
      // The second time, the simulated Microsoft knows the browser and shows no page.
      await page.waitForURL((url) => url.href.startsWith(world.entra.url) || url.pathname === '/documents')
      await throughMicrosoft(world, page, 'jane')
      await page.waitForURL((url) => url.pathname === '/documents')
    }

    await page.goto(`${world.url}/documents`)
    await page.getByRole('button', { name: 'Dr. Jane Doe' }).click()
    t.equal(
      await heading(),
      'Connect to Microsoft',
      'a user without a connection who opens documents must connect first',
    )
    await approve('Connect to Microsoft')
    t.equal(new URL(page.url()).pathname, '/documents', 'and then returns to the documents')
    t.match(await page.getByRole('status').innerText(), 'Connected to Microsoft as jane@contoso.com')

    await page.getByRole('link', { name: 'Hand hygiene audit' }).click()
    await page.getByRole('textbox').fill('Written in Chromium: ä < &\n')
    await page.getByRole('button', { name: 'Save to Microsoft 365' }).click()
    t.match(await page.getByRole('status').innerText(), 'Saved')
    t.equal(await page.getByRole('textbox').inputValue(), 'Written in Chromium: ä < &\n')

    await page.goto(world.url)
    await page.getByRole('button', { name: 'Revoke access' }).click()
    await page.getByRole('button', { name: 'Let the access token expire' }).click()
    await page.goto(`${world.url}/documents`)
    t.equal(await heading(), 'Connect again', 'after a revocation as well')
    t.equal(await page.getByRole('status').getByRole('heading').innerText(), texts.en.reasons.access_revoked.title)
    await approve('Connect again')
    t.equal(new URL(page.url()).pathname, '/documents')

    await page.getByRole('link', { name: 'Microsoft account' }).click()
    t.equal(new URL(page.url()).pathname, '/accounts/account/microsoft/')
    await page.goto(world.url)
    await page.getByRole('button', { name: 'Log out' }).click()
    await page.goto(`${world.url}/accounts/account/microsoft/`)
    t.notMatch(await page.locator('main').innerText(), 'jane@contoso.com', 'logging out ended the account page')
  },
)
