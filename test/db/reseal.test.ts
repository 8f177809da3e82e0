import { randomBytes } from 'node:crypto'
import postgres from 'postgres'
import t from 'tap'
import { generateSealingKey, parseSealingKeys } from '../../src/crypto/keyring.ts'
import { createVault } from '../../src/crypto/vault.ts'
import { openDatabase, type Database } from '../../src/db/client.ts'
import { proveSealingKeys } from '../../src/db/deployment.ts'
import { reseal } from '../../src/db/reseal.ts'
import { testDatabase } from '../support/database.ts'
import { contextOf, insertIntegrations, openIntegrations } from '../support/sealed-rows.ts'

type Test = Parameters<typeof testDatabase>[0]

/** A database whose replicas sealed with `old` and have begun to seal with `fresh`. */
async function setUp(t: Test, count: number) {
  const url = await testDatabase(t)
  const sql = postgres(url, { max: 2, onnotice: () => {} })
  const database = openDatabase({ url, prepare: true, poolSize: 4, timeoutMs: 30_000 })
  t.teardown(async () => {
    await sql.end()
    await database.close()
  })
  const [oldKey, freshKey] = [generateSealingKey('old'), generateSealingKey('fresh')]
  const old = createVault(parseSealingKeys(oldKey))
  const both = createVault(parseSealingKeys(`${freshKey} ${oldKey}`))
  const fresh = createVault(parseSealingKeys(freshKey))
  await proveSealingKeys(database, old)
  await proveSealingKeys(database, both)
  const rows = await insertIntegrations(sql, old, count)
  return { sql, database, old, both, fresh, rows }
}

/** The same database, with something happening before its nth statement. */
function interrupted(database: Database, before: (n: number) => Promise<void> | void): Database {
  let n = 0
  return {
    ...database,
    async run(work) {
      await before(++n)
      return database.run(work)
    },
  }
}

const attemptRow = (sql: postgres.Sql, id: string, values: { code: Buffer | null; pkce_verifier: Buffer }) =>
  sql`insert into connect_session ${sql({
    id,
    ticket_hash: randomBytes(32),
    caller: 'megdocs',
    user_id: 'row-0',
    intent: 'connect',
    allow_switch: false,
    status: 'received',
    expires_at: new Date(Date.now() + 300_000).toISOString(),
    ...values,
  })}`

t.test(
  'every value of both tables is under the newest key afterwards and opens to what it was, and the old key can be taken away',
  async (t) => {
    const { sql, database, old, both, fresh, rows } = await setUp(t, 450)
    const attempt = { id: '00000000-0000-4000-8000-000000000001', userId: 'row-0' }
    await attemptRow(sql, attempt.id, {
      code: old.seal(contextOf(attempt, 'code'), 'the code'),
      pkce_verifier: old.seal(contextOf(attempt, 'pkce_verifier'), 'the verifier'),
    })
    await attemptRow(sql, '00000000-0000-4000-8000-000000000002', {
      code: null,
      pkce_verifier: both.seal(
        contextOf({ ...attempt, id: '00000000-0000-4000-8000-000000000002' }, 'pkce_verifier'),
        'v',
      ),
    })
    const seen: number[] = []
    const report = await reseal(database, both, ({ pass, rows: looked }) => pass === 1 && seen.push(looked))
    t.same(report, {
      newest: 'fresh',
      before: { old: 902, fresh: 1 },
      after: { fresh: 903 },
      resealed: 902,
      unreadable: [],
      settled: true,
      retired: ['old'],
    })
    t.same(seen, [200, 400, 450, 2], 'progress is reported after each window')
    t.same(await openIntegrations(sql, fresh), rows)
    const [stored] = await sql`select code, pkce_verifier from connect_session where id = ${attempt.id}`
    t.equal(fresh.open(contextOf(attempt, 'code'), stored!['code'] as Buffer), 'the code')
    t.equal(fresh.open(contextOf(attempt, 'pkce_verifier'), stored!['pkce_verifier'] as Buffer), 'the verifier')
    t.same(
      await sql`select distinct generation::int from oauth2_integration`,
      [{ generation: 1 }],
      'no generation is used up',
    )
    await t.resolves(proveSealingKeys(database, fresh), 'a replica with the new key alone may start')

    const again = await reseal(database, both)
    t.match(
      again,
      { resealed: 0, before: { fresh: 903 }, settled: true, retired: [] },
      'a second run has nothing to do',
    )
  },
)

t.test('tokens that are saved between look and write stay, and the rest is resealed', async (t) => {
  const { sql, database, old, both, fresh, rows } = await setUp(t, 3)
  const [first, second] = rows as [(typeof rows)[number], (typeof rows)[number]]
  const racing = interrupted(database, async (n) => {
    // 1 reads the canaries, 2 looks at the rows, 3 is the first write: by then one row has new tokens, one a new access
    // token.
    if (n !== 3) return
    await sql`update oauth2_integration set generation = 2,
      access_token = ${both.seal(contextOf(first, 'access_token'), 'newer')},
      refresh_token = ${both.seal(contextOf(first, 'refresh_token'), 'newer still')} where id = ${first.id}`
    await sql`update oauth2_integration set generation = 2,
      access_token = ${old.seal(contextOf(second, 'access_token'), 'by an old replica')} where id = ${second.id}`
  })
  const report = await reseal(racing, both)
  t.match(report, { settled: true, unreadable: [], after: { fresh: 6 } })
  t.same(await openIntegrations(sql, fresh), [
    { ...first, accessToken: 'newer', refreshToken: 'newer still' },
    { ...second, accessToken: 'by an old replica' },
    rows[2],
  ])
})

