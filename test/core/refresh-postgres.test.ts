import t from 'tap'
import { BROKER_AUTHORITY, startBroker } from '../../sandbox/broker.ts'
import { createBrokerClient, type Problem, type Token } from '../../sandbox/megdocs/broker-client.ts'
import { systemClock } from '../../src/services.ts'
import { openWire } from '../support/wire.ts'
import { startWorld, type Replica, type World } from '../support/world.ts'
import { until } from '../support/until.ts'

// Refreshes while Postgres goes away, hangs or comes back, and while the broker shuts down.

const calls = ({ entra }: World) => entra.control.tokenRequests().byGrant['refresh_token'] ?? 0
const read = async ({ caller }: Pick<Replica, 'caller'>, query = '') =>
  (await caller.send('GET', `/tokens/42${query}`)) as { status: number; body: Token & Problem }
const generationOf = async (world: World) => Number((await world.row('42'))?.['generation'])

async function start(t: Parameters<typeof startWorld>[0]) {
  const world = await startWorld(t)
  await world.connect('42')
  const wire = await openWire(world.env['DATABASE_URL']!)
  t.teardown(() => wire.close())
  const replica = await world.startReplica({ DATABASE_URL: wire.url })
  return { world, wire, replica }
}

t.test(
  "Postgres goes away between Microsoft's answer and the save: the waiters get the token, and it is saved when Postgres is back",
  async (t) => {
    const { world, wire, replica } = await start(t)
    const before = await generationOf(world)
    await world.setRemaining('42', -1)
    world.entra.control.holdAfter()
    const waiting = [read(replica), read(replica)]
    await world.entra.control.held()
    // The second reader has read its row, too.
    await until(async () => (await replica.services.metrics.registry.metrics()).includes('refreshes_joined_total 1'))
    wire.cut()
    world.entra.control.release()
    const answers = await Promise.all(waiting)
    t.strictSame(
      answers.map(({ status }) => status),
      [200, 200],
    )
    t.equal(answers[0]!.body.access_token, answers[1]!.body.access_token)
    t.ok(answers[0]!.body.expires_in > 3000)
    t.ok(Math.abs(Date.parse(answers[0]!.body.expires_at) - Date.now() - answers[0]!.body.expires_in * 1000) < 60_000)
    t.equal(await generationOf(world), before)
    wire.mend()
    await until(async () => (await generationOf(world)) > before)
    t.equal((await world.stored('42'))?.accessToken, answers[0]!.body.access_token)
    t.match(await read(replica), { status: 200, body: { access_token: answers[0]!.body.access_token } })
    t.equal(calls(world), 1)
    t.match(replica.logged(), /could not be saved/)
  },
)

t.test('a read before the late save is done gets the unsaved token: Microsoft is not asked again', async (t) => {
  const { world, replica } = await start(t)
  world.entra.control.configure({ rotation: 'strict' })
  await world.setRemaining('42', -1)
  // Reads work, writes of tokens do not: as after a failover to a server that is still read-only.
  await world.sql`create function refuse() returns trigger language plpgsql as $$ begin raise exception using errcode = '25006'; end $$`
  await world.sql`create trigger refuse before update of access_token on oauth2_integration for each row execute function refuse()`
  const first = await read(replica)
  t.equal(first.status, 200)
  await world.sql`update oauth2_integration set lease_until = now()`
  for (let i = 0; i < 5; i++)
    t.match(await read(replica), { status: 200, body: { access_token: first.body.access_token } })
  t.equal(calls(world), 1)
  await world.sql`drop trigger refuse on oauth2_integration`
  await until(async () => (await world.stored('42'))?.accessToken === first.body.access_token)
  t.match(await world.row('42'), { status: 'active', lease_owner: null })
  t.match(await read(replica), { status: 200, body: { access_token: first.body.access_token } })
})

t.test(
  'a database that refuses or hangs is database_unavailable within the deadline, and works again when it is back',
  async (t) => {
    const { wire, replica } = await start(t)
    for (const trouble of ['cut', 'swallow'] as const) {
      t.match(await read(replica), { status: 200 })
      wire[trouble]()
      const began = performance.now()
      const answers = await Promise.all(Array.from({ length: 8 }, () => read(replica)))
      t.ok(performance.now() - began < 8_000, 'far from hanging')
      for (const answer of answers) t.match(answer, { status: 503, body: { code: 'database_unavailable' } })
      t.ok(answers[0]!.body.retry_after)
      wire.mend()
      await until(async () => (await read(replica)).status === 200)
    }
  },
)

t.test(
  'a caller with a short deadline does not wait for a hanging database, and the dead connections are still replaced',
  async (t) => {
    const { wire, replica } = await start(t)
    t.match(await read(replica), { status: 200 })
    wire.swallow()
    // Each ends long before the three seconds after which a silent connection is known to be dead.
    for (let i = 0; i < 3; i++)
      t.match(await read(replica, '?deadline_ms=200'), { status: 503, body: { code: 'database_unavailable' } })
    wire.mend()
    await until(async () => (await read(replica, '?deadline_ms=500')).status === 200)
  },
)

