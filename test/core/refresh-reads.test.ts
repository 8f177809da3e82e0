import t from 'tap'
import type { Token, Problem } from '../../sandbox/megdocs/broker-client.ts'
import { systemClock } from '../../src/services.ts'
import { openWire } from '../support/wire.ts'
import { startWorld, type World } from '../support/world.ts'

// When a read refreshes, when it does not, and how long a caller waits (docs/design.md#get-a-token).

const calls = ({ entra }: World) => entra.control.tokenRequests().byGrant['refresh_token'] ?? 0
const read = async (world: World, query = '') =>
  (await world.caller.send('GET', `/tokens/42${query}`)) as { status: number; body: Token & Problem }

t.test('a warm read is one SQL statement and writes nothing', async (t) => {
  const world = await startWorld(t)
  await world.connect('42')
  const wire = await openWire(world.env['DATABASE_URL']!)
  t.teardown(() => wire.close())
  const { caller } = await world.startReplica({ DATABASE_URL: wire.url })
  await caller.token('42')
  wire.statements()
  const before = await world.row('42')
  for (let i = 0; i < 5; i++) await caller.token('42')
  const statements = wire.statements()
  t.equal(statements.length, 5)
  t.ok(
    statements.every((sql) => /^select .* from oauth2_integration where/s.test(sql)),
    statements[0]!,
  )
  t.strictSame(await world.row('42'), before)
})

t.test('min_ttl decides which token is fresh enough', async (t) => {
  const world = await startWorld(t)
  await world.connect('42')
  const cases: [remaining: number, query: string, refreshes: number][] = [
    [310, '', 0],
    [299, '', 1],
    [20, '?min_ttl=0', 0],
    [-1, '?min_ttl=0', 1],
    [1790, '?min_ttl=1800', 1],
    [1810, '?min_ttl=1800', 0],
  ]
  for (const [remaining, query, refreshes] of cases) {
    await world.setRemaining('42', remaining)
    const before = calls(world)
    const { status, body } = await read(world, query)
    t.equal(status, 200)
    t.notOk(body.degraded)
    t.equal(calls(world) - before, refreshes, `${remaining} s left, ${query}`)
  }
  t.match(await read(world, '?min_ttl=1801'), { status: 422 })
})

t.test('tokens that live ten minutes are not refreshed on every read, whatever min_ttl asks', async (t) => {
  const world = await startWorld(t)
  world.entra.control.configure({ lifetime: 600 })
  await world.connect('42')
  for (let i = 0; i < 5; i++) t.equal((await read(world, '?min_ttl=1800')).status, 200)
  t.equal(calls(world), 0)
  await world.sql`update oauth2_integration set access_token_expires_at = access_token_expires_at - interval '301 seconds',
    refreshed_at = refreshed_at - interval '301 seconds'`
  for (let i = 0; i < 5; i++) t.equal((await read(world, '?min_ttl=1800')).status, 200)
  t.equal(calls(world), 1)
})

t.test('a refresh is recorded as use, and a refresh answer without a refresh token keeps the stored one', async (t) => {
  const world = await startWorld(t)
  await world.connect('42')
  const { refreshToken } = (await world.stored('42'))!
  world.entra.control.misbehave('no_refresh_token', true)
  await world.sql`update oauth2_integration set last_used_at = now() - interval '90 days'`
  await world.setRemaining('42', -1)
  const { body } = await read(world)
  t.match(await world.stored('42'), { refreshToken, accessToken: body.access_token })
  const [{ recent } = { recent: false }] =
    await world.sql`select last_used_at > now() - interval '1 minute' as recent from oauth2_integration`
  t.equal(recent, true)
})

t.test(
  'at its deadline a caller gets the valid token as degraded, else 503 with Retry-After; the refresh goes on',
  async (t) => {
    // A sleep with a signal is a caller's deadline: it comes when the test says so. Exchanges with Microsoft never time
    // out.
    let deadlines: (() => void)[] = []
    const sleep = (ms: number, signal?: AbortSignal) =>
      signal === undefined ? systemClock.sleep(ms) : new Promise<void>((resolve) => void deadlines.push(resolve))
    const world = await startWorld(t, {
      overrides: { clock: { ...systemClock, sleep }, deadline: () => new AbortController().signal },
    })
    const atDeadline = async (reading: ReturnType<typeof read>) => {
      while (deadlines.length === 0) await new Promise((resolve) => setTimeout(resolve, 10))
      for (const end of deadlines.splice(0)) end()
      return reading
    }
    await world.connect('42')
    const { generation } = await world.caller.token('42')
    deadlines = []
    world.entra.control.hold()
    await world.setRemaining('42', 120)
    t.match(await atDeadline(read(world)), {
      status: 200,
      body: { generation, degraded: { reason: 'refresh_in_progress', retry_after: 1 } },
    })
    await world.setRemaining('42', -1)
    t.match(await atDeadline(read(world)), {
      status: 503,
      body: { code: 'microsoft_unavailable', reason: 'refresh_in_progress', retry_after: 1 },
    })
    await world.entra.control.held()
    t.equal(calls(world), 1, 'both waited for the same call')
    world.entra.control.release()
    const { status, body } = await read(world)
    t.equal(status, 200)
    t.ok(body.generation > generation)
    t.equal(calls(world), 1)
  },
)

t.test('an imported row without account gets the one of its first refresh', async (t) => {
  const world = await startWorld(t)
  await world.connect('42')
  const row = await world.row('42')
  await world.sql`update oauth2_integration set tenant_id = null, object_id = null, username = null, display_name = null`
  await world.setRemaining('42', -1)
  const { body } = await read(world)
  t.match(body.account, { tenant_id: row?.['tenant_id'], object_id: row?.['object_id'], username: row?.['username'] })
  t.match(await world.row('42'), { tenant_id: row?.['tenant_id'], object_id: row?.['object_id'] })
})

t.test(
  'a refresh token that does not open: degraded while the access token is valid, then token_unreadable; the row stays as it is, without a lease',
  async (t) => {
    const world = await startWorld(t)
    await world.connect('42')
    await world.sql`update oauth2_integration set refresh_token = set_byte(refresh_token, length(refresh_token) - 1, (get_byte(refresh_token, length(refresh_token) - 1) + 1) % 256)`
    const sealed = (await world.row('42'))?.['refresh_token']
    await world.setRemaining('42', 120)
    t.match(await read(world), { status: 200, body: { degraded: { reason: 'broker_trouble' } } })
    await world.setRemaining('42', -1)
    t.match(await read(world), { status: 500, body: { code: 'token_unreadable' } })
    t.match(await world.row('42'), { status: 'active', refresh_token: sealed, lease_owner: null, failure: null })
    t.equal(calls(world), 0)
  },
)
