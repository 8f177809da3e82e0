import { createHash, randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { request } from 'undici'
import { BROKER_AUTHORITY } from '../../sandbox/broker.ts'
import { CALLER_PERMISSIONS } from '../../src/signature/callers.ts'
import { generateKey, type BrokerHalf } from '../../src/signature/keygen.ts'
import { signingKey, verificationKey } from '../../src/signature/keys.ts'
import { startWorld } from '../support/world.ts'
import { call, megdocsKey, type Answer, type Call } from './signed-call.ts'

// The signed API over the wire (docs/design.md#signed-requests): what is refused before any work is done, and what an
// answer proves. The verifier's own reject list is tested in test/signature.

const world = await startWorld(t)
const second = await world.startReplica()
const DAY = 86_400_000
const USER = 'signed'
await world.connect(USER)

const get = (path: string, more: Partial<Call> = {}) => call(world, { method: 'GET', path, ...more })
const post = (path: string, body: Call['body'], more: Partial<Call> = {}) =>
  call(world, { method: 'POST', path, ...(body === undefined ? {} : { body }), ...more })
const without = (name: string) => (headers: Record<string, string>) =>
  Object.fromEntries(Object.entries(headers).filter(([key]) => key !== name))
const nonce = () => randomBytes(16).toString('base64url')
const REFUSED = { status: 401, body: { code: 'invalid_signature' }, signature: 'unsigned' }

type Entry = {
  name: string
  permissions: readonly string[]
  keys: BrokerHalf[]
  strict_replay?: boolean
  sign_responses?: boolean
}
const file = world.env['CALLERS_FILE']!
const original = readFileSync(file, 'utf8')
function writeCallers(...more: Entry[]): void {
  const { callers } = JSON.parse(original) as { callers: object[] }
  writeFileSync(file, JSON.stringify({ callers: [...callers, ...more] }))
}
const newKey = (name: string, algorithm: 'hmac-sha256' | 'ed25519' = 'hmac-sha256') =>
  generateKey(algorithm, name, Date.now() + DAY, Date.now() - 60_000)

t.test('a GET that comes again at the same replica is refused', async (t) => {
  const same = { nonce: nonce(), now: Date.now() }
  t.match(await get(`/tokens/${USER}`, same), { status: 200, signature: 'verified' })
  t.match(await get(`/tokens/${USER}`, same), REFUSED)
  t.match(await get(`/integrations/${USER}`, { nonce: same.nonce }), REFUSED, 'the nonce counts, not the request')
  t.match(await get(`/tokens/${USER}`), { status: 200 })
})

t.test('a caller that may connect users learns the configured URLs', async (t) => {
  const { entryUrls, completionUrl } = world.replica.services.config
  t.match(await get('/connect-urls'), {
    status: 200,
    body: { connect_url: entryUrls.connect, manage_url: entryUrls.manage, completion_url: completionUrl },
    signature: 'verified',
  })
})

t.test('a POST or DELETE that comes again at another replica is refused, and does nothing', async (t) => {
  const begin = { nonce: nonce(), now: Date.now() }
  t.match(await post('/connect-sessions', { user_id: 'replayed' }, begin), { status: 201 })
  t.match(await post('/connect-sessions', { user_id: 'replayed' }, { ...begin, to: second }), {
    status: 401,
    body: { code: 'invalid_signature' },
  })
  t.equal((await world.sql`select 1 from connect_session where user_id = 'replayed'`).length, 1)

  await world.connect('deleted')
  const end = { method: 'DELETE', path: '/integrations/deleted', nonce: nonce(), now: Date.now() }
  t.equal((await call(world, end)).status, 204)
  await world.connect('deleted')
  t.match(await call(world, { ...end, to: second }), { status: 401 })
  t.match(await world.row('deleted'), { status: 'active' })
})

t.test('replays at the same moment at two replicas: one is answered', async (t) => {
  const same = { nonce: nonce(), now: Date.now() }
  const answers = await Promise.all(
    [world.replica, second].map((to) => post('/connect-sessions', { user_id: 'raced' }, { ...same, to })),
  )
  t.same(answers.map(({ status }) => status).sort(), [201, 401])
})

t.test('only a caller with strict_replay has its GETs checked against all replicas', async (t) => {
  const [strict, loose] = [newKey('strict'), newKey('loose')]
  writeCallers(
    { name: 'strict', permissions: ['tokens:read'], keys: [strict.broker], strict_replay: true },
    { name: 'loose', permissions: ['tokens:read'], keys: [loose.broker] },
  )
  for (const { services } of [world.replica, second]) services.callers.reload()
  for (const [{ caller }, expected] of [
    [strict, 401],
    [loose, 200],
  ] as const) {
    const same = { key: signingKey(caller.key_id, 'hmac-sha256', caller.secret!), nonce: nonce(), now: Date.now() }
    t.equal((await get(`/tokens/${USER}`, same)).status, 200)
    t.equal((await get(`/tokens/${USER}`, { ...same, to: second })).status, expected)
  }
})

t.test('a nonce is remembered for as long as its request could be accepted, and then forgotten', async (t) => {
  await post('/connect-sessions', { user_id: 'remembered' })
  const [row] =
    await world.sql`select max(extract(epoch from expires_at - now()))::int longest, count(*)::int from request_nonce`
  t.ok(row!['longest'] >= 30 && row!['longest'] <= 70)
  t.ok(row!['count'] > 0)
})

t.test('a body without the right digest is refused before it is read', async (t) => {
  const digest = (algorithm: string, body: string) => createHash(algorithm).update(body).digest('base64')
  const body = '{"user_id":"digest"}'
  const cases: [string, Partial<Call>][] = [
    ['another body than was signed', { sentBody: '{"user_id":"other!"}' }],
    ['one byte more', { sentBody: `${body} ` }],
    ['the digest taken away', { tamper: without('content-digest') }],
    [
      'another digest than was signed',
      { tamper: (headers) => ({ ...headers, 'content-digest': `sha-256=:${digest('sha256', 'x')}:` }) },
    ],
    ['a weak digest', { tamper: (headers) => ({ ...headers, 'content-digest': `md5=:${digest('md5', body)}:` }) }],
    [
      'two digest lines',
      {
        tamper: (headers) => ({
          ...headers,
          'content-digest': [headers['content-digest']!, headers['content-digest']!],
        }),
      },
    ],
    ['a compressed body', { headers: { 'content-encoding': 'gzip' } }],
    [
      'another content type than was signed',
      { tamper: (headers) => ({ ...headers, 'content-type': 'application/json; charset=utf-8' }) },
    ],
  ]
  for (const [name, more] of cases)
    t.match(await post('/connect-sessions', body, more), { status: 401, body: { code: 'invalid_signature' } }, name)
  t.same(await world.sql`select 1 from connect_session where user_id in ('digest', 'other!')`, [])
})

t.test('a signature of another method, address, caller or time is refused', async (t) => {
  t.match(await get(`/tokens/${USER}`, { sentPath: '/tokens/other' }), REFUSED)
  t.match(await get(`/tokens/${USER}`, { sentPath: `/tokens/${USER}?min_ttl=0` }), REFUSED)
  t.match(await get(`/tokens/${USER}`, { sentPath: '/%' }), REFUSED, 'an address that cannot be read')
  t.match(await get(`/tokens/${USER}`, { tamper: (headers) => ({ ...headers, host: 'evil.example' }) }), REFUSED)
  t.match(await get(`/tokens/${USER}`, { tamper: without('signature') }), REFUSED)
  t.match(
    await get(`/tokens/${USER}`, {
      tamper: (headers) => ({ ...headers, 'signature-input': `${headers['signature-input']};x=1` }),
    }),
    REFUSED,
  )
})

t.test('from outside an unknown key and a wrong signature look the same to the byte', async (t) => {
  const { keyId } = megdocsKey(world)
  const wrong = signingKey(keyId, 'hmac-sha256', randomBytes(32).toString('base64url'))
  const unknown = signingKey('x'.repeat(keyId.length), 'hmac-sha256', randomBytes(32).toString('base64url'))
  const same = ({ status, headers, text }: Answer) => ({
    status,
    headers: { ...headers, date: '' },
    text: text.replace(/"request_id":"[^"]+"/, ''),
  })
  const answers = [
    await get(`/tokens/${USER}`, { key: wrong }),
    await get(`/tokens/${USER}`, { key: unknown }),
    await get('/tokens/nobody', { key: unknown }),
    await get('/nothing', { key: unknown }),
  ]
  for (const answer of answers) t.same(same(answer), same(answers[0]!))
  t.match(world.replica.logged(), /"refused":"wrong_signature"/)
  t.match(world.replica.logged(), /"refused":"unknown_key"/, 'only the log knows')
})

t.test('routes show themselves to the authenticated only', async (t) => {
  const paths = [`/tokens/${USER}`, '/nothing', '/', '/admin', '/tokens']
  const answers = await Promise.all(
    paths.map((path) => request(world.replica.internalUrl + path, { headers: { host: BROKER_AUTHORITY } })),
  )
  const bodies = await Promise.all(
    answers.map(
      async ({ statusCode, body }) => `${statusCode} ${(await body.text()).replace(/"request_id":"[^"]+"/, '')}`,
    ),
  )
  t.equal(new Set(bodies).size, 1)
  t.match(bodies[0], /^401 .*invalid_signature/)
  t.match(await get('/nothing'), { status: 404, body: { code: 'not_found' }, signature: 'verified' })
})

t.test(
  'a request that a browser sent is refused, however well it is signed, and no CORS header ever goes out',
  async (t) => {
    for (const site of ['same-origin', 'cross-site', 'none', ''])
      t.match(await get(`/tokens/${USER}`, { headers: { 'sec-fetch-site': site } }), REFUSED, site)
    const preflight = await request(`${world.replica.internalUrl}/tokens/${USER}`, {
      method: 'OPTIONS',
      headers: { host: BROKER_AUTHORITY, origin: 'https://evil.example', 'access-control-request-method': 'GET' },
    })
    t.equal(preflight.statusCode, 401)
    await preflight.body.dump()
    const answer = await get(`/tokens/${USER}`, { headers: { origin: 'https://evil.example' } })
    for (const headers of [preflight.headers, answer.headers])
      t.same(
        Object.keys(headers).filter((name) => name.startsWith('access-control')),
        [],
      )
  },
)

t.test('every answer to an authenticated caller is signed for that very request', async (t) => {
  for (const answer of [
    await get(`/tokens/${USER}`),
    await get(`/integrations/${USER}`),
    await get('/tokens/nobody'),
    await get('/nothing'),
    await get('/tokens/a%20b'),
    await post('/connect-sessions', { user_id: USER }),
    await post('/connect-sessions', {}),
    await call(world, { method: 'DELETE', path: '/browser-sessions/nobody' }),
  ]) {
    t.equal(answer.signature, 'verified', String(answer.status))
    t.equal(answer.headers['cache-control'], 'no-store')
    for (const covered of [
      '"@status"',
      '"content-digest"',
      '"cache-control"',
      '"@method";req',
      '"@path";req',
      '"signature-input";req',
    ]) {
      t.ok(String(answer.headers['signature-input']).includes(covered), covered)
    }
  }
})

t.test("an Ed25519 caller's answers are signed with the broker's own key", async (t) => {
  const [key, broker] = [newKey('modern', 'ed25519'), newKey('broker', 'ed25519')]
  const entry = { name: 'modern', permissions: CALLER_PERMISSIONS, keys: [key.broker] }
  writeCallers(entry)
  const replica = await world.startReplica({ RESPONSE_SIGNING_KEY: `broker-1:${broker.caller.private_key}` })
  const signing = signingKey(key.caller.key_id, 'ed25519', key.caller.private_key!)
  const answerKey = verificationKey('broker-1', 'ed25519', broker.broker.public_key!)
  const own = verificationKey('broker-1', 'ed25519', key.broker.public_key!)
  t.match(await get(`/tokens/${USER}`, { key: signing, answerKey, to: replica }), {
    status: 200,
    signature: 'verified',
  })
  t.match(await get('/nothing', { key: signing, answerKey, to: replica }), { status: 404, signature: 'verified' })
  t.match(await get('/nothing', { key: signing, answerKey: own, to: replica }), { signature: 'wrong_signature' })
  t.match(
    await get(`/tokens/${USER}`, { to: replica }),
    { status: 200, signature: 'verified' },
    'HMAC callers have theirs with their own',
  )
})

t.test('a changed callers file counts from the moment it is read, and a broken one changes nothing', async (t) => {
  const { services, logged } = world.replica
  const key = newKey('newcomer')
  const signing = signingKey(key.caller.key_id, 'hmac-sha256', key.caller.secret!)
  writeFileSync(file, original)
  services.callers.reload()
  t.match(await get('/tokens/nobody', { key: signing }), REFUSED)
  writeCallers({ name: 'newcomer', permissions: ['tokens:read'], keys: [key.broker] })
  t.equal(services.callers.reload(), 'changed')
  t.match(await get('/tokens/nobody', { key: signing }), { status: 404, signature: 'verified' })

  writeFileSync(file, '{"callers": [{"name": "megdocs"')
  t.equal(services.callers.reload(), 'broken')
  t.match(await get('/tokens/nobody', { key: signing }), { status: 404 })
  t.match(await get(`/tokens/${USER}`), { status: 200 })
  t.match(logged(), /callers file is broken/)
  t.notOk(logged().includes(key.broker.secret!), 'and no secret of it is in the log')

  writeFileSync(file, original)
  t.equal(services.callers.reload(), 'changed')
  t.match(await get('/tokens/nobody', { key: signing }), REFUSED, 'a caller that is gone is gone at once')
})

t.test('the OpenAPI document is there for everybody and tells no secret', async (t) => {
  const answer = await request(`${world.replica.internalUrl}/openapi.json`)
  t.equal(answer.statusCode, 200)
  const text = await answer.body.text()
  t.match(JSON.parse(text), { openapi: '3.1.0', paths: { '/tokens/{userId}': { get: { operationId: 'getToken' } } } })
  for (const secret of [world.secrets.megdocsKey.secret!, world.secrets.sealingKeys, world.entra.clientSecret])
    t.notOk(text.includes(secret))
})

t.test('what is too large is refused, with an answer where the caller is known', async (t) => {
  t.match(await get(`/tokens/${USER}?x=${'x'.repeat(3_000)}`), REFUSED, 'a target beyond 2 kB')
  t.match(
    await post('/connect-sessions', { user_id: 'x', filler: 'x'.repeat(66_000) }),
    { status: 422, signature: 'verified' },
    'a body beyond 64 kB',
  )
  t.match(
    await get(`/tokens/${USER}`, { headers: { 'x-filler': 'x'.repeat(40_000) } }),
    { status: 431, signature: 'unsigned' },
    'headers beyond 32 kB',
  )
  t.match(
    await get(`/tokens/${'x'.repeat(1_900)}`),
    { status: 422, signature: 'verified' },
    'a user id beyond 128 characters',
  )
})

t.test('tokens, tickets and signatures are in no log line', async (t) => {
  const token = await get(`/tokens/${USER}`)
  const begun = await post('/connect-sessions', { user_id: USER })
  await get('/tokens/nobody', { key: signingKey('stranger', 'hmac-sha256', randomBytes(32).toString('base64url')) })
  const text = world.replica.logged()
  const signature = String(token.headers['signature']).split(':')[1]!
  for (const secret of [
    token.body.access_token,
    begun.body.url.split('/').at(-1),
    signature,
    world.secrets.megdocsKey.secret!,
  ])
    t.notOk(text.includes(secret))
  t.match(text, /"audit":"token_handed_out",[^\n]*"user_id":"signed",[^\n]*"caller":"megdocs"/)
})
