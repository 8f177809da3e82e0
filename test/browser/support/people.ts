import type { Page } from 'playwright-core'
import type { World } from '../../../sandbox/world.ts'
import type { Visitor } from './visitor.ts'

// What people do in the sandbox, click by click.

export const ACCOUNT = '/accounts/account/microsoft/'

export async function logIn(world: World, { page }: Visitor, userId: string): Promise<void> {
  await page.goto(`${world.url}/login`)
  await page
    .locator('form', { has: page.locator(`input[value="${userId}"]`) })
    .getByRole('button')
    .click()
}

/** Presses MEGDocs' button. Ends at Microsoft. */
export async function goToMicrosoft(world: World, page: Page): Promise<void> {
  await page.goto(`${world.url}/microsoft/connect`)
  await page.getByRole('button', { name: 'Connect to Microsoft' }).click()
}

/** The id of the open page of the simulated Microsoft, such as `picker`. */
export async function microsoftPage(page: Page): Promise<string> {
  return (await page.locator('main').getAttribute('id')) ?? ''
}

/** Answers Microsoft's pages with this account, up to the callback or to a page of Microsoft without a next step. */
export async function throughMicrosoft(
  world: Pick<World, 'entra'>,
  page: Page,
  account: string,
  decision: 'accept' | 'cancel' = 'accept',
): Promise<void> {
  for (let steps = 0; steps < 8 && page.url().startsWith(world.entra.url); steps++) {
    const where = await microsoftPage(page)
    if (where === 'picker') await page.locator(`#account-${account}`).click()
    else if (where === 'sign-in-page') {
      const isTheirs = (await page.locator('main').innerText()).includes(`${account}@`)
      await page.locator(isTheirs ? '#sign-in' : '#other-account').click()
    } else if (where === 'consent') await page.locator(`#${decision}`).click()
    else if (where === 'need-admin-approval') await page.locator('#return-to-app').click()
    else return
  }
}

/** Waits until a page does not redirect itself. */
export async function settled(page: Page): Promise<void> {
  await page.locator('html:not(:has(meta[http-equiv="refresh"])) main').waitFor()
}

/** A whole connect, from MEGDocs' button to the last page. */
export async function connect(
  world: World,
  page: Page,
  account: string,
  decision: 'accept' | 'cancel' = 'accept',
): Promise<void> {
  await goToMicrosoft(world, page)
  await throughMicrosoft(world, page, account, decision)
  await settled(page)
}

/** Opens the account page from MEGDocs. */
export async function openAccountPage(world: World, page: Page): Promise<void> {
  await page.goto(`${world.url}/microsoft/manage`)
}

/** Lets the stored access token expire, and MEGDocs ask for a new one. The result is in the row. */
export async function expireToken(world: World, userId: string): Promise<void> {
  await world.query(
    `update oauth2_integration set access_token_expires_at = now() - interval '1 second', retry_at = null
      where user_id = '${userId}'`,
  )
  await world.client.token(userId).catch(() => {})
}

/** Resets the user: not connected, no connect session, Microsoft available and without any consent. */
export async function startOver(world: World, userId: string): Promise<void> {
  world.entra.control.behave()
  world.entra.control.forgetConsent()
  await world.client.disconnect(userId)
}
