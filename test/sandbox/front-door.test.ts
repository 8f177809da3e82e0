import { createServer, type IncomingMessage, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { openFrontDoor } from '../../sandbox/front-door.ts'

type Teardown = { teardown(end: () => unknown): unknown }

async function listen(t: Teardown, listener: RequestListener): Promise<string> {
  const server = createServer({ maxHeaderSize: 65_536 }, listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.closeAllConnections())
  t.teardown(() => server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** A server that answers with its name and the request. */
function echo(t: Teardown, name: string): Promise<string> {
  return listen(t, (incoming, outgoing) => {
    void read(incoming).then((body) =>
      outgoing.end(JSON.stringify({ name, url: incoming.url, headers: incoming.headers, body })),
    )
  })
}

async function read(incoming: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of incoming) text += String(chunk)
  return text
}

async function open(t: Teardown, options: { proto?: 'https'; host?: string } = {}) {
  const [broker, megdocs] = [await echo(t, 'broker'), await echo(t, 'megdocs')]
  const door = await openFrontDoor({ broker: () => broker, megdocs: () => megdocs, ...options })
  t.teardown(() => door.close())
  return async (path: string, init?: RequestInit): Promise<any> => (await fetch(door.url + path, init)).json()
}

t.test('the broker gets its public paths and MEGDocs all other paths', async (t) => {
  const get = await open(t)
  const brokers = [
    '/auth/oauth2/microsoft/connect/x',
    '/auth/oauth2/microsoft/callback?code=1',
    '/accounts/account/microsoft',
  ]
  for (const path of [...brokers, '/accounts/account/microsoft/']) {
    t.match(await get(path), { name: 'broker', url: path })
  }
  for (const path of [
    '/',
    '/documents',
    '/auth/oauth2/microsoftx',
    '/accounts/account/',
    '/x?/auth/oauth2/microsoft/',
  ]) {
    t.match(await get(path), { name: 'megdocs', url: path })
  }
})

t.test('forwarding headers of a client are replaced', async (t) => {
  const get = await open(t)
  const said = {
    'x-forwarded-for': '6.6.6.6',
    'x-forwarded-proto': 'https',
    'x-forwarded-host': 'evil',
    'x-forwarded-prefix': '/x',
    forwarded: 'for=6.6.6.6',
    'x-real-ip': '6.6.6.6',
  }
  const { headers } = await get('/auth/oauth2/microsoft/', { headers: { ...said, 'x-kept': 'yes' } })
  t.match(headers, {
    'x-forwarded-for': '127.0.0.1',
    'x-forwarded-proto': 'http',
    'x-forwarded-host': headers.host,
    'x-kept': 'yes',
  })
  for (const name of ['forwarded', 'x-real-ip', 'x-forwarded-prefix']) t.notOk(name in headers, name)
})

t.test('it can simulate an ingress that terminates TLS', async (t) => {
  const get = await open(t, { proto: 'https', host: 'audits.example.com' })
  t.match((await get('/')).headers, { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'audits.example.com' })
})

t.test('a 10 kB URL and a body arrive whole', async (t) => {
  const get = await open(t)
  const path = `/auth/oauth2/microsoft/callback?code=${'c'.repeat(10_000)}`
  const answer = await get(path, { method: 'POST', body: 'b'.repeat(100_000) })
  t.equal(answer.url, path)
  t.equal(answer.body.length, 100_000)
})

t.test('answers are streamed, and redirects and several cookies are passed on unchanged', async (t) => {
  let finish = (): void => {}
  const megdocs = await listen(t, (_, outgoing) => {
    outgoing.writeHead(303, { location: 'http://elsewhere/', 'set-cookie': ['a=1', 'b=2'] })
    outgoing.write('first ')
    finish = () => outgoing.end('last')
  })
  const door = await openFrontDoor({ broker: () => megdocs, megdocs: () => megdocs })
  t.teardown(() => door.close())
  const answer = await fetch(door.url, { redirect: 'manual' })
  t.equal(answer.status, 303)
  t.same(answer.headers.getSetCookie(), ['a=1', 'b=2'])
  const reader = answer.body!.getReader()
  t.equal(Buffer.from((await reader.read()).value!).toString(), 'first ')
  finish()
  t.equal(Buffer.from((await reader.read()).value!).toString(), 'last')
})

t.test('a server that does not answer is named', async (t) => {
  const door = await openFrontDoor({ broker: () => 'http://127.0.0.1:1', megdocs: () => 'http://127.0.0.1:1' })
  t.teardown(() => door.close())
  const answer = await fetch(`${door.url}/auth/oauth2/microsoft/callback`)
  t.equal(answer.status, 502)
  t.match(await answer.text(), /token broker does not answer/)
})
