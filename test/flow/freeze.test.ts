import t from 'tap'
import type { Problem, Token } from '../../sandbox/megdocs/broker-client.ts'
import { systemClock } from '../../src/services.ts'
import { openWire } from '../support/wire.ts'
import { startWorld, type Replica, type World } from '../support/world.ts'

// A freeze withholds tokens at every replica, whatever is on its way, and ends without a trace (docs/design.md#freeze).

type Answer = { status: number; body: Token & Problem }
const read = async ({ caller }: Pick<Replica, 'caller'>, user = '42', query = '') =>
  (await caller.send('GET', `/tokens/${user}${query}`)) as Answer
const refresh = async ({ caller }: Pick<Replica, 'caller'>, generation: number) =>
  (await caller.send('POST', '/tokens/42/refresh', { generation })) as Answer
const freeze = async ({ caller }: Pick<Replica, 'caller'>, scope: string, value: string, more: object = {}) =>
  (await caller.send('POST', '/freezes', { scope, value, reason: 'test', ...more })) as {
    status: number
    body: { id: string; scope: string; value: string; expires_at?: string } & Problem
  }
const events = async ({ caller }: World) =>
  ((await caller.send('GET', '/events?limit=500')) as { body: { events: Record<string, unknown>[] } }).body.events
const tenantOf = async (world: World, user = '42') => String((await world.row(user))!['tenant_id'])
const FROZEN = { status: 403, body: { code: 'frozen', who_acts: 'ops', retry_after: undefined } }

t.test(
  'a frozen user gets no token at any replica, not even a remembered one; lifting needs no reconnect',
  async (t) => {
    const world = await startWorld(t)
    await world.connect('42')
    await world.connect('43')
    const second = await world.startReplica()
    const replicas = [world.replica, second]
    const before = await Promise.all(replicas.map((replica) => read(replica)))
    const { status, body } = await freeze(world.replica, 'user', '42')
    t.equal(status, 201)
    for (const replica of replicas) {
      t.match(await read(replica), { ...FROZEN, body: { ...FROZEN.body, reason: 'user_frozen' } })
      t.match(await read(replica, '42', '?min_ttl=0'), FROZEN)
      t.match(await refresh(replica, before[0]!.body.generation), FROZEN)
      t.match(await read(replica, '43'), { status: 200 }, 'everybody else is unharmed')
    }
    t.equal(world.entra.control.tokenRequests().byGrant['refresh_token'] ?? 0, 0, 'nothing is refreshed for a refusal')
    t.match(await world.caller.send('GET', '/integrations/42'), {
      status: 200,
      body: { status: 'active', frozen: { reason: 'user_frozen', who_acts: 'ops' } },
    })
    t.match(await world.caller.send('GET', '/freezes'), {
      body: { freezes: [{ id: body.id, scope: 'user', value: '42' }] },
    })
    t.equal((await second.caller.send('DELETE', `/freezes/${body.id}`)).status, 204)
    t.equal((await second.caller.send('DELETE', `/freezes/${body.id}`)).status, 404)
    for (const replica of replicas)
      t.match(await read(replica), { status: 200, body: { access_token: before[0]!.body.access_token } })
    t.match(await world.row('42'), { status: 'active', failure: null })
    t.match(
      (await events(world)).map(({ type, user_id, freeze }) => ({ type, user_id, freeze })),
      [
        { type: 'connected', user_id: '42' },
        { type: 'connected', user_id: '43' },
        { type: 'frozen', user_id: '42', freeze: { id: body.id, scope: 'user', value: '42' } },
        { type: 'unfrozen', user_id: '42', freeze: { id: body.id } },
      ],
    )
  },
)

t.test('a frozen tenant: all of its users, and nobody else', async (t) => {
  const world = await startWorld(t)
  await world.connect('42')
  await world.connect('43', 'john@contoso.com').catch(() => world.connect('43'))
  const tenant = await tenantOf(world)
  await world.sql`update oauth2_integration set tenant_id = '11111111-2222-4333-8444-555555555555' where user_id = '43'`
  t.match(await freeze(world.replica, 'tenant', tenant.toUpperCase()), { status: 201, body: { value: tenant } })
  t.match(await read(world.replica), { ...FROZEN, body: { ...FROZEN.body, reason: 'tenant_frozen' } })
  t.match(await read(world.replica, '43'), { status: 200 })
  const [event] = (await events(world)).slice(-1)
  t.match(event, { type: 'frozen', user_id: '', freeze: { scope: 'tenant', value: tenant } })
})

