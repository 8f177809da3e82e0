import type { Browser, Page } from 'playwright-core'
import type { Test } from 'tap'
import { createWorld, type World } from '../../../sandbox/world.ts'
import { LANGUAGES, type Language } from '../../../src/http/pages/pages.ts'
import { outOfReach } from './keys.ts'
import { type Inspector, look, openInspector } from './look.ts'
import { logIn, startOver } from './people.ts'
import { openChromium, visit, type Visitor } from './visitor.ts'

// The sandbox's world and a real browser in front of it, and what every page of ours must show.

export interface Stage {
  world: World
  chromium: Browser
  inspector: Inspector
}

export async function openStage(t: Test): Promise<Stage> {
  const world = await createWorld()
  t.teardown(() => world.close())
  const chromium = await openChromium(t)
  return { world, chromium, inspector: await openInspector(t, chromium) }
}

/** A user of MEGDocs for each language, so that both are told apart in the log. */
const READERS: Record<Language, string> = { en: 'u-1001', de: 'u-1002' }

export interface Scene extends Stage {
  visitor: Visitor
  page: Page
  language: Language
  userId: string
  /** What every page of ours must show, the four views, and the pictures. */
  see(name: string, heading: string, page?: Page): Promise<string>
}

/** Plays it once in each language: a fresh browser, logged in to MEGDocs, nothing connected. No fault may be left at the end. */
export async function inBothLanguages(
  t: Test,
  stage: Stage,
  name: string,
  play: (t: Test, scene: Scene) => Promise<void>,
): Promise<void> {
  for (const language of LANGUAGES) {
    await t.test(`${name} (${language})`, async (t) => {
      const scene = await openScene(t, stage, language)
      await play(t, scene)
      t.same(
        scene.visitor.faults,
        [],
        'no console error, no foreign request, all headers, nothing for axe, nothing sticks out',
      )
    })
  }
}

export async function openScene(t: Test, stage: Stage, language: Language = 'en'): Promise<Scene> {
  const userId = READERS[language]
  await startOver(stage.world, userId)
  const visitor = await visit(t, stage.chromium, stage.world, { language })
  await logIn(stage.world, visitor, userId)
  return sceneOf(t, stage, visitor, userId)
}

/** What the broker has logged, one object a line. */
export function allLines(world: World): Record<string, unknown>[] {
  return world
    .brokerLogs()
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Record<string, unknown>)
}

/**
 * The log's lines of the request with this reference, `answered` being the last. It is written when the answer has been sent, and comes
 * from another process: the page may be here first.
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
      t.equal(await page.locator('html').getAttribute('lang'), language, `${name}: says its language`)
      const reference = await page.locator('footer code').innerText()
      t.ok(
        (await logLines(stage.world, reference)).some(({ msg }) => msg === 'answered'),
        `${name}: its reference is a request of the log`,
      )
      t.ok((await page.locator(`main a.button, main a.plain, main button`).count()) > 0, `${name}: has a way on`)
      await look(visitor, stage.inspector, name, page)
      visitor.faults.push(...(await outOfReach(page)).map((fault) => `${name}: ${fault}`))
      return page.locator('main').innerText()
    },
  }
}
