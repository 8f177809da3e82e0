import { setImmediate as turn } from 'node:timers/promises'
import t from 'tap'
import { Failure } from '../../src/core/failure.ts'
import type { Permit } from '../../src/core/microsoft-port.ts'
import type { IntegrationStore } from '../../src/core/ports.ts'
import { failureOf, Queue, startRefreshAlone } from '../support/refresh-alone.ts'

// From a read to tokens or a refusal, and what is saved (docs/design.md#refresh). Freezes and forced refreshes are in
// the files beside this one.

const alone = await startRefreshAlone(t)
const { world, integrations, control, start, waiter, reset, lease, mark, row, generation, calls, elapsed, pass } = alone

/** Tokens cannot be written, as on a full disk. */
await world.sql`create function refuse() returns trigger language plpgsql as $$ begin raise exception using errcode = '53100'; end $$`
const refuseSaves = () =>
  world.sql`create trigger refuse before update of access_token on oauth2_integration for each row execute function refuse()`
const acceptSaves = () => world.sql`drop trigger refuse on oauth2_integration`
const secondsLeft = async () => {
  const [left] =
    await world.sql`select extract(epoch from access_token_expires_at - clock_timestamp())::float8 as s from oauth2_integration`
  return Number(left!['s'])
}
const about = (t: { ok(holds: boolean, name: string): unknown }, found: number, wanted: number, name: string) =>
  t.ok(Math.abs(found - wanted) < 60, `${name}: ${found}, wanted about ${wanted}`)

t.test('a usable token is handed out as it is; an unknown user is not connected', async (t) => {
  await reset(310)
  const { token, kinds, flights } = start()
  const { integration, degraded } = await token()
  t.equal(degraded, undefined)
  t.equal(integration.accessToken, (await world.stored('42'))!.accessToken)
  await t.rejects(token({ userId: 'nobody' }), { code: 'not_connected' })
  t.strictSame(kinds(), [])
  t.equal(flights(), 0)
})

t.test('one exchange with what the row was granted, its account and tenant; the new tokens are stored', async (t) => {
  await reset()
  const before = await generation()
  const { token, requests, kinds, events, permits, flights, deadlines } = start()
  const { integration } = await token({ requestId: '7a6e5c80-0000-4000-8000-000000000000' })
  const stored = await row()
  t.ok(integration.generation > before)
  t.equal(integration.generation, Number(stored['generation']))
  t.match(requests, [
    {
      requestId: '7a6e5c80-0000-4000-8000-000000000000',
      scopes: stored['scopes'],
      account: { tenantId: stored['tenant_id'], objectId: stored['object_id'] },
    },
  ])
  t.equal(requests.length, 1)
  t.strictSame(kinds(), ['sent'])
  const [sent] = events
  t.match(sent, { kind: 'sent', userId: '42', integrationId: stored['id'], outcome: 'tokens' })
  t.ok(sent?.kind === 'sent' && sent.seconds > 0 && sent.seconds < 60)
  t.notOk(sent !== undefined && 'reason' in sent)
  t.equal(stored['lease_owner'], null)
  t.equal(permits.size, 0)
  t.equal(flights(), 1)
  t.ok((await deadlines.next()).signal.aborted, "the timer of the caller's deadline has ended with the answer")
})

t.test('a row without an account is refreshed without one, and gets it from the answer', async (t) => {
  await reset()
  const { tenant_id: tenant } = await row()
  await world.sql`update oauth2_integration set tenant_id = null, object_id = null`
  const { token, requests } = start()
  await token()
  t.strictSame(Object.keys(requests[0]!).toSorted(), ['clientId', 'refreshToken', 'requestId', 'scopes'])
  t.equal((await row())['tenant_id'], tenant)
})

t.test('callers of one generation share one flight; a later refresh is a flight of its own', async (t) => {
  await reset()
  const { token, kinds, flights } = start()
  control.hold()
  const waiting = [token(), token(), token()]
  await control.held()
  while (kinds().length < 2) await turn()
  control.release()
  const answers = await Promise.all(waiting)
  t.equal(new Set(answers.map(({ integration }) => integration.accessToken)).size, 1)
  t.strictSame(kinds(), ['joined', 'joined', 'sent'])
  t.equal(flights(), 1)
  await token({ after: answers[0]!.integration.generation })
  t.equal(flights(), 2)
  t.equal(calls(), 2)
})

