import t from 'tap'
import { logCommands, recordCommand } from '../../src/db/audit-entries.ts'
import { deleteExpiredRows } from '../../src/db/retention.ts'
import { createHeartbeat } from '../../src/heartbeat.ts'
import { startWorld, type Replica } from '../support/world.ts'

// The table `replica`, and what the audit log takes from the database.

const linesOf = (replica: Replica, kind: string) =>
  replica
    .logged()
    .split('\n')
    .filter((line) => line.includes(`"audit":"${kind}"`))
    .map((line) => JSON.parse(line) as Record<string, unknown>)

t.test('each replica keeps its newest written line in the database, and logs those of the others once', async (t) => {
  const world = await startWorld(t)
  await world.connect('42')
  const one = world.replica
  const two = await world.startReplica()
  const [first, second] = [createHeartbeat(one.services), createHeartbeat(two.services)]
  await world.caller.token('42')
  await first.beat()
  await second.beat()
  const head = linesOf(one, 'token_handed_out').at(-1)!
  const [row] = await world.sql`select * from replica where id = ${one.services.auditLog.life}`
  t.match(row, { audit_number: String(head['number']), audit_mac: head['mac'] })
  t.match(linesOf(two, 'heads'), [
    { heads: [{ life: one.services.auditLog.life, number: head['number'], mac: head['mac'] }] },
  ])
  await second.beat()
  t.equal(linesOf(two, 'heads').length, 1, 'nothing new, no line')
  await world.caller.token('42')
  await first.beat()
  await second.beat()
  t.equal(linesOf(two, 'heads').length, 2)
  await world.sql`update replica set seen_at = now() - interval '8 days' where id = ${one.services.auditLog.life}`
  await deleteExpiredRows(two.services.database)
  t.equal((await world.sql`select 1 from replica`).length, 1)
})

t.test('a command leaves one line although several replicas look, and its row is gone', async (t) => {
  const world = await startWorld(t)
  const replicas = [world.replica, await world.startReplica(), await world.startReplica()]
  await recordCommand(world.replica.services.database, 'reseal', { key_id: 'k2', resealed: 7, secret: 'x\ny' })
  await Promise.all(replicas.map(({ services }) => createHeartbeat(services).beat()))
  t.match(
    replicas.flatMap((replica) => linesOf(replica, 'command')),
    [{ action: 'reseal', entry: String, facts: { key_id: 'k2', resealed: 7, secret: undefined } }],
  )
  t.equal((await world.sql`select 1 from audit_entry`).length, 0)
})

t.test('a line about a command that could not be written is written later', async (t) => {
  const world = await startWorld(t)
  const { database } = world.replica.services
  await recordCommand(database, 'import', { imported: 3 })
  await t.rejects(
    logCommands(database, () => Promise.reject(new Error('audit_unavailable'))),
    /audit_unavailable/,
  )
  t.equal(await logCommands(database, async () => {}), 0, 'another replica waits for the claim to end')
  await world.sql`update audit_entry set claimed_until = now() - interval '1 second'`
  await createHeartbeat(world.replica.services).beat()
  t.match(linesOf(world.replica, 'command'), [{ action: 'import', facts: { imported: 3 } }])
})
