import t from 'tap'
import type { Token, Problem } from '../../sandbox/megdocs/broker-client.ts'
import { systemClock } from '../../src/services.ts'
import { openWire } from '../support/wire.ts'
import { JANE, startWorld, type Replica, type World } from '../support/world.ts'

// Three replicas on one Postgres: one call per generation, and a process that lost its lease cannot harm the next
// (docs/design.md#refresh).

const calls = ({ entra }: World) => entra.control.tokenRequests().byGrant['refresh_token'] ?? 0

async function ask({ caller }: Replica, method: 'GET' | 'POST', path: string, body?: object) {
  return (await caller.send(method, path, body)) as { status: number; body: Token & Problem }
}
const read = (replica: Replica, query = '') => ask(replica, 'GET', `/tokens/42${query}`)
const force = (replica: Replica, generation: number) => ask(replica, 'POST', '/tokens/42/refresh', { generation })

/** Exchanges with Microsoft that are held for as long as the test holds them. */
const endless = { deadline: () => new AbortController().signal }

async function three(
  t: Parameters<typeof startWorld>[0],
): Promise<{ world: World; replicas: [Replica, Replica, Replica] }> {
  // What is counted here is calls to Microsoft, not milliseconds on a busy machine.
  const world = await startWorld(t, { env: { DATABASE_DEADLINE_MS: '30000' }, overrides: endless })
  await world.connect('42')
  return { world, replicas: [world.replica, await world.startReplica(), await world.startReplica()] }
}
const spread = <T>(count: number, replicas: readonly Replica[], work: (replica: Replica) => Promise<T>) =>
  Promise.all(Array.from({ length: count }, (_, i) => work(replicas[i % replicas.length]!)))
const generationsOf = (answers: { body: Token }[]) => new Set(answers.map(({ body }) => body.generation))
/**
 * Waits until one flight is held at Microsoft and readers of the other replicas wait for it. Its lease lasts as long as
 * the test needs.
 */
async function oneFlies(world: World, replicas: readonly Replica[]): Promise<void> {
  await world.entra.control.held()
  await world.sql`update oauth2_integration set lease_until = now() + interval '1 hour' where lease_until is not null`
  const waited = async ({ services }: Replica) =>
    /refresh_waits_total [1-9]/.test(await services.metrics.registry.metrics())
  while ((await Promise.all(replicas.map(waited))).filter(Boolean).length < replicas.length - 1)
    await new Promise((resolve) => setTimeout(resolve, 20))
}
const endLease = ({ sql }: World) => sql`update oauth2_integration set lease_until = now() - interval '1 second'`
const logged = (replicas: readonly Replica[], what: string) =>
  replicas.flatMap((one) => one.logged().split('\n')).filter((line) => line.includes(what)).length

t.test(
  '150 concurrent readers of an expired token over three replicas make one call, and all get its token',
  async (t) => {
    const { world, replicas } = await three(t)
    const { generation } = await world.caller.token('42')
    for (let round = 1; round <= 2; round++) {
      await world.setRemaining('42', -1)
      const answers = await spread(150, replicas, (replica) => read(replica, '?deadline_ms=30000'))
      t.strictSame(new Set(answers.map(({ status }) => status)), new Set([200]))
      t.equal(generationsOf(answers).size, 1)
      t.ok(answers[0]!.body.generation > generation)
      t.notOk(answers.some(({ body }) => body.degraded))
      t.equal(calls(world), round)
    }
  },
)

t.test(
  'ten simultaneous forced refreshes of one generation over three replicas cost one call and return a later one',
  async (t) => {
    const { world, replicas } = await three(t)
    const { generation, access_token: failed } = await world.caller.token('42')
    const answers = await spread(10, replicas, (replica) => force(replica, generation))
    t.ok(
      answers.every(
        ({ status, body }) => status === 200 && body.generation > generation && body.access_token !== failed,
      ),
    )
    t.equal(calls(world), 1)
    t.match(
      await force(replicas[1], generation),
      { status: 200, body: { generation: answers[0]!.body.generation } },
      'the stored one is later: no call',
    )
    t.equal(calls(world), 1)
  },
)

