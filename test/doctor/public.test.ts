import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { request as httpRequest, type IncomingMessage, type OutgoingHttpHeaders, type ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import t from 'tap'
import { selfSignedCertificate, toPem } from '../../sandbox/entra/certificate.ts'
import { runCommandLine } from '../../src/cli.ts'
import { examinePublicSide } from '../../src/doctor.ts'
import type { Check } from '../../src/doctor/check.ts'
import { ARRIVAL_REPORT_PARAMETER, arrivalReportProof } from '../../src/http/arrival-report.ts'
import { systemClock } from '../../src/services.ts'
import { CALLBACK, startWorld, type Replica } from '../support/world.ts'

// `doctor --public` through a little ingress that ends TLS, right or wrong. The ingress reaches the broker from 127.0.0.2, so that its
// address and the visitor's, 127.0.0.1, can be told apart.

const DAY = 86_400_000
const INGRESS = '127.0.0.2'

function certificateFor(commonName: string, days: number) {
  const keys = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const cert = toPem(
    selfSignedCertificate(keys, { commonName, notBefore: Date.now() - 30 * DAY, notAfter: Date.now() + days * DAY }),
  )
  return { cert, key: keys.privateKey.export({ type: 'pkcs8', format: 'pem' }) }
}
const good = certificateFor('localhost', 60)

interface Ways {
  to: string
  /** Changes what is passed on. */
  headers(headers: OutgoingHttpHeaders, incoming: IncomingMessage): void
  path(path: string): string
  answer(headers: OutgoingHttpHeaders): void
  /** Answers by itself. */
  instead(incoming: IncomingMessage, outgoing: ServerResponse): boolean
}
const RIGHT: Ways = { to: '', headers: () => {}, path: (path) => path, answer: () => {}, instead: () => false }
let ways: Ways = RIGHT

const server = createServer({ ...good, maxHeaderSize: 32_768 }, (incoming, outgoing) => {
  if (ways.instead(incoming, outgoing)) return
  const headers: OutgoingHttpHeaders = {
    ...incoming.headers,
    'x-forwarded-for': incoming.socket.remoteAddress!.replace('::ffff:', ''),
    'x-forwarded-proto': 'https',
    'x-forwarded-host': incoming.headers.host,
  }
  ways.headers(headers, incoming)
  const { hostname, port } = new URL(ways.to)
  const upstream = httpRequest(
    {
      hostname,
      port,
      path: ways.path(incoming.url!),
      method: incoming.method,
      headers,
      localAddress: INGRESS,
      agent: false,
    },
    (answer) => {
      const back: OutgoingHttpHeaders = { ...answer.headers }
      ways.answer(back)
      outgoing.writeHead(answer.statusCode!, back)
      answer.pipe(outgoing)
    },
  )
  upstream.on('error', () => outgoing.destroy())
  upstream.end()
})
await new Promise<void>((done) => server.listen(0, 'localhost', done))
t.teardown(() => void server.close())
const BASE = `https://localhost:${(server.address() as AddressInfo).port}`
const ENV = {
  PUBLIC_BASE_URL: BASE,
  ENTRY_URL_CONNECT: `${BASE}/c`,
  ENTRY_URL_MANAGE: `${BASE}/m`,
  COMPLETION_URL: `${BASE}/d`,
  TRUSTED_PROXIES: INGRESS,
}
const world = await startWorld(t, { env: ENV })
setDefaultCACertificates([...getCACertificates('default'), good.cert])

async function look(changes: Partial<Ways> = {}, to: Replica = world.replica, env: Record<string, string> = {}) {
  ways = { ...RIGHT, to: to.publicUrl, ...changes }
  const { text, json, failed } = await examinePublicSide({ ...world.env, ...env })
  const { checks } = json as { checks: Check[] }
  const named = Object.fromEntries(checks.map((check) => [check.name, check])) as Record<string, Check>
  return {
    text,
    failed,
    named,
    bad: checks.filter(({ result }) => result !== 'ok').map(({ name, result }) => `${name} ${result}`),
  }
}

t.test('through an ingress that does it right, everything arrives', async (t) => {
  const { bad, failed, named, text } = await look()
  t.strictSame(bad, [])
  t.equal(failed, false)
  t.match(named['certificate']!.saw, /in (59|60) days/)
  t.match(named['client_address']!.saw, 'Visitors come as 127.0.0.1 by way of 127.0.0.2')
  t.match(named['long_url']!.saw, '8192 bytes arrives whole')
  t.match(text, /10 ok, 0 warning, 0 failed, 0 skipped\.$/)
  for (const secret of [world.env['SESSION_SECRETS']!, `${ARRIVAL_REPORT_PARAMETER}=`])
    t.notOk(text.includes(secret) || world.replica.logged().includes(secret))
})

t.test('the scheme: not sent, sent and not believed, wrong', async (t) => {
  const dropped = await look({ headers: (headers) => delete headers['x-forwarded-proto'] })
  t.match(dropped.named['scheme'], {
    result: 'failed',
    saw: /arrive as http, .*No X-Forwarded-Proto came from 127\.0\.0\.2/,
  })
  t.equal(dropped.named['callback']!.result, 'ok', 'the rest is looked at although every page would be refused')
  t.match((await look({ headers: (headers) => void (headers['x-forwarded-proto'] = 'http') })).named['scheme'], {
    result: 'failed',
    todo: /TLS ends in front of that proxy/,
  })
  const strict = await world.startReplica({ TRUSTED_PROXIES: '10.0.0.0/8' })
  const { named } = await look({}, strict)
  t.match(named['scheme'], {
    result: 'failed',
    saw: /127\.0\.0\.2 says https, and is not believed/,
    todo: /Put 127\.0\.0\.2.* into TRUSTED_PROXIES/,
  })
  t.match(named['client_address'], { result: 'failed', saw: /takes the ingress \(127\.0\.0\.2\) for the visitor/ })
})

t.test("the visitor's address: not sent, forged, or that of another proxy", async (t) => {
  t.match((await look({ headers: (headers) => delete headers['x-forwarded-for'] })).named['client_address'], {
    result: 'failed',
    saw: /No X-Forwarded-For/,
  })
  const passing = (headers: OutgoingHttpHeaders, incoming: IncomingMessage) => {
    if (incoming.headers['x-forwarded-for'] !== undefined)
      headers['x-forwarded-for'] = incoming.headers['x-forwarded-for']
  }
  t.match((await look({ headers: passing })).named['client_address'], { result: 'warning', saw: /203\.0\.113\.77 was/ })
  const appending = (headers: OutgoingHttpHeaders, incoming: IncomingMessage) =>
    void (headers['x-forwarded-for'] = [incoming.headers['x-forwarded-for'], '127.0.0.1'].filter(Boolean).join(', '))
  t.strictSame((await look({ headers: appending })).bad, [], 'an ingress that adds to what was said is right')
  t.match(
    (await look({ headers: (headers) => void (headers['x-forwarded-for'] = '198.51.100.4, 198.51.100.9') })).named[
      'client_address'
    ],
    { result: 'warning', todo: /198\.51\.100\.9 is a proxy of yours/ },
  )
})

t.test('an address that is cut, refused or rewritten is told with how much passes', async (t) => {
  const limit = (bytes: number) => (incoming: IncomingMessage, outgoing: ServerResponse) => {
    if (incoming.url!.length <= bytes) return false
    outgoing.writeHead(414, { server: 'nginx/1.25' }).end('Request-URI Too Large')
    return true
  }
  t.match((await look({ instead: limit(5_000) })).named['long_url'], {
    result: 'failed',
    saw: /8192 bytes does not arrive: HTTP 414, server nginx\/1\.25; one of 4096 arrives/,
    todo: /large-client-header-buffers/,
  })
  t.match((await look({ instead: limit(1_000) })).named['long_url'], {
    result: 'failed',
    saw: /2048 bytes does not arrive/,
  })
  t.match((await look({ path: (path) => path.slice(0, 4_000) })).named['long_url'], {
    result: 'failed',
    saw: /arrived as another one: 4000 bytes of 8192/,
  })
  t.match((await look({ path: (path) => `${path}&added=1` })).named['callback'], {
    result: 'failed',
    saw: /reaches the broker changed/,
  })
})

t.test("paths that MEGDocs answers in the broker's place, or that are sent elsewhere", async (t) => {
  const megdocs = (incoming: IncomingMessage, outgoing: ServerResponse) => {
    const path = incoming.url!.split('?')[0]!
    if (path === CALLBACK)
      return (
        outgoing.writeHead(301, { location: `${CALLBACK}/?next=${encodeURIComponent(incoming.url!)}` }).end(),
        true
      )
    if (path.startsWith('/accounts/')) return (outgoing.writeHead(404).end('<html>MEGDocs'), true)
    return false
  }
  const { bad, named } = await look({ instead: megdocs })
  t.strictSame(bad, ['callback failed', 'account_page failed', 'long_url skipped'])
  t.match(named['callback']!.saw, `HTTP 301 sends on to ${CALLBACK}/.`)
  t.match(named['account_page'], { saw: /HTTP 404/, todo: /before MEGDocs' own paths/ })
  const nobody = await look({ instead: (_incoming, outgoing) => (outgoing.writeHead(200).end('<html>'), true) })
  t.match(nobody.bad, [
    'callback failed',
    'callback_with_slash failed',
    'account_page failed',
    'scheme skipped',
    'client_address skipped',
    'host skipped',
    'long_url skipped',
    'headers failed',
  ])
})

t.test('headers that are taken away or changed, and another Host', async (t) => {
  const { named } = await look({
    answer: (headers) => (delete headers['content-security-policy'], (headers['cache-control'] = 'public, max-age=60')),
  })
  t.match(named['headers'], { result: 'failed', saw: /missing: content-security-policy; changed: cache-control/ })
  t.equal(
    (await look({ answer: (headers) => void (headers['strict-transport-security'] = 'max-age=63072000') })).named[
      'headers'
    ]!.result,
    'ok',
  )
  t.match((await look({ headers: (headers) => void (headers.host = 'broker.internal') })).named['host'], {
    result: 'warning',
    saw: /broker\.internal/,
  })
})

t.test("certificates: about to end, over, another host's, unknown", async (t) => {
  const show = async (context: ReturnType<typeof certificateFor>, trusted = true) => {
    setDefaultCACertificates(trusted ? [context.cert] : getCACertificates('bundled'))
    server.setSecureContext(context)
    return (await look()).named
  }
  t.match(await show(certificateFor('localhost', 5)), { certificate: { result: 'warning', saw: /in [45] days/ } })
  t.match(await show(certificateFor('localhost', -1)), {
    connection: { result: 'ok' },
    certificate: { result: 'failed', saw: /CERT_HAS_EXPIRED/, todo: /renew/ },
    callback: { result: 'skipped' },
  })
  t.match(await show(certificateFor('other.example', 60)), {
    certificate: { result: 'failed', saw: /ALTNAME/, todo: /another host's/ },
  })
  t.match(await show(certificateFor('localhost', 60), false), {
    certificate: { result: 'failed', saw: /SELF_SIGNED/, todo: /NODE_EXTRA_CA_CERTS/ },
  })
  await show(good)
})

t.test('nobody at the address, or one that never answers', async (t) => {
  const env = { PUBLIC_BASE_URL: 'https://localhost:1' }
  t.match((await look({}, world.replica, env)).named['connection'], {
    result: 'failed',
    saw: /https:\/\/localhost:1 cannot be reached from here \(ECONNREFUSED\)/,
    todo: /ingress/,
  })
  t.match((await look({}, world.replica, { PUBLIC_BASE_URL: 'https://nowhere.invalid' })).named['connection'], {
    result: 'failed',
    saw: /ENOTFOUND|EAI_AGAIN/,
  })
  t.match((await look({ instead: () => true })).named['connection'], {
    result: 'failed',
    saw: /timeout/,
    todo: /networkPolicy\.publicTo/,
  })
})

t.test(
  'the probe answers only to a fresh proof of this deployment; everything else is the page that it always is',
  async (t) => {
    const { publicUrl } = await world.startReplica({ TRUSTED_PROXIES: '127.0.0.1' })
    const ask = async (path: string, proof: string, method = 'GET') => {
      const answer = await fetch(`${publicUrl}${path}?${ARRIVAL_REPORT_PARAMETER}=${encodeURIComponent(proof)}`, {
        method,
        headers: { 'x-forwarded-proto': 'https' },
      })
      return {
        status: answer.status,
        cache: answer.headers.get('cache-control'),
        cookie: answer.headers.get('set-cookie'),
        body: await answer.text(),
      }
    }
    const secret = world.env['SESSION_SECRETS']!
    const now = Date.now()
    t.match(await ask(CALLBACK, arrivalReportProof(secret, now)), {
      status: 200,
      cache: 'no-store',
      cookie: null,
      body: /^\{"answered_by":"token-broker"/,
    })
    t.equal((await ask(CALLBACK, arrivalReportProof(secret, now - 50_000))).status, 200)
    const fresh = arrivalReportProof(secret, now)
    const altered = `${fresh.slice(0, -2)}${fresh.endsWith('AA') ? 'BB' : 'AA'}`
    for (const proof of [
      '',
      'x',
      altered,
      fresh.slice(0, -1),
      arrivalReportProof(secret, now - 62_000),
      arrivalReportProof(secret, now + 20_000),
      arrivalReportProof(`${secret}x`, now),
      `${fresh},${fresh}`,
    ]) {
      const page = await ask('/auth/oauth2/microsoft/probe', proof)
      t.equal(page.status, 404)
      t.match(page.body, '<html')
      t.equal((await ask(CALLBACK, proof)).status, 400)
    }
    t.equal((await ask(CALLBACK, fresh, 'POST')).status, 404)
    const twice = await fetch(
      `${publicUrl}${CALLBACK}?${ARRIVAL_REPORT_PARAMETER}=${fresh}&${ARRIVAL_REPORT_PARAMETER}=${fresh}`,
      {
        headers: { 'x-forwarded-proto': 'https' },
      },
    )
    t.equal(twice.status, 400)
  },
)

t.test(
  'during the rotation of session secrets either proof is good; after it, doctor says what may be wrong',
  async (t) => {
    const rotated = await world.startReplica({
      SESSION_SECRETS: `${randomBytes(32).toString('base64url')},${world.env['SESSION_SECRETS']!}`,
    })
    t.strictSame((await look({}, rotated)).bad, [])
    const { bad, named } = await look({}, world.replica, { SESSION_SECRETS: randomBytes(32).toString('base64url') })
    t.ok(bad.includes('callback failed'))
    t.match(named['callback'], { saw: /HTTP 400/, todo: /other SESSION_SECRETS/ })
    const late = await examinePublicSide(world.env, { clock: { ...systemClock, now: () => Date.now() - 300_000 } })
    t.match(late.text, /whose clock is (4|5) minutes off ours/)
  },
)

t.test('the command line takes --public with --json, and exits with 1', async (t) => {
  const out: string[] = []
  const run = (env: Record<string, string>) =>
    runCommandLine(['doctor', '--public', '--json'], {
      env,
      now: () => Date.now(),
      out: (line) => out.push(line),
      err: () => {},
    })
  ways = { ...RIGHT, to: world.replica.publicUrl }
  t.equal(await run(world.env), 0)
  t.match(JSON.parse(out[0]!), { checks: [{ name: 'connection', result: 'ok', saw: String }] })
  t.equal(await run({ ...world.env, PUBLIC_BASE_URL: 'https://localhost:1' }), 1)
})
