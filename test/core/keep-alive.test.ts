import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { runCommandLine } from '../../src/cli/commands.ts'
import { systemClock } from '../../src/services.ts'
import type { Clock } from '../../src/core/ports.ts'
import type { Sweep } from '../../src/core/keep-alive.ts'
import { startWorld, type World } from '../support/world.ts'

// Keep-alive with real Postgres and the simulator. SQL moves the time; the pauses between renewals are added up and
// pass at once.

const never = () => new AbortController().signal

/** A clock whose seconds-long pauses pass at once and are added up; short ones (polling) are real. */
function hurried(): { clock: Clock; slept(): number } {
  let slept = 0
  return {
    slept: () => slept,
    clock: {
      now: () => systemClock.now(),
      elapsed: () => systemClock.elapsed() + slept,
      async sleep(ms, signal) {
        if (signal?.aborted !== true && ms >= 900 && ms < 5_000) slept += ms
        else await systemClock.sleep(ms, signal)
      },
    },
  }
}

/** As if nobody had refreshed them for so many days, nor read them for `unread`. */
async function untouched(world: World, userIds: string[], days: number, unread = days): Promise<void> {
  await world.sql`update oauth2_integration set refreshed_at = now() - make_interval(days => ${days}),
    access_token_expires_at = now() - make_interval(days => ${days}) + interval '1 hour',
    last_used_at = now() - make_interval(days => ${unread}) where user_id in ${world.sql(userIds)}`
}

/** Further integrations of the same account, each with refresh tokens of its own. */
async function connectMany(world: World, count: number): Promise<string[]> {
  const userIds = Array.from({ length: count }, (_, i) => `u${i}`)
  for (const userId of userIds) await world.connect(userId)
  world.entra.control.resetCounters()
  return userIds
}

const generationOf = async (world: World, userId: string) => Number((await world.row(userId))?.['generation'])

t.test('an integration that was not refreshed for 45 days is refreshed, a younger one is not', async (t) => {
  const world = await startWorld(t, { overrides: { clock: hurried().clock } })
  await connectMany(world, 3)
  await untouched(world, ['u0'], 46)
  await untouched(world, ['u1'], 44)
  const before = await Promise.all(['u0', 'u1', 'u2'].map((userId) => generationOf(world, userId)))
  t.same(await world.replica.services.keepAlive.sweep(never()), {
    renewed: 1,
    failed: 0,
    skipped: 0,
    letGo: 0,
    ended: 'done',
  })
  const after = await Promise.all(['u0', 'u1', 'u2'].map((userId) => generationOf(world, userId)))
  t.ok(after[0]! > before[0]!)
  t.same(after.slice(1), before.slice(1))
  t.equal(world.entra.control.tokenRequests().total, 1)
  const row = await world.row('u0')
  t.ok(Date.now() - (row!['refreshed_at'] as Date).getTime() < 60_000)
  t.ok(Date.now() - (row!['last_used_at'] as Date).getTime() > 45 * 86_400_000, "it is no caller's read")
  t.same(await world.replica.services.keepAlive.sweep(never()), {
    renewed: 0,
    failed: 0,
    skipped: 0,
    letGo: 0,
    ended: 'done',
  })
})

t.test('two replicas that sweep at once refresh nothing twice', async (t) => {
  const world = await startWorld(t, { overrides: { clock: hurried().clock } })
  const other = await world.startReplica()
  const userIds = await connectMany(world, 12)
  await untouched(world, userIds, 50)
  const sweeps = await Promise.all([world.replica, other].map(({ services }) => services.keepAlive.sweep(never())))
  t.equal(world.entra.control.tokenRequests().total, 12)
  t.equal(
    sweeps.reduce((sum, { renewed }) => sum + renewed, 0),
    12,
  )
  t.same(
    sweeps.map(({ failed, ended }) => [failed, ended]),
    [
      [0, 'done'],
      [0, 'done'],
    ],
  )
})

t.test('a stale list refreshes nothing that another replica has refreshed since', async (t) => {
  const world = await startWorld(t, { overrides: { clock: hurried().clock } })
  const userIds = await connectMany(world, 3)
  await untouched(world, userIds, 50)
  const { services } = await world.startReplica()
  // The other replica stands still right after it has read the list.
  const read = Promise.withResolvers<void>()
  const goOn = Promise.withResolvers<void>()
  const { due } = services.keepAliveStore
  services.keepAliveStore.due = async (input) => {
    const page = await due(input)
    read.resolve()
    await goOn.promise
    return page
  }
  const late = services.keepAlive.sweep(never())
  await read.promise
  t.equal((await world.replica.services.keepAlive.sweep(never())).renewed, 3)
  goOn.resolve()
  t.same(await late, { renewed: 0, failed: 0, skipped: 3, letGo: 0, ended: 'done' })
  t.equal(world.entra.control.tokenRequests().total, 3)
})

