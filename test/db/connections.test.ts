import t from 'tap'
import { Failure } from '../../src/core/failure.ts'
import { openDatabase, type Database } from '../../src/db/client.ts'
import { sql } from '../../src/db/drizzle.ts'
import { testDatabase } from '../support/database.ts'
import { openWire } from '../support/wire.ts'

// Which connection is used for what. How statements fail is in client.test.ts.

async function open(
  t: { teardown(end: () => Promise<void>): unknown },
  { poolSize = 6, timeoutMs = 5_000, prepare = true } = {},
) {
  const wire = await openWire(await testDatabase(t))
  t.teardown(() => wire.close())
  const database = openDatabase({ url: wire.url, prepare, poolSize, timeoutMs })
  t.teardown(() => database.close())
  return { wire, database }
}
const number = (n: number) => sql`select ${n}::int as n`
const READ = 'select $1::int as n'
const read = (database: Database, text: string, parameter: number, deadlineAt?: number) =>
  database.read(text, [parameter], deadlineAt)

t.test('a query needs no more time after many others than at first', async (t) => {
  // With the pool of postgres.js, 10,000 queries made each query twice as slow: its list of open connections grows with
  // every query. The list is searched with Array.prototype.indexOf, so the number of elements that are compared
  // measures the work without a clock.
  const { database } = await open(t)
  const { indexOf } = Array.prototype
  let searched = 0
  // oxlint-disable-next-line no-extend-native -- counts the comparisons, see above
  Array.prototype.indexOf = function (...args) {
    searched += this.length
    return indexOf.apply(this, args as [unknown])
  }
  // oxlint-disable-next-line no-extend-native -- brings the original back
  t.teardown(() => void (Array.prototype.indexOf = indexOf))
  const workOf = async (queries: number) => {
    const before = searched
    for (let i = 0; i < queries; i++) {
      await database.run((db) => db.execute(number(i)))
      await read(database, READ, i)
    }
    return searched - before
  }
  await workOf(10)
  const first = await workOf(100)
  await workOf(500)
  const later = await workOf(100)
  t.ok(later <= first + 100, `${first} comparisons at first, ${later} later`)
})

t.test(
  'more statements than connections: each waits for a free one, and no further connection is opened',
  async (t) => {
    const { wire, database } = await open(t)
    const answers = await Promise.all(
      Array.from({ length: 60 }, async (_, i) => [
        await database.run((db) => db.execute(number(i))),
        await database.query(READ, [i]),
        await read(database, READ, i),
        await database.transaction((tx) => tx.execute(number(i))),
      ]),
    )
    for (const [i, four] of answers.entries()) t.match(four, Array(4).fill([{ n: i }]))
    t.equal(wire.opened(), 6)
  },
)

t.test('statements one after another use one connection', async (t) => {
  const { wire, database } = await open(t)
  for (let i = 0; i < 5; i++) await database.run((db) => db.execute(number(i)))
  t.equal(wire.opened(), 1)
})

t.test(
  'a caller whose deadline comes while it waits for a connection gets an error, and the others go on',
  async (t) => {
    const { database } = await open(t, { poolSize: 1 })
    const slow = database.run((db) => db.execute(sql`select pg_sleep(0.5), 1 as n`))
    const early = database.run((db) => db.execute(number(2)), performance.now() + 50).catch((error: unknown) => error)
    const later = database.run((db) => db.execute(number(3)))
    t.match(await early, { code: 'database_unavailable', facts: { detail: 'no free connection' } })
    t.match(await slow, [{ n: 1 }])
    t.match(await later, [{ n: 3 }])
  },
)

t.test('work that throws before it sends a statement gives its connection back', async (t) => {
  const { database } = await open(t, { poolSize: 1 })
  for (let i = 0; i < 3; i++) {
    await t.rejects(
      database.run(() => {
        throw new TypeError('no statement')
      }),
      { code: 'database_unavailable', facts: { detail: 'unknown (TypeError)' } },
    )
  }
  t.match(await database.run((db) => db.execute(number(1))), [{ n: 1 }])
})

t.test("a statement that fails after some of its rows takes nothing from the next one's answer", async (t) => {
  const { database } = await open(t, { poolSize: 1 })
  for (let i = 0; i < 3; i++) {
    await t.rejects(database.query('select 1 / (3 - n) as n from generate_series(1, 5) as n', []), {
      code: 'internal_error',
    })
    t.same(await database.query(READ, [i]), [{ n: i }])
    await t.rejects(
      database.run((db) => db.execute(sql`select 1 / (3 - n) as n from generate_series(1, 5) as n`)),
      { code: 'internal_error' },
    )
    t.same(await database.run((db) => db.execute(number(i))), [{ n: i }])
    await t.rejects(
      database.transaction((tx) => tx.execute(sql`select 1 / (3 - n) as n from generate_series(1, 5) as n`)),
      { code: 'internal_error' },
    )
    t.same(await database.read(READ, [i]), [{ n: i }])
  }
})

t.test('reads are answered while every other connection is taken', async (t) => {
  const { database } = await open(t)
  const taken = Array.from({ length: 4 }, () => database.run((db) => db.execute(sql`select pg_sleep(1)`)))
  t.match(
    await database.run((db) => db.execute(number(0)), performance.now() + 50).catch((error: unknown) => error),
    Failure,
    'all taken',
  )
  t.match(
    await Promise.all(Array.from({ length: 80 }, (_, i) => read(database, READ, i))),
    Array.from({ length: 80 }, (_, i) => [{ n: i }]),
  )
  await Promise.all(taken)
})

