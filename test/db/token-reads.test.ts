import { mock } from 'node:test'
import postgres from 'postgres'
import t from 'tap'
import type { SealContext } from '../../src/core/ports.ts'
import { generateSealingKey, parseSealingKeys } from '../../src/crypto/keyring.ts'
import { createVault } from '../../src/crypto/vault.ts'
import { openDatabase } from '../../src/db/client.ts'
import { createIntegrationStore } from '../../src/db/integrations.ts'
import { MAX_KEPT, KEPT_FOR_MS } from '../../src/db/token-reads.ts'
import { testDatabase } from '../support/database.ts'
import { contextOf, insertIntegrations } from '../support/sealed-rows.ts'
import { openWire } from '../support/wire.ts'

// What a read fetches and opens, and what it keeps: only ever the token set that Postgres names.

async function start(t: { teardown(end: () => Promise<void>): unknown }, users: number) {
  const wire = await openWire(await testDatabase(t))
  t.teardown(() => wire.close())
  const database = openDatabase({ url: wire.url, prepare: true, poolSize: 6, timeoutMs: 20_000 })
  t.teardown(() => database.close())
  const sql = postgres(wire.url, { max: 1, onnotice: () => {} })
  t.teardown(() => sql.end())
  const vault = createVault(parseSealingKeys(generateSealingKey('k1')))
  let opened = 0
  const store = createIntegrationStore(database, {
    ...vault,
    open: (context: SealContext, sealed: Uint8Array) => (opened++, vault.open(context, sealed)),
  })
  const rows = await insertIntegrations(sql, vault, users)
  await sql`update oauth2_integration set generation = nextval('integration_generation')`
  const [row] = rows
  return {
    wire,
    sql,
    vault,
    store,
    rows,
    read: async (userId = row!.userId) => store.read(userId),
    /** Tokens opened since the last call. */
    opened: () => {
      const count = opened
      opened = 0
      return count
    },
    /** Stores another token for the first user. */
    replace: (accessToken: string, set = "generation = nextval('integration_generation')") =>
      sql.unsafe(`update oauth2_integration set access_token = $1, ${set} where id = $2`, [
        vault.seal(contextOf(row!, 'access_token'), accessToken),
        row!.id,
      ]),
  }
}

t.test('a second read fetches and opens no token, but still sees what has changed', async (t) => {
  const { wire, sql, read, opened } = await start(t, 1)
  const first = await read()
  t.match(first, { accessToken: 'access-0', status: 'active' })
  wire.statements()
  const second = await read()
  t.same({ ...second, remainingSeconds: 0 }, { ...first, remainingSeconds: 0 })
  t.ok(second!.remainingSeconds <= first!.remainingSeconds && second!.remainingSeconds > first!.remainingSeconds - 60)
  t.equal(opened(), 1)
  t.same(
    wire.statements().filter((statement) => statement.includes('access_token,')),
    [],
  )

  await sql`update oauth2_integration set status = 'reconnect_required',
    failure = '{"reason": "blocked_by_policy"}', retry_at = now() + interval '100 seconds',
    lease_until = now() + interval '7 seconds'`
  const third = (await read())!
  t.match(third, { accessToken: 'access-0', status: 'reconnect_required', failure: { reason: 'blocked_by_policy' } })
  t.ok(
    third.retryInSeconds! > 40 &&
      third.retryInSeconds! <= 100 &&
      third.leaseInSeconds! > -53 &&
      third.leaseInSeconds! <= 7,
  )
  await sql`update oauth2_integration set status = 'active', failure = null, retry_at = null, lease_until = null`
  t.same({ ...(await read()), remainingSeconds: 0 }, { ...first, remainingSeconds: 0 })
  t.equal(opened(), 0)
})

