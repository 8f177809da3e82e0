import { mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import axe from 'axe-core'
import type { Browser, Page } from 'playwright-core'
import type { Language } from '../../../src/http/pages/pages.ts'
import type { Visitor } from './visitor.ts'

// Looks at a page of a live flow: whether it fits, and pictures for people to review. every-state.ts checks all that
// can be known of a page by itself.

/** Ignored by git. npm runs scripts in the folder of the checkout. */
const PICTURES = resolve('.screenshots')

/** 320 px is also a desktop of 1280 px at 400 % zoom (WCAG 2.2, 1.4.10). */
const VIEWS = [
  { width: 320, height: 640, colorScheme: 'dark' },
  { width: 1280, height: 800, colorScheme: 'light' },
] as const

/** Describes an element that overflows to the right, so that users would have to scroll in two directions. */
const OVERFLOW = `(() => {
  const { scrollWidth, clientWidth } = document.documentElement
  if (scrollWidth <= clientWidth) return ''
  const widest = [...document.querySelectorAll('body *')]
    .filter((element) => element.getBoundingClientRect().right > clientWidth + 1).at(-1)
  return scrollWidth + ' px of content in ' + clientWidth + ' px: ' + (widest ? widest.outerHTML.slice(0, 120) : '')
})()`

async function takePicture(page: Page, language: Language, name: string): Promise<void> {
  const folder = join(PICTURES, language)
  mkdirSync(folder, { recursive: true })
  await page.screenshot({ path: join(folder, `${name}.png`), fullPage: true })
}

/**
 * Checks the current page of the visitor. Adds faults to the visitor's, and pictures to
 * .screenshots/<language>/<name>…png.
 */
export async function look(visitor: Visitor, name: string, page: Page = visitor.page): Promise<void> {
  for (const { width, height, colorScheme } of VIEWS) {
    await page.setViewportSize({ width, height })
    await page.emulateMedia({ colorScheme })
    const overflow = await page.evaluate(OVERFLOW)
    if (overflow !== '') visitor.faults.push(`${name}, ${width} px: ${String(overflow)}`)
    await takePicture(page, visitor.language, `${name}-${width}-${colorScheme}`)
  }
}

/**
 * The faults that axe finds. It is a script, and neither our pages nor those of the sandbox allow one, so it runs on the
 * same document in a browser profile of its own.
 */
export async function axeFaults(browser: Browser, html: string): Promise<string[]> {
  const context = await browser.newContext({ viewport: { width: 320, height: 640 } })
  const page = await context.newPage()
  await page.setContent(html.replace(/<meta http-equiv="refresh"[^>]*>/, ''))
  await page.evaluate(axe.source)
  const { violations } = (await page.evaluate(
    'axe.run(document, { preload: false, resultTypes: ["violations"], rules: { "target-size": { enabled: true } } })',
  )) as axe.AxeResults
  await context.close()
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(
      ({ target, failureSummary }) => `axe ${id} at ${target.join(' ')}: ${failureSummary?.replace(/\s+/g, ' ')}`,
    ),
  )
}
