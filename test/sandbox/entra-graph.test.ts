import t from 'tap'
import { bench, jane } from './entra-support.ts'

t.test('/me tells the work account’s default members, in order', async (t) => {
  const b = await bench(t.teardown)
  const me = await b.graph('/v1.0/me', (await b.connect()).access_token)
  t.equal(me.status, 200)
  t.equal(me.headers.get('odata-version'), '4.0')
  t.match(me.headers.get('content-type'), 'application/json;odata.metadata=minimal')
  t.same(Object.keys(me.json), [
    '@odata.context',
    'businessPhones',
    'displayName',
    'givenName',
    'jobTitle',
    'mail',
    'mobilePhone',
    'officeLocation',
    'preferredLanguage',
    'surname',
    'userPrincipalName',
    'id',
  ])
  t.match(me.json, { displayName: 'Jane Miller', userPrincipalName: jane })
})

t.test('a personal account’s id is the tail of its oid', async (t) => {
  const b = await bench(t.teardown)
  const { access_token: token } = await b.connect('pat@outlook.example')
  t.match((await b.graph('/v1.0/me', token)).json, { id: '990fceb1639eb15a', userPrincipalName: 'pat@outlook.example' })
  t.match((await b.graph('/v1.0/me/drive', token)).json, { driveType: 'personal' })
})

