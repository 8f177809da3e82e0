import t from 'tap'
import type { Integration, StoredFailure, TokenSet } from '../../src/core/integration.ts'
import { createVault } from '../../src/crypto/vault.ts'
import { generateSealingKey, parseSealingKeys } from '../../src/crypto/keyring.ts'
import { openDatabase } from '../../src/db/client.ts'
import { createIntegrationStore } from '../../src/db/integrations.ts'
import { testDatabase } from '../support/database.ts'
import { insertIntegrations } from '../support/sealed-rows.ts'
import { openWire } from '../support/wire.ts'
import postgres from 'postgres'

// The statements of a refresh (docs/design.md#refresh) one by one: who may claim, who may save, who may mark.

const tokens = (n: number): TokenSet => ({
  accessToken: `access-${n}`,
  refreshToken: `refresh-${n}`,
  expiresInSeconds: 3600,
  elapsedMs: 100,
  scopes: ['User.Read'],
})
const refusal = (more: Partial<StoredFailure> = {}): StoredFailure => ({
  verdict: 'reconnect',
  reason: 'blocked_by_policy',
  final: false,
  microsoft: { aadsts: 53003 },
  ...more,
})

async function start(t: { teardown(end: () => Promise<void>): unknown }) {
  const wire = await openWire(await testDatabase(t))
  t.teardown(() => wire.close())
  const { url } = wire
  const database = openDatabase({ url, prepare: true, poolSize: 4, timeoutMs: 5_000 })
  t.teardown(() => database.close())
  const sql = postgres(url, { max: 1, onnotice: () => {} })
  t.teardown(() => sql.end())
  const vault = createVault(parseSealingKeys(generateSealingKey('test')))
  const store = createIntegrationStore(database, vault)
  const id = '00000000-0000-4000-8000-000000000001'
  const seal = (column: 'access_token' | 'refresh_token', text: string) =>
    vault.seal({ table: 'oauth2_integration', column, provider: 'microsoft', userId: '42', recordId: id }, text)
  await sql`insert into oauth2_integration (id, user_id, status, generation, access_token, refresh_token,
      access_token_expires_at, refreshed_at, scopes)
    values (${id}, '42', 'active', nextval('integration_generation'), ${seal('access_token', 'access-0')},
      ${seal('refresh_token', 'refresh-0')},
      now() + interval '10 seconds', now() - interval '3590 seconds', '{User.Read}')`
  const read = async (): Promise<Integration> => (await store.read('42'))!
  const events = async () => (await sql`select type from event order by id`).map((row) => row['type'] as string)
  /** Further users, as they are read. */
  const others = async (count: number): Promise<Integration[]> => {
    const rows = await insertIntegrations(sql, vault, count)
    return Promise.all(rows.map(async ({ userId }) => (await store.read(userId))!))
  }
  /** Holds the row's lock until it is released. */
  const lock = async ({ id: locked }: Integration) => {
    const holder = postgres(url, { max: 1, onnotice: () => {} })
    const { promise: released, resolve: release } = Promise.withResolvers<void>()
    const { promise: held, resolve: holds } = Promise.withResolvers<void>()
    const ended = holder.begin(async (tx) => {
      await tx`select 1 from oauth2_integration where id = ${locked} for update`
      holds()
      await released
    })
    await held
    return async () => {
      release()
      await ended
      await holder.end()
    }
  }
  return { store, sql, read, events, others, lock, wire }
}

t.test('one of many simultaneous claims of a generation wins; the row says until when', async (t) => {
  const { store, read } = await start(t)
  const row = await read()
  t.match(row, { accessToken: 'access-0', status: 'active' })
  t.ok(row.remainingSeconds > 8 && row.remainingSeconds <= 10 && Math.abs(row.lifetimeSeconds - 3600) < 1)
  const claims = await Promise.all(Array.from({ length: 12 }, (_, i) => store.claim(row, `owner-${i}`, 7, true)))
  const won = claims.filter((claim) => claim !== undefined)
  t.equal(won.length, 1)
  t.match(won[0], { refreshToken: 'refresh-0', scopes: ['User.Read'], failures: 0, takenOver: false })
  const { leaseInSeconds } = await read()
  t.ok(leaseInSeconds! > 5 && leaseInSeconds! <= 7)
})

