import { setImmediate as turn } from 'node:timers/promises'
import t from 'tap'
import { MAX_FORCED_REFRESHES, readChallenge, type Challenge } from '../../src/core/claims.ts'
import type { Microsoft, Permit, Verdict } from '../../src/core/microsoft-port.ts'
import { failureOf, startRefreshAlone } from '../support/refresh-alone.ts'

// Refreshes that no read needs: those that callers force, with and without a claims challenge
// (docs/design.md#continuous-access-evaluation), those that Microsoft suggests, and those of the broker itself.

const alone = await startRefreshAlone(t)
const { world, integrations, control, start, reset, lease, row, generation, calls } = alone
const { sql } = world

/** What Graph asks for, and no token has that was got without it. */
function challengeFor(value: string, more: object = {}): Challenge {
  const read = readChallenge(
    JSON.stringify({ access_token: { acrs: { essential: true, value }, ...more } }),
    Date.now(),
  )
  if ('challenge' in read) return read.challenge
  throw new Error(read.expected)
}
const CHALLENGE = challengeFor('c1')
const answering =
  (verdict: Verdict): Microsoft['refresh'] =>
  async () =>
    verdict
const forcedTimes = async () => ((await row())['forced_at'] as Date[] | null)?.length ?? 0
/** As many refreshes were forced a minute ago as may be. */
const reachLimit = () =>
  sql`update oauth2_integration set forced_at = array_fill(now() - interval '1 minute', array[${MAX_FORCED_REFRESHES}::int])`
const backOff = () => {
  const stored = { verdict: 'try_later', reason: 'throttled', final: false, microsoft: {} }
  return sql`update oauth2_integration set failure = ${sql.json(stored)}, retry_at = now() + interval '1 hour'`
}
const suggest = () => sql`update oauth2_integration set refresh_due_at = now() - interval '1 second'`
const setUsed = () => sql`update oauth2_integration set last_used_at = now() - interval '300 days'`
const isUsedLately = async () => Date.now() - ((await row())['last_used_at'] as Date).getTime() < 3_600_000

t.test(
  'a challenge goes to Microsoft although the token is valid, and its token satisfies it from then on',
  async (t) => {
    await reset(3_000)
    const { token, requests, kinds, events, saves } = start()
    const { integration } = await token({ challenge: CHALLENGE })
    const stored = await row()
    t.strictSame(
      requests.map(({ claims }) => claims),
      [CHALLENGE.claims],
    )
    t.strictSame(kinds(), ['sent', 'forced'])
    t.strictSame(events.at(-1), { kind: 'forced', integrationId: stored['id'], userId: '42', result: 'tokens' })
    t.equal(stored['claims_hash'], CHALLENGE.hash)
    t.equal(await forcedTimes(), 1)
    t.strictSame(saves, [
      { integrationId: stored['id'], userId: '42', requestId: 'test', generation: Number(stored['generation']) },
    ])
    t.equal((await token({ challenge: CHALLENGE })).integration.accessToken, integration.accessToken)
    t.equal(calls(), 1)
    await token({ challenge: challengeFor('c2') })
    t.equal(calls(), 2, 'another challenge')
  },
)

t.test('a refresh of a read carries no claims, and is not counted as forced', async (t) => {
  await reset()
  const { token, requests, kinds } = start({ limitForced: true })
  await token()
  await token({ after: await generation(), minTtlSeconds: 5_000 })
  t.notOk(requests.some((request) => 'claims' in request))
  t.equal((await row())['claims_hash'], null)
  await world.setRemaining('42', 120)
  await token({ after: await generation() })
  t.equal(await forcedTimes(), 1, 'only the one for which the token was still good enough')
  t.strictSame(kinds(), ['sent', 'sent', 'forced', 'sent'])
})

t.test('a forced refresh without a challenge counts only where challenges are possible', async (t) => {
  for (const [options, forced] of [
    [{}, 0],
    [{ limitForced: true }, 1],
  ] as const) {
    await reset(3_000)
    const { token, kinds } = start(options)
    await token({ after: await generation() })
    t.equal(await forcedTimes(), forced)
    t.strictSame(kinds(), forced === 1 ? ['sent', 'forced'] : ['sent'])
  }
})

