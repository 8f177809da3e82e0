import { generateKeyPairSync } from 'node:crypto'
import type { Socket } from 'node:net'
import { inspect } from 'node:util'
import t from 'tap'
import { Agent } from 'undici'
import { createMicrosoft } from '../../src/microsoft/client.ts'
import type { MicrosoftOptions } from '../../src/microsoft/client.ts'
import {
  CLIENT_ID,
  errorBody,
  fixedRandom,
  json,
  manualClock,
  OBJECT,
  OTHER_PAIR,
  OTHER_TENANT,
  TENANT,
  tokenBody,
} from './support.ts'
import type { Reply, Seen } from './support.ts'
import { codeRequest, noPermit, refreshRequest, REQUEST_ID, setUp, withIdToken } from './world.ts'

t.test('authorizeUrl holds what Microsoft needs and nothing else', async (t) => {
  const { microsoft, url } = await setUp(t)
  const request = { state: 's'.repeat(43), nonce: 'n'.repeat(43), codeChallenge: 'c'.repeat(43) }
  const plain = microsoft.authorizeUrl({ ...request, prompt: 'select_account', requestId: REQUEST_ID })
  t.notMatch(plain, '+', 'spaces as %20')
  t.ok(plain.startsWith(`${url}/organizations/oauth2/v2.0/authorize?`))
  t.strictSame(Object.fromEntries(new URL(plain).searchParams), {
    client_id: CLIENT_ID,
    response_type: 'code',
    redirect_uri: 'https://audits.megsupportools.com/auth/oauth2/microsoft/callback',
    scope: 'openid profile offline_access Files.ReadWrite.All User.Read',
    response_mode: 'query',
    state: request.state,
    nonce: request.nonce,
    code_challenge: request.codeChallenge,
    code_challenge_method: 'S256',
    prompt: 'select_account',
    'client-request-id': REQUEST_ID,
  })
  const again = new URL(
    microsoft.authorizeUrl({
      ...request,
      prompt: 'select_account',
      loginHint: 'jane+x@contoso.com',
      claims: '{"a":1}',
      requestId: 'no guid',
    }),
  ).searchParams
  t.equal(again.get('login_hint'), 'jane+x@contoso.com')
  t.equal(again.get('claims'), '{"a":1}')
  t.equal(again.has('prompt'), false, 'a hint and a picker are not combined')
  t.equal(again.has('client-request-id'), false)
})

t.test("a refresh sends the form of RFC 6749 6 on the account's own path, and nothing a browser would", async (t) => {
  const { microsoft, tokenRequests } = await setUp(
    t,
    {},
    { token: json(tokenBody(), 200, { 'set-cookie': 'fpc=1; path=/' }) },
  )
  await microsoft.refresh(refreshRequest, noPermit)
  await microsoft.refresh({ ...refreshRequest, requestId: 'x\r\nevil: 1' }, noPermit)
  const [first, second] = tokenRequests() as [Seen, Seen]
  t.match(first, { method: 'POST', path: `/${TENANT}/oauth2/v2.0/token` })
  t.strictSame(first.form, {
    client_id: CLIENT_ID,
    grant_type: 'refresh_token',
    refresh_token: 'stored-refresh-token-canary',
    scope: 'openid profile offline_access Files.ReadWrite.All User.Read',
    client_secret: 'secret~canary.1',
  })
  t.match(first.headers, {
    'content-type': 'application/x-www-form-urlencoded',
    'client-request-id': REQUEST_ID,
    accept: 'application/json',
  })
  for (const { headers } of [first, second])
    for (const name of ['cookie', 'origin', 'referer', 'authorization']) t.notOk(name in headers, name)
  t.notOk('client-request-id' in second.headers, 'only a GUID is sent on')
})

t.test('without a known tenant, or with one that is none, the configured path is used', async (t) => {
  const { microsoft, tokenRequests } = await setUp(t)
  const { account: _, ...unknown } = refreshRequest
  await microsoft.refresh(unknown, noPermit)
  await microsoft.refresh({ ...unknown, account: { tenantId: '../evil', objectId: OBJECT } }, noPermit)
  for (const { path } of tokenRequests()) t.equal(path, '/organizations/oauth2/v2.0/token')
})

