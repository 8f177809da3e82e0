import t from 'tap'
import { sql } from '../../src/db/drizzle.ts'
import { failureGroups, lastRefresh } from '../../src/db/diagnostics-fleet.ts'
import { countsByRegistration, countsByScopes } from '../../src/db/diagnostics-registrations.ts'
import { integrationCounts } from '../../src/db/keep-alive.ts'
import { integrationWindows } from '../../src/db/page-windows.ts'
import { integrations } from '../../src/db/schema.ts'
import { startWorld } from '../support/world.ts'

const ROWS = 25_000
const REVOKED = 500

const world = await startWorld(t)
const { database, keepAliveStore, config } = world.replica.services
await world.connect('jane')
// Enough pages for several windows of 1,000 pages.
await world.sql.unsafe(`
  insert into oauth2_integration
    select (jsonb_populate_record(o, jsonb_build_object('id', gen_random_uuid(), 'user_id', 'u' || i,
      'username', repeat('x', 200) || i, 'scopes', o.scopes, 'status',
      case when i <= ${REVOKED} then 'reconnect_required' else 'active' end,
      'failure', case when i <= ${REVOKED} then
        jsonb_build_object('reason', 'access_revoked', 'verdict', 'dead', 'at', '2026-01-02T03:04:05Z') end,
      'refreshed_at', now() - make_interval(days => 50, mins => i), 'connected_at', now() - interval '100 days'))).*
    from oauth2_integration o, generate_series(1, ${ROWS}) i
`)

t.test('each row is in exactly one window', async (t) => {
  const ids: string[] = []
  let windows = 0
  for await (const window of integrationWindows(database, 100)) {
    windows++
    const rows = await database.run((db) => db.select({ id: integrations.id }).from(integrations).where(window))
    ids.push(...rows.map(({ id }) => id))
  }
  t.ok(windows >= 10, `${windows} windows`)
  t.equal(ids.length, ROWS + 1)
  t.equal(new Set(ids).size, ROWS + 1)
})

t.test('a window reads its pages alone', async (t) => {
  const windows = []
  for await (const window of integrationWindows(database, 100)) windows.push(window)
  for (const window of [windows[0]!, windows.at(-1)!]) {
    const plan = await database.run((db) =>
      db.execute<Record<'QUERY PLAN', string>>(sql`explain select count(*) from ${integrations} where ${window}`),
    )
    t.match(plan.map((row) => row['QUERY PLAN']).join('\n'), 'Tid Range Scan')
  }
})

t.test('what is counted over several windows is the whole', async (t) => {
  const windows = []
  for await (const window of integrationWindows(database)) windows.push(window)
  t.ok(windows.length > 1, `${windows.length} windows`)
  const counts = new Map((await integrationCounts(database)).map(({ status, count }) => [status, count]))
  t.equal(counts.get('active'), ROWS + 1 - REVOKED)
  t.equal(counts.get('reconnect_required'), REVOKED)
  t.match(await keepAliveStore.forecast(config.keepAlive), { all: ROWS + 1, unused: 0 })
  t.match(await failureGroups(database, 10), {
    groups: 1,
    list: [{ count: REVOKED, reason: 'access_revoked', lastDay: 0, firstAt: '2026-01-02T03:04:05Z' }],
  })
  t.strictSame(
    (await countsByRegistration(database)).map(({ count }) => count),
    [ROWS + 1],
  )
  t.strictSame(
    (await countsByScopes(database)).map(({ count }) => count),
    [ROWS + 1],
  )
  const [latest] = await world.sql`select max(refreshed_at) as at from oauth2_integration where user_id <> 'jane'`
  t.equal(Date.parse((await lastRefresh(database))!), Math.floor((latest!.at as Date).getTime() / 1000) * 1000)
})
