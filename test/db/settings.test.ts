import postgres from 'postgres'
import t from 'tap'
import { diagnoseFleet, diagnoseUser } from '../../src/doctor.ts'
import { readBytes } from '../../src/db/driver-types.ts'
import { isoOfEpoch } from '../../src/db/instants.ts'
import { migrate } from '../../src/db/migrate.ts'
import { testDatabase } from '../support/database.ts'
import { JANE, startWorld } from '../support/world.ts'

// A database or a role may set how Postgres writes times, bytes and numbers. What is read does not depend on it.

const SETTINGS = [
  { datestyle: "'German, DMY'", timezone: "'Asia/Kathmandu'", bytea_output: 'escape', extra_float_digits: '-15' },
  { datestyle: "'SQL, MDY'", timezone: "'America/St_Johns'", intervalstyle: "'sql_standard'", extra_float_digits: '3' },
  { datestyle: "'Postgres, YMD'", intervalstyle: "'iso_8601'", bytea_output: 'escape' },
]

for (const settings of SETTINGS) {
  t.test(`everything works with ${Object.entries(settings).flat().join(' ')}`, async (t) => {
    const databaseUrl = await testDatabase(t)
    const sql = postgres(databaseUrl, { max: 1, onnotice: () => {} })
    for (const [name, value] of Object.entries(settings))
      await sql.unsafe(`alter database "${new URL(databaseUrl).pathname.slice(1)}" set ${name} = ${value}`)
    await sql.end()
    t.strictSame(await migrate(databaseUrl), { applied: [] })

    const world = await startWorld(t, { databaseUrl })
    const { caller } = world
    const began = Date.now()
    const isNow = (time: unknown, offsetMs = 0) => Math.abs(Date.parse(String(time)) - began - offsetMs) < 60_000
    const { id } = await world.connect('42', JANE)
    const first = await caller.token('42')
    t.ok(first.expires_in > 3_500 && isNow(first.expires_at, first.expires_in * 1_000), 'expires when Microsoft said')
    const again = await caller.token('42')
    t.equal(again.access_token, first.access_token)
    const refreshed = await caller.refresh('42', first.generation)
    t.ok(refreshed.generation > first.generation && refreshed.expires_in > 3_500, 'refreshed')
    await world.sql`update oauth2_integration set access_token_expires_at = now() - interval '1 minute' where user_id = '42'`
    world.entra.control.misbehave('aadsts', 53003, { times: 1 })
    t.match(await caller.send('GET', '/tokens/42'), { status: 409, body: { reason: 'blocked_by_policy' } })
    await world.connect('42', JANE)

    const { body } = await caller.send('GET', '/integrations/42')
    const one = body as Record<string, unknown>
    const { expires_in: lifeSeconds } = await caller.token('42')
    t.ok(isNow(one['connected_at']) && isNow(one['refreshed_at']))
    t.ok(isNow(one['access_token_expires_at'], lifeSeconds * 1_000))
    t.match((await caller.send('GET', '/integrations')).body, { integrations: [one] })
    const session = (await caller.send('GET', `/connect-sessions/${id}`)).body as Record<string, unknown>
    t.ok(isNow(session['created_at']) && isNow(session['expires_at'], 600_000))
    const { events } = (await caller.send('GET', '/events')).body as { events: { at: string; type: string }[] }
    t.strictSame(
      events.map(({ type }) => type),
      ['connected', 'reconnect_required', 'reconnected'],
    )
    t.ok(events.every(({ at }) => isNow(at)))

    await world.sql`update oauth2_integration set refreshed_at = now() - interval '50 days'`
    t.match(await world.replica.services.keepAlive.sweep(new AbortController().signal), { renewed: 1, ended: 'done' })
    const imported = await caller.send('POST', '/integrations/import', {
      rows: [
        { user_id: '43', refresh_token: 'r'.repeat(40), updated_at: new Date(began - 60_000).toISOString() },
        { user_id: '42', refresh_token: 'r'.repeat(40), updated_at: new Date(began - 86_400_000).toISOString() },
      ],
    })
    t.match(imported, { status: 200, body: { results: [{ result: 'imported' }, { result: 'skipped' }] } })
    const account = world.stoppingBrowser()
    t.equal((await account.open((await caller.beginConnect('42', { intent: 'manage' })).url)).status, 200)
    const user = await diagnoseUser(world.env, '42')
    t.match(user.json, { user: { integration: { lease: 'free', refresh_token: { days_left: 89 } } } })
    const fleet = await diagnoseFleet({ ...world.env, OPERATIONS_REPLICAS: '' })
    t.match(fleet.json, { fleet: { integrations: { active: 2 } } })
    t.notMatch(world.replica.logged(), /"level":"error"/)
  })
}

t.test('bytes are read in both forms in which Postgres writes them', async (t) => {
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))
  const sql = postgres(await testDatabase(t), { max: 1 })
  t.teardown(() => sql.end())
  for (const form of ['hex', 'escape']) {
    const text = await sql.begin(async (tx) => {
      await tx.unsafe(`set local bytea_output = ${form}`)
      const [row] = await tx`select (${bytes}::bytea)::text as bytes`
      return String(row!['bytes'])
    })
    t.ok(readBytes(text).equals(bytes), form)
  }
})

t.test('what is no time of the years 0 to 9999 is shown as the nearest that is', async (t) => {
  t.equal(isoOfEpoch(1_763_805_600.9), '2025-11-22T10:00:00Z')
  t.equal(isoOfEpoch(Infinity), '9999-12-31T23:59:59Z')
  t.equal(isoOfEpoch(-Infinity), '0000-01-01T00:00:00Z')
  t.equal(isoOfEpoch(Number.NaN), '1970-01-01T00:00:00Z')
})
