import t from 'tap'
import { openDatabase } from '../../src/db/client.ts'
import { deleteExpiredRows } from '../../src/db/retention.ts'
import { testDatabase } from '../support/database.ts'
import postgres from 'postgres'

async function open(t: { teardown(end: () => unknown): unknown }) {
  const url = await testDatabase(t as Parameters<typeof testDatabase>[0])
  const database = openDatabase({ url, prepare: true, poolSize: 4, timeoutMs: 20_000 })
  const sql = postgres(url, { max: 1, onnotice: () => {} })
  t.teardown(async () => {
    await sql.end()
    await database.close()
  })
  const count = async (table: string) =>
    Number((await sql`select count(*)::int as count from ${sql(table)}`)[0]?.['count'])
  return { database, sql, count }
}

t.test('what is over goes, what is not stays', async (t) => {
  const { database, sql, count } = await open(t)
  await sql`insert into request_nonce values
    ('\\x01', now() - interval '1 second'), ('\\x02', now() + interval '1 minute')`
  await sql`insert into browser_session (id_hash, data, expires_at) values
    ('\\x01', '{}', now() - interval '1 second'), ('\\x02', '{}', now() + interval '1 minute')`
  await sql`insert into connect_session (id, ticket_hash, caller, user_id, intent, allow_switch, status, expires_at)
    values
    (gen_random_uuid(), '\\x01', 'megdocs', '1', 'connect', false, 'created', now() - interval '25 hours'),
    (gen_random_uuid(), '\\x02', 'megdocs', '1', 'connect', false, 'connected', now() - interval '23 hours')`
  await sql`insert into event (user_id, type, caller, detail, at) values
    ('1', 'connected', 'megdocs', '{}', now() - interval '92 days'),
    ('1', 'connected', 'megdocs', '{}', now() - interval '91 days'),
    ('1', 'connected', 'megdocs', '{}', now() - interval '89 days')`
  t.equal(await deleteExpiredRows(database), 4)
  for (const table of ['request_nonce', 'browser_session', 'connect_session']) t.equal(await count(table), 1, table)
  t.equal(await count('event'), 2, 'the newest of the old ones stays: a cursor may be at it')
  t.equal(await deleteExpiredRows(database), 0)
})

t.test('more than one batch goes in one purge, and two replicas at once do not disturb each other', async (t) => {
  const { database, sql, count } = await open(t)
  await sql`insert into request_nonce select int4send(n), now() - interval '1 second' from generate_series(1, 12000) as n`
  const [one = 0, two = 0] = await Promise.all([deleteExpiredRows(database), deleteExpiredRows(database)])
  t.equal(one + two, 12_000)
  t.equal(await count('request_nonce'), 0)
})