t.test('at most 60 renewals begin in a minute', async (t) => {
  const { clock, slept } = hurried()
  const world = await startWorld(t, { overrides: { clock } })
  const userIds = await connectMany(world, 5)
  await untouched(world, userIds, 50)
  const before = slept()
  t.equal((await world.replica.services.keepAlive.sweep(never())).renewed, 5)
  t.ok(slept() - before >= 5 * 1_000, `${slept() - before} ms of pauses for 5`)
})

t.test('what Microsoft refuses was sent, so it counts among the 60 in a minute', async (t) => {
  const { clock, slept } = hurried()
  const world = await startWorld(t, { overrides: { clock } })
  const userIds = await connectMany(world, 5)
  await untouched(world, userIds, 50)
  world.entra.control.misbehave('aadsts', 50057)
  const before = slept()
  t.match(await world.replica.services.keepAlive.sweep(never()), { failed: 5, ended: 'done' })
  t.equal(world.entra.control.tokenRequests().total, 5)
  t.ok(slept() - before >= 5 * 1_000, `${slept() - before} ms of pauses for 5`)
})

t.test(
  'an open breaker ends the sweep: one refresh is tried, and none in further sweeps until the pause is over',
  async (t) => {
    const world = await startWorld(t, { overrides: { clock: hurried().clock } })
    const userIds = await connectMany(world, 4)
    await untouched(world, userIds, 50)
    world.entra.control.configureApp({ clientSecrets: ['another-secret-than-the-brokers-own-value'] })
    const { keepAlive } = world.replica.services
    t.match(await keepAlive.sweep(never()), { renewed: 0, failed: 1, ended: 'breaker' })
    t.equal(world.entra.control.tokenRequests().total, 1)
    t.match(await keepAlive.sweep(never()), { renewed: 0, failed: 1, ended: 'breaker' })
    t.equal(world.entra.control.tokenRequests().total, 1, 'nothing was sent while it is open')
    const [marked] =
      await world.sql`select count(*)::int as count from oauth2_integration where status <> 'active' or failure is not null`
    t.equal(marked?.['count'], 0, 'nobody is marked for it')
  },
)

t.test('a finally refused integration is not tried, one that may be cured is tried once a day', async (t) => {
  const world = await startWorld(t, { overrides: { clock: hurried().clock } })
  await connectMany(world, 2)
  const failure = (final: boolean, daysAgo: number) =>
    JSON.stringify({
      verdict: 'reconnect',
      reason: final ? 'access_revoked' : 'account_disabled',
      final,
      microsoft: {},
      at: new Date(Date.now() - daysAgo * 86_400_000).toISOString(),
    })
  const fail = (userId: string, text: string) =>
    world.sql`update oauth2_integration set status = 'reconnect_required', failure = ${text}::text::jsonb where user_id = ${userId}`
  await untouched(world, ['u0', 'u1'], 50)
  await fail('u0', failure(true, 3))
  await fail('u1', failure(false, 0.5))
  const { keepAlive } = world.replica.services
  t.same(await keepAlive.sweep(never()), { renewed: 0, failed: 0, skipped: 0, letGo: 0, ended: 'done' })
  await fail('u1', failure(false, 1.1))
  t.match(await keepAlive.sweep(never()), { renewed: 1, ended: 'done' })
  t.match(await world.row('u1'), { status: 'active', failure: null })
  t.match(await world.row('u0'), { status: 'reconnect_required' })
})

t.test(
  'a refresh token that does not open does not stop the sweep and marks no row; an expired access token is not even opened',
  async (t) => {
    const world = await startWorld(t, { overrides: { clock: hurried().clock } })
    await connectMany(world, 3)
    await untouched(world, ['u0', 'u1', 'u2'], 50)
    await world.sql`update oauth2_integration set refreshed_at = now() - interval '80 days', access_token = '\\x01'::bytea where user_id = 'u0'`
    await world.sql`update oauth2_integration set refreshed_at = now() - interval '79 days', refresh_token = '\\x01'::bytea where user_id = 'u1'`
    t.match(await world.replica.services.keepAlive.sweep(never()), { renewed: 2, failed: 1, ended: 'done' })
    t.match(await world.row('u1'), { status: 'active', failure: null, lease_owner: null })
  },
)

