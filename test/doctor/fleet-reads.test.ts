import { randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { examineFleet } from '../../src/doctor.ts'
import type { Conclusion } from '../../src/doctor/check.ts'
import { ofReads, ofSignatures } from '../../src/doctor/fleet-reads.ts'
import type { FleetFacts } from '../../src/doctor/fleet.ts'
import type { ReplicaFacts } from '../../src/doctor/replicas.ts'
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
    const { text, json, failed } = await examineFleet({
      ...world.env,
      OPERATIONS_REPLICAS: `127.0.0.1:${port}`,
      ...changes,
    })
    return { text, failed, ...(json as { fleet: FleetFacts; verdict: Conclusion; also: Conclusion[] }) }
  }
  return { world, look }
}
const read = (world: World, key = {}) => call(world, { method: 'GET', path: '/tokens/42', ...key })

t.test("reads beyond a caller's limit: failed while nothing is handed out since, a warning once it is", async (t) => {
  const { world, look } = await setUp(t, { CALLER_REQUESTS_PER_MINUTE: '5' })
  await world.connect('42')
  let status = 200
  while (status === 200) ({ status } = await read(world))
  t.equal(status, 429)
  t.match(await look(), {
    failed: true,
    verdict: {
      result: 'failed',
      who_acts: 'ops',
      saw: /answered 429, .*none has been handed out since/,
      todo: /#tokenbrokerratelimited$/,
    },
  })
})

t.test('a caller without the permission, and no token handed out: named, with the runbook', async (t) => {
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
  const { failed, verdict, text, fleet } = await look()
  t.equal(failed, true)
  t.match(verdict, {
    who_acts: 'ops',
    saw: /answered 403, .*none has been handed out since: megdocs lacks the permission tokens:read/,
    todo: /#tokenbrokercallerforbidden$/,
  })
  t.strictSame(fleet.replicas[0]!.forbidden, [{ caller: 'megdocs', permission: 'tokens:read', count: 2 }])
  t.match(text, /refused 2 × megdocs lacks tokens:read/)
  writeFileSync(file, JSON.stringify({ callers: [megdocs] }))
  world.replica.services.callers.reload()
  t.equal((await read(world)).status, 200)
  t.match(await look(), {
    failed: false,
    verdict: { result: 'warning', saw: /answered 403, .*while others were handed out/ },
  })
})

t.test(
  'a row whose values do not open, although their key is held, is failed however many others are served',
  async (t) => {
    const { world, look } = await setUp(t)
    // Doctor itself opens the oldest and the newest: this one lies between.
    for (const user of ['41', '42', '43']) await world.connect(user)
    await world.sql`update oauth2_integration set access_token = set_byte(access_token, length(access_token) - 1, get_byte(access_token, length(access_token) - 1) # 1) where user_id = '42'`
    t.equal((await read(world)).status, 500)
    await world.caller.token('41')
    const { failed, verdict, also, fleet, text } = await look()
    t.equal(failed, true)
    t.match(verdict, {
      who_acts: 'ops',
      saw: /did not open when they were read \(authentication\), 1 times/,
      todo: /#tokenbrokerunreadable$/,
    })
    t.match(also, [{ result: 'warning', saw: /answered 500/, todo: /#tokenbrokerunreadable$/ }])
    t.strictSame(fleet.replicas[0]!.unreadable, [{ detail: 'authentication', count: 1 }])
    t.match(text, /did not open 1 × authentication/)
  },
)

t.test('a caller whose key is not known, and no token handed out, comes before single rows that fail', async (t) => {
  const { world, look } = await setUp(t)
  await world.connect('42')
  await world.sql`update oauth2_integration set status = 'reconnect_required', failure = jsonb_build_object('verdict', 'misconfigured', 'reason', 'app_registration', 'final', false, 'microsoft', '{}'::jsonb,
    'at', to_char(now() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))`
  const key = signingKey('nobody', 'hmac-sha256', randomBytes(32).toString('base64url'))
  for (let n = 0; n < 5; n++) t.equal((await read(world, { key })).status, 401)
  t.match(await look(), {
    failed: true,
    verdict: { who_acts: 'ops', saw: /unknown_key.*No token was handed out/, todo: /signaturesrefused/ },
    also: [{ result: 'failed', saw: /app_registration/ }],
  })
})

const NOW = Date.parse('2026-11-22T12:00:00Z')
const before = (seconds: number): string => new Date(NOW - seconds * 1000).toISOString()
const facts = (more: Partial<ReplicaFacts>, ...others: Partial<ReplicaFacts>[]) => ({
  replicas: [more, ...others].map(
    (one) => ({ refused: [], tokens: [], forbidden: [], unreadable: [], ...one }) as unknown as ReplicaFacts,
  ),
})
const served = (seconds: number) => ({ tokens: [{ status: '200', count: 100_000, last_at: before(seconds) }] })

t.test(
  'refused signatures: failed where a caller is refused over and over, and no token was handed out for a minute',
  async (t) => {
    const refused = (detail: string, key_id: string, count: number, seconds = 1) => ({
      refused: [{ detail, key_id, count, last_at: before(seconds) }],
    })
    const result = (...of: Parameters<typeof facts>) => ofSignatures(facts(...of), NOW)[0]?.result
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

t.test(
  'failed reads: what is long ago is no news, and a token handed out later by another replica is heard of',
  async (t) => {
    const answered = (status: string, seconds: number) => ({ tokens: [{ status, count: 3, last_at: before(seconds) }] })
    const results = (...of: Parameters<typeof facts>) =>
      ofReads(facts(...of), NOW).map(({ result, todo }) => `${result} ${todo}`)
    for (const [status, chapter] of [
      ['403', 'tokenbrokercallerforbidden'],
      ['429', 'tokenbrokerratelimited'],
      ['500', 'tokenbrokererrors'],
    ] as const) {
      t.strictSame(results(answered(status, 10), served(20)), [`failed docs/runbooks.md#${chapter}`])
      t.strictSame(results(answered(status, 10), served(9)), [`warning docs/runbooks.md#${chapter}`])
      t.strictSame(results(answered(status, 901)), [])
    }
    t.strictSame(results(answered('404', 1), answered('401', 1)), [], 'told elsewhere')
  },
)
