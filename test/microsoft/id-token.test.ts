import { createHmac, createPublicKey, generateKeyPairSync } from 'node:crypto'
import t from 'tap'
import { PERSONAL_TENANT } from '../../src/core/integration.ts'
import {
  ID_TOKEN_PROBLEMS,
  keyIdOf,
  readIdToken,
  readSigningKeys,
  verifyIdToken,
} from '../../src/microsoft/id-token.ts'
import type { IdTokenResult, IdTokenRules, SigningKeys } from '../../src/microsoft/id-token.ts'
import { claims, CLIENT_ID, idToken, jwk, KID, NOW, OBJECT, OTHER_PAIR, OTHER_TENANT, TENANT } from './support.ts'

const LOGIN = 'https://login.microsoftonline.com'
const rules = {
  issuer: `${LOGIN}/{tenantid}/v2.0`,
  clientId: CLIENT_ID,
  tenant: 'organizations',
  allowedTenants: [],
  now: NOW,
  nonce: 'the-nonce',
}
const keys = (extra: object = { issuer: rules.issuer }): SigningKeys =>
  readSigningKeys([jwk('another', OTHER_PAIR.publicKey), jwk(KID, undefined, extra)])!
const account = { tenantId: TENANT, objectId: OBJECT, username: 'jane@contoso.com', displayName: 'Jane Doe' }
const verify = (token: string, changes: Partial<IdTokenRules> & { nonce?: string } = {}, known = keys()) =>
  verifyIdToken(token, { ...rules, ...changes }, known)
const now = NOW / 1000

t.test('a right token names the account', async (t) => {
  t.strictSame(await verify(idToken(claims(LOGIN))), { account })
  t.strictSame(await verify(idToken(claims(LOGIN)), {}, keys({})), { account }, 'a key without an issuer is accepted')
  t.strictSame(
    await verify(idToken(claims(LOGIN, { aud: CLIENT_ID.toUpperCase(), tid: TENANT, oid: OBJECT.toUpperCase() }))),
    { account },
  )
  t.strictSame(await verify(idToken(claims(LOGIN, { azp: CLIENT_ID.toUpperCase() }))), { account }, 'issued to us')
})

t.test('every wrong token is refused with its problem', async (t) => {
  const good = idToken(claims(LOGIN))
  const [header, payload, signature] = good.split('.') as [string, string, string]
  const with_ = (changes: object) => verify(idToken(claims(LOGIN, changes)))
  const b64 = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const publicPem = createPublicKey({ key: jwk(), format: 'jwk' }).export({ type: 'spki', format: 'pem' })
  const hs256 = `${b64({ alg: 'HS256', kid: KID })}.${payload}`
  const cases: [name: string, result: Promise<IdTokenResult>, problem: string][] = [
    ['empty', verify(''), 'malformed'],
    ['two parts', verify(`${header}.${payload}`), 'malformed'],
    ['four parts', verify(`${good}.x`), 'malformed'],
    ['no signature', verify(`${header}.${payload}.`), 'signature'],
    ['padding in the signature', verify(`${good}=`), 'malformed'],
    ['header is no JSON', verify(`abc.${payload}.${signature}`), 'malformed'],
    ['alg none', verify(`${b64({ alg: 'none', kid: KID })}.${payload}.${signature}`), 'algorithm'],
    [
      'public key as HMAC secret',
      verify(`${hs256}.${createHmac('sha256', publicPem).update(hs256).digest('base64url')}`),
      'algorithm',
    ],
    ['lower-case alg', verify(idToken(claims(LOGIN), { alg: 'rs256' })), 'algorithm'],
    ['crit', verify(idToken(claims(LOGIN), { crit: ['x'] })), 'algorithm'],
    ['unknown kid', verify(idToken(claims(LOGIN), { kid: 'other' })), 'unknown_key'],
    ['no kid', verify(idToken(claims(LOGIN), { kid: undefined })), 'unknown_key'],
    ['kid of the prototype', verify(idToken(claims(LOGIN), { kid: '__proto__' })), 'unknown_key'],
    ['signed by another key', verify(idToken(claims(LOGIN), {}, OTHER_PAIR.privateKey)), 'signature'],
    ['payload changed', verify(`${header}.${b64(claims(LOGIN, { oid: TENANT }))}.${signature}`), 'signature'],
    [
      "key of the personal accounts' issuer",
      verify(good, {}, keys({ issuer: `${LOGIN}/${PERSONAL_TENANT}/v2.0` })),
      'key_issuer',
    ],
    ['issuer of another tenant', with_({ iss: `${LOGIN}/${OTHER_TENANT}/v2.0` }), 'issuer'],
    ['issuer of another host', with_({ iss: `https://evil.example/${TENANT}/v2.0` }), 'issuer'],
    ['issuer left as template', with_({ iss: rules.issuer }), 'issuer'],
    ['v1 issuer', with_({ iss: `https://sts.windows.net/${TENANT}/` }), 'issuer'],
    ['issuer missing', with_({ iss: undefined }), 'issuer'],
    ['audience of another application', with_({ aud: TENANT }), 'audience'],
    ['audience as a list', with_({ aud: [CLIENT_ID] }), 'audience'],
    ['audience missing', with_({ aud: undefined }), 'audience'],
    ['issued to another application', with_({ azp: TENANT }), 'authorized_party'],
    ['azp as a list', with_({ azp: [CLIENT_ID] }), 'authorized_party'],
    ['expired', with_({ exp: now - 301 }), 'expired'],
    ['exp as text', with_({ exp: String(now + 3600) }), 'expired'],
    ['exp missing', with_({ exp: undefined }), 'expired'],
    ['not yet valid', with_({ nbf: now + 301 }), 'not_yet_valid'],
    ['nbf as text', with_({ nbf: 'x' }), 'not_yet_valid'],
    ['another nonce', with_({ nonce: 'other' }), 'nonce'],
    ['no nonce', with_({ nonce: undefined }), 'nonce'],
    ['no tid', with_({ tid: undefined }), 'tenant'],
    ['tid is a domain', with_({ tid: 'contoso.com', iss: `${LOGIN}/contoso.com/v2.0` }), 'tenant'],
    ['no oid', with_({ oid: undefined }), 'object'],
    ['oid is an address', with_({ oid: 'jane@contoso.com' }), 'object'],
    ['tenant not in the list', verify(good, { allowedTenants: [OTHER_TENANT] }), 'tenant_not_allowed'],
    ['another tenant than the configured one', verify(good, { tenant: OTHER_TENANT }), 'tenant_not_allowed'],
    ['work account where only personal ones', verify(good, { tenant: 'consumers' }), 'account_type_not_allowed'],
    [
      'personal account where only work ones',
      with_({ tid: PERSONAL_TENANT, iss: `${LOGIN}/${PERSONAL_TENANT}/v2.0` }),
      'account_type_not_allowed',
    ],
  ]
  for (const [name, result, problem] of cases) t.strictSame(await result, { problem }, name)
  const seen = new Set([...cases.map(([, , problem]) => problem), 'missing'])
  t.strictSame(seen, new Set(ID_TOKEN_PROBLEMS), 'every problem of the list is shown')
})

