import t from 'tap'
import type { Admission, Pause, Permit } from '../../src/core/microsoft-port.ts'
import {
  createBreaker,
  FAILURES_TO_OPEN,
  FAILURE_WINDOW_MS,
  MAX_AT_ONCE,
  type BreakerState,
  type BreakerEvidence,
} from '../../src/microsoft/breaker.ts'
import { OTHER_TENANT, TENANT } from './support.ts'

function setUp(fraction = 0) {
  let now = 1_000_000
  const changes: string[] = []
  const breaker = createBreaker({
    now: () => now,
    random: () => fraction,
    onChange: (state, from) => changes.push(`${from}>${state.mode}${state.reason ? ` ${state.reason}` : ''}`),
  })
  const permit = (): Permit => {
    const admission = breaker.admit()
    if (isWaiting(admission)) throw new Error('no place')
    if (isPause(admission)) throw new Error(`paused: ${admission.reason}`)
    return admission
  }
  return {
    ...breaker,
    changes,
    permit,
    advance: (ms: number) => {
      now += ms
    },
    /** One refresh, admitted and judged. */
    one: (outcome: BreakerEvidence) => breaker.record(permit(), outcome),
    mode: (): BreakerState['mode'] => breaker.state().mode,
  }
}

type Asked = Admission | Promise<Admission>
const isWaiting = (asked: Asked): asked is Promise<Admission> => asked instanceof Promise
const isPause = (asked: Asked): asked is Pause => 'verdict' in asked
const isPermit = (asked: Asked): asked is Permit => 'release' in asked
const healthy: BreakerEvidence = { kind: 'healthy' }
const trouble = (row: number | string, changes: object = {}): BreakerEvidence => ({
  kind: 'trouble',
  reason: 'microsoft_error',
  row: String(row),
  tenant: TENANT,
  ...changes,
})
const rows = Array.from({ length: FAILURES_TO_OPEN }, (_, index) => index)

t.test('closed, so many at once are sent; the others wait for their turn, in order', async (t) => {
  const breaker = setUp()
  const sent = Array.from({ length: MAX_AT_ONCE }, () => breaker.permit())
  const order: number[] = []
  const waiting = [0, 1, 2].map((i) =>
    Promise.resolve(breaker.admit()).then((admission) => {
      order.push(i)
      return admission
    }),
  )
  t.strictSame(breaker.use(), { sent: MAX_AT_ONCE, waiting: 3 })
  t.strictSame(breaker.state(), { mode: 'closed' })
  breaker.record(sent[0]!, healthy)
  const next = await waiting[0]!
  t.ok(isPermit(next))
  t.ok(isWaiting(breaker.admit()), 'a newcomer does not overtake')
  sent[1]!.release()
  sent[2]!.release()
  t.ok((await Promise.all(waiting)).every(isPermit))
  t.strictSame(order, [0, 1, 2])
  t.strictSame(breaker.use(), { sent: MAX_AT_ONCE, waiting: 1 })
})

t.test('those who wait when it opens are turned away at once', async (t) => {
  const breaker = setUp()
  const sent = Array.from({ length: MAX_AT_ONCE }, () => breaker.permit())
  const waiting = Array.from({ length: 1_000 }, () => breaker.admit())
  for (const row of rows) breaker.record(sent[row]!, trouble(row))
  const turnedAway = await Promise.all(waiting)
  // Each failure gave its place to one more before it opened.
  t.equal(turnedAway.filter(isPermit).length, FAILURES_TO_OPEN - 1)
  t.equal(turnedAway.filter(isPause).length, 1_000 - (FAILURES_TO_OPEN - 1))
  t.strictSame(breaker.use(), { sent: 0, waiting: 0 })
})

t.test('what was sent before it opened takes no place afterwards', async (t) => {
  const breaker = opened()
  const before = breaker.use()
  t.strictSame(before, { sent: 0, waiting: 0 })
  breaker.advance(5_000)
  breaker.one(healthy)
  breaker.permit()
  breaker.permit()
  t.ok(isPause(breaker.admit()))
})

t.test('one credential failure pauses everybody as misconfigured', async (t) => {
  const breaker = setUp()
  breaker.one({ kind: 'credential' })
  t.strictSame(breaker.admit(), { verdict: 'misconfigured', reason: 'client_credential', retryAfterSeconds: 15 })
  t.strictSame(breaker.state(), { mode: 'open', reason: 'client_credential', retryAfterSeconds: 15 })
  t.strictSame(breaker.changes, ['closed>open client_credential'])
})

t.test('an outage seen by different integrations in a row opens it, not one fewer', async (t) => {
  const breaker = setUp()
  for (const row of rows.slice(1)) breaker.one(trouble(row))
  t.equal(breaker.mode(), 'closed')
  breaker.one(trouble('last'))
  t.strictSame(breaker.admit(), { verdict: 'try_later', reason: 'microsoft_error', retryAfterSeconds: 5 })
})

