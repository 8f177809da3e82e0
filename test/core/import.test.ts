import { spawn } from 'node:child_process'
import t from 'tap'
import { JANE, startWorld, type World } from '../support/world.ts'

// Taking over connections that MEGDocs held itself (docs/design.md#import).

const ago = (seconds: number): string => new Date(Date.now() - seconds * 1000).toISOString()
const issue = (world: World): string => world.entra.control.issueRefreshToken({ account: JANE })

interface Answer {
  results: { row: number; user_id?: string; result: string; reason?: string; reasons?: string[]; generation?: number }[]
}
async function send(world: World, rows: unknown[], more: object = {}): Promise<Answer['results']> {
  const { status, body } = await world.caller.send('POST', '/integrations/import', { rows, ...more })
  if (status !== 200) throw new Error(JSON.stringify(body))
  return (body as Answer).results
}
const types = async (world: World): Promise<unknown[]> =>
  (await world.sql`select type from event order by id`).map(({ type }) => type as unknown)

t.test('a refresh token alone is enough: the first read refreshes it and fills the account', async (t) => {
  const world = await startWorld(t)
  const updated = ago(3600)
  t.match(await send(world, [{ user_id: '42', refresh_token: issue(world), updated_at: updated, username: null }]), [
    { row: 0, user_id: '42', result: 'imported' },
  ])
  t.match(await world.row('42'), { tenant_id: null, refreshed_at: new Date(updated), connected_at: new Date(updated) })
  const token = await world.caller.token('42')
  t.match(token.account, { username: JANE })
  t.equal(world.entra.control.tokenRequests().total, 1)
  t.strictSame(await types(world), ['imported'])
})

t.test(
  'a refresh token of a caller whose clock is ahead is refreshed by the first read, never answered as an empty token',
  async (t) => {
    const world = await startWorld(t)
    t.match(await send(world, [{ user_id: '42', refresh_token: issue(world), updated_at: ago(-290) }]), [
      { result: 'imported' },
    ])
    const stored =
      await world.sql`select access_token_expires_at < now() as is_over, refreshed_at <= now() as is_past from oauth2_integration`
    t.strictSame([...stored], [{ is_over: true, is_past: true }])
    const token = await world.caller.token('42')
    t.match(token.account, { username: JANE })
    t.ok(token.access_token.length > 20)
    t.equal(world.entra.control.tokenRequests().total, 1)
  },
)

t.test('an access token that is still good is handed out without asking Microsoft', async (t) => {
  const world = await startWorld(t)
  const access = 'an-access-token-of-the-old-table'
  await send(world, [
    {
      user_id: '42',
      refresh_token: issue(world),
      access_token: access,
      expires_at: ago(-3000),
      updated_at: ago(600),
      scopes: 'openid Files.ReadWrite.All',
    },
  ])
  t.match(await world.caller.token('42'), {
    access_token: access,
    scope: 'Files.ReadWrite.All',
    missing_scopes: ['User.Read'],
  })
  t.equal(world.entra.control.tokenRequests().total, 0)
})

t.test('the same rows twice change nothing', async (t) => {
  const world = await startWorld(t)
  const rows = ['1', '2'].map((user) => ({ user_id: user, refresh_token: issue(world), updated_at: ago(60) }))
  const first = await send(world, rows)
  const before = await world.sql`select * from oauth2_integration order by user_id`
  const again = await send(world, rows)
  t.strictSame(
    again,
    first.map((result) => ({ ...result, result: 'unchanged' })),
  )
  t.strictSame([...(await world.sql`select * from oauth2_integration order by user_id`)], [...before])
  t.equal((await types(world)).length, 2)
})

t.test('a newer integration is never overwritten, an older one is', async (t) => {
  const world = await startWorld(t)
  await world.connect('42')
  const { tenant_id, object_id } = (await world.row('42'))!
  const old = { user_id: '42', refresh_token: issue(world), updated_at: ago(3600), tenant_id, object_id }
  const connected = await world.stored('42')
  t.match(await send(world, [old]), [{ result: 'skipped', reason: 'newer_stored' }])
  t.strictSame(await world.stored('42'), connected)
  await world.sql`update oauth2_integration set refreshed_at = now() - interval '2 hours', connected_at = now() - interval '2 hours'`
  const { generation } = (await send(world, [old]))[0]!
  t.match(await world.stored('42'), { refreshToken: old.refresh_token })
  t.equal(Number((await world.row('42'))?.['generation']), generation)
  await world.caller.token('42')
  t.match(
    await send(world, [old]),
    [{ result: 'skipped', reason: 'newer_stored' }],
    'a refresh since then counts as well',
  )
})