t.test('every claim has its own owner: a process that lost its lease cannot store a refusal in the row', async (t) => {
  await reset()
  const held = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const sent = new Queue<number>()
  const one = start({
    beforeExchange(exchange) {
      sent.push(exchange)
      return held[exchange]!.promise
    },
  })
  const first = one.renew()
  await sent.next()
  const { lease_owner: owner } = await row()
  await lease(-1, String(owner))
  const other = start({ beforeExchange: () => (sent.push(0), held[1]!.promise) })
  const second = other.renew()
  await sent.next()
  const next = (await row())['lease_owner']
  t.not(next, owner)
  control.misbehave('aadsts', 50173, { times: 1 })
  held[0]!.resolve()
  t.equal(await first, 'moved')
  t.match(one.events.at(-1), { kind: 'discarded', what: 'refusal', integrationId: (await row())['id'] })
  t.match(await row(), { status: 'active', failure: null, lease_owner: next })
  held[1]!.resolve()
  t.equal(await second, 'tokens')
  t.strictSame(other.kinds(), ['lease_taken_over', 'sent'])
  t.strictSame(one.kinds(), ['sent', 'discarded'])
})

t.test('a permit is given back if the claim is lost, and if the claim fails', async (t) => {
  await reset()
  await lease()
  const waiting = start()
  const reading = waiting.token()
  const { end } = await waiting.pauses.next()
  t.equal(waiting.permits.size, 0, 'while it waits')
  await lease(-1)
  end()
  // It has seen a lease, so it looks once more.
  ;(await waiting.pauses.next()).end()
  t.notOk((await reading).degraded)
  t.equal(waiting.permits.size, 0)

  await reset(120)
  for (const error of [new Failure('database_unavailable', { detail: '57P01' }), new TypeError('a mistake')]) {
    const failing = start({ store: { claim: () => Promise.reject(error) } })
    t.match(await failing.token(), { degraded: { reason: 'broker_trouble' } })
    t.equal(failing.permits.size, 0)
    const code = error instanceof Failure ? 'database_unavailable' : 'internal_error'
    t.match(await failureOf(failing.token({ after: await generation() })), {
      code,
      facts: { detail: error instanceof Failure ? '57P01' : 'refresh' },
    })
  }
})

t.test('while the breaker is open nothing is claimed or sent, and the caller gets its reason', async (t) => {
  await reset(120)
  const pause = { verdict: 'try_later', reason: 'throttled', retryAfterSeconds: 9 } as const
  const { token, renew, kinds } = start({ admit: () => pause })
  t.strictSame((await token()).degraded, { reason: 'throttled', retryAfterSeconds: 9 })
  t.equal(await renew(), 'blocked')
  t.strictSame(kinds(), [])
  t.equal((await row())['lease_owner'], null)
})

t.test('a row that backs off is left alone', async (t) => {
  await reset()
  await mark({ reason: 'blocked_by_policy' }, 600)
  const { token, flights } = start()
  t.match(await failureOf(token()), { code: 'reconnect_required', facts: { reason: 'blocked_by_policy' } })
  t.equal(flights(), 0)
})

t.test('a refresh that Microsoft only suggests is not begun while others wait for their turn', async (t) => {
  await reset(3_000)
  await world.sql`update oauth2_integration set refresh_due_at = now() - interval '1 second'`
  const busy = start({ isFree: () => false })
  await busy.token()
  await busy.refresh.drain()
  t.strictSame(busy.requests, [])
  const { token, refresh, requests } = start()
  await token()
  await refresh.drain()
  t.equal(requests.length, 1)
})

