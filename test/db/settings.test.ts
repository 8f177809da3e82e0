import postgres from 'postgres'
import t, { type Test } from 'tap'
import { diagnose, diagnoseFleet, diagnoseUser } from '../../src/doctor.ts'
import { readBytes } from '../../src/db/driver-types.ts'
import { isoOfEpoch } from '../../src/db/instants.ts'
import { migrate } from '../../src/db/migrate.ts'
import { createHeartbeat } from '../../src/heartbeat.ts'
import { testDatabase } from '../support/database.ts'
import { JANE, startWorld } from '../support/world.ts'

// A database or a role may set how Postgres writes times, bytes and numbers. What is read does not depend on it.

const SETTINGS = [
  { datestyle: "'German, DMY'", timezone: "'Asia/Kathmandu'", bytea_output: 'escape', extra_float_digits: '-15' },
  { datestyle: "'SQL, MDY'", timezone: "'America/St_Johns'", intervalstyle: "'sql_standard'", extra_float_digits: '3' },
  { datestyle: "'Postgres, YMD'", intervalstyle: "'iso_8601'", bytea_output: 'escape' },
]

/** In groups, because each group needs a database and a broker. Those of the list above are in them again. */
const GROUPS: Record<string, Record<string, string>> = {
  'how values are written': {
    datestyle: "'German, DMY'",
    intervalstyle: "'sql_standard'",
    timezone: "'Asia/Kathmandu'",
    bytea_output: 'escape',
    extra_float_digits: '-15',
    lc_messages: "'C'",
    client_min_messages: 'error',
  },
  'how statements are read': {
    standard_conforming_strings: 'off',
    search_path: '"$user", public, pg_catalog',
    array_nulls: 'off',
    transform_null_equals: 'on',
    timezone_abbreviations: "'Australia'",
    row_security: 'off',
  },
  transactions: {
    default_transaction_isolation: 'serializable',
    default_transaction_deferrable: 'on',
    synchronous_commit: 'off',
  },
  'time-outs': {
    statement_timeout: "'20s'",
    lock_timeout: "'20s'",
    idle_in_transaction_session_timeout: "'20s'",
    idle_session_timeout: "'20s'",
  },
  plans: {
    enable_indexscan: 'off',
    enable_seqscan: 'off',
    enable_hashjoin: 'off',
    jit_above_cost: '0',
    plan_cache_mode: 'force_generic_plan',
  },
}

async function setting(t: Test, settings: Record<string, string>, onRole = false): Promise<string> {
  const databaseUrl = await testDatabase(t)
  const sql = postgres(databaseUrl, { max: 1, onnotice: () => {} })
  t.teardown(() => sql.end({ timeout: 1 }))
  const database = new URL(databaseUrl).pathname.slice(1)
  let [url, whose] = [databaseUrl, `database "${database}"`]
  if (onRole) {
    const role = `with_settings_${process.pid}`
    await sql.unsafe(`create role ${role} login superuser password 'p'`)
    t.teardown(() => sql.unsafe(`drop role ${role}`))
    url = Object.assign(new URL(databaseUrl), { username: role, password: 'p' }).href
    whose = `role ${role} in database "${database}"`
  }
  for (const [name, value] of Object.entries(settings)) await sql.unsafe(`alter ${whose} set ${name} = ${value}`)
  return url
}

for (const settings of SETTINGS)
  t.test(`everything works with ${Object.entries(settings).flat().join(' ')}`, async (t) => {
    await everythingWorks(t, await setting(t, settings))
  })

t.test('everything works with the same set on the role', async (t) => {
  await everythingWorks(t, await setting(t, SETTINGS[0]!, true))
})

for (const [group, settings] of Object.entries(GROUPS))
  t.test(`what is read is the same with other settings of ${group}, and doctor names each`, async (t) => {
    const databaseUrl = await setting(t, settings)
    const world = await startWorld(t, { databaseUrl })
    const began = Date.now()
    await world.connect('42', JANE)
    const first = await world.caller.token('42')
    t.ok(Math.abs(Date.parse(first.expires_at) - began - first.expires_in * 1_000) < 60_000)
    t.ok((await world.caller.refresh('42', first.generation)).generation > first.generation)
    await world.setRemaining('42', 10)
    t.ok((await world.caller.token('42')).expires_in > 3_000, 'refreshed')
    const { events } = (await world.caller.send('GET', '/events')).body as { events: { at: string }[] }
    t.ok(events.length === 1 && Math.abs(Date.parse(events[0]!.at) - began) < 60_000)
    t.match((await world.caller.send('GET', '/integrations')).body, { integrations: [{ user_id: '42' }] })
    await createHeartbeat(world.replica.services).beat()
    t.match((await world.replica.operations.inject('/readyz')).json(), { database: 'ok', database_problems: [] })
    const { checks } = (await diagnose(world.env)).json as {
      checks: { name: string; message: string; result: string }[]
    }
    const message = checks.find((check) => check.name === 'database_settings')?.message
    for (const name of Object.keys(settings))
      t.match(message, new RegExp(`\\b${name} is [^;]*\\(set on the database\\)`, 'i'))
    t.strictSame(
      checks.filter(({ result }) => result === 'failed'),
      [],
    )
    t.match((await diagnoseUser(world.env, '42')).json, { conclusion: { result: 'ok' } })
    t.equal(await world.caller.disconnect('42'), undefined)
    t.notMatch(world.replica.logged(), /"level":"error"/)
  })

t.test('with strict isolation, readers and writers of one row at once all succeed', async (t) => {
  for (const isolation of ['repeatable read', 'serializable']) {
    const databaseUrl = await setting(t, { default_transaction_isolation: `'${isolation}'` })
    const world = await startWorld(t, { databaseUrl })
    await world.connect('42', JANE)
    const replicas = [world.replica, await world.startReplica(), await world.startReplica()]
    for (let round = 0; round < 5; round++) {
      await world.setRemaining('42', -5)
      const answers = await Promise.all(
        Array.from({ length: 12 }, (_, i) => replicas[i % 3]!.caller.send('GET', '/tokens/42')),
      )
      t.strictSame([...new Set(answers.map(({ status }) => status))], [200], `${isolation}, round ${round}`)
    }
    const both = await Promise.all(['42', '42'].map((user) => world.caller.send('DELETE', `/integrations/${user}`)))
    t.strictSame(
      both.map(({ status }) => status),
      [204, 204],
    )
  }
})

t.test('doctor warns of settings that do harm, and says where they are set', async (t) => {
  const world = await startWorld(t, {
    databaseUrl: await setting(t, { statement_timeout: "'1s'", synchronous_commit: 'off', work_mem: "'5MB'" }, true),
  })
  const { checks } = (await diagnose(world.env)).json as { checks: { name: string }[] }
  t.match(
    checks.find(({ name }) => name === 'database_settings'),
    {
      result: 'warning',
      message:
        /statement_timeout is 1000 \(set on the role in this database\): Postgres gives up before DATABASE_DEADLINE_MS.*synchronous_commit is off .*can be lost.*work_mem is 5120/,
      advice: /runbooks\.md#settings-of-the-database/,
    },
  )
})

async function everythingWorks(t: Test, databaseUrl: string): Promise<void> {
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
