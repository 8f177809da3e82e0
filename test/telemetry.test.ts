import { spawnSync } from 'node:child_process'
import t from 'tap'
import { systemClock } from '../src/services.ts'
import { createLogger } from '../src/telemetry.ts'
import type { ReplicaStatus } from '../src/status.ts'
import { VERSION } from '../src/version.ts'
import type { Replica } from './support/world.ts'
import { startWorld } from './support/world.ts'

// /readyz, /status, /metrics and the log, end to end. The tests move the monotonic clock past the pauses of the
// breaker.

async function readyz({ operations }: Replica) {
  const answer = await operations.inject('/readyz')
  return { status: answer.statusCode, body: answer.json() as Record<string, unknown> }
}

/** Values by name with labels, such as `token_broker_integrations{status="active"}`. */
async function metrics({ operations }: Replica): Promise<Map<string, number>> {
  const { payload } = await operations.inject('/metrics')
  return new Map(
    payload
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => {
        const at = line.lastIndexOf(' ')
        return [line.slice(0, at), Number(line.slice(at + 1))]
      }),
  )
}

const linesWith = (replica: Replica, word: string) =>
  replica
    .logged()
    .split('\n')
    .filter((line) => line.includes(word))

/** The machine's clock, of which the monotonic part can be moved. */
function movable() {
  let moved = 0
  return {
    clock: { ...systemClock, elapsed: () => systemClock.elapsed() + moved },
    move: (ms: number) => void (moved += ms),
  }
}

t.test(
  'a breaker that a wrong secret opened is reported in readyz, in the metrics and once in the log; so is its closing',
  async (t) => {
    const { clock, move } = movable()
    const world = await startWorld(t, { overrides: { clock } })
    const { replica, caller, entra } = world
    const pass = async (seconds: number) => {
      move(seconds * 1000)
      await world.sql`update oauth2_integration set retry_at = retry_at - make_interval(secs => ${seconds})`
    }
    await world.connect('42')
    t.same(await readyz(replica), {
      status: 200,
      body: {
        ready: true,
        version: VERSION,
        draining: false,
        log: 'open',
        database: 'ok',
        database_problems: [],
        breaker: { mode: 'closed' },
        caller_keys_expiring: [],
        refused_changes: [],
      },
    })
    t.equal((await metrics(replica)).get('token_broker_breaker_open{reason=""}'), 0)

    entra.control.configureApp({ clientSecrets: ['another-secret-than-the-brokers-own-value'] })
    await world.setRemaining('42', 120)
    t.match(await caller.token('42'), { degraded: { reason: 'client_credential' } })
    t.match(await readyz(replica), {
      status: 200,
      body: { ready: true, breaker: { mode: 'open', reason: 'client_credential' } },
    })
    const open = await metrics(replica)
    t.equal(open.get('token_broker_breaker_open{reason="client_credential"}'), 1)
    t.notOk(open.has('token_broker_breaker_open{reason=""}'))
    t.equal(open.get('token_broker_refreshes_total{outcome="misconfigured",reason="client_credential"}'), 1)

    // Two failed probes: still the same opening.
    for (let i = 0; i < 2; i++) {
      await pass(200)
      t.match(await caller.token('42'), { degraded: { reason: 'client_credential' } })
    }
    t.equal(
      (await metrics(replica)).get('token_broker_refreshes_total{outcome="misconfigured",reason="client_credential"}'),
      3,
    )
    t.equal(linesWith(replica, '"msg":"breaker ').length, 1)

    entra.control.configureApp({ clientSecrets: [entra.clientSecret] })
    await pass(200)
    t.notOk((await caller.token('42')).degraded)
    t.match((await readyz(replica)).body, { breaker: { mode: 'ramping' } })
    await pass(200)
    await world.setRemaining('42', 10)
    await caller.token('42')
    t.match((await readyz(replica)).body, { breaker: { mode: 'closed' } })
    t.equal((await metrics(replica)).get('token_broker_breaker_open{reason=""}'), 0)
    const lines = linesWith(replica, '"msg":"breaker ').map(
      (line) => JSON.parse(line) as { level: string; msg: string },
    )
    t.match(lines, [
      { level: 'error', msg: /^breaker opened/ },
      { level: 'info', msg: /^breaker closed/ },
    ])
    t.equal(lines.length, 2)
  },
)

