import t from 'tap'
import { claims, idToken, json, jwk, tokenBody } from './support.ts'
import { codeRequest, discovery, setUp, withIdToken } from './world.ts'
import type { World } from './world.ts'

t.test("without Microsoft's keys the code is not spent", async (t) => {
  const elsewhere = 'https://evil.example'
  const wrong: [name: string, world: Partial<World>][] = [
    ['no keys', { keys: [] }],
    ['keys of another origin', { discovery: (base) => ({ ...discovery(base), jwks_uri: `${elsewhere}/keys` }) }],
    [
      'issuer of another origin',
      { discovery: (base) => ({ ...discovery(base), issuer: `${elsewhere}/{tenantid}/v2.0` }) },
    ],
    [
      "issuer that is no tenant's",
      { discovery: (base) => ({ ...discovery(base), issuer: `${base}/contoso.com/v2.0` }) },
    ],
    ['no issuer', { discovery: (base) => ({ ...discovery(base), issuer: undefined }) }],
    [
      'token endpoint of another origin',
      { discovery: (base) => ({ ...discovery(base), token_endpoint: `${elsewhere}/token` }) },
    ],
  ]
  for (const [name, world] of wrong) {
    const { microsoft, tokenRequests } = await setUp(t, {}, { token: withIdToken(), ...world })
    t.match(await microsoft.redeem(codeRequest), { kind: 'try_later', reason: 'microsoft_unreachable' }, name)
    t.equal(tokenRequests().length, 0)
    t.equal(await microsoft.metadata(), undefined)
  }
})

t.test('metadata is fetched once, shared, kept for a day, and newer when the key is unknown', async (t) => {
  const { microsoft, clock, far, metadataRequests } = await setUp(t, {}, { token: withIdToken() })
  const redeem = async (): Promise<string> => (await microsoft.redeem(codeRequest)).kind
  t.strictSame(await Promise.all([redeem(), redeem(), redeem()]), ['tokens', 'tokens', 'tokens'])
  t.equal(metadataRequests(), 2, 'one discovery, one key set')

  far.keys = [jwk('key-2')]
  far.token = withIdToken({}, { kid: 'key-2' })
  t.equal(await redeem(), 'refused', 'too soon after the last fetch: forged key ids cannot make us ask without end')
  t.equal(metadataRequests(), 2)
  clock.advance(60_000)
  t.equal(await redeem(), 'tokens', 'Microsoft rolled its key')
  t.equal(metadataRequests(), 4)

  clock.advance(86_400_000)
  far.token = (response, seen) =>
    json(
      tokenBody({
        id_token: idToken(claims(`http://${seen.headers.host}`, { exp: clock.now() / 1000 + 60 }), { kid: 'key-2' }),
      }),
    )(response, seen)
  t.equal(await redeem(), 'tokens')
  t.equal(metadataRequests(), 6, 'a day later it is fetched again')

  far.keys = []
  clock.advance(86_400_000)
  t.equal(await redeem(), 'tokens', 'old keys serve while Microsoft gives no new ones')
})

t.test('doctor sees metadata, endpoints and how far the clocks differ', async (t) => {
  const { microsoft, url } = await setUp(t)
  const metadata = await microsoft.metadata()
  t.match(metadata, {
    issuer: `${url}/{tenantid}/v2.0`,
    tokenEndpoint: microsoft.endpoints.token,
    authorizationEndpoint: microsoft.endpoints.authorize,
  })
  t.equal(metadata?.keys.size, 1)
  t.type(metadata?.clockOffsetMs, 'number')
})