t.test('callers with one challenge share a flight; another challenge and a plain read have their own', async (t) => {
  await reset(120)
  const { token, flights, kinds, pauses, requests } = start()
  control.hold()
  const readings = [token()]
  await control.held()
  readings.push(token({ challenge: CHALLENGE }), token({ challenge: CHALLENGE }))
  while (!kinds().includes('joined')) await turn()
  readings.push(token({ challenge: challengeFor('c2') }))
  while (flights() < 3) await turn()
  t.equal(flights(), 3)
  t.equal(kinds().filter((kind) => kind === 'joined').length, 1)
  control.release()
  void (async () => {
    for (;;) (await pauses.next()).end()
  })()
  for (const { degraded } of await Promise.all(readings)) t.notOk(degraded)
  t.strictSame(
    new Set(requests.map(({ claims }) => claims)),
    new Set([undefined, CHALLENGE.claims, challengeFor('c2').claims]),
  )
  t.equal(requests.length, 3)
})

t.test('a forced refresh without a challenge joins the refresh of a read', async (t) => {
  await reset(120)
  const { token, flights, kinds } = start({ limitForced: true })
  control.hold()
  const read = token()
  await control.held()
  const forced = token({ after: await generation(), minTtlSeconds: 60 })
  while (!kinds().includes('joined') && flights() < 2) await turn()
  control.release()
  t.equal((await forced).integration.accessToken, (await read).integration.accessToken)
  t.equal(flights(), 1)
  t.equal(await forcedTimes(), 0)
})

t.test('when too many were forced nothing is sent, and the caller hears when the next is allowed', async (t) => {
  await reset(3_000)
  await reachLimit()
  const { token, requests, permits, events } = start({ limitForced: true })
  const limited = await failureOf(
    token({ challenge: challengeFor('c1', { xms_rp_ipaddr: { value: '198.51.100.7' } }) }),
  )
  t.match(limited, {
    code: 'claims_not_satisfied',
    facts: { reason: 'challenge_repeated', addresses: { graph: '198.51.100.7' } },
  })
  const { retryAfterSeconds } = (limited as { facts: { retryAfterSeconds: number } }).facts
  t.ok(retryAfterSeconds > 500 && retryAfterSeconds <= 540, `${retryAfterSeconds} s`)
  t.match(await failureOf(token({ after: await generation() })), { code: 'claims_not_satisfied' })
  t.strictSame(requests, [])
  t.equal(permits.size, 0)
  const event = { kind: 'forced', integrationId: (await row())['id'], userId: '42', result: 'not_satisfied' }
  t.strictSame(events, [event, event])
  t.match(await token(), { degraded: undefined }, 'a read without a challenge is answered as before')
})

t.test('when too many were forced, an earlier refusal for the user is the answer', async (t) => {
  await reset(3_000)
  await reachLimit()
  const kept = { claims: CHALLENGE.claims, reason: 'mfa_required' }
  await sql`update oauth2_integration set challenge = ${sql.json(kept)}, challenged_at = now()`
  const { token, refresh } = start()
  t.match(await failureOf(token({ challenge: CHALLENGE })), {
    code: 'reconnect_required',
    facts: { reason: 'mfa_required' },
  })
  await refresh.drain()
})

t.test(
  'a challenge that only the user can satisfy is kept; the row stays as it is, and so does its token',
  async (t) => {
    await reset(3_000)
    control.misbehave('aadsts', 50076)
    const { token, events } = start()
    t.match(await failureOf(token({ challenge: CHALLENGE })), {
      code: 'reconnect_required',
      facts: { reason: 'mfa_required', microsoft: { aadsts: 50076 } },
    })
    t.match(await row(), {
      status: 'active',
      failure: null,
      failures: 0,
      retry_at: null,
      lease_owner: null,
      challenge: { reason: 'mfa_required' },
    })
    t.match(events.at(-1), { kind: 'forced', result: 'user' })
    t.notOk((await token()).degraded)
  },
)

