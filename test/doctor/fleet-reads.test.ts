import { randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { diagnose, diagnoseFleet } from '../../src/doctor.ts'
import type { Check, Conclusion } from '../../src/doctor/check.ts'
import { failingTokenReads, fleetConclusions, refusedSignatures, versions } from '../../src/doctor/fleet-conclusions.ts'
import type { FleetFacts } from '../../src/doctor/fleet.ts'
import { clocks, previousBreakers } from '../../src/doctor/fleet-replicas.ts'
import { parseStatus, readReplicas, type ReplicaFacts } from '../../src/doctor/replicas.ts'
import { VERSION } from '../../src/version.ts'
import { signingKey } from '../../src/signature/keys.ts'
import { call } from '../http/signed-call.ts'
import { startWorld, type World } from '../support/world.ts'

// `doctor --fleet`: reads that fail although no row says why, and callers that are refused.

async function setUp(t: Test, env: Record<string, string> = {}) {
  const world = await startWorld(t, { env })
  const { operations } = world.replica
  await operations.listen({ host: '127.0.0.1', port: 0 })
  const { port } = operations.server.address() as AddressInfo
  async function look(changes: Record<string, string> = {}) {
    const { text, json, failed } = await diagnoseFleet({
      ...world.env,
      OPERATIONS_REPLICAS: `127.0.0.1:${port}`,
      ...changes,
    })
    return { text, failed, ...(json as { fleet: FleetFacts; conclusion: Conclusion; other_conclusions: Conclusion[] }) }
  }
  return { world, look }
}
const read = (world: World, key = {}) => call(world, { method: 'GET', path: '/tokens/42', ...key })

t.test(
  "reads beyond a caller's limit: failed if no token was handed out since then, otherwise a warning",
  async (t) => {
    const { world, look } = await setUp(t, { CALLER_REQUESTS_PER_MINUTE: '5' })
    await world.connect('42')
    let status = 200
    while (status === 200) ({ status } = await read(world))
    t.equal(status, 429)
    t.match(await look(), {
      failed: true,
      conclusion: {
        result: 'failed',
        who_acts: 'ops',
        message: /answered with 429, .*no token was handed out since then/,
        advice: /#tokenbrokerratelimited$/,
      },
    })
  },
)

t.test('a caller without the permission, and no token handed out: the caller and the runbook are named', async (t) => {
  const { world, look } = await setUp(t)
  await world.connect('42')
  t.equal((await read(world)).status, 200)
  const file = world.env['CALLERS_FILE']!
  const {
    callers: [megdocs],
  } = JSON.parse(readFileSync(file, 'utf8')) as { callers: [object] }
  writeFileSync(file, JSON.stringify({ callers: [{ ...megdocs, permissions: ['events:read'] }] }))
  world.replica.services.callers.reload()
  for (let n = 0; n < 2; n++) t.equal((await read(world)).status, 403)
  const { failed, conclusion, text, fleet } = await look()
  t.equal(failed, true)
  t.match(conclusion, {
    who_acts: 'ops',
    message:
      /answered with 403, .*no token was handed out since then\. Cause: megdocs lacks the permission tokens:read/,
    advice: /#tokenbrokercallerforbidden$/,
  })
  t.strictSame(fleet.replicas[0]!.requests_forbidden, [{ caller: 'megdocs', permission: 'tokens:read', count: 2 }])
  t.match(text, /refused 2 × megdocs lacks tokens:read/)
  writeFileSync(file, JSON.stringify({ callers: [megdocs] }))
  world.replica.services.callers.reload()
  t.equal((await read(world)).status, 200)
  t.match(await look(), {
    failed: false,
    conclusion: { result: 'warning', message: /answered with 403, .*other reads got a token/ },
  })
})

t.test(
  'one row that does not open, although its key is there, is a failure, however many other users get tokens',
  async (t) => {
    const { world, look } = await setUp(t)
    // Doctor itself opens the oldest and the newest: this one lies between.
    for (const user of ['41', '42', '43']) await world.connect(user)
    await world.sql`update oauth2_integration set access_token = set_byte(access_token, length(access_token) - 1, get_byte(access_token, length(access_token) - 1) # 1) where user_id = '42'`
    t.equal((await read(world)).status, 500)
    await world.caller.token('41')
    const { failed, conclusion, other_conclusions, fleet, text } = await look()
    t.equal(failed, true)
    t.match(conclusion, {
      who_acts: 'ops',
      message: /could not be opened \(authentication\): 1 times/,
      advice: /#tokenbrokerunreadable$/,
    })
    t.match(other_conclusions, [{ result: 'warning', message: /answered with 500/, advice: /#tokenbrokerunreadable$/ }])
    t.strictSame(fleet.replicas[0]!.unreadable_values, [{ detail: 'authentication', count: 1 }])
    t.match(text, /did not open 1 × authentication/)
  },
)

t.test('refused callers, with no token handed out, come before single rows that fail', async (t) => {
  const { world, look } = await setUp(t)
  await world.connect('42')
  await world.sql`update oauth2_integration set status = 'reconnect_required', failure = jsonb_build_object(
    'verdict', 'misconfigured', 'reason', 'app_registration', 'final', false, 'microsoft', '{}'::jsonb,
    'at', to_char(now() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))`
  const key = signingKey('nobody', 'hmac-sha256', randomBytes(32).toString('base64url'))
  for (let n = 0; n < 5; n++) t.equal((await read(world, { key })).status, 401)
  t.match(await look(), {
    failed: true,
    conclusion: { who_acts: 'ops', message: /unknown_key.*No token was handed out/, advice: /signaturesrefused/ },
    other_conclusions: [{ result: 'failed', message: /app_registration/ }],
  })
})

const NOW = Date.parse('2026-11-22T12:00:00Z')
const before = (seconds: number): string => new Date(NOW - seconds * 1000).toISOString()
const facts = (more: Partial<ReplicaFacts>, ...others: Partial<ReplicaFacts>[]) => ({
  replicas: [more, ...others].map((one): ReplicaFacts => ({ ...parseStatus('10.0.0.1:9090', {}), ...one })),
})
const served = (seconds: number) => ({ token_reads: [{ status: 200, count: 100_000, last_at: before(seconds) }] })

t.test('an open breaker of an earlier app registration is a conclusion of its own', async (t) => {
  const status = (mode: string) =>
    parseStatus('10.0.0.1:9090', { previous_breakers: [{ client_id: 'old', mode, reason: 'client_credential' }] })
  t.match(previousBreakers(facts(status('open'), status('closed'), status('open'))), [
    {
      result: 'failed',
      who_acts: 'ops',
      message: /^2 of 3 replicas refresh no tokens of the earlier app registration old \(client_credential\)/,
      advice: /MICROSOFT_PREVIOUS_CLIENTS/,
    },
  ])
  t.strictSame(previousBreakers(facts(status('closed'), {})), [])
  t.notOk(parseStatus('10.0.0.1:9090', {}).missing_members.includes('previous_breakers'), 'most have none')
})

t.test(
  'refused signatures: failed if a caller is refused repeatedly and no token was handed out for a minute',
  async (t) => {
    const refused = (detail: string, key_id: string, count: number, seconds = 1) => ({
      requests_refused: [{ detail, key_id, count, last_at: before(seconds) }],
    })
    const result = (...of: Parameters<typeof facts>) => refusedSignatures(facts(...of), NOW)[0]?.result
    t.equal(
      result({ ...served(70), ...refused('wrong_signature', 'megdocs-1', 5) }),
      'failed',
      'a key that has just broken, however many were served before',
    )
    t.equal(result({ ...served(70), ...refused('unknown_authority', '', 9) }), 'failed')
    t.equal(
      result({ ...served(70), ...refused('unknown_key', '', 3) }, refused('unknown_key', '', 3)),
      'failed',
      'of all replicas together',
    )
    t.equal(result({ ...served(50), ...refused('wrong_signature', 'megdocs-1', 5) }), 'warning', 'served a moment ago')
    t.equal(result(refused('unknown_key', '', 50), served(5)), 'warning', 'served by another replica')
    t.equal(result({ ...served(7_000), ...refused('wrong_signature', 'megdocs-1', 4) }), 'warning', 'a few')
    t.equal(result(refused('no_signature', '', 500)), 'warning', 'strangers, on a replica that has just begun')
    t.equal(result({ ...served(70), ...refused('wrong_signature', 'megdocs-1', 5, 901) }), undefined, 'long ago')
  },
)

t.test('failing reads: old ones do not count, and a token that another replica handed out later does', async (t) => {
  const answered = (status: number, seconds: number) => ({
    token_reads: [{ status, count: 3, last_at: before(seconds) }],
  })
  const results = (...of: Parameters<typeof facts>) =>
    failingTokenReads(facts(...of), NOW).map(({ result, advice }) => `${result} ${advice}`)
  for (const [status, chapter] of [
    [403, 'tokenbrokercallerforbidden'],
    [429, 'tokenbrokerratelimited'],
    [500, 'tokenbrokererrors'],
  ] as const) {
    t.strictSame(results(answered(status, 10), served(20)), [`failed docs/runbooks.md#${chapter}`])
    t.strictSame(results(answered(status, 10), served(9)), [`warning docs/runbooks.md#${chapter}`])
    t.strictSame(results(answered(status, 901)), [])
  }
  t.strictSame(results(answered(404, 1), answered(401, 1)), [], 'other reports show them')
})

t.test('replicas of different versions are named, and so is a doctor of another version', async (t) => {
  const messages = (...all: Partial<ReplicaFacts>[]) =>
    versions({ replicas: all.map((one) => ({ ...parseStatus('', {}), ...one })) }).map(({ message }) => message)
  t.strictSame(messages({ address: 'a:1', version: VERSION }, { address: 'b:1', version: VERSION }), [])
  t.strictSame(
    messages({ address: 'a:1', version: VERSION }, { address: 'b:1', version: '9.0.0' }, { address: 'c:1' }),
    [
      `There are different versions: ${[`${VERSION}: a:1`, '9.0.0: b:1', 'not known: c:1'].sort().join('; ')}; this doctor: ${VERSION}.`,
    ],
  )
  t.match(messages({ address: 'a:1', version: '9.0.0' }), ['9.0.0: a:1; this doctor: '])
  t.strictSame(messages({ address: 'a:1', version: '9.0.0', problem: 'ECONNREFUSED' }), [])
})

t.test('a replica whose clock is wrong is named', async (t) => {
  let aheadSeconds = 0
  const server = createServer((_request, answer) => {
    const date = new Date(Date.now() + aheadSeconds * 1000).toUTCString()
    answer.writeHead(200, { date }).end(JSON.stringify({ service: 'token-broker' }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo
  const found = async (seconds: number) => {
    aheadSeconds = seconds
    return clocks({ replicas: await readReplicas([{ host: '127.0.0.1', port }]) })
  }
  t.strictSame(await found(0), [])
  t.match(await found(20), [{ result: 'warning', who_acts: 'ops', message: /127\.0\.0\.1:\d+ is (19|20) s ahead/ }])
  t.match(await found(-20), [{ message: /is 2[01] s behind/, advice: /NTP/ }])
})

t.test('a rule that throws is a failed conclusion with its name, and the others are kept', async (t) => {
  const conclusions = fleetConclusions({ replicas: [] } as unknown as FleetFacts, NOW, {
    broken: () => {
      throw new TypeError('S3CRET')
    },
    sound: () => [{ result: 'warning', who_acts: 'ops', message: 'sound' }],
  })
  t.match(conclusions, [
    { result: 'failed', who_acts: 'ops', message: /^The check broken did not complete: TypeError/ },
    { message: 'sound' },
  ])
  t.notMatch(JSON.stringify(conclusions), 'S3CRET')
})

t.test(
  'the status of an older or newer release is read as far as it is known, and the differences are named',
  async (t) => {
    const odd = parseStatus('a:1', {
      service: 'token-broker',
      version: '9.0.0\u001b[31m',
      ready: 'yes',
      breaker: { mode: 'thinking', reason: 7, more: true },
      requests_refused: [{ detail: 'new', count: 1 }, { detail: 'half' }, 'odd', null],
      token_reads: 'many',
      weather: 'fine',
    })
    t.match(odd, {
      problem: null,
      version: '9.0.0 [31m',
      ready: null,
      breaker: { mode: 'thinking', reason: null },
      requests_refused: [{ detail: 'new', key_id: '', count: 1, last_at: null }],
      token_reads: [],
    })
    t.strictSame(odd.missing_members, [
      'node',
      'ready',
      'database',
      'database_problems',
      'log',
      'refused_changes',
      'started_at',
      'uptime_seconds',
      'token_reads',
      'requests_forbidden',
      'unreadable_values',
      'failed_requests',
      'succeeded_requests',
    ])
    t.strictSame(odd.unknown_members, ['weather'])
  },
)

t.test('refused changes and a blocked log of a replica are shown by both reports, with what to do', async (t) => {
  const world = await startWorld(t)
  let state: 'open' | 'blocked' = 'open'
  const { logOutput } = world.replica.services
  const replica = await world.startReplica({}, { logOutput: { ...logOutput, state: () => state } })
  await world.connect('42')
  const addresses: string[] = []
  for (const { operations } of [world.replica, replica]) {
    await operations.listen({ host: '127.0.0.1', port: 0 })
    addresses.push(`127.0.0.1:${(operations.server.address() as AddressInfo).port}`)
  }
  const [sound, broken] = addresses as [string, string]
  async function look(of: string[]) {
    const env = { ...world.env, OPERATIONS_REPLICAS: of.join(',') }
    const { json, text, failed } = await diagnoseFleet(env)
    const { conclusion, other_conclusions } = json as { conclusion: Conclusion; other_conclusions: Conclusion[] }
    const { checks } = (await diagnose(env)).json as { checks: Check[] }
    return { text, failed, conclusions: [conclusion, ...other_conclusions], plain: checks.find(isReplicas)! }
  }
  const isReplicas = ({ name }: Check) => name === 'replicas'
  const healthy = await look(addresses)
  t.match(healthy, { failed: false, conclusions: [{ result: 'ok' }], plain: { result: 'ok', message: /^2 answer/ } })
  t.notMatch(healthy.text, /LOG|not used|also reports/)

  replica.services.rotating.refusedChanges = [{ variable: 'SESSION_SECRETS', problem: 'is too short' }]
  const refused = await look(addresses)
  t.match(refused, {
    failed: false,
    conclusions: [{ result: 'warning', who_acts: 'ops', advice: /put the old one back.*#tokenbrokerchangerefused$/ }],
    plain: { result: 'warning', advice: /#tokenbrokerchangerefused$/ },
    text: /changed file not used: SESSION_SECRETS is too short/,
  })
  for (const { message } of [refused.conclusions[0]!, refused.plain])
    t.ok(message.includes(`SESSION_SECRETS is too short (${broken})`) && !message.includes(sound), message)

  state = 'blocked'
  replica.services.rotating.refusedChanges = []
  const one = await look(addresses)
  t.match(one, {
    failed: false,
    conclusions: [{ result: 'warning', who_acts: 'ops', advice: /#tokenbrokerlogblocked$/ }, { message: /not ready/ }],
    plain: { result: 'failed', advice: /#tokenbrokerlogblocked$/ },
    text: /LOG BLOCKED/,
  })
  t.ok(one.conclusions[0]!.message.includes(`${broken} (blocked)`))
  t.match(
    await look([broken]),
    { failed: true, conclusions: [{ result: 'failed', message: /cannot write audit lines/ }] },
    'no replica is left that hands out tokens',
  )
})
