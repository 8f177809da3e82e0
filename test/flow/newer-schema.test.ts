import t, { type Test } from 'tap'
import { migrate } from '../../src/db/migrate.ts'
import { NEWER } from '../db/migration-rules.ts'
import { JANE, startWorld, type Replica, type World } from '../support/world.ts'

// This release is the old one here: a newer release has migrated the database, with all changes that the rules allow
// (test/db/migration-rules.test.ts).

async function migrateAsANewerRelease({ sql }: World): Promise<void> {
  await sql.begin((tx) => tx.unsafe(NEWER.sql))
  await sql`insert into drizzle.__drizzle_migrations (hash, created_at)
    select 'newer', max(created_at) + 1 from drizzle.__drizzle_migrations`
}

/** Connect, read, refresh, a refusal and reconnect, import, events, browser session, disconnect. */
async function allFlows(t: Test, world: World, { caller, services }: Replica, user: string): Promise<void> {
  const { id, browser, authorizeUrl } = await world.toMicrosoft(user)
  await browser.open(world.entra.control.signIn({ account: JANE, authorizeUrl }))
  const { next } = await world.complete(id, user)
  t.equal((await browser.open(next)).status, 200)
  const first = await caller.token(user)
  await world.setRemaining(user, 10)
  const second = await caller.token(user)
  t.ok(second.generation > first.generation && second.access_token !== first.access_token, 'refreshed')
  t.ok((await caller.refresh(user, second.generation)).generation > second.generation, 'a forced refresh works')
  world.entra.control.misbehave('aadsts', 50173, { times: 1 })
  await world.setRemaining(user, -1)
  t.match(await caller.send('GET', `/tokens/${user}`), { status: 409, body: { code: 'reconnect_required' } })
  await world.connect(user)
  await world.sql`update oauth2_integration set refreshed_at = now() - interval '50 days' where user_id = ${user}`
  await services.keepAlive.sweep(new AbortController().signal)
  t.ok((await caller.token(user)).generation > second.generation, 'after a reconnect, keep-alive refreshes the token')
  t.match(await caller.send('GET', `/integrations/${user}`), { status: 200, body: { status: 'active' } })
  await caller.endBrowserSessions(user)
  await caller.disconnect(user)
  t.match(await caller.send('GET', `/tokens/${user}`), { status: 404 })
  t.match(await caller.send('GET', '/events'), { status: 200 })
}

t.test(
  'replicas of this release continue and start on the database of a newer release: they warn and serve all requests',
  async (t) => {
    const world = await startWorld(t)
    await allFlows(t, world, world.replica, 'before')
    // Its statements are prepared on its connections. Now the tables change.
    await migrateAsANewerRelease(world)
    await allFlows(t, world, world.replica, 'running')
    const started = await world.startReplica()
    const warnings = (replica: Replica) =>
      replica
        .logged()
        .split('\n')
        .filter((line) => line.includes('the database was migrated by a newer release'))
    t.match(warnings(started), [/"level":"warn"/])
    t.equal(warnings(world.replica).length, 0)
    await allFlows(t, world, started, 'started')
    t.notMatch(started.logged() + world.replica.logged(), /"level":"error"/)
    const [row] =
      await world.sql`select count(*) filter (where newer_default = 7)::int as filled, count(*)::int as n from event`
    t.equal(row!['filled'], row!['n'], 'rows that the old release writes have the default of the newer one')
  },
)

t.test('migrate of this release does not change the database of a newer release', async (t) => {
  const world = await startWorld(t)
  await migrateAsANewerRelease(world)
  t.strictSame(await migrate(world.env['DATABASE_URL']!), { applied: [] })
  await world.startReplica()
})

t.test('a database that lacks the newest migration of this release is refused', async (t) => {
  const world = await startWorld(t)
  await world.sql`delete from drizzle.__drizzle_migrations
    where created_at = (select max(created_at) from drizzle.__drizzle_migrations)`
  await t.rejects(world.startReplica(), {
    code: 'broker_misconfigured',
    facts: { detail: /lacks migrations: run token-broker migrate/ },
  })
})
