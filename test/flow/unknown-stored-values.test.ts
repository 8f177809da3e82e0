import fc from 'fast-check'
import t, { type Test } from 'tap'
import type { Clock } from '../../src/core/ports.ts'
import { diagnoseFleet, diagnoseUser } from '../../src/doctor.ts'
import { systemClock } from '../../src/services.ts'
import { JANE, startWorld, type World } from '../support/world.ts'

// Rows of a newer release, or rows that a person edited, contain words and JSON that this release does not know. No
// answer fails because of them, and no other user is affected.

const NEWER = { verdict: 'reconnect', reason: 'a_newer_reason', final: false, microsoft: {} }
const HUGE = 'a'.repeat(200_000)

/** Values of `failure` that no release writes. */
const MALFORMED = [
  [],
  ['x'],
  'x',
  7,
  true,
  {},
  { verdict: 5, reason: {}, final: 'perhaps', microsoft: [] },
  { verdict: 'a_newer_verdict', reason: 'Größe <b>', final: null, microsoft: 'x', at: 'yesterday', since: 3 },
  { verdict: 'constructor', reason: 'constructor', microsoft: { aadsts: '50173', error: '<script>', traceId: 1 } },
  { verdict: 'try_later', reason: HUGE, claims: HUGE, microsoft: { error: HUGE, timestamp: HUGE } },
  { verdict: 'try_later', reason: 'throttled', at: '2026-99-99T99:99:99Z', since: { x: 1 } },
]

/** Of printable characters: jsonb takes no `\u0000`. */
const anyJson = fc.jsonValue({ maxDepth: 3, stringUnit: 'grapheme-ascii' })

/** The pauses of keep-alive between renewals pass at once. */
const sleep: Clock['sleep'] = (ms, signal) =>
  ms >= 900 && ms < 5_000 ? Promise.resolve() : systemClock.sleep(ms, signal)
const start = (t: Test) => startWorld(t, { overrides: { clock: { ...systemClock, sleep } } })

const store = async ({ sql }: World, userId: string, status: string, failure: unknown): Promise<void> => {
  await sql`update oauth2_integration set status = ${status},
    failure = ${JSON.stringify(failure)}::text::jsonb, retry_at = null,
    lease_owner = null, lease_until = null where user_id = ${userId}`
}

/** Every way of reading an integration answers, and the other users are listed beside it. */
async function readsHold(t: Test, { caller }: World, userId: string, what: string): Promise<Record<string, any>> {
  const one = await caller.send('GET', `/integrations/${userId}`)
  t.equal(one.status, 200, `${what}: GET /integrations/:id`)
  const list = await caller.send('GET', '/integrations')
  t.equal(list.status, 200, `${what}: GET /integrations`)
  const { integrations } = list.body as { integrations: { user_id: string }[] }
  t.ok([userId, 'other'].every((user) => integrations.some(({ user_id: listed }) => listed === user)))
  t.equal((await caller.send('GET', '/tokens/other')).status, 200, `${what}: another user's token`)
  return one.body as Record<string, any>
}

t.test('a reason of a newer release is shown as it is, with who acts by its verdict', async (t) => {
  const world = await start(t)
  const { caller } = world
  await world.connect('42')
  await world.connect('other')
  for (const [verdict, whoActs, code, status] of [
    ['reconnect', 'user', 'reconnect_required', 409],
    ['try_later', 'nobody', 'microsoft_unavailable', 503],
    ['misconfigured', 'ops', 'broker_misconfigured', 503],
  ] as const) {
    await store(world, '42', verdict === 'reconnect' ? 'reconnect_required' : 'active', { ...NEWER, verdict })
    const told = { reason: 'a_newer_reason', who_acts: whoActs, advice: String }
    t.match(await readsHold(t, world, '42', verdict), { failure: told })
    await world.setRemaining('42', 1_000)
    t.match(
      await caller.send('GET', '/tokens/42'),
      { status: 200, body: { access_token: String } },
      'a valid token is handed out',
    )
    await world.sql`update oauth2_integration set retry_at = now() + interval '60 seconds' where user_id = '42'`
    await world.setRemaining('42', 20)
    t.match(await caller.send('GET', '/tokens/42'), { status: 200, body: { degraded: { reason: 'a_newer_reason' } } })
    await world.setRemaining('42', -1)
    t.match(await caller.send('GET', '/tokens/42'), { status, body: { code, ...told } })
  }
  t.notMatch(world.replica.logged(), /has a form that no release writes/)
})

