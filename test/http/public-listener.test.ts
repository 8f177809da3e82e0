import { randomBytes } from 'node:crypto'
import t from 'tap'
import { request } from 'undici'
import { readMarkup } from '../../sandbox/markup.ts'
import { handleIn, JANE, startWorld, type Replica } from '../support/world.ts'

// The public listener behind an ingress that ends TLS (docs/design.md#listeners, docs/security.md#headers-of-pages).

const BASE = 'https://audits.example'
const HTTPS = {
  PUBLIC_BASE_URL: BASE,
  ENTRY_URL_CONNECT: `${BASE}/microsoft/connect`,
  ENTRY_URL_MANAGE: `${BASE}/microsoft/manage`,
  COMPLETION_URL: `${BASE}/microsoft/connected`,
}
const world = await startWorld(t, { env: HTTPS })
const { entra, caller, replica } = world
const FORWARDED = {
  host: 'audits.example',
  'x-forwarded-proto': 'https',
  'x-forwarded-for': '203.0.113.7',
  'x-forwarded-host': 'audits.example',
}
const CALLBACK = '/auth/oauth2/microsoft/callback'

/** As the ingress passes it on. Addresses of the public base are understood. */
async function visit(
  url: string,
  options: { headers?: Record<string, string>; method?: string; to?: Replica; bare?: boolean } = {},
) {
  const answer = await request((options.to ?? replica).publicUrl + url.replace(BASE, ''), {
    method: (options.method ?? 'GET') as 'GET',
    headers: { ...(options.bare ? { host: 'audits.example' } : FORWARDED), ...options.headers },
  })
  const setCookie = [answer.headers['set-cookie'] ?? []].flat()
  return {
    status: answer.statusCode,
    headers: answer.headers,
    html: await answer.body.text(),
    setCookie,
    location: answer.headers['location'] as string | undefined,
  }
}
const pairOf = (line: string): string => line.split(';')[0]!
const linesAbout = (word: string) =>
  replica
    .logged()
    .split('\n')
    .filter((line) => line.includes(word))

t.test('behind TLS the whole way works, with a cookie that nobody else can set or read', async (t) => {
  entra.control.configureApp({ redirectUris: [`${BASE}${CALLBACK}`] })
  const { id, url } = await caller.beginConnect('42')
  t.ok(url.startsWith(`${BASE}/auth/`))
  const first = await visit(url)
  t.equal(first.status, 303)
  t.equal(
    first.location,
    `${new URL(url).pathname}?cookies=1`,
    'redirects are relative: no host of a header is in them',
  )
  const [line = ''] = first.setCookie
  t.match(line, /^__Host-token_broker=/)
  for (const attribute of [/; Secure(;|$)/, /; HttpOnly(;|$)/, /; SameSite=Lax(;|$)/, /; Path=\/(;|$)/])
    t.match(line, attribute)
  t.notMatch(line, /domain=/i)
  const second = await visit(first.location!, { headers: { cookie: pairOf(line) } })
  t.equal(second.status, 303)
  const cookie = pairOf(second.setCookie[0]!)
  t.not(cookie, pairOf(line))
  const back = entra.control.signIn({ account: JANE, authorizeUrl: second.location! })
  const page = await visit(back.replace('#', ''), { headers: { cookie } })
  t.equal(page.status, 200)
  const { refresh = '' } = readMarkup(page.html)
  t.match(refresh, `${BASE}/microsoft/connected?connect_session=${id}&handle=`)
  const { next } = await caller.complete(id, '42', handleIn({ refresh }))
  t.equal((await visit(next)).status, 200)
})

t.test('every answer carries the headers that keep a browser from being misled, errors too', async (t) => {
  const pages: [string, Record<string, string>?, string?][] = [
    ['/auth/oauth2/microsoft/admin-consent'],
    ['/accounts/account/microsoft/'],
    [`${CALLBACK}?state=x`],
    ['/nothing/here'],
    [`/auth/oauth2/microsoft/connect/${randomBytes(32).toString('base64url')}`],
    [CALLBACK, {}, 'POST'],
    ['/accounts/account/microsoft/disconnect', {}, 'POST'],
  ]
  for (const [path, headers = {}, method = 'GET'] of pages) {
    const answer = await visit(path, { headers, method })
    t.match(
      answer.headers,
      {
        'cache-control': 'no-store',
        'referrer-policy': 'no-referrer',
        'x-content-type-options': 'nosniff',
        'x-frame-options': 'DENY',
        'cross-origin-opener-policy': 'same-origin',
        'strict-transport-security': /^max-age=31536000/,
        'content-security-policy': /^default-src 'none'/,
      },
      `${method} ${path}`,
    )
    const policy = String(answer.headers['content-security-policy'])
    for (const rule of ["frame-ancestors 'none'", "form-action 'self'", "base-uri 'none'"])
      t.ok(policy.includes(rule), rule)
    t.notMatch(policy, /unsafe|\*/)
    t.equal(answer.headers['x-powered-by'], undefined)
    t.equal(answer.headers['access-control-allow-origin'], undefined)
    if (answer.html !== '') t.match(answer.headers['content-type'], 'text/html; charset=utf-8')
  }
})

t.test('plain HTTP is refused in words and named in the log, and no cookie goes out', async (t) => {
  const { id, url } = await caller.beginConnect('plain')
  const answer = await visit(url, { bare: true })
  t.equal(answer.status, 400)
  t.same(answer.setCookie, [])
  t.match(
    linesAbout('TRUSTED_PROXIES').at(-1),
    /"level":"error".*"forwarded_proto_seen":false.*X-Forwarded-Proto: https/,
  )
  t.equal((await visit(url, { headers: { 'x-forwarded-proto': 'http' } })).status, 400)
  t.match((await caller.send('GET', `/connect-sessions/${id}`)).body, { status: 'created' }, 'the link is not spent')
})

