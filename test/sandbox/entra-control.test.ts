import t from 'tap'
import { refuseRealHosts, startEntra } from '../../sandbox/entra/main.ts'
import { crowd } from '../../sandbox/entra/accounts.ts'
import { bench, jane, read } from './entra-support.ts'
import type { Bench } from './entra-support.ts'

function http(b: Bench) {
  return {
    get: async (path: string) => read(await fetch(`${b.entra.controlUrl}${path}`)),
    post: async (order: string, body: object = {}) =>
      read(
        await fetch(`${b.entra.controlUrl}/control/${order}`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify(body),
        }),
      ),
  }
}

t.test('every token request is counted by grant, account and outcome, and no secret is kept', async (t) => {
  const b = await bench(t.teardown)
  const tokens = await b.connect()
  await b.refresh(tokens.refresh_token)
  await b.refresh('garbage')
  b.entra.control.misbehave('throttle', 5, { times: 1 })
  const again = { grant_type: 'refresh_token', refresh_token: String(tokens.refresh_token) }
  await b.post(again, { headers: { 'client-request-id': 'not-a-guid' } })
  const counts = b.entra.control.tokenRequests()
  t.match(counts, {
    total: 4,
    byGrant: { authorization_code: 1, refresh_token: 3 },
    byAccount: { [jane]: 3 },
    byOutcome: { tokens: 2, AADSTS9002313: 1, throttled: 1 },
  })
  t.same(counts.recent[0]?.fields, [
    'client_id',
    'client_secret',
    'grant_type',
    'code',
    'redirect_uri',
    'code_verifier',
  ])
  t.equal(counts.recent[3]?.headers['client-request-id'], 'not-a-guid')
  const text = JSON.stringify([counts, b.entra.control.state()])
  for (const secret of [b.entra.clientSecret, b.verifier, tokens.refresh_token, tokens.access_token]) {
    t.notOk(text.includes(String(secret)))
  }
  b.entra.control.resetCounters()
  t.match(b.entra.control.tokenRequests(), { total: 0, byGrant: {}, recent: [] })
})

t.test('held requests are counted and undecided until released', async (t) => {
  const b = await bench(t.teardown)
  const { control } = b.entra
  const token = control.issueRefreshToken({ account: jane })
  control.hold()
  const both = Promise.all([b.refresh(token), b.refresh(token)])
  await control.held(2)
  t.equal(control.tokenRequests().total, 2)
  t.same(
    control.tokenRequests().recent.map((request) => request.outcome),
    ['pending', 'pending'],
  )
  control.revokeSessions({ account: jane })
  control.release()
  t.same(
    (await both).map((answer) => answer.json.error_codes),
    [[50173], [50173]],
    'decided after the release',
  )
  t.equal((await b.refresh(control.issueRefreshToken({ account: jane }))).status, 200, 'the gate stays open')
})

t.test('requests held after the answer have their tokens rotated already', async (t) => {
  const b = await bench(t.teardown)
  const { control } = b.entra
  const token = control.issueRefreshToken({ account: jane })
  control.configure({ rotation: 'strict' })
  control.holdAfter()
  const held = b.refresh(token)
  await control.held()
  t.equal(control.tokenRequests().recent[0]?.outcome, 'tokens')
  const second = b.refresh(token)
  await control.held(2)
  control.release()
  t.equal((await held).status, 200)
  t.match((await second).json, { error_codes: [70000] })
})

t.test('close ends requests that wait or hang', async (t) => {
  const entra = await startEntra()
  entra.control.misbehave('hang', true)
  const hanging = t.rejects(
    fetch(`${entra.url}/common/oauth2/v2.0/token`, { method: 'POST', body: 'grant_type=refresh_token' }),
  )
  while (entra.control.state().gates.hanging === 0) await new Promise(setImmediate)
  await entra.close()
  await hanging
})