t.test('a forced refresh that joins a plain one returns the later token too', async (t) => {
  const { world, replicas } = await three(t)
  const { generation } = await world.caller.token('42')
  for (let round = 1; round <= 3; round++) {
    await world.setRemaining('42', 200)
    world.entra.control.hold()
    const plain = read(replicas[0])
    await world.entra.control.held()
    const before = (await world.row('42'))!['generation']
    const forced = [force(replicas[0], Number(before)), force(replicas[1], Number(before))]
    world.entra.control.release()
    for (const { status, body } of [...(await Promise.all(forced)), await plain]) {
      t.equal(status, 200)
      t.ok(body.generation > Number(before) && body.generation > generation)
    }
    t.equal(calls(world), round)
  }
})

t.test(
  'a forced refresh that fails is an error, never the token that failed; a plain read still gets that token',
  async (t) => {
    const { world, replicas } = await three(t)
    const { generation } = await world.caller.token('42')
    // Throttled for ten minutes, so that callers who come late get the same answer.
    world.entra.control.misbehave('throttle', 600)
    for (const { status, body } of await spread(4, replicas, (replica) => force(replica, generation))) {
      t.match({ status, body }, { status: 503, body: { code: 'microsoft_unavailable', reason: 'throttled' } })
      t.ok(body.retry_after)
      t.notOk('access_token' in body)
    }
    t.equal(calls(world), 1)
    t.match(await read(replicas[2]), { status: 200, body: { generation } })
  },
)

t.test(
  'waiters of a failing flight get its outcome at once, here and in other replicas, and none tries again',
  async (t) => {
    const { world, replicas } = await three(t)
    await world.setRemaining('42', -1)
    world.entra.control.misbehave('throttle', 600)
    world.entra.control.hold()
    const waiting = spread(30, replicas, (replica) => read(replica, '?deadline_ms=30000'))
    await oneFlies(world, replicas)
    world.entra.control.release()
    for (const answer of await waiting)
      t.match(answer, { status: 503, body: { code: 'microsoft_unavailable', reason: 'throttled' } })
    t.equal(calls(world), 1)
  },
)

t.test('a curable refusal that turns final costs one call over all replicas', async (t) => {
  const { world, replicas } = await three(t)
  await world.setRemaining('42', -1)
  const curable = {
    verdict: 'reconnect',
    reason: 'blocked_by_policy',
    final: false,
    microsoft: { aadsts: 53003 },
    at: '2026-01-01T00:00:00Z',
  }
  await world.sql`update oauth2_integration set status = 'reconnect_required', failure = ${world.sql.json(curable)}, retry_at = now() - interval '1 second'`
  world.entra.control.misbehave('aadsts', 700082)
  world.entra.control.hold()
  const waiting = spread(6, replicas, (replica) => read(replica, '?deadline_ms=30000'))
  await oneFlies(world, replicas)
  world.entra.control.release()
  for (const answer of await waiting)
    t.match(answer, { status: 409, body: { code: 'reconnect_required', reason: 'refresh_token_expired' } })
  t.equal(calls(world), 1)
  t.match(await read(replicas[0]), { status: 409 })
  t.equal(calls(world), 1)
})

t.test(
  'a refused client secret costs one call over all replicas: the waiters get the reason, and no row is marked',
  async (t) => {
    const { world, replicas } = await three(t)
    await world.setRemaining('42', -1)
    // The few seconds in which the row is left alone last as long as this test needs.
    await world.sql`create function stretch() returns trigger language plpgsql as $$ begin new.retry_at := new.retry_at + interval '1 hour'; return new; end $$`
    await world.sql`create trigger stretch before update of retry_at on oauth2_integration for each row execute function stretch()`
    world.entra.control.configureApp({ clientSecrets: ['another'] })
    world.entra.control.hold()
    const waiting = spread(6, replicas, (replica) => read(replica, '?deadline_ms=30000'))
    await oneFlies(world, replicas)
    world.entra.control.release()
    for (const answer of await waiting)
      t.match(answer, {
        status: 503,
        body: { code: 'broker_misconfigured', reason: 'client_credential', who_acts: 'ops' },
      })
    t.equal(calls(world), 1)
    t.match(await world.row('42'), { status: 'active', failure: null, failures: 0, lease_owner: null })
    const [row] =
      await world.sql`select retry_at < now() + interval '1 hour 10 seconds' as short from oauth2_integration`
    t.equal(row?.['short'], true)
    await world.sql`drop trigger stretch on oauth2_integration`
    await world.sql`update oauth2_integration set retry_at = retry_at - interval '2 hours'`
    world.entra.control.configureApp({ clientSecrets: [world.entra.clientSecret] })
    const healed = await Promise.all(replicas.map((replica) => read(replica)))
    t.ok(
      healed.some(({ status }) => status === 200),
      'the replicas that sent nothing themselves go on at once',
    )
  },
)

