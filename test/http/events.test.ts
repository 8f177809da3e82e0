import t, { type Test } from 'tap'
import { BROKER_AUTHORITY, startBroker } from '../../sandbox/broker.ts'
import { createBrokerClient } from '../../sandbox/megdocs/broker-client.ts'
import { appendEvent } from '../../src/db/events.ts'
import { deleteExpiredRows } from '../../src/db/retention.ts'
import { startWorld, type World } from '../support/world.ts'

// Events and the list of integrations (docs/design.md#events).

interface Page {
  events: { id: number; user_id: string; type: string; reason?: string; generation?: number }[]
  cursor: string
  more: boolean
}
interface List {
  integrations: { user_id: string }[]
  next?: string
  events_cursor: string
}
async function get<T>(world: Pick<World, 'caller'>, path: string): Promise<T> {
  const { status, body } = await world.caller.send('GET', path)
  if (status !== 200) throw new Error(`${status} ${JSON.stringify(body)}`)
  return body as T
}
const write = (world: World, userId: string, gate: Promise<void> = Promise.resolve()): Promise<void> =>
  world.replica.services.database.transaction(async (tx) => {
    await appendEvent(tx, { userId, type: 'connected', caller: 'test' })
    await gate
  })

t.test('everything that happens to a user comes once, in order, and a cursor goes on behind it', async (t) => {
  const world = await startWorld(t)
  await world.connect('42')
  await world.connect('42')
  world.entra.control.revokeSessions({ account: 'jane@contoso.com' })
  await world.setRemaining('42', -1)
  await world.caller.send('GET', '/tokens/42')
  const first = await get<Page>(world, '/events?limit=2')
  t.match(first.events, [
    { user_id: '42', type: 'connected', generation: Number },
    { user_id: '42', type: 'reconnected' },
  ])
  t.equal(first.more, true)
  await world.caller.disconnect('42')
  const rest = await get<Page>(world, `/events?after=${first.cursor}`)
  t.match(rest.events, [{ type: 'reconnect_required', reason: 'access_revoked' }, { type: 'disconnected' }])
  t.equal(rest.more, false)
  t.match(await get<Page>(world, `/events?after=${rest.cursor}`), { events: [], more: false })
})

t.test('writers that commit out of order lose no event', async (t) => {
  const world = await startWorld(t)
  let open = () => {}
  const slow = write(world, 'slow', new Promise((resolve) => (open = resolve)))
  const holding = () => world.sql`select count(*)::int as n from pg_locks where locktype = 'advisory'`
  while ((await holding())[0]?.['n'] === 0) await new Promise((resolve) => setImmediate(resolve))
  let isWritten = false
  const fast = write(world, 'fast').then(() => (isWritten = true))
  while (!isWritten && (await holding())[0]?.['n'] !== 2) await new Promise((resolve) => setImmediate(resolve))
  const before = await get<Page>(world, '/events')
  t.strictSame(before.events, [], 'the later one waits for the earlier one')
  open()
  await Promise.all([slow, fast])
  t.strictSame(
    (await get<Page>(world, `/events?after=${before.cursor}`)).events.map(({ user_id: user }) => user),
    ['slow', 'fast'],
  )
})

t.test('a reader among many writers sees every event exactly once', async (t) => {
  const world = await startWorld(t)
  const writers = Array.from({ length: 8 }, async (_, w) => {
    for (let i = 0; i < 20; i++) await write(world, `${w}-${i}`)
  })
  let done = false
  const all = Promise.all(writers).then(() => (done = true))
  const seen: string[] = []
  let cursor: string | undefined
  for (;;) {
    const wasDone = done
    const page: Page = await get<Page>(world, `/events?limit=7${cursor === undefined ? '' : `&after=${cursor}`}`)
    seen.push(...page.events.map(({ user_id: user }) => user))
    cursor = page.cursor
    if (wasDone && page.events.length === 0) break
  }
  await all
  t.equal(seen.length, 160)
  t.equal(new Set(seen).size, 160)
})

