import { createServer } from 'node:http'
import { createServer as createTcpServer, type AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { runCommandLine } from '../../src/cli/commands.ts'
import { generateSealingKey } from '../../src/crypto/keyring.ts'
import { sealedByKey } from '../../src/db/diagnostics-fleet.ts'
import { diagnoseFleet } from '../../src/doctor.ts'
import type { Conclusion } from '../../src/doctor/check.ts'
import type { FleetFacts } from '../../src/doctor/fleet.ts'
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
    const { text, json, failed } = await diagnoseFleet({
      ...world.env,
      OPERATIONS_REPLICAS: addresses.join(','),
      ...changes,
    })
    return { text, failed, ...(json as { fleet: FleetFacts; conclusion: Conclusion; other_conclusions: Conclusion[] }) }
  }
  return { world, addresses, look }
}

/**
 * Rows like those of users 41 and 42, between them in age: doctor opens the oldest and the newest value, and these do
 * not open.
 */
async function many(
  { sql }: World,
  count: number,
  columns: { tenant?: string; failure?: object; name?: string },
): Promise<void> {
  const { tenant = 'aaaaaaaa-0000-4000-8000-000000000000', failure, name = 'many' } = columns
  const status = failure === undefined ? 'active' : 'reconnect_required'
  await sql`insert into oauth2_integration (id, user_id, status, generation, access_token, refresh_token,
      access_token_expires_at, scopes, tenant_id, object_id, refreshed_at, failure)
    select gen_random_uuid(), ${name} || n, ${status}, 1000 + n, access_token, refresh_token,
      access_token_expires_at, scopes, ${tenant}, object_id,
      (select min(refreshed_at) + (max(refreshed_at) - min(refreshed_at)) / 2
        from oauth2_integration where user_id in ('41', '42')),
      ${failure === undefined ? null : sql.json(failure as never)}
    from oauth2_integration, generate_series(1, ${count}) n where user_id = '42'`
}
const blocked = (minutesAgo: number, reason = 'blocked_by_policy') => ({
  verdict: 'reconnect',
  reason,
  final: false,
  microsoft: { aadsts: 53003 },
  at: `${new Date(Date.now() - minutesAgo * 60_000).toISOString().slice(0, 19)}Z`,
})

t.test('a healthy fleet: numbers, keys and replicas, and the conclusion that the broker sees no problem', async (t) => {
  const { world, addresses, look } = await setUp(t)
  addresses.push(await open(await world.startReplica()))
  t.match(await look(), { failed: false, conclusion: { result: 'warning', message: /No user is connected/ } })
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
  const { text, failed, fleet, conclusion, other_conclusions } = await look()
  t.equal(failed, false)
  t.match(conclusion, {
    result: 'ok',
    who_acts: 'nobody',
    message: /sees no problem\. It last refreshed a token at 20/,
    advice: /doctor --user/,
  })
  t.strictSame(other_conclusions, [])
  t.match(fleet, {
    integrations: { active: 1, reconnect_required: 0 },
    failures: { group_count: 0, groups: [] },
    refreshes: { last_at: /^20/, oldest_age_days: 0 },
    keep_alive: {
      after_days: 45,
      due: 0,
      expires_within: [
        { days: 7, count: 0 },
        { days: 30, count: 0 },
        { days: 90, count: 1 },
      ],
    },
    sealed: { keys: [{ key_id: 'sandbox-1', values: 2, available: true }], rows: 1, complete: true },
    connect_attempts: [{ ended: 'connected', reason: null, count: 1 }],
    events: [{ type: 'connected', last_hour: 1, last_day: 1 }, { type: 'disconnected' }, { type: 'imported' }],
    query_errors: [],
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
        breaker: { mode: 'closed', reason: null },
      })),
  )
  t.match(
    fleet.replicas.flatMap(({ token_reads }) => token_reads),
    [{ status: 200, count: 1, last_at: /^20.*\.\d{3}Z$/ }],
  )
  for (const part of ['active 1', '2 with sandbox-1', 'ready, database ok, breaker closed', '1 × 200'])
    t.ok(text.includes(part), part)
  t.notMatch(text, 'jane@', 'no user is named')
})