t.test(
  'a generation that was never issued here, as after a restored backup: a later token, by at most one call a minute',
  async (t) => {
    const { world, replicas } = await three(t)
    const before = Number((await world.row('42'))!['generation'])
    const unknown = before + 1000
    for (let minute = 1; minute <= 2; minute++) {
      await world.setRemaining('42', 3600 - 61)
      const { body } = await force(replicas[0], unknown)
      t.ok(body.generation > before)
      t.equal(calls(world), minute)
      for (const {
        status,
        body: { access_token: again },
      } of await spread(6, replicas, (replica) => force(replica, unknown))) {
        t.match({ status, again }, { status: 200, again: body.access_token })
      }
      t.equal(calls(world), minute)
    }
    world.entra.control.misbehave('throttle', 600)
    await world.setRemaining('42', 3600 - 61)
    t.match(
      await force(replicas[0], unknown),
      { status: 503, body: { reason: 'throttled' } },
      'the token that may have failed is not the answer',
    )
  },
)

t.test(
  'a row that is marked while its new tokens are on their way works again, and is counted as a false reconnect',
  async (t) => {
    const {
      world,
      replicas: [replica],
    } = await three(t)
    await world.setRemaining('42', -1)
    world.entra.control.holdAfter()
    const reading = read(replica, '?deadline_ms=30000')
    await world.entra.control.held()
    const mark = {
      verdict: 'reconnect',
      reason: 'access_revoked',
      final: true,
      microsoft: {},
      at: '2026-01-01T00:00:00Z',
    }
    await world.sql`update oauth2_integration set status = 'reconnect_required', failure = ${world.sql.json(mark)}`
    world.entra.control.release()
    t.match(await reading, { status: 200, body: { access_token: (await world.stored('42'))!.accessToken } })
    t.match(await world.row('42'), { status: 'active', failure: null })
    t.match(await replica.services.metrics.registry.metrics(), /^token_broker_mistaken_reconnects_total 1$/m)
  },
)

t.test(
  "a caller who waits for a keep-alive's refresh uses the integration: recorded once, here and from another replica",
  async (t) => {
    const { world } = await three(t)
    const wire = await openWire(world.env['DATABASE_URL']!)
    t.teardown(() => wire.close())
    const [keeper, other] = [
      await world.startReplica({ DATABASE_URL: wire.url }),
      await world.startReplica({ DATABASE_URL: wire.url }),
    ]
    for (const reader of [keeper, other]) {
      await world.sql`update oauth2_integration set last_used_at = now() - interval '300 days'`
      await world.setRemaining('42', -1)
      wire.statements()
      world.entra.control.hold()
      const renewed = keeper.services.refresh.renew((await keeper.services.integrations.read('42'))!, 'keep-alive')
      await world.entra.control.held()
      await world.sql`update oauth2_integration set lease_until = now() + interval '1 hour'`
      const reading = Promise.all([1, 2, 3].map(() => read(reader, '?deadline_ms=30000')))
      // The first reader of another replica waits for the lease, the others join it.
      const joined = `refreshes_joined_total ${reader === keeper ? 3 : 2}`
      while (!(await reader.services.metrics.registry.metrics()).includes(joined))
        await new Promise((resolve) => setTimeout(resolve, 20))
      world.entra.control.release()
      t.equal((await renewed).kind, 'tokens')
      t.strictSame(
        (await reading).map(({ status }) => status),
        [200, 200, 200],
      )
      t.equal(
        wire.statements().filter((text) => text.includes('set "last_used_at"') && !text.includes('lease_owner')).length,
        1,
      )
      const [row] = await world.sql`select last_used_at > now() - interval '1 hour' as recent from oauth2_integration`
      t.equal(row?.['recent'], true)
    }
  },
)

