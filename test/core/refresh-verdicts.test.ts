import t from 'tap'
import { aadstsCases } from '../../sandbox/entra/errors.ts'
import type { Token, Problem } from '../../sandbox/megdocs/broker-client.ts'
import { REASONS } from '../../src/core/failure.ts'
import { AADSTS, findRow } from '../../src/microsoft/aadsts.ts'
import { systemClock } from '../../src/services.ts'
import { JANE, startWorld, type World } from '../support/world.ts'

// What each answer of Microsoft does to the row and to the caller, end to end (docs/design.md#verdicts,
// docs/microsoft.md#errors).

const calls = ({ entra }: World) => entra.control.tokenRequests().byGrant['refresh_token'] ?? 0
const read = async ({ caller }: World, user = '42') =>
  (await caller.send('GET', `/tokens/${user}`)) as { status: number; body: Token & Problem }
const events = async ({ sql }: World) => (await sql`select type from event order by id`).map(({ type }) => String(type))

/** A world whose breaker and back-off do not wait: `pass` moves the process' monotonic clock and what the row says. */
async function start(t: Parameters<typeof startWorld>[0]) {
  let shift = 0
  const world = await startWorld(t, {
    overrides: { clock: { ...systemClock, elapsed: () => systemClock.elapsed() + shift } },
  })
  await world.connect('42')
  return {
    ...world,
    async pass(seconds: number) {
      shift += seconds * 1000
      await world.sql`update oauth2_integration set retry_at = retry_at - make_interval(secs => ${seconds})`
    },
    async state() {
      // Both times were written by one statement, the failure's in whole seconds: what lies between them does not
      // depend on when it is read.
      const [row] = await world.sql`select status, failure, failures, generation, lease_owner,
        extract(epoch from retry_at - (failure->>'at')::timestamptz)::float8 as delay from oauth2_integration where user_id = '42'`
      return row as {
        status: string
        failure: { reason: string; final: boolean; at: string; microsoft: { aadsts?: number } } | null
        failures: number
        generation: string
        lease_owner: string | null
        delay: number | null
      }
    },
    /** Lengthens the back-off, so that it lasts on a slow machine. */
    async prolong() {
      await world.sql`update oauth2_integration set retry_at = retry_at + interval '1 hour'`
    },
    async reset() {
      shift += 3_600_000
      world.entra.control.behave()
      await world.sql`update oauth2_integration set status = 'active', failure = null, failures = 0, retry_at = null`
      await world.setRemaining('42', -1)
    },
  }
}

t.test('every AADSTS case ends in the state that the table says, with its reason and who acts', async (t) => {
  const world = await start(t)
  // Rows that the simulator cannot send are judged in test/microsoft/verdict.test.ts.
  for (const row of AADSTS.filter(({ code }) => aadstsCases[code] !== undefined)) {
    await world.reset()
    const { error, suberror } = { ...aadstsCases[row.code]!, ...(row.error && { error: row.error }) }
    world.entra.control.misbehave('aadsts', row.error === undefined ? row.code : { code: row.code, error: row.error })
    // The simulator sends 70002 as what it is, a wrapper of other codes.
    const meant = findRow(aadstsCases[row.code]?.codes ?? [row.code], error)!
    const final =
      meant.kind === 'reconnect' && (meant.final === true || ['bad_token', 'token_expired'].includes(suberror ?? ''))
    const name = `AADSTS${row.code} ${error} ${suberror ?? ''}`
    const before = calls(world)
    const answer = await read(world)
    const state = await world.state()
    t.equal(calls(world) - before, 1, name)
    t.match(
      answer.body,
      { reason: meant.reason, who_acts: REASONS[meant.reason].whoActs, advice: REASONS[meant.reason].advice },
      name,
    )
    t.equal(state.lease_owner, null, name)
    if (meant.everybody) {
      t.match(
        { answer, state },
        {
          answer: { status: 503, body: { code: 'broker_misconfigured' } },
          state: { status: 'active', failure: null, failures: 0 },
        },
        name,
      )
      t.match(world.replica.services.microsoft.breaker(), { mode: 'open', reason: 'client_credential' }, name)
      continue
    }
    t.match(state.failure, { reason: meant.reason, final, microsoft: { aadsts: meant.code } }, name)
    const { delay } = state
    if (meant.kind === 'reconnect') {
      t.match(
        { answer, state },
        { answer: { status: 409, body: { code: 'reconnect_required' } }, state: { status: 'reconnect_required' } },
        name,
      )
      if (final) t.equal(delay, null, name)
      else t.ok(delay !== null && delay >= 900 && delay < 901, `${name}: ${delay}`)
    } else {
      const code = meant.kind === 'try_later' ? 'microsoft_unavailable' : 'broker_misconfigured'
      t.match({ answer, state }, { answer: { status: 503, body: { code } }, state: { status: 'active' } }, name)
      const [least, most] =
        meant.reason === 'loop_detected' ? [600, 601] : meant.kind === 'try_later' ? [1.5, 3.5] : [45, 76]
      t.ok(delay !== null && delay >= least! && delay < most!, `${name}: ${delay}`)
      t.ok(answer.body.retry_after! >= 1, name)
      t.equal(state.failures, 1, name)
    }
    await world.prolong()
    await read(world)
    t.equal(calls(world) - before, 1, `${name}: nothing more is sent`)
  }
})