t.test(
  'no claim of another generation, of a row that is leased, backing off, marked since it was read, or gone',
  async (t) => {
    const { store, sql, read } = await start(t)
    const row = await read()
    t.equal(await store.claim({ ...row, generation: row.generation - 1 }, 'a', 7, true), undefined)
    await sql`update oauth2_integration set lease_owner = 'x', lease_until = now() + interval '1 minute'`
    t.equal(await store.claim(row, 'a', 7, true), undefined)
    await sql`update oauth2_integration set lease_owner = null, lease_until = null, retry_at = now() + interval '1 minute'`
    t.equal(await store.claim(row, 'a', 7, true), undefined)
    await sql`update oauth2_integration set retry_at = null, status = 'reconnect_required', failure = ${JSON.stringify(refusal({ final: true }))}::text::jsonb`
    t.equal(await store.claim(row, 'a', 7, true), undefined, 'a final mark leaves no retry_at')
    t.equal(
      await store.claim(await read(), 'a', 7, true),
      undefined,
      'nor by one who saw a refusal that could be cured',
    )
    await sql`update oauth2_integration set failure = ${JSON.stringify(refusal())}::text::jsonb`
    t.equal(await store.claim(row, 'a', 7, true), undefined, 'one that can be cured, by one who saw it active')
    t.ok(await store.claim(await read(), 'a', 7, true))
    await sql`delete from oauth2_integration`
    t.equal(await store.claim(row, 'a', 7, true), undefined)
  },
)

t.test('a claim for a caller notes the use, at most once an hour; one of keep-alive notes none', async (t) => {
  const { store, sql, read } = await start(t)
  const lastUsed = async (minutes: number, used: boolean) => {
    await sql`update oauth2_integration set lease_owner = null, lease_until = null, last_used_at = now() - make_interval(mins => ${minutes})`
    t.ok(await store.claim(await read(), 'a', 7, used))
    const [row] =
      await sql`select extract(epoch from clock_timestamp() - last_used_at)::float8 / 60 as minutes from oauth2_integration`
    return Math.round(Number(row?.['minutes']))
  }
  t.equal(await lastUsed(30, true), 30)
  t.equal(await lastUsed(61, true), 0)
  t.equal(await lastUsed(61, false), 61)
})

t.test('what is saved with tokens: scopes as they are now, and the account fields that the answer had', async (t) => {
  const { store, sql, read } = await start(t)
  const account = { tenantId: 'tenant-1', objectId: 'object-1', username: 'jane@contoso.com', displayName: 'Jane' }
  const save = async (more: Partial<TokenSet>) => {
    await sql`update oauth2_integration set failures = 3`
    const saved = await store.saveTokens(await read(), { ...tokens(1), ...more })
    const [row] =
      await sql`select scopes, tenant_id, object_id, username, display_name, failures from oauth2_integration`
    const found = await read()
    t.strictSame(saved!.integration.scopes, found.scopes)
    t.strictSame(saved!.integration.account, found.account)
    return {
      scopes: row!['scopes'],
      account: [row!['tenant_id'], row!['object_id'], row!['username'], row!['display_name']],
      failures: row!['failures'],
    }
  }
  t.strictSame(await save({ account, scopes: ['Files.ReadWrite.All', 'User.Read'] }), {
    scopes: ['Files.ReadWrite.All', 'User.Read'],
    account: ['tenant-1', 'object-1', 'jane@contoso.com', 'Jane'],
    failures: 0,
  })
  t.strictSame(await save({ scopes: ['User.Read'] }), {
    scopes: ['User.Read'],
    account: ['tenant-1', 'object-1', 'jane@contoso.com', 'Jane'],
    failures: 0,
  })
  t.strictSame(await save({ scopes: [], account: { tenantId: 'tenant-2', objectId: 'object-2' } }), {
    scopes: [],
    account: ['tenant-2', 'object-2', 'jane@contoso.com', 'Jane'],
    failures: 0,
  })
  t.strictSame((await save({ account: { ...account, username: 'new@contoso.com' } })).account, [
    'tenant-1',
    'object-1',
    'new@contoso.com',
    'Jane',
  ])
  t.match(await read(), { accessToken: 'access-1' })
  t.match(await store.claim(await read(), 'a', 7, false), { refreshToken: 'refresh-1' })
  const { refreshToken: _, ...without } = tokens(2)
  await sql`update oauth2_integration set lease_owner = null, lease_until = null`
  await store.saveTokens(await read(), without)
  t.match(await read(), { accessToken: 'access-2' })
  t.match(
    await store.claim(await read(), 'b', 7, false),
    { refreshToken: 'refresh-1' },
    'an answer without a refresh token keeps the stored one',
  )
})

