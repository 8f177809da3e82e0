import { inspect } from 'node:util'
import { sql } from 'drizzle-orm'
import t from 'tap'
import { Failure } from '../../src/core/failure.ts'
import { openDatabase } from '../../src/db/client.ts'
import { testDatabase } from '../support/database.ts'
import { openWire } from '../support/wire.ts'

const CANARY = 'canary-5b1f0e'

async function open(t: { teardown(end: () => Promise<void>): unknown }, timeoutMs = 5_000) {
  const wire = await openWire(await testDatabase(t))
  t.teardown(() => wire.close())
  const database = openDatabase({ url: wire.url, prepare: true, poolSize: 2, timeoutMs })
  t.teardown(() => database.close())
  return { wire, database }
}

async function failureOf(work: Promise<unknown>): Promise<Failure> {
  try {
    await work
  } catch (error) {
    if (error instanceof Failure) return error
    throw error
  }
  throw new Error('nothing was thrown')
}

t.test('errors of the driver become Failures that hold no statement and no parameter', async (t) => {
  const { database } = await open(t)
  const cases: [work: ReturnType<typeof sql>, code: string, detail: string][] = [
    [sql`select ${CANARY}::int`, 'internal_error', 'database 22P02'],
    [sql`select ${CANARY} from nowhere`, 'internal_error', 'database 42P01'],
    [
      sql`insert into oauth2_integration
        (id, user_id, status, generation, access_token, refresh_token, access_token_expires_at, scopes)
      values (gen_random_uuid(), ${CANARY}, 'other', 1, '', '', now(), '{}')`,
      'internal_error',
      'database 23514 oauth2_integration_status',
    ],
    [sql`select 1 / (length(${CANARY}) - length(${CANARY}))`, 'internal_error', 'database 22012'],
  ]
  for (const [work, code, detail] of cases) {
    for (const run of [
      () => database.run((db) => db.execute(work)),
      () => database.transaction((tx) => tx.execute(work)),
    ]) {
      const failure = await failureOf(run())
      t.match(failure, { code, facts: { detail } })
      t.notMatch(
        inspect(failure, { depth: 9, showHidden: true }) + (failure.stack ?? ''),
        new RegExp(`${CANARY}|select|insert`),
      )
      t.equal(failure.cause, undefined)
    }
  }
})

t.test(
  'a connection that is lost in the middle of a statement or a transaction ends in database_unavailable, and the process lives',
  async (t) => {
    const { database } = await open(t)
    const end = sql`select pg_terminate_backend(pg_backend_pid()), ${CANARY}`
    for (let i = 0; i < 3; i++) {
      const losses = [
        failureOf(database.run((db) => db.execute(end))),
        failureOf(database.transaction((tx) => tx.execute(end))),
        failureOf(
          database.transaction(async (tx) => {
            await tx.execute(sql`select 1`)
            await tx.execute(end)
            await tx.execute(sql`select 2`)
          }),
        ),
      ]
      for (const failure of await Promise.all(losses)) {
        t.equal(failure.code, 'database_unavailable')
        t.match(failure.facts.detail, /^(57P01|CONNECTION_CLOSED|ECONNRESET|EPIPE)$/)
        t.notMatch(inspect(failure, { depth: 9, showHidden: true }) + (failure.stack ?? ''), CANARY)
      }
      t.match(
        await Promise.all(Array.from({ length: 6 }, () => database.run((db) => db.execute(sql`select 1 as n`)))),
        Array(6).fill([{ n: 1 }]),
      )
    }
  },
)

t.test('an unreachable server is database_unavailable; the detail is a code, not an address', async (t) => {
  const { wire, database } = await open(t, 1_000)
  wire.cut()
  const failure = await failureOf(database.run((db) => db.execute(sql`select 1`)))
  t.equal(failure.code, 'database_unavailable')
  t.match(failure.facts.detail, /^[A-Z_]+$|^deadline$/)
})

t.test(
  'if the server is silent, the time-out ends the query and all others of the pool, and the next one works',
  async (t) => {
    const { wire, database } = await open(t, 1_500)
    await database.run((db) => db.execute(sql`select 1`))
    wire.swallow()
    const failures = await Promise.all(
      Array.from({ length: 6 }, () => failureOf(database.run((db) => db.execute(sql`select 1`)))),
    )
    t.strictSame(new Set(failures.map(({ code }) => code)), new Set(['database_unavailable']))
    wire.mend()
    for (;;) {
      const answer = await database.run((db) => db.execute(sql`select 7 as n`)).catch((error: unknown) => error)
      if (answer instanceof Failure) continue
      t.match(answer, [{ n: 7 }])
      break
    }
  },
)

t.test('a slow query ends at the time-out, and the others keep their connections', async (t) => {
  const { wire, database } = await open(t, 1_000)
  await database.run((db) => db.execute(sql`select 1`))
  const slow = failureOf(database.run((db) => db.execute(sql`select pg_sleep(3)`)))
  await database.run((db) => db.execute(sql`select 2`))
  const opened = wire.opened()
  t.match(await slow, { code: 'database_unavailable', facts: { detail: 'deadline' } })
  wire.statements()
  await database.run((db) => db.execute(sql`select 3`))
  t.strictSame(wire.statements(), ['select 3'])
  t.equal(wire.opened(), opened, 'on a connection that was there')
})

t.test("a caller's deadline ends its own query only", async (t) => {
  const { database } = await open(t, 30_000)
  t.match(await failureOf(database.run((db) => db.execute(sql`select pg_sleep(1)`), 100)), {
    code: 'database_unavailable',
  })
  t.match(await database.run((db) => db.execute(sql`select 5 as n`)), [{ n: 5 }])
})