t.test(
  '503 from Microsoft with ten minutes, two minutes and no time left: 200, 200 degraded, 503; after it heals, 200 for all',
  async (t) => {
    const world = await start(t)
    for (const [user, left] of [
      ['a', 600],
      ['b', 120],
      ['c', -1],
    ] as const) {
      await world.connect(user)
      await world.setRemaining(user, left)
    }
    world.entra.control.misbehave('status', 503)
    const stored = async (user: string) => (await world.stored(user))?.accessToken
    const answers = { a: await read(world, 'a'), b: await read(world, 'b'), c: await read(world, 'c') }
    t.match(answers.a, { status: 200, body: { access_token: await stored('a'), degraded: undefined } })
    t.match(answers.b, {
      status: 200,
      body: { access_token: await stored('b'), degraded: { reason: 'microsoft_error' } },
    })
    t.match(answers.c, { status: 503, body: { code: 'microsoft_unavailable', who_acts: 'nobody' } })
    t.ok(answers.b.body.degraded!.retry_after! >= 1 && answers.c.body.retry_after! >= 1)
    const sent = calls(world)
    await world.prolong()
    for (const user of ['a', 'b', 'c', 'b', 'c']) await read(world, user)
    t.equal(calls(world), sent, 'a refresh that has just failed is not tried on every read')
    world.entra.control.behave()
    await world.pass(3_660)
    for (const user of ['a', 'b', 'c']) {
      const { status, body } = await read(world, user)
      t.equal(status, 200)
      t.notOk(body.degraded)
    }
    t.equal(calls(world), sent + 2)
  },
)

t.test(
  'the back-off grows to half a minute while Microsoft fails, and Retry-After is honoured up to an hour',
  async (t) => {
    const world = await start(t)
    await world.reset()
    world.entra.control.misbehave('status', 503)
    let last = 0
    for (let i = 0; i < 7; i++) {
      await read(world)
      last = (await world.state()).delay!
      t.ok(last < 38.5)
      await world.pass(60)
    }
    t.ok(last >= 22.5)
    world.entra.control.behave()
    world.entra.control.misbehave('throttle', 7200)
    t.match(await read(world), { status: 503, body: { reason: 'throttled', retry_after: 3600 } })
  },
)

t.test(
  'a refusal that is cured elsewhere is tried again after 15 minutes and recovers, with an event; before, nothing is sent',
  async (t) => {
    const world = await start(t)
    await world.reset()
    world.entra.control.misbehave('aadsts', 53003)
    t.match(await read(world), { status: 409, body: { reason: 'blocked_by_policy', who_acts: 'tenant_admin' } })
    world.entra.control.behave()
    await world.pass(600)
    t.match(await read(world), { status: 409 })
    t.equal(calls(world), 1)
    await world.pass(310)
    t.match(await read(world), { status: 200 })
    t.equal(calls(world), 2)
    t.match(await world.state(), { status: 'active', failure: null, failures: 0, delay: null })
    t.strictSame(await events(world), ['connected', 'reconnect_required', 'recovered'])
    t.match(world.replica.logged(), /"refresh":"recovered"/)
    t.notMatch(world.replica.logged(), /false_reconnect/)
  },
)

t.test(
  'a refused but valid token is answered as degraded; an outage changes neither the refusal nor its pace',
  async (t) => {
    const world = await start(t)
    await world.reset()
    world.entra.control.misbehave('aadsts', 53003)
    await world.setRemaining('42', 200)
    t.match(await read(world), { status: 200, body: { degraded: { reason: 'blocked_by_policy' } } })
    const { failure } = await world.state()
    await world.setRemaining('42', -1)
    await world.pass(901)
    world.entra.control.behave()
    world.entra.control.misbehave('status', 503)
    t.match(await read(world), { status: 409, body: { code: 'reconnect_required', reason: 'blocked_by_policy' } })
    const state = await world.state()
    t.strictSame(state.failure, failure)
    t.ok(state.delay! >= 900, 'counted from now, not from the refusal')
    t.strictSame(await events(world), ['connected', 'reconnect_required'])
  },
)

t.test('a final refusal is never tried again; a reconnect ends it', async (t) => {
  const world = await start(t)
  await world.reset()
  world.entra.control.revokeSessions({ account: JANE })
  t.match(await read(world), {
    status: 409,
    body: { reason: 'access_revoked', who_acts: 'user', microsoft: { aadsts: 50173 } },
  })
  await world.pass(86_400)
  for (let i = 0; i < 3; i++) t.match(await read(world), { status: 409 })
  const { generation } = await world.state()
  t.match(await world.caller.send('POST', '/tokens/42/refresh', { generation: Number(generation) }), { status: 409 })
  t.equal(calls(world), 1)
  await world.connect('42')
  t.match(await read(world), { status: 200 })
  t.match(await world.state(), { status: 'active', failure: null })
})

t.test(
  'a refused client secret marks no row: degraded or 503, one call, then the breaker; with the right one all work again',
  async (t) => {
    const world = await start(t)
    await world.connect('43')
    await world.setRemaining('42', -1)
    await world.setRemaining('43', 120)
    world.entra.control.configureApp({ clientSecrets: ['another'] })
    t.match(await read(world), {
      status: 503,
      body: { code: 'broker_misconfigured', reason: 'client_credential', who_acts: 'ops' },
    })
    const sent = calls(world)
    t.match(await read(world), { status: 503, body: { code: 'broker_misconfigured' } })
    t.match(await read(world, '43'), { status: 200, body: { degraded: { reason: 'client_credential' } } })
    t.equal(calls(world), sent)
    t.equal(
      (
        await world.sql`select 1 from oauth2_integration where status <> 'active' or failure is not null or failures > 0`
      ).length,
      0,
    )
    world.entra.control.configureApp({ clientSecrets: [world.entra.clientSecret] })
    await world.pass(120)
    for (const user of ['42', '43']) {
      const { status, body } = await read(world, user)
      t.equal(status, 200)
      t.notOk(body.degraded)
    }
    t.strictSame(await events(world), ['connected', 'connected'])
  },
)