t.test('a lease that ran out is taken over, by one', async (t) => {
  const { store, sql, read } = await start(t)
  const row = await read()
  await store.claim(row, 'first', 7, false)
  await sql`update oauth2_integration set lease_until = now() - interval '1 second'`
  const claims = await Promise.all(['second', 'third'].map((owner) => store.claim(row, owner, 7, false)))
  t.strictSame(
    claims.filter((claim) => claim !== undefined).map(({ takenOver }) => takenOver),
    [true],
  )
})

t.test(
  'tokens are saved no matter who holds the lease, under a new generation, with lease, failure and retry_at cleared',
  async (t) => {
    const { store, sql, read } = await start(t)
    const row = await read()
    await store.claim(row, 'first', 7, true)
    await sql`update oauth2_integration set lease_until = now() - interval '1 second'`
    await store.claim(row, 'second', 7, true)
    const saved = await store.saveTokens(row, tokens(1))
    t.match(saved, { recovered: false, integration: { accessToken: 'access-1', status: 'active' } })
    t.ok(saved!.integration.generation > row.generation)
    t.ok(saved!.integration.remainingSeconds > 3590 && saved!.integration.remainingSeconds < 3600)
    const [stored] = await sql`select lease_owner, lease_until, retry_at, failure, failures from oauth2_integration`
    t.strictSame({ ...stored }, { lease_owner: null, lease_until: null, retry_at: null, failure: null, failures: 0 })
  },
)

t.test('tokens for a generation that is over are discarded, and a deleted row stays deleted', async (t) => {
  const { store, sql, read } = await start(t)
  const row = await read()
  await store.saveTokens(row, tokens(1))
  t.equal(await store.saveTokens(row, tokens(2)), undefined)
  t.equal((await read()).accessToken, 'access-1')
  const latest = await read()
  await sql`delete from oauth2_integration`
  t.equal(await store.saveTokens(latest, tokens(3)), undefined)
  t.equal(await store.read('42'), undefined)
})

t.test(
  'a refusal is marked only by the holder of the lease, only for its generation, and gives the lease back',
  async (t) => {
    const { store, sql, read, events } = await start(t)
    const row = await read()
    await store.claim(row, 'first', 7, true)
    await sql`update oauth2_integration set lease_until = now() - interval '1 second'`
    await store.claim(row, 'second', 7, true)
    t.equal(await store.saveFailure(row, 'first', refusal(), 900), false)
    t.match(await read(), { status: 'active' })
    t.notOk((await read()).failure)
    t.equal(await store.saveFailure({ ...row, generation: row.generation - 1 }, 'second', refusal(), 900), false)
    t.equal(await store.saveFailure(row, 'second', refusal(), 900), true)
    const marked = await read()
    t.match(marked, {
      status: 'reconnect_required',
      failure: { reason: 'blocked_by_policy', at: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/ },
    })
    t.ok(marked.retryInSeconds! > 890)
    t.notOk(marked.leaseInSeconds)
    t.strictSame(await events(), ['reconnect_required'])
    t.equal(await store.saveFailure(row, 'second', refusal(), 900), false, 'once')
  },
)

