import { mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import axe from 'axe-core'
import type { Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { openApiDocument } from '../../src/app.ts'
import { WORKED_ANSWER, WORKED_GET, WORKED_POST } from '../../src/http/worked-examples.ts'
import { startWorld } from '../support/world.ts'
import { openChromium } from './support/visitor.ts'

// The API reference on the internal listener, for developers of callers. Unlike all our other pages, it uses
// JavaScript.

interface Operation {
  operationId: string
  summary: string
  tags: string[]
  responses: Record<string, { description: string }>
}
const document = (await openApiDocument()) as {
  paths: Record<string, Record<string, Operation>>
  tags: { name: string }[]
  components: { schemas: object }
}
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ name: `${method.toUpperCase()} ${path}`, ...operation })),
)

const world = await startWorld(t)
const chromium = await openChromium(t)
const { internalUrl } = world.replica
const PICTURES = resolve('.screenshots/en')
mkdirSync(PICTURES, { recursive: true })

/** Opens the page in a new profile. `faults`: what no page may do. */
async function open(
  t: Test,
  { width = 1280, colorScheme = 'light' as 'light' | 'dark', path = '/docs' } = {},
): Promise<{ page: Page; faults: string[] }> {
  const context = await chromium.newContext({ viewport: { width, height: 800 }, colorScheme })
  t.teardown(() => context.close())
  const faults: string[] = []
  context.on(
    'request',
    (request) =>
      void (
        new URL(request.url()).origin === internalUrl ||
        request.url().startsWith('data:') ||
        faults.push(`request to ${request.url()}`)
      ),
  )
  context.on(
    'response',
    (response) => void (response.status() < 400 || faults.push(`${response.status()} ${response.url()}`)),
  )
  context.on('console', (message) => void faults.push(`console ${message.type()}: ${message.text()}`))
  context.on('weberror', (error) => void faults.push(`script error: ${error.error().message}`))
  const page = await context.newPage()
  await page.goto(internalUrl + path)
  await page.locator('.opblock').first().waitFor()
  return { page, faults }
}

/** Both widths and both colour schemes. 320 px is also a desktop at 400 % zoom. */
for (const view of [
  { width: 1280, colorScheme: 'light' },
  { width: 1280, colorScheme: 'dark' },
  { width: 320, colorScheme: 'light' },
] as const) {
  await t.test(
    `${view.width} px, ${view.colorScheme}: all sections and operations are listed, no request leaves the origin, nothing overflows`,
    async (t) => {
      const { page, faults } = await open(t, view)
      t.equal(await page.title(), 'Token broker API')
      t.match(await page.locator('.info .title').innerText(), 'Token broker')
      t.strictSame(
        await page.locator('.opblock-tag').evaluateAll((tags) => tags.map((tag) => tag.getAttribute('data-tag'))),
        document.tags.map(({ name }) => name),
      )
      const listed = await page
        .locator('.opblock')
        .evaluateAll((blocks) =>
          blocks.map((block) =>
            [
              `${block.querySelector('.opblock-summary-method')?.textContent} ${block.querySelector('.opblock-summary-path')?.getAttribute('data-path')}`,
              block.querySelector('.opblock-summary-description')?.textContent,
            ].join(': '),
          ),
        )
      t.strictSame(listed.sort(), operations.map(({ name, summary }) => `${name}: ${summary}`).sort())
      const trying = page
        .locator('button')
        .filter({ hasText: /Try it out|Authorize|Execute/ })
        .or(page.locator('.authorization__btn'))
      t.equal(await trying.filter({ visible: true }).count(), 0, 'nothing to try: a page cannot sign')
      await page.screenshot({ path: join(PICTURES, `reference-${view.width}-${view.colorScheme}.png`), fullPage: true })
      t.equal(await page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth'), 0)
      t.strictSame(faults, [])
    },
  )
}

for (const colorScheme of ['light', 'dark'] as const) {
  await t.test(`${colorScheme}: axe finds nothing, and an open operation fits 320 px`, async (t) => {
    // axe is a script of ours, which the policy of the page does not allow.
    const context = await chromium.newContext({
      viewport: { width: 320, height: 800 },
      bypassCSP: true,
      colorScheme,
    })
    t.teardown(() => context.close())
    const page = await context.newPage()
    for (const hash of ['', '#/tokens/getToken', '#/connect/beginConnectSession']) {
      await page.goto('about:blank')
      await page.goto(`${internalUrl}/docs/${hash}`)
      await page
        .locator(hash === '' ? '.opblock' : '.responses-table')
        .first()
        .waitFor()
      await page.evaluate(axe.source)
      const { violations } = (await page.evaluate(
        'axe.run(document, { preload: false, resultTypes: ["violations"], rules: { "target-size": { enabled: true } } })',
      )) as axe.AxeResults
      t.strictSame(
        violations.flatMap(({ id, nodes }) =>
          nodes.map(({ target, any }) => `${id} ${target.join(' ')} ${any[0]?.message}`),
        ),
        [],
        hash,
      )
      t.equal(await page.evaluate('document.documentElement.scrollWidth'), 320, hash)
    }
  })
}

await t.test('the signing guide is on the page, with complete worked examples', async (t) => {
  const { page, faults } = await open(t, { path: '/docs/' })
  const guide = page.locator('.info details')
  t.equal(await guide.locator('pre').first().isVisible(), false, 'folded: the operations come first')
  await guide.locator('summary').click()
  const blocks = await guide.locator('pre').allInnerTexts()
  for (const { base } of [WORKED_GET, WORKED_ANSWER, WORKED_POST])
    t.ok(
      blocks.some((block) => block.trim() === base.join('\n')),
      base.join(', '),
    )
  await page.screenshot({ path: join(PICTURES, 'reference-guide.png'), fullPage: true })
  t.strictSame(faults, [])
})

await t.test('each operation has its own address, with all statuses and problem codes', async (t) => {
  const { page, faults } = await open(t)
  for (const {
    operationId,
    tags: [tag = ''],
    responses,
  } of operations) {
    await page.goto('about:blank')
    await page.goto(`${internalUrl}/docs/#/${tag}/${operationId}`)
    const answers = page.locator(`#operations-${tag}-${operationId} .responses-table`).first()
    await answers.waitFor()
    const text = await answers.innerText()
    for (const [status, { description }] of Object.entries(responses)) {
      t.match(text, new RegExp(`^${status}\\b`, 'm'), `${operationId} ${status}`)
      for (const [, code = ''] of description.matchAll(/`(\w+)`:/g))
        t.ok(text.includes(code), `${operationId} ${status} ${code}`)
    }
    if (operationId === 'getToken')
      await page.screenshot({ path: join(PICTURES, 'reference-operation.png'), fullPage: true })
  }
  t.strictSame(faults, [])
})

await t.test('the schemas are on the page, with the reasons and who must act', async (t) => {
  const { page, faults } = await open(t)
  const models = page.locator('section.models')
  await models.getByRole('button').first().click()
  for (const name of Object.keys(document.components.schemas))
    await models.getByText(name, { exact: true }).first().waitFor()
  await models.getByRole('button', { name: 'Reason' }).first().click()
  await models.getByText('refresh_token_expired').first().waitFor()
  t.strictSame(faults, [])
})

await t.test('the content security policy works: an inline script does not run', async (t) => {
  const { page, faults } = await open(t)
  await page.evaluate(
    `document.body.append(Object.assign(document.createElement('script'), { textContent: 'window.ran = true' }))`,
  )
  t.equal(await page.evaluate('window.ran'), undefined)
  t.match(faults.join('\n'), /Content Security Policy/)
})
