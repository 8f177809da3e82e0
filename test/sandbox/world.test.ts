import { readFileSync, statSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { createBrowser } from '../../sandbox/browser.ts'
import { check } from '../../sandbox/check.ts'
import { connect, control, generationOn, logIn } from '../../sandbox/driver.ts'
import { createWorld, forgetWorld } from '../../sandbox/world.ts'
import { folderInCheckout } from '../support/folder.ts'

t.test('all steps of npm run sandbox -- --check pass', async (t) => {
  const lines: string[] = []
  t.ok(await check((line) => lines.push(line)), lines.join('\n'))
})

t.test('after a restart of the sandbox, connected accounts are still there and are refreshed', async (t) => {
  const dir = join(folderInCheckout(t), 'kept')
  const first = await createWorld({ dir })
  await connect(first, await logIn(first, 'u-1001'), 'jane')
  const before = await first.client.token('u-1001')
  await first.close()

  const second = await createWorld({ dir })
  t.teardown(() => second.close().then(() => forgetWorld(dir)))
  const jane = await logIn(second, 'u-1001')
  await control(second, jane, 'expire')
  const page = await jane.browser.open(`${second.url}/documents`)
  t.match(page, { status: 200, text: /OneDrive of Jane Miller/ })
  t.ok(generationOn(page) > before.generation)
  for (const name of ['secrets.json', 'callers.json', 'broker.log'])
    t.equal(statSync(join(dir, name)).mode & 0o777, 0o600, name)
  t.match(readFileSync(join(dir, 'broker.log'), 'utf8'), /"msg":"listening"/)
})

t.test('pages of MEGDocs around a connect', async (t) => {
  const holder = createServer()
  await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve))
  t.teardown(() => holder.close())
  const { port } = holder.address() as AddressInfo
  const said: string[] = []
  const world = await createWorld({ port, report: (line) => said.push(line) })
  t.teardown(() => world.close())
  t.match(said.join('\n'), `port ${port} is taken: using another one`)
  t.not(world.frontDoor.port, port)

  await t.test("forms without the session's token change nothing", async (t) => {
    const { browser, home } = await logIn(world, 'u-1001')
    for (const path of ['/microsoft/connect', '/logout', '/sandbox/down', '/documents/x']) {
      const page = await browser.press(
        {
          ...home,
          forms: [{ action: path, method: 'post', fields: { csrf: 'x' }, buttons: [{ id: 'b', text: 'b' }] }],
        },
        'b',
      )
      t.equal(page.status, 403, path)
    }
    t.match(await browser.open(`${world.url}/`), { text: /Good day, Dr. Jane Doe/ })
  })

  await t.test(
    'a user who is not logged in must log in first, and then returns to the same page, never to another site',
    async (t) => {
      const browser = createBrowser()
      t.match(
        (await browser.press(await browser.open(`${world.url}/microsoft/connect`), 'Jane')).title,
        /Connect to Microsoft/,
      )
      const elsewhere = createBrowser()
      const page = await elsewhere.press(
        await elsewhere.open(`${world.url}/login?next=${encodeURIComponent('https://evil.example/')}`),
        'Jane',
      )
      t.equal(page.url, `${world.url}/`)
    },
  )

  await t.test('missing, broken and restored connections each show what to do', async (t) => {
    const person = await logIn(world, 'u-1003')
    const open = () => person.browser.open(`${world.url}/documents`)
    t.match(await open(), { status: 404, text: /Connect to Microsoft/ })
    await connect(world, person, 'lena')
    await control(world, person, 'revoke')
    await control(world, person, 'expire')
    t.match(await open(), { status: 409, text: /Code reconnect_required , reason access_revoked.* Connect again/ })
    t.match(await person.browser.open(`${world.url}/`), { text: /needs your attention/ })
    await connect(world, person, 'lena')
    t.match(await open(), { status: 200, text: /OneDrive of Lena Vogt/ })
  })
})
