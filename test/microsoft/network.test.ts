import { rootCertificates, setDefaultCACertificates } from 'node:tls'
import t from 'tap'
import { localhostCertificate } from '../../sandbox/entra/certificate.ts'
import { openRelay, type Fault, type Relay } from '../../sandbox/relay.ts'
import { EXCHANGE_TIMEOUT_MS } from '../../src/microsoft/exchange.ts'
import { systemClock } from '../../src/services.ts'
import { JANE, startWorld } from '../support/world.ts'

// Faults of the way to Microsoft, over TLS with HTTP/2 on offer: what the caller is answered, and how many connections
// it takes (docs/microsoft.md#network-faults). Directly, past a gateway that inspects TLS, and through a proxy.

const tls = localhostCertificate()
setDefaultCACertificates([...rootCertificates, tls.cert])

type Way = 'direct' | 'inspected' | 'proxy'
type Test = Parameters<typeof startWorld>[0]

interface Case {
  fault: string
  ways: Way[]
  begin(relay: Relay): void
  /** The time limit of an exchange passes, with the clock, as soon as the fault took a byte. */
  late?: true
  /** The answer to each operation, and the most connections that it makes. */
  refresh: [answer: string, made: number]
  code: [answer: string, made: number]
  metadata: [answer: string, made: number]
}

const page = (status: number, headers: Record<string, string> = {}): Fault => ({
  kind: 'page',
  status,
  headers,
  body: '<html><h1>This address was filtered</h1></html>',
})

const timeout = 'microsoft_timeout'
const unreachable = 'microsoft_unreachable'
const badAnswer = 'microsoft_bad_answer'

const filtered = (fault: string, answer: Fault, reason = badAnswer): Case => ({
  fault,
  ways: ['inspected'],
  begin: (relay) => relay.fail(answer, 'all'),
  refresh: [reason, 0],
  code: [reason, 1],
  metadata: ['none', 0],
})

const CASES: Case[] = [
  {
    fault: 'a kept connection goes silent',
    ways: ['direct', 'inspected', 'proxy'],
    begin: (relay) => relay.fail({ kind: 'silent' }, 'kept'),
    late: true,
    refresh: [timeout, 0],
    code: [timeout, 0],
    metadata: ['none', 0],
  },
  {
    fault: 'nothing answers, on new connections neither',
    ways: ['direct', 'proxy'],
    begin: (relay) => relay.fail({ kind: 'silent' }, 'all'),
    late: true,
    refresh: [timeout, 0],
    code: [timeout, 0],
    metadata: ['none', 0],
  },
  {
    fault: 'a kept connection is reset',
    ways: ['direct', 'inspected', 'proxy'],
    begin: (relay) => relay.fail({ kind: 'reset' }, 'kept'),
    refresh: ['ok', 1],
    code: ['ok', 1],
    // The second sending is on a connection that is not kept, so the keys need another one.
    metadata: ['ok', 2],
  },
  {
    fault: 'every connection is reset',
    ways: ['direct', 'proxy'],
    begin: (relay) => relay.fail({ kind: 'reset' }, 'all'),
    refresh: [unreachable, 1],
    code: [unreachable, 2],
    metadata: ['none', 1],
  },
  {
    fault: 'an idle connection was dropped',
    ways: ['direct', 'inspected', 'proxy'],
    begin: (relay) => relay.dropIdle(),
    refresh: ['ok', 1],
    code: ['ok', 1],
    metadata: ['ok', 2],
  },
  {
    fault: 'answers come slowly, within the time limit',
    ways: ['direct', 'inspected', 'proxy'],
    begin: (relay) => relay.fail({ kind: 'slow', bytes: 500, everyMs: 2 }, 'all'),
    refresh: ['ok', 0],
    code: ['ok', 0],
    metadata: ['ok', 1],
  },
  {
    fault: 'answers come too slowly',
    ways: ['direct', 'inspected', 'proxy'],
    begin: (relay) => relay.fail({ kind: 'slow', bytes: 100, everyMs: 60_000 }, 'kept'),
    late: true,
    refresh: [timeout, 0],
    code: [timeout, 0],
    metadata: ['none', 0],
  },
  {
    fault: 'closed in the middle of a body',
    ways: ['inspected'],
    begin: (relay) => relay.fail({ kind: 'cut', afterBytes: 1_200 }, 'all'),
    refresh: [unreachable, 0],
    code: [unreachable, 1],
    metadata: ['none', 0],
  },
  filtered('a filter answers 403', page(403)),
  filtered('a filter answers 404', page(404)),
  filtered('a proxy asks for a password (407)', page(407, { 'Proxy-Authenticate': 'Basic realm="proxy"' })),
  filtered('a captive portal answers 200', page(200)),
  filtered('a captive portal redirects', page(302, { Location: 'https://portal.example/login' })),
  filtered('a captive portal answers 511', page(511), 'microsoft_error'),
  ...[403, 407, 502].map((status): Case => ({
    fault: `the proxy refuses the tunnel with ${status}`,
    ways: ['proxy'],
    begin(relay) {
      relay.dropIdle()
      relay.fail(page(status), 'new')
    },
    refresh: [unreachable, 1],
    code: [unreachable, 2],
    metadata: ['none', 1],
  })),
]