t.test('a frozen key may do nothing, lifting included; another key of the same caller goes on', async (t) => {
  const world = await startWorld(t)
  await world.connect('42')
  const { services } = world.replica
  const { key_id: keyId } = world.secrets.megdocsKey
  const { freeze: frozen } = await services.freezes.freeze({
    scope: 'caller_key',
    value: keyId,
    reason: 'test',
    caller: 'token-broker freeze',
  })
  const asked = [
    ['GET', '/tokens/42'],
    ['GET', '/tokens/nobody'],
    ['POST', '/tokens/42/refresh', { generation: 1 }],
    ['GET', '/integrations/42'],
    ['GET', '/integrations'],
    ['GET', '/events'],
    ['GET', '/freezes'],
    ['DELETE', `/freezes/${frozen.id}`],
    ['DELETE', '/integrations/42'],
    ['POST', '/freezes', { scope: 'user', value: '1', reason: 'x' }],
    ['POST', '/connect-sessions', { user_id: '42' }],
  ] as const
  for (const [method, path, body] of asked)
    t.match(
      await world.caller.send(method, path, body),
      { ...FROZEN, body: { ...FROZEN.body, reason: 'caller_key_frozen' } },
      `${method} ${path}`,
    )
  t.equal((await services.freezes.list()).length, 1)
  await services.freezes.lift(frozen.id, 'token-broker unfreeze')
  await services.freezes.freeze({ scope: 'caller_key', value: `${keyId}x`, reason: 'other', caller: 'test' })
  t.match(await read(world.replica), { status: 200 })
})

t.test(
  'a refresh in flight is saved and its token is not handed out: neither to the one who sent it nor to waiters',
  async (t) => {
    const world = await startWorld(t)
    await world.connect('42')
    const second = await world.startReplica()
    await world.setRemaining('42', -1)
    world.entra.control.holdAfter()
    // One sends, one joins it, one waits at the other replica.
    const waiting = [read(world.replica), read(world.replica), read(second)]
    await world.entra.control.held()
    await freeze(world.replica, 'user', '42')
    world.entra.control.release()
    for (const answer of await Promise.all(waiting)) t.match(answer, FROZEN)
    const row = await world.row('42')
    t.match(row, { status: 'active', lease_owner: null }, 'the new tokens were saved')
    t.ok(Number(row!['generation']) > 1)
    t.equal(world.entra.control.tokenRequests().byGrant['refresh_token'], 1)
  },
)

t.test('a valid token that waits for a slow Microsoft is not handed out degraded after the freeze', async (t) => {
  const world = await startWorld(t)
  await world.connect('42')
  // Valid for less than asked: a read refreshes first, and would answer degraded at its deadline.
  await world.setRemaining('42', 200)
  world.entra.control.holdAfter()
  const waiting = read(world.replica, '42', '?deadline_ms=2500')
  await world.entra.control.held()
  await freeze(world.replica, 'user', '42')
  t.match(await waiting, FROZEN)
  world.entra.control.release()
})

t.test('tokens that could not be saved are withheld when the freezes cannot be read', async (t) => {
  const world = await startWorld(t)
  await world.connect('42')
  const wire = await openWire(world.env['DATABASE_URL']!)
  t.teardown(() => wire.close())
  let passedMs = 0
  const clock = { ...systemClock, elapsed: () => systemClock.elapsed() + passedMs }
  const replica = await world.startReplica({ DATABASE_URL: wire.url }, { clock })
  await world.setRemaining('42', -1)
  world.entra.control.holdAfter()
  const waiting = read(replica)
  await world.entra.control.held()
  passedMs = 1_100
  wire.cut()
  await freeze(world.replica, 'user', '42')
  world.entra.control.release()
  t.match(await waiting, { status: 503, body: { code: 'database_unavailable' } })
  wire.mend()
})

t.test('a read costs one statement with a freeze in the table, and writes nothing', async (t) => {
  const world = await startWorld(t)
  await world.connect('42')
  await freeze(world.replica, 'user', 'another')
  const wire = await openWire(world.env['DATABASE_URL']!)
  t.teardown(() => wire.close())
  const replica = await world.startReplica({ DATABASE_URL: wire.url })
  wire.statements()
  t.equal((await read(replica)).status, 200)
  t.equal((await read(replica)).status, 200)
  const sent = wire.statements()
  t.equal(sent.length, 2, sent.join('\n'))
  t.ok(sent.every((text) => text.startsWith('select')))
})