t.test('a kept token set is never the answer for another one', async (t) => {
  const { sql, store, read, replace } = await start(t, 1)
  const seen = async () => (await read())!.accessToken
  t.equal(await seen(), 'access-0')
  await replace('of a later generation')
  t.equal(await seen(), 'of a later generation')
  await replace(
    'of a restored backup: the same number, given at another time',
    "refreshed_at = refreshed_at + interval '1 microsecond'",
  )
  t.equal(await seen(), 'of a restored backup: the same number, given at another time')
  await replace('of another end', "access_token_expires_at = access_token_expires_at + interval '1 second'")
  t.equal(await seen(), 'of another end')
  const { id, ...integration } = (await read())!
  await store.saveTokens(
    { id, ...integration },
    { accessToken: 'saved', expiresInSeconds: 3600, elapsedMs: 0, scopes: ['User.Read', 'Files.ReadWrite.All'] },
  )
  t.match(await read(), { accessToken: 'saved', scopes: ['User.Read', 'Files.ReadWrite.All'] })
  await sql`delete from oauth2_integration`
  t.equal(await read(), undefined)
})

t.test('an expired token is neither fetched nor opened, and is never taken for a valid one', async (t) => {
  const { sql, read, opened, replace } = await start(t, 1)
  await sql`update oauth2_integration set access_token_expires_at = now() - interval '1 second'`
  for (let i = 0; i < 2; i++) {
    const expired = (await read())!
    t.match(expired, { accessToken: '', status: 'active', scopes: ['User.Read'] })
    t.ok(expired.remainingSeconds <= 0)
  }
  t.equal(opened(), 0)
  await replace(
    'fresh',
    "generation = nextval('integration_generation'), access_token_expires_at = now() + interval '1 hour'",
  )
  t.match(await read(), { accessToken: 'fresh' })
})

t.test('a token that does not open fails only the read of its own user', async (t) => {
  const { sql, rows, store } = await start(t, 5)
  await sql`update oauth2_integration set access_token = set_byte(access_token, 40, get_byte(access_token, 40) # 1) where user_id = ${rows[2]!.userId}`
  const answers = await Promise.allSettled(rows.map(({ userId }) => store.read(userId)))
  for (const [i, answer] of answers.entries()) {
    if (i === 2) t.match(answer, { status: 'rejected', reason: { code: 'token_unreadable' } })
    else t.match(answer, { status: 'fulfilled', value: { userId: rows[i]!.userId, accessToken: rows[i]!.accessToken } })
  }
})

t.test('many users at once, kept or not: each gets their own token', async (t) => {
  const { sql, rows, store } = await start(t, 300)
  for (const round of [0, 1, 2]) {
    if (round === 1)
      await sql`update oauth2_integration set generation = nextval('integration_generation') where id::text < '8'`
    const answers = await Promise.all(rows.map(({ userId }) => store.read(userId)))
    for (const [i, { userId, accessToken, id }] of rows.entries()) t.match(answers[i], { userId, accessToken, id })
  }
})

t.test('an unused token set is dropped within a minute, a used one is kept', async (t) => {
  mock.timers.enable({ apis: ['setInterval'] })
  t.teardown(() => mock.timers.reset())
  const { rows, read, opened } = await start(t, MAX_KEPT + 2)
  const [idle, busy, ...others] = rows.map(({ userId }) => userId)
  mock.timers.tick(KEPT_FOR_MS - 1)
  await read(idle)
  await read(busy)
  // So many others that the halves change places a moment before their time.
  await Promise.all(others.map((userId) => read(userId)))
  await read(idle)
  await read(busy)
  t.equal(opened(), rows.length)
  for (let ms = 0; ms < 2 * KEPT_FOR_MS; ms += 10_000) {
    mock.timers.tick(10_000)
    await read(busy)
  }
  t.equal(opened(), 0)
  await read(idle)
  t.equal(opened(), 1)
})

t.test('it keeps a limited number of token sets', async (t) => {
  const { rows, read, opened } = await start(t, 3 * MAX_KEPT)
  for (const { userId } of rows) await read(userId)
  opened()
  for (const { userId } of rows.slice(0, MAX_KEPT)) await read(userId)
  t.equal(opened(), MAX_KEPT, 'the first ones have been dropped')
})
