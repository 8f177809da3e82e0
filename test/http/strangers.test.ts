import { EventEmitter } from 'node:events'
import { connect, Server } from 'node:net'
import t from 'tap'
import { Pool, request } from 'undici'
import { LISTENER_LIMITS, REQUEST_TIMEOUT_CHECK_MS } from '../../src/app.ts'
import { limitConnections } from '../../src/http/connections.ts'
import { createStrangers, STRANGER_LIMITS } from '../../src/http/strangers.ts'
import { createLogger } from '../../src/telemetry.ts'
import { raw } from '../support/raw.ts'
import { startWorld } from '../support/world.ts'
import { call } from './signed-call.ts'

// What requests that nobody vouches for may cost each listener (docs/security.md#limits).

const world = await startWorld(t)
const { replica } = world
const { publicUrl, internalUrl } = replica
const operationsUrl = await replica.operations.listen({ host: '127.0.0.1', port: 0 })

const LISTENERS = [
  { name: 'public', url: publicUrl, form: /content-type: text\/html/i },
  { name: 'internal', url: internalUrl, form: /content-type: application\/problem\+json/i },
  { name: 'operations', url: operationsUrl, form: /content-type: application\/problem\+json/i },
] as const

t.test('what HTTP allows and no listener wants is answered in the form of the listener', async (t) => {
  for (const { name, url, form } of LISTENERS) {
    for (const [bytes, status] of [
      ['CONNECT evil.example:443 HTTP/1.1\r\nHost: x\r\n\r\n', 405],
      ['GET / HTTP/1.1\r\n\r\n', 400],
      ['GET / HTTP/1.1\r\nHost: x\r\nExpect: cake\r\nConnection: close\r\n\r\n', 417],
      ['BREW /pot HTTP/1.1\r\nHost: x\r\n\r\n', 400],
    ] as const) {
      const answer = await raw(url, bytes)
      t.match(answer, new RegExp(`^HTTP/1\\.1 ${status} `), `${name}: ${bytes.split('\r\n', 1)[0]}`)
      t.match(answer, form)
      t.match(answer, /cache-control: no-store/i)
    }
    const odd = await raw(url, 'M-SEARCH /secret-path HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
    t.match(odd, form)
    t.notMatch(odd, /secret-path|M-SEARCH/, 'nothing of the request is repeated')
  }
})

t.test('a body is asked for only when the request has passed the checks before it', async (t) => {
  const expecting = (path: string) =>
    `POST ${path} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 60000\r\n\r\n`
  for (const { name, url } of LISTENERS) {
    const answer = await raw(url, expecting('/nothing'))
    t.notMatch(answer, /100 Continue/, name)
    t.match(answer, /connection: close/i, `${name}: the body is not waited for`)
  }
})

t.test('the rest of a long body is not read after it was refused', async (t) => {
  for (const { name, url } of LISTENERS) {
    const head = 'POST /tokens/42/refresh HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n'
    const { port, hostname } = new URL(url)
    const socket = connect(Number(port), hostname)
    socket.on('error', () => {})
    socket.write(`${head}Transfer-Encoding: chunked\r\n\r\n`)
    const chunk = `10000\r\n${'x'.repeat(65_536)}\r\n`
    const closed = new Promise((resolve) => socket.once('close', resolve))
    let sent = 0
    socket.resume()
    const send = () => {
      while (!socket.destroyed && sent < 50_000_000) {
        sent += chunk.length
        if (!socket.write(chunk)) return void socket.once('drain', send)
      }
      socket.end()
    }
    send()
    await closed
    t.ok(sent < 20_000_000, `${name}: ${sent} bytes were sent before the connection was closed`)
  }
})

t.test('the limit for a whole request is in force for its body too, at each listener', async (t) => {
  // Node enforces what it was made with: `drills/strangers.ts` waits for it.
  for (const app of [replica.internal, replica.operations, replica.browsers])
    t.match(app.server, {
      requestTimeout: LISTENER_LIMITS.requestTimeout,
      headersTimeout: LISTENER_LIMITS.requestTimeout,
      connectionsCheckingInterval: REQUEST_TIMEOUT_CHECK_MS,
    })
})

t.test('a JSON body is no form: the disconnect button is the only way', async (t) => {
  const answer = await request(`${publicUrl}/accounts/account/microsoft/disconnect`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{}',
  })
  t.match(answer.headers['content-type'], 'text/html')
  t.ok(answer.statusCode >= 400 && answer.statusCode < 500)
  await answer.body.dump()
})

t.test('a signature over / is not valid for a target that cannot be decoded, and one over the target is', async (t) => {
  const wrong = await call(world, { method: 'GET', path: '/', sentPath: '/tokens/%zz' })
  t.match(wrong, { status: 401, body: { code: 'invalid_signature' } })
  const right = await call(world, { method: 'GET', path: '/tokens/%zz' })
  t.match(right, { status: 404, signature: 'verified', body: { code: 'not_found' } })
})

t.test('numbers in a query are read by the schema', async (t) => {
  await world.connect('numbers')
  for (const path of ['/integrations?limit=true', '/tokens/numbers?min_ttl=true', '/tokens/numbers?deadline_ms=1e3'])
    t.match(await call(world, { method: 'GET', path }), { status: 422, body: { code: 'invalid_request' } }, path)
})

t.test('a path parameter that is longer than any of ours is no key and no page', async (t) => {
  for (const ticket of ['%E2%82%AC'.repeat(3_000), 'a'.repeat(10_000)]) {
    const answer = await request(`${publicUrl}/auth/oauth2/microsoft/connect/${ticket}`)
    t.equal(answer.statusCode, 404)
    await answer.body.dump()
  }
})