t.test('who has disconnected since is left out, and so is a token that must be dead by now', async (t) => {
  const world = await startWorld(t)
  const [gone, dead] = [issue(world), issue(world)]
  await world.connect('42')
  await world.caller.disconnect('42')
  t.match(
    await send(world, [
      { user_id: '42', refresh_token: gone, updated_at: ago(5) },
      { user_id: '43', refresh_token: dead, updated_at: ago(91 * 86_400) },
    ]),
    [
      { result: 'skipped', reason: 'disconnected_since' },
      { result: 'skipped', reason: 'refresh_token_too_old' },
    ],
  )
  t.equal(await world.row('42'), undefined)
  t.match(
    await send(world, [{ user_id: '42', refresh_token: gone, updated_at: ago(-60) }]),
    [{ result: 'imported' }],
    'connected at MEGDocs after that',
  )
})

t.test('who disconnects before their row came is left out too', async (t) => {
  const world = await startWorld(t)
  const row = { user_id: '42', refresh_token: issue(world), updated_at: ago(5) }
  await world.caller.disconnect('42')
  t.match(await send(world, [row]), [{ result: 'skipped', reason: 'disconnected_since' }])
  t.equal(await world.row('42'), undefined)
})

t.test('another account than the stored one is left out', async (t) => {
  const world = await startWorld(t)
  await world.connect('42')
  await world.sql`update oauth2_integration set refreshed_at = now() - interval '2 hours', connected_at = now() - interval '2 hours'`
  const stranger = {
    tenant_id: '9d2f1a44-58c6-4a0b-8f3a-6b1c2d3e4f50',
    object_id: '0b6f7c1e-3a5d-4e9b-9c8a-7d6e5f4a3b2c',
  }
  t.match(await send(world, [{ user_id: '42', refresh_token: issue(world), updated_at: ago(60), ...stranger }]), [
    { result: 'skipped', reason: 'other_account' },
  ])
})

t.test('a connection made through the broker is only replaced by a row of the same account', async (t) => {
  const world = await startWorld(t)
  await world.connect('42')
  const row = await world.row('42')
  const account = { tenant_id: row?.['tenant_id'], object_id: row?.['object_id'] }
  await world.sql`update oauth2_integration set refreshed_at = now() - interval '2 hours', connected_at = now() - interval '2 hours'`
  const connected = await world.stored('42')
  const newer = { user_id: '42', refresh_token: issue(world), updated_at: ago(600) }
  t.match(await send(world, [newer]), [{ result: 'skipped', reason: 'connected_through_broker' }])
  t.strictSame(await world.stored('42'), connected)
  t.match(await send(world, [{ ...newer, ...account }]), [{ result: 'imported' }])
  t.match(await world.stored('42'), { refreshToken: newer.refresh_token })
  const newest = { user_id: '42', refresh_token: issue(world), updated_at: ago(60) }
  t.match(
    await send(world, [newest]),
    [{ result: 'skipped', reason: 'connected_through_broker' }],
    'an imported row of the same account does not end the protection',
  )
})

t.test('an imported connection is replaced by a newer row without account, until the user reconnects', async (t) => {
  const world = await startWorld(t)
  const row = (seconds: number) => ({ user_id: '42', refresh_token: issue(world), updated_at: ago(seconds) })
  t.match(await send(world, [row(7200)]), [{ result: 'imported' }])
  await world.caller.token('42')
  await world.sql`update oauth2_integration set refreshed_at = now() - interval '2 hours'`
  t.match(await send(world, [row(600)]), [{ result: 'imported' }], 'the broker knows the account by now')
  await world.connect('42')
  await world.sql`update oauth2_integration set refreshed_at = now() - interval '2 hours', connected_at = now() - interval '2 hours'`
  t.match(await send(world, [row(60)]), [{ result: 'skipped', reason: 'connected_through_broker' }])
})