t.test('a shutdown does not wait for refreshes that wait for their turn', async (t) => {
  await reset()
  const { promise: place, resolve: give } = Promise.withResolvers<Permit>()
  const asked = Promise.withResolvers<void>()
  const { refresh, token, requests, permits } = start({ admit: () => (asked.resolve(), place) })
  const read = failureOf(token())
  await asked.promise
  const drained = refresh.drain()
  give({ release: () => {} })
  t.match(await read, { code: 'microsoft_unavailable', facts: { reason: 'refresh_in_progress' } })
  await drained
  t.strictSame(requests, [], 'nothing was sent')
  t.equal(permits.size, 0, 'its place is free')
})

t.test('drain waits until a refresh is answered and saved, and until a late save is done', async (t) => {
  await reset()
  const before = await generation()
  const { refresh, renew, pauses } = start()
  let drained = false
  control.hold()
  await refresh.drain()
  const renewed = renew()
  await control.held()
  const draining = refresh.drain().then(() => void (drained = true))
  await row()
  t.notOk(drained, 'Microsoft has not answered')
  await refuseSaves()
  control.release()
  t.equal(await renewed, 'tokens')
  const pause = await pauses.next()
  await row()
  t.notOk(drained, 'the tokens are not saved')
  await acceptSaves()
  pause.end()
  await draining
  t.ok((await generation()) > before)
})