t.test('a refused client credential is a matter for ops at once, although no row says so', async (t) => {
  const { world, look } = await setUp(t)
  await world.connect('42')
  world.entra.control.configureApp({ clientSecrets: ['another-secret-than-the-brokers-own-value'] })
  await world.setRemaining('42', 100)
  await world.caller.token('42')
  const { failed, conclusion, fleet, text } = await look()
  t.equal(failed, true)
  t.match(conclusion, {
    who_acts: 'ops',
    message: /^1 of 1 replicas send nothing to Microsoft \(client_credential\)/,
    advice: /runbooks\.md#client-credential/,
  })
  t.strictSame(fleet.failures!.groups, [])
  t.match(text, /breaker open \(client_credential\)/)
})

t.test(
  'failures are grouped by reason and tenant with their start, and many at once name the one who can act',
  async (t) => {
    const { world, look } = await setUp(t)
    for (const user of ['41', '42']) await world.connect(user)
    await many(world, 2, { failure: blocked(30) })
    t.match(
      await look(),
      { failed: false, conclusion: { result: 'warning', who_acts: 'tenant_admin' } },
      'two may be a coincidence',
    )
    await many(world, 4, { failure: blocked(90), name: 'more' })
    const one = await look()
    t.match(one, {
      failed: true,
      conclusion: {
        who_acts: 'tenant_admin',
        message: /^6 users of tenant aaaaaaaa-.*blocked_by_policy \(AADSTS53003\), since 20/,
        advice: /refreshes-fail/,
      },
    })
    const [group] = one.fleet.failures!.groups
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
      (await look()).fleet.failures!.groups[0],
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
      conclusion: { who_acts: 'ops', message: /^10 users of 2 tenants: token_invalid/, advice: /app registration/ },
      other_conclusions: [{ who_acts: 'tenant_admin' }],
    })
    await world.sql`update oauth2_integration set failure = failure || '{"at": "2026-01-01T00:00:00Z"}' where failure is not null`
    t.match(
      await look(),
      { failed: false, conclusion: { result: 'ok' }, fleet: { failures: { group_count: 3 } } },
      'old failures do not count',
    )
    await world.sql`update oauth2_integration set failure = failure || '{"at": "yesterday", "reason": "new_one"}' where user_id = 'b1'`
    t.equal((await look()).fleet.failures!.group_count, 4, 'a row in an unknown form does not stop the report')
  },
)

