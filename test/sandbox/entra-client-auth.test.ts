import t from 'tap'
import { constants, createHash, generateKeyPairSync, randomUUID, sign, X509Certificate } from 'node:crypto'
import { selfSignedCertificate, toPem } from '../../sandbox/entra/certificate.ts'
import { startIssuer } from '../../sandbox/issuer.ts'
import { bench, jane, start } from './entra-support.ts'
import type { Bench } from './entra-support.ts'

const keys = generateKeyPairSync('rsa', { modulusLength: 2048 })
const der = selfSignedCertificate(keys, {
  commonName: 'broker',
  notBefore: start - 86_400_000,
  notAfter: start + 86_400_000,
})
const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
const thumbprint = (hash: string): string => createHash(hash).update(der).digest('base64url')
const modern = { alg: 'PS256', typ: 'JWT', 'x5t#S256': thumbprint('sha256') }

function assertion(b: Bench, claims: object = {}, header: object = modern, key = keys.privateKey): string {
  const now = start / 1000
  const { clientId, url } = b.entra
  const all = {
    aud: `${url}/organizations/oauth2/v2.0/token`,
    iss: clientId,
    sub: clientId,
    jti: randomUUID(),
    nbf: now,
    iat: now,
    exp: now + 600,
    ...claims,
  }
  const text = `${encode(header)}.${encode(all)}`
  const pss = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 }
  const how = 'alg' in header && header.alg === 'PS256' ? pss : { padding: constants.RSA_PKCS1_PADDING }
  return `${text}.${sign('sha256', Buffer.from(text), { key, ...how }).toString('base64url')}`
}

async function attempt(b: Bench, fields: Record<string, string>, headers = {}): Promise<unknown[]> {
  const refreshToken = b.entra.control.issueRefreshToken({ account: jane })
  const all = { client_id: b.entra.clientId, grant_type: 'refresh_token', refresh_token: refreshToken, ...fields }
  const { status, json } = await b.post(all, { headers, bare: true })
  return [status, json.error, ...((json.error_codes as number[] | undefined) ?? [])]
}

t.test('the self-made certificate is one that others can read', async (t) => {
  const certificate = new X509Certificate(toPem(der))
  t.equal(certificate.subject, 'CN=broker')
  t.ok(certificate.verify(keys.publicKey), 'its signature is its own key’s')
  t.equal(Date.parse(certificate.validFrom), start - 86_400_000)
})

t.test('a secret is taken from the body or from Basic, and every valid one is taken', async (t) => {
  const secrets = ['old3Q~one', 'a b+c:d%', { value: 'gone', expiresAt: start }]
  const b = await bench(t.teardown, { clientSecrets: secrets })
  const basic = (id: string, secret: string) => ({
    authorization: `Basic ${Buffer.from(`${encodeURIComponent(id)}:${encodeURIComponent(secret)}`).toString('base64')}`,
  })
  const good = [200, undefined]
  t.same(await attempt(b, { client_secret: 'old3Q~one' }), good)
  t.same(await attempt(b, { client_secret: 'a b+c:d%' }), good)
  t.same(await attempt(b, {}, basic(b.entra.clientId, 'a b+c:d%')), good)
  t.same(await attempt(b, { client_secret: 'wrong' }), [401, 'invalid_client', 7000215])
  t.same(await attempt(b, {}, basic(b.entra.clientId, 'wrong')), [401, 'invalid_client', 7000215])
  t.same(await attempt(b, { client_secret: 'gone' }), [401, 'invalid_client', 7000222])
  t.same(await attempt(b, {}), [401, 'invalid_client', 7000218])
  t.same(await attempt(b, { client_secret: 'old3Q~one' }, basic(b.entra.clientId, 'old3Q~one')), [
    400,
    'invalid_request',
    9002313,
  ])
  b.entra.control.configureApp({ clientSecrets: ['new'] })
  t.same(await attempt(b, { client_secret: 'old3Q~one' }), [401, 'invalid_client', 7000215], 'rotated away')
  t.match(
    b.entra.control.tokenRequests().recent.map((request) => request.authentication),
    ['client_secret_post', 'client_secret_post', 'client_secret_basic'],
  )
})