t.test('refreshed tokens come typed, with the time they took', async (t) => {
  const { microsoft, clock, far } = await setUp(t)
  far.token = (response, seen) => {
    clock.advance(1234)
    withIdToken({ nonce: undefined })(response, seen)
  }
  t.strictSame(await microsoft.refresh(refreshRequest, noPermit), {
    kind: 'tokens',
    tokens: {
      accessToken: 'access-token-canary',
      refreshToken: 'refresh-token-canary',
      expiresInSeconds: 4372,
      elapsedMs: 1234,
      scopes: ['Files.ReadWrite.All', 'User.Read'],
      account: { tenantId: TENANT, objectId: OBJECT, username: 'jane@contoso.com', displayName: 'Jane Doe' },
    },
  })
  far.token = json(tokenBody({ refresh_token: undefined, scope: undefined }))
  t.strictSame(await microsoft.refresh({ ...refreshRequest, scopes: ['User.Read'] }, noPermit), {
    kind: 'tokens',
    tokens: { accessToken: 'access-token-canary', expiresInSeconds: 4372, elapsedMs: 0, scopes: ['User.Read'] },
  })
})

t.test('tokens of 28 hours are taken, and so is a suggestion when to refresh them', async (t) => {
  const { microsoft, far } = await setUp(t)
  for (const [refreshIn, taken] of [
    [50_400, 50_400],
    ['50400', 50_400],
    [100_800, undefined],
    [0, undefined],
    ['soon', undefined],
    [undefined, undefined],
  ] as const) {
    far.token = json(tokenBody({ expires_in: 100_800, refresh_in: refreshIn, id_token: undefined }))
    const verdict = await microsoft.refresh(refreshRequest, noPermit)
    if (verdict.kind !== 'tokens') return t.fail(verdict.reason)
    t.equal(verdict.tokens.expiresInSeconds, 100_800)
    t.equal(verdict.tokens.refreshInSeconds, taken, String(refreshIn))
  }
})

t.test('cp1 and a challenge are one object, the same for sign-in, code and refresh', async (t) => {
  const challenge = '{"access_token":{"nbf":{"essential":true,"value":"1635527790"}}}'
  const merged = '{"access_token":{"nbf":{"essential":true,"value":"1635527790"},"xms_cc":{"values":["cp1"]}}}'
  const capable = '{"access_token":{"xms_cc":{"values":["cp1"]}}}'
  for (const [continuousAccessEvaluation, claims, sent] of [
    [true, challenge, merged],
    [true, undefined, capable],
    [false, challenge, challenge],
    [false, undefined, undefined],
  ] as const) {
    const { microsoft, tokenRequests } = await setUp(t, { continuousAccessEvaluation })
    const asked = claims === undefined ? {} : { claims }
    const url = microsoft.authorizeUrl({ state: 's', nonce: 'n', codeChallenge: 'c', ...asked })
    t.equal(new URL(url).searchParams.get('claims') ?? undefined, sent)
    await microsoft.refresh({ ...refreshRequest, ...asked }, noPermit)
    await microsoft.redeem({ code: 'c', codeVerifier: 'v', nonce: 'n', requestId: REQUEST_ID, ...asked })
    t.same(
      tokenRequests().map(({ form }) => form['claims']),
      [sent, sent],
    )
  }
})

t.test("a refresh never yields another account's tokens, and marks nobody for it", async (t) => {
  const { microsoft, far, problems } = await setUp(t)
  const wrong: [payload: object, problem: string][] = [
    [{ oid: TENANT }, 'object'],
    [{ aud: TENANT }, 'audience'],
    [{ iss: 'https://evil.example' }, 'issuer'],
  ]
  for (const [payload, problem] of wrong) {
    far.token = withIdToken(payload)
    t.strictSame(
      await microsoft.refresh(refreshRequest, noPermit),
      { kind: 'try_later', reason: 'identity_unproven', microsoft: {} },
      problem,
    )
    t.equal(problems.pop(), problem)
  }
  far.token = (response, seen) =>
    withIdToken({ tid: OTHER_TENANT, iss: `http://${seen.headers.host}/${OTHER_TENANT}/v2.0` })(response, seen)
  t.match(await microsoft.refresh(refreshRequest, noPermit), { kind: 'try_later', reason: 'identity_unproven' })
})

t.test("a refresh does not depend on this machine's clock", async (t) => {
  const { microsoft, far } = await setUp(t)
  far.token = withIdToken({ exp: 1, nbf: 4_000_000_000 })
  t.match(await microsoft.refresh(refreshRequest, noPermit), { kind: 'tokens' })
})