t.test('what a peer that is no proxy of ours says about forwarding is not believed', async (t) => {
  const strict = await world.startReplica({ TRUSTED_PROXIES: '10.0.0.0/8' })
  const none = await world.startReplica({ TRUSTED_PROXIES: '' })
  for (const to of [strict, none]) {
    const answer = await visit('/auth/oauth2/microsoft/admin-consent', { to })
    t.equal(answer.status, 400)
    t.match(to.logged(), /"forwarded_proto_seen":true,"peer_trusted":false/)
  }
  t.equal((await visit('/auth/oauth2/microsoft/admin-consent')).status, 200)
})

t.test('what a client puts in front of the forwarding headers changes no address of ours', async (t) => {
  const page = await visit('/auth/oauth2/microsoft/admin-consent', {
    headers: {
      'x-forwarded-host': 'evil.example',
      host: 'evil.example',
      'x-forwarded-for': 'evil.example, 203.0.113.7',
    },
  })
  t.equal(page.status, 200)
  t.notMatch(page.html, 'evil.example')
  const { url } = await caller.beginConnect('hosts')
  t.notMatch(
    (await visit(url, { headers: { host: 'evil.example', 'x-forwarded-host': 'evil.example' } })).location,
    'evil.example',
  )
})

t.test('a stale cookie is taken away by a line that a browser obeys', async (t) => {
  const { setCookie } = await visit('/accounts/account/microsoft/', {
    headers: { cookie: '__Host-token_broker=stale.nonsense' },
  })
  t.match(setCookie, [/^__Host-token_broker=;/])
  t.match(setCookie[0], /; Secure/)
  t.match(setCookie[0], /; Path=\//)
  t.match(setCookie[0], /Expires=Thu, 01 Jan 1970|Max-Age=0/)
})

t.test('cookies of others are not read, not changed and not logged', async (t) => {
  const canary = `canary${randomBytes(8).toString('hex')}`
  const answer = await visit('/accounts/account/microsoft/', {
    headers: {
      cookie: `sessionid=${canary}; csrftoken=${canary}; token_broker=${canary}; __Host-token_broker=${canary}`,
    },
  })
  t.equal(answer.status, 403)
  t.ok(answer.setCookie.every((line) => line.startsWith('__Host-token_broker=')))
  await visit('/nothing', {
    headers: { cookie: `sessionid=${canary}`, referer: `https://x.example/?${canary}`, 'user-agent': canary },
  })
  await visit(`/auth/oauth2/microsoft/${canary}?${canary}`)
  t.equal(linesAbout(canary).length, 0)
})

t.test("an answer of Microsoft that makes an 8 kB address, with MEGDocs' cookies on top, arrives", async (t) => {
  const { id, url } = await caller.beginConnect('large')
  const first = await visit(url)
  const second = await visit(first.location!, { headers: { cookie: pairOf(first.setCookie[0]!) } })
  const state = new URL(second.location!).searchParams.get('state')!
  const query = new URLSearchParams({ code: 'M.'.padEnd(8_000, 'c'), state, session_state: 's'.repeat(36) })
  const page = await visit(`${CALLBACK}?${query}`, {
    headers: { cookie: `${pairOf(second.setCookie[0]!)}; other=${'x'.repeat(8_000)}` },
  })
  t.equal(page.status, 200)
  t.match((await caller.send('GET', `/connect-sessions/${id}`)).body, { status: 'received' })
})

t.test('headers beyond 32 kB are refused before anything looks at them', async (t) => {
  t.equal((await visit(`${CALLBACK}?${new URLSearchParams({ code: 'c'.repeat(40_000), state: 'x' })}`)).status, 431)
})

t.test('other methods than a route has are unknown routes', async (t) => {
  for (const [method, path] of [
    ['POST', CALLBACK],
    ['DELETE', '/accounts/account/microsoft/'],
    ['PUT', '/accounts/account/microsoft/disconnect'],
    ['HEAD', '/auth/oauth2/microsoft/none'],
    ['OPTIONS', CALLBACK],
  ] as const)
    t.equal((await visit(path, { method })).status, 404, `${method} ${path}`)
})

t.test('an unknown address is a page like the others, with a way on and nothing of the address', async (t) => {
  const page = await visit('/auth/oauth2/microsoft/<script>alert(1)</script>?x=<script>')
  t.equal(page.status, 404)
  t.match(page.html, /<html lang="en"/)
  t.match(page.html, /Reference/)
  t.notMatch(page.html, /<script|alert\(1\)/)
  t.match((await visit('/nothing', { headers: { 'accept-language': 'de' } })).html, /<html lang="de"/)
  for (const path of ['/livez', '/metrics', '/openapi.json', '/tokens/42', '/connect-sessions'])
    t.equal((await visit(path)).status, 404, path)
})

t.test('addresses that make no sense are refused, and break nothing', async (t) => {
  for (const path of [
    '/%',
    '/%zz',
    '//evil.example/',
    '/accounts/account/microsoft/%00',
    '/auth/oauth2/microsoft/result/x/y',
    `/auth/oauth2/microsoft/result/${'0'.repeat(300)}/y`,
  ]) {
    const { status, html } = await visit(path)
    t.ok(status >= 400 && status < 500, `${path}: ${status}`)
    t.match(html, /<html/)
  }
})