t.test('a row that is deleted between look and write stays deleted', async (t) => {
  const { sql, database, both, rows } = await setUp(t, 2)
  const racing = interrupted(
    database,
    async (n) => void (n === 3 && (await sql`delete from oauth2_integration where id = ${rows[0]!.id}`)),
  )
  t.match(await reseal(racing, both), { settled: true, after: { fresh: 2 } })
  t.equal((await sql`select 1 from oauth2_integration`).length, 1)
})

t.test(
  'interrupted in the middle, every value opens with both keys, and the next run does only the rest',
  async (t) => {
    const { sql, database, both, fresh, rows } = await setUp(t, 30)
    const begun: Promise<unknown>[] = []
    const mortal: Database = {
      ...database,
      run(work) {
        if (begun.length === 12) return Promise.reject(new Error('the process is gone'))
        const result = database.run(work)
        begun.push(result)
        return result
      },
    }
    await t.rejects(reseal(mortal, both), { message: 'the process is gone' })
    await Promise.all(begun)
    t.same(await openIntegrations(sql, both), rows)
    const report = await reseal(database, both)
    t.match(report, { before: { fresh: 20, old: 40 }, resealed: 40 }, 'what was done stays done')
    t.same(await openIntegrations(sql, fresh), rows)
  },
)

t.test('two runs at once disturb neither each other nor the values', async (t) => {
  const { sql, database, both, fresh, rows } = await setUp(t, 250)
  const reports = await Promise.all([reseal(database, both), reseal(database, both)])
  for (const report of reports) t.match(report, { settled: true, after: { fresh: 500 }, unreadable: [] })
  t.equal(reports[0]!.resealed + reports[1]!.resealed, 500, 'each value was rewritten once')
  t.same(await openIntegrations(sql, fresh), rows)
})

t.test(
  'values that nobody can open are counted, named by id and left as they are, and their keys stay on record',
  async (t) => {
    const { sql, database, old, both, rows } = await setUp(t, 5)
    const stranger = createVault(parseSealingKeys(generateSealingKey('stranger')))
    const [garbage, foreign, swapped, half] = rows as [
      (typeof rows)[number],
      (typeof rows)[number],
      (typeof rows)[number],
      (typeof rows)[number],
    ]
    await sql`update oauth2_integration set access_token = 'plain text', refresh_token = ''::bytea where id = ${garbage.id}`
    await sql`update oauth2_integration set access_token = ${stranger.seal(contextOf(foreign, 'access_token'), 'x')} where id = ${foreign.id}`
    await sql`update oauth2_integration set refresh_token = ${old.seal(contextOf(half, 'refresh_token'), 'x')} where id = ${swapped.id}`
    await sql`insert into sealing_key (key_id, canary) values ('stranger', ${stranger.sealCanary('stranger')})`
    const before = await sql`select id, access_token, refresh_token from oauth2_integration order by id`
    const report = await reseal(database, both)
    t.match(report, { settled: true, resealed: 6, after: { '': 2, stranger: 1, old: 1, fresh: 6 } })
    t.same(report.retired, [], 'a key under which something is left is not struck out')
    t.same(
      report.unreadable.map(({ id, column, keyId, why }) => [id, column, keyId, why]).sort(),
      [
        [garbage.id, 'access_token', '', 'wrong_version'],
        [garbage.id, 'refresh_token', '', 'truncated'],
        [foreign.id, 'access_token', 'stranger', 'unknown_key'],
        [swapped.id, 'refresh_token', 'old', 'authentication'],
      ].sort(),
    )
    const after = await sql`select id, access_token, refresh_token from oauth2_integration order by id`
    for (const [i, row] of before.entries()) {
      for (const { column } of report.unreadable.filter(({ id }) => id === row['id']))
        t.same(after[i]![column], row[column], `${column} is untouched`)
    }
    const { access_token: opened } = after.find(({ id }) => id === swapped.id)!
    t.equal(
      both.open(contextOf(swapped, 'access_token'), opened as Buffer),
      swapped.accessToken,
      'the good half of such a row is resealed',
    )
  },
)

t.test(
  'while a replica still seals with the old key, the run ends and says so, and the old key stays on record',
  async (t) => {
    const { sql, database, old, both, rows } = await setUp(t, 2)
    const [row] = rows as [(typeof rows)[number]]
    const racing = interrupted(database, async () => {
      await sql`update oauth2_integration set access_token = ${old.seal(contextOf(row, 'access_token'), 'again')} where id = ${row.id}`
    })
    t.match(await reseal(racing, both), { settled: false, retired: [] })
    t.equal((await sql`select 1 from sealing_key where key_id = 'old'`).length, 1)
  },
)

t.test(
  'it refuses a newest key with which no replica seals yet, and a key that is not the one of its id',
  async (t) => {
    const { sql, database, rows, old } = await setUp(t, 1)
    const before = await sql`select access_token from oauth2_integration`
    const unknown = createVault(parseSealingKeys(generateSealingKey('unheard-of')))
    await t.rejects(reseal(database, unknown), {
      code: 'broker_misconfigured',
      message: /no replica seals with unheard-of yet: put it second/,
    })
    const impostor = createVault(parseSealingKeys(generateSealingKey('fresh')))
    await t.rejects(reseal(database, impostor), {
      code: 'token_unreadable',
      message: /sealing key fresh in SEALING_KEYS is another key/,
    })
    t.same(await sql`select access_token from oauth2_integration`, before)
    t.same(await openIntegrations(sql, old), rows)
  },
)
