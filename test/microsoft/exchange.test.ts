import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { Agent } from 'undici'
import { createDispatcher, MAX_BODY_BYTES, send } from '../../src/microsoft/exchange.ts'

// One exchange over real HTTP: what is never sent, what is given up, and that nothing is thrown or left behind.

async function start(t: { teardown(end: () => Promise<void>): unknown }) {
  const held: (() => void)[] = []
  let requests = 0
  let closed = 0
  const server = createServer((request, response) => {
    requests++
    request.resume()
    if (request.url === '/hold') held.push(() => response.end('{}'))
    else if (request.url === '/large') response.write('x'.repeat(MAX_BODY_BYTES + 1))
    else response.end(`${request.method} ${request.url}`)
  })
  server.on('connection', (socket) => socket.once('close', () => closed++))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const agent = new Agent({ connections: 1 })
  t.teardown(async () => {
    await agent.destroy()
    server.closeAllConnections()
    await new Promise<void>((resolve) => server.close(() => resolve()))
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return { agent, url, held, requests: () => requests, closed: () => closed }
}
const until = async (holds: () => boolean) => {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve))
}
const patient = () => new AbortController().signal

t.test('what was given up while it waited for a connection is never sent', async (t) => {
  const { agent, url, held, requests } = await start(t)
  const first = send(agent, { url: `${url}/hold`, signal: patient() })
  await until(() => held.length === 1)
  const deadline = new AbortController()
  const queued = send(agent, { url: `${url}/queued`, form: async () => ({ a: 'b' }), signal: deadline.signal })
  deadline.abort()
  t.same(await queued, { failed: 'microsoft_timeout' })
  held[0]!()
  t.match(await first, { answer: { status: 200 } })
  t.match(await send(agent, { url: `${url}/next?a=b`, signal: patient() }), { answer: { body: 'GET /next?a=b' } })
  t.equal(requests(), 2)
})

t.test('given up before it began, or in the middle: said at once, and the connection is closed', async (t) => {
  const { agent, url, held, requests, closed } = await start(t)
  t.same(await send(agent, { url: `${url}/x`, signal: AbortSignal.abort() }), { failed: 'microsoft_timeout' })
  t.equal(requests(), 0)
  const deadline = new AbortController()
  const running = send(agent, { url: `${url}/hold`, signal: deadline.signal })
  await until(() => held.length === 1)
  deadline.abort()
  t.same(await running, { failed: 'microsoft_timeout' })
  await until(() => closed() === 1)
})

t.test('more than may come is not read to its end', async (t) => {
  const { agent, url, closed } = await start(t)
  t.same(await send(agent, { url: `${url}/large`, signal: patient() }), { failed: 'microsoft_bad_answer' })
  await until(() => closed() === 1)
})

t.test('an address that is none, and an agent that is closed: a reason, nothing thrown', async (t) => {
  const { agent, url } = await start(t)
  t.same(await send(agent, { url: 'nope', signal: patient() }), { failed: 'microsoft_unreachable' })
  await agent.close()
  t.same(await send(agent, { url, signal: patient() }), { failed: 'microsoft_unreachable' })
})

t.test(
  'a kept connection that is dead: sent again once, with a form made again; a new one that fails is not',
  async (t) => {
    let connections = 0
    let resetFrom = 2
    const bodies: string[] = []
    const server = createServer((request, response) => {
      request.setEncoding('utf8').on('data', (chunk: string) => bodies.push(chunk))
      request.on('end', () => (bodies.length < resetFrom ? response.end('{}') : request.socket.resetAndDestroy()))
    })
    server.on('connection', () => connections++)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const dispatcher = createDispatcher()
    t.teardown(async () => {
      await dispatcher.destroy()
      server.close()
    })
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    let made = 0
    const form = async () => ({ form: String(++made) })
    t.match(await send(dispatcher, { url, form, signal: patient() }), { answer: { status: 200 } })
    await new Promise((resolve) => setImmediate(resolve))
    t.same(await send(dispatcher, { url, form, signal: patient() }), { failed: 'microsoft_unreachable' })
    t.strictSame(bodies, ['form=1', 'form=2', 'form=3'], 'on the kept connection, then on a new one')
    t.equal(connections, 2)
    t.same(await send(dispatcher, { url, form, signal: patient() }), { failed: 'microsoft_unreachable' })
    t.equal(bodies.length, 4, 'a new connection is not tried twice')
    resetFrom = Infinity
    t.match(await send(dispatcher, { url, form, signal: patient() }), { answer: { status: 200 } })
  },
)
