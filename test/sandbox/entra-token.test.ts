import t from 'tap'
import { bench, jane, openJwt, redirectUri, start } from './entra-support.ts'

const members = ['token_type', 'scope', 'expires_in', 'ext_expires_in', 'access_token', 'refresh_token', 'id_token']

t.test('a code yields tokens in Microsoft’s order, with its headers and sizes', async (t) => {
  const b = await bench(t.teardown)
  const answer = await b.redeem(b.entra.control.signIn({ account: jane, authorizeUrl: b.authorizeUrl() }))
  t.equal(answer.status, 200)
  t.same(Object.keys(answer.json), members)
  t.equal(answer.headers.get('cache-control'), 'no-store, no-cache')
  t.equal(answer.headers.get('content-type'), 'application/json; charset=utf-8')
  t.equal(answer.headers.get('x-ms-clitelem'), '1,0,0,,')
  t.match(answer.headers.get('x-ms-request-id'), /^[0-9a-f-]{36}$/)
  const { access_token: access, refresh_token: refresh, expires_in: expiresIn } = answer.json
  t.ok(String(access).length > 2000 && String(access).length < 3000)
  t.match(refresh, /^1\.A[\w.-]{1000,1400}$/)
  t.type(expiresIn, 'number')
  t.ok(Number(expiresIn) >= 3600 && Number(expiresIn) < 5400)
  t.equal(answer.json.ext_expires_in, expiresIn)
  const back = openJwt(access).payload
  t.equal(back.scp, 'User.Read Files.ReadWrite.All openid profile email')
  t.ok(back.xms_simulated)
})

t.test('scopes come back shuffled by the seed, with openid profile email and without offline_access', async (t) => {
  const b = await bench(t.teardown)
  const short = String((await b.connect()).scope)
  t.same(short.split(' ').toSorted(), ['Files.ReadWrite.All', 'User.Read', 'email', 'openid', 'profile'])
  const full = await b.connect(jane, { scope: 'offline_access https://graph.microsoft.com/User.Read' })
  t.same(
    String(full.scope).split(' ').toSorted(),
    [
      'email',
      'https://graph.microsoft.com/Files.ReadWrite.All',
      'https://graph.microsoft.com/User.Read',
      'openid',
      'profile',
    ],
    'full names as asked, and what was approved before comes too',
  )
  t.notOk('id_token' in full, 'no openid, no id token')
  const again = await bench(t.teardown)
  t.equal((await again.connect()).scope, short, 'the same seed gives the same order')
  const other = await bench(t.teardown, { seed: 5 })
  t.not((await other.connect()).expires_in, (await again.connect()).expires_in)
})

t.test('without offline_access there is no refresh token, and client_info comes only when asked', async (t) => {
  const b = await bench(t.teardown)
  t.notOk('refresh_token' in (await b.connect(jane, { scope: 'openid User.Read' })))
  const tokens = await b.connect()
  t.notOk('refresh_token' in (await b.refresh(tokens.refresh_token, { scope: 'openid User.Read' })).json)
  const asked = await b.refresh(tokens.refresh_token, { client_info: '1' })
  t.same(Object.keys(asked.json), [...members, 'client_info'])
  t.match(JSON.parse(Buffer.from(String(asked.json.client_info), 'base64url').toString()), {
    uid: /^1a5e/,
    utid: /^c0470500/,
  })
})

t.test('an error has Microsoft’s members, one trace id and the client’s correlation id', async (t) => {
  const b = await bench(t.teardown)
  const id = '14bf9e4f-0000-4000-8000-00000000c0de'
  const answer = await b.post(
    { grant_type: 'refresh_token', refresh_token: 'garbage' },
    { headers: { 'client-request-id': id } },
  )
  t.equal(answer.status, 400)
  t.same(Object.keys(answer.json), [
    'error',
    'error_description',
    'error_codes',
    'timestamp',
    'trace_id',
    'correlation_id',
    'error_uri',
    'suberror',
  ])
  const { trace_id: trace } = answer.json
  t.equal(answer.headers.get('x-ms-request-id'), trace)
  t.equal(answer.headers.get('x-ms-clitelem'), '1,9002313,0,,')
  t.equal(
    answer.json.error_description,
    'AADSTS9002313: Invalid request. Request is malformed or invalid. ' +
      `Trace ID: ${String(trace)} Correlation ID: ${id} Timestamp: 2026-03-02 09:05:31Z`,
  )
  t.match(answer.json, {
    error: 'invalid_grant',
    error_codes: [9002313],
    timestamp: '2026-03-02 09:05:31Z',
    suberror: 'bad_token',
  })
})