t.test('a read whose connection is lost is sent again on another connection; a write is not', async (t) => {
  const { database } = await open(t)
  const slow = 'select pg_sleep(0.5), $1::int as n'
  const lost = read(database, slow, 7)
  const write = database.query(slow, [8]).catch((error: unknown) => error)
  let ended = 0
  while (ended < 2) {
    const rows = await database.run((db) =>
      db.execute(sql`select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and state = 'active' and query like 'select pg_sleep(0.5)%'
        and pid <> pg_backend_pid()`),
    )
    ended += rows.length
  }
  t.match(await lost, [{ n: 7 }])
  t.match(await write, { code: 'database_unavailable' })
})

t.test('a small pool has no connections for reads only', async (t) => {
  const { wire, database } = await open(t, { prepare: false, poolSize: 5 })
  t.match(
    await Promise.all(Array.from({ length: 40 }, (_, i) => read(database, READ, i))),
    Array.from({ length: 40 }, (_, i) => [{ n: i }]),
  )
  t.equal(wire.opened(), 5)
})

t.test(
  'if Postgres is silent, all connections are free again after one time-out, not one after the other',
  async (t) => {
    const { wire, database } = await open(t, { timeoutMs: 1_500, prepare: false, poolSize: 3 })
    await Promise.all(
      [1, 2, 3].map((n) => database.run((db) => db.execute(sql`select ${n}::int as n, pg_sleep(0.05)`))),
    )
    wire.swallow()
    const failed = (work: Promise<unknown>) => work.catch((error: unknown) => error)
    const first = failed(database.run((db) => db.execute(number(1))))
    t.match(await failed(database.run((db) => db.execute(number(2)), performance.now() + 300)), Failure)
    const later = failed(database.run((db) => db.execute(number(3))))
    t.match(await first, { facts: { detail: 'deadline' } })
    t.match(await later, { code: 'database_unavailable', facts: { detail: /CONNECTION/ } }, 'not at its own deadline')
    const opened = wire.opened()
    wire.mend()
    t.match(
      await Promise.all(
        [4, 5, 6].map((n) => database.run((db) => db.execute(sql`select ${n}::int as n, pg_sleep(0.05)`))),
      ),
      [[{ n: 4 }], [{ n: 5 }], [{ n: 6 }]],
    )
    t.equal(wire.opened(), opened + 3)
  },
)

t.test(
  'the deadline of a caller is later than the time-out: a connection that breaks later breaks nothing else',
  async (t) => {
    const { wire, database } = await open(t, { timeoutMs: 500 })
    const alone: unknown[] = []
    const note = (error: unknown) => void alone.push(error)
    process.on('unhandledRejection', note)
    t.teardown(() => process.off('unhandledRejection', note))
    await Promise.all(Array.from({ length: 64 }, () => read(database, 'select pg_sleep($1)', 0)))
    const answered = read(database, 'select pg_sleep($1)', 0.05)
    const hanging = read(database, 'select pg_sleep($1)', 5, performance.now() + 8_000).catch((error: unknown) => error)
    await answered
    t.match(await hanging, { code: 'database_unavailable', facts: { detail: 'deadline' } })
    wire.cut()
    t.match(await read(database, READ, 1).catch((error: unknown) => error), Failure)
    t.match(await database.run((db) => db.execute(number(1))).catch((error: unknown) => error), Failure)
    // What was tried again meanwhile has had a whole deadline to fail.
    wire.swallow()
    t.match(await database.run((db) => db.execute(number(2))).catch((error: unknown) => error), Failure)
    t.match(await database.run((db) => db.execute(number(3))).catch((error: unknown) => error), Failure)
    t.strictSame(alone, [])
  },
)

t.test('while reads are answered, a slow statement that times out does not end the others', async (t) => {
  const { database } = await open(t, { timeoutMs: 1_000 })
  await Promise.all([1, 2, 3].map(() => database.run((db) => db.execute(sql`select pg_sleep(0.1)`))))
  const slow = database.run((db) => db.execute(sql`select pg_sleep(3)`)).catch((error: unknown) => error)
  // Until shortly before its time-out only reads are answered.
  await read(database, 'select pg_sleep($1)', 0.8)
  const young = [
    database.run((db) => db.execute(sql`select 7 as n, pg_sleep(0.5)`)),
    database.transaction((tx) => tx.execute(sql`select 7 as n, pg_sleep(0.5)`)),
  ]
  t.match(await read(database, READ, 1), [{ n: 1 }])
  t.match(await slow, Failure)
  t.match(await Promise.all(young), [[{ n: 7 }], [{ n: 7 }]])
})

t.test('connections that break under many reads leave no further connections behind', async (t) => {
  const { database } = await open(t)
  for (let round = 0; round < 3; round++) {
    const reads = Array.from({ length: 500 }, (_, i) => read(database, READ, i).catch((error: unknown) => error))
    await database.run((db) =>
      db.execute(
        sql`select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`,
      ),
    )
    await Promise.all(reads)
  }
  const rows = await database.run((db) =>
    db.execute(sql`select count(*)::int as n from pg_stat_activity where datname = current_database()`),
  )
  t.ok(Number(rows[0]?.['n']) <= 6, `${rows[0]?.['n']} connections`)
})