t.test('a failure of any form makes no read fail, and a refresh cures it', async (t) => {
  const world = await start(t)
  const { caller, sql } = world
  await world.connect('42')
  await world.connect('other')
  const account = world.stoppingBrowser()
  await account.open((await caller.beginConnect('42', { intent: 'manage' })).url)
  const shapes = [...MALFORMED, ...fc.sample(anyJson, 20)]
  for (const [n, failure] of shapes.entries()) {
    const status = n % 2 === 0 ? 'active' : 'reconnect_required'
    const what = `${status} ${JSON.stringify(failure).slice(0, 100)}`
    await store(world, '42', status, failure)
    t.match(await readsHold(t, world, '42', what), { status }, what)
    t.equal((await account.open(`${world.baseUrl}/accounts/account/microsoft/`)).status, 200, `${what}: account page`)
    await world.setRemaining('42', 1_000)
    t.equal((await caller.send('GET', '/tokens/42')).status, 200, `${what}: valid token`)
    await world.setRemaining('42', -1)
    t.equal((await caller.send('GET', '/tokens/42')).status, 200, `${what}: refreshed`)
    t.match(await world.row('42'), { status: 'active', failure: null }, what)
  }
  t.equal(
    world.replica.logged().split('has a form that no release writes').length,
    2,
    'ops find one line, not one for each read',
  )
  t.notMatch(world.replica.logged(), /"level":"error"/)

  for (const failure of MALFORMED) {
    await store(world, '42', 'active', failure)
    await world.setRemaining('42', -1)
    world.entra.control.misbehave('aadsts', 50173, { times: 1 })
    t.match(
      await caller.send('GET', '/tokens/42'),
      { status: 409, body: { reason: 'access_revoked' } },
      'a refusal replaces it',
    )
    t.match(await world.row('42'), { status: 'reconnect_required', failure: { reason: 'access_revoked', final: true } })
    await sql`update oauth2_integration set status = 'active', failure = null where user_id = '42'`
  }
})

t.test(
  'a failure that is final stays final, whatever else it holds: nothing is sent, and the user is asked to connect',
  async (t) => {
    const world = await start(t)
    await world.connect('42')
    await world.connect('other')
    for (const failure of [
      { final: true },
      { final: 'true', verdict: 'a_newer_verdict', reason: 3 },
      { final: true, verdict: 'try_later', reason: 'a_newer_reason' },
    ]) {
      await store(world, '42', 'reconnect_required', failure)
      await world.setRemaining('42', -1)
      const began = performance.now()
      t.match(await world.caller.send('GET', '/tokens/42'), {
        status: 409,
        body: { code: 'reconnect_required', who_acts: 'user' },
      })
      t.ok(performance.now() - began < 4_000, 'at once, not after the deadline')
      await readsHold(t, world, '42', JSON.stringify(failure))
    }
  },
)

t.test(
  'a status of a newer release is derived from the failure; a refresh works and leaves the stored word',
  async (t) => {
    const world = await start(t)
    const { caller, sql } = world
    await sql`alter table oauth2_integration drop constraint oauth2_integration_status`
    await world.connect('42')
    await world.connect('other')
    await store(world, '42', 'a_newer_status', null)
    t.match(await readsHold(t, world, '42', 'newer status'), { status: 'active' })
    t.equal((await caller.send('GET', '/tokens/42')).status, 200, 'a valid token is handed out')
    await world.setRemaining('42', -1)
    t.equal((await caller.send('GET', '/tokens/42')).status, 200, 'an expired one is refreshed')
    t.match(await world.row('42'), { status: 'a_newer_status' })

    await store(world, '42', 'a_newer_status', NEWER)
    t.match(await readsHold(t, world, '42', 'refused'), { status: 'reconnect_required', failure: { who_acts: 'user' } })
    await world.setRemaining('42', -1)
    t.equal((await caller.send('GET', '/tokens/42')).status, 200, 'a refusal that may be cured is tried')
    t.match(await world.row('42'), { status: 'active', failure: null })
    t.match((await caller.send('GET', '/events')).body, { events: [{}, {}, { type: 'recovered' }] })

    await store(world, '42', 'a_newer_status', { ...NEWER, final: true })
    await world.setRemaining('42', -1)
    t.match(await caller.send('GET', '/tokens/42'), {
      status: 409,
      body: { reason: 'a_newer_reason', who_acts: 'user' },
    })
    await world.connect('42')
    t.match(await world.row('42'), { status: 'active', failure: null }, 'a connect cures it')
  },
)