t.test('clocks may differ by five minutes', async (t) => {
  t.match(await verify(idToken(claims(LOGIN, { exp: now - 299 }))), { account })
  t.match(await verify(idToken(claims(LOGIN, { nbf: now + 299 }))), { account })
})

t.test('tenants: allowed ones, a fixed issuer, any', async (t) => {
  const token = idToken(claims(LOGIN))
  t.match(await verify(token, { allowedTenants: [OTHER_TENANT, TENANT.toUpperCase()] }), { account })
  t.match(await verify(token, { tenant: TENANT.toUpperCase() }), { account })
  t.match(await verify(token, { tenant: 'contoso.com', issuer: `${LOGIN}/${TENANT}/v2.0` }), { account })
  t.strictSame(await verify(token, { tenant: 'fabrikam.com', issuer: `${LOGIN}/${OTHER_TENANT}/v2.0` }), {
    problem: 'issuer',
  })
  const personal = idToken(claims(LOGIN, { tid: PERSONAL_TENANT, iss: `${LOGIN}/${PERSONAL_TENANT}/v2.0` }))
  t.match(await verify(personal, { tenant: 'common' }), { account: { tenantId: PERSONAL_TENANT } })
})

t.test('names are only shown: cleaned, shortened, left out where there are none', async (t) => {
  const named = async (changes: object) => {
    const result = await verify(idToken(claims(LOGIN, changes)))
    return 'account' in result ? result.account : result
  }
  t.strictSame(await named({ name: undefined, preferred_username: 7 }), { tenantId: TENANT, objectId: OBJECT })
  t.match(await named({ name: ' Jane\u202e\u0000\n ' }), { displayName: 'Jane' })
  t.match(await named({ name: 'x'.repeat(1000) }), { displayName: 'x'.repeat(256) })
})

t.test("a refresh's token: whom it names is checked; signature, nonce and times are not", async (t) => {
  t.strictSame(readIdToken(idToken(claims(LOGIN, { nonce: undefined }), {}, OTHER_PAIR.privateKey), rules), { account })
  t.strictSame(readIdToken(idToken(claims(LOGIN, { aud: TENANT })), rules), { problem: 'audience' })
  t.strictSame(readIdToken(idToken(claims(LOGIN, { azp: TENANT })), rules), { problem: 'authorized_party' })
  for (const times of [{ exp: now - 86_400 }, { nbf: now + 86_400 }, { exp: undefined }])
    t.strictSame(readIdToken(idToken(claims(LOGIN, times)), rules), { account })
  t.strictSame(readIdToken('x', rules), { problem: 'malformed' })
  t.strictSame(readIdToken('a.b.c', rules), { problem: 'malformed' })
})

t.test('only RSA signing keys of 2048 bits and more are taken', async (t) => {
  t.equal(readSigningKeys([jwk(), jwk('key-2'), 7, null])?.size, 2)
  for (const bad of [
    jwk(KID, undefined, { use: 'enc' }),
    jwk(KID, generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey),
    jwk(KID, undefined, { kid: 7 }),
    { kty: 'oct', k: 'c2VjcmV0', kid: KID },
    { kty: 'RSA', n: 7, e: 'AQAB', kid: KID },
    {},
  ])
    t.equal(readSigningKeys([bad]), undefined)
  for (const none of [undefined, null, 'x', {}, []]) t.equal(readSigningKeys(none), undefined)
})

t.test('the key id is read without trusting the rest', async (t) => {
  t.equal(keyIdOf(idToken(claims(LOGIN))), KID)
  for (const token of ['', '.', 'x.y.z', idToken({}, { kid: 7 }), idToken({}, { kid: 'x'.repeat(201) })])
    t.equal(keyIdOf(token), undefined)
})