t.test('a code is good once, for ten minutes, on its path, with its redirect URI and verifier', async (t) => {
  const b = await bench(t.teardown)
  const signIn = () => b.entra.control.signIn({ account: jane, authorizeUrl: b.authorizeUrl() })
  const refused = async (callback: string, changes: Record<string, string>, tenant?: string) => {
    const { status, json } = await b.redeem(callback, changes, tenant)
    return [status, json.error, ...(json.error_codes as number[])]
  }
  const callback = signIn()
  t.same(await refused(callback, {}, 'common'), [400, 'invalid_grant', 700005])
  t.same(await refused(callback, { redirect_uri: `${redirectUri}/` }), [401, 'invalid_client', 500112])
  t.same(await refused(callback, { code_verifier: 'x'.repeat(43) }), [400, 'invalid_grant', 501481])
  t.same(await refused(callback, { code: 'nonsense' }), [400, 'invalid_grant', 9002313])
  t.equal((await b.redeem(callback)).status, 200)
  t.same(await refused(callback, {}), [400, 'invalid_grant', 54005])
  const late = signIn()
  b.entra.control.advance(599)
  t.equal((await b.redeem(late)).status, 200)
  const tooLate = signIn()
  b.entra.control.advance(600)
  t.same(await refused(tooLate, {}), [400, 'invalid_grant', 70008])
  const unprotected = b.entra.control.signIn({
    account: jane,
    authorizeUrl: b.authorizeUrl({ code_challenge: undefined }),
  })
  t.same(await refused(unprotected, {}), [400, 'invalid_grant', 501481], 'a verifier without a challenge')
})

t.test('a used refresh token stays good, and 90 days of rest end it', async (t) => {
  const b = await bench(t.teardown)
  const { refresh_token: first } = await b.connect()
  const second = (await b.refresh(first)).json.refresh_token
  t.not(second, first)
  t.equal((await b.refresh(first)).status, 200)
  b.entra.control.advance(89 * 86400)
  const third = (await b.refresh(second)).json.refresh_token
  b.entra.control.advance(86400)
  t.match((await b.refresh(first)).json, {
    error: 'invalid_grant',
    error_codes: [700082],
    error_description: /inactive for 90\.00:00:00/,
  })
  b.entra.control.advance(88 * 86400)
  t.equal((await b.refresh(third)).status, 200)
})

t.test('rotation can be strict, or return nothing new', async (t) => {
  const b = await bench(t.teardown)
  const { refresh_token: first } = await b.connect()
  b.entra.control.configure({ rotation: 'none_returned' })
  t.notOk('refresh_token' in (await b.refresh(first)).json)
  b.entra.control.advance(89 * 86400)
  t.equal((await b.refresh(first)).status, 200)
  b.entra.control.advance(89 * 86400)
  t.equal((await b.refresh(first)).status, 200, 'use moves the 90 days on')
  b.entra.control.configure({ rotation: 'strict' })
  const second = (await b.refresh(first)).json.refresh_token
  t.match((await b.refresh(first)).json, { error: 'invalid_grant', error_codes: [70000], suberror: 'bad_token' })
  t.equal((await b.refresh(second)).status, 200)
})

t.test('revoked sessions end earlier refresh tokens and codes, even while the clock stands still', async (t) => {
  const b = await bench(t.teardown)
  const { refresh_token: token } = await b.connect()
  const callback = b.entra.control.signIn({ account: jane, authorizeUrl: b.authorizeUrl() })
  b.entra.control.revokeSessions({ account: jane })
  t.match((await b.refresh(token)).json, {
    error: 'invalid_grant',
    error_codes: [50173],
    suberror: 'bad_token',
    error_description: /'2026-03-02T09:05:31\.0000000Z'/,
  })
  t.match((await b.redeem(callback)).json, { error_codes: [50173] })
  t.equal((await b.refresh((await b.connect()).refresh_token)).status, 200)
})

t.test('withdrawn consent ends refreshing until it is given again', async (t) => {
  const b = await bench(t.teardown)
  const work = (await b.connect()).refresh_token
  const personal = (await b.connect('pat@outlook.example')).refresh_token
  b.entra.control.forgetConsent({ account: jane })
  b.entra.control.forgetConsent({ account: 'pat@outlook.example' })
  t.match((await b.refresh(work)).json, { error: 'invalid_grant', suberror: 'consent_required', error_codes: [65001] })
  t.match((await b.refresh(personal, {}, 'common')).json, { error: 'invalid_grant', error_codes: [70000] })
  await b.connect()
  t.equal((await b.refresh(work)).status, 200)
  const more = await b.refresh(work, { scope: 'openid Mail.Read' })
  t.match(more.json, { error_codes: [65001] }, 'what was never approved is refused')
})

t.test('a refresh token outlives the simulator when the seed is the same', async (t) => {
  const token = (await (await bench(t.teardown, { seed: 7 })).connect()).refresh_token
  t.equal((await (await bench(t.teardown, { seed: 7 })).refresh(token)).status, 200)
  t.match((await (await bench(t.teardown, { seed: 8 })).refresh(token)).json, { error_codes: [9002313] })
})

