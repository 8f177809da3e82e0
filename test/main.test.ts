import t from 'tap'
import { BROKER_AUTHORITY, startBroker } from '../sandbox/broker.ts'
import { createBrokerClient } from '../sandbox/megdocs/broker-client.ts'
import { startWorld } from './support/world.ts'

// The process itself: start and end.

t.test(
  'SIGTERM during a refresh: it is finished and saved, the caller gets the token, the process ends with 0',
  async (t) => {
    const world = await startWorld(t)
    await world.connect('42')
    await world.setRemaining('42', 10)
    const before = await world.stored('42')
    const broker = await startBroker(world.env)
    t.teardown(() => (broker.isOver() ? undefined : broker.stop('SIGKILL')))
    const caller = createBrokerClient({
      address: () => broker.internalUrl,
      authority: BROKER_AUTHORITY,
      key: world.secrets.megdocsKey,
    })
    world.entra.control.hold()
    const token = caller.token('42')
    await world.entra.control.held()
    broker.kill('SIGTERM')
    while (!broker.log().includes('"msg":"draining"')) await new Promise((resolve) => setImmediate(resolve))
    world.entra.control.release()
    const after = (await token).access_token
    t.not(after, before?.accessToken)
    t.equal(await broker.ended, 0, 'nothing, such as the keep-alive loop, holds the process back')
    t.equal((await world.stored('42'))?.accessToken, after)
  },
)

t.test('while draining, readyz says so with 503', async (t) => {
  const world = await startWorld(t)
  const broker = await startBroker({ ...world.env, DRAIN_SECONDS: '300' })
  t.teardown(() => broker.stop('SIGKILL'))
  t.equal((await fetch(`${broker.operationsUrl}/readyz`)).status, 200)
  broker.kill('SIGTERM')
  while (!broker.log().includes('"msg":"draining"')) await new Promise((resolve) => setImmediate(resolve))
  const answer = await fetch(`${broker.operationsUrl}/readyz`)
  t.equal(answer.status, 503)
  t.match(await answer.json(), { ready: false, draining: true })
})

t.test('a start that must be refused ends with 1 and says why in one line', async (t) => {
  const world = await startWorld(t)
  const refusedBy = (changes: Record<string, string>) => startBroker({ ...world.env, ...changes })
  await t.rejects(refusedBy({ PUBLIC_BASE_URL: 'http://localhost:1' }), {
    message: /broker_misconfigured: this database belongs to/,
  })
  await world.sql`drop schema if exists drizzle cascade`
  await t.rejects(refusedBy({}), { message: /lacks migrations: run token-broker migrate/ })
})