t.test('a final refusal costs one call and one event, however many read at once', async (t) => {
  const { world, replicas } = await three(t)
  await world.setRemaining('42', -1)
  world.entra.control.revokeSessions({ account: JANE })
  for (const answer of await spread(60, replicas, (replica) => read(replica))) {
    t.match(answer, { status: 409, body: { code: 'reconnect_required', reason: 'access_revoked' } })
  }
  t.equal(calls(world), 1)
  t.equal((await world.sql`select 1 from event where type = 'reconnect_required'`).length, 1)
})

t.test(
  'a process that lost its lease still saves its tokens, although the next holder is refused by strict rotation',
  async (t) => {
    const { world, replicas } = await three(t)
    world.entra.control.configure({ rotation: 'strict' })
    await world.setRemaining('42', -1)
    world.entra.control.holdAfter()
    const winner = read(replicas[0])
    await world.entra.control.held(1)
    await endLease(world)
    // The second holds the lease while the first one's answer is on its way; its own answer is a refusal.
    const second = read(replicas[1])
    await world.entra.control.held(2)
    const [owner] = await world.sql`select lease_owner from oauth2_integration`
    t.ok(owner?.['lease_owner'])
    world.entra.control.release()
    const answers = await Promise.all([winner, second])
    const row = await world.row('42')
    t.equal(calls(world), 2)
    t.equal(logged(replicas, 'lease_taken_over'), 1)
    // Whichever answer comes first, the user stays connected, with one of the issued token sets.
    t.match(row, { status: 'active', failure: null, lease_owner: null })
    const after = await read(replicas[2])
    t.match(after, { status: 200 })
    t.equal(after.body.access_token, (await world.stored('42'))?.accessToken)
    t.ok(answers.some(({ status, body }) => status === 200 && body.generation === after.body.generation))
  },
)

t.test(
  'two answers with tokens for one generation: the first that is saved stays, the other is discarded',
  async (t) => {
    const { world, replicas } = await three(t)
    await world.setRemaining('42', -1)
    world.entra.control.holdAfter()
    const first = read(replicas[0])
    await world.entra.control.held(1)
    await endLease(world)
    const second = read(replicas[1])
    await world.entra.control.held(2)
    world.entra.control.release()
    const answers = await Promise.all([first, second])
    t.strictSame(
      answers.map(({ status }) => status),
      [200, 200],
    )
    t.equal(generationsOf(answers).size, 1)
    t.equal(answers[0].body.access_token, answers[1].body.access_token)
    t.equal(logged(replicas, '"discarded"'), 1)
  },
)

t.test('strict rotation with a lost answer: reconnect_required at once, no loop', async (t) => {
  // The kept connection is reset before an answer came, so the request is sent once more. Entra accepts the refresh
  // token again; strict rotation does not.
  const { world, replicas } = await three(t)
  world.entra.control.configure({ rotation: 'strict' })
  await world.setRemaining('42', -1)
  world.entra.control.misbehave('reset', true, { times: 1 })
  for (let i = 0; i < 6; i++)
    t.match(await read(replicas[i % 3]!), {
      status: 409,
      body: { code: 'reconnect_required', reason: 'token_invalid' },
    })
  t.equal(calls(world), 2)
})

t.test('a row that is deleted during its refresh stays deleted', async (t) => {
  const { world, replicas } = await three(t)
  await world.setRemaining('42', -1)
  world.entra.control.holdAfter()
  const reading = [read(replicas[0]), read(replicas[1])]
  await world.entra.control.held()
  await world.caller.disconnect('42')
  world.entra.control.release()
  for (const answer of await Promise.all(reading)) t.match(answer, { status: 404, body: { code: 'not_connected' } })
  t.equal(await world.row('42'), undefined)
})