t.test(
  'the metrics and /status count refreshes, joins, keep-alive, refusals, requests and keys, without any user id',
  async (t) => {
    const { clock, move } = movable()
    const world = await startWorld(t, { overrides: { clock } })
    const { replica, caller, entra } = world
    await world.connect('user-one')
    await world.connect('user-two')

    await world.setRemaining('user-one', 10)
    entra.control.hold()
    const both = [caller.token('user-one'), caller.token('user-one')]
    await entra.control.held()
    // The second reader has joined as soon as its row was read: the metric says so.
    while ((await metrics(replica)).get('token_broker_refreshes_joined_total') !== 1)
      await new Promise((resolve) => setImmediate(resolve))
    entra.control.release()
    await Promise.all(both)

    await world.sql`update oauth2_integration set refreshed_at = now() - interval '50 days' where user_id = 'user-two'`
    await world.sql`update oauth2_integration set lease_owner = 'a dead process', lease_until = now() - interval '1 second' where user_id = 'user-two'`
    await replica.services.keepAlive.sweep(new AbortController().signal)

    await fetch(`${replica.internalUrl}/tokens/user-one`, { headers: { host: 'token-broker.internal' } })
    const seen = await metrics(replica)
    t.equal(seen.get('token_broker_refreshes_total{outcome="tokens",reason=""}'), 2)
    t.equal(seen.get('token_broker_microsoft_refresh_seconds_count'), 2)
    t.equal(seen.get('token_broker_leases_taken_over_total'), 1)
    t.equal(seen.get('token_broker_keep_alive_integrations_total{result="renewed"}'), 1)
    t.equal(seen.get('token_broker_keep_alive_sweeps_total{ended="done"}'), 1)
    t.ok(seen.get('token_broker_keep_alive_last_sweep_timestamp_seconds')! > 1_700_000_000)
    t.equal(seen.get('token_broker_refreshed_tokens_lost_total'), 0)
    t.equal(seen.get('token_broker_mistaken_reconnects_total'), 0)
    t.ok(seen.get('token_broker_nonces_remembered')! >= 4)
    t.equal(
      seen.get('token_broker_http_request_seconds_count{listener="internal",route="/tokens/:userId",status="200"}'),
      2,
    )
    t.equal(
      seen.get('token_broker_http_request_seconds_count{listener="internal",route="/tokens/:userId",status="401"}'),
      1,
    )
    t.ok([...seen].some(([name, value]) => name.startsWith('token_broker_requests_refused_total{') && value === 1))
    t.equal(seen.get(`token_broker_build_info{version="${VERSION}",node="${process.version}"}`), 1)
    const status = (await replica.operations.inject('/status')).json() as ReplicaStatus
    t.match(status, {
      service: 'token-broker',
      version: VERSION,
      node: process.version,
      ready: true,
      requests_refused: [{ key_id: '', count: 1 }],
      requests_forbidden: [],
      unreadable_values: [],
    })
    t.same(
      status.token_reads.map(({ status: code, count }) => [code, count]),
      [
        [200, 2],
        [401, 1],
      ],
    )
    for (const { last_at } of [...status.token_reads, ...status.requests_refused])
      t.ok(Math.abs(Date.parse(last_at!) - Date.now()) < 60_000)
    t.ok(Date.parse(status.started_at) < Date.now() && status.uptime_seconds >= 0)
    t.notMatch(JSON.stringify(status), /user-one|user-two/)
    t.ok(
      [...seen].some(
        ([name, value]) =>
          name.startsWith('token_broker_caller_key_expiry_timestamp_seconds{key_id="megdocs') &&
          value > Date.now() / 1000,
      ),
    )
    t.notOk([...seen.keys()].some((name) => name.includes('user-one') || name.includes('user-two')))

    t.equal(seen.get('token_broker_integrations{status="active"}'), 2)
    t.equal(seen.get('token_broker_integrations{status="reconnect_required"}'), 0)
    await world.sql`update oauth2_integration set status = 'reconnect_required',
    refreshed_at = now() - interval '3 days', failure = '{"final": false, "reason": "account_disabled"}' where user_id = 'user-two'`
    t.equal(
      (await metrics(replica)).get('token_broker_integrations{status="active"}'),
      2,
      'asked of the database once a minute, not for every scrape',
    )
    move(61_000)
    const later = await metrics(replica)
    t.equal(later.get('token_broker_integrations{status="active"}'), 1)
    t.equal(later.get('token_broker_integrations{status="reconnect_required"}'), 1)
    t.equal(Math.floor(later.get('token_broker_oldest_refresh_age_seconds')! / 86_400), 3)
  },
)

