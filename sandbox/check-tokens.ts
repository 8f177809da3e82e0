import { type Course, describe, expect, type Step } from './check-step.ts'
import { control, generationOn } from './driver.ts'
import type { Page } from './browser.ts'

// Steps of the check: getting tokens, as MEGDocs does when it opens documents.

const documents = ({ world, jane }: Course): Promise<Page> => jane.browser.open(`${world.url}/documents`)

/** Opens the list of documents. Resolves with the generation and the number of calls to Microsoft's token endpoint. */
async function openCounting(course: Course): Promise<{ page: Page; generation: number; calls: number }> {
  const before = course.world.entra.control.tokenRequests().total
  const page = await documents(course)
  expect(page.status === 200 && page.text.includes('Hand hygiene audit'), describe(page))
  return { page, generation: generationOn(page), calls: course.world.entra.control.tokenRequests().total - before }
}

export const tokenSteps: Step[] = [
  {
    name: 'documents open without a call to Microsoft while the token is valid',
    async run(course) {
      const { generation, calls } = await openCounting(course)
      expect(
        Number.isInteger(generation) && calls === 0,
        `generation ${generation}, ${calls} calls to the token endpoint`,
      )
      return `list of files, generation ${generation}, 0 calls`
    },
  },
  {
    name: 'a document is edited and saved in Microsoft 365',
    async run(course) {
      const { browser } = course.jane
      const document = await browser.click(await documents(course), 'Hand hygiene audit')
      const text = 'Checked by the sandbox: ä < & "quoted"\nsecond line\n'
      const saved = await browser.press(document, 'Save', { text })
      expect(
        saved.forms.some(({ fields }) => fields['text'] === text),
        describe(saved),
      )
      return `"${document.title}" read, written, read again`
    },
  },
  {
    name: 'an expired token is refreshed, once',
    async run(course) {
      const before = await openCounting(course)
      await control(course.world, course.jane, 'expire')
      const after = await openCounting(course)
      const change = `generation ${before.generation} → ${after.generation}`
      expect(after.generation > before.generation && after.calls === 1, `${change}, ${after.calls} calls`)
      const again = await openCounting(course)
      expect(
        again.generation === after.generation && again.calls === 0,
        `then generation ${again.generation}, ${again.calls} calls`,
      )
      return `${change}, exactly 1 token request; the next read 0`
    },
  },
  {
    name: 'a token that Graph rejects is replaced by a later one',
    async run(course) {
      const before = await openCounting(course)
      await control(course.world, course.jane, 'reject')
      const after = await openCounting(course)
      const change = `generation ${before.generation} → ${after.generation}`
      expect(after.generation > before.generation && after.calls === 1, `${change}, ${after.calls} calls`)
      return `${change}, exactly 1 token request`
    },
  },
  {
    name: 'twenty readers of one expired token cost one refresh',
    async run(course) {
      const { client, entra } = course.world
      await control(course.world, course.jane, 'expire')
      const before = entra.control.tokenRequests().total
      const tokens = await Promise.all(Array.from({ length: 20 }, () => client.token('u-1001')))
      course.tokens.push(...tokens.map(({ access_token: token }) => token))
      const calls = entra.control.tokenRequests().total - before
      const generations = new Set(tokens.map(({ generation }) => generation))
      expect(calls === 1 && generations.size === 1, `${calls} calls, ${generations.size} generations`)
      return '1 token request, 20 equal answers'
    },
  },
  {
    name: 'an administrator disables the account: editing stops at the next document, and works again once it is enabled',
    async run(course) {
      const { world, jane } = course
      const { expires_in: seconds } = await world.client.token('u-1001')
      expect(seconds > 7200, `expires in ${seconds} s`)
      await control(world, jane, 'disable')
      const refused = await documents(course)
      expect(refused.text.includes('disabled') && !refused.text.includes('Hand hygiene'), describe(refused))
      await control(world, jane, 'enable')
      const opened = await documents(course)
      expect(opened.status === 200, describe(opened))
      // The broker asks Microsoft again after 15 minutes.
      await world.query(`update oauth2_integration set retry_at = null where user_id = 'u-1001'`)
      await control(world, jane, 'expire')
      const { page } = await openCounting(course)
      const [row] = await world.query(`select status from oauth2_integration where user_id = 'u-1001'`)
      expect(page.status === 200 && row?.['status'] === 'active', describe(page))
      return `a token of ${Math.round(seconds / 3600)} h was refused at once; no reconnect afterwards`
    },
  },
  {
    name: 'while Microsoft is down, a valid token is served as degraded; after that, tokens are refreshed again',
    async run(course) {
      const { world } = course
      // Issued for an hour, and almost expired.
      const times = `access_token_expires_at = now() + interval '2 minutes', refreshed_at = now() - interval '1 hour'`
      await world.query(`update oauth2_integration set ${times} where user_id = 'u-1002'`)
      await control(world, course.jane, 'down')
      const token = await world.client.token('u-1002')
      await control(world, course.jane, 'heal')
      course.tokens.push(token.access_token)
      expect(
        token.degraded && token.expires_in > 60,
        `degraded: ${JSON.stringify(token.degraded)}, expires in ${token.expires_in} s`,
      )
      const reason = token.degraded.reason
      await world.query(`update oauth2_integration set retry_at = null where user_id = 'u-1002'`)
      const healed = await world.client.token('u-1002')
      course.tokens.push(healed.access_token)
      const after = `after healing: generation ${healed.generation}, ${JSON.stringify(healed.degraded)}`
      expect(!healed.degraded && healed.generation > token.generation, after)
      const change = `generation ${token.generation} → ${healed.generation}`
      return `${token.expires_in} s left, degraded (${reason}); then ${change}`
    },
  },
]
