import { createHmac } from 'node:crypto'
import t from 'tap'
import { createHarvestAlarm, harvestLimit, type KeyUse } from '../../src/core/harvest.ts'
import { addHash, estimate, mergeSketch, SKETCH_BYTES } from '../../src/core/user-sketch.ts'
import { startWorld } from '../support/world.ts'

// Counts different users of each caller key (docs/design.md#harvest-alarm).

function sketchOf(from: number, to: number): Uint8Array {
  const sketch = new Uint8Array(SKETCH_BYTES)
  for (let i = from; i < to; i++) {
    const hash = createHmac('sha256', 'key').update(`user-${i}`).digest()
    addHash(sketch, hash.readUInt32BE(0), hash.readUInt32BE(4))
  }
  return sketch
}

t.test('the estimate is within a tenth, for few and for many, and repeated users count once', async (t) => {
  t.equal(estimate(new Uint8Array(SKETCH_BYTES)), 0)
  for (const users of [1, 10, 100, 500, 1_000, 5_000, 20_000, 200_000]) {
    const found = estimate(sketchOf(0, users))
    t.ok(Math.abs(found - users) <= Math.max(1, users * 0.1), `${users}: ${found}`)
  }
  const sketch = sketchOf(0, 300)
  t.equal(mergeSketch(sketch, sketchOf(0, 300)), false)
})

t.test('merged sketches count the union, in any order', async (t) => {
  const [a, b] = [sketchOf(0, 3_000), sketchOf(2_000, 5_000)]
  const [ab, ba] = [Uint8Array.from(a), Uint8Array.from(b)]
  mergeSketch(ab, b)
  mergeSketch(ba, a)
  t.strictSame(ab, ba)
  t.ok(Math.abs(estimate(ab) - 5_000) < 500)
  t.equal(mergeSketch(ab, new Uint8Array(4)), false)
})

t.test('the limit: configured, else half more than the busiest hour, at least 500', async (t) => {
  t.equal(harvestLimit(0, undefined), 500)
  t.equal(harvestLimit(300, undefined), 500)
  t.equal(harvestLimit(4_000, undefined), 6_000)
  t.equal(harvestLimit(4_000, 100), 100)
})

t.test('a failed merge loses nothing, and an alarm is reported once until it is over', async (t) => {
  const events: string[] = []
  let answer: KeyUse[] | Error = new Error('away')
  const sent: number[] = []
  const alarm = createHarvestAlarm({
    store: {
      sketchKey: async () => 'key',
      present: async () => [],
      async merge(sketches) {
        if (answer instanceof Error) throw answer
        sent.push(estimate(sketches.get('k') ?? new Uint8Array(SKETCH_BYTES)))
        return answer
      },
    },
    freezes: { freeze: async () => Promise.reject(new Error('not asked')), isKeyFrozen: async () => false },
    alertAbove: 10,
    observe: ({ kind }) => void events.push(kind),
  })
  for (let i = 0; i < 20; i++) alarm.asked('k', `user-${i}`)
  await alarm.merge()
  t.strictSame(events, ['merge_failed'])
  answer = [{ keyId: 'k', users: 20, busiest: 0 }]
  await alarm.merge()
  t.strictSame(sent, [20])
  await alarm.merge()
  t.strictSame(events, ['merge_failed', 'above'])
  t.strictSame(sent, [20, 0], 'what was merged is not sent again')
  t.strictSame(alarm.state(), [{ keyId: 'k', users: 20, busiest: 0, limit: 10 }])
})

t.test(
  'two replicas count together; above HARVEST_FREEZE_ABOVE the key is frozen and the thief gets no more',
  async (t) => {
    const world = await startWorld(t, { env: { HARVEST_ALERT_ABOVE: '15', HARVEST_FREEZE_ABOVE: '30' } })
    await world.connect('42')
    const second = await world.startReplica()
    const replicas = [world.replica, second]
    const merge = async () => {
      for (const { services } of replicas) await services.harvest.merge()
    }
    await merge()
    const steal = async (from: number, to: number) => {
      for (let i = from; i < to; i++) await replicas[i % 2]!.caller.send('GET', `/tokens/stolen-${i}`)
    }
    await steal(0, 20)
    await merge()
    const [row] = await world.sql`select users from caller_key_use`
    t.ok(Math.abs(Number(row!['users']) - 20) <= 2)
    t.match(
      await world.replica.services.metrics.registry.metrics(),
      /token_broker_caller_key_users_limit\{key_id="[^"]+"\} 15/,
    )
    t.match(second.logged(), /unusually many users/)
    t.equal((await world.caller.send('GET', '/tokens/42')).status, 200)
    await steal(20, 45)
    await merge()
    t.match(await world.caller.send('GET', '/tokens/42'), {
      status: 403,
      body: { code: 'frozen', reason: 'caller_key_frozen' },
    })
    t.match(await second.services.freezes.list(), [{ scope: 'caller_key', caller: 'broker' }])
    t.equal((await world.row('42'))!['status'], 'active')
    const [freeze] = await second.services.freezes.list()
    await second.services.freezes.lift(freeze!.id, 'token-broker unfreeze')
    await merge()
    t.equal(
      (await world.caller.send('GET', '/tokens/42')).status,
      200,
      'the next merge does not overrule who lifted it',
    )
  },
)

t.test('the busiest hour of the last 14 days sets the limit; hours before that do not', async (t) => {
  const world = await startWorld(t)
  await world.sql`insert into caller_key_use (key_id, hour, sketch, users) values
    ('k', date_trunc('hour', now(), 'UTC'), '', 7),
    ('k', now() - interval '3 days', '', 2000),
    ('k', now() - interval '20 days', '', 90000)`
  t.strictSame(await world.replica.services.keyUse.present(), [{ keyId: 'k', users: 7, busiest: 2000 }])
})