t.test('a stored account of a tenant that is no longer accepted is refused with that reason', async (t) => {
  const { microsoft } = await setUp(t, { allowedTenants: [OTHER_TENANT] }, { token: withIdToken() })
  t.match(await microsoft.refresh(refreshRequest, noPermit), {
    kind: 'reconnect',
    reason: 'tenant_not_allowed',
    final: false,
  })
})

t.test('whatever the network does is a verdict', async (t) => {
  const reset: Reply = (response) => (response.socket as Socket).resetAndDestroy()
  const cases: [name: string, reply: Reply, reason: string, sent?: number][] = [
    // The code goes out on the connection that fetched the keys, and once more on a new one.
    ['reset before the answer', reset, 'microsoft_unreachable', 3],
    [
      'closed in the middle of the body',
      (response) => {
        response.writeHead(200, { 'content-length': '5000' }).write('{"token_type"', () => response.socket!.destroy())
      },
      'microsoft_unreachable',
    ],
    ['no HTTP', (response) => response.socket!.end('SSH-2.0-OpenSSH\r\n'), 'microsoft_unreachable'],
    [
      'a redirect, not followed',
      (response) => response.writeHead(302, { location: '/organizations/oauth2/v2.0/token' }).end(),
      'microsoft_bad_answer',
    ],
    [
      'a redirect that keeps the method',
      (response) => response.writeHead(307, { location: '/x' }).end(),
      'microsoft_bad_answer',
    ],
    ['truncated JSON', json(tokenBody().slice(0, 60)), 'microsoft_bad_answer'],
    ['more than 256 kB', json(tokenBody({ padding: 'x'.repeat(300_000) })), 'microsoft_bad_answer'],
    [
      'HTML with 200',
      (response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<html>sign in to the hotel</html>'),
      'microsoft_bad_answer',
    ],
    ['503 with HTML', (response) => response.writeHead(503).end('<html>'), 'microsoft_error'],
    [
      '429 in plain text',
      (response) => response.writeHead(429, { 'retry-after': '60' }).end('Too Many Requests'),
      'throttled',
    ],
  ]
  for (const [name, reply, reason, sent = 2] of cases) {
    const { microsoft, tokenRequests } = await setUp(t, {}, { token: reply })
    t.match(await microsoft.refresh(refreshRequest, noPermit), { kind: 'try_later', reason }, name)
    t.match(await microsoft.redeem(codeRequest), { kind: 'try_later', reason }, `${name} (code)`)
    t.equal(tokenRequests().length, sent, `${name}: how often it was sent`)
  }
})

t.test('an answer of just under 256 kB is read', async (t) => {
  const { microsoft } = await setUp(t, {}, { token: json(tokenBody({ padding: 'x'.repeat(250_000) })) })
  t.match(await microsoft.refresh(refreshRequest, noPermit), { kind: 'tokens' })
})

t.test('the time limit ends an exchange wherever it hangs', async (t) => {
  const hangs: [name: string, reply: (abort: () => void) => Reply][] = [
    ['no answer', (abort) => () => abort()],
    [
      'headers, no body',
      (abort) => (response) => {
        response.writeHead(200, { 'content-type': 'application/json' }).flushHeaders()
        abort()
      },
    ],
    [
      'half a body',
      (abort) => (response) => {
        response.writeHead(200).write('{"token_type":', abort)
      },
    ],
  ]
  for (const [name, reply] of hangs) {
    const limit = new AbortController()
    const asked: number[] = []
    const deadline = (ms: number): AbortSignal => {
      asked.push(ms)
      return limit.signal
    }
    const { microsoft } = await setUp(t, { deadline }, { token: reply(() => limit.abort()) })
    t.strictSame(
      await microsoft.refresh(refreshRequest, noPermit),
      { kind: 'try_later', reason: 'microsoft_timeout', microsoft: {} },
      name,
    )
    t.strictSame(asked, [5000], 'five seconds, below the lease')
  }
})

t.test('nobody listening, and no TLS where TLS is expected, are unreachable', async (t) => {
  const { url } = await setUp(t)
  const { microsoft } = await setUp(t, { loginUrl: url.replace('http:', 'https:') })
  t.match(await microsoft.refresh(refreshRequest, noPermit), { kind: 'try_later', reason: 'microsoft_unreachable' })
  const { microsoft: nowhere } = await setUp(t, { loginUrl: 'http://127.0.0.1:1' })
  t.match(await nowhere.refresh(refreshRequest, noPermit), { kind: 'try_later', reason: 'microsoft_unreachable' })
  t.match(await nowhere.redeem(codeRequest), { kind: 'try_later', reason: 'microsoft_unreachable' })
})

t.test('a code is exchanged once, with verifier and redirect URI, and proves the account', async (t) => {
  const { microsoft, tokenRequests } = await setUp(t, {}, { token: withIdToken() })
  t.match(await microsoft.redeem(codeRequest), {
    kind: 'tokens',
    tokens: {
      refreshToken: 'refresh-token-canary',
      expiresInSeconds: 4372,
      account: { tenantId: TENANT, objectId: OBJECT, username: 'jane@contoso.com' },
    },
  })
  t.equal(tokenRequests().length, 1)
  t.match(tokenRequests()[0], {
    path: '/organizations/oauth2/v2.0/token',
    headers: { 'client-request-id': REQUEST_ID },
  })
  t.strictSame(tokenRequests()[0]!.form, {
    client_id: CLIENT_ID,
    grant_type: 'authorization_code',
    code: 'code-canary',
    redirect_uri: 'https://audits.megsupportools.com/auth/oauth2/microsoft/callback',
    code_verifier: 'verifier-canary',
    scope: 'openid profile offline_access Files.ReadWrite.All User.Read',
    client_secret: 'secret~canary.1',
  })
})

t.test('a connect is refused in words when the answer does not hold', async (t) => {
  const cases: [name: string, reply: Reply, reason: string, problem?: string][] = [
    ['no id token', json(tokenBody()), 'identity_unproven', 'missing'],
    ['alg none', withIdToken({}, { alg: 'none' }), 'identity_unproven', 'algorithm'],
    ['another key', withIdToken({}, {}, {}, OTHER_PAIR.privateKey), 'identity_unproven', 'signature'],
    ['another nonce', withIdToken({ nonce: 'other' }), 'identity_unproven', 'nonce'],
    ['another audience', withIdToken({ aud: TENANT }), 'identity_unproven', 'audience'],
    ['expired', withIdToken({ exp: 1 }), 'identity_unproven', 'expired'],
    ['no refresh token', withIdToken({}, {}, { refresh_token: undefined }), 'no_refresh_token'],
    ['a scope missing', withIdToken({}, {}, { scope: 'openid profile User.Read' }), 'missing_scopes'],
    ['code used twice', json(errorBody(54005, 'invalid_grant'), 400), 'code_rejected'],
  ]
  for (const [name, reply, reason, problem] of cases) {
    const { microsoft, problems } = await setUp(t, {}, { token: reply })
    t.match(await microsoft.redeem(codeRequest), { kind: 'refused', reason }, name)
    t.strictSame(problems, problem ? [problem] : [])
  }
  const { microsoft } = await setUp(t, { allowedTenants: [OTHER_TENANT] }, { token: withIdToken() })
  t.match(await microsoft.redeem(codeRequest), { kind: 'refused', reason: 'tenant_not_allowed' })
})

const refused = json(errorBody(7000222, 'invalid_client'), 401)

t.test('a code exchange never trips the breaker', async (t) => {
  for (const token of [refused, json('', 503), json('', 429)]) {
    const { microsoft } = await setUp(t, {}, { token })
    for (let i = 0; i < 20; i++) await microsoft.redeem(codeRequest)
    t.strictSame(microsoft.breaker(), { mode: 'closed' })
  }
})

t.test(
  "outages of different integrations trip it; one integration's, one tenant's and users' refusals do not",
  async (t) => {
    const outage = json('', 503)
    const send = async (microsoft: Awaited<ReturnType<typeof setUp>>['microsoft'], row: string, tenantId = TENANT) => {
      const permit = await microsoft.admit()
      if ('verdict' in permit) return permit
      return microsoft.refresh(
        { refreshToken: `token of ${row}`, scopes: [], account: { tenantId, objectId: OBJECT }, requestId: REQUEST_ID },
        permit,
      )
    }
    const five = ['a', 'b', 'c', 'd', 'e']

    const { microsoft: all } = await setUp(t, {}, { token: outage })
    for (const row of five) await send(all, row)
    t.match(all.breaker(), { mode: 'open', reason: 'microsoft_error' })

    const { microsoft: one } = await setUp(t, {}, { token: outage })
    for (let i = 0; i < 10; i++) await send(one, 'a')
    t.match(one.breaker(), { mode: 'closed' })

    const { microsoft: tenant, far } = await setUp(t)
    await send(tenant, 'z', OTHER_TENANT)
    far.token = outage
    for (const row of five) await send(tenant, row)
    t.match(tenant.breaker(), { mode: 'closed' })

    for (const [number, error] of [
      [53003, 'invalid_grant'],
      [50196, 'invalid_grant'],
      [700016, 'unauthorized_client'],
    ] as const) {
      const { microsoft } = await setUp(t, {}, { token: json(errorBody(number, error), 400) })
      for (const row of five) await send(microsoft, row)
      t.match(microsoft.breaker(), { mode: 'closed' }, `${number}`)
    }
  },
)

t.test('no secret, code or token is in any refusal, nor in what is thrown', async (t) => {
  const echo: Reply = (response, seen) =>
    json(errorBody(53003, 'invalid_grant', {}, JSON.stringify(seen.form)), 400)(response, seen)
  const resetting: Reply = (response) => (response.socket as Socket).resetAndDestroy()
  for (const token of [echo, resetting, refused, json(tokenBody({ expires_in: 'x' })), json(tokenBody())]) {
    const { microsoft } = await setUp(t, {}, { token })
    const results = [
      await microsoft.redeem(codeRequest),
      await microsoft.refresh({ ...refreshRequest, account: { tenantId: TENANT, objectId: TENANT } }, noPermit),
    ]
    for (const result of results) if (result.kind !== 'tokens') t.notMatch(inspect(result, { depth: 9 }), 'canary')
  }
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const pem = String(privateKey.export({ type: 'pkcs8', format: 'pem' }))
  try {
    createMicrosoft({
      ...({} as MicrosoftOptions),
      loginUrl: 'http://x',
      clientId: CLIENT_ID,
      credentials: [{ kind: 'certificate', certificate: 'no pem', privateKey: pem }],
      clock: manualClock(),
      random: fixedRandom(),
    })
    t.fail('a broken certificate is taken')
  } catch (error) {
    t.notMatch(inspect(error), pem.split('\n')[1]!)
  }
})

t.test('closing ends our own connections and leaves a given dispatcher alone', async (t) => {
  const { microsoft: ours } = await setUp(t)
  await ours.close()
  t.match(await ours.refresh(refreshRequest, noPermit), { kind: 'try_later', reason: 'microsoft_unreachable' })
  const dispatcher = new Agent()
  t.teardown(() => dispatcher.close())
  const { microsoft: shared } = await setUp(t, { dispatcher })
  await shared.close()
  t.match(await shared.refresh(refreshRequest, noPermit), { kind: 'tokens' })
})

t.test("administrators are sent to their own tenant, and asked for the cloud's own Graph", async (t) => {
  const url = async (changes: object, tenantId?: string) => {
    const { microsoft } = await setUp(t, changes)
    return new URL(microsoft.adminConsentUrl({ state: 'the state', ...(tenantId !== undefined && { tenantId }) }))
  }
  const global = await url({ loginUrl: 'https://login.microsoftonline.com/' }, TENANT)
  t.equal(global.origin + global.pathname, `https://login.microsoftonline.com/${TENANT}/v2.0/adminconsent`)
  t.strictSame(Object.fromEntries(global.searchParams), {
    client_id: CLIENT_ID,
    redirect_uri: 'https://audits.megsupportools.com/auth/oauth2/microsoft/callback',
    state: 'the state',
    scope: 'https://graph.microsoft.com/User.Read https://graph.microsoft.com/Files.ReadWrite.All',
  })
  t.notMatch(global.search, '+')
  const graphOf: [login: string, graph: string][] = [
    ['https://login.microsoftonline.us', 'https://graph.microsoft.us'],
    ['https://login.partner.microsoftonline.cn', 'https://microsoftgraph.chinacloudapi.cn'],
    ['https://login.chinacloudapi.cn', 'https://microsoftgraph.chinacloudapi.cn'],
  ]
  for (const [loginUrl, graph] of graphOf)
    t.match((await url({ loginUrl })).searchParams.get('scope'), `${graph}/User.Read ${graph}/`)
  const segments: [tenant: string, tenantId: string | undefined, segment: string][] = [
    ['organizations', undefined, 'organizations'],
    ['common', undefined, 'organizations'],
    ['consumers', undefined, 'organizations'],
    ['contoso.com', undefined, 'contoso.com'],
    ['organizations', '../evil', 'organizations'],
    ['common', TENANT, TENANT],
  ]
  for (const [tenant, tenantId, segment] of segments)
    t.equal((await url({ tenant }, tenantId)).pathname, `/${segment}/v2.0/adminconsent`)
})