t.test('waiting ends with the first event, holds no connection, and ends after its time', async (t) => {
  const world = await startWorld(t, { env: { DATABASE_POOL_SIZE: '1' } })
  const { cursor } = await get<Page>(world, '/events')
  const waiting = get<Page>(world, `/events?after=${cursor}&wait=25`)
  t.match(
    await world.caller.send('GET', '/tokens/nobody'),
    { status: 404 },
    'with a pool of one connection others are served meanwhile',
  )
  await write(world, '42')
  t.match(await waiting, { events: [{ user_id: '42' }] })
  const last = await get<Page>(world, `/events?after=${cursor}`)
  const began = performance.now()
  t.match(await get<Page>(world, `/events?after=${last.cursor}&wait=1`), { events: [] })
  t.ok(performance.now() - began >= 990, 'not before its time')
  t.match(await world.caller.send('GET', '/events?wait=26'), { status: 422 })
})

t.test('a broker that drains answers those who wait', async (t) => {
  const world = await startWorld(t)
  const { cursor } = await get<Page>(world, '/events')
  const waiting = get<Page>(world, `/events?after=${cursor}&wait=25`)
  const began = performance.now()
  world.replica.services.lifecycle.draining = true
  t.match(await waiting, { events: [], cursor: String })
  t.ok(performance.now() - began < 20_000)
})

const parts = (cursor: string) => Buffer.from(cursor, 'base64url').toString().split('.')
const made = (...values: unknown[]) => Buffer.from(values.join('.')).toString('base64url')
const expired = async (t: Test, world: World, after: string, name = 'expired') =>
  t.match(
    await world.caller.send('GET', `/events?after=${after}`),
    { status: 410, body: { code: 'cursor_expired' } },
    name,
  )

t.test('a cursor of another database, too old or made up is expired', async (t) => {
  const world = await startWorld(t)
  const { cursor: empty } = await get<Page>(world, '/events')
  await write(world, '1')
  await write(world, '2')
  const { cursor } = await get<Page>(world, '/events')
  const [id, tag, at, generation] = parts(cursor)
  const other = '00000000-0000-4000-8000-000000000000'
  await expired(t, world, made(id, other, at, generation), 'another event with this id')
  await expired(t, world, made(0, other, at, generation), 'the beginning of another database')
  await expired(t, world, made(0, tag, at, generation), 'the tag of an event is not the beginning')
  await expired(t, world, made(id, tag, Number(at) - 90 * 86_400, generation), 'too old')
  await expired(t, world, made('1', tag, at, generation), 'the tag of another event')
  await expired(t, world, 'made-up')
  t.match(await get<Page>(world, `/events?after=${made(id, tag, Number(at) - 88 * 86_400, generation)}`), {
    events: [],
  })
  t.match(await get<Page>(world, `/events?after=${empty}`), { events: [{ user_id: '1' }, { user_id: '2' }] })
})

t.test('after a rewind the cursors behind it are refused for ever, and nothing is given out twice', async (t) => {
  const world = await startWorld(t)
  await write(world, 'kept')
  const { cursor: kept } = await get<Page>(world, '/events')
  for (const user of ['lost-1', 'lost-2']) await write(world, user)
  await world.sql`select setval('integration_generation', 500)`
  const { cursor: lost } = await get<Page>(world, '/events')
  const { events_cursor: listed } = await get<List>(world, '/integrations')
  const rewind = async () => {
    await world.sql`delete from event where user_id <> 'kept'`
    await world.sql`select setval(pg_get_serial_sequence('event', 'id'), 1), setval('integration_generation', 40)`
  }
  const sequences = async () => {
    const [row] = await world.sql`select pg_sequence_last_value('event_id_seq')::float as event,
      pg_sequence_last_value('integration_generation')::float as generation`
    return row as { event: number; generation: number }
  }
  await rewind()
  // Events that took the ids of the lost ones, before anybody noticed.
  for (const user of ['new-1', 'new-2', 'new-3']) await write(world, user)
  await expired(t, world, lost, 'although an event has its id again')
  await expired(t, world, listed)
  const raised = await sequences()
  t.ok(raised.event > 3 && raised.generation > 500, 'beyond what the cursor knows')
  await expired(t, world, lost)
  t.same(await sequences(), raised, 'once, however often it is asked')
  t.match((await get<Page>(world, `/events?after=${kept}`)).events, [{ user_id: 'new-1' }, {}, {}], 'the others go on')
  const reported = world.replica.logged().match(/.*"alert":"database_rewound".*/g) ?? []
  t.match(
    reported.map((line) => JSON.parse(line) as object),
    [{ event_id: 3, generation: 500 }],
  )

  await rewind()
  await world.sql`delete from event`
  await expired(t, world, kept, 'also where no event is left')
  await expired(t, world, lost)
})