t.test("a reconnect as another account during a refresh: nobody gets the first account's token", async (t) => {
  const { world, replicas } = await three(t)
  const other = world.entra.control
    .state()
    .accounts.find(
      ({ username, tenantId }) => username !== JANE && tenantId !== '9188040d-6c67-4c5b-b112-36a304b66dad',
    )!
  await world.setRemaining('42', -1)
  world.entra.control.holdAfter()
  const reading = [read(replicas[0]), read(replicas[1])]
  await world.entra.control.held()
  const switching = world.connect('42', other.username, { allowSwitch: true })
  await world.entra.control.held(2)
  world.entra.control.release()
  await switching
  // Those whose refresh was saved before the reconnect committed got the old account's token while it was the user's
  // account.
  const [connected] = await world.sql`select detail->>'generation' as generation from event where type = 'reconnected'`
  for (const { status, body } of await Promise.all(reading)) {
    t.equal(status, 200)
    t.equal(body.account?.object_id === other.objectId, body.generation >= Number(connected!['generation']))
  }
  t.match((await read(replicas[2])).body.account, { object_id: other.objectId })
  t.match(await world.row('42'), { object_id: other.objectId, tenant_id: other.tenantId })
})

t.test(
  "a reconnect that commits before the refresh's answer is saved wins; the late answer is discarded",
  async (t) => {
    const { world, replicas } = await three(t)
    await world.setRemaining('42', -1)
    world.entra.control.holdAfter()
    const reading = read(replicas[0])
    await world.entra.control.held()
    // What a reconnect does to the row, without Microsoft (who is holding): another account under a new generation.
    await world.sql`update oauth2_integration set generation = nextval('integration_generation'),
    object_id = ${'00000000-0000-4000-8000-00000000000a'},
    access_token_expires_at = now() + interval '1 hour', refreshed_at = now(), lease_owner = null, lease_until = null`
    const stored = await world.stored('42')
    world.entra.control.release()
    const { body } = await reading
    t.equal(body.access_token, stored?.accessToken)
    t.match(body.account, { object_id: '00000000-0000-4000-8000-00000000000a' })
    t.strictSame(await world.stored('42'), stored)
  },
)

t.test("replicas whose clocks are an hour off refresh and agree: stored times are Postgres' alone", async (t) => {
  const world = await startWorld(t)
  await world.connect('42')
  const shifted = (seconds: number) => ({ clock: { ...systemClock, now: () => systemClock.now() + seconds * 1000 } })
  // Signatures are judged by the process' clock, so these are asked at the core, not over HTTP.
  const apart = [await world.startReplica({}, shifted(3600)), await world.startReplica({}, shifted(-3600))]
  const tokenFrom = ({ services: { refresh, clock } }: Replica, after?: number) =>
    refresh.tokenFor({
      userId: '42',
      minTtlSeconds: 300,
      deadlineAt: clock.elapsed() + 8_000,
      requestId: 'clocks',
      ...(after === undefined ? {} : { after }),
    })
  await world.setRemaining('42', 301)
  for (const replica of apart) t.notOk((await tokenFrom(replica)).degraded)
  t.equal(calls(world), 0)
  await world.setRemaining('42', 299)
  const answers = await Promise.all(apart.map((replica) => tokenFrom(replica)))
  t.equal(calls(world), 1)
  t.equal(new Set(answers.map(({ integration }) => integration.expiresAt)).size, 1)
  const [row] =
    await world.sql`select extract(epoch from access_token_expires_at - now()) as left from oauth2_integration`
  for (const { integration } of answers) t.ok(Math.abs(integration.remainingSeconds - Number(row!['left'])) < 60)
  // Each replica in turn must refresh, and accept the new token although its own clock is wrong.
  for (const replica of apart) {
    const sent = calls(world)
    const {
      integration: { generation },
    } = await tokenFrom(replica)
    const { integration, degraded } = await tokenFrom(replica, generation)
    t.notOk(degraded)
    t.ok(integration.generation > generation)
    t.equal(calls(world), sent + 1)
  }
})