t.test('a credential is judged before the grant, so a bogus grant tells whether the credential is good', async (t) => {
  const b = await bench(t.teardown)
  t.same(await attempt(b, { client_secret: 'wrong', refresh_token: 'bogus' }), [401, 'invalid_client', 7000215])
  t.same(await attempt(b, { client_secret: b.entra.clientSecret, refresh_token: 'bogus' }), [
    400,
    'invalid_grant',
    9002313,
  ])
})

t.test(
  'a certificate’s assertion is taken once, in time, for this address and from a registered certificate',
  async (t) => {
    const b = await bench(t.teardown, { certificates: [toPem(der)] })
    const type = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
    const present = (text: string, changes = {}) =>
      attempt(b, { client_assertion_type: type, client_assertion: text, ...changes })
    const good = [200, undefined]
    const refused = (code: number) => [401, 'invalid_client', code]
    const now = start / 1000
    const stranger = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
    t.same(await present(assertion(b)), good)
    t.same(
      await present(assertion(b, {}, { alg: 'RS256', typ: 'JWT', x5t: thumbprint('sha1') })),
      good,
      'the legacy form',
    )
    const once = assertion(b)
    t.same(await present(once), good)
    t.same(await present(once), refused(50013), 'the same jti twice')
    t.same(await present(assertion(b, { exp: now - 301 })), refused(700024))
    t.same(await present(assertion(b, { nbf: now + 301 })), refused(700024))
    t.same(await present(assertion(b, { aud: `${b.entra.url}/common/oauth2/v2.0/token` })), refused(700023))
    t.same(await present(assertion(b, { iss: 'other' })), refused(700021))
    t.same(await present(assertion(b, {}, modern, stranger)), refused(700027), 'another key')
    t.same(
      await present(assertion(b, {}, { ...modern, 'x5t#S256': thumbprint('sha1') })),
      refused(700027),
      'no such certificate',
    )
    t.same(await present(assertion(b, {}, { ...modern, alg: 'none' })), refused(700027))
    t.same(await present('a.b'), refused(50027))
    t.same(await present(assertion(b), { client_assertion_type: 'x' }), refused(7000218))
    t.same(
      await present(assertion(b), { client_secret: b.entra.clientSecret }),
      [400, 'invalid_request', 9002313],
      'two credentials',
    )
  },
)

t.test('a token of another issuer is taken if issuer, subject, audience, signature and time are right', async (t) => {
  const issuer = await startIssuer({ now: () => start })
  t.teardown(() => issuer.close())
  const stranger = await startIssuer({ now: () => start })
  t.teardown(() => stranger.close())
  const b = await bench(t.teardown, { federatedCredentials: [issuer.credential] })
  const type = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
  const present = (text: string) => attempt(b, { client_assertion_type: type, client_assertion: text })
  const good = [200, undefined]
  const refused = (code: number) => [401, 'invalid_client', code]
  const once = issuer.token()
  t.same(await present(once), good)
  t.same(await present(once), good, 'again: the kubelet replaces it once in a while only')
  t.same(await present(issuer.token({ aud: 'api://AzureADTokenExchange' })), good, 'an audience that is no list')
  t.same(await present(stranger.token()), refused(700211))
  t.same(await present(issuer.token({ iss: issuer.url.slice(0, -1) })), refused(700211), 'no slash at the end')
  t.same(await present(issuer.token({ sub: 'system:serviceaccount:megdocs:default' })), refused(700213))
  t.same(await present(issuer.token({ sub: issuer.credential.subject.toUpperCase() })), refused(700213), 'another case')
  t.same(await present(issuer.token({ aud: ['https://kubernetes.default.svc'] })), refused(700212))
  t.same(await present(issuer.token({ exp: start / 1000 })), refused(700024))
  t.same(await present(issuer.token({ nbf: start / 1000 + 301 })), refused(700024))
  t.same(await present(issuer.token().slice(0, -20)), refused(50013), 'cut')
  t.same(await present(stranger.token({ iss: issuer.url })), refused(7000272), 'signed with a key of somebody else')
  issuer.rollKey()
  t.same(await present(issuer.token()), good, 'a new key of the issuer')
  issuer.rollKey(false)
  t.same(await present(issuer.token()), refused(7000272), 'a key that it does not publish')
  await issuer.close()
  issuer.rollKey()
  t.same(await present(issuer.token()), [400, 'invalid_request', 50166], 'an issuer that cannot be reached')
  t.same(await present(once), good, 'its old keys are still known')
})