t.test("a freeze ends by Postgres' clock, and the event says so", async (t) => {
  const world = await startWorld(t)
  await world.connect('42')
  const { body } = await freeze(world.replica, 'user', '42', { expires_at: '2099-01-01T00:00:00Z' })
  t.match(await read(world.replica), FROZEN)
  await world.sql`update access_freeze set expires_at = clock_timestamp() - interval '1 second'`
  t.match(await read(world.replica), { status: 200 })
  t.match(await world.caller.send('GET', '/freezes'), { body: { freezes: [] } })
  t.equal(await world.replica.services.freezes.endExpired(), 1)
  t.match((await events(world)).at(-1), { type: 'unfrozen', cause: 'expired', freeze: { id: body.id } })
  t.match(await freeze(world.replica, 'user', '42', { expires_at: '2020-01-01T00:00:00Z' }), {
    status: 422,
    body: { code: 'invalid_request' },
  })
})

t.test('freezing twice keeps one freeze, which never becomes shorter', async (t) => {
  const world = await startWorld(t)
  const first = await freeze(world.replica, 'user', '42', { expires_at: '2090-01-01T00:00:00Z' })
  const shorter = await freeze(world.replica, 'user', '42', { expires_at: '2080-01-01T00:00:00Z' })
  t.match(shorter, { status: 200, body: { id: first.body.id, expires_at: '2090-01-01T00:00:00Z' } })
  const forEver = await freeze(world.replica, 'user', '42')
  t.match(forEver, { status: 200, body: { id: first.body.id } })
  t.equal(forEver.body.expires_at, undefined)
  const again = await freeze(world.replica, 'user', '42', { expires_at: '2095-01-01T00:00:00Z' })
  t.equal(again.body.expires_at, undefined)
  t.equal((await events(world)).length, 1)
  const many = await Promise.all(Array.from({ length: 8 }, () => freeze(world.replica, 'user', '7')))
  t.equal(many.filter(({ status }) => status === 201).length, 1)
  t.equal(new Set(many.map(({ body }) => body.id)).size, 1)
})

t.test('what cannot be frozen is refused in words', async (t) => {
  const world = await startWorld(t)
  for (const [scope, value] of [
    ['user', 'a b'],
    ['tenant', 'contoso.com'],
    ['caller_key', 'a b'],
    ['everything', '42'],
  ] as const)
    t.match(await freeze(world.replica, scope, value), { status: 422, body: { code: 'invalid_request' } })
  t.equal((await freeze(world.replica, 'user', '42', { reason: 'a\nb' })).status, 422)
  for (const expires_at of [
    '2099-02-30T00:00:00Z',
    '2099-04-31T00:00:00+02:00',
    '0000-01-01T00:00:00Z',
    '2099-13-01T00:00:00Z',
    'infinity',
  ])
    t.match(
      await freeze(world.replica, 'user', '42', { expires_at }),
      { status: 422, body: { code: 'invalid_request' } },
      expires_at,
    )
  // Postgres itself takes no offset of 16 hours and more.
  for (const [user, expires_at] of Object.entries({
    42: '2096-02-29T23:59:59.123456-15:59',
    43: '2099-01-01T00:00:00+23:59',
  }))
    t.equal((await freeze(world.replica, 'user', user, { expires_at })).status, 201, expires_at)
})

t.test(
  'connect and import of frozen people are refused once the account is known; disconnect is allowed',
  async (t) => {
    const world = await startWorld(t)
    await world.connect('42')
    const tenant = await tenantOf(world)
    await freeze(world.replica, 'tenant', tenant)
    const { id, browser, authorizeUrl } = await world.toMicrosoft('50')
    await browser.open(world.entra.control.signIn({ account: 'jane@contoso.com', authorizeUrl }))
    const answer = await world.caller.send('POST', `/connect-sessions/${id}/complete`, {
      user_id: '50',
      handle: world.handle(id),
    })
    t.match(answer, { status: 403, body: { code: 'frozen', reason: 'tenant_frozen', next: String } })
    t.equal(await world.row('50'), undefined)
    const next = (answer.body as { next: string }).next
    t.match((await world.browser().open(next)).html, /Access is paused for your organisation/)
    await freeze(world.replica, 'user', '60')
    const row = (user_id: string, more = {}) => ({
      user_id,
      refresh_token: 'a-refresh-token-of-some-length',
      updated_at: new Date().toISOString(),
      ...more,
    })
    t.match(
      await world.caller.send('POST', '/integrations/import', {
        rows: [
          row('60'),
          row('61', { tenant_id: tenant, object_id: '0b6f7c1e-3a5d-4e9b-9c8a-7d6e5f4a3b2c' }),
          row('62'),
        ],
      }),
      {
        body: {
          results: [
            { result: 'skipped', reason: 'frozen' },
            { result: 'skipped', reason: 'frozen' },
            { result: 'imported' },
          ],
        },
      },
    )
    t.equal((await world.caller.send('DELETE', '/integrations/42')).status, 204)
    t.equal(await world.row('42'), undefined)
  },
)