t.test('more than a page of due integrations are all found in one sweep', async (t) => {
  const world = await startWorld(t, { overrides: { clock: hurried().clock } })
  await connectMany(world, 1)
  // Copies do not open (each value is bound to its row), which is enough to count them.
  await world.sql`insert into oauth2_integration (id, user_id, status, generation, access_token, refresh_token,
      access_token_expires_at, scopes, refreshed_at)
    select gen_random_uuid(), 'copy' || n, 'active', n, access_token, refresh_token,
      access_token_expires_at, scopes, now() - interval '60 days'
    from oauth2_integration, generate_series(1, 150) as n where user_id = 'u0'`
  t.match(await world.replica.services.keepAlive.sweep(never()), { failed: 150, ended: 'done' })
})

t.test("after twelve months without a caller's read an integration is let go, with an event", async (t) => {
  const world = await startWorld(t, { overrides: { clock: hurried().clock } })
  await connectMany(world, 3)
  await untouched(world, ['u0'], 10, 366)
  await untouched(world, ['u1'], 50, 366)
  await untouched(world, ['u2'], 50, 364)
  t.same(await world.replica.services.keepAlive.sweep(never()), {
    renewed: 1,
    failed: 0,
    skipped: 0,
    letGo: 2,
    ended: 'done',
  })
  t.same(
    (await world.sql`select user_id from oauth2_integration`).map((row) => row['user_id']),
    ['u2'],
  )
  const events = await world.sql`select user_id, caller, detail from event where type = 'disconnected' order by user_id`
  t.same(
    [...events],
    ['u0', 'u1'].map((userId) => ({ user_id: userId, caller: 'broker', detail: { cause: 'unused' } })),
  )
  t.match(await world.caller.send('GET', '/tokens/u0'), { status: 404, body: { code: 'not_connected' } })
})

t.test("a caller's read between finding and letting go keeps the integration", async (t) => {
  const world = await startWorld(t)
  await connectMany(world, 1)
  await untouched(world, ['u0'], 50, 366)
  const { keepAliveStore, config } = world.replica.services
  t.same(await keepAliveStore.unused({ ...config.keepAlive, limit: 10 }), ['u0'])
  await world.caller.token('u0')
  t.equal(await keepAliveStore.letGo('u0', config.keepAlive), false)
  t.ok(await world.row('u0'))
})

t.test('the loop sweeps until its signal aborts, then ends at once', async (t) => {
  const sweeps = Promise.withResolvers<void>()
  const pauses: number[] = []
  const stop = new AbortController()
  const clock: Clock = {
    ...systemClock,
    async sleep(ms, signal) {
      if (signal !== stop.signal) return systemClock.sleep(ms, signal)
      pauses.push(ms)
      if (pauses.length === 4) {
        sweeps.resolve()
        await systemClock.sleep(86_400_000, signal)
      }
    },
  }
  const world = await startWorld(t, { overrides: { clock } })
  await connectMany(world, 1)
  await untouched(world, ['u0'], 50)
  const running = world.replica.services.keepAlive.run(stop.signal)
  await sweeps.promise
  stop.abort()
  await running
  t.equal(world.entra.control.tokenRequests().total, 1)
  t.ok(pauses[0]! <= 60_000, 'the first sweep comes within a minute of the start')
  t.ok(pauses[1]! >= 1_000 && pauses[1]! <= 1_500, 'the budget')
  t.ok(
    pauses.slice(2).every((ms) => ms >= 3_600_000 && ms <= 5_400_000),
    'then hourly',
  )
})

t.test('a sweep whose signal aborts finishes the refresh that has begun and begins no other', async (t) => {
  const world = await startWorld(t, { overrides: { clock: hurried().clock } })
  await connectMany(world, 3)
  await untouched(world, ['u0', 'u1', 'u2'], 50)
  const stop = new AbortController()
  world.entra.control.hold()
  const sweep = world.replica.services.keepAlive.sweep(stop.signal)
  await world.entra.control.held()
  stop.abort()
  world.entra.control.release()
  t.match(await sweep, { renewed: 1, ended: 'stopped' } satisfies Partial<Sweep>)
  t.equal(world.entra.control.tokenRequests().total, 1)
})

