import { randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import { FAILURE_CODES, type FailureCode } from '../../src/core/failure.ts'
import { PROBLEMS } from '../../src/http/problem.ts'
import { generateKey } from '../../src/signature/keygen.ts'
import { signingKey } from '../../src/signature/keys.ts'
import { JANE, startWorld } from '../support/world.ts'
import { call, type Answer, type Call } from './signed-call.ts'

// Every failure code (docs/design.md#failures), produced through the real API by its real cause, and verified as a
// caller does.

const world = await startWorld(t)
const { entra, sql } = world
const seen = new Set<FailureCode>()
const get = (path: string, more: Partial<Call> = {}) => call(world, { method: 'GET', path, ...more })
const post = (path: string, body: object, more: Partial<Call> = {}) =>
  call(world, { method: 'POST', path, body, ...more })

/** What holds for every failure, whichever it is. */
function holds(t: Test, answer: Answer, code: FailureCode, facts: object = {}, signature = 'verified'): void {
  seen.add(code)
  t.equal(answer.status, PROBLEMS[code].status)
  t.match(answer.body, {
    type: `urn:token-broker:problem:${code}`,
    title: PROBLEMS[code].title,
    status: PROBLEMS[code].status,
    code,
    request_id: /^[0-9a-f-]{36}$/,
    ...facts,
  })
  t.match(answer.headers, { 'content-type': /^application\/problem\+json/, 'cache-control': 'no-store' })
  t.equal(answer.signature, signature)
  const waits = answer.body.retry_after as number | undefined
  t.equal(answer.headers['retry-after'], waits === undefined ? undefined : String(waits))
  if (answer.status === 503 || answer.status === 429) t.ok(waits! >= 1)
}

async function received(userId: string, account = JANE): Promise<string> {
  const { id, browser, authorizeUrl } = await world.toMicrosoft(userId)
  await browser.open(entra.control.signIn({ account, authorizeUrl }))
  return id
}

t.test('invalid_signature', async (t) => {
  const stranger = signingKey('nobody', 'hmac-sha256', randomBytes(32).toString('base64url'))
  const answer = await get('/tokens/42', { key: stranger })
  holds(t, answer, 'invalid_signature', {}, 'unsigned')
  t.same(
    Object.keys(answer.body).sort(),
    ['code', 'request_id', 'status', 'title', 'type'],
    'a stranger learns nothing else',
  )
})

t.test('clock_skew', async (t) => {
  const now = Date.now() - 120_000
  const answer = await get('/tokens/42', { now })
  holds(t, answer, 'clock_skew')
  t.match(answer.headers['signature-input'], /"date"/, 'the date to correct the clock by is covered')
  t.ok(Math.abs(Date.parse(String(answer.headers['date'])) - Date.now()) < 5_000)
  holds(t, await get('/tokens/42', { now: Date.now() + 60_000 }), 'clock_skew')
})

t.test('caller_forbidden', async (t) => {
  const key = generateKey('hmac-sha256', 'reader', Date.now() + 86_400_000, Date.now() - 60_000)
  const file = world.env['CALLERS_FILE']!
  const { callers } = JSON.parse(readFileSync(file, 'utf8')) as { callers: object[] }
  writeFileSync(
    file,
    JSON.stringify({ callers: [...callers, { name: 'reader', permissions: ['tokens:read'], keys: [key.broker] }] }),
  )
  world.replica.services.callers.reload()
  const reader = signingKey(key.caller.key_id, 'hmac-sha256', key.caller.secret!)
  await world.connect('kept')
  for (const wanted of [
    { method: 'DELETE', path: '/integrations/kept' },
    { method: 'GET', path: '/integrations/kept' },
    { method: 'POST', path: '/tokens/kept/refresh', body: { generation: 1 } },
    { method: 'POST', path: '/connect-sessions', body: { user_id: 'kept' } },
    { method: 'DELETE', path: '/browser-sessions/kept' },
  ])
    holds(t, await call(world, { ...wanted, key: reader }), 'caller_forbidden')
  const { payload } = await world.replica.operations.inject('/metrics')
  t.match(
    payload,
    'token_broker_requests_forbidden_total{caller="reader",permission="integrations:delete"} 1\n',
    'by caller',
  )
  t.equal((await get('/tokens/kept', { key: reader })).status, 200)
  t.match(await world.row('kept'), { status: 'active' })
})

t.test('not_connected', async (t) => {
  holds(t, await get('/tokens/nobody'), 'not_connected')
  holds(t, await post('/tokens/nobody/refresh', { generation: 1 }), 'not_connected')
  holds(t, await get('/integrations/nobody'), 'not_connected')
  const longest = '~'.repeat(128)
  holds(t, await get(`/tokens/${longest}`), 'not_connected')
  t.equal((await call(world, { method: 'DELETE', path: `/integrations/${longest}` })).status, 204)
})

t.test('not_found', async (t) => {
  for (const path of ['/', '/tokens', '/nothing', `/connect-sessions/${crypto.randomUUID()}`, '/tokens/42/nothing'])
    holds(t, await get(path), 'not_found')
  holds(t, await post('/nothing', { x: 1 }), 'not_found')
  holds(t, await call(world, { method: 'DELETE', path: '/tokens/42' }), 'not_found')
  holds(t, await call(world, { method: 'PUT', path: '/tokens/42' }), 'not_found')
})

t.test('reconnect_required', async (t) => {
  await world.connect('revoked')
  entra.control.advance(2)
  entra.control.revokeSessions({ account: JANE })
  await world.setRemaining('revoked', -1)
  const facts = {
    reason: 'access_revoked',
    who_acts: 'user',
    advice: /Connect again/,
    microsoft: { aadsts: 50173, trace_id: String, correlation_id: String, timestamp: String },
  }
  holds(t, await get('/tokens/revoked'), 'reconnect_required', facts)
  t.match((await get('/integrations/revoked')).body, {
    status: 'reconnect_required',
    failure: { reason: 'access_revoked', final: true },
  })
})

t.test('connect_refused', async (t) => {
  const id = await received('partly', 'sam@fabrikam.com')
  holds(
    t,
    await post(`/connect-sessions/${id}/complete`, { user_id: 'partly', handle: world.handle(id) }),
    'connect_refused',
    {
      reason: 'missing_scopes',
      who_acts: 'user',
      next: String,
    },
  )
})

t.test('account_mismatch', async (t) => {
  await world.connect('pinned')
  const id = await received('pinned', 'omar@contoso.com')
  holds(
    t,
    await post(`/connect-sessions/${id}/complete`, { user_id: 'pinned', handle: world.handle(id) }),
    'account_mismatch',
    {
      reason: 'other_account',
      who_acts: 'user',
      next: String,
    },
  )
})

t.test('connect_session_expired', async (t) => {
  const id = await received('slow')
  await sql`update connect_session set expires_at = now() where id = ${id}`
  holds(
    t,
    await post(`/connect-sessions/${id}/complete`, { user_id: 'slow', handle: world.handle(id) }),
    'connect_session_expired',
    {
      reason: 'abandoned',
      who_acts: 'user',
      next: String,
    },
  )
})

t.test('invalid_request', async (t) => {
  const where = (field: string) => ({ invalid: [{ field }] })
  const canary = 'canary-4711'
  const answers = [
    [await get('/tokens/a%20b'), where('params.userId')],
    [await get('/tokens/a%2Fb'), where('params.userId')],
    [await get(`/tokens/${'x'.repeat(129)}`), where('params.userId')],
    [await get(`/tokens/42?min_ttl=${canary}`), where('querystring.min_ttl')],
    [await get('/tokens/42?min_ttl=1801'), where('querystring.min_ttl')],
    [await get('/tokens/42?min_ttl=-1'), where('querystring.min_ttl')],
    [await get(`/tokens/42?${canary}=1`), {}],
    [await get('/tokens/42?deadline_ms=99'), where('querystring.deadline_ms')],
    [await get(`/connect-sessions/${canary}`), where('params.id')],
    [await post('/connect-sessions', {}), where('body')],
    [await post('/connect-sessions', { user_id: 42 }), where('body.user_id')],
    [await post('/connect-sessions', { user_id: '42', intent: canary }), where('body.intent')],
    [await post('/connect-sessions', { user_id: '42', return_url: `https://${canary}` }), {}],
    [await post('/tokens/42/refresh', { generation: '1' }), where('body.generation')],
    [await post('/tokens/42/refresh', { generation: 1.5 }), where('body.generation')],
    [await post('/tokens/42/refresh', [1]), {}],
    [await call(world, { method: 'POST', path: '/connect-sessions' }), {}],
    [await call(world, { method: 'POST', path: '/connect-sessions', body: `{"user_id": ${canary}` }), {}],
    [await call(world, { method: 'POST', path: '/connect-sessions', body: '{"__proto__": {"user_id": "42"}}' }), {}],
    [
      await call(world, {
        method: 'POST',
        path: '/connect-sessions',
        body: `user_id=${canary}`,
        contentType: 'application/x-www-form-urlencoded',
      }),
      {},
    ],
    [await call(world, { method: 'POST', path: '/connect-sessions', body: canary, contentType: 'text/plain' }), {}],
    [await post('/connect-sessions', { user_id: '42', filler: 'x'.repeat(70_000) }), {}],
  ] as const
  for (const [answer, facts] of answers) {
    holds(t, answer, 'invalid_request', facts)
    t.notMatch(answer.text, canary, 'the answer does not quote the request')
  }
})

t.test('microsoft_unavailable', async (t) => {
  await world.connect('unlucky')
  await world.setRemaining('unlucky', -1)
  entra.control.misbehave('throttle', 17)
  holds(t, await get('/tokens/unlucky'), 'microsoft_unavailable', {
    reason: 'throttled',
    who_acts: 'nobody',
    retry_after: Number,
  })
  entra.control.behave()
})

t.test('broker_misconfigured', async (t) => {
  await world.connect('ours')
  await world.setRemaining('ours', -1)
  entra.control.configureApp({ clientSecrets: ['quite-another-secret-0123456789'] })
  const fresh = await world.startReplica()
  holds(t, await get('/tokens/ours', { to: fresh }), 'broker_misconfigured', {
    reason: 'client_credential',
    who_acts: 'ops',
  })
  entra.control.configureApp({ clientSecrets: [entra.clientSecret] })
  t.match(await world.row('ours'), { status: 'active' })
})

t.test('database_unavailable', async (t) => {
  const hasty = await world.startReplica({ DATABASE_DEADLINE_MS: '100' })
  await sql.begin(async (tx) => {
    await tx`lock table oauth2_integration in access exclusive mode`
    holds(t, await get('/tokens/42', { to: hasty }), 'database_unavailable')
  })
  t.equal((await get('/tokens/42')).status, 404, 'and afterwards it is there again')
})

t.test('token_unreadable', async (t) => {
  await world.connect('sealed')
  const [before] = await sql`select access_token from oauth2_integration where user_id = 'sealed'`
  const flipped = Buffer.from(before!['access_token'] as Buffer)
  flipped[flipped.length - 1]! ^= 1
  await sql`update oauth2_integration set access_token = ${flipped} where user_id = 'sealed'`
  const answer = await get('/tokens/sealed')
  holds(t, answer, 'token_unreadable')
  t.match(
    world.replica
      .logged()
      .split('\n')
      .find((line) => line.includes(answer.body.request_id) && line.includes('"level":"error"')),
    /token_unreadable/,
    'an alert',
  )
  t.same(
    (await sql`select access_token from oauth2_integration where user_id = 'sealed'`)[0]!['access_token'],
    flipped,
    'nothing is overwritten',
  )
})

t.test('internal_error', async (t) => {
  await sql`alter table connect_session add constraint no_boom check (user_id <> 'boom')`
  const answer = await post('/connect-sessions', { user_id: 'boom' })
  holds(t, answer, 'internal_error')
  t.same(Object.keys(answer.body).sort(), ['code', 'request_id', 'status', 'title', 'type'])
  t.match(
    world.replica
      .logged()
      .split('\n')
      .find((line) => line.includes(answer.body.request_id)),
    /database 23514 no_boom/,
    'the log says what it was',
  )
})

t.test('rate_limited', async (t) => {
  const narrow = await world.startReplica({ CALLER_REQUESTS_PER_MINUTE: '3' })
  for (let n = 0; n < 3; n++) t.equal((await get('/tokens/nobody', { to: narrow })).status, 404)
  const answer = await get('/tokens/nobody', { to: narrow })
  holds(t, answer, 'rate_limited')
  t.ok(answer.body.retry_after <= 60)
})

t.test('audit_unavailable', async (t) => {
  const { logOutput } = world.replica.services
  const full = await world.startReplica({}, { logOutput: { ...logOutput, hasRoom: () => false } })
  holds(t, await get('/tokens/nobody', { to: full }), 'audit_unavailable')
})

t.test('cursor_expired', async (t) => {
  holds(t, await get('/events?after=bm90LW91cnM'), 'cursor_expired')
})

t.test('frozen', async (t) => {
  await world.connect('frozen-1')
  const freeze = await post('/freezes', { scope: 'user', value: 'frozen-1', reason: 'a test' })
  t.equal(freeze.status, 201)
  holds(t, await get('/tokens/frozen-1'), 'frozen', { reason: 'user_frozen' })
  t.equal((await call(world, { method: 'DELETE', path: `/freezes/${String(freeze.body['id'])}` })).status, 204)
})

t.test('claims_not_satisfied', async (t) => {
  await world.connect('claims-1')
  let { body: token } = await get('/tokens/claims-1')
  const force = (claim: string) => ({
    generation: token.generation as number,
    claims: JSON.stringify({ access_token: { acrs: { value: claim }, xms_rp_ipaddr: { value: '198.51.100.7' } } }),
  })
  for (const claim of ['c1', 'c2', 'c3']) ({ body: token } = await post('/tokens/claims-1/refresh', force(claim)))
  holds(t, await post('/tokens/claims-1/refresh', force('c4')), 'claims_not_satisfied', {
    reason: 'challenge_repeated',
    who_acts: 'ops',
    addresses: { graph: '198.51.100.7', sign_in: '192.0.2.10' },
  })
})

t.test('every code was produced', async (t) => {
  t.same(
    FAILURE_CODES.filter((code) => !seen.has(code)),
    [],
  )
})