t.test('scopes and times of any form make no read fail', async (t) => {
  const world = await start(t)
  await world.connect('42')
  await world.connect('other')
  const later = `failure = '{"verdict":"try_later","reason":"throttled"}', retry_at = 'infinity'`
  for (const columns of [
    `scopes = array[array['a', 'b'], array['c', null]]::text[]`,
    `access_token_expires_at = 'infinity'`,
    `refreshed_at = '-infinity', connected_at = 'infinity'`,
    `access_token_expires_at = '-infinity', ${later}`,
    `access_token_expires_at = 'infinity', refreshed_at = 'infinity', lease_owner = 'x', lease_until = 'infinity'`,
  ]) {
    await world.sql.unsafe(`update oauth2_integration set ${columns} where user_id = '42'`)
    await readsHold(t, world, '42', columns)
    t.equal((await world.caller.send('GET', '/tokens/42')).status, columns.endsWith(later) ? 503 : 200, columns)
    await diagnoseUser(world.env, '42').then(({ text }) => t.match(text, /User 42\n/, columns))
    await world.sql`update oauth2_integration set scopes = '{Files.ReadWrite.All,User.Read}', refreshed_at = now(),
      access_token_expires_at = now() + interval '1 hour', failure = null, retry_at = null, lease_until = null`
  }
})

t.test('ends that are infinite are shown as the last year that can be written', async (t) => {
  const world = await start(t)
  const { sql, caller } = world
  const { id, next } = await world.connect('42')
  await caller.send('POST', '/freezes', { scope: 'user', value: '42', reason: 'x', expires_at: '2099-01-01T00:00:00Z' })
  for (const end of ['infinity', '-infinity']) {
    await sql`update connect_session set expires_at = ${end}::text::timestamptz, created_at = ${end}::text::timestamptz`
    t.equal((await caller.send('GET', `/connect-sessions/${id}`)).status, 200, end)
    t.equal((await world.stoppingBrowser().open(next)).status, end === 'infinity' ? 200 : 410, end)
    await sql`update access_freeze set expires_at = ${end}::text::timestamptz, created_at = ${end}::text::timestamptz`
    const shown = await caller.send('GET', '/freezes')
    if (end === 'infinity')
      t.match(shown, { status: 200, body: { freezes: [{ value: '42', expires_at: '9999-12-31T23:59:59Z' }] } })
    else t.match(shown, { status: 200, body: { freezes: [] } })
    t.equal((await caller.send('GET', '/tokens/42')).status, end === 'infinity' ? 403 : 200, end)
    await diagnoseUser(world.env, '42').then(({ text }) => t.match(text, /User 42\n/, end))
    t.match((await diagnoseFleet(world.env)).text, /frozen/)
  }
  t.equal(await world.replica.services.freezes.endExpired(), 1)
  t.notMatch(world.replica.logged(), /"level":"error"/)
})

t.test('keep-alive goes over rows of any form and renews the others', async (t) => {
  const world = await start(t)
  const { keepAlive } = world.replica.services
  await world.sql`alter table oauth2_integration drop constraint oauth2_integration_status`
  for (const [n, failure] of MALFORMED.slice(0, 6).entries()) {
    await world.connect(`broken-${n}`)
    await store(world, `broken-${n}`, n === 0 ? 'a_newer_status' : 'active', failure)
  }
  await world.connect('other')
  await world.sql`update oauth2_integration set refreshed_at = now() - interval '50 days'`
  t.match(await keepAlive.sweep(new AbortController().signal), { renewed: 7, failed: 0, ended: 'done' })
})

t.test('events of a newer release are shown as they are, and those of any form are passed on', async (t) => {
  const world = await start(t)
  const { sql, caller } = world
  await world.connect('42')
  const put = (type: string, detail: unknown) =>
    sql`insert into event (user_id, type, caller, detail) values ('42', ${type}, 'newer', ${JSON.stringify(detail)}::text::jsonb)`
  await put('a_newer_type', { reason: 'a_newer_reason', cause: 'a_newer_cause', generation: 7, more: [1] })
  for (const detail of [...MALFORMED, ...fc.sample(anyJson, 20)]) await put('Not a word!', detail)
  await put('disconnected', {})
  const answer = await caller.send('GET', '/events?limit=500')
  t.equal(answer.status, 200)
  const { events } = answer.body as { events: Record<string, unknown>[] }
  t.match(events[1], { type: 'a_newer_type', reason: 'a_newer_reason', cause: 'a_newer_cause', generation: 7 })
  t.equal(events.length, MALFORMED.length + 23, 'none is left out')
  t.match(events.at(-2), { type: 'unknown' })
  t.match(events.at(-1), { type: 'disconnected' })
})

