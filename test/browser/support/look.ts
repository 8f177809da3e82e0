import { mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import axe from 'axe-core'
import type { Browser, Page } from 'playwright-core'
import type { Language } from '../../../src/http/pages/pages.ts'
import type { Visitor } from './visitor.ts'

// Checks a page: widths, light and dark, accessibility. Makes pictures for people to review.

/** Ignored by git. npm runs scripts in the folder of the checkout. */
const PICTURES = resolve('.screenshots')

/**
 * 320 px is also a desktop of 1280 px at 400 % zoom (WCAG 2.2, 1.4.10). Each language is checked in two of the four
 * combinations, so English and German together cover all: colours do not depend on the width, nor the layout on the
 * colours.
 */
const VIEWS = {
  en: [
    { width: 320, height: 640, colorScheme: 'dark' },
    { width: 1280, height: 800, colorScheme: 'light' },
  ],
  de: [
    { width: 1280, height: 800, colorScheme: 'dark' },
    { width: 320, height: 640, colorScheme: 'light' },
  ],
  es: [
    { width: 320, height: 640, colorScheme: 'light' },
    { width: 1280, height: 800, colorScheme: 'light' },
  ],
} as const
/** The views for axe: each width and each colour scheme once. */
const AXE_VIEWS = {
  en: { width: 320, height: 640, colorScheme: 'dark' },
  de: { width: 1280, height: 800, colorScheme: 'light' },
  es: { width: 320, height: 640, colorScheme: 'light' },
} as const
export interface View {
  width: number
  height: number
  colorScheme: 'light' | 'dark'
}

async function show(page: Page, { width, height, colorScheme }: View): Promise<void> {
  await page.setViewportSize({ width, height })
  await page.emulateMedia({ colorScheme })
}

export interface Inspector {
  /** Describes the faults of this document in this view; empty if there are none. `layout`: only whether it fits. */
  inspect(url: string, html: string, view: View, only?: 'layout'): Promise<string[]>
  /** Makes a picture of the document that was inspected last, in its view. */
  picture(language: Language, name: string): Promise<void>
}

/**
 * axe is a script, and our pages allow none. So axe runs on the same document in a second browser profile with
 * JavaScript. The page under test itself is not changed: its policy is active and JavaScript is off.
 */
export async function openInspector(
  t: { teardown(end: () => unknown): unknown },
  browser: Browser,
): Promise<Inspector> {
  const context = await browser.newContext({ bypassCSP: true })
  t.teardown(() => context.close())
  const page = await context.newPage()
  let document = ''
  await page.route('**/*', (route) => route.fulfill({ contentType: 'text/html; charset=utf-8', body: document }))
  return {
    async inspect(url, html, view, only) {
      // If a page redirects itself, the page before the redirect is checked.
      document = html.replace(/<meta http-equiv="refresh"[^>]*>/, '')
      await show(page, view)
      await page.goto(url)
      const overflow = String(await page.evaluate(OVERFLOW))
      const faults = overflow === '' ? [] : [overflow]
      if (only === 'layout') return faults
      await page.evaluate(axe.source)
      const found = (await page.evaluate(
        'axe.run(document, { resultTypes: ["violations"], rules: { "target-size": { enabled: true } } })',
      )) as axe.AxeResults
      return [
        ...faults,
        ...found.violations.flatMap(({ id, nodes }) =>
          nodes.map(
            ({ target, failureSummary }) => `axe ${id} at ${target.join(' ')}: ${failureSummary?.replace(/\s+/g, ' ')}`,
          ),
        ),
      ]
    },
    picture: (language, name) => takePicture(page, language, name),
  }
}

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
export async function look(
  visitor: Visitor,
  inspector: Inspector,
  name: string,
  page: Page = visitor.page,
): Promise<void> {
  const html = await page.content()
  for (const view of VIEWS[visitor.language]) {
    await show(page, view)
    const overflow = await page.evaluate(OVERFLOW)
    if (overflow !== '') visitor.faults.push(`${name}, ${view.width} px: ${String(overflow)}`)
    await takePicture(page, visitor.language, `${name}-${view.width}-${view.colorScheme}`)
  }
  visitor.faults.push(
    ...(await inspector.inspect(page.url(), html, AXE_VIEWS[visitor.language])).map((fault) => `${name}: ${fault}`),
  )
}