t.test('if the database does not answer, readyz is still a quick 200, and the metrics are served', async (t) => {
  // One connection, and it is taken: every query waits for its deadline. The timeout of readyz passes at once.
  const clock = {
    ...systemClock,
    sleep: async (ms: number, signal?: AbortSignal) => (ms === 500 ? undefined : systemClock.sleep(ms, signal)),
  }
  const world = await startWorld(t, {
    env: { DATABASE_POOL_SIZE: '1', DATABASE_DEADLINE_MS: '400' },
    overrides: { clock },
  })
  const { services } = world.replica
  const taken = services.database.run((db) => db.execute('select pg_sleep(1)')).catch(() => undefined)
  t.match(await readyz(world.replica), { status: 200, body: { ready: true, database: 'slow' } })
  const seen = await metrics(world.replica)
  t.notOk([...seen.keys()].some((name) => name.startsWith('token_broker_integrations{')))
  t.ok(seen.has('process_resident_memory_bytes'))
  await taken
})

t.test('readyz is 503 before the start is complete and while draining, and names keys that expire soon', async (t) => {
  const days = (n: number) => n * 86_400_000
  let later = 0
  const world = await startWorld(t, {
    overrides: { clock: { ...systemClock, now: () => systemClock.now() + later } },
  })
  const { lifecycle } = world.replica.services
  lifecycle.started = false
  t.match(await readyz(world.replica), { status: 503, body: { ready: false } })
  lifecycle.started = true
  lifecycle.draining = true
  t.match(await readyz(world.replica), { status: 503, body: { ready: false, draining: true } })
  lifecycle.draining = false
  later = days(170)
  t.match(await readyz(world.replica), {
    status: 200,
    body: { ready: true, caller_keys_expiring: [world.secrets.megdocsKey.key_id] },
  })
})

t.test('an id token of another account is logged with the id of its request', async (t) => {
  const world = await startWorld(t)
  await world.connect('42')
  // The stored account is another one than the one Microsoft answers for.
  await world.sql`update oauth2_integration set object_id = gen_random_uuid()::text`
  await world.setRemaining('42', 120)
  t.match(await world.caller.token('42'), { degraded: { reason: 'identity_unproven' } })
  const [line] = linesWith(world.replica, 'an id token did not hold').map(
    (text) => JSON.parse(text) as Record<string, unknown>,
  )
  t.match(line, { level: 'warn', problem: 'object', request_id: /^[\w-]{16,}$/ })
})

t.test(
  'secret fields are removed from a line, at the top level and one level below, and the logged object is not changed',
  async (t) => {
    const lines: string[] = []
    const log = createLogger('info', { write: (line) => void lines.push(line) })
    const fields = {
      access_token: 'secret-1',
      user_id: '42',
      nested: { refresh_token: 'secret-2', kept: true },
      err: new TypeError('secret-3'),
    }
    log.info(fields, 'a line')
    log.child({ request_id: 'r' }).warn({ headers: { authorization: 'secret-4', cookie: 'secret-5' } })
    t.match(JSON.parse(lines[0]!), {
      access_token: '[redacted]',
      user_id: '42',
      nested: { refresh_token: '[redacted]', kept: true },
      err: { type: 'TypeError' },
      msg: 'a line',
    })
    t.notMatch(lines.join(''), /secret-/)
    t.equal(fields.nested.refresh_token, 'secret-2')
  },
)

t.test('no line is lost or repeated, however the process ends', async (t) => {
  const module = JSON.stringify(new URL('../src/telemetry.ts', import.meta.url).href)
  const ends = {
    'by itself': '',
    'by itself, later': "setTimeout(() => log.info({ i: 3 }, 'line'), 150)",
    'by exit': 'process.exit()',
    'by an error': "throw new Error('expected')",
  }
  for (const [how, end] of Object.entries(ends)) {
    for (const lines of [3, 400]) {
      const script = `const { createLogger } = await import(${module}); const log = createLogger('info'); for (let i = 0; i < ${lines}; i++) log.info({ i }, 'line'); ${end}`
      const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' })
      const seen = stdout
        .trimEnd()
        .split('\n')
        .map((line) => (JSON.parse(line) as { i: number }).i)
      t.same(seen, [...Array(lines).keys(), ...(how === 'by itself, later' ? [3] : [])], how)
    }
  }
})