t.test(
  'an outcome or status of a connect session of any form is shown, on the API and on the result page',
  async (t) => {
    const world = await start(t)
    const { sql, caller } = world
    const { id, next } = await world.connect('42')
    const outcomes = [
      ...MALFORMED,
      {
        result: 'refused',
        code: 'a_newer_code',
        reason: 'a_newer_reason',
        account: { tenantId: 1 },
        microsoft: { error: 4 },
      },
      { result: 'a_newer_result', account: [] },
      { result: 'refused', code: 'toString', reason: 'constructor' },
      ...fc.sample(anyJson, 20),
    ]
    for (const [n, outcome] of outcomes.entries()) {
      const status = (['connected', 'refused', 'a_newer_status'] as const)[n % 3]!
      const what = `${status} ${JSON.stringify(outcome).slice(0, 100)}`
      await sql`update connect_session set status = ${status}, outcome = ${JSON.stringify(outcome)}::text::jsonb,
      expires_at = now() + interval '5 minutes' where id = ${id}`
      t.equal((await caller.send('GET', `/connect-sessions/${id}`)).status, 200, what)
      const page = await world.stoppingBrowser().open(next)
      t.equal(page.status, outcome === null ? 410 : 200, `${what}: result page`)
    }
    t.match(
      await sql`update connect_session set status = 'refused',
      outcome = '{"result":"refused","code":"connect_refused","reason":"a_newer_reason"}' where id = ${id} returning 1`,
      { length: 1 },
    )
    t.match(await caller.send('GET', `/connect-sessions/${id}`), {
      status: 200,
      body: { status: 'refused', outcome: { reason: 'a_newer_reason', who_acts: 'user', advice: String } },
    })
    await sql`update connect_session set status = 'a_newer_status', intent = 'a_newer_intent', outcome = null where id = ${id}`
    t.match(await caller.send('GET', `/connect-sessions/${id}`), { status: 200, body: { status: 'completing' } })
    await sql`update connect_session set expires_at = now() where id = ${id}`
    t.match(await caller.send('GET', `/connect-sessions/${id}`), { status: 200, body: { status: 'expired' } })
    t.notMatch(world.replica.logged(), /"level":"error"/)
  },
)

t.test('a link with an intent or status of a newer release is refused like a spent one', async (t) => {
  const world = await start(t)
  for (const column of ['intent', 'status']) {
    const { id, url } = await world.caller.beginConnect('42')
    await world.sql`update connect_session set ${world.sql(column)} = 'a_newer_word' where id = ${id}`
    t.match(await world.stoppingBrowser().open(url), { status: 403 }, column)
  }
})

t.test('a browser session whose data is malformed is no session, and the browser can connect', async (t) => {
  const world = await start(t)
  for (const data of [
    '[]',
    '"x"',
    '7',
    'null',
    '[[1]]',
    '{"cookie":{"expires":"x","originalMaxAge":{}}}',
    '{"userId":"42","manages":true,"cookie":{"originalMaxAge":"x"}}',
    '{"userId":{"a":1},"manages":true}',
    '{"get":1,"set":2,"touch":3,"save":4,"regenerate":5,"__proto__":6}',
  ]) {
    const browser = world.stoppingBrowser()
    await browser.open((await world.caller.beginConnect('42', { intent: 'manage' })).url)
    await world.sql`update browser_session set data = ${data}::text::jsonb`
    t.equal((await browser.open(`${world.baseUrl}/accounts/account/microsoft/`)).status, 403, data)
    t.ok((await browser.open((await world.caller.beginConnect('42')).url)).refresh, `${data}: reaches Microsoft`)
  }
})

t.test('doctor reports a user and the fleet, whatever is stored', async (t) => {
  const world = await start(t)
  await world.sql`alter table oauth2_integration drop constraint oauth2_integration_status`
  await world.connect('other', JANE)
  const { id } = await world.connect('42')
  for (const [n, value] of [NEWER, MALFORMED[1], MALFORMED[7], MALFORMED[9]].entries()) {
    await store(world, '42', ['reconnect_required', 'active', 'a_newer_status'][n % 3]!, value)
    await world.sql`update connect_session set outcome = ${JSON.stringify(value)}::text::jsonb, status = ${n === 0 ? 'refused' : 'a_newer_status'} where id = ${id}`
    await world.sql`insert into event (user_id, type, caller, detail) values ('42', 'a_newer_type', 'newer', ${JSON.stringify(value)}::text::jsonb)`
    const user = await diagnoseUser(world.env, '42')
    t.match(user.text, /User 42\n/, `user ${n}`)
    t.match(user.json, { user: { integration: { failure: { reason: String, who_acts: String, advice: String } } } })
    if (n === 0)
      t.match(user.json, { user: { integration: { failure: { reason: 'a_newer_reason', who_acts: 'user' } } } })
    const fleet = await diagnoseFleet({ ...world.env, OPERATIONS_REPLICAS: '' })
    t.match(fleet.json, { fleet: { failures: Object } }, `fleet ${n}`)
  }
})