t.test(
  'passing trouble leaves the status, a refusal that stands keeps its time, and success says that it recovered',
  async (t) => {
    const { store, sql, read, events } = await start(t)
    const row = await read()
    await store.claim(row, 'a', 7, true)
    await store.saveFailure(row, 'a', refusal({ verdict: 'try_later', reason: 'microsoft_error' }), 2)
    t.match(await read(), { status: 'active', failure: { reason: 'microsoft_error' } })
    await sql`update oauth2_integration set retry_at = null`
    await store.claim(row, 'b', 7, true)
    await store.saveFailure(row, 'b', refusal(), 900)
    await sql`update oauth2_integration set retry_at = null`
    const marked = await read()
    await store.claim(marked, 'c', 7, true)
    await store.saveFailure(marked, 'c', { ...marked.failure!, at: '2026-01-01T00:00:00Z' }, 900)
    t.match(await read(), { failure: { at: '2026-01-01T00:00:00Z' } })
    t.match(await store.saveTokens(marked, tokens(1)), { recovered: true, integration: { status: 'active' } })
    t.strictSame(await events(), ['reconnect_required', 'recovered'])
  },
)

t.test(
  'a failure knows since when it has stood: the first try of a reason, whichever wrote it, until another reason or success',
  async (t) => {
    const { store, sql, read } = await start(t)
    async function fail(failure: StoredFailure) {
      const row = await read()
      await store.claim(row, 'a', 7, true)
      await store.saveFailure(row, 'a', failure, 2)
      await sql`update oauth2_integration set retry_at = null`
      return (await read()).failure!
    }
    const change = (member: object) =>
      sql`update oauth2_integration set failure = failure || ${JSON.stringify(member)}::text::jsonb`
    const early = '2026-01-01T00:00:00Z'
    const passing = refusal({ verdict: 'try_later', reason: 'microsoft_error' })
    const { at, since } = await fail(passing)
    t.equal(since, at)
    await change({ since: early })
    t.match(await fail(passing), { since: early, at: /^20/ })
    t.not((await fail(passing)).at, early)
    await sql`update oauth2_integration set failure = failure - 'since' || ${sql.json({ at: early })}`
    t.match(await fail(passing), { since: early }, 'a row of the release before, which wrote no since')
    t.not((await fail(refusal())).since, early, 'another reason')
    await change({ since: early })
    t.match(await fail((await read()).failure!), { since: early }, 'a refusal that stands')
    t.match(await store.saveTokens(await read(), tokens(1)), { recovered: true })
    t.not((await fail(refusal())).since, early, 'it worked meanwhile')
  },
)

t.test('giving a lease back forgets an earlier passing failure, never a refusal that stands', async (t) => {
  const { store, sql, read } = await start(t)
  const again = () => sql`update oauth2_integration set retry_at = null`
  for (const [failure, stays] of [
    [refusal({ verdict: 'try_later', reason: 'microsoft_error' }), undefined],
    [refusal(), refusal()],
  ] as const) {
    await store.claim(await read(), 'a', 7, true)
    await store.saveFailure(await read(), 'a', failure, 2)
    await again()
    await store.claim(await read(), 'b', 7, true)
    await store.releaseLease(await read(), 'b', 60)
    await again()
    t.match((await read()).failure, stays)
  }
  await sql`update oauth2_integration set failure = failure || '{"final": true}'`
  t.match(await store.progress((await read()).id), { status: 'reconnect_required', final: true })
})

