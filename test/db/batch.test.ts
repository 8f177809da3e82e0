import { setImmediate as turn } from 'node:timers/promises'
import t from 'tap'
import { Failure } from '../../src/core/failure.ts'
import { openDatabase } from '../../src/db/client.ts'
import { sql } from '../../src/db/drizzle.ts'
import { batchedByUser, MAX_BATCH } from '../../src/db/fast-path/batch.ts'
import { testDatabase } from '../support/database.ts'
import { openWire } from '../support/wire.ts'

// Batched reads, on a table of their own: who gets which answer, with how many statements, and when queries do not wait
// for each other.

type Row = { user_id: string; value: string }
const inList = (users: number) => Array.from({ length: users }, (_, i) => `$${i + 1}`).join(', ')

async function start(
  t: { teardown(end: () => Promise<void>): unknown },
  { timeoutMs = 5_000, columns = 'user_id, value' } = {},
) {
  const wire = await openWire(await testDatabase(t))
  t.teardown(() => wire.close())
  const database = openDatabase({ url: wire.url, prepare: true, poolSize: 6, timeoutMs })
  t.teardown(() => database.close())
  await database.run((db) => db.execute(sql`create table shelf (user_id text primary key, value text not null)`))
  await database.run((db) =>
    db.execute(sql`insert into shelf select 'u' || n, 'v' || n from generate_series(0, 499) as n`),
  )
  const read = batchedByUser<Row>(
    database,
    (users) => `select ${columns} from shelf where user_id in (${inList(users)})`,
  )
  /** Keeps both read connections busy for so many seconds. */
  const busy = (seconds: number) => [1, 2].map(() => database.read('select pg_sleep($1)', [seconds]))
  wire.statements()
  return {
    wire,
    database,
    read,
    busy,
    sent: () => wire.statements().filter((statement) => statement.includes('from shelf')),
  }
}
const failed = (work: Promise<unknown>) => work.catch((error: unknown) => error)

t.test('each query gets its row, or none, and queries asked at the same time need few statements', async (t) => {
  const { read, sent } = await start(t)
  const answers = await Promise.all(
    Array.from({ length: 3 * MAX_BATCH + 5 }, (_, i) => read(`u${i % 2 === 0 ? i : i + 1_000}`)),
  )
  for (const [i, row] of answers.entries()) t.same(row, i % 2 === 0 ? { user_id: `u${i}`, value: `v${i}` } : undefined)
  t.same(
    sent()
      .map((statement) => statement.match(/\$/g)!.length)
      .toSorted((a, b) => a - b),
    [8, MAX_BATCH, MAX_BATCH, MAX_BATCH],
  )
})

t.test('many reads of one user at the same time are one parameter', async (t) => {
  const { read, sent } = await start(t)
  const answers = await Promise.all(Array.from({ length: 50 }, () => read('u7')))
  t.same(answers, Array(50).fill({ user_id: 'u7', value: 'v7' }))
  t.same(sent(), ['select user_id, value from shelf where user_id in ($1)'])
})

t.test('while two statements are running, further queries are collected into one', async (t) => {
  const { read, busy, sent } = await start(t)
  const both = busy(0.3)
  const answers = []
  for (let i = 0; i < 30; i++) {
    answers.push(read(`u${i}`))
    await turn()
  }
  t.same(
    (await Promise.all(answers)).map((row) => row?.value),
    Array.from({ length: 30 }, (_, i) => `v${i}`),
  )
  t.same(
    sent()
      .map((statement) => statement.match(/\$/g)!.length)
      .toSorted((a, b) => a - b),
    [1, 1, 32],
  )
  await Promise.all(both)
})

t.test('a query that is asked after a change sees it, although an earlier statement is still running', async (t) => {
  const { database, read } = await start(t, { columns: 'user_id, value, pg_sleep(0.3)' })
  const early = read('u1')
  const asleep = sql`select 1 from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'`
  while ((await database.run((db) => db.execute(asleep))).length === 0) await turn()
  await database.run((db) => db.execute(sql`update shelf set value = 'changed' where user_id = 'u1'`))
  t.match(await read('u1'), { value: 'changed' })
  t.match(await early, { value: 'v1' })
})

t.test('a statement that fails fails for all its queries, and later queries are answered', async (t) => {
  const { wire, database, read, busy } = await start(t, { timeoutMs: 1_000 })
  const wrong = batchedByUser<Row>(
    database,
    (users) => `select user_id, value / 0 as value from shelf where user_id in (${inList(users)})`,
  )
  t.match(
    await Promise.all(['u1', 'u2', 'u3'].map((user) => failed(wrong(user)))),
    Array(3).fill({ code: 'internal_error' }),
  )
  const divided = batchedByUser<Row>(
    database,
    (users) => `select user_id, value, 1 / (substr(value, 2)::int - 2) from shelf where user_id in (${inList(users)})`,
  )
  t.match(
    await Promise.all(['u1', 'u2', 'u3'].map((user) => failed(divided(user)))),
    [{ value: 'v1' }, { code: 'internal_error' }, { value: 'v3' }],
    'only the query that Postgres rejects fails',
  )
  const both = busy(3).map(failed)
  t.match(
    await Promise.all(['u1', 'u2', 'u1'].map((user) => failed(read(user)))),
    Array(3).fill({ code: 'database_unavailable' }),
    'no connection in time',
  )
  await Promise.all(both)
  wire.swallow()
  t.match(
    await Promise.all(['u1', 'u2'].map((user) => failed(read(user)))),
    Array(2).fill({ code: 'database_unavailable' }),
    'silent',
  )
  wire.mend()
  for (let answer: unknown; ;) {
    answer = await failed(read('u1'))
    if (answer instanceof Failure) continue
    t.match(answer, { value: 'v1' })
    break
  }
})

t.test('a query fails at its own deadline, and others with later deadlines get their answers', async (t) => {
  const { read, busy } = await start(t)
  const both = busy(0.4)
  const later = read('u1')
  t.match(await failed(read('u1', performance.now() + 50)), {
    code: 'database_unavailable',
    facts: { detail: 'deadline' },
  })
  t.match(await later, { value: 'v1' })
  t.match(await read('u2', performance.now() + 2_000), { value: 'v2' }, 'in time')
  await Promise.all(both)
})

t.test('a query that was collected early ends in time, and a later one has the whole time-out', async (t) => {
  const { read, busy } = await start(t, {
    timeoutMs: 3_000,
    columns: "user_id, value, pg_sleep(case when user_id = 'u9' then 1.5 else 0 end)",
  })
  const both = busy(2)
  const first = [read('u1'), read('u2')]
  await turn()
  await turn()
  const early = failed(read('u9'))
  const waited = performance.now()
  while (performance.now() - waited < 1_500) await turn()
  const late = read('u3')
  t.match(await early, { code: 'database_unavailable', facts: { detail: 'deadline' } })
  t.match(await late, { value: 'v3' })
  await Promise.all([...both, ...first])
})

t.test('reads are answered although their connection is lost', async (t) => {
  const { database, read } = await start(t, { columns: 'user_id, value, pg_sleep(0.2)' })
  const answers = Array.from({ length: 4 }, (_, i) => read(`u${i}`))
  const end = sql`select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'`
  while ((await database.run((db) => db.execute(end))).length === 0) await turn()
  t.same(
    (await Promise.all(answers)).map((row) => row?.value),
    ['v0', 'v1', 'v2', 'v3'],
  )
})