async function setUp(t: Test, way: Way) {
  let port = 0
  const relay = await openRelay({
    to: () => port,
    proxy: way === 'proxy',
    ...(way === 'inspected' && { inspect: tls }),
  })
  t.teardown(() => relay.close())
  const limits = new Set<AbortController>()
  let passedMs = 0
  /** The time limits of all exchanges under way pass. */
  const expire = (): void => {
    if (limits.size > 0) passedMs += EXCHANGE_TIMEOUT_MS
    limits.forEach((limit) => limit.abort())
    limits.clear()
  }
  const world = await startWorld(t, {
    entra: { tls, host: 'localhost', ...(way !== 'proxy' && { publicUrl: `https://localhost:${relay.port}` }) },
    env: way === 'proxy' ? { HTTPS_PROXY: `http://127.0.0.1:${relay.port}` } : {},
    overrides: {
      clock: { ...systemClock, elapsed: () => systemClock.elapsed() + passedMs },
      deadline() {
        const limit = new AbortController()
        limits.add(limit)
        return limit.signal
      },
    },
  })
  port = world.entra.port
  const { caller, sql, replica } = world
  await world.connect('witness')
  await world.connect('hit')

  const outcome = ({ status, body }: { status: number; body: unknown }): string =>
    status < 300 ? 'ok' : ((body as { reason?: string }).reason ?? String(status))
  const refresh = async (user: string): Promise<string> => {
    await world.setRemaining(user, -60)
    await sql`update oauth2_integration set retry_at = null where user_id = ${user}`
    return outcome(await caller.send('GET', `/tokens/${user}`))
  }
  /** Up to the completion, which sends the code. */
  const completion = async (): Promise<() => Promise<string>> => {
    const { id, browser, authorizeUrl } = await world.toMicrosoft('hit')
    await browser.open(world.entra.control.signIn({ account: JANE, authorizeUrl }))
    return async () =>
      outcome(
        await caller.send('POST', `/connect-sessions/${id}/complete`, { user_id: 'hit', handle: world.handle(id) }),
      )
  }
  const metadata = async (): Promise<string> => ((await replica.services.microsoft.metadata()) ? 'ok' : 'none')

  /** The operation under the fault: its answer and the connections it made. Then another user's refresh. */
  async function under({ begin, late }: Case, prepare: () => Promise<() => Promise<string>>) {
    const operation = await prepare()
    if ((await refresh('witness')) !== 'ok') throw new Error('not healthy before the fault')
    const before = relay.connections()
    const sent = world.entra.control.tokenRequests().total
    limits.clear()
    relay.onFault = () => late && expire()
    begin(relay)
    const answer = await operation()
    const made = relay.connections() - before
    relay.heal()
    relay.onFault = () => {}
    const after = await refresh('witness')
    return { answer, made, after, sent: world.entra.control.tokenRequests().total - sent }
  }
  const marked = async (): Promise<number> => {
    const [row] = await sql`select (select count(*) from oauth2_integration where status <> 'active')
      + (select count(*) from event where type = 'reconnect_required') as n`
    return Number(row!['n'])
  }
  return { world, relay, limits, expire, under, refresh, completion, metadata, marked }
}

