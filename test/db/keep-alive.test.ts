import t from 'tap'
import type { Clock } from '../../src/core/ports.ts'
import { integrationCounts } from '../../src/db/keep-alive.ts'
import { systemClock } from '../../src/services.ts'
import { startWorld } from '../support/world.ts'

t.test(
  'what is refused for good is let go when the refusal is a year old, too: reads of it write nothing',
  async (t) => {
    const world = await startWorld(t)
    const { keepAliveStore, config } = world.replica.services
    const refuse = async (userId: string, final: boolean, days: number) => {
      await world.connect(userId)
      await world.sql`update oauth2_integration set last_used_at = now() - interval '400 days', status = 'reconnect_required',
      failure = jsonb_build_object('final', ${final}::boolean, 'at', now() - make_interval(days => ${days})) where user_id = ${userId}`
    }
    await refuse('refused-lately', true, 200)
    await refuse('refused-long-ago', true, 390)
    await refuse('curable', false, 1)
    const unused = async () => (await keepAliveStore.unused({ ...config.keepAlive, limit: 10 })).toSorted()
    t.strictSame(await unused(), ['curable', 'refused-long-ago'], 'reads of one that may be cured do write')
    t.equal((await keepAliveStore.forecast(config.keepAlive)).unused, 2)
    t.equal(await keepAliveStore.letGo('refused-lately', config.keepAlive), false)
    t.equal(await keepAliveStore.letGo('refused-long-ago', config.keepAlive), true)
    t.strictSame(await unused(), ['curable'])
  },
)

t.test(
  'a row whose failure cannot be read stops nothing: it is due, counted, refreshed and then in order',
  async (t) => {
    // The pauses between renewals pass at once.
    const sleep: Clock['sleep'] = (ms, signal) =>
      ms >= 900 && ms < 5_000 ? Promise.resolve() : systemClock.sleep(ms, signal)
    const world = await startWorld(t, { overrides: { clock: { ...systemClock, sleep } } })
    const { keepAlive, keepAliveStore, database, config } = world.replica.services
    const broken = [
      '{"at":"yesterday","final":"perhaps"}',
      '{"at":"2026-99-99T99:99:99Z"}',
      '{"at":{"x":1}}',
      '[]',
      '"x"',
    ]
    for (const [i, failure] of broken.entries()) {
      await world.connect(`broken-${i}`)
      await world.sql`update oauth2_integration set failure = ${failure}::text::jsonb where user_id = ${`broken-${i}`}`
    }
    await world.connect('sound')
    await world.sql`update oauth2_integration set refreshed_at = now() - interval '50 days'`
    const users = [...broken.map((_, i) => `broken-${i}`), 'sound'].toSorted()
    t.strictSame(
      (await keepAliveStore.due({ ...config.keepAlive, limit: 10 })).map(({ userId }) => userId).toSorted(),
      users,
    )
    t.match(await keepAliveStore.forecast(config.keepAlive), { all: users.length, due: users.length, unused: 0 })
    t.match(await integrationCounts(database), [{ status: 'active', count: users.length }])
    t.match(await keepAlive.sweep(new AbortController().signal), { renewed: users.length, failed: 0, ended: 'done' })
    t.equal((await world.sql`select 1 from oauth2_integration where failure is not null`).length, 0)
  },
)

t.test('one that is refused for good at an unreadable time is let go like any other that nobody reads', async (t) => {
  const world = await startWorld(t)
  const { keepAliveStore, config } = world.replica.services
  await world.connect('42')
  await world.sql`update oauth2_integration set last_used_at = now() - interval '400 days', status = 'reconnect_required', failure = '{"at":"yesterday","final":true}'`
  t.strictSame(await keepAliveStore.unused({ ...config.keepAlive, limit: 10 }), ['42'])
})