t.test("one integration's trouble never opens it", async (t) => {
  const breaker = setUp()
  for (let i = 0; i < 100; i++) breaker.one(trouble('same'))
  t.equal(breaker.mode(), 'closed')
})

t.test('a successful answer resets the count', async (t) => {
  const breaker = setUp()
  for (let i = 0; i < 100; i++) {
    breaker.one(trouble(i))
    if (i % (FAILURES_TO_OPEN - 1) === 0) breaker.one(healthy)
  }
  t.equal(breaker.mode(), 'closed')
})

t.test('a neutral outcome neither counts nor heals', async (t) => {
  const breaker = setUp()
  for (const row of rows) {
    breaker.one({ kind: 'neutral' })
    t.equal(breaker.mode(), 'closed')
    breaker.one(trouble(row))
  }
  t.equal(breaker.mode(), 'open')
})

t.test('failures long apart are not an outage', async (t) => {
  const breaker = setUp()
  for (const row of rows) {
    breaker.one(trouble(row))
    breaker.advance(FAILURE_WINDOW_MS + 1)
  }
  t.equal(breaker.mode(), 'closed')
})

t.test("one tenant's trouble never opens it where there are others", async (t) => {
  const breaker = setUp()
  breaker.sawTenant(TENANT)
  breaker.sawTenant(OTHER_TENANT)
  for (let i = 0; i < 100; i++) breaker.one(trouble(i))
  t.equal(breaker.mode(), 'closed')
  for (let i = 0; i < 100; i++) breaker.one(trouble(`throttled ${i}`, { reason: 'throttled', retryAfterSeconds: 60 }))
  t.equal(breaker.mode(), 'closed')
  breaker.one(trouble('b', { tenant: OTHER_TENANT }))
  t.equal(breaker.mode(), 'open', "with a second tenant it is everybody's")
})

t.test("failing to reach Microsoft at all is no tenant's trouble", async (t) => {
  const breaker = setUp()
  breaker.sawTenant(TENANT)
  breaker.sawTenant(OTHER_TENANT)
  for (const row of rows) breaker.one(trouble(row, { reason: 'microsoft_unreachable' }))
  t.match(breaker.state(), { mode: 'open', reason: 'microsoft_unreachable' })
})

t.test('throttling pauses as long as Microsoft asks, up to an hour', async (t) => {
  for (const [retryAfterSeconds, expected] of [
    [120, 120],
    [3600, 3600],
    [86_400, 3600],
    [undefined, 60],
    [5, 5],
    [1, 5],
  ] as const) {
    const breaker = setUp()
    for (const row of rows)
      breaker.one(trouble(row, { reason: 'throttled', ...(retryAfterSeconds && { retryAfterSeconds }) }))
    t.match(
      breaker.admit(),
      { verdict: 'try_later', reason: 'throttled', retryAfterSeconds: expected },
      `${retryAfterSeconds}`,
    )
    breaker.advance(expected * 1000 - 1)
    t.ok(isPause(breaker.admit()), 'not a moment earlier')
    breaker.advance(1)
    t.notOk(isPause(breaker.admit()))
  }
})

t.test('the longest Retry-After of those seen counts, also with an outage', async (t) => {
  const breaker = setUp()
  for (const row of rows) breaker.one(trouble(row, { retryAfterSeconds: row === 1 ? 90 : 10 }))
  t.match(breaker.state(), { mode: 'open', retryAfterSeconds: 90 })
})

t.test('chance only ever makes a pause longer, and never longer than an hour', async (t) => {
  const breaker = setUp(0.999)
  for (const row of rows) breaker.one(trouble(row))
  t.match(breaker.state(), { mode: 'open', retryAfterSeconds: 6 })
  const throttled = setUp(0.999)
  for (const row of rows) throttled.one(trouble(row, { reason: 'throttled', retryAfterSeconds: 3600 }))
  t.match(throttled.state(), { retryAfterSeconds: 3600 })
})

function opened(fraction = 0) {
  const breaker = setUp(fraction)
  for (const row of rows) breaker.one(trouble(row))
  return breaker
}

t.test('half-open: one probe at a time, the others wait a moment', async (t) => {
  const breaker = opened()
  breaker.advance(5_000)
  const probe = breaker.permit()
  t.equal(breaker.mode(), 'half_open')
  for (let i = 0; i < 100; i++)
    t.strictSame(breaker.admit(), { verdict: 'try_later', reason: 'microsoft_error', retryAfterSeconds: 1 })
  breaker.record(probe, healthy)
  t.equal(breaker.mode(), 'ramping')
})

t.test('half-open: a probe given back unused leaves the place to another', async (t) => {
  const breaker = opened()
  breaker.advance(5_000)
  breaker.permit().release()
  t.notOk(isPause(breaker.admit()))
  t.ok(isPause(breaker.admit()))
})

