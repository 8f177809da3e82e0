import { type Browser, type BrowserOptions, createBrowser, type Page } from './browser.ts'
import type { World } from './world.ts'

// Acts as a person who uses the sandbox, for its check and for tests: logs in to MEGDocs, presses its buttons, and
// answers the pages of the simulated Microsoft.

export interface Person {
  browser: Browser
  userId: string
  /** The page after logging in. */
  home: Page
}

export async function logIn(world: World, userId: string, options: BrowserOptions = {}): Promise<Person> {
  const browser = createBrowser(options)
  const login = await browser.open(`${world.url}/login`)
  const form = login.forms.find(({ fields }) => fields['user'] === userId)
  if (!form) throw new Error(`MEGDocs has no user ${userId}`)
  const home = await browser.press({ ...login, forms: [form] }, '/login')
  return { browser, userId, home }
}

/** Presses "Connect to Microsoft" on MEGDocs' entry page. Resolves with the first page at Microsoft. */
export async function goToMicrosoft(world: World, { browser }: Person): Promise<Page> {
  return browser.press(await browser.open(`${world.url}/microsoft/connect`), 'Connect to Microsoft')
}

/** The id of the page of the simulated Microsoft, such as `picker`. Undefined for any other page. */
export function microsoftPage(world: World, page: Page): string | undefined {
  return page.url.startsWith(world.entra.url) ? /<main id="([\w-]+)"/.exec(page.html)?.[1] : undefined
}

/**
 * Answers Microsoft's pages with this account (`jane`) and presses `decision` on the consent page. Resolves with the
 * page of ours that follows, or with the page of Microsoft that has no next step.
 */
export async function throughMicrosoft(
  world: World,
  { browser }: Person,
  first: Page,
  account: string,
  decision: 'accept' | 'cancel' = 'accept',
): Promise<Page> {
  let page = first
  for (let steps = 0; steps < 8; steps++) {
    const where = microsoftPage(world, page)
    if (where === 'picker') page = await browser.press(page, `account-${account}`)
    else if (where === 'sign-in-page' && page.text.includes(`${account}@`)) page = await browser.press(page, 'sign-in')
    else if (where === 'sign-in-page') page = await browser.click(page, 'other-account')
    else if (where === 'consent') page = await browser.press(page, decision)
    else if (where === 'need-admin-approval') page = await browser.press(page, 'return-to-app')
    else return page
  }
  throw new Error(`simulated Microsoft does not come to an end: ${page.url}`)
}

/** The whole path. Resolves with the broker's result page. */
export async function connect(
  world: World,
  person: Person,
  account: string,
  decision: 'accept' | 'cancel' = 'accept',
): Promise<Page> {
  return throughMicrosoft(world, person, await goToMicrosoft(world, person), account, decision)
}

/** Presses one of the sandbox's controls below MEGDocs' home page. */
export async function control(world: World, { browser }: Person, action: string): Promise<Page> {
  return browser.press(await browser.open(`${world.url}/`), `/sandbox/${action}`)
}

/** The generation that MEGDocs shows next to a document. */
export function generationOn(page: Page): number {
  return Number(/<dd id="generation">(\d+)</.exec(page.html)?.[1] ?? Number.NaN)
}