t.test('generations that went backwards are raised, although the event of the cursor is there', async (t) => {
  const world = await startWorld(t)
  await write(world, '1')
  await world.sql`select setval('integration_generation', 500)`
  const { cursor } = await get<Page>(world, '/events')
  await world.sql`select setval('integration_generation', 7)`
  t.match(await get<Page>(world, `/events?after=${cursor}`), { events: [] })
  const [row] = await world.sql`select nextval('integration_generation')::float as next`
  t.ok(row?.['next'] > 500)
})

t.test('no cursor raises a sequence without limit', async (t) => {
  const world = await startWorld(t)
  const [, , at] = parts((await get<Page>(world, '/events')).cursor)
  await expired(t, world, made(9e14, '00000000-0000-4000-8000-000000000000', at, 9e14))
  const [row] = await world.sql`select nextval('integration_generation')::float as next`
  t.ok(row?.['next'] < 20_000_000)
})

t.test('the event of a reader that has read everything is never deleted', async (t) => {
  const world = await startWorld(t)
  for (const user of ['1', '2']) await write(world, user)
  await world.sql`update event set at = now() - interval '91 days'`
  const { cursor } = await get<Page>(world, '/events')
  await deleteExpiredRows(world.replica.services.database)
  t.match(await get<Page>(world, `/events?after=${cursor}`), { events: [] })
  await write(world, '3')
  await deleteExpiredRows(world.replica.services.database)
  t.match(await get<Page>(world, `/events?after=${cursor}`), { events: [{ user_id: '3' }] })
  t.match((await get<Page>(world, '/events')).events, [{ user_id: '2' }, { user_id: '3' }])
})

t.test('events that were deleted are never skipped in silence', async (t) => {
  const world = await startWorld(t)
  for (const user of ['1', '2']) await write(world, user)
  const { cursor } = await get<Page>(world, '/events?limit=1')
  await world.sql`update event set at = now() - interval '91 days'`
  await deleteExpiredRows(world.replica.services.database)
  await expired(t, world, cursor)
})

t.test('a repeated disconnect deletes what was connected before it, and keeps what was connected later', async (t) => {
  const world = await startWorld(t)
  const types = async () => (await get<Page>(world, '/events')).events.map(({ type }) => type)
  const repeat = (time: string) => world.caller.send('DELETE', `/integrations/42?connected_before=${time}`)
  await world.connect('42')
  await world.caller.disconnect('42')
  const at = (await get<{ events: { at: string }[] }>(world, '/events')).events[1]!.at
  t.match(at, /\.\d{6}Z$/, 'exact: a connection of the same second is not mistaken for the earlier one')
  t.match(await repeat(at), { status: 204 })
  t.same(await types(), ['connected', 'disconnected'], 'the event is still there')

  await world.sql`delete from event where type = 'disconnected'`
  t.match(await repeat(at), { status: 204 })
  t.same(await types(), ['connected', 'disconnected'], 'the event was lost: an import must not bring the user back')

  await world.connect('42')
  const { url } = await world.caller.beginConnect('42')
  t.match(await repeat(at), { status: 204 })
  t.equal((await world.row('42'))?.['status'], 'active', 'connected later')
  t.equal((await world.browser().open(url)).status, 200, 'an attempt that began later goes on')
  t.same(await types(), ['connected', 'disconnected', 'connected'])

  await world.sql`update oauth2_integration set connected_at = ${at}::timestamptz - interval '1 microsecond'`
  await world.sql`delete from event where type = 'disconnected'`
  t.match(await repeat(at), { status: 204 })
  t.equal(await world.row('42'), undefined, 'it was undone, and is done again')

  for (const wrong of [
    'yesterday',
    '2026-13-01T00:00:00Z',
    '2026-02-30T00:00:00Z',
    '0000-01-01T00:00:00Z',
    '2026-01-01T00:00:00',
  ])
    t.match(await repeat(wrong), { status: 422, body: { invalid: [{ field: 'querystring.connected_before' }] } }, wrong)
  t.match(await repeat('2020-01-01T23:59:59.999999-23:59'), { status: 204 }, 'an offset that Postgres does not know')
})

