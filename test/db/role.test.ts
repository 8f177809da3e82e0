import { randomBytes } from 'node:crypto'
import postgres from 'postgres'
import t from 'tap'
import { startDatabase } from '../../sandbox/database.ts'
import type { Failure } from '../../src/core/failure.ts'
import { createVault } from '../../src/crypto/vault.ts'
import { migrate } from '../../src/db/migrate.ts'
import { deleteExpiredRows } from '../../src/db/retention.ts'
import { reseal } from '../../src/db/reseal.ts'
import { documentedRole } from '../support/grants.ts'
import { startWorld } from '../support/world.ts'

t.test('under the documented role, which has no DDL, the service does all it does', async (t) => {
  // Roles belong to a whole server: one of its own, so that the name in the document can be used.
  const server = await startDatabase()
  t.teardown(() => server.close())
  const password = randomBytes(16).toString('hex')
  const as = (user: string, database: string) =>
    Object.assign(new URL(server.url), { username: user, password, pathname: `/${database}` }).href
  const admin = postgres(server.url, { max: 1, onnotice: () => {} })
  await admin.unsafe(`create role owner login createrole password '${password}'`)
  await admin.unsafe('create database broker owner owner')
  await admin.end()
  const { role, grants } = documentedRole(password)
  const missing = await migrate(as('owner', 'broker'), { servingRole: 'token_broker' }).catch((error: Failure) => error)
  t.match(missing, { code: 'broker_misconfigured', facts: { detail: /DATABASE_SERVING_ROLE does not exist/ } })
  const owner = postgres(as('owner', 'broker'), { max: 1, onnotice: () => {} })
  t.teardown(() => owner.end())
  t.same(await owner`select to_regclass('oauth2_integration') as it`, [{ it: null }], 'nothing was migrated')
  await owner.unsafe(role)
  await migrate(as('owner', 'broker'), { servingRole: 'token_broker' })
  const rights = () => owner`
    select n.nspname as schema, '' as name, n.nspacl::text as acl from pg_namespace n
      where nspname in ('public', 'drizzle')
    union all select n.nspname, c.relname, c.relacl::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where n.nspname in ('public', 'drizzle') and c.relkind in ('r', 'S')
    union all select 'default', d.defaclobjtype::text, d.defaclacl::text from pg_default_acl d order by 1, 2`
  const given = await rights()
  t.match(given, [{ schema: 'default', acl: /token_broker=/ }])
  await owner.unsafe(grants)
  t.same(await rights(), given, 'the statements of the document, by hand, give exactly the same rights')
  await migrate(as('owner', 'broker'), { servingRole: 'token_broker' })
  t.same(await rights(), given, 'and it may be repeated')

  const world = await startWorld(t, { databaseUrl: as('token_broker', 'broker') })
  t.same(
    await world.sql`select current_user, (select rolsuper or rolcreatedb or rolcreaterole from pg_roles where rolname = current_user) as mighty`,
    [{ current_user: 'token_broker', mighty: false }],
  )
  for (const statement of [
    'create table t (a int)',
    'drop table event',
    'alter table event add column a int',
    'truncate event',
    'create schema s',
    'delete from drizzle.__drizzle_migrations',
  ]) {
    await t.rejects(world.sql.unsafe(statement), { code: '42501' }, statement)
  }

  const { id, next } = await world.connect('42')
  t.equal((await world.browser().open(next)).status, 200)
  const token = await world.caller.token('42')
  t.ok((await world.caller.refresh('42', token.generation)).generation > token.generation)
  await world.setRemaining('42', 1)
  await world.caller.token('42')
  const { url } = await world.caller.beginConnect('42', { intent: 'manage' })
  t.match((await world.browser().open(url)).url, /\/accounts\/account\/microsoft\//)
  await world.caller.endBrowserSessions('42')
  world.entra.control.misbehave('aadsts', 700082)
  await world.setRemaining('42', -1)
  t.match(await world.caller.send('GET', '/tokens/42'), { status: 409, body: { code: 'reconnect_required' } })
  t.match(await world.caller.send('GET', `/connect-sessions/${id}`), { status: 200 })
  const { services } = world.replica
  t.match(await reseal(services.database, createVault(services.config.sealingKeys)), { settled: true })
  await t.resolves(deleteExpiredRows(services.database))
  t.match(
    (await world.replica.operations.inject('/metrics')).payload,
    /token_broker_integrations\{status="reconnect_required"\} 1/,
  )
  await world.caller.disconnect('42')
  t.equal(await world.row('42'), undefined)
  const { body } = await world.caller.send('GET', '/events')
  await owner.unsafe('delete from event')
  await owner.unsafe("select setval('event_id_seq', 1), setval('integration_generation', 1)")
  t.match(await world.caller.send('GET', `/events?after=${(body as { cursor: string }).cursor}`), { status: 410 })
  const [sequence] = await owner`select pg_sequence_last_value('integration_generation')::float as last`
  t.ok(sequence?.['last'] > 1_000_000, 'after a rewind it may raise the sequences')

  await owner.unsafe('create table later (a int); create sequence later_on')
  await t.resolves(
    world.sql.unsafe("insert into later values (nextval('later_on'))"),
    'what a later release adds is covered',
  )
})