t.test('a row with none of the needed permissions is skipped, and its token never reaches Microsoft', async (t) => {
  const world = await startWorld(t)
  const row = (user: string) => ({ user_id: user, refresh_token: issue(world), updated_at: ago(60) })
  t.match(
    await send(world, [
      { ...row('1'), scopes: 'https://www.googleapis.com/auth/drive openid' },
      { ...row('2'), scopes: ['https://graph.microsoft.com/User.Read'] },
      { ...row('3'), scopes: ' ' },
      { ...row('4'), scopes: [] },
      { ...row('5'), scopes: 'drive' },
      row('5'),
    ]),
    [
      { user_id: '1', result: 'skipped', reason: 'no_needed_scope' },
      { user_id: '2', result: 'imported' },
      { user_id: '3', result: 'imported' },
      { user_id: '4', result: 'imported' },
      { user_id: '5', result: 'skipped', reason: 'no_needed_scope' },
      { user_id: '5', result: 'imported' },
    ],
  )
  t.equal(await world.row('1'), undefined)
})

t.test('blank strings are absent, and a user without a refresh token has nothing to import', async (t) => {
  const world = await startWorld(t)
  const blank = { access_token: '', expires_at: '', tenant_id: ' ', object_id: '', username: '', connected_at: '' }
  t.match(
    await send(world, [
      { user_id: '1', refresh_token: issue(world), updated_at: ago(60), ...blank },
      { user_id: '2', refresh_token: '', updated_at: '', ...blank },
      { user_id: '3', refresh_token: null, updated_at: ago(60) },
      { user_id: '4', updated_at: ago(60) },
      { user_id: ' ', refresh_token: '', updated_at: ago(60) },
    ]),
    [
      { user_id: '1', result: 'imported' },
      { user_id: '2', result: 'skipped', reason: 'no_refresh_token' },
      { user_id: '3', result: 'skipped', reason: 'no_refresh_token' },
      { user_id: '4', result: 'invalid', reasons: ['refresh_token: present'] },
      { result: 'invalid', reasons: ['user_id: present', 'refresh_token: present'] },
    ],
  )
})

t.test('a time that Postgres cannot read makes its own row invalid, and not the whole batch', async (t) => {
  const world = await startWorld(t)
  const row = (user_id: string, updated_at: string) => ({ user_id, refresh_token: issue(world), updated_at })
  const results = await send(world, [
    row('1', '2026-02-30T00:00:00Z'),
    row('2', '2026-11-01T00:00:00+23:59'),
    row('3', '0000-01-01T00:00:00Z'),
    row('4', ago(60)),
  ])
  t.strictSame(
    results.map(({ result }) => result),
    ['invalid', 'invalid', 'invalid', 'imported'],
  )
})

t.test('each row is judged on its own; every fault is named, and no value is repeated', async (t) => {
  const world = await startWorld(t)
  const secret = 'canary-token-in-the-wrong-place-8d1f0f3e'
  const good = { refresh_token: issue(world), updated_at: ago(60) }
  const results = await send(world, [
    7,
    { user_id: 'no spaces', refresh_token: 'short', updated_at: '2026-11-22 10:00:00' },
    { user_id: '1', ...good, [secret]: secret },
    { user_id: '2', ...good, access_token: secret, tenant_id: secret },
    { user_id: '3', ...good, access_token: secret, expires_at: '2099-01-01T00:00:00Z' },
    { user_id: '4', ...good, updated_at: ago(-3600) },
    { user_id: '5', ...good },
    { user_id: '5', ...good },
  ])
  t.strictSame(
    results.map(({ result }) => result),
    ['invalid', 'invalid', 'invalid', 'invalid', 'invalid', 'invalid', 'imported', 'invalid'],
  )
  t.equal(results[1]?.reasons?.length, 3)
  t.notMatch(JSON.stringify(results), secret)
  t.notMatch(world.replica.logged(), secret)
  t.notMatch(world.replica.logged(), good.refresh_token)
})