t.test('personal accounts get opaque tokens and Microsoft’s personal tenant', async (t) => {
  const b = await bench(t.teardown)
  const tokens = await b.connect('pat@outlook.example')
  t.match(tokens.access_token, /^EwB[A-Za-z0-9+/]+=*$/)
  t.ok(String(tokens.access_token).length < 1400)
  t.match(tokens.refresh_token, /^M\.C544_BAY\.0\.U\.-[\w*!$.-]{350,450}$/)
  t.notMatch(tokens.scope, /openid|email/)
  t.match(openJwt(tokens.id_token).payload, {
    tid: '9188040d-6c67-4c5b-b112-36a304b66dad',
    oid: /^00000000-0000-0000-/,
    iss: `${b.entra.url}/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0`,
  })
})

t.test('the request form is read strictly', async (t) => {
  const b = await bench(t.teardown)
  const { refresh_token: token } = await b.connect()
  const good = `client_id=${b.entra.clientId}&grant_type=refresh_token&refresh_token=${encodeURIComponent(String(token))}`
  const secret = `client_secret=${encodeURIComponent(b.entra.clientSecret)}`
  const code = async (body: string, headers = {}) => {
    const { status, json } = await b.post(body, { headers })
    return [status, (json.error_codes as number[] | undefined)?.[0]]
  }
  t.same(await code(`${good}&${secret}`), [200, undefined])
  t.same(await code(`${good}&${secret}%20`), [401, 7000215], 'a space behind the secret is not trimmed')
  t.same(await code(`${good}&${secret}&grant_type=refresh_token`), [400, 9002313], 'a field twice')
  t.same(await code(`${good}&${secret}&x=%zz`), [400, 9002313], 'a bad escape')
  t.same(await code(`${good}&${secret}`, { origin: 'https://app.example' }), [400, 9002326])
  t.same(await code(`${good}&${secret}&resource=x`), [400, 901002])
  t.same(await code(secret), [400, 900144])
  t.same(await code(`${good}&${secret}`.replace('refresh_token&', 'password&')), [400, 70003])
  t.same(await code(`${good}&${secret}`.replace(b.entra.clientId, 'other')), [400, 700016])
  t.equal((await b.refresh(token, {}, 'no-such-tenant')).json.error, 'invalid_request')
  t.match((await b.refresh(token, { scope: 'User.Reed' })).json, { error: 'invalid_scope', error_codes: [70011] })
  const got = await fetch(`${b.entra.url}/common/oauth2/v2.0/token`)
  t.match(await got.json(), { error_codes: [900561] })
})

t.test(
  'requests of one user that repeat within five minutes are refused as a loop if the simulator is set to refuse loops',
  async (t) => {
    const b = await bench(t.teardown)
    const { refresh_token: token } = await b.connect()
    b.entra.control.configure({ loopAfter: 15 })
    for (let i = 0; i < 15; i++) t.equal((await b.refresh(token)).status, 200)
    t.match((await b.refresh(token)).json, { error: 'invalid_grant', error_codes: [50196] })
    b.entra.control.advance(300)
    t.equal((await b.refresh(token)).status, 200)
  },
)

t.test('lifetimes can be set, and cp1 in any case makes them a day, with a hint when to refresh', async (t) => {
  const b = await bench(t.teardown)
  const { refresh_token: token } = await b.connect()
  for (const word of ['cp1', 'CP1']) {
    const claims = JSON.stringify({ access_token: { xms_cc: { values: ['other', word] } } })
    const long = (await b.refresh(token, { claims })).json
    t.ok(Number(long.expires_in) >= 72000, word)
    t.equal(long.refresh_in, Math.floor(Number(long.expires_in) / 2))
  }
  for (const claims of [
    'cp1',
    '{"access_token":{"xms_cc":{"values":"cp1"}}}',
    '{"access_token":{"nbf":{"value":"cp1"}}}',
  ])
    t.match((await b.refresh(token, { claims })).json, { refresh_in: undefined, expires_in: Number }, claims)
  b.entra.control.configure({ lifetime: 60 })
  const { expires_in: expiresIn, access_token: access } = (await b.refresh(token)).json
  t.equal(expiresIn, 60)
  const { iat, nbf, exp } = openJwt(access).payload
  t.same([iat, nbf, exp], [start / 1000 - 300, start / 1000 - 300, start / 1000 + 61])
})

t.test('client-request-id may stand in the header, the query or the form', async (t) => {
  const b = await bench(t.teardown)
  const id = '99999999-0000-4000-8000-000000000003'
  const wrong = new URLSearchParams({ client_id: b.entra.clientId, grant_type: 'refresh_token' }).toString()
  const url = `${b.entra.url}/organizations/oauth2/v2.0/token`
  const headers = { 'content-type': 'application/x-www-form-urlencoded' }
  const ask = async (query: string, body: string, more = {}) =>
    (await (await fetch(url + query, { method: 'POST', body, headers: { ...headers, ...more } })).json()) as object
  t.match(await ask(`?client-request-id=${id}`, wrong), { correlation_id: id })
  t.match(await ask('', `${wrong}&client-request-id=${id}`), { correlation_id: id })
  t.match(await ask('', wrong, { 'client-request-id': id }), { correlation_id: id })
})
