import t from 'tap'
import { JANE, startWorld } from '../support/world.ts'
import { testDatabase } from '../support/database.ts'
import { openWire } from '../support/wire.ts'

// How often a request of a connect reads and writes its row: each statement is a round trip, and a row that is read
// twice may differ.

t.test('each request of a connect reads its row once and writes it once', async (t) => {
  const wire = await openWire(await testDatabase(t))
  t.teardown(() => wire.close())
  const world = await startWorld(t, { databaseUrl: wire.url })
  const { caller } = world
  /** Statements on the table of connect sessions since the last call, as `select` and `update`. */
  const statements = () =>
    wire
      .statements()
      .filter((statement) =>
        /^(?:insert into|update) "connect_session"|^select [^]* from "connect_session" where/.test(statement),
      )
      .map((statement) => statement.split(' ')[0])
  const browser = world.stoppingBrowser()
  const { id, url } = await caller.beginConnect('42')
  t.strictSame(statements(), ['insert'])

  const { refresh: authorizeUrl } = await browser.open(url)
  t.ok(authorizeUrl?.startsWith(world.entra.url), 'at Microsoft')
  t.strictSame(statements(), ['select', 'select', 'update'], 'one request sets the cookie, the other spends the ticket')

  await browser.open(world.entra.control.signIn({ account: JANE, authorizeUrl: authorizeUrl! }))
  t.strictSame(statements(), ['select', 'update'])

  await world.complete(id, '42')
  t.strictSame(statements(), ['select', 'update', 'update'], 'read, begun, ended')

  const manage = await caller.beginConnect('42', { intent: 'manage' })
  statements()
  t.equal((await browser.open(manage.url)).status, 200)
  t.strictSame(statements().slice(0, 3), ['select', 'select', 'update'])
})
