import { generateKeyPairSync } from 'node:crypto'
import { type AddressInfo, connect as connectTo } from 'node:net'
import { createServer } from 'node:tls'
import t from 'tap'
import { BROKER_AUTHORITY } from '../../sandbox/broker.ts'
import { selfSignedCertificate, toPem } from '../../sandbox/entra/certificate.ts'
import { openFrontDoor } from '../../sandbox/front-door.ts'
import { startMegdocs } from '../../sandbox/megdocs/main.ts'
import { texts } from '../../src/texts/texts.ts'
import { CALLBACK, startWorld } from '../support/world.ts'
import { throughMicrosoft } from './support/people.ts'
import { openChromium, visit } from './support/visitor.ts'

// As in production, TLS ends in front of the broker. The sandbox itself uses plain HTTP on localhost.

async function tlsEnd(port: () => number): Promise<string> {
  const keys = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const now = Date.now()
  const cert = toPem(
    selfSignedCertificate(keys, { commonName: 'localhost', notBefore: now - 60_000, notAfter: now + 86_400_000 }),
  )
  const server = createServer({ key: keys.privateKey.export({ type: 'pkcs8', format: 'pem' }), cert }, (socket) => {
    const behind = connectTo(port(), '127.0.0.1')
    for (const end of [socket, behind])
      end.on('error', () => {
        socket.destroy()
        behind.destroy()
      })
    socket.pipe(behind).pipe(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => new Promise((resolve) => server.close(resolve)))
  return `https://localhost:${(server.address() as AddressInfo).port}`
}

await t.test('over https: a __Host- cookie, HSTS on all answers, a complete connect', async (t) => {
  let doorPort = 0
  const url = await tlsEnd(() => doorPort)
  const world = await startWorld(t, {
    env: {
      PUBLIC_BASE_URL: url,
      ENTRY_URL_CONNECT: `${url}/microsoft/connect`,
      ENTRY_URL_MANAGE: `${url}/microsoft/manage`,
      COMPLETION_URL: `${url}/microsoft/connected`,
    },
  })
  world.entra.control.configureApp({ redirectUris: [url + CALLBACK] })
  const broker = {
    address: () => world.replica.internalUrl,
    authority: BROKER_AUTHORITY,
    key: world.secrets.megdocsKey,
  }
  const megdocs = await startMegdocs({ broker, graphUrl: world.entra.graphUrl })
  t.teardown(() => megdocs.close())
  const sides = { broker: () => world.replica.publicUrl, megdocs: () => megdocs.url }
  const door = await openFrontDoor({ ...sides, proto: 'https' })
  t.teardown(() => door.close())
  doorPort = door.port

  const chromium = await openChromium(t)
  const visitor = await visit(t, chromium, { url, entra: world.entra })
  const { page } = visitor
  await page.goto(`${url}/login?next=/microsoft/connect`)
  await page.getByRole('button').first().click()
  await page.getByRole('button', { name: 'Connect to Microsoft' }).click()
  const cookie = (await visitor.context.cookies(url)).find(({ name }) => name.includes('token_broker'))
  t.match(cookie, {
    name: '__Host-token_broker',
    secure: true,
    httpOnly: true,
    sameSite: 'Lax',
    path: '/',
    domain: 'localhost',
  })
  await throughMicrosoft(world, page, 'jane')
  await page.locator('h1', { hasText: texts.en.result.connected }).waitFor()
  t.same(visitor.faults, [])

  await t.test('a request by plain HTTP is refused, and the page says why', async (t) => {
    const plain = await openFrontDoor({ ...sides, proto: 'http' })
    t.teardown(() => plain.close())
    const other = await visit(t, chromium, { url: plain.url, entra: world.entra })
    await other.page.goto(`${plain.url}/accounts/account/microsoft/`)
    t.equal(await other.page.locator('h1').innerText(), texts.en.problems.plain_http.title)
    t.match(await other.page.locator('main').innerText(), 'X-Forwarded-Proto: https')
    t.same(await other.context.cookies(), [])
  })
})