t.test('a challenge that Microsoft does not understand is stored nowhere, and the row is free at once', async (t) => {
  await reset(3_000)
  const verdict = { kind: 'misconfigured', reason: 'app_registration', everybody: false, microsoft: {} } as const
  const { token, events } = start({ answer: answering(verdict) })
  t.match(await failureOf(token({ challenge: CHALLENGE })), { code: 'broker_misconfigured' })
  t.match(await row(), { status: 'active', failure: null, failures: 0, lease_owner: null, challenge: null })
  t.match(events.at(-1), { kind: 'forced', result: 'failed' })
  const next = start()
  await next.token({ after: await generation() })
  t.strictSame(next.kinds(), ['sent'], 'nobody waits')
})

t.test('a refusal of a challenge by a process that has lost its lease is discarded', async (t) => {
  await reset(3_000)
  const { token, events, kinds } = start({
    answer: answering({ kind: 'reconnect', reason: 'mfa_required', final: false, microsoft: {} }),
    async beforeExchange() {
      // Another process has taken over and brought what was asked for.
      await sql`update oauth2_integration set generation = nextval('integration_generation'), lease_owner = null,
        claims_hash = ${CHALLENGE.hash}`
    },
  })
  t.notOk((await token({ challenge: CHALLENGE })).degraded)
  t.strictSame(kinds(), ['sent', 'discarded'], 'no forced refresh has ended: the row was read again')
  t.match(events.at(-1), { kind: 'discarded', what: 'refusal', integrationId: (await row())['id'] })
  t.equal((await row())['challenge'], null)
})

t.test('tokens of a forced refresh for a row that moved are discarded, and it has not ended as forced', async (t) => {
  await reset(3_000)
  const { token, kinds } = start({
    async beforeExchange() {
      await sql`update oauth2_integration set generation = nextval('integration_generation'), claims_hash = ${CHALLENGE.hash}`
    },
  })
  await token({ challenge: CHALLENGE })
  t.strictSame(kinds(), ['sent', 'discarded'])
})

t.test('back-off does not hold up a challenge, not even one that waits for another process', async (t) => {
  await reset(3_000)
  await backOff()
  await lease()
  const { token, pauses, kinds, requests } = start()
  const reading = token({ challenge: CHALLENGE })
  const first = await pauses.next()
  first.end()
  const second = await pauses.next()
  t.strictSame(kinds(), ['waited'], 'it goes on waiting')
  t.strictSame(requests, [])
  await lease(-1)
  second.end()
  ;(await pauses.next()).end()
  t.notOk((await reading).degraded)
  t.strictSame(
    requests.map(({ claims }) => claims),
    [CHALLENGE.claims],
  )
})

t.test('a forced refresh without a challenge heeds a back-off that began after it read the row', async (t) => {
  await reset(3_000)
  const { token, requests, kinds } = start({
    limitForced: true,
    store: {
      async claimForced(...claim) {
        await backOff()
        return integrations.claimForced(...claim)
      },
    },
  })
  t.match(await failureOf(token({ after: await generation() })), {
    code: 'microsoft_unavailable',
    facts: { reason: 'throttled' },
  })
  t.strictSame(requests, [])
  t.strictSame(kinds(), ['waited'])
})

t.test('every failure is for a challenge what it is for a read: the stored token is no answer', async (t) => {
  const wanted = { code: 'microsoft_unavailable', facts: { reason: 'refresh_in_progress' } }
  await reset(3_000)
  control.hold()
  const late = start()
  const reading = failureOf(late.token({ challenge: CHALLENGE }))
  await control.held()
  ;(await late.deadlines.next()).end()
  t.match(await reading, wanted)
  control.release()
  await late.refresh.drain()

  await reset(3_000)
  const trouble = start({ store: { claimForced: () => Promise.reject(new TypeError('a mistake')) } })
  t.match(await failureOf(trouble.token({ challenge: challengeFor('c2') })), { code: 'internal_error' })
  t.equal(trouble.permits.size, 0)
  t.strictSame(trouble.events, [])

  await reset(3_000)
  await alone.mark({ reason: 'access_revoked', final: true })
  const final = start()
  t.match(await failureOf(final.token({ challenge: challengeFor('c2') })), {
    code: 'reconnect_required',
    facts: { reason: 'access_revoked' },
  })
  t.equal(final.flights(), 0)
})

