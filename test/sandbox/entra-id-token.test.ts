import t from 'tap'
import { createPublicKey, verify, X509Certificate } from 'node:crypto'
import type { JsonWebKey } from 'node:crypto'
import { bench, jane, openJwt, read, start } from './entra-support.ts'
import type { Bench } from './entra-support.ts'

type Key = JsonWebKey & { kid: string; issuer: string; x5c: string[] }

async function keys(b: Bench): Promise<Key[]> {
  return ((await (await fetch(`${b.entra.url}/common/discovery/v2.0/keys`)).json()) as { keys: Key[] }).keys
}

function signed(token: unknown, published: Key[]): Key | undefined {
  const [head, body, signature = ''] = String(token).split('.')
  const key = published.find((entry) => entry.kid === openJwt(token).header.kid)
  if (!key) return undefined
  const publicKey = createPublicKey({ key, format: 'jwk' })
  return verify('sha256', Buffer.from(`${head}.${body}`), publicKey, Buffer.from(signature, 'base64url'))
    ? key
    : undefined
}

t.test('discovery has Microsoft’s members in its order, and lacks what it lacks', async (t) => {
  const b = await bench(t.teardown)
  const get = async (tenant: string) =>
    read(await fetch(`${b.entra.url}/${tenant}/v2.0/.well-known/openid-configuration`))
  const common = await get('common')
  t.equal(common.headers.get('cache-control'), 'max-age=86400, private')
  t.same(Object.keys(common.json).slice(0, 4), [
    'token_endpoint',
    'token_endpoint_auth_methods_supported',
    'jwks_uri',
    'response_modes_supported',
  ])
  t.equal(common.json.issuer, `${b.entra.url}/{tenantid}/v2.0`)
  for (const absent of [
    'revocation_endpoint',
    'introspection_endpoint',
    'code_challenge_methods_supported',
    'authorization_response_iss_parameter_supported',
  ])
    t.notOk(absent in common.json, absent)
  const contoso = 'c0470500-0000-4000-8000-00000c047050'
  const byDomain = await get('Contoso.com')
  t.equal(byDomain.json.issuer, `${b.entra.url}/${contoso}/v2.0`)
  t.equal(byDomain.json.token_endpoint, `${b.entra.url}/${contoso}/oauth2/v2.0/token`)
  t.equal((await get('consumers')).json.issuer, `${b.entra.url}/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0`)
  const unknown = await get('nowhere.example')
  t.equal(unknown.status, 400)
  t.match(unknown.json, { error: 'invalid_tenant', error_codes: [90002] })
})

t.test('id tokens are signed by a published key and backdated by five minutes', async (t) => {
  const b = await bench(t.teardown)
  const token = (await b.connect(jane, { scope: 'openid profile email offline_access User.Read' })).id_token
  const published = await keys(b)
  const key = signed(token, published)
  t.equal(key?.issuer, `${b.entra.url}/{tenantid}/v2.0`)
  t.ok(new X509Certificate(Buffer.from(key?.x5c[0] ?? '', 'base64')).publicKey, 'x5c is a certificate')
  const { payload } = openJwt(token)
  t.match(payload, {
    aud: b.entra.clientId,
    iss: `${b.entra.url}/${String(payload.tid)}/v2.0`,
    iat: start / 1000 - 300,
    nbf: start / 1000 - 300,
    exp: start / 1000 + 3600,
    name: 'Jane Miller',
    nonce: 'n0nce',
    preferred_username: jane,
    email: jane,
    ver: '2.0',
  })
  const personal = signed((await b.connect('pat@outlook.example')).id_token, published)
  t.equal(
    personal?.issuer,
    `${b.entra.url}/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0`,
    'personal accounts have a key of their own',
  )
})

t.test('a refresh’s id token has no nonce, and without profile there is no oid', async (t) => {
  const b = await bench(t.teardown)
  const { refresh_token: token } = await b.connect()
  const { payload } = openJwt((await b.refresh(token)).json.id_token)
  t.notOk('nonce' in payload)
  t.ok(payload.oid)
  t.notOk('oid' in openJwt((await b.refresh(token, { scope: 'openid User.Read' })).json.id_token).payload)
  b.entra.control.advance(61)
  const later = openJwt((await b.refresh(token)).json.id_token).payload
  t.equal(later.iat, start / 1000 - 300 + 61, 'not reused for more than a minute')
})

t.test('keys roll: new tokens by a new key, the old one published or dropped', async (t) => {
  const b = await bench(t.teardown)
  const before = (await b.connect()).id_token
  b.entra.control.rollKeys()
  const after = (await b.connect()).id_token
  t.not(openJwt(after).header.kid, openJwt(before).header.kid)
  t.ok(signed(before, await keys(b)))
  t.ok(signed(after, await keys(b)))
  b.entra.control.rollKeys({ drop: true })
  t.notOk(signed(after, await keys(b)))
  t.ok(signed((await b.connect()).id_token, await keys(b)))
})

t.test('every wrong id token is wrong in just its way', async (t) => {
  const b = await bench(t.teardown)
  const good = openJwt((await b.connect()).id_token)
  const published = await keys(b)
  const wrong = async (fault: Parameters<typeof b.entra.control.misbehave<'id_token'>>[1]) => {
    b.entra.control.misbehave('id_token', fault, { times: 1 })
    return (await b.connect()).id_token
  }
  t.equal(await wrong('missing'), undefined)
  t.equal(await wrong('garbage'), 'not.a.token')
  const none = await wrong('alg_none')
  t.equal(openJwt(none).header.alg, 'none')
  t.match(none, /\.$/)
  t.notOk(signed(await wrong('bad_signature'), published))
  const unknown = await wrong('unknown_key')
  t.notOk(published.some((key) => key.kid === openJwt(unknown).header.kid))
  for (const [fault, claim] of [
    ['wrong_aud', 'aud'],
    ['wrong_iss', 'iss'],
    ['wrong_nonce', 'nonce'],
    ['wrong_oid', 'oid'],
    ['wrong_tid', 'tid'],
  ] as const) {
    const token = await wrong(fault)
    t.ok(signed(token, published), `${fault} is well signed`)
    t.not(openJwt(token).payload[claim], good.payload[claim], fault)
  }
  t.notOk('nonce' in openJwt(await wrong('no_nonce')).payload)
  t.ok(Number(openJwt(await wrong('expired')).payload.exp) < start / 1000)
  t.ok(Number(openJwt(await wrong('not_yet_valid')).payload.nbf) > start / 1000)
  t.equal(openJwt((await b.connect()).id_token).payload.nonce, 'n0nce', 'and then good again')
})
