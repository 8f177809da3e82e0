import t from 'tap'
import { fill, TOKEN_MARK, USERS } from '../../bench/world.ts'
import { deploy, read } from '../../drills/deployment.ts'
import { INSPECT, openInspector } from '../../sandbox/inspector.ts'

// What a broker process still holds, by a snapshot of its heap (docs/security.md#what-stays-open).

t.test('no token stays in the memory of the broker after its answer', async (t) => {
  const deployment = await deploy()
  t.teardown(() => deployment.close())
  const broker = await deployment.start(undefined, [INSPECT])
  const inspector = await openInspector(broker)
  t.teardown(() => inspector.close())
  const client = deployment.client(() => broker.internalUrl)
  const users = await deployment.users('memory', 20)
  // Refreshed at first, then read as stored.
  for (let round = 0; round < 2; round++) for (const user of users) t.equal((await read(client, user)).status, 200)
  const tokens = [...(await deployment.stored()).values()]
  t.equal(tokens.length, users.length)
  const snapshot = await inspector.heapSnapshot()
  t.ok(snapshot.includes('"/tokens/:userId"') || snapshot.includes('/tokens/:userId'), 'the snapshot holds strings')
  const held = tokens.filter((token) => snapshot.includes(token.slice(200, 260)))
  t.strictSame(held.length, 0)
})

t.test('the benchmark of reads spreads them over 50 times as many users as the broker remembers', async (t) => {
  const deployment = await deploy({ env: { CALLER_REQUESTS_PER_MINUTE: '100000' } })
  t.teardown(() => deployment.close())
  // More than may be remembered.
  const count = USERS / 50 + 500
  await fill(deployment.sql, deployment.env['SEALING_KEYS']!, 0, count)
  const broker = await deployment.start(undefined, [INSPECT])
  const inspector = await openInspector(broker)
  t.teardown(() => inspector.close())
  const client = deployment.client(() => broker.internalUrl)
  const names = Array.from({ length: count }, (_, i) => `u${i}`)
  const statuses = new Set<number>()
  await Promise.all(
    Array.from({ length: 16 }, async () => {
      for (let user = names.pop(); user !== undefined; user = names.pop())
        statuses.add((await read(client, user)).status)
    }),
  )
  t.strictSame([...statuses], [200])
  const snapshot = await inspector.heapSnapshot()
  const remembered = new Set(snapshot.match(new RegExp(`${TOKEN_MARK.replace('.', '\\.')}[\\w-]{40}`, 'g')))
  t.ok(USERS >= 50 * remembered.size, `${remembered.size} tokens are remembered`)
})
