import t from 'tap'
import type { Permit } from '../../src/core/ports.ts'
import { createMicrosoft } from '../../src/microsoft/client.ts'
import { createDispatcher } from '../../src/microsoft/exchange.ts'
import { listenTls, proxyTo, relayTo, type Relay } from './relay.ts'
import { CLIENT_ID, fixedRandom, manualClock, OBJECT, TENANT, tokenBody } from './support.ts'
import { REQUEST_ID } from './world.ts'

// Faults of kept connections over TLS, where the other side offers HTTP/2 as well; directly and through a proxy.

type Test = Parameters<typeof relayTo>[0]

async function setUp(t: Test, by: 'relay' | 'proxy') {
  const versions: string[] = []
  let waiting: (() => void)[] = []
  let atOnce = 1
  const port = await listenTls(t, (request, response) => {
    versions.push(request.httpVersion)
    waiting.push(() => response.writeHead(200, { 'content-type': 'application/json' }).end(tokenBody()))
    if (waiting.length < atOnce) return
    for (const answer of waiting) answer()
    waiting = []
  })
  const relay: Relay = by === 'relay' ? await relayTo(t, port) : await proxyTo(t)
  const limits: AbortController[] = []
  // The time limit of an exchange passes as soon as a byte of it was swallowed.
  relay.onSwallowed = () => limits.splice(0).forEach((limit) => limit.abort())
  const dispatcher = createDispatcher(by === 'proxy' ? `http://127.0.0.1:${relay.port}` : undefined)
  t.teardown(() => dispatcher.destroy())
  const microsoft = createMicrosoft({
    loginUrl: `https://localhost:${by === 'relay' ? relay.port : port}`,
    dispatcher,
    tenant: 'organizations',
    allowedTenants: [],
    clientId: CLIENT_ID,
    redirectUri: 'https://audits.megsupportools.com/auth/oauth2/microsoft/callback',
    credentials: [{ kind: 'secret', secret: 'secret~canary.1' }],
    clock: manualClock(),
    random: fixedRandom(),
    deadline: () => {
      const limit = new AbortController()
      limits.push(limit)
      return limit.signal
    },
  })
  const refresh = async (row: number): Promise<string> => {
    const account = { tenantId: TENANT, objectId: OBJECT }
    const request = { refreshToken: `token ${row}`, scopes: ['User.Read'], account, requestId: REQUEST_ID }
    const permit = microsoft.admit()
    if ('verdict' in permit) return 'paused'
    const verdict = await microsoft.refresh(request, permit satisfies Permit)
    return verdict.kind === 'tokens' ? 'tokens' : verdict.reason
  }
  /** So many at once, all on the way before one is answered. */
  const refreshAll = (count: number): Promise<string[]> => {
    atOnce = count
    return Promise.all(Array.from({ length: count }, (_, row) => refresh(row)))
  }
  return { relay, microsoft, versions, refresh, refreshAll }
}

for (const by of ['relay', 'proxy'] as const) {
  t.test(`each connection that goes silent fails one exchange, then new ones are used (${by})`, async (t) => {
    const { relay, versions, refresh, microsoft } = await setUp(t, by)
    t.equal(await refresh(1), 'tokens')
    t.equal(await refresh(2), 'tokens')
    const silenced = relay.connections()
    relay.silence()
    const ended: string[] = []
    do ended.push(await refresh(ended.length))
    while (ended.at(-1) !== 'tokens' && ended.length < 10)
    t.strictSame(ended, [...Array.from({ length: silenced }, () => 'microsoft_timeout'), 'tokens'])
    t.equal(relay.connections(), silenced + 1)
    t.strictSame(new Set(versions), new Set(['1.1']), 'HTTP/2 is offered and not taken')
    t.equal(microsoft.breaker().mode, 'closed')
  })

  t.test(
    `kept connections that were reset fail nobody: eight at once, and the breaker stays closed (${by})`,
    async (t) => {
      const { relay, refreshAll, microsoft } = await setUp(t, by)
      const all = Array.from({ length: 8 }, () => 'tokens')
      t.strictSame(await refreshAll(8), all)
      t.equal(relay.connections(), 8)
      relay.resetAtNextByte()
      t.strictSame(await refreshAll(8), all)
      t.equal(relay.connections(), 16, 'each was sent again on a connection of its own')
      t.equal(microsoft.breaker().mode, 'closed')
    },
  )
}