t.test('files are listed, read and written', async (t) => {
  const b = await bench(t.teardown)
  const { access_token: token } = await b.connect()
  t.match((await b.graph('/v1.0/me/drive', token)).json, { driveType: 'business', quota: { state: 'normal' } })
  const list = (await b.graph('/v1.0/me/drive/root/children', token)).json.value as {
    id: string
    name: string
    size: number
  }[]
  const [first] = list
  const path = `/v1.0/me/drive/items/${first?.id}`
  t.equal((await b.graph(path, token)).json.name, first?.name)
  const content = await b.graph(`${path}/content`, token)
  t.match(content.text, 'Auditor: Jane Miller')
  t.equal(Buffer.byteLength(content.text), first?.size)
  const written = await b.graph(`${path}/content`, token, { method: 'PUT', body: 'Grüße' })
  t.match(written.json, { size: 7, eTag: /,2"$/ })
  t.equal((await b.graph(`${path}/content`, token)).text, 'Grüße')
  t.match((await b.graph('/v1.0/me/drive/items/none', token)).json, { error: { code: 'itemNotFound' } })
  const { access_token: other } = await b.connect('omar@contoso.com')
  t.equal((await b.graph(path, other)).status, 404, 'another user’s file')
})

t.test('401 says in Graph’s words what is wrong with the token', async (t) => {
  const b = await bench(t.teardown)
  const { access_token: token, expires_in: expiresIn, id_token: idToken } = await b.connect()
  const message = async (text: unknown) => {
    const { status, json } = await b.graph('/v1.0/me', text)
    t.equal(status, 401)
    const { error } = json as { error: Record<string, unknown> }
    t.same(Object.keys(error), ['code', 'message', 'innerError'])
    t.equal(error.code, 'InvalidAuthenticationToken')
    t.match(error.innerError, {
      date: /^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d$/,
      'request-id': /-/,
      'client-request-id': /-/,
    })
    return error.message
  }
  t.equal(await message(''), 'Access token is empty.')
  t.equal(await message(idToken), 'Access token validation failure. Invalid audience.')
  t.equal(await message(`${String(token).slice(0, -8)}AAAAAAAA`), 'Access token validation failure. Invalid audience.')
  t.equal(await message('EwBnonsense'), 'Access token validation failure. Invalid audience.')
  b.entra.control.advance(Number(expiresIn) - 1)
  t.equal((await b.graph('/v1.0/me', token)).status, 200)
  b.entra.control.advance(1)
  t.equal(await message(token), 'Lifetime validation failed, the token is expired.')
  const { access_token: next } = await b.connect()
  b.entra.control.expireAccessTokens()
  t.equal(await message(next), 'Lifetime validation failed, the token is expired.')
  t.equal((await b.graph('/v1.0/me', (await b.connect()).access_token)).status, 200)
})

t.test('a missing permission is 403, also when it was withheld from an approved account', async (t) => {
  const b = await bench(t.teardown)
  const profile = await b.connect(jane, { scope: 'openid User.Read' })
  const refused = await b.graph('/v1.0/me/drive', profile.access_token)
  t.equal(refused.status, 403)
  t.match(refused.json, { error: { code: 'accessDenied' } })
  const reader = await b.connect('omar@contoso.com', { scope: 'openid Files.Read' })
  t.match((await b.graph('/v1.0/me', reader.access_token)).json, { error: { code: 'Authorization_RequestDenied' } })
  const [file] = (await b.graph('/v1.0/me/drive/root/children', reader.access_token)).json.value as { id: string }[]
  t.equal(
    (await b.graph(`/v1.0/me/drive/items/${file?.id}/content`, reader.access_token, { method: 'PUT', body: 'x' }))
      .status,
    403,
  )
  const sam = await b.connect('sam@fabrikam.com')
  t.notMatch(sam.scope, 'Files')
  t.equal((await b.graph('/v1.0/me/drive', sam.access_token)).status, 403)
})

t.test('revoking sessions at Graph ends refresh tokens, and challenges clients that understand it', async (t) => {
  const b = await bench(t.teardown)
  const scope = 'openid offline_access User.Read User.RevokeSessions.All'
  const plain = await b.connect(jane, { scope })
  const cp1 = (
    await b.refresh(plain.refresh_token, { claims: '{"access_token":{"xms_cc":{"values":["cp1"]}}}', scope })
  ).json
  const done = await b.graph('/v1.0/me/revokeSignInSessions', plain.access_token, { method: 'POST', body: '' })
  t.same(done.json, { '@odata.context': 'https://graph.microsoft.com/v1.0/$metadata#Edm.Boolean', value: true })
  t.match((await b.refresh(plain.refresh_token, { scope })).json, { error_codes: [50173] })
  t.equal((await b.graph('/v1.0/me', plain.access_token)).status, 200, 'without cp1 the access token lives on')
  const challenged = await b.graph('/v1.0/me', cp1.access_token)
  t.equal(challenged.status, 401)
  const header = challenged.headers.get('www-authenticate') ?? ''
  t.match(header, /^Bearer realm="", authorization_uri=".*", error="insufficient_claims", claims="/)
  const claims = JSON.parse(Buffer.from(/claims="([^"]+)"/.exec(header)?.[1] ?? '', 'base64').toString())
  t.match(claims, { access_token: { nbf: { essential: true, value: '1772442331' } } })
})

t.test(
  'a disabled user, and a place that is not allowed, challenge tokens with cp1 at once and no others',
  async (t) => {
    const b = await bench(t.teardown)
    const { control } = b.entra
    const plain = await b.connect()
    const refresh = async (asked: object) => {
      const answer = await b.refresh(plain.refresh_token, { claims: JSON.stringify(asked) })
      return answer.json
    }
    const capable = { xms_cc: { values: ['cp1'] } }
    const { access_token: cp1 } = await refresh({ access_token: capable })
    const me = (token: unknown) => b.graph('/v1.0/me', String(token))
    const claimsOf = ({ headers }: Awaited<ReturnType<typeof me>>) =>
      JSON.parse(
        Buffer.from(/claims="([^"]+)"/.exec(headers.get('www-authenticate') ?? '')?.[1] ?? '', 'base64').toString(),
      ) as { access_token: { nbf?: object; xms_rp_ipaddr?: { value: string } } }

    control.disableUser({ account: jane })
    const disabled = await me(cp1)
    t.equal(disabled.status, 401)
    t.match(claimsOf(disabled), { access_token: { nbf: { essential: true, value: /^\d+$/ } } })
    t.equal((await me(plain.access_token)).status, 200)
    t.match(await refresh({}), { error: 'invalid_grant', error_codes: [50057] })
    control.enableUser({ account: jane })
    t.equal((await me(cp1)).status, 200)

    const place = { account: jane, allowed: ['192.0.2.10'], graphSees: '198.51.100.7' }
    control.network(place)
    const elsewhere = claimsOf(await me(cp1))
    t.match(elsewhere, { access_token: { nbf: { essential: true }, xms_rp_ipaddr: { value: '198.51.100.7' } } })
    t.equal((await me(plain.access_token)).status, 200)
    const again = await refresh({ access_token: capable })
    t.equal((await me(again.access_token)).status, 401, 'a new token alone does not help')
    const hour = await refresh({ access_token: { ...elsewhere.access_token, ...capable } })
    t.equal(hour.expires_in, 3600)
    t.equal((await me(hour.access_token)).status, 200)
    control.network({ ...place, strict: true })
    t.match(await refresh({ access_token: { ...elsewhere.access_token, ...capable } }), { error_codes: [53003] })
    control.network({ ...place, signInSees: '203.0.113.5' })
    t.match(await refresh({ access_token: capable }), { error_codes: [53003] }, 'the sign-in sees another place too')
    control.network({ account: jane })
    t.equal((await me(cp1)).status, 200)
  },
)

t.test('Graph’s own knobs: licence, challenge, status', async (t) => {
  const b = await bench(t.teardown)
  const { access_token: token } = await b.connect()
  b.entra.control.misbehave('no_spo_licence', true)
  const drive = await b.graph('/v1.0/me/drive', token)
  t.equal(drive.status, 400)
  t.match(drive.json, { error: { code: 'BadRequest', message: 'Tenant does not have a SPO license.' } })
  t.equal((await b.graph('/v1.0/me', token)).status, 200)
  b.entra.control.misbehave('cae_challenge', true, { account: jane, times: 1 })
  t.match((await b.graph('/v1.0/me', token)).headers.get('www-authenticate'), 'insufficient_claims')
  b.entra.control.misbehave('graph_status', 429, { times: 1 })
  t.equal((await b.graph('/v1.0/me', token)).headers.get('retry-after'), '10')
  t.equal((await b.graph('/v1.0/me', token)).status, 200)
})