t.test(
  'strangers over the limit of their address get 429 from the internal listener, and callers there do not',
  async (t) => {
    const to = await world.startReplica()
    const pool = new Pool(to.internalUrl, { connections: 4 })
    t.teardown(() => pool.close())
    const statuses: number[] = []
    await Promise.all(
      Array.from({ length: 4 }, async () => {
        while (statuses.length < STRANGER_LIMITS.perAddress.internal + 100) {
          const { statusCode, body } = await pool.request({ method: 'GET', path: '/tokens/42' })
          await body.dump()
          statuses.push(statusCode)
        }
      }),
    )
    t.equal(statuses.filter((status) => status === 401).length, STRANGER_LIMITS.perAddress.internal)
    t.match(await call(world, { method: 'GET', path: '/tokens/nobody', to }), { status: 404, signature: 'verified' })
    const lines = to
      .logged()
      .split('\n')
      .filter((line) => line.includes('"request refused"'))
    t.equal(lines.length, STRANGER_LIMITS.linesPerCause, 'not one line for each')
    t.ok(to.logged().length < 40_000, `${to.logged().length} bytes of log`)
    const metrics = await to.services.metrics.registry.metrics()
    t.match(metrics, /token_broker_requests_refused_total\{detail="\w+",key_id=""\} 7\d\d/, 'each is counted')
    t.match(metrics, /token_broker_strangers_total\{listener="internal",event="over_address_limit"\} 1\d\d/)
  },
)

t.test('the operations listener limits strangers, and never a probe', async (t) => {
  const pool = new Pool(operationsUrl, { connections: 4 })
  t.teardown(() => pool.close())
  const get = async (path: string) => {
    const { statusCode, body } = await pool.request({ method: 'GET', path })
    await body.dump()
    return statusCode
  }
  for (let n = 0; n < STRANGER_LIMITS.perAddress.operations; n++) await get('/nothing')
  t.equal(await get('/nothing'), 429)
  t.equal(await get('/metrics'), 429)
  t.equal(await get('/livez'), 200)
  t.equal(await get('/readyz'), 200)
})

t.test('strangers cannot fill the log of the public listener, and the rest is summed up in a line', async (t) => {
  const to = await world.startReplica()
  const pool = new Pool(to.publicUrl, { connections: 4 })
  t.teardown(() => pool.close())
  let n = 0
  await Promise.all(
    Array.from({ length: 4 }, async () => {
      while (n++ < STRANGER_LIMITS.lines + 400) {
        const { body } = await pool.request({
          method: 'GET',
          path: '/auth/oauth2/microsoft/callback?state=x',
          headers: { 'x-forwarded-for': `203.0.113.${n % 250}` },
        })
        await body.dump()
      }
    }),
  )
  const lines = to
    .logged()
    .split('\n')
    .filter((line) => line.includes('"answered"'))
  t.equal(lines.length, STRANGER_LIMITS.lines)
  t.match(await to.services.metrics.registry.metrics(), /event="not_logged"\} 4\d\d/)

  await world.sql`alter table connect_session rename to connect_session_away`
  const { statusCode, body } = await request(`${to.publicUrl}/auth/oauth2/microsoft/connect/${'a'.repeat(43)}`, {
    headers: { 'x-forwarded-for': '203.0.113.7' },
  })
  await body.dump()
  await world.sql`alter table connect_session_away rename to connect_session`
  t.ok(statusCode >= 500)
  t.ok(to.logged().includes('"level":"error"'), 'a failure still has its line')
})

t.test('what was not logged is summed up once a minute, by reason and key id', async (t) => {
  let now = 0
  const lines: string[] = []
  const strangers = createStrangers({
    listener: 'internal',
    log: createLogger('info', { write: (line) => void lines.push(line) }),
    now: () => now,
    onEvent: () => {},
  })
  const { linesPerCause } = STRANGER_LIMITS
  for (let n = 0; n < linesPerCause + 5; n++) t.equal(strangers.mayLogCause('expired', 'megdocs-1'), n < linesPerCause)
  t.ok(strangers.mayLogCause('unknown_key', ''), 'another reason has lines of its own')
  strangers.sweep()
  t.match(
    lines.map((line): unknown => JSON.parse(line)),
    [{ refused: 'expired', key_id: 'megdocs-1', count: 5 }],
  )
  now = 60_000
  strangers.sweep()
  t.equal(lines.length, 1, 'nothing more to say')
  t.ok(strangers.mayLogCause('expired', 'megdocs-1'))
})

t.test('one address cannot take all connections of a listener, unless it is our proxy', async (t) => {
  const events: string[] = []
  const strangers = createStrangers({
    listener: 'internal',
    log: createLogger('silent'),
    now: () => 0,
    onEvent: (event) => void events.push(event),
  })
  const server = new Server()
  limitConnections(server, { max: 4, isProxy: (address) => address === '10.0.0.1', strangers })
  const open = (remoteAddress: string) => {
    const socket = Object.assign(new EventEmitter(), {
      remoteAddress,
      refused: false,
      destroy: () => void (socket.refused = true),
    })
    server.emit('connection', socket)
    return socket
  }
  const first = open('203.0.113.7')
  t.notOk(open('203.0.113.7').refused)
  t.ok(open('203.0.113.7').refused)
  t.notOk(open('203.0.113.8').refused)
  for (let n = 0; n < 5; n++) t.notOk(open('10.0.0.1').refused)
  first.emit('close')
  t.notOk(open('203.0.113.7').refused, 'a closed connection makes room')
  t.same(events, ['connection_refused'])
})