t.test('signIn, decline and needAdminApproval go the way of the pages', async (t) => {
  const b = await bench(t.teardown)
  const { control } = b.entra
  const authorizeUrl = b.authorizeUrl()
  t.throws(() => control.signIn({ account: 'dora@contoso.com', authorizeUrl }), { code: 50057 })
  t.throws(() => control.signIn({ account: 'nora@northwind.com', authorizeUrl }), { code: 90094 })
  const changed = (changes: Record<string, string>) => () =>
    control.signIn({ account: jane, authorizeUrl: b.authorizeUrl(changes) })
  t.throws(changed({ redirect_uri: 'https://evil.example' }), { code: 50011 })
  t.throws(changed({ code_challenge: 'short' }), { code: 501491 })
  t.throws(() => control.signIn({ account: 'nobody', authorizeUrl }), /no account "nobody"/)
  t.throws(() => control.signIn({ account: jane, authorizeUrl: 'https://example.com' }), /authorizeUrl/)
  t.match(control.decline({ account: jane, authorizeUrl }), /\?error=access_denied&error_subcode=cancel&state=st4te#$/)
  t.match(control.needAdminApproval({ authorizeUrl }), /error_subcode=cancel&error_description=AADSTS65004/)
  const outage = control.refuseSignIn({ authorizeUrl, aadsts: 90033, error: 'server_error' })
  t.match(outage, /\?error=server_error&error_description=AADSTS90033/)
  control.adminConsent({ account: 'adele@northwind.com' })
  t.ok(control.signIn({ account: 'nora@northwind.com', authorizeUrl }))
})

t.test('the same orders are taken over HTTP, on a port of its own', async (t) => {
  const b = await bench(t.teardown)
  const { get, post } = http(b)
  t.not(b.entra.controlUrl, b.entra.url)
  t.equal((await fetch(`${b.entra.url}/control`)).status, 404, 'not on the protocol’s port')
  const { json: signed } = await post('sign-in', { account: jane, authorizeUrl: b.authorizeUrl() })
  const tokens = (await b.redeem(String(signed.callbackUrl))).json
  t.equal((await post('misbehave', { knob: 'aadsts', value: 50076, account: jane, times: 1 })).status, 200)
  const { json: state } = await get('/control')
  t.match(state, {
    simulated: true,
    seed: 1,
    settings: { rotation: 'entra' },
    knobs: { aadsts: [{ value: 50076, account: jane, times: 1 }], latency: [] },
  })
  t.match((await b.refresh(tokens.refresh_token)).json, { error_codes: [50076] })
  t.equal((await post('configure', { rotation: 'strict', lifetime: 600 })).status, 200)
  t.equal((await b.refresh(tokens.refresh_token)).json.expires_in, 600)
  await post('advance', { seconds: 600 })
  t.match((await get('/control')).json, { now: '2026-03-02T09:15:31.000Z' })
  t.match((await get('/control/token-requests')).json, { total: 3, byOutcome: { AADSTS50076: 1 } })
  await post('hold')
  const waiting = b.refresh((await post('issue-refresh-token', { account: jane })).json.refreshToken)
  t.equal((await post('held', { count: 1 })).status, 200)
  await post('release')
  t.equal((await waiting).status, 200)
})

t.test('a wrong order over HTTP is refused with what was expected', async (t) => {
  const { get, post } = http(await bench(t.teardown))
  const refused = async (order: string, body: object) => {
    const { status, json } = await post(order, body)
    return [status, json.error]
  }
  const unknownField = 'misbehave has no field "time"; it has knob, value, account, times, rate'
  t.same(await refused('misbehave', { knob: 'reset', value: true, time: 1 }), [400, unknownField])
  t.match(await refused('misbehave', { knob: 'x', value: 1 }), [400, /^no knob "x"/])
  t.match(await refused('sign-in', {}), [400, /authorizeUrl/])
  t.match(await refused('advance', {}), [400, /seconds/])
  t.match(await refused('configure-app', { certificates: ['x'] }), [400, /PEM/])
  t.match(await refused('toString', {}), [404, /no order/])
  t.ok(((await get('/control')).json.orders as unknown[]).length > 15)
})

t.test('it starts only on loopback and never beside the real Microsoft', async (t) => {
  await t.rejects(startEntra({ host: '0.0.0.0' }), /loopback only/)
  const hosts = [
    'login.microsoftonline.com',
    'login.microsoftonline.us',
    'login.partner.microsoftonline.cn',
    'login.windows.net',
    'LOGIN.MICROSOFT.COM',
  ]
  for (const host of hosts) {
    t.throws(() => refuseRealHosts({ MICROSOFT_LOGIN_URL: `https://${host}` }), /names the real/)
  }
  t.throws(() => refuseRealHosts({ MICROSOFT_GRAPH_URL: 'https://graph.microsoft.com/v1.0' }), /MICROSOFT_GRAPH_URL/)
  t.doesNotThrow(() => refuseRealHosts({ MICROSOFT_LOGIN_URL: 'http://127.0.0.1:9400' }))
  t.doesNotThrow(() => refuseRealHosts({ MICROSOFT_LOGIN_URL: 'https://notmicrosoftonline.com.example' }))
})

t.test('a crowd of accounts can be connected without a browser, and the picker stays short', async (t) => {
  const b = await bench(t.teardown, { accounts: crowd(500) })
  const token = b.entra.control.issueRefreshToken({ account: 'user499@contoso.com' })
  t.equal((await b.refresh(token)).status, 200)
  const page = await (await fetch(b.authorizeUrl())).text()
  t.equal(page.match(/id="account-/g)?.length, 12)
})