t.test("500 rows with tokens of Microsoft's largest size fit into one request, one more row does not", async (t) => {
  const world = await startWorld(t)
  const rows = Array.from({ length: 501 }, (_, i) => ({
    user_id: String(i),
    refresh_token: `${i}`.padEnd(4_000, 'r'),
    access_token: 'a'.repeat(4_000),
    expires_at: ago(-3000),
    updated_at: ago(60),
  }))
  const results = await send(world, rows.slice(1))
  t.equal(results.filter(({ result }) => result === 'imported').length, 500)
  t.match(await world.caller.send('POST', '/integrations/import', { rows }), { status: 422 })
})

t.test('a dry run says the same and stores nothing', async (t) => {
  const world = await startWorld(t)
  t.match(await send(world, [{ user_id: '42', refresh_token: issue(world), updated_at: ago(60) }], { dry_run: true }), [
    { result: 'imported' },
  ])
  t.equal(await world.row('42'), undefined)
  t.strictSame(await types(world), [])
})

t.test('an import and a connect of the same user do not cross: the connect wins in either order', async (t) => {
  const world = await startWorld(t)
  const row = { user_id: '42', refresh_token: issue(world), updated_at: ago(3600) }
  await Promise.all([world.connect('42'), send(world, [row]), send(world, [row]), send(world, [row])])
  t.not((await world.stored('42'))?.refreshToken, row.refresh_token)
})

t.test('a row whose stored tokens do not open is left for ops', async (t) => {
  const world = await startWorld(t)
  await send(world, [{ user_id: '42', refresh_token: issue(world), updated_at: ago(3600) }])
  await world.sql`update oauth2_integration set refresh_token = '\\x00'::bytea`
  t.match(await send(world, [{ user_id: '42', refresh_token: issue(world), updated_at: ago(60) }]), [
    { result: 'skipped', reason: 'stored_unreadable' },
  ])
})

/** token-broker import as ops run it. `killAt`: after so many lines of progress it is killed with SIGKILL. */
function runImport(
  world: World,
  input: string,
  args: string[] = [],
  killAt = Infinity,
): Promise<{ code: number | null; out: string; err: string }> {
  const child = spawn(process.execPath, ['src/cli.ts', 'import', ...args], {
    env: { PATH: process.env['PATH'], ...world.env },
  })
  let [out, err] = ['', '']
  child.stdout.on('data', (chunk) => {
    out += String(chunk)
    if (out.split('\n').length > killAt) child.kill('SIGKILL')
  })
  child.stderr.on('data', (chunk) => (err += String(chunk)))
  child.stdin.on('error', () => {})
  child.stdin.end(input)
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, out, err })))
}

t.test(
  '10,000 rows with 1 % broken: killed in the middle and repeated, all good ones are there once, and again changes nothing',
  { timeout: 240_000 },
  async (t) => {
    const world = await startWorld(t)
    const updated = ago(60)
    const rows = Array.from({ length: 10_000 }, (_, i) =>
      i % 100 === 99
        ? `{"user_id":"${i}","refresh_token":"cut o`
        : JSON.stringify({
            user_id: String(i),
            refresh_token: `refresh-token-of-user-number-${i}`,
            updated_at: updated,
          }),
    )
    const input = rows.join('\n')
    const count = async () => Number((await world.sql`select count(*) as n from oauth2_integration`)[0]?.['n'])

    const dry = await runImport(world, input)
    t.match(dry.out, /Dry run.* imported 9900, unchanged 0, skipped 0, invalid 100\n$/)
    t.equal(await count(), 0)

    const killed = await runImport(world, input, ['--apply'], 5)
    t.equal(killed.code, null)
    const partly = await count()
    t.ok(partly >= 2000 && partly < 9900, `${partly} rows were stored when it was killed`)

    const began = performance.now()
    const rest = await runImport(world, input, ['--apply'])
    t.comment(`the rest took ${((performance.now() - began) / 1000).toFixed(1)} s`)
    t.equal(rest.code, 1, 'broken rows are a failure to tell')
    t.match(rest.out, new RegExp(`Done\\. imported ${9900 - partly}, unchanged ${partly}, skipped 0, invalid 100\n$`))
    t.equal(rest.err.trim().split('\n').length, 100)
    t.notMatch(rest.err, 'cut o')
    t.equal(await count(), 9900)
    const again = await runImport(world, input, ['--apply'])
    t.match(again.out, /Done\. imported 0, unchanged 9900, skipped 0, invalid 100\n$/)
    t.equal((await types(world)).length, 9900)
  },
)