t.test('half-open: a probe that never reports is given up', async (t) => {
  const breaker = opened()
  breaker.advance(5_000)
  breaker.permit()
  breaker.advance(9_999)
  t.ok(isPause(breaker.admit()))
  breaker.advance(1)
  t.notOk(isPause(breaker.admit()))
})

t.test('half-open: a failed probe opens it again, for twice as long up to a minute', async (t) => {
  const breaker = opened()
  for (const seconds of [5, 10, 20, 40, 60, 60]) {
    t.match(breaker.state(), { mode: 'open', retryAfterSeconds: seconds })
    breaker.advance(seconds * 1000)
    breaker.one(trouble('probe'))
  }
})

t.test('half-open: a probe can find another reason', async (t) => {
  const breaker = opened()
  breaker.advance(5_000)
  breaker.one({ kind: 'credential' })
  t.match(breaker.admit(), { verdict: 'misconfigured', reason: 'client_credential' })
})

t.test('the way back is a ramp: two at once, one more with each success', async (t) => {
  const breaker = opened()
  breaker.advance(5_000)
  breaker.one(healthy)
  const admittedAtOnce = (): Permit[] => {
    const permits: Permit[] = []
    for (;;) {
      const admission = breaker.admit()
      if (!isPermit(admission)) return permits
      permits.push(admission)
    }
  }
  const counts: number[] = []
  while (breaker.mode() === 'ramping') {
    const permits = admittedAtOnce()
    t.ok(isPause(breaker.admit()), 'the others are turned away')
    counts.push(permits.length)
    for (const permit of permits) breaker.record(permit, healthy)
  }
  t.strictSame(counts, [2, 4, 8, 16, 32])
  t.equal(breaker.mode(), 'closed')
  t.strictSame(breaker.state(), { mode: 'closed' })
  t.strictSame(breaker.changes, [
    'closed>open microsoft_error',
    'open>half_open microsoft_error',
    'half_open>ramping microsoft_error',
    'ramping>closed',
  ])
})

t.test('the ramp takes permits back, and ends after its time if few refreshes are sent', async (t) => {
  const breaker = opened()
  breaker.advance(5_000)
  breaker.one(healthy)
  const first = breaker.permit()
  breaker.permit()
  t.ok(isPause(breaker.admit()))
  first.release()
  first.release()
  t.ok(isPermit(breaker.admit()))
  t.ok(isPause(breaker.admit()), 'released twice is released once')
  breaker.advance(30_000)
  t.ok(isPermit(breaker.admit()))
  t.equal(breaker.mode(), 'closed')
})

t.test('an outage that comes back on the ramp opens it again, for longer', async (t) => {
  const breaker = opened()
  breaker.advance(5_000)
  breaker.one(healthy)
  for (const row of rows) breaker.one(trouble(row))
  t.match(breaker.state(), { mode: 'open', retryAfterSeconds: 10 })
})

t.test('once closed, the next outage starts with a short pause', async (t) => {
  const breaker = opened()
  breaker.advance(5_000)
  breaker.one(healthy)
  breaker.advance(30_000)
  breaker.one(healthy)
  for (const row of rows) breaker.one(trouble(row))
  t.match(breaker.state(), { mode: 'open', retryAfterSeconds: 5 })
})

t.test('answers to what was sent before it opened neither heal nor prolong', async (t) => {
  const breaker = setUp()
  const early = Array.from({ length: 20 }, () => breaker.permit())
  for (const row of rows) breaker.one(trouble(row))
  breaker.record(early[0]!, healthy)
  t.match(breaker.state(), { mode: 'open', retryAfterSeconds: 5 })
  breaker.record(early[1]!, trouble('x', { retryAfterSeconds: 3600 }))
  breaker.record(early[2]!, { kind: 'credential' })
  t.match(breaker.state(), { mode: 'open', reason: 'microsoft_error', retryAfterSeconds: 5 })
  breaker.advance(5_000)
  breaker.permit()
  breaker.record(early[3]!, healthy)
  t.equal(breaker.mode(), 'half_open')
  t.ok(isPause(breaker.admit()), "the probe's place is still taken")
})

t.test('a permit counts once', async (t) => {
  const breaker = setUp()
  const permit = breaker.permit()
  breaker.record(permit, healthy)
  breaker.record(permit, { kind: 'credential' })
  permit.release()
  t.equal(breaker.mode(), 'closed')
})

t.test('those turned away come back spread', async (t) => {
  const waits = new Set(
    [0, 0.4, 0.999].map((fraction) => {
      const breaker = opened(fraction)
      breaker.advance(6_000)
      breaker.permit()
      return (breaker.admit() as Pause).retryAfterSeconds
    }),
  )
  t.strictSame(waits, new Set([1, 2, 3]))
})
