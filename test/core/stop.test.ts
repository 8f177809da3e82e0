import t from 'tap'
import { Failure } from '../../src/core/failure.ts'
import { isUsable, type Integration, type StoredFailure } from '../../src/core/integration.ts'
import type { Random } from '../../src/core/ports.ts'
import { backingOff, IN_PROGRESS, isLaterThan, settle, toMark, type Refusal } from '../../src/core/stop.ts'

const row = (more: Partial<Integration> = {}): Integration => ({
  id: 'a',
  userId: '42',
  status: 'active',
  generation: 7,
  accessToken: 'token',
  remaining: 100,
  lifetime: 3600,
  expiresAt: '2026-11-22T10:00:00Z',
  scopes: [],
  ...more,
})
const failure = (more: Partial<StoredFailure> = {}): StoredFailure => ({
  verdict: 'reconnect',
  reason: 'blocked_by_policy',
  final: false,
  microsoft: { aadsts: 53003 },
  ...more,
})
const random = (fraction: number): Random => ({ bytes: () => Buffer.alloc(0), fraction: () => fraction })
const middle = random(0.5)
const later = (more = {}): Refusal => ({ kind: 'try_later', reason: 'microsoft_error', microsoft: {}, ...more })

t.test('min_ttl counts up to half of the lifetime', async (t) => {
  const cases: [remaining: number, lifetime: number, minTtl: number, usable: boolean][] = [
    [301, 3600, 300, true],
    [300, 3600, 300, false],
    [1, 3600, 0, true],
    [0, 3600, 0, false],
    [-5, 3600, 0, false],
    [301, 600, 1800, true],
    [300, 600, 1800, false],
    [1801, 86_400, 1800, true],
    [16, 30, 300, true],
    [15, 30, 300, false],
  ]
  for (const [remaining, lifetime, minTtl, usable] of cases)
    t.equal(isUsable({ remaining, lifetime }, minTtl), usable, `${remaining} of ${lifetime}, ${minTtl}`)
})

t.test('nothing is sent while a failure backs off, nor ever after a final refusal', async (t) => {
  t.equal(backingOff(row()), undefined)
  t.equal(backingOff(row({ failure: failure({ verdict: 'try_later' }), retryIn: -1 })), undefined)
  t.match(backingOff(row({ failure: failure({ verdict: 'try_later', reason: 'throttled' }), retryIn: 4.2 })), {
    reason: 'throttled',
    retryAfter: 5,
  })
  const marked = row({ status: 'reconnect_required', failure: failure() })
  t.match(backingOff({ ...marked, retryIn: 700 }), { reason: 'blocked_by_policy', retryAfter: 700 })
  t.equal(backingOff({ ...marked, retryIn: -1 }), undefined, 'a curable one is tried again')
  const final = backingOff({ ...marked, failure: failure({ final: true }) })
  t.match(final, { verdict: 'reconnect' })
  t.match(
    backingOff(row({ retryIn: 4 })),
    { verdict: 'misconfigured', reason: 'client_credential' },
    "no failure is stored: everybody's",
  )
  t.notOk(final && 'retryAfter' in final)
})

t.test("the back-off doubles to its limit, jittered by a quarter; Microsoft's own number is kept", async (t) => {
  const retryIn = (refusal: Refusal, failures: number, chance = middle) =>
    toMark(row(), refusal, failures, chance).retryIn
  t.strictSame(
    [0, 1, 2, 3, 4, 5, 2000].map((failures) => retryIn(later(), failures)),
    [2, 4, 8, 16, 30, 30, 30],
  )
  t.strictSame([retryIn(later(), 4, random(0)), retryIn(later(), 4, random(1))], [22.5, 37.5])
  t.equal(retryIn(later({ retryAfter: 3600 }), 9), 3600)
  const ours: Refusal = { kind: 'misconfigured', reason: 'app_registration', everybody: false, microsoft: {} }
  t.strictSame(
    [0, 3, 9].map((failures) => retryIn(ours, failures)),
    [60, 480, 900],
  )
  t.equal(retryIn({ kind: 'reconnect', reason: 'mfa_required', final: false, microsoft: {} }, 5), 900)
  t.equal(retryIn({ kind: 'reconnect', reason: 'access_revoked', final: true, microsoft: {} }, 0), undefined)
})

t.test('passing trouble does not replace a refusal that stands, nor is it tried more often', async (t) => {
  const standing = failure({ at: '2026-01-01T00:00:00Z' })
  const marked = row({ status: 'reconnect_required', failure: standing })
  t.strictSame(toMark(marked, later(), 0, middle), { failure: standing, retryIn: 900 })
  t.strictSame(toMark(marked, later({ retryAfter: 3600 }), 0, middle), { failure: standing, retryIn: 3600 })
  t.match(toMark(marked, { kind: 'reconnect', reason: 'access_revoked', final: true, microsoft: {} }, 0, middle), {
    failure: { reason: 'access_revoked', final: true },
  })
})

t.test('a valid token is never an error; an invalid one is the failure it amounts to', async (t) => {
  const codes = {
    reconnect: 'reconnect_required',
    try_later: 'microsoft_unavailable',
    misconfigured: 'broker_misconfigured',
  } as const
  for (const [verdict, code] of Object.entries(codes) as [keyof typeof codes, string][]) {
    const stop = { verdict, reason: 'throttled', retryAfter: 9 } as const
    t.strictSame(settle(row(), undefined, stop), {
      integration: row(),
      degraded: { reason: 'throttled', retryAfter: 9 },
    })
    for (const [integration, after] of [
      [row({ remaining: 0 }), undefined],
      [row(), 7],
      [row(), 8],
    ] as const) {
      t.throws(() => settle(integration, after, stop), { code, facts: { reason: 'throttled', retryAfter: 9 } })
    }
    t.ok(settle(row(), 6, stop).degraded)
  }
  t.match(settle(row(), undefined, new Failure('database_unavailable')), { degraded: { reason: 'broker_trouble' } })
  t.throws(() => settle(row({ remaining: -1 }), undefined, new Failure('database_unavailable')), {
    code: 'database_unavailable',
  })
})

t.test('an unknown generation, above the stored one, is compared by time', async (t) => {
  t.strictSame(
    [undefined, 6, 7, 8].map((after) => isLaterThan(row({ remaining: 3541 }), after)),
    [true, true, false, true],
  )
  t.strictSame(
    [undefined, 6, 7, 8].map((after) => isLaterThan(row({ remaining: 3540 }), after)),
    [true, true, false, false],
  )
})

t.test('while Microsoft cannot be asked, a refusal that stands is the answer', async (t) => {
  const marked = row({ status: 'reconnect_required', failure: failure(), remaining: -1 })
  t.throws(() => settle(marked, undefined, IN_PROGRESS), {
    code: 'reconnect_required',
    facts: { reason: 'blocked_by_policy', microsoft: { aadsts: 53003 } },
  })
  t.match(settle({ ...marked, remaining: 5 }, undefined, IN_PROGRESS), { degraded: { reason: 'blocked_by_policy' } })
})