t.test('the list and the events behind its cursor together miss nothing', async (t) => {
  const world = await startWorld(t)
  const rows = Array.from({ length: 7 }, (_, i) => ({
    user_id: `u${i}`,
    refresh_token: `refresh-token-of-user-${i}`,
    updated_at: new Date(Date.now() - 60_000).toISOString(),
  }))
  await world.caller.send('POST', '/integrations/import', { rows })
  const users: string[] = []
  let after: string | undefined
  let cursor: string | undefined
  do {
    const page: List = await get<List>(world, `/integrations?limit=3${after === undefined ? '' : `&after=${after}`}`)
    users.push(...page.integrations.map(({ user_id: user }) => user))
    cursor ??= page.events_cursor
    // While it is read: one that was listed goes, one in front of the reader comes.
    if (after === undefined) {
      await world.caller.disconnect('u0')
      await world.caller.send('POST', '/integrations/import', {
        rows: [{ ...rows[0], user_id: 'a', updated_at: new Date().toISOString() }],
      })
    }
    after = page.next
  } while (after !== undefined)
  t.strictSame(
    users,
    rows.map(({ user_id: user }) => user),
  )
  const page = await get<Page>(world, `/events?after=${cursor}`)
  t.strictSame(
    page.events.map(({ user_id: user, type }) => [user, type]),
    [
      ['u0', 'disconnected'],
      ['a', 'imported'],
    ],
  )
})

t.test('what happens while a page of the list is made is either in the page or behind its cursor', async (t) => {
  const world = await startWorld(t)
  await world.connect('42')
  let listing: Promise<List> | undefined
  // The cursor has to wait for this transaction; a page that was read before it would be of the time before.
  await world.sql.begin(async (tx) => {
    await tx`lock table event in access exclusive mode`
    listing = get<List>(world, '/integrations')
    const waiting = () => tx`select count(*)::int as n from pg_locks where not granted and relation = 'event'::regclass`
    while ((await waiting())[0]?.['n'] === 0) await new Promise((resolve) => setImmediate(resolve))
    await tx`delete from oauth2_integration`
    await tx`insert into event (user_id, type, caller, detail) values ('42', 'disconnected', 'test', '{}')`
  })
  const page = await listing!
  const after = await get<Page>(world, `/events?after=${page.events_cursor}`)
  t.equal(page.integrations.length, after.events.length, 'listed and then disconnected, or neither')
})

t.test('a broker that is killed loses no event: what it answered as done is there for the next one', async (t) => {
  const world = await startWorld(t)
  const rowOf = (i: number) => ({
    user_id: `u${i}`,
    refresh_token: `refresh-token-of-user-${i}`,
    updated_at: new Date(Date.now() - 60_000).toISOString(),
  })
  const done = new Set<string>()
  for (let round = 0; round < 3; round++) {
    const broker = await startBroker(world.env)
    const caller = createBrokerClient({
      address: () => broker.internalUrl,
      authority: BROKER_AUTHORITY,
      key: world.secrets.megdocsKey,
    })
    let sent = 0
    await Promise.all(
      Array.from({ length: 4 }, async (_, w) => {
        for (let i = 0; !broker.isOver(); i++) {
          const row = rowOf(round * 10_000 + w * 1000 + i)
          if (++sent === 25) broker.kill('SIGKILL')
          const answer = await caller.send('POST', '/integrations/import', { rows: [row] }).catch(() => undefined)
          if (answer?.status === 200) done.add(row.user_id)
          if (answer === undefined) break
        }
      }),
    )
    await broker.ended
  }
  const stored = (await world.sql`select user_id from oauth2_integration order by 1`).map(
    (row) => row['user_id'] as string,
  )
  const told = (await get<Page>(world, '/events?limit=500')).events.map(({ user_id: user }) => user).toSorted()
  t.ok(done.size > 20)
  t.ok([...done].every((user) => told.includes(user)))
  t.strictSame(told, stored.toSorted(), 'an event for every integration, and none without')
})