t.test('the breaker holds up a forced refresh; Microsoft was not asked', async (t) => {
  await reset(3_000)
  const pause = { verdict: 'try_later', reason: 'throttled', retryAfterSeconds: 9 } as const
  const { token, events, refresh } = start({ admit: () => pause })
  t.match(await failureOf(token({ challenge: CHALLENGE })), {
    code: 'microsoft_unavailable',
    facts: { reason: 'throttled', retryAfterSeconds: 9 },
  })
  t.equal(events.length, 1)
  t.match(events, [{ kind: 'forced', result: 'failed' }])
  t.strictSame(await refresh.renew((await integrations.read('42'))!, 'test'), {
    kind: 'blocked',
    blocked: pause,
    unsent: true,
  })
})

t.test('a refresh that waited for its turn is sent, unless this process ends', async (t) => {
  await reset()
  const { promise: place, resolve: give } = Promise.withResolvers<Permit>()
  const { refresh, requests } = start({ admit: () => place })
  const read = (await integrations.read('42'))!
  const waiting = refresh.renew(read, 'test')
  const drained = refresh.drain()
  give({ release: () => {} })
  t.strictSame(await waiting, {
    kind: 'blocked',
    blocked: { verdict: 'try_later', reason: 'refresh_in_progress', retryAfterSeconds: 1 },
    unsent: true,
  })
  await drained

  const patient = start({ admit: async () => alone.world.replica.services.microsoft.admit() })
  t.equal((await patient.refresh.renew(read, 'test')).kind, 'tokens')
  t.equal(requests.length, 0)
  t.equal(patient.requests.length, 1)
})

t.test('a process that ends still refreshes for a caller who need not wait for a turn', async (t) => {
  await reset()
  const { refresh, token, requests } = start()
  await refresh.drain()
  t.notOk((await token()).degraded)
  t.equal(requests.length, 1)
})

t.test('a refresh that Microsoft suggests is begun once, and not for a row that backs off', async (t) => {
  await reset(3_000)
  await suggest()
  const { token, refresh, flights, kinds } = start()
  control.hold()
  const first = await token()
  await control.held()
  t.equal((await token()).integration.accessToken, first.integration.accessToken)
  t.equal(flights(), 1)
  t.strictSame(kinds(), [], 'the second read has not joined')
  control.release()
  await refresh.drain()
  t.not((await token()).integration.accessToken, first.integration.accessToken)
  t.strictSame(kinds(), ['sent'])

  await reset(3_000)
  await suggest()
  await backOff()
  const backing = start()
  await backing.token()
  t.equal(backing.flights(), 0)
})

t.test('the canary account is refreshed as if a caller had asked', async (t) => {
  await reset(3_000)
  await setUsed()
  const { refresh, requests, events } = start()
  const { kind } = await refresh.refreshNow((await integrations.read('42'))!, 'canary')
  t.equal(kind, 'tokens')
  t.ok(await isUsedLately())
  t.strictSame([requests.length, events.length], [1, 1])
  t.match(requests, [{ requestId: 'canary' }])
  t.match(events, [{ kind: 'sent', requestId: 'canary' }])
})

t.test('each lease has an owner of 16 characters that needs no escapes', async (t) => {
  await reset()
  let owner: unknown
  const { token } = start({ beforeExchange: async () => void (owner = (await row())['lease_owner']) })
  await token()
  t.match(owner, /^[A-Za-z0-9_-]{16}$/)
})

t.test('an integration that belongs to no app registration is refreshed with the current one', async (t) => {
  await reset()
  const { token, requests } = start({
    store: {
      async read(userId) {
        const { clientId: _none, ...read } = (await integrations.read(userId))!
        return read
      },
    },
  })
  await token()
  t.notOk('clientId' in requests[0]!)
})