t.test('nothing is deleted under a freeze, and keep-alive goes on', async (t) => {
  const world = await startWorld(t)
  await world.connect('42')
  await world.connect('43')
  await freeze(world.replica, 'user', '42')
  await world.sql`update oauth2_integration set last_used_at = now() - interval '400 days', refreshed_at = now() - interval '50 days'`
  const { keepAlive } = world.replica.services
  const swept = await keepAlive.sweep(new AbortController().signal)
  t.match(swept, { letGo: 1, renewed: 1 })
  t.ok(await world.row('42'))
  t.equal(await world.row('43'), undefined)
})

t.test('an answer that was held up for longer than a second is checked again', async (t) => {
  const world = await startWorld(t)
  await world.connect('42')
  const { refresh, clock } = world.replica.services
  const wanted = { userId: '42', minTtlSeconds: 300, deadlineAt: clock.elapsed() + 8_000, requestId: 'r' }
  const answer = await refresh.tokenFor(wanted)
  t.ok(answer.leavesBefore > clock.elapsed() && answer.leavesBefore <= clock.elapsed() + 1_000)
  await freeze(world.replica, 'user', '42')
  await t.rejects(refresh.recheck({ ...answer, leavesBefore: clock.elapsed() - 1 }, wanted), { code: 'frozen' })
})

/** A replica whose audit lines take 1.5 s, in which `happens` is done. */
async function slowReplica(world: World, happens: () => Promise<unknown>): Promise<Replica> {
  const { logOutput } = world.replica.services
  let shiftMs = 0
  return world.startReplica(
    {},
    {
      clock: { ...systemClock, elapsed: () => systemClock.elapsed() + shiftMs },
      logOutput: {
        ...logOutput,
        writeAwaited(line, written) {
          logOutput.writeAwaited(line, (ok) => {
            shiftMs += 1_500
            void happens().then(() => written(ok))
          })
        },
      },
    },
  )
}

t.test('what comes while the audit line of a token is written is the answer: no token leaves', async (t) => {
  const world = await startWorld(t)
  let beforeWritten: () => Promise<unknown> = async () => {}
  const slow = await slowReplica(world, () => beforeWritten())
  /** Reads the token of a user; `happens` while its audit line is written. */
  async function readWhile(user: string, happens: () => Promise<unknown>): Promise<Answer> {
    await world.connect(user)
    t.match(await read(slow, user), { status: 200 })
    beforeWritten = async () => {
      beforeWritten = async () => {}
      await happens()
    }
    return read(slow, user)
  }
  const linesOf = (user: string) =>
    world.replica
      .logged()
      .split('\n')
      .filter((line) => line.includes(`"user_id":"${user}"`))
      .map((line) => JSON.parse(line) as { msg: string; audit?: string })

  t.match(await readWhile('nothing', async () => {}), { status: 200, body: { access_token: String } })
  const cases = [
    {
      user: 'frozen',
      happens: () => freeze(world.replica, 'user', 'frozen'),
      wanted: { status: 403, body: { code: 'frozen', reason: 'user_frozen', who_acts: 'ops', retry_after: undefined } },
    },
    {
      user: 'left',
      happens: () => world.caller.send('DELETE', '/integrations/left'),
      wanted: { status: 404, body: { code: 'not_connected', retry_after: undefined } },
    },
    {
      user: 'left-and-key',
      async happens() {
        await world.caller.send('DELETE', '/integrations/left-and-key')
        await freeze(world.replica, 'caller_key', world.secrets.megdocsKey.key_id)
      },
      wanted: { status: 403, body: { code: 'frozen', reason: 'caller_key_frozen', retry_after: undefined } },
    },
  ]
  for (const { user, happens, wanted } of cases) {
    const { status, body } = await readWhile(user, happens)
    t.match({ status, body }, wanted, user)
    t.notOk('access_token' in body, user)
    const { code } = body
    t.match(
      linesOf(user).filter(({ msg, audit }) => audit === 'refused' || msg === 'request failed'),
      [
        { msg: 'request failed', code },
        { audit: 'refused', code, status, generation: undefined },
      ],
      `${user}: the lines say that the token did not leave`,
    )
  }
})

t.test(
  'if Postgres does not say whether a freeze came while the audit line was written, no token leaves',
  async (t) => {
    const world = await startWorld(t)
    await world.connect('42')
    const slow: Replica = await slowReplica(world, () => slow.services.database.close())
    const { status, body } = await read(slow)
    t.match({ status, body }, { status: 503, body: { code: 'database_unavailable', retry_after: 5 } })
    t.notOk('access_token' in body)
  },
)
