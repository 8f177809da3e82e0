import t from 'tap'
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