t.test('giving a lease back is for its owner, and shows to those who wait', async (t) => {
  const { store, read } = await start(t)
  const row = await read()
  await store.claim(row, 'a', 7, true)
  await store.releaseLease(row, 'b', 60)
  t.ok((await store.progress(row.id))!.leaseInSeconds! > 0)
  await store.releaseLease(row, 'a', 60)
  const { retryInSeconds, ...rest } = (await store.progress(row.id))!
  t.strictSame(rest, { generation: row.generation, status: 'active', final: false })
  t.ok(retryInSeconds! > 0 && retryInSeconds! <= 60)
  t.equal(await store.progress('00000000-0000-4000-8000-00000000000f'), undefined)
})

t.test('claims, and sets of tokens, that come together cost one statement each, and each gets its own', async (t) => {
  const { store, others, wire } = await start(t)
  const rows = await others(20)
  wire.statements()
  const claims = await Promise.all(rows.map((row, i) => store.claim(row, `owner-${i}`, 7, true)))
  t.same(
    claims.map((claim) => claim?.refreshToken),
    rows.map(({ userId }) => `refresh-${userId.slice('row-'.length)}`),
  )
  const saved = await Promise.all(rows.map((row, i) => store.saveTokens(row, tokens(i))))
  for (const [i, row] of rows.entries()) {
    t.match(saved[i], { recovered: false, integration: { id: row.id, userId: row.userId, accessToken: `access-${i}` } })
    t.ok(saved[i]!.integration.generation > row.generation)
  }
  t.equal(new Set(saved.map((one) => one!.integration.generation)).size, 20)
  t.equal(wire.statements().length, 2)
  for (const [i, row] of rows.entries()) t.match(await store.read(row.userId), { accessToken: `access-${i}` })
})

t.test("a row that somebody else is writing holds up nobody else's claim, and is not won", async (t) => {
  const { store, others, lock } = await start(t)
  const rows = await others(3)
  const release = await lock(rows[1]!)
  const claims = await Promise.all(rows.map((row, i) => store.claim(row, `owner-${i}`, 7, true)))
  t.same(
    claims.map((claim) => claim !== undefined),
    [true, false, true],
  )
  await release()
  t.ok(await store.claim(rows[1]!, 'later', 7, true))
})

t.test(
  'a set of tokens for a row that somebody else is writing waits alone, and is saved as if it had not',
  async (t) => {
    const { store, events, others, lock } = await start(t)
    const rows = await others(3)
    const release = await lock(rows[1]!)
    const saves = rows.map((row, i) => store.saveTokens(row, tokens(i)))
    t.match(await Promise.all([saves[0], saves[2]]), [{ recovered: false }, { recovered: false }], 'while it is locked')
    await release()
    t.match(await saves[1], { recovered: false, integration: { accessToken: 'access-1', status: 'active' } })
    t.same(await events(), [])
  },
)

t.test('sets of tokens of two generations of one row at once: the present one is saved, once', async (t) => {
  const { store, read } = await start(t)
  const row = await read()
  const [late, present] = await Promise.all([
    store.saveTokens({ ...row, generation: row.generation - 1 }, tokens(1)),
    store.saveTokens(row, tokens(2)),
  ])
  t.equal(late, undefined)
  t.match(present, { integration: { accessToken: 'access-2' } })
  t.match(await read(), { accessToken: 'access-2', generation: present!.integration.generation })
})

t.test('a set of tokens that Postgres does not take fails alone', async (t) => {
  const { store, others } = await start(t)
  const rows = await others(3)
  const account = { tenantId: 't', objectId: 'o', username: 'jane\0doe' }
  const saves = await Promise.allSettled(
    rows.map((row, i) => store.saveTokens(row, i === 1 ? { ...tokens(i), account } : tokens(i))),
  )
  t.match(saves, [
    { status: 'fulfilled', value: { recovered: false } },
    { status: 'rejected', reason: { code: 'internal_error' } },
    { status: 'fulfilled', value: { recovered: false } },
  ])
})
