import { createServer } from 'node:http'
import { createServer as createTcpServer, type AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { Counter, Registry } from 'prom-client'
import { runCommandLine } from '../../src/cli.ts'
import { generateSealingKey } from '../../src/crypto/keyring.ts'
import { sealedByKey } from '../../src/db/diagnostics-fleet.ts'
import { examineFleet } from '../../src/doctor.ts'
import type { Conclusion } from '../../src/doctor/check.ts'
import type { FleetFacts } from '../../src/doctor/fleet.ts'
import { parseMetrics } from '../../src/doctor/prometheus-text.ts'
import { JANE, startWorld, type Replica, type World } from '../support/world.ts'

// `doctor --fleet`: whose problem it is when users cannot edit documents. Replicas answer on real operations listeners.

async function open({ operations }: Replica): Promise<string> {
  await operations.listen({ host: '127.0.0.1', port: 0 })
  return `127.0.0.1:${(operations.server.address() as AddressInfo).port}`
}

async function setUp(t: Test) {
  const world = await startWorld(t)
  const addresses = [await open(world.replica)]
  async function look(changes: Record<string, string> = {}) {
    const { text, json, failed } = await examineFleet({
      ...world.env,
      OPERATIONS_REPLICAS: addresses.join(','),
      ...changes,
    })
    return { text, failed, ...(json as { fleet: FleetFacts; verdict: Conclusion; also: Conclusion[] }) }
  }
  return { world, addresses, look }
}

/** Rows like those of users 41 and 42, between them in age: doctor opens the oldest and the newest value, and these do not open. */
async function many(
  { sql }: World,
  count: number,
  columns: { tenant?: string; failure?: object; name?: string },
): Promise<void> {
  const { tenant = 'aaaaaaaa-0000-4000-8000-000000000000', failure, name = 'many' } = columns
  await sql`insert into oauth2_integration (id, user_id, status, generation, access_token, refresh_token, access_token_expires_at, scopes, tenant_id, object_id, refreshed_at, failure)
    select gen_random_uuid(), ${name} || n, ${failure === undefined ? 'active' : 'reconnect_required'}, 1000 + n, access_token, refresh_token, access_token_expires_at, scopes, ${tenant}, object_id,
      (select min(refreshed_at) + (max(refreshed_at) - min(refreshed_at)) / 2 from oauth2_integration where user_id in ('41', '42')), ${failure === undefined ? null : sql.json(failure as never)}
    from oauth2_integration, generate_series(1, ${count}) n where user_id = '42'`
}
const blocked = (minutesAgo: number, reason = 'blocked_by_policy') => ({
  verdict: 'reconnect',
  reason,
  final: false,
  microsoft: { aadsts: 53003 },
  at: `${new Date(Date.now() - minutesAgo * 60_000).toISOString().slice(0, 19)}Z`,
})

t.test('a healthy fleet: numbers, keys and replicas, and the verdict that the broker sees no trouble', async (t) => {
  const { world, addresses, look } = await setUp(t)
  addresses.push(await open(await world.startReplica()))
  t.match(await look(), { failed: false, verdict: { result: 'warning', saw: /Nobody is connected/ } })
  await world.connect('42')
  const fresh = await look()
  t.equal(fresh.fleet.refreshes!.last_at, null, 'a connect is no refresh')
  await world.setRemaining('42', 10)
  await world.caller.token('42')
  await world.sql`update oauth2_integration set connected_at = connected_at - interval '1 day', refreshed_at = refreshed_at - interval '1 hour'`
  await world.caller.send('POST', '/integrations/import', {
    rows: [
      {
        user_id: '43',
        refresh_token: world.entra.control.issueRefreshToken({ account: JANE }),
        connected_at: '2026-01-01T00:00:00Z',
        updated_at: new Date(Date.now() + 2_000).toISOString(),
      },
    ],
  })
  t.equal(
    (await look()).fleet.refreshes!.last_at,
    `${((await world.row('42'))!['refreshed_at'] as Date).toISOString().slice(0, 19)}Z`,
    'nor is an import',
  )
  await world.caller.send('DELETE', '/integrations/43')
  const { text, failed, fleet, verdict, also } = await look()
  t.equal(failed, false)
  t.match(verdict, {
    result: 'ok',
    who_acts: 'nobody',
    saw: /no trouble; it last refreshed a token at 20/,
    todo: /doctor --user/,
  })
  t.strictSame(also, [])
  t.match(fleet, {
    integrations: { active: 1, reconnect_required: 0 },
    failures: { groups: 0, list: [] },
    refreshes: { last_at: /^20/, oldest_days: 0 },
    keep_alive: {
      after_days: 45,
      due: 0,
      dies_within: [
        { days: 7, count: 0 },
        { days: 30, count: 0 },
        { days: 90, count: 1 },
      ],
    },
    sealed: { keys: [{ key_id: 'sandbox-1', values: 2, held: true }], rows: 1, complete: true },
    connects: [{ ended: 'connected', reason: null, count: 1 }],
    events: [{ type: 'connected', last_hour: 1, last_day: 1 }, { type: 'disconnected' }, { type: 'imported' }],
    gaps: [],
  })
  t.strictSame(
    fleet.replicas.map(({ address, problem, ready, database, breaker }) => ({
      address,
      problem,
      ready,
      database,
      breaker,
    })),
    addresses
      .toSorted((a, b) => a.localeCompare(b, 'en', { numeric: true }))
      .map((address) => ({
        address,
        problem: null,
        ready: true,
        database: 'ok',
        breaker: { state: 'closed', reason: null },
      })),
  )
  t.match(
    fleet.replicas.flatMap(({ tokens }) => tokens),
    [{ status: '200', count: 1, last_at: /^20.*\.\d{3}Z$/ }],
  )
  for (const part of ['active 1', '2 under sandbox-1', 'ready, database ok, breaker closed', '1 × 200'])
    t.ok(text.includes(part), part)
  t.notMatch(text, 'jane@', 'no user is named')
})

t.test("a refused client credential is ops' at once, although no row says so", async (t) => {
  const { world, look } = await setUp(t)
  await world.connect('42')
  world.entra.control.configureApp({ clientSecrets: ['another-secret-than-the-brokers-own-value'] })
  await world.setRemaining('42', 100)
  await world.caller.token('42')
  const { failed, verdict, fleet, text } = await look()
  t.equal(failed, true)
  t.match(verdict, {
    who_acts: 'ops',
    saw: /by 1 of 1 replicas \(client_credential\)/,
    todo: /runbooks\.md#client-credential/,
  })
  t.strictSame(fleet.failures!.list, [])
  t.match(text, /breaker open \(client_credential\)/)
})

t.test(
  'failures are grouped by reason and tenant with since when, and a wave points at whoever can cure it',
  async (t) => {
    const { world, look } = await setUp(t)
    for (const user of ['41', '42']) await world.connect(user)
    await many(world, 2, { failure: blocked(30) })
    t.match(
      await look(),
      { failed: false, verdict: { result: 'warning', who_acts: 'tenant_admin' } },
      'two may be by chance',
    )
    await many(world, 4, { failure: blocked(90), name: 'more' })
    const one = await look()
    t.match(one, {
      failed: true,
      verdict: {
        who_acts: 'tenant_admin',
        saw: /^6 users of tenant aaaaaaaa-.*blocked_by_policy \(AADSTS53003\), since 20/,
        todo: /refreshes-fail/,
      },
    })
    const [group] = one.fleet.failures!.list
    t.match(group, {
      reason: 'blocked_by_policy',
      aadsts: 53003,
      count: 6,
      last_day: 6,
      who_acts: 'tenant_admin',
      advice: /policy/,
    })
    t.ok(group!.first_at! < group!.last_at!)
    await world.sql`update oauth2_integration set failure = failure || '{"since": "2026-01-01T00:00:00Z"}' where user_id = 'more1'`
    t.match(
      (await look()).fleet.failures!.list[0],
      { first_at: '2026-01-01T00:00:00Z', last_at: group!.last_at },
      'since the first try, not the last',
    )
    await many(world, 5, {
      failure: { ...blocked(5, 'token_invalid'), microsoft: {} },
      name: 'b',
      tenant: 'bbbbbbbb-0000-4000-8000-000000000000',
    })
    await many(world, 5, {
      failure: { ...blocked(5, 'token_invalid'), microsoft: {} },
      name: 'c',
      tenant: 'cccccccc-0000-4000-8000-000000000000',
    })
    t.match(await look(), {
      verdict: { who_acts: 'ops', saw: /^10 users of 2 tenants: token_invalid/, todo: /app registration/ },
      also: [{ who_acts: 'tenant_admin' }],
    })
    await world.sql`update oauth2_integration set failure = failure || '{"at": "2026-01-01T00:00:00Z"}' where failure is not null`
    t.match(
      await look(),
      { failed: false, verdict: { result: 'ok' }, fleet: { failures: { groups: 3 } } },
      'what is long known is no news',
    )
    await world.sql`update oauth2_integration set failure = failure || '{"at": "yesterday", "reason": "new_one"}' where user_id = 'b1'`
    t.equal(
      (await look()).fleet.failures!.groups,
      4,
      'a row that another release or a hand wrote does not stop the look',
    )
  },
)

t.test('values under a key that is not held are counted, and not opened', async (t) => {
  const { world, look } = await setUp(t)
  for (const user of ['41', '42']) await world.connect(user)
  await many(world, 3, {})
  const { failed, verdict, fleet } = await look({ SEALING_KEYS: generateSealingKey('newer') })
  t.equal(failed, true)
  t.match(verdict, { who_acts: 'ops', saw: /lacks sandbox-1/, todo: /runbooks\.md#tokenbrokerunreadable/ })
  t.strictSame(fleet.sealed, { keys: [{ key_id: 'sandbox-1', values: 10, held: false }], rows: 5, complete: true })
  await world.sql`update oauth2_integration set access_token = 'x' where user_id = 'many1'`
  t.match(await look(), { verdict: { saw: /1 under no key/ } })
})

t.test('a large table is counted window by window, each row once, and no longer than there is time', async (t) => {
  const { world } = await setUp(t)
  for (const user of ['41', '42']) await world.connect(user)
  await many(world, 23, {})
  // Every second row in the order of the walk, so that each window ends now in one group, now in the other.
  await world.sql`update oauth2_integration set access_token = 'x' where id in (select id from (select id, row_number() over (order by id) as n from oauth2_integration) as o where n % 2 = 0)`
  const { database } = world.replica.services
  for (const window of [1, 3, 4, 25, 26])
    t.strictSame(
      await sealedByKey(database, () => true, window),
      { counts: { 'sandbox-1': 38, '': 12 }, rows: 25, complete: true },
      `${window} rows`,
    )
  t.strictSame(await sealedByKey(database, () => false, 10), {
    counts: { 'sandbox-1': 15, '': 5 },
    rows: 10,
    complete: false,
  })
})

t.test('refused signatures are told by key and reason, of all replicas, and when last', async (t) => {
  const { world, addresses, look } = await setUp(t)
  const second = await world.startReplica()
  addresses.push(await open(second))
  await world.connect('42')
  await world.caller.token('42')
  for (let i = 0; i < 3; i++) await fetch(`${second.internalUrl}/tokens/42`)
  const { failed, verdict, fleet, text } = await look()
  t.match(
    fleet.replicas.flatMap(({ refused }) => refused),
    [{ detail: String, key_id: '', count: 3, last_at: /^20/ }],
  )
  t.match(verdict, { result: 'warning', who_acts: 'ops', todo: /tokenbrokersignaturesrefused/ })
  t.equal(failed, false, 'a few strays are no outage')
  t.match(text, /refused 3 × \w+, last 20/)
})

t.test('replicas that do not answer, answer too late, or are something else are named with the reason', async (t) => {
  const { world, addresses, look } = await setUp(t)
  await world.connect('42')
  const other = createServer((_request, response) => response.end('{}')).listen(0, '127.0.0.1')
  const silent = createTcpServer((socket) => socket.on('error', () => {})).listen(0, '127.0.0.1')
  t.teardown(() => [other, silent].forEach((server) => server.close()))
  const portOf = (server: { address(): unknown }) => (server.address() as AddressInfo).port
  await Promise.all(
    [other, silent].map((server) => server.listening || new Promise((done) => server.once('listening', done))),
  )
  addresses.push(`127.0.0.1:${portOf(other)}`, `127.0.0.1:${portOf(silent)}`, 'nowhere.invalid:9090')
  const { verdict, fleet } = await look()
  t.match(Object.fromEntries(fleet.replicas.map(({ address, problem }) => [address, problem])), {
    [addresses[0]!]: null,
    [addresses[1]!]: 'what answers there is no token broker',
    [addresses[2]!]: 'no answer within 3 s',
    'nowhere.invalid:9090': /name service/,
  })
  t.match(verdict, { result: 'warning', saw: /do not answer: .*nowhere\.invalid/ })
  t.match(await look({ OPERATIONS_REPLICAS: 'nowhere.invalid:9090' }), {
    failed: true,
    verdict: { saw: /No replica answers/, todo: /tokenbrokerdown/ },
  })
  const untold = await look({ OPERATIONS_REPLICAS: '', OPERATIONS_LISTEN: `0.0.0.0:${addresses[0]!.split(':')[1]}` })
  t.match(
    untold,
    { fleet: { replicas_told: false, replicas: [{ address: addresses[0], ready: true }] }, verdict: { result: 'ok' } },
    "without it, this machine's own",
  )
})

t.test(
  'without the database the replicas are looked at all the same; a slow one leaves gaps, not a crash',
  async (t) => {
    const { world, look } = await setUp(t)
    const { failed, verdict, fleet, text } = await look({ DATABASE_URL: 'postgres://broker:p@127.0.0.1:1/none' })
    t.equal(failed, true)
    t.match(verdict, { who_acts: 'ops', saw: /ECONNREFUSED/, todo: /postgres-failover/ })
    t.match(fleet, { integrations: null, failures: null, sealed: null, replicas: [{ ready: true }] })
    for (const part of ['connect attempts of the last day', 'events of the last hour, of the last day'])
      t.ok(text.includes(`  ${part}\n    not known\n`), part)
    await world.connect('42')
    await world.sql`alter table event rename to event_gone`
    const gapped = await look()
    t.match(gapped, {
      fleet: { events: null, refreshes: null, integrations: { active: 1 } },
      also: [],
      verdict: { result: 'warning', saw: /did not tell all/ },
    })
    t.strictSame(gapped.fleet.gaps.toSorted(), ['events: database 42P01', 'last refresh: database 42P01'])
  },
)

t.test('connects that fail in numbers are told with who acts', async (t) => {
  const { world, look } = await setUp(t)
  await world.connect('42')
  const attempts = (
    count: number,
    status: string,
    outcome: object | null = null,
  ) => world.sql`insert into connect_session (id, ticket_hash, caller, user_id, intent, allow_switch, status, outcome, expires_at)
    select gen_random_uuid(), decode(md5(random()::text), 'hex'), 'megdocs', 'u' || n, 'connect', false, ${status}, ${outcome === null ? null : world.sql.json(outcome as never)}, now() - interval '1 minute' from generate_series(1, ${count}) n`
  await attempts(6, 'refused', { result: 'refused', reason: 'not_approved' })
  t.match(await look(), {
    failed: false,
    verdict: { who_acts: 'user', saw: /^6 attempts .*not_approved/ },
    fleet: { connects: [{ ended: 'refused', reason: 'not_approved', count: 6 }, {}] },
  })
  await attempts(6, 'received')
  t.match(await look(), { failed: true, verdict: { who_acts: 'ops', saw: /MEGDocs did not complete/ } })
  await attempts(1, 'refused', { result: 'refused', reason: 'no_refresh_token' })
  t.match(await look(), { verdict: { who_acts: 'ops', saw: /no_refresh_token/ } })
})

t.test('integrations about to die are a warning', async (t) => {
  const { world, look } = await setUp(t)
  await world.connect('42')
  await world.sql`update oauth2_integration set refreshed_at = now() - interval '86 days'`
  t.match(await look(), {
    failed: false,
    fleet: { keep_alive: { due: 1 } },
    verdict: { result: 'warning', saw: /1 integrations die within 7 days/, todo: /keepalivebehind/ },
  })
})

t.test('the command line prints the same as JSON, and exits with 1 where somebody must act', async (t) => {
  const { world } = await setUp(t)
  const out: string[] = []
  const run = (env: Record<string, string>) =>
    runCommandLine(['doctor', '--fleet', '--json'], {
      env,
      now: () => Date.now(),
      out: (line) => out.push(line),
      err: () => {},
    })
  t.equal(await run(world.env), 0)
  t.match(JSON.parse(out.pop()!), { fleet: { replicas: [{}] }, verdict: { result: 'warning' }, also: [] })
  t.equal(await run({ ...world.env, DATABASE_URL: 'postgres://broker:p@127.0.0.1:1/none' }), 1)
  out.length = 0
  t.equal(await run({ ...world.env, MICROSOFT_CLIENT_ID: 'x' }), 1)
  t.match(JSON.parse(out.pop()!), { checks: [{ name: 'configuration', result: 'failed' }, {}] })
})

t.test('what prom-client writes is read as it was meant, awkward labels included', async (t) => {
  const registry = new Registry()
  const counter = new Counter({
    name: 'odd_total',
    help: 'a "help" \\ with\nlines',
    labelNames: ['a', 'b'],
    registers: [registry],
  })
  const odd = { a: 'quote " backslash \\ line\nbreak } , = {', b: '' }
  counter.inc(odd, 2.5)
  counter.inc({ a: '\\n', b: 'x="y"' })
  const samples = parseMetrics(await registry.metrics())
  t.strictSame(samples, [
    { name: 'odd_total', labels: odd, value: 2.5 },
    { name: 'odd_total', labels: { a: '\\n', b: 'x="y"' }, value: 1 },
  ])
  t.strictSame(parseMetrics('plain 1\nwith_time{le="+Inf"} +Inf 1700000000000\n# comment 3\nnonsense\nnan NaN\n'), [
    { name: 'plain', labels: {}, value: 1 },
    { name: 'with_time', labels: { le: '+Inf' }, value: Infinity },
    { name: 'nan', labels: {}, value: Number.NaN },
  ])
})
