import type { Browser, Page } from 'playwright-core'
import type { Test } from 'tap'
import { createWorld, type World } from '../../../sandbox/world.ts'
import { LANGUAGES, type Language } from '../../../src/http/pages/pages.ts'
import { keyboardFaults } from './keys.ts'
import { look } from './look.ts'
import { logIn, startOver } from './people.ts'
import { openChromium, visit, type Visitor } from './visitor.ts'

// The sandbox's world with a real browser, and the checks that all our pages must pass.

export interface Stage {
  world: World
  chromium: Browser
}

export async function openStage(t: Test): Promise<Stage> {
  const world = await createWorld()
  t.teardown(() => world.close())
  return { world, chromium: await openChromium(t) }
}

/** A user of MEGDocs for each language, so that the log shows which language a line belongs to. */
const READERS: Record<Language, string> = { en: 'u-1001', de: 'u-1002', es: 'u-1004' }

export interface Scene extends Stage {
  visitor: Visitor
  page: Page
  language: Language
  userId: string
  /** Checks what all our pages must show, in two views, and makes the pictures. Resolves with the text of the page. */
  see(name: string, heading: string, page?: Page): Promise<string>
}

let tests = 0

/**
 * Runs the test in one of the languages with a new browser, logged in to MEGDocs and not connected. It must end without
 * faults. The languages take turns: what differs between them is the text, and every-state.ts reads all of it.
 */
export async function inSomeLanguage(
  t: Test,
  stage: Stage,
  name: string,
  play: (t: Test, scene: Scene) => Promise<void>,
): Promise<void> {
  const language = LANGUAGES[tests++ % LANGUAGES.length] ?? 'en'
  await t.test(`${name} (${language})`, async (t) => {
    const scene = await openScene(t, stage, language)
    await play(t, scene)
    t.same(scene.visitor.faults, [], 'no console error, no request to other hosts, all headers, nothing overflows')
  })
}

export async function openScene(t: Test, stage: Stage, language: Language = 'en'): Promise<Scene> {
  const userId = READERS[language]
  await startOver(stage.world, userId)
  const visitor = await visit(t, stage.chromium, stage.world, { language })
  await logIn(stage.world, visitor, userId)
  return sceneOf(t, stage, visitor, userId)
}

/** The log of the broker, one object for each line. */
export function allLines(world: World): Record<string, unknown>[] {
  return world
    .brokerLogs()
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Record<string, unknown>)
}

/**
 * The log lines of the request with this reference, up to `answered`. That line is written after the answer was sent,
 * by another process, so it may come later than the page.
 */
export async function logLines(world: World, reference: string): Promise<Record<string, unknown>[]> {
  const limit = performance.now() + 10_000
  const found = (): Record<string, unknown>[] => allLines(world).filter((line) => line['request_id'] === reference)
  while (!found().some(({ msg }) => msg === 'answered') && performance.now() < limit)
    await new Promise((resolve) => setTimeout(resolve, 20))
  return found()
}

export function sceneOf(t: Test, stage: Stage, visitor: Visitor, userId: string): Scene {
  const { language } = visitor
  return {
    ...stage,
    visitor,
    page: visitor.page,
    language,
    userId,
    async see(name, heading, page = visitor.page) {
      t.equal(await page.locator('h1').innerText(), heading, name)
      t.equal(await page.locator('html').getAttribute('lang'), language, `${name}: has its language`)
      const reference = await page.locator('footer code').innerText()
      t.ok(
        (await logLines(stage.world, reference)).some(({ msg }) => msg === 'answered'),
        `${name}: its reference is in the log`,
      )
      t.ok((await page.locator(`main a.button, main a.plain, main button`).count()) > 0, `${name}: has a next step`)
      await look(visitor, name, page)
      visitor.faults.push(...(await keyboardFaults(page)).map((fault) => `${name}: ${fault}`))
      return page.locator('main').innerText()
    },
  }
}