t.test('a sweep that fails names the error, in its event and in the log', async (t) => {
  const world = await startWorld(t, { overrides: { clock: hurried().clock } })
  await connectMany(world, 2)
  await untouched(world, ['u0', 'u1'], 50)
  await world.sql`alter table oauth2_integration rename column refreshed_at to elsewhere`
  t.match(await world.replica.services.keepAlive.sweep(never()), { renewed: 0, ended: 'broken' })
  const [line] = world.replica
    .logged()
    .split('\n')
    .filter((text) => text.includes('keep-alive sweep'))
  t.match(JSON.parse(line!), { level: 'warn', ended: 'broken', err: { type: 'Failure', code: /_/, detail: /42703/ } })
})

t.test('Microsoft gets a new GUID with every refresh, so that its support can find it', async (t) => {
  const world = await startWorld(t, { overrides: { clock: hurried().clock } })
  await connectMany(world, 2)
  await untouched(world, ['u0', 'u1'], 50)
  t.match(await world.replica.services.keepAlive.sweep(never()), { renewed: 2 })
  const ids = world.entra.control.tokenRequests().recent.map(({ headers }) => headers['client-request-id'])
  t.equal(new Set(ids).size, 2)
  for (const id of ids) t.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
})

t.test(
  'token-broker keep-alive: SIGTERM, as from Kubernetes, lets the refresh that has begun be saved, and no other begins',
  async (t) => {
    const world = await startWorld(t)
    await connectMany(world, 2)
    await untouched(world, ['u0', 'u1'], 50)
    world.entra.control.hold()
    const cli = fileURLToPath(new URL('../../src/cli.ts', import.meta.url))
    const child = spawn(process.execPath, [cli, 'keep-alive', '--apply'], { env: world.env })
    t.teardown(() => child.kill('SIGKILL'))
    let [out, err] = ['', '']
    child.stdout.on('data', (chunk) => (out += chunk))
    child.stderr.on('data', (chunk) => (err += chunk))
    const ended = new Promise((resolve) => child.on('close', (code, signal) => resolve(code ?? signal)))
    const isOver = () => child.exitCode !== null || child.signalCode !== null
    await world.entra.control.held()
    child.kill('SIGTERM')
    while (!err.includes('"signal":"SIGTERM"') && !isOver()) await new Promise((resolve) => setImmediate(resolve))
    world.entra.control.release()
    t.equal(await ended, 1)
    t.equal(out, 'refreshed 1, failed 0, skipped 0, deleted 0; ended: stopped\n')
    t.equal(world.entra.control.tokenRequests().total, 1)
    const [fresh] =
      await world.sql`select count(*)::int as count from oauth2_integration where refreshed_at > now() - interval '1 minute'`
    t.equal(fresh?.['count'], 1, 'it is saved')
  },
)

t.test(
  'token-broker keep-alive reports what is due and what expires, and changes nothing; with --apply, it makes one sweep',
  async (t) => {
    const world = await startWorld(t)
    await connectMany(world, 6)
    await untouched(world, ['u1'], 46)
    await untouched(world, ['u2'], 61)
    await untouched(world, ['u3'], 84)
    await untouched(world, ['u4'], 50, 400)
    await untouched(world, ['u5'], 84)
    await world.sql`update oauth2_integration set status = 'reconnect_required', failure = '{"final": true}' where user_id = 'u5'`
    const run = async (...argv: string[]) => {
      const [lines, log]: [string[], string[]] = [[], []]
      const code = await runCommandLine(['keep-alive', ...argv], {
        env: world.env,
        now: Date.now,
        out: (line) => void lines.push(line),
        err: (line) => void log.push(line),
      })
      return {
        code,
        lines: lines.map((line) => line.replace(/ +/g, ' ')),
        audit: log.flatMap((line) => (JSON.parse(line) as { audit?: string }).audit ?? []),
      }
    }
    t.same(await run(), {
      code: 0,
      lines: [
        'integrations 6',
        'due: not refreshed for 45 days 3',
        'to be deleted: not read for 365 days 1',
        'expire within 7 days without a refresh 1',
        'expire within 30 days without a refresh 2',
        'expire within 90 days without a refresh 5',
        'Dry run: nothing was changed. Use --apply to refresh and delete.',
      ],
      audit: [],
    })
    t.equal(world.entra.control.tokenRequests().total, 0)
    t.ok(await world.row('u4'))
    await world.sql`update oauth2_integration set refreshed_at = now() where user_id in ('u2', 'u3')`
    t.same(
      await run('--apply'),
      { code: 0, lines: ['refreshed 1, failed 0, skipped 0, deleted 1; ended: done'], audit: ['let_go'] },
      'who was let go stands in the log',
    )
  },
)
