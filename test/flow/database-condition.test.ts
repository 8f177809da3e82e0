import { spawnSync } from 'node:child_process'
import { rmSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import postgres from 'postgres'
import t, { type Test } from 'tap'
import { startDatabase } from '../../sandbox/database.ts'
import { databaseUser } from '../../sandbox/database-user.ts'
import { temporaryFolder } from '../../sandbox/temporary-folder.ts'
import { runCommandLine } from '../../src/cli/commands.ts'
import { problemsOfProcesses } from '../../src/database-health.ts'
import { blockingProcesses } from '../../src/db/condition.ts'
import { migrate } from '../../src/db/migrate.ts'
import { diagnose, diagnoseFleet, diagnoseUser, type Check } from '../../src/doctor.ts'
import type { Conclusion } from '../../src/doctor/check.ts'
import { createHeartbeat } from '../../src/heartbeat.ts'
import { systemClock } from '../../src/services.ts'
import { testDatabase } from '../support/database.ts'
import { startWorld, type World } from '../support/world.ts'

// A database that answers and cannot serve: standby, read-only, full disk, missing rights, locks, long transactions, no
// free connections. Each is named by readyz, metrics and all forms of doctor, and users with a valid token notice
// nothing.

interface Scene extends World {
  beat(): Promise<void>
  readyz(): Promise<{ status: number; body: { database: string; database_problems: Problem[] } }>
  metric(name: string): Promise<number | undefined>
  doctor(): Promise<{ text: string; named: Record<string, Check>; bad: string[] }>
  fleet(): Promise<{ failed: boolean; text: string; conclusion: Conclusion; other_conclusions: Conclusion[] }>
  user(userId: string): Promise<{ failed: boolean; conclusion: Conclusion }>
  /** Time passes for the replica. */
  pass(ms: number): void
}
interface Problem {
  kind: string
  message: string
}

async function scene(t: Test, databaseUrl: string, env: Record<string, string> = {}): Promise<Scene> {
  let aheadMs = 0
  const clock = { ...systemClock, now: () => Date.now() + aheadMs }
  const world = await startWorld(t, { databaseUrl, env, overrides: { clock } })
  const { operations, services } = world.replica
  await operations.listen({ host: '127.0.0.1', port: 0 })
  const replicas = `127.0.0.1:${(operations.server.address() as AddressInfo).port}`
  const heartbeat = createHeartbeat(services)
  const doctorEnv = { ...world.env, OPERATIONS_REPLICAS: replicas }
  await world.connect('42')
  await world.connect('43')
  await heartbeat.beat()
  return {
    ...world,
    beat: () => heartbeat.beat(),
    async readyz() {
      const answer = await operations.inject('/readyz')
      return { status: answer.statusCode, body: answer.json() }
    },
    async metric(name) {
      const { payload } = await operations.inject('/metrics')
      const line = payload.split('\n').find((one) => one.startsWith(`token_broker_${name} `))
      return line === undefined ? undefined : Number(line.split(' ').at(-1))
    },
    async doctor() {
      const { json, text } = await diagnose(doctorEnv)
      const { checks } = json as { checks: Check[] }
      return {
        text,
        named: Object.fromEntries(checks.map((check) => [check.name, check])),
        bad: checks.filter(({ result }) => result === 'failed').map(({ name }) => name),
      }
    },
    async fleet() {
      const { json, text, failed } = await diagnoseFleet(doctorEnv)
      return { text, failed, ...(json as { conclusion: Conclusion; other_conclusions: Conclusion[] }) }
    },
    async user(userId) {
      const { json, failed } = await diagnoseUser(doctorEnv, userId)
      return { failed, ...(json as { conclusion: Conclusion }) }
    },
    pass(ms) {
      aheadMs += ms
    },
  }
}

/** What everybody sees while nothing can be stored. User 42 has a token that needs a refresh, user 43 a valid one. */
async function isNamed(
  t: Test,
  scene: Scene,
  { kind, check, message }: { kind: string; check: string; message: RegExp },
): Promise<void> {
  const failedBefore = (await scene.metric(`database_failures_total{kind="${kind}"}`)) ?? 0
  t.match(await scene.caller.send('GET', '/tokens/42'), { status: 503, body: { code: 'database_unavailable' } })
  t.ok(((await scene.metric(`database_failures_total{kind="${kind}"}`)) ?? 0) > failedBefore, 'the failure is counted')
  t.match(await scene.caller.token('43'), { degraded: { reason: 'broker_trouble' } }, 'a valid token is handed out')
  t.ok((await scene.metric('degraded_tokens_total{reason="broker_trouble"}'))! > 0)
  const atOnce = await scene.readyz()
  t.match(atOnce, { status: 200, body: { database: 'not_writable' } }, 'before any heartbeat')
  t.ok(atOnce.body.database_problems.some((problem) => problem.kind === kind))
  await scene.beat()
  const ready = await scene.readyz()
  t.match(ready, { status: 200, body: { database: 'not_writable' } })
  t.match(ready.body.database_problems.find((problem) => problem.kind === kind)?.message, message)
  t.equal(await scene.metric(`database_problem{kind="${kind}"}`), 1)

  const { named, bad } = await scene.doctor()
  t.ok(bad.includes(check), `doctor fails ${check}: ${bad.join(', ')}`)
  t.match(named[check], { message, advice: /docs\/runbooks\.md#the-database-cannot-be-written/ })
  const fleet = await scene.fleet()
  t.match(fleet, { failed: true, conclusion: { result: 'failed', who_acts: 'ops', message } })
  t.match(fleet.text, `DATABASE ${kind}`)
  t.match(fleet.text, /failed \d+ × GET \/tokens\/:userId with 503/)
  t.notMatch(fleet.text, /sees no problem/)
  t.match(await scene.user('43'), { failed: true, conclusion: { result: 'failed', who_acts: 'ops', message } })
}

/** After the repair, at once for doctor, and within a minute for what the replica remembers. */
async function isOver(t: Test, scene: Scene): Promise<void> {
  await scene.caller.token('42')
  const { bad } = await scene.doctor()
  t.strictSame(bad, [])
  t.match(await scene.user('42'), { conclusion: { result: 'ok' } })
  scene.pass(61_000)
  await scene.beat()
  t.match(await scene.readyz(), { status: 200, body: { database: 'ok', database_problems: [] } })
  t.match(scene.replica.logged(), /"msg":"the database has a problem"[^]*"msg":"a problem of the database is over"/)
}

const ownerOf = (t: Test, url: string): postgres.Sql => {
  const sql = postgres(url, { max: 1, onnotice: () => {} })
  t.teardown(() => sql.end({ timeout: 1 }))
  return sql
}
const nameOf = (url: string): string => new URL(url).pathname.slice(1)
/** Connections that are open keep the settings of their start. */
const endSessions = (sql: postgres.Sql): Promise<unknown> =>
  sql`select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid() and application_name = 'token-broker'`

async function needsRefresh(scene: Scene): Promise<void> {
  await scene.setRemaining('42', -10)
  await scene.setRemaining('43', 120)
}

t.test('a hot standby', async (t) => {
  const user = databaseUser()
  const dir = temporaryFolder('token-broker-standby', user)
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  const server = await startDatabase({ dir, settings: { fsync: 'off' } })
  t.teardown(() => server.close())
  await migrate(server.url)
  const s = await scene(t, server.url)
  await needsRefresh(s)
  await server.stop()
  writeFileSync(join(dir, 'data', 'standby.signal'), '')
  await server.start()
  await s.caller.send('GET', '/tokens/43')
  await isNamed(t, s, { kind: 'read_only', check: 'database_writable', message: /standby/ })
  await server.stop()
  rmSync(join(dir, 'data', 'standby.signal'))
  await server.start()
  await s.caller.send('GET', '/tokens/43')
  await isOver(t, s)
})

t.test('a database that is read-only by a setting', async (t) => {
  const url = await testDatabase(t)
  const s = await scene(t, url)
  await needsRefresh(s)
  const owner = ownerOf(t, url)
  await owner.unsafe(`alter database "${nameOf(url)}" set default_transaction_read_only = on`)
  await endSessions(owner)
  await isNamed(t, s, {
    kind: 'read_only',
    check: 'database_writable',
    message: /read-only: default_transaction_read_only is on \(set by database\)/,
  })
  await owner.unsafe(`alter database "${nameOf(url)}" reset default_transaction_read_only`)
  await endSessions(owner)
  await isOver(t, s)
})

t.test('a role without rights: tables and sequences', async (t) => {
  const url = await testDatabase(t)
  const owner = ownerOf(t, url)
  const role = `serving_${process.pid}`
  await owner.unsafe(`create role ${role} login password 'p'; grant usage on schema public, drizzle to ${role};
    grant select on all tables in schema drizzle to ${role};
    grant select, insert, update, delete on all tables in schema public to ${role};
    grant usage, update on all sequences in schema public to ${role}`)
  t.teardown(() => owner.unsafe(`drop owned by ${role}; drop role ${role}`))
  const s = await scene(t, Object.assign(new URL(url), { username: role, password: 'p' }).href)
  await needsRefresh(s)
  for (const [right, subject, message] of [
    ['update', 'oauth2_integration', /lacks rights: update on oauth2_integration/],
    ['usage', 'sequence integration_generation', /lacks rights: .*usage on sequence integration_generation/],
    ['update', 'sequence event_id_seq', /lacks rights: .*update on sequence event_id_seq/],
  ] as const) {
    await owner.unsafe(`revoke ${right} on ${subject} from ${role}`)
    t.match((await s.doctor()).named['database_rights'], { result: 'failed', message }, subject)
    if (subject.startsWith('sequence')) await owner.unsafe(`grant ${right} on ${subject} to ${role}`)
  }
  await isNamed(t, s, {
    kind: 'rights',
    check: 'database_rights',
    message: /lacks rights: update on oauth2_integration/,
  })
  await owner.unsafe(`grant update on oauth2_integration to ${role}`)
  await isOver(t, s)
})

t.test('a full disk', async (t) => {
  const url = await testDatabase(t)
  const s = await scene(t, url)
  await needsRefresh(s)
  const owner = ownerOf(t, url)
  // What Postgres raises where it cannot extend a file; the next test has a disk that is really full.
  await owner.unsafe(`create function full_disk() returns trigger language plpgsql as
      $$ begin raise exception 'no space left' using errcode = '53100'; end $$;
    create trigger full_disk before insert or update on oauth2_integration execute function full_disk()`)
  await isNamed(t, s, { kind: 'disk_full', check: 'database_writable', message: /disk of Postgres is full.*53100/ })
  await owner.unsafe('drop trigger full_disk on oauth2_integration')
  await isOver(t, s)
})

t.test('doctor finds a disk that is really full, although no request has failed yet', async (t) => {
  const user = databaseUser()
  const disk = temporaryFolder('token-broker-disk', user)
  t.teardown(() => rmSync(disk, { recursive: true, force: true }))
  const owner = user === undefined ? [] : [`uid=${user.uid}`, `gid=${user.gid}`]
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', ['size=4m', 'mode=700', ...owner].join(','), 'none', disk])
  if (mounted.status !== 0) return t.comment('no right to mount a small disk here')
  const server = await startDatabase()
  t.teardown(async () => {
    await server.close()
    spawnSync('umount', [disk])
  })
  await migrate(server.url)
  const s = await scene(t, server.url)
  const sql = ownerOf(t, server.url)
  await sql.unsafe(`create tablespace small location '${disk}'`)
  await sql.unsafe('alter table oauth2_integration set tablespace small')
  t.strictSame((await s.doctor()).bad, [])
  try {
    writeFileSync(join(disk, 'junk'), Buffer.alloc(8_000_000))
  } catch {
    // It is full now.
  }
  const { bad, named } = await s.doctor()
  t.strictSame(bad, ['database_writable'])
  t.match(named['database_writable'], { message: /disk of Postgres is full.*53100/, advice: /Free or add disk space/ })
})

/** A process of Postgres that holds what `statement` locks, until `end`. */
async function intruder(t: Test, url: string, statement: string): Promise<{ pid: number; end(): Promise<void> }> {
  const sql = postgres(url, { max: 1, onnotice: () => {}, connection: { application_name: 'night job' } })
  t.teardown(() => sql.end({ timeout: 0 }))
  await sql.unsafe('begin')
  const [row] = await sql`select pg_backend_pid() as pid`
  await sql.unsafe(statement)
  return {
    pid: Number(row!['pid']),
    async end() {
      await sql.unsafe('rollback')
    },
  }
}

t.test('a table that is locked: the process that holds it is named everywhere', async (t) => {
  const url = await testDatabase(t)
  const s = await scene(t, url, { DATABASE_DEADLINE_MS: '2000' })
  const { pid, end } = await intruder(t, url, 'lock table oauth2_integration')
  const holder = new RegExp(
    `process ${pid} \\(night job, user \\w+\\): idle in transaction; in a transaction for \\d+ s; holds a lock on oauth2_integration, so that nobody can read`,
  )
  t.match(await s.caller.send('GET', '/tokens/42'), { status: 503, body: { code: 'database_unavailable' } })
  t.ok((await s.metric('database_failures_total{kind="timeout"}'))! > 0)
  await s.beat()
  const ready = await s.readyz()
  t.equal(ready.status, 200)
  t.match(ready.body.database_problems.find(({ kind }) => kind === 'locked')?.message, holder)
  t.equal(await s.metric('database_problem{kind="locked"}'), 1)
  const { named, bad } = await s.doctor()
  t.ok(bad.includes('database_locks'))
  t.match(named['database_locks'], { message: holder, advice: /runbooks\.md#locks-and-long-transactions/ })
  t.match(named['sealing_keys'], { message: /deadline/, advice: /runbooks\.md#locks-and-long-transactions/ })
  t.match(await s.fleet(), { failed: true, conclusion: { result: 'failed', message: holder } })
  const [out, code] = await printed(['doctor', '--user', '42', '--json'], s.env)
  t.equal(code, 1)
  t.match((JSON.parse(out) as { checks: Check[] }).checks, [
    { name: 'database_locks', message: holder },
    { name: 'user' },
  ])
  await end()
  t.match(await s.caller.token('42'), { access_token: String })
  t.strictSame((await s.doctor()).bad, [])
  s.pass(61_000)
  await s.beat()
  t.match(await s.readyz(), { body: { database: 'ok', database_problems: [] } })
})

t.test('a row that is locked, and a transaction that is open for long', async (t) => {
  const url = await testDatabase(t)
  const s = await scene(t, url)
  const { database } = s.replica.services
  const { pid, end } = await intruder(t, url, "select from oauth2_integration where user_id = '42' for update")
  t.strictSame(await blockingProcesses(database), [], 'it is in nobody\u2019s way, and not long yet')
  const [long] = await blockingProcesses(database, 0)
  t.match(long, { pid, application: 'night job', state: 'idle in transaction', tables: [], waiting: 0 })
  t.match(problemsOfProcesses([long!]), [['long_transaction', new RegExp(`open for long: process ${pid}`)]])
  const waiter = s.sql`update oauth2_integration set failures = 0 where user_id = '42'`.execute()
  // A wait counts from its first second on.
  let found: Awaited<ReturnType<typeof blockingProcesses>> = []
  while (found.length === 0) found = await blockingProcesses(database)
  t.match(found, [{ pid, waiting: 1, blocksReads: false }])
  t.match((await s.doctor()).named['database_locks'], { result: 'failed', message: /1 waits for it/ })
  await end()
  await waiter
})

t.test('no free connection', async (t) => {
  const url = await testDatabase(t)
  const owner = ownerOf(t, url)
  const role = `limited_${process.pid}`
  await owner.unsafe(`create role ${role} login password 'p'; grant usage on schema public, drizzle to ${role};
    grant select on all tables in schema drizzle to ${role}; grant all on all tables in schema public to ${role};
    grant usage, update on all sequences in schema public to ${role}`)
  t.teardown(() => owner.unsafe(`drop owned by ${role}; drop role ${role}`))
  const s = await scene(t, Object.assign(new URL(url), { username: role, password: 'p' }).href)
  await owner.unsafe(`alter role ${role} connection limit 6`)
  t.match((await s.doctor()).named['database_connections'], {
    result: 'warning',
    message: /of 6 connections of the role are in use: a replica takes up to 6/,
    advice: /runbooks\.md#no-free-connections/,
  })
  await owner.unsafe(`alter role ${role} connection limit 0`)
  await owner`select pg_terminate_backend(pid) from pg_stat_activity where usename = ${role}`
  // The first may only find that its connection is gone.
  for (let i = 0; i < 8; i++) t.equal((await s.caller.send('GET', '/tokens/42')).status, 503)
  t.ok((await s.metric('database_failures_total{kind="connections"}'))! > 0)
  const ready = await s.readyz()
  t.match(ready, { status: 200, body: { database: 'unavailable' } })
  t.ok(ready.body.database_problems.some(({ kind }) => kind === 'connections'))
  t.match((await s.doctor()).named['database'], {
    result: 'failed',
    message: /no free connection.*53300/,
    advice: /runbooks\.md#no-free-connections/,
  })
  t.match(await s.fleet(), { failed: true, conclusion: { message: /no free connection/ } })
  for (const argv of [
    ['doctor', '--json'],
    ['doctor', '--fleet', '--json'],
    ['doctor', '--user', '42', '--json'],
    ['unfreeze', '--json'],
    ['freeze', '--user', '42', '--reason', 'x', '--json'],
    ['disconnect', '--tenant', '00000000-0000-4000-8000-000000000000', '--json'],
  ]) {
    const [out, code] = await printed(argv, s.env)
    t.equal(code, 1, argv.join(' '))
    t.match(JSON.stringify(JSON.parse(out)), /no free connection.*no-free-connections/, argv.join(' '))
  }
  await owner.unsafe(`alter role ${role} connection limit 50`)
  t.match(await s.caller.token('42'), { access_token: String })
})

/** What a command prints for a script, and its exit status. */
async function printed(argv: string[], env: Record<string, string>): Promise<[out: string, code: number]> {
  const out: string[] = []
  const code = await runCommandLine(argv, { env, now: Date.now, out: (line) => out.push(line), err: () => {} })
  return [out.join('\n'), code]
}