t.test(
  'Postgres is lost while the row is claimed: degraded while valid, else database_unavailable; nothing is sent twice or marked',
  async (t) => {
    const { world, wire, replica } = await start(t)
    await world.setRemaining('42', 200)
    await world.sql`create function cut() returns trigger language plpgsql as $$ begin perform pg_terminate_backend(pg_backend_pid()); return new; end $$`
    await world.sql`create trigger cut before update of lease_owner on oauth2_integration for each row execute function cut()`
    t.match(await read(replica), { status: 200, body: { degraded: { reason: 'broker_trouble' } } })
    await world.setRemaining('42', -1)
    t.match(await read(replica), { status: 503, body: { code: 'database_unavailable' } })
    t.equal(calls(world), 0)
    await world.sql`drop trigger cut on oauth2_integration`
    wire.mend()
    t.match(await read(replica), { status: 200 })
    t.match(await world.row('42'), { status: 'active', failure: null })
  },
)

t.test(
  'SIGTERM during a refresh: the caller gets its answer, the tokens are in the database, the process ends with 0',
  async (t) => {
    const world = await startWorld(t)
    await world.connect('42')
    const broker = await startBroker(world.env)
    t.teardown(() => broker.stop('SIGKILL'))
    const caller = createBrokerClient({
      address: () => broker.internalUrl,
      authority: BROKER_AUTHORITY,
      key: world.secrets.megdocsKey,
    })
    await world.setRemaining('42', -1)
    const before = await generationOf(world)
    world.entra.control.holdAfter()
    const waiting = read({ caller })
    await world.entra.control.held()
    const ended = broker.stop('SIGTERM')
    await until(async () => broker.log().includes('draining'))
    world.entra.control.release()
    t.equal(await ended, 0)
    t.ok((await generationOf(world)) > before)
    t.match(await waiting, { status: 200, body: { access_token: (await world.stored('42'))!.accessToken } })
  },
)

t.test('a shutdown waits for a refresh without a caller', async (t) => {
  const { world, replica } = await start(t)
  await world.setRemaining('42', -1)
  const before = await generationOf(world)
  world.entra.control.holdAfter()
  const integration = await replica.services.integrations.read('42')
  void replica.services.refresh.renew(integration!, 'test')
  await world.entra.control.held()
  const stopped = replica.stop()
  world.entra.control.release()
  await stopped
  t.ok((await generationOf(world)) > before)
})

t.test(
  'a shutdown without Postgres gives the save up after a while and logs it; the stored refresh token still works',
  async (t) => {
    const world = await startWorld(t)
    await world.connect('42')
    const wire = await openWire(world.env['DATABASE_URL']!)
    t.teardown(() => wire.close())
    let shift = 0
    const replica = await world.startReplica(
      { DATABASE_URL: wire.url },
      {
        clock: {
          ...systemClock,
          elapsed: () => systemClock.elapsed() + shift,
          // The broker's pauses pass at once; callers' deadlines (with a signal) are real.
          async sleep(ms, signal) {
            if (signal !== undefined) return systemClock.sleep(ms, signal)
            shift += ms
            return systemClock.sleep(1)
          },
        },
      },
    )
    await world.setRemaining('42', -1)
    world.entra.control.holdAfter()
    const waiting = read(replica)
    await world.entra.control.held()
    wire.cut()
    world.entra.control.release()
    t.equal((await waiting).status, 200)
    t.notMatch(replica.logged(), /never saved/)
    await replica.stop()
    t.match(replica.logged(), /refreshed tokens were never saved/)
    await world.sql`update oauth2_integration set lease_until = now()`
    t.match(await read(world.replica), { status: 200 })
  },
)

t.test(
  'a row that another transaction keeps locked is tried again after pauses, and no shutdown waits for it',
  async (t) => {
    const world = await startWorld(t)
    await world.connect('locked')
    await world.setRemaining('locked', -1)
    const { promise: released, resolve: release } = Promise.withResolvers<void>()
    const { promise: held, resolve: holds } = Promise.withResolvers<void>()
    const locker = world.sql.begin(async (tx) => {
      await tx`select 1 from oauth2_integration where user_id = 'locked' for update`
      holds()
      await released
    })
    await held
    const answer = await world.caller.send('GET', '/tokens/locked?deadline_ms=1000')
    t.match(answer, { status: 503, body: { code: 'microsoft_unavailable', reason: 'refresh_in_progress' } })
    await world.replica.services.refresh.drain()
    const { payload } = await world.replica.operations.inject('/metrics')
    const looks = Number(/^token_broker_refresh_waits_total (\d+)$/m.exec(payload)?.[1])
    t.ok(looks > 2 && looks <= 40, `${looks} looks`)
    release()
    await locker
    t.match(await world.caller.send('GET', '/tokens/locked'), { status: 200 })
  },
)
