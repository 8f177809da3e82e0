import t from 'tap'
import { startWorld } from '../support/world.ts'

t.test('what is refused for good is let go when the refusal is a year old, too: reads of it write nothing', async (t) => {
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
})