t.test('values sealed with a missing key are counted, and not opened', async (t) => {
  const { world, look } = await setUp(t)
  for (const user of ['41', '42']) await world.connect(user)
  await many(world, 3, {})
  const { failed, conclusion, fleet } = await look({ SEALING_KEYS: generateSealingKey('newer') })
  t.equal(failed, true)
  t.match(conclusion, { who_acts: 'ops', message: /lacks sandbox-1/, advice: /runbooks\.md#tokenbrokerunreadable/ })
  t.strictSame(fleet.sealed, { keys: [{ key_id: 'sandbox-1', values: 10, available: false }], rows: 5, complete: true })
  await world.sql`update oauth2_integration set access_token = 'x' where user_id = 'many1'`
  t.match(await look(), { conclusion: { message: /1 with no key/ } })
})

t.test('a large table is counted in parts, each row once, until the time is over', async (t) => {
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

t.test('refused signatures of all replicas are reported by key and reason, with the last time', async (t) => {
  const { world, addresses, look } = await setUp(t)
  const second = await world.startReplica()
  addresses.push(await open(second))
  await world.connect('42')
  await world.caller.token('42')
  for (let i = 0; i < 3; i++) await fetch(`${second.internalUrl}/tokens/42`)
  const { failed, conclusion, fleet, text } = await look()
  t.match(
    fleet.replicas.flatMap(({ requests_refused }) => requests_refused),
    [{ detail: String, key_id: '', count: 3, last_at: /^20/ }],
  )
  t.match(conclusion, { result: 'warning', who_acts: 'ops', advice: /tokenbrokersignaturesrefused/ })
  t.equal(failed, false, 'a few wrong requests are no outage')
  t.match(text, /refused 3 × \w+, last 20/)
})

t.test('replicas that do not answer, answer too late, or are other servers are named with the problem', async (t) => {
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
  const { conclusion, fleet } = await look()
  t.match(Object.fromEntries(fleet.replicas.map(({ address, problem }) => [address, problem])), {
    [addresses[0]!]: null,
    [addresses[1]!]: 'the answer is not that of a token broker',
    [addresses[2]!]: 'no answer within 3 s',
    'nowhere.invalid:9090': /DNS does not know/,
  })
  t.match(conclusion, { result: 'warning', message: /do not answer: .*nowhere\.invalid/ })
  t.match(await look({ OPERATIONS_REPLICAS: 'nowhere.invalid:9090' }), {
    failed: true,
    conclusion: { message: /No replica answers/, advice: /tokenbrokerdown/ },
  })
  const untold = await look({ OPERATIONS_REPLICAS: '', OPERATIONS_LISTEN: `0.0.0.0:${addresses[0]!.split(':')[1]}` })
  t.match(
    untold,
    {
      fleet: { replicas_configured: false, replicas: [{ address: addresses[0], ready: true }] },
      conclusion: { result: 'ok' },
    },
    "without it, this machine's own",
  )
})

t.test(
  'without the database the replicas are still examined; a failing query is reported and does not stop the others',
  async (t) => {
    const { world, look } = await setUp(t)
    const { failed, conclusion, fleet, text } = await look({ DATABASE_URL: 'postgres://broker:p@127.0.0.1:1/none' })
    t.equal(failed, true)
    t.match(conclusion, { who_acts: 'ops', message: /ECONNREFUSED/, advice: /postgres-failover/ })
    t.match(fleet, { integrations: null, failures: null, sealed: null, replicas: [{ ready: true }] })
    for (const part of ['connect attempts of the last day', 'events of the last hour, of the last day'])
      t.ok(text.includes(`  ${part}\n    not known\n`), part)
    await world.connect('42')
    await world.sql`alter table event rename to event_gone`
    const gapped = await look()
    t.match(gapped, {
      fleet: { events: null, refreshes: null, integrations: { active: 1 } },
      other_conclusions: [],
      conclusion: { result: 'warning', message: /Some queries failed/ },
    })
    t.strictSame(gapped.fleet.query_errors.toSorted(), ['events: database 42P01', 'last refresh: database 42P01'])
  },
)

t.test('many failing connect attempts are reported with who acts', async (t) => {
  const { world, look } = await setUp(t)
  await world.connect('42')
  const attempts = (count: number, status: string, outcome: object | null = null) =>
    world.sql`insert into connect_session
      (id, ticket_hash, caller, user_id, intent, allow_switch, status, outcome, expires_at)
    select gen_random_uuid(), decode(md5(random()::text), 'hex'), 'megdocs', 'u' || n, 'connect', false, ${status},
      ${outcome === null ? null : world.sql.json(outcome as never)}, now() - interval '1 minute'
    from generate_series(1, ${count}) n`
  await attempts(6, 'refused', { result: 'refused', reason: 'not_approved' })
  t.match(await look(), {
    failed: false,
    conclusion: { who_acts: 'user', message: /^6 attempts .*not_approved/ },
    fleet: { connect_attempts: [{ ended: 'refused', reason: 'not_approved', count: 6 }, {}] },
  })
  await attempts(20, 'refused', { result: 'refused', reason: 'a_newer_reason' })
  t.match(await look(), { conclusion: { who_acts: 'user', message: /^20 attempts .*a_newer_reason/ } })
  await world.sql`delete from connect_session where outcome->>'reason' = 'a_newer_reason'`
  await attempts(6, 'received')
  t.match(await look(), { failed: true, conclusion: { who_acts: 'ops', message: /and MEGDocs did not complete/ } })
  await attempts(1, 'refused', { result: 'refused', reason: 'no_refresh_token' })
  t.match(await look(), { conclusion: { who_acts: 'ops', message: /no_refresh_token/ } })
})

t.test('integrations whose refresh token expires soon are a warning', async (t) => {
  const { world, look } = await setUp(t)
  await world.connect('42')
  await world.sql`update oauth2_integration set refreshed_at = now() - interval '86 days'`
  t.match(await look(), {
    failed: false,
    fleet: { keep_alive: { due: 1 } },
    conclusion: {
      result: 'warning',
      message: /refresh tokens of 1 integrations expire within 7 days/,
      advice: /keepalivebehind/,
    },
  })
})

t.test('the command line prints the same as JSON, and exits with 1 if somebody must act', async (t) => {
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
  t.match(JSON.parse(out.pop()!), {
    fleet: { replicas: [{}] },
    conclusion: { result: 'warning' },
    other_conclusions: [],
  })
  t.equal(await run({ ...world.env, DATABASE_URL: 'postgres://broker:p@127.0.0.1:1/none' }), 1)
  out.length = 0
  t.equal(await run({ ...world.env, MICROSOFT_CLIENT_ID: 'x' }), 1)
  t.match(JSON.parse(out.pop()!), { checks: [{ name: 'configuration', result: 'failed' }, {}] })
})
