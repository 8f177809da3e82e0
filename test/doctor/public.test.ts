import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { request as httpRequest, type IncomingMessage, type OutgoingHttpHeaders, type ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import t from 'tap'
import { selfSignedCertificate, toPem } from '../../sandbox/entra/certificate.ts'
import { runCommandLine } from '../../src/cli/commands.ts'
import { diagnosePublic } from '../../src/doctor.ts'
import type { Check } from '../../src/doctor/check.ts'
import { ARRIVAL_REPORT_PARAMETER, arrivalReportProof } from '../../src/http/arrival-report.ts'
import { systemClock } from '../../src/services.ts'
import { CALLBACK, startWorld, type Replica } from '../support/world.ts'

// `doctor --public` through a little ingress that ends TLS, right or wrong. The ingress reaches the broker from
// 127.0.0.2, so that its address and the visitor's, 127.0.0.1, can be told apart.

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
  const { text, json, failed } = await diagnosePublic({ ...world.env, ...env })
  const { checks } = json as { checks: Check[] }
  const named = Object.fromEntries(checks.map((check) => [check.name, check])) as Record<string, Check>
  return {
    text,
    failed,
    named,
    bad: checks.filter(({ result }) => result !== 'ok').map(({ name, result }) => `${name} ${result}`),
  }
}

t.test('through a correct ingress every check passes', async (t) => {
  const { bad, failed, named, text } = await look()
  t.strictSame(bad, [])
  t.equal(failed, false)
  t.match(named['certificate']!.message, /in (59|60) days/)
  t.match(named['client_address']!.message, 'Visitors come as 127.0.0.1 through 127.0.0.2')
  t.match(named['long_url']!.message, '8192 bytes arrives whole')
  t.match(text, /10 ok, 0 warning, 0 failed, 0 skipped\.$/)
  for (const secret of [world.env['SESSION_SECRETS']!, `${ARRIVAL_REPORT_PARAMETER}=`])
    t.notOk(text.includes(secret) || world.replica.logged().includes(secret))
})

t.test('the scheme: not sent, sent but not trusted, wrong', async (t) => {
  const dropped = await look({ headers: (headers) => delete headers['x-forwarded-proto'] })
  t.match(dropped.named['scheme'], {
    result: 'failed',
    message: /arrive as http, .*127\.0\.0\.2 sent no X-Forwarded-Proto/,
  })
  t.equal(dropped.named['callback']!.result, 'ok', 'the other checks run although every page would be refused')
  t.match((await look({ headers: (headers) => void (headers['x-forwarded-proto'] = 'http') })).named['scheme'], {
    result: 'failed',
    advice: /TLS ends in front of that proxy/,
  })
  const strict = await world.startReplica({ TRUSTED_PROXIES: '10.0.0.0/8' })
  const { named } = await look({}, strict)
  t.match(named['scheme'], {
    result: 'failed',
    message: /127\.0\.0\.2 sent X-Forwarded-Proto https, and is not trusted/,
    advice: /Add 127\.0\.0\.2.* to TRUSTED_PROXIES/,
  })
  t.match(named['client_address'], { result: 'failed', message: /takes the ingress \(127\.0\.0\.2\) for the visitor/ })
})

t.test("the visitor's address: not sent, forged, or that of another proxy", async (t) => {
  t.match((await look({ headers: (headers) => delete headers['x-forwarded-for'] })).named['client_address'], {
    result: 'failed',
    message: /sent no X-Forwarded-For/,
  })
  const passing = (headers: OutgoingHttpHeaders, incoming: IncomingMessage) => {
    if (incoming.headers['x-forwarded-for'] !== undefined)
      headers['x-forwarded-for'] = incoming.headers['x-forwarded-for']
  }
  t.match((await look({ headers: passing })).named['client_address'], {
    result: 'warning',
    message: /took 203\.0\.113\.77 for the visitor/,
  })
  const appending = (headers: OutgoingHttpHeaders, incoming: IncomingMessage) =>
    void (headers['x-forwarded-for'] = [incoming.headers['x-forwarded-for'], '127.0.0.1'].filter(Boolean).join(', '))
  t.strictSame((await look({ headers: appending })).bad, [], 'an ingress that appends its address is correct')
  t.match(
    (await look({ headers: (headers) => void (headers['x-forwarded-for'] = '198.51.100.4, 198.51.100.9') })).named[
      'client_address'
    ],
    { result: 'warning', advice: /198\.51\.100\.9 is one of your proxies/ },
  )
})