t.test('unsaved tokens are handed out with the time that they have left, and saved with it', async (t) => {
  await reset()
  const before = await generation()
  await refuseSaves()
  const { token, pauses, events, kinds } = start()
  const first = (await token()).integration
  const saved = await row()
  t.match(events.slice(1), [
    { kind: 'save_failed', userId: '42', integrationId: saved['id'], code: 'database_unavailable' },
  ])
  t.equal(first.generation, before)
  t.equal(first.lifetimeSeconds > first.remainingSeconds, true)
  about(t, first.remainingSeconds, first.lifetimeSeconds, 'at first')
  t.match(first.expiresAt, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
  about(t, Date.parse(first.expiresAt) / 1000 - Date.now() / 1000, first.remainingSeconds, 'expiresAt')
  t.same(first.scopes.toSorted(), (saved['scopes'] as string[]).toSorted())
  const pause = await pauses.next()
  pass(600_000)
  const second = (await token()).integration
  t.equal(second.accessToken, first.accessToken)
  about(t, second.remainingSeconds, first.remainingSeconds - 600, 'ten minutes later')
  await acceptSaves()
  pause.end()
  while ((await generation()) === before) await turn()
  about(t, await secondsLeft(), first.remainingSeconds - 600, 'stored')
  t.equal((await world.stored('42'))!.accessToken, first.accessToken)
  t.strictSame(kinds(), ['sent', 'save_failed', 'joined'])
  t.equal(calls(), 1)
})

t.test('tokens that expired before they could be saved are not handed out', async (t) => {
  await reset()
  const before = await generation()
  await refuseSaves()
  const { token, pauses, pausedMs } = start()
  const { integration } = await token()
  pass(integration.lifetimeSeconds * 1000)
  t.match(await failureOf(token()), {
    code: 'database_unavailable',
    facts: { detail: 'refreshed tokens could not be saved' },
  })
  // The pauses between two tries grow to a second. Without a shutdown there is no end to them.
  for (let i = 0; i < 5; i++) (await pauses.next()).end()
  const { end } = await pauses.next()
  t.strictSame(pausedMs, [250, 500, 1_000, 1_000, 1_000, 1_000])
  await acceptSaves()
  end()
  while ((await generation()) === before) await turn()
})

t.test('a shutdown gives a save up twenty seconds after it began to drain, not earlier', async (t) => {
  await reset()
  await refuseSaves()
  const { refresh, token, pauses, kinds, events } = start()
  await token()
  const first = await pauses.next()
  pass(3_600_000)
  first.end()
  const second = await pauses.next()
  const draining = refresh.drain()
  pass(19_000)
  second.end()
  const third = await pauses.next()
  t.notOk(kinds().includes('save_given_up'))
  // A second call does not begin the twenty seconds again.
  const again = refresh.drain()
  pass(2_000)
  third.end()
  await Promise.all([draining, again])
  t.match(events.at(-1), {
    kind: 'save_given_up',
    userId: '42',
    integrationId: (await row())['id'],
    code: 'database_unavailable',
  })
  t.equal(calls(), 1)
})

const failure = (more: object) => ({
  verdict: 'reconnect',
  reason: 'blocked_by_policy',
  final: false,
  microsoft: {},
  ...more,
})

t.test('a waiter sees new tokens of another process, and looks less often the longer it waits', async (t) => {
  await reset()
  await lease()
  const { answer, pausedMs, kinds, pauses } = await waiter(async () => {})
  for (let i = 0; i < 3; i++) (await pauses.next()).end()
  const { end } = await pauses.next()
  await world.sql`update oauth2_integration set generation = nextval('integration_generation')`
  await world.setRemaining('42', 3_000)
  end()
  t.match(await answer, { integration: { generation: await generation() } })
  t.strictSame(pausedMs, [65, 97.5, 146.25, 200, 200, 200])
  t.strictSame(kinds(), ['waited'])
  t.equal(calls(), 0)
})

t.test('a waiter sees that the row backs off, is finally refused, or is deleted', async (t) => {
  await reset()
  await lease()
  const backsOff = await waiter(
    () =>
      world.sql`update oauth2_integration set failure = ${world.sql.json(failure({ verdict: 'try_later', reason: 'throttled' }))}, retry_at = now() + interval '1 hour'`,
  )
  t.match(await backsOff.answer, { code: 'microsoft_unavailable', facts: { reason: 'throttled' } })

  await reset()
  await lease()
  await mark({})
  const refused = await waiter(() => mark({ reason: 'access_revoked', final: true }))
  t.match(await refused.answer, { code: 'reconnect_required', facts: { reason: 'access_revoked' } })

  await reset()
  await lease()
  await world.sql`create table aside as select * from oauth2_integration`
  const deleted = await waiter(() => world.sql`delete from oauth2_integration`)
  t.match(await deleted.answer, { code: 'not_connected' })
  await world.sql`insert into oauth2_integration select * from aside`
  t.equal(calls(), 0)
})

t.test('a waiter sees a new status: at its deadline it gets the refusal', async (t) => {
  await reset()
  await lease()
  const { answer, pauses, deadlines } = await waiter(() => mark({ reason: 'mfa_required' }))
  // It has read the row again and waits again, because the lease goes on.
  await pauses.next()
  for (const { end } of deadlines.arrived()) end()
  t.match(await answer, { code: 'reconnect_required', facts: { reason: 'mfa_required' } })
})

t.test(
  'at its deadline a caller gets the stored token while that is valid, else an error; the refresh goes on',
  async (t) => {
    for (const remaining of [120, -1]) {
      await reset(remaining)
      const { token, deadlines, kinds } = start()
      control.hold()
      const reading = token().catch((error: unknown) => error)
      await control.held()
      const { ms, end, signal } = await deadlines.next()
      t.ok(ms > 1_000 && ms <= 8_000, `${ms} ms`)
      pass(60_000)
      end()
      const wanted = { reason: 'refresh_in_progress', retryAfterSeconds: 1 }
      const answer = await reading
      if (remaining > 0) {
        t.match(answer, { degraded: wanted, integration: { status: 'active' } })
        about(
          t,
          (answer as { integration: { remainingSeconds: number } }).integration.remainingSeconds,
          60,
          'after a minute',
        )
        t.ok((answer as { integration: { remainingSeconds: number } }).integration.remainingSeconds < 61)
      } else t.match(answer, { code: 'microsoft_unavailable', facts: wanted })
      t.ok(signal.aborted)
      const before = await generation()
      control.release()
      while ((await generation()) === before) await turn()
      t.strictSame(kinds(), ['sent'])
    }
  },
)

t.test('a row that changes after the deadline is not read again', async (t) => {
  await reset()
  await lease()
  const { answer } = await waiter(async () => {
    await world.sql`update oauth2_integration set generation = nextval('integration_generation')`
    await world.setRemaining('42', 3_000)
    pass(10_000)
  })
  t.match(await answer, { code: 'microsoft_unavailable', facts: { reason: 'refresh_in_progress' } })
})

t.test(
  'reading the row may take 100 ms even if the deadline is over; otherwise it ends with the deadline',
  async (t) => {
    await reset(310)
    const leftMs: number[] = []
    const { refresh, token, deadlines } = start({
      store: {
        read(userId, deadlineAt) {
          leftMs.push(deadlineAt! - elapsed())
          return integrations.read(userId)
        },
      },
    })
    await token({ deadlineAt: elapsed() - 5_000 })
    await token({ deadlineAt: elapsed() + 5_000 })
    t.ok(leftMs[0]! > 50 && leftMs[0]! <= 100, `${leftMs[0]} ms`)
    t.ok(leftMs[1]! > 4_000 && leftMs[1]! <= 5_000, `${leftMs[1]} ms`)
    await reset(120)
    const late = token({ deadlineAt: elapsed() - 5_000 })
    const { ms, end } = await deadlines.next()
    t.equal(ms, 0)
    end()
    await late
    await refresh.drain()
  },
)

t.test(
  'a refresh that a caller waits for is recorded as use once; a keep-alive is not; a failing record fails no read',
  async (t) => {
    const recorded: string[] = []
    let broken = false
    const store: Partial<IntegrationStore> = {
      async recordUse(integration) {
        recorded.push(integration.userId)
        if (broken) throw new Failure('database_unavailable')
        return integrations.recordUse(integration)
      },
    }
    const oldUse = () => world.sql`update oauth2_integration set last_used_at = now() - interval '300 days'`
    const isRecent = async () => Date.now() - ((await row())['last_used_at'] as Date).getTime() < 3_600_000

    await reset()
    await oldUse()
    const keeper = start({ store })
    control.hold()
    const renewals = [keeper.renew()]
    await control.held()
    renewals.push(keeper.renew())
    while (!keeper.kinds().includes('joined')) await turn()
    t.strictSame(recorded, [])
    const readings = [keeper.token(), keeper.token()]
    while (keeper.kinds().length < 3) await turn()
    control.release()
    await Promise.all(readings)
    t.strictSame(await Promise.all(renewals), ['tokens', 'tokens'])
    t.strictSame(recorded, ['42'])
    t.ok(await isRecent())

    await reset()
    await oldUse()
    const alone = start({ store })
    await alone.renew()
    t.notOk(await isRecent(), 'nobody used it')
    await reset()
    await oldUse()
    await alone.token()
    t.ok(await isRecent())
    t.strictSame(recorded, ['42'], 'the claim itself has recorded it')

    broken = true
    await reset()
    await lease()
    const waiting = start({ store })
    const renewal = waiting.renew()
    const pause = await waiting.pauses.next()
    t.strictSame(recorded, ['42'], 'a keep-alive that waits is no use')
    await lease(-1)
    pause.end()
    ;(await waiting.pauses.next()).end()
    t.equal(await renewal, 'tokens')
    await reset()
    await lease()
    const reading = waiting.token()
    const second = await waiting.pauses.next()
    t.strictSame(recorded, ['42', '42'])
    await lease(-1)
    second.end()
    ;(await waiting.pauses.next()).end()
    t.notOk((await reading).degraded)
  },
)

t.test('a row that stays locked is tried forty times; then it is trouble of the database', async (t) => {
  await reset(120)
  const { promise: released, resolve: release } = Promise.withResolvers<void>()
  const { promise: locked, resolve: holds } = Promise.withResolvers<void>()
  const locker = world.sql.begin(async (tx) => {
    await tx`select 1 from oauth2_integration for update`
    holds()
    await released
  })
  await locked
  const { token, kinds, permits } = start({ flowing: true })
  t.match(await token(), { degraded: { reason: 'broker_trouble' } })
  t.strictSame(kinds(), Array(40).fill('waited'))
  t.equal(permits.size, 0)
  const { token: forced } = start({ flowing: true })
  t.match(await failureOf(forced({ after: await generation() })), {
    code: 'database_unavailable',
    facts: { detail: 'row locked' },
  })
  release()
  await locker
})

t.test('a refusal is stored with its reason, and the event carries what Microsoft says about it', async (t) => {
  await reset()
  control.misbehave('aadsts', 53003)
  const { token, events, permits } = start()
  const answer = await failureOf(token())
  const stored = await row()
  t.match(answer, { code: 'reconnect_required', facts: { reason: 'blocked_by_policy', microsoft: { aadsts: 53003 } } })
  t.match(stored, { status: 'reconnect_required', failure: { reason: 'blocked_by_policy' }, lease_owner: null })
  t.equal(permits.size, 0)
  const { correlationId } = (stored['failure'] as { microsoft: { correlationId: string } }).microsoft
  t.ok(correlationId)
  t.match(events, [{ kind: 'sent', outcome: 'reconnect', reason: 'blocked_by_policy', aadsts: 53003, correlationId }])

  await reset()
  control.misbehave('status', 503)
  const outage = start()
  t.equal(await outage.renew(), 'blocked')
  t.match(outage.events, [{ kind: 'sent', outcome: 'try_later', reason: 'microsoft_error' }])
  t.notOk(outage.events.some((event) => 'aadsts' in event))
  t.match(await row(), { status: 'active', failure: { reason: 'microsoft_error' }, failures: 1 })
})

t.test('a refused credential is stored in no row; the row is left alone for a few seconds', async (t) => {
  await reset()
  const verdict = { kind: 'misconfigured', reason: 'client_credential', everybody: true, microsoft: {} } as const
  const answer = start({ answer: async () => verdict }).token()
  t.match(await failureOf(answer), {
    code: 'broker_misconfigured',
    facts: { reason: 'client_credential', retryAfterSeconds: 30 },
  })
  t.match(await row(), { status: 'active', failure: null, failures: 0, lease_owner: null })
  const [{ s } = { s: 0 }] =
    await world.sql`select extract(epoch from retry_at - clock_timestamp())::float8 as s from oauth2_integration`
  t.ok(Number(s) <= 5 && Number(s) > -60)
})

t.test('tokens for a row that another process refreshed are discarded; the caller gets the stored ones', async (t) => {
  await reset()
  const { token, events } = start({
    async beforeExchange() {
      await world.sql`update oauth2_integration set generation = nextval('integration_generation')`
      await world.setRemaining('42', 3_000)
    },
  })
  const before = (await world.stored('42'))!.accessToken
  t.equal((await token()).integration.accessToken, before)
  t.match(events.at(-1), { kind: 'discarded', what: 'tokens', integrationId: (await row())['id'] })
})

t.test(
  'an integration that works again is recovered; if it was active when it was claimed, the mark was a mistake',
  async (t) => {
    await reset()
    await mark({})
    const cured = start()
    await cured.token()
    const { id } = await row()
    t.match(cured.events.at(-1), { kind: 'recovered', integrationId: id, userId: '42' })
    await reset()
    const mistaken = start({ beforeExchange: async () => void (await mark({ final: true })) })
    await mistaken.token()
    t.match(mistaken.events.at(-1), { kind: 'false_reconnect', integrationId: id, userId: '42' })
    t.match(await row(), { status: 'active', failure: null })
    await reset()
    const plain = start()
    await plain.token()
    t.strictSame(plain.kinds(), ['sent'])
  },
)

t.test('two integrations that are refreshed at once get their own tokens', async (t) => {
  await world.connect('43')
  await reset()
  await world.setRemaining('43', -1)
  const { token, flights, kinds } = start()
  control.hold()
  const waiting = [token(), token({ userId: '43' })]
  while (flights() + kinds().length < 2) await turn()
  control.release()
  const answers = await Promise.all(waiting)
  for (const [i, userId] of ['42', '43'].entries()) {
    t.equal(answers[i]!.integration.userId, userId)
    t.equal(answers[i]!.integration.accessToken, (await world.stored(userId))!.accessToken)
  }
  t.not(answers[0]!.integration.accessToken, answers[1]!.integration.accessToken)
  t.equal(calls(), 2)
  await world.sql`delete from oauth2_integration where user_id = '43'`
})

t.test('the times of unsaved tokens are exact, and a shutdown waits for them the whole twenty seconds', async (t) => {
  await reset()
  let nowMs = 5_000_000
  const read = (await integrations.read('42'))!
  const tokens = { accessToken: 'new', expiresInSeconds: 3_600, elapsedMs: 400, scopes: read.scopes }
  const savedMs: number[] = []
  const { refresh, token, pauses, events, kinds } = start({
    elapsed: () => nowMs,
    async answer() {
      nowMs += 400
      return { kind: 'tokens', tokens }
    },
    store: {
      read: async () => ({ ...read, remainingSeconds: -40, expiresAt: '2026-11-28T12:00:00Z' }),
      async saveTokens(integration, late) {
        if (savedMs.push(late.elapsedMs) < 3) throw new Failure('database_unavailable')
        return integrations.saveTokens(integration, late)
      },
    },
  })
  const { integration } = await token({ deadlineAt: nowMs + 8_000 })
  t.equal(integration.remainingSeconds, 3_599.6)
  t.equal(integration.lifetimeSeconds, 3_600)
  t.equal(integration.expiresAt, '2026-11-28T13:00:39Z')
  const [sent] = events
  t.equal(sent?.kind === 'sent' && sent.seconds, 0.4)

  const first = await pauses.next()
  const draining = refresh.drain()
  nowMs += 20_000
  first.end()
  const second = await Promise.race([pauses.next(), draining.then(() => undefined)])
  nowMs += 10_000
  second?.end()
  await draining
  t.strictSame(savedMs, [400, 20_400, 30_400], 'each try stores the expiry that is right at that time')
  t.strictSame(kinds(), ['sent', 'save_failed'])
  t.equal((await world.stored('42'))!.accessToken, 'new')
})

t.test('a row that changes exactly at the deadline is not read again', async (t) => {
  await reset()
  let nowMs = 5_000_000
  const rows = [await integrations.read('42')]
  const { token } = start({
    elapsed: () => nowMs,
    async answer() {
      nowMs += 8_000
      return { kind: 'tokens', tokens: { accessToken: 'new', expiresInSeconds: 3_600, elapsedMs: 8_000, scopes: [] } }
    },
    store: { read: async () => rows.shift(), saveTokens: async () => undefined },
  })
  t.match(await failureOf(token({ deadlineAt: nowMs + 8_000 })), {
    code: 'microsoft_unavailable',
    facts: { reason: 'refresh_in_progress' },
  })
})

t.test('a row is claimed again as soon as its lease has no time left', async (t) => {
  await reset()
  await lease()
  const { status } = (await integrations.read('42'))!
  const now = { generation: await generation(), status, final: false, retryInSeconds: 0, leaseInSeconds: 0 }
  const { renew, pauses } = start({ store: { progress: async () => now } })
  const renewal = renew()
  const { end } = await Promise.race([pauses.next(), renewal.then((kind) => Promise.reject(new Error(kind)))])
  await lease(-1)
  end()
  t.equal(await Promise.race([renewal, pauses.next().then(() => 'waits again')]), 'tokens')
})

t.test('a wrong configuration that concerns one integration is stored in its row', async (t) => {
  await reset()
  const verdict = { kind: 'misconfigured', reason: 'client_credential', everybody: false, microsoft: {} } as const
  const { renew, events } = start({ answer: async () => verdict, elapsed: () => 5_000_000 })
  t.equal(await renew(), 'blocked')
  const stored = await row()
  t.match(stored, {
    status: 'active',
    failure: { verdict: 'misconfigured', reason: 'client_credential' },
    failures: 1,
    lease_owner: null,
  })
  const sent = {
    kind: 'sent',
    integrationId: stored['id'],
    userId: '42',
    requestId: 'test',
    generation: Number(stored['generation']),
  }
  const event = { ...sent, outcome: 'misconfigured', seconds: 0 }
  t.strictSame(events, [{ ...event, reason: 'client_credential' }], 'no member for what Microsoft did not say')
})

t.test('a refresh needs neither traces nor somebody who hears of its saves', async (t) => {
  await reset()
  const before = await generation()
  const { token } = start({ withoutTelemetry: true })
  t.notOk((await token()).degraded)
  t.ok((await generation()) > before)
})
