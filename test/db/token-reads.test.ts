import postgres from 'postgres'
import t from 'tap'
import type { SealContext } from '../../src/core/ports.ts'
import { generateSealingKey, parseSealingKeys } from '../../src/crypto/keyring.ts'
import { createVault } from '../../src/crypto/vault.ts'
import { openDatabase } from '../../src/db/client.ts'
import { createIntegrationStore } from '../../src/db/integrations.ts'
import { testDatabase } from '../support/database.ts'
import { contextOf, insertIntegrations } from '../support/sealed-rows.ts'
import { openWire } from '../support/wire.ts'

// What a read fetches and opens: only ever the token set that is stored now. Each test runs with shared statements and
// with a statement for each read.

async function start(t: { teardown(end: () => Promise<void>): unknown }, users: number, batches: boolean) {
  const wire = await openWire(await testDatabase(t))
  t.teardown(() => wire.close())
  const database = openDatabase({ url: wire.url, prepare: true, batches, poolSize: 6, timeoutMs: 20_000 })
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

for (const batches of [true, false]) {
  const way = batches ? 'shared statements' : 'a statement for each read'

  t.test(`${way}: a read is one statement, fetches the stored token, and sees what has changed`, async (t) => {
    const { wire, sql, read, opened, replace } = await start(t, 1, batches)
    t.match(await read(), { accessToken: 'access-0', status: 'active' })
    wire.statements()
    t.match(await read(), { accessToken: 'access-0', status: 'active' })
    t.equal(wire.statements().length, 1)
    t.equal(opened(), 2, 'no opened token is kept')

    await sql`update oauth2_integration set status = 'reconnect_required',
      failure = '{"reason": "blocked_by_policy"}', retry_at = now() + interval '100 seconds',
      lease_until = now() + interval '7 seconds'`
    const held = (await read())!
    t.match(held, { accessToken: 'access-0', status: 'reconnect_required', failure: { reason: 'blocked_by_policy' } })
    t.ok(held.retryInSeconds! > 40 && held.retryInSeconds! <= 100)
    t.ok(held.leaseInSeconds! > -53 && held.leaseInSeconds! <= 7)

    await replace('of a later generation')
    t.match(await read(), { accessToken: 'of a later generation' })
    await replace('of a restored backup, under the same number', 'generation = generation')
    t.match(await read(), { accessToken: 'of a restored backup, under the same number' })
    await sql`delete from oauth2_integration`
    t.equal(await read(), undefined)
  })

  t.test(`${way}: a saved token set is what the next read returns`, async (t) => {
    const { read, store } = await start(t, 1, batches)
    await store.saveTokens((await read())!, {
      accessToken: 'saved',
      expiresInSeconds: 3600,
      elapsedMs: 0,
      scopes: ['User.Read', 'Files.ReadWrite.All'],
    })
    t.match(await read(), { accessToken: 'saved', scopes: ['User.Read', 'Files.ReadWrite.All'] })
  })

  t.test(`${way}: one of many claims of the same row at once is won`, async (t) => {
    const { read, store } = await start(t, 1, batches)
    const integration = (await read())!
    const claims = await Promise.all(
      Array.from({ length: 10 }, (_, i) => store.claim(integration, `owner ${i}`, 7, true)),
    )
    t.equal(claims.filter((claim) => claim !== undefined).length, 1)
  })

  t.test(`${way}: an expired token is neither fetched nor opened`, async (t) => {
    const { wire, sql, read, opened, replace } = await start(t, 1, batches)
    await sql`update oauth2_integration set access_token_expires_at = now() - interval '1 second'`
    const expired = (await read())!
    t.match(expired, { accessToken: '', status: 'active', scopes: ['User.Read'] })
    t.ok(expired.remainingSeconds <= 0)
    t.equal(opened(), 0)
    t.equal(wire.statements().length > 0, true)
    await replace(
      'fresh',
      "generation = nextval('integration_generation'), access_token_expires_at = now() + interval '1 hour'",
    )
    t.match(await read(), { accessToken: 'fresh' })
  })

  t.test(`${way}: a token that does not open fails only the read of its own user`, async (t) => {
    const { sql, rows, store } = await start(t, 5, batches)
    await sql`update oauth2_integration set access_token = set_byte(access_token, 40, get_byte(access_token, 40) # 1) where user_id = ${rows[2]!.userId}`
    const answers = await Promise.allSettled(rows.map(({ userId }) => store.read(userId)))
    for (const [i, answer] of answers.entries()) {
      if (i === 2) t.match(answer, { status: 'rejected', reason: { code: 'token_unreadable' } })
      else
        t.match(answer, { status: 'fulfilled', value: { userId: rows[i]!.userId, accessToken: rows[i]!.accessToken } })
    }
  })

  t.test(`${way}: many users at once: each gets their own token`, async (t) => {
    const { rows, store } = await start(t, 300, batches)
    const answers = await Promise.all(rows.map(({ userId }) => store.read(userId)))
    for (const [i, { userId, accessToken, id }] of rows.entries()) t.match(answers[i], { userId, accessToken, id })
  })

  t.test(`${way}: tokens of every length come back as they were stored`, async (t) => {
    const { read, replace } = await start(t, 1, batches)
    for (const length of [1, 2, 3, 56, 57, 58, 1_000, 6_000, 16_384]) {
      const token = 'ä€'.repeat(length).slice(0, length)
      await replace(token)
      t.equal((await read())!.accessToken, token, `${length} characters`)
    }
  })
}