t.test('an address that is cut, refused or rewritten is reported with the length that arrives', async (t) => {
  const limit = (bytes: number) => (incoming: IncomingMessage, outgoing: ServerResponse) => {
    if (incoming.url!.length <= bytes) return false
    outgoing.writeHead(414, { server: 'nginx/1.25' }).end('Request-URI Too Large')
    return true
  }
  t.match((await look({ instead: limit(5_000) })).named['long_url'], {
    result: 'failed',
    message: /8192 bytes does not arrive: HTTP 414, server nginx\/1\.25\. An address of 4096 bytes arrives/,
    advice: /large-client-header-buffers/,
  })
  t.match((await look({ instead: limit(1_000) })).named['long_url'], {
    result: 'failed',
    message: /2048 bytes does not arrive/,
  })
  t.match((await look({ path: (path) => path.slice(0, 4_000) })).named['long_url'], {
    result: 'failed',
    message: /4000 of 8192 bytes arrived/,
  })
  t.match((await look({ path: (path) => `${path}&added=1` })).named['callback'], {
    result: 'failed',
    message: /reaches the broker changed/,
  })
})

t.test('paths that MEGDocs answers instead of the broker, or that are redirected', async (t) => {
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
  t.match(named['callback']!.message, `HTTP 301 redirects to ${CALLBACK}/.`)
  t.match(named['account_page'], { message: /HTTP 404/, advice: /before MEGDocs' own paths/ })
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

t.test('headers that are removed or changed, and another Host', async (t) => {
  const { named } = await look({
    answer: (headers) => (delete headers['content-security-policy'], (headers['cache-control'] = 'public, max-age=60')),
  })
  t.match(named['headers'], { result: 'failed', message: /missing: content-security-policy; changed: cache-control/ })
  t.equal(
    (await look({ answer: (headers) => void (headers['strict-transport-security'] = 'max-age=63072000') })).named[
      'headers'
    ]!.result,
    'ok',
  )
  t.match((await look({ headers: (headers) => void (headers.host = 'broker.internal') })).named['host'], {
    result: 'warning',
    message: /broker\.internal/,
  })
})

t.test('certificates: expiring soon, expired, for another host, not trusted', async (t) => {
  const show = async (context: ReturnType<typeof certificateFor>, trusted = true) => {
    setDefaultCACertificates(trusted ? [context.cert] : getCACertificates('bundled'))
    server.setSecureContext(context)
    return (await look()).named
  }
  t.match(await show(certificateFor('localhost', 5)), { certificate: { result: 'warning', message: /in [45] days/ } })
  t.match(await show(certificateFor('localhost', -1)), {
    connection: { result: 'ok' },
    certificate: { result: 'failed', message: /CERT_HAS_EXPIRED/, advice: /renew/ },
    callback: { result: 'skipped' },
  })
  t.match(await show(certificateFor('other.example', 60)), {
    certificate: { result: 'failed', message: /ALTNAME/, advice: /for another host/ },
  })
  t.match(await show(certificateFor('localhost', 60), false), {
    certificate: { result: 'failed', message: /SELF_SIGNED/, advice: /NODE_EXTRA_CA_CERTS/ },
  })
  await show(good)
})

t.test('a closed port, an unknown host, a server that never answers', async (t) => {
  const env = { PUBLIC_BASE_URL: 'https://localhost:1' }
  t.match((await look({}, world.replica, env)).named['connection'], {
    result: 'failed',
    message: /https:\/\/localhost:1 cannot be reached from here \(ECONNREFUSED\)/,
    advice: /ingress/,
  })
  t.match((await look({}, world.replica, { PUBLIC_BASE_URL: 'https://nowhere.invalid' })).named['connection'], {
    result: 'failed',
    message: /ENOTFOUND|EAI_AGAIN/,
  })
  t.match((await look({ instead: () => true })).named['connection'], {
    result: 'failed',
    message: /timeout/,
    advice: /networkPolicy\.publicTo/,
  })
})

t.test(
  'the arrival report needs a fresh proof of this deployment; every other request gets the usual page',
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
  'during a rotation of session secrets both proofs are valid; after it, doctor names the likely cause',
  async (t) => {
    const rotated = await world.startReplica({
      SESSION_SECRETS: `${randomBytes(32).toString('base64url')},${world.env['SESSION_SECRETS']!}`,
    })
    t.strictSame((await look({}, rotated)).bad, [])
    const { bad, named } = await look({}, world.replica, { SESSION_SECRETS: randomBytes(32).toString('base64url') })
    t.ok(bad.includes('callback failed'))
    t.match(named['callback'], { message: /HTTP 400/, advice: /other SESSION_SECRETS/ })
    const late = await diagnosePublic(world.env, { clock: { ...systemClock, now: () => Date.now() - 300_000 } })
    t.match(late.text, /its clock differs from ours by (4|5) minutes/)
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
  t.match(JSON.parse(out[0]!), { checks: [{ name: 'connection', result: 'ok', message: String }] })
  t.equal(await run({ ...world.env, PUBLIC_BASE_URL: 'https://localhost:1' }), 1)
})
