import type { Page } from 'playwright-core'
import t from 'tap'
import { texts } from '../../src/texts/texts.ts'
import { focused } from './support/keys.ts'
import { inSomeLanguage, openStage } from './support/stage.ts'

// The main path with Tab and Enter only.

const stage = await openStage(t)

/**
 * Presses Tab until the element with this name has the focus. Throws if it is not reached, or if the focus is
 * invisible.
 */
async function tabTo(page: Page, name: string | RegExp): Promise<void> {
  const seen: string[] = []
  for (let presses = 0; presses < 30; presses++) {
    await page.keyboard.press('Tab')
    const stop = await focused(page)
    if (stop === null) continue
    seen.push(stop.name)
    if (!stop.visible) throw new Error(`the focus on ${stop.name} cannot be seen`)
    if (typeof name === 'string' ? stop.name === name : name.test(stop.name)) return
  }
  throw new Error(`${name} cannot be reached by keyboard; reached: ${seen.join(', ')}`)
}

async function press(page: Page, name: string | RegExp): Promise<void> {
  await tabTo(page, name)
  await Promise.all([page.waitForEvent('domcontentloaded'), page.keyboard.press('Enter')])
}

await inSomeLanguage(
  t,
  stage,
  'connect, open the account page, disconnect: by keyboard',
  async (t, { page, world, language, userId }) => {
    const words = texts[language]
    const heading = page.locator('h1')
    // Also at 400 % zoom: people who need one often need the other.
    await page.setViewportSize({ width: 320, height: 200 })
    await page.goto(`${world.url}/microsoft/manage`)
    await press(page, words.actions.connect)
    await press(page, 'Connect to Microsoft')
    await press(page, 'Jane Miller')
    await tabTo(page, 'Accept')
    await page.keyboard.press('Enter')
    await heading.filter({ hasText: words.result.connected }).waitFor()
    await press(page, words.actions.openConnection)
    t.equal(await heading.innerText(), words.account.title, 'the account page')
    await press(page, words.actions.disconnect)
    t.equal(await heading.innerText(), words.confirm.title, 'asks first')
    await press(page, words.actions.stayConnected)
    await press(page, words.actions.disconnect)
    await press(page, words.actions.disconnectNow)
    t.equal(await heading.innerText(), words.disconnected.title)
    t.equal(await world.client.integration(userId), undefined)
    await press(page, words.actions.backToMegdocs)
    t.equal(page.url(), `${world.url}/`)
  },
)

await inSomeLanguage(
  t,
  stage,
  'the message for the administrator is reached, opened and selected by keyboard',
  async (t, { page, world, language }) => {
    const words = texts[language]
    await page.goto(`${world.url}/microsoft/connect`)
    await press(page, 'Connect to Microsoft')
    await press(page, 'Nora Berg')
    await tabTo(page, /^Return to the application/)
    await page.keyboard.press('Enter')
    await page.locator('h1', { hasText: words.reasons.not_approved.title }).waitFor()
    await tabTo(page, words.actions.writeMail)
    await tabTo(page, 'admin-text')
    await page.keyboard.press('Control+a')
    t.ok(await page.evaluate('document.activeElement.selectionEnd === document.activeElement.value.length'))
    await press(page, words.actions.readRequest)
    t.equal(await page.locator('h1').innerText(), words.adminConsent.title)
    await press(page, words.actions.approve)
    t.ok(page.url().startsWith(world.entra.url))
  },
)