for (const way of ['direct', 'inspected', 'proxy'] as const) {
  t.test(`one fault at a time, ${way}`, async (t) => {
    const { world, under, refresh, completion, metadata, marked } = await setUp(t, way)
    const { microsoft } = world.replica.services
    for (const one of CASES.filter(({ ways }) => ways.includes(way))) {
      const operations = [
        ['refresh', one.refresh, async () => () => refresh('hit')],
        ['code', one.code, completion],
        ['metadata', one.metadata, async () => metadata],
      ] as const
      for (const [name, [wanted, most], prepare] of operations) {
        const { answer, made, sent, after } = await under(one, prepare)
        t.equal(answer, wanted, `${one.fault}: ${name}`)
        t.ok(made <= most, `${one.fault}: ${name} made ${made} connections, at most ${most}`)
        t.equal(after, 'ok', `${one.fault}: healthy right after ${name}`)
        t.ok(sent <= 3, `${one.fault}: ${name} is sent at most twice`)
      }
      t.equal(microsoft.breaker().mode, 'closed', `${one.fault}: the breaker stays closed`)
    }
    t.equal(await marked(), 0, 'no user was marked')
    const versions = world.entra.control.tokenRequests().recent.map(({ httpVersion }) => httpVersion)
    t.strictSame(new Set(versions), new Set(['1.1']), 'HTTP/2 is offered and not taken')
  })
}

for (const way of ['direct', 'proxy'] as const) {
  t.test(`eight kept connections fail at once, ${way}`, async (t) => {
    const { world, relay, limits, expire, marked } = await setUp(t, way)
    const { caller, entra, replica, sql } = world
    const users = Array.from({ length: 8 }, (_, i) => `user-${i}`)
    for (const user of users) await world.connect(user)
    /** All at once, all on the way before one is answered. */
    const readAll = async (): Promise<string[]> => {
      await sql`update oauth2_integration set access_token_expires_at = now(), retry_at = null`
      entra.control.hold()
      const reading = Promise.all(users.map((user) => caller.send('GET', `/tokens/${user}`)))
      await Promise.race([entra.control.held(users.length), reading])
      entra.control.release()
      return (await reading).map(({ status, body }) =>
        status === 200 ? 'ok' : ((body as { reason?: string }).reason ?? String(status)),
      )
    }
    const all = users.map(() => 'ok')
    t.strictSame(await readAll(), all)
    const kept = relay.connections()
    relay.fail({ kind: 'reset' }, 'kept')
    t.strictSame(await readAll(), all, 'reset: nobody fails')
    t.equal(relay.connections(), kept + users.length, 'each was sent again on a connection of its own')
    t.equal(replica.services.microsoft.breaker().mode, 'closed')

    // Connections of a second sending are not kept: these are new ones.
    t.strictSame(await readAll(), all)
    limits.clear()
    relay.onFault = expire
    relay.fail({ kind: 'silent' }, 'kept')
    const failed: string[] = []
    for (let read = 0; read < 20; read++) {
      await sql`update oauth2_integration set access_token_expires_at = now(), retry_at = null`
      const { status } = await caller.send('GET', `/tokens/${users[0]}`)
      if (status === 200) break
      failed.push(String(status))
    }
    t.ok(failed.length >= 1 && failed.length <= users.length, `${failed.length} reads failed, one for each connection`)
    t.equal(replica.services.microsoft.breaker().mode, 'closed', 'one user is no outage')
    t.equal(await marked(), 0)
  })
}
