import { constants, createHash, generateKeyPairSync, verify } from 'node:crypto'
import t from 'tap'
import { selfSignedCertificate } from '../../sandbox/entra/certificate.ts'
import type { Permit } from '../../src/core/microsoft-port.ts'
import type { MicrosoftOptions } from '../../src/microsoft/client.ts'
import { CLIENT_ID, errorBody, json, NOW, TENANT, tokenBody, TRACE } from './support.ts'
import type { Seen } from './support.ts'
import { noPermit, refreshRequest, setUp } from './world.ts'

const expired = json(errorBody(7000222, 'invalid_client'), 401)
const credentials: MicrosoftOptions['credentials'] = [
  { kind: 'secret', secret: 'newest~canary' },
  { kind: 'secret', secret: 'older~canary' },
]
const secretOf = ({ form }: Seen): string | undefined => form['client_secret']

t.test(
  'a refused credential gives way to the next in the same call, and the one that works is remembered',
  async (t) => {
    const { microsoft, far, tokenRequests } = await setUp(
      t,
      { credentials },
      {
        token: (response, seen) => (secretOf(seen) === 'older~canary' ? json(tokenBody()) : expired)(response, seen),
      },
    )
    t.match(await microsoft.refresh(refreshRequest, noPermit), { kind: 'tokens' })
    t.match(await microsoft.refresh(refreshRequest, noPermit), { kind: 'tokens' })
    t.strictSame(tokenRequests().map(secretOf), ['newest~canary', 'older~canary', 'older~canary'])
    t.match(microsoft.breaker(), { mode: 'closed' })

    far.token = (response, seen) => (secretOf(seen) === 'newest~canary' ? json(tokenBody()) : expired)(response, seen)
    t.match(
      await microsoft.refresh(refreshRequest, noPermit),
      { kind: 'tokens' },
      'and back, when the older one runs out',
    )
    t.strictSame(tokenRequests().slice(3).map(secretOf), ['older~canary', 'newest~canary'])
  },
)

t.test('a refusal of the user, or a failure, does not try the next credential', async (t) => {
  const replies = [
    json(errorBody(50173, 'invalid_grant', { suberror: 'bad_token' }), 400),
    json('', 503),
    json(errorBody(500112, 'invalid_client'), 401),
  ]
  for (const token of replies) {
    const { microsoft, tokenRequests } = await setUp(t, { credentials }, { token })
    await microsoft.refresh(refreshRequest, noPermit)
    t.equal(tokenRequests().length, 1)
  }
})

t.test('when every credential is refused, the breaker opens for all and nobody is marked', async (t) => {
  const changes: string[] = []
  const { microsoft, tokenRequests } = await setUp(
    t,
    { credentials, onBreakerChange: ({ mode }, from) => changes.push(`${from}>${mode}`) },
    { token: expired },
  )
  const permit = await microsoft.admit()
  t.match(await microsoft.refresh(refreshRequest, permit as Permit), {
    kind: 'misconfigured',
    reason: 'client_credential',
    everybody: true,
    microsoft: { aadsts: 7000222, traceId: TRACE },
  })
  t.equal(tokenRequests().length, 2)
  t.match(microsoft.admit(), { verdict: 'misconfigured', reason: 'client_credential', retryAfterSeconds: 15 })
  t.strictSame(changes, ['closed>open'])
})

t.test("doctor learns of each credential whether Microsoft takes it, without anybody's token", async (t) => {
  const garbage = json(errorBody(9002313, 'invalid_grant', { suberror: 'bad_token' }), 400)
  const { microsoft, far, tokenRequests } = await setUp(
    t,
    { credentials },
    {
      token: (response, seen) => (secretOf(seen) === 'older~canary' ? garbage : expired)(response, seen),
    },
  )
  t.match(await microsoft.probeCredentials(), [
    { kind: 'secret', result: 'refused', microsoft: { aadsts: 7000222 } },
    { kind: 'secret', result: 'accepted', microsoft: { aadsts: 9002313 } },
  ])
  t.match(tokenRequests()[0]!.form, { grant_type: 'refresh_token', refresh_token: 'credential-check' })
  for (const token of [
    json('', 503),
    json(errorBody(900144, 'invalid_request'), 400),
    json(errorBody(700016, 'unauthorized_client'), 400),
  ]) {
    far.token = token
    t.match(await microsoft.probeCredentials(), [{ result: 'unclear' }, { result: 'unclear' }])
  }
  t.strictSame(microsoft.breaker(), { mode: 'closed' })
})

t.test('a certificate proves itself by a PS256 assertion made for the very endpoint, never used twice', async (t) => {
  const keys = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const der = selfSignedCertificate(keys, {
    commonName: 'token-broker test',
    notBefore: NOW,
    notAfter: Date.parse('2027-11-22T10:00:00Z'),
  })
  const certificate = `-----BEGIN CERTIFICATE-----\n${der.toString('base64')}\n-----END CERTIFICATE-----\n`
  const privateKey = String(keys.privateKey.export({ type: 'pkcs8', format: 'pem' }))
  const { microsoft, tokenRequests, url } = await setUp(t, {
    credentials: [{ kind: 'certificate', certificate, privateKey }],
  })
  await microsoft.refresh(refreshRequest, noPermit)
  await microsoft.refresh(refreshRequest, noPermit)

  const seen = tokenRequests().map(({ form }) => {
    t.equal(form['client_assertion_type'], 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer')
    t.notOk('client_secret' in form)
    const [header, payload, signature] = form['client_assertion']!.split('.') as [string, string, string]
    const pss = { key: keys.publicKey, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 }
    t.ok(
      verify('sha256', Buffer.from(`${header}.${payload}`), pss, Buffer.from(signature, 'base64url')),
      'PS256 as RFC 7518 3.5 has it',
    )
    const [head, body] = [header, payload].map((part) => JSON.parse(Buffer.from(part, 'base64url').toString()))
    t.strictSame(head, { alg: 'PS256', typ: 'JWT', 'x5t#S256': createHash('sha256').update(der).digest('base64url') })
    const { jti, ...rest } = body
    const now = NOW / 1000
    t.strictSame(rest, {
      aud: `${url}/${TENANT}/oauth2/v2.0/token`,
      iss: CLIENT_ID,
      sub: CLIENT_ID,
      iat: now,
      nbf: now - 60,
      exp: now + 600,
    })
    return jti
  })
  t.equal(new Set(seen).size, 2)
  t.match(await microsoft.probeCredentials(), [
    { kind: 'certificate', expiresAt: '2027-11-22T10:00:00.000Z', result: 'unclear' },
  ])
})
