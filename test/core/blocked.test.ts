import t from 'tap'
import { Failure } from '../../src/core/failure.ts'
import { isUsable, type Integration, type StoredFailure } from '../../src/core/integration.ts'
import type { Random } from '../../src/core/ports.ts'
import {
  blockedByCredential,
  blockedByRow,
  REFRESH_IN_PROGRESS,
  isLaterThan,
  answerOrThrow,
  failureToStore,
  type Blocked,
  type RefusedVerdict,
} from '../../src/core/blocked.ts'

const row = (more: Partial<Integration> = {}): Integration => ({
  id: 'a',
  userId: '42',
  status: 'active',
  generation: 7,
  accessToken: 'token',
  remainingSeconds: 100,
  lifetimeSeconds: 3600,
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
const random = (fraction: number): Random => ({
  bytes: () => Buffer.alloc(0),
  uuid: () => '',
  fraction: () => fraction,
})
const middle = random(0.5)
const later = (more = {}): RefusedVerdict => ({ kind: 'try_later', reason: 'microsoft_error', microsoft: {}, ...more })

t.test('min_ttl counts up to half of the lifetime', async (t) => {
  const cases: [remaining: number, lifetime: number, minTtlSeconds: number, usable: boolean][] = [
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
  for (const [remainingSeconds, lifetimeSeconds, minTtlSeconds, usable] of cases)
    t.equal(
      isUsable({ remainingSeconds, lifetimeSeconds }, minTtlSeconds),
      usable,
      `${remainingSeconds} of ${lifetimeSeconds}, ${minTtlSeconds}`,
    )
})

t.test('nothing is sent while a row backs off, or after a final refusal', async (t) => {
  t.equal(blockedByRow(row()), undefined)
  t.equal(blockedByRow(row({ failure: failure({ verdict: 'try_later' }), retryInSeconds: -1 })), undefined)
  t.match(blockedByRow(row({ failure: failure({ verdict: 'try_later', reason: 'throttled' }), retryInSeconds: 4.2 })), {
    reason: 'throttled',
    retryAfterSeconds: 5,
  })
  const marked = row({ status: 'reconnect_required', failure: failure() })
  t.match(blockedByRow({ ...marked, retryInSeconds: 700 }), { reason: 'blocked_by_policy', retryAfterSeconds: 700 })
  t.equal(blockedByRow({ ...marked, retryInSeconds: -1 }), undefined, 'a refusal that may be cured is tried again')
  const final = blockedByRow({ ...marked, failure: failure({ final: true }) })
  t.match(final, { verdict: 'reconnect' })
  t.match(
    blockedByRow(row({ retryInSeconds: 4 })),
    { verdict: 'misconfigured', reason: 'client_credential' },
    'no failure is stored: our credential was refused',
  )
  t.notOk(final && 'retryAfterSeconds' in final)
})

t.test(
  "the back-off doubles up to its limit, with a quarter of jitter; Microsoft's Retry-After is used as it is",
  async (t) => {
    const retryInSeconds = (refusal: RefusedVerdict, failures: number, chance = middle) =>
      failureToStore(row(), refusal, failures, chance).retryInSeconds
    t.strictSame(
      [0, 1, 2, 3, 4, 5, 2000].map((failures) => retryInSeconds(later(), failures)),
      [2, 4, 8, 16, 30, 30, 30],
    )
    t.strictSame([retryInSeconds(later(), 4, random(0)), retryInSeconds(later(), 4, random(1))], [22.5, 37.5])
    t.equal(retryInSeconds(later({ retryAfterSeconds: 3600 }), 9), 3600)
    const ours: RefusedVerdict = { kind: 'misconfigured', reason: 'app_registration', everybody: false, microsoft: {} }
    t.strictSame(
      [0, 3, 9].map((failures) => retryInSeconds(ours, failures)),
      [60, 480, 900],
    )
    t.equal(retryInSeconds({ kind: 'reconnect', reason: 'mfa_required', final: false, microsoft: {} }, 5), 900)
    t.equal(retryInSeconds({ kind: 'reconnect', reason: 'access_revoked', final: true, microsoft: {} }, 0), undefined)
  },
)

t.test('a temporary failure does not replace an earlier refusal, and does not make tries more frequent', async (t) => {
  const standing = failure({ at: '2026-01-01T00:00:00Z' })
  const marked = row({ status: 'reconnect_required', failure: standing })
  t.strictSame(failureToStore(marked, later(), 0, middle), { failure: standing, retryInSeconds: 900 })
  t.strictSame(failureToStore(marked, later({ retryAfterSeconds: 3600 }), 0, middle), {
    failure: standing,
    retryInSeconds: 3600,
  })
  t.match(
    failureToStore(marked, { kind: 'reconnect', reason: 'access_revoked', final: true, microsoft: {} }, 0, middle),
    {
      failure: { reason: 'access_revoked', final: true },
    },
  )
})

t.test('a valid token is never an error; without one the caller gets the failure of the verdict', async (t) => {
  const codes = {
    reconnect: 'reconnect_required',
    try_later: 'microsoft_unavailable',
    misconfigured: 'broker_misconfigured',
  } as const
  for (const [verdict, code] of Object.entries(codes) as [keyof typeof codes, string][]) {
    const blocked = { verdict, reason: 'throttled', retryAfterSeconds: 9 } as const
    t.strictSame(answerOrThrow(row(), undefined, blocked), {
      integration: row(),
      degraded: { reason: 'throttled', retryAfterSeconds: 9 },
    })
    for (const [integration, after] of [
      [row({ remainingSeconds: 0 }), undefined],
      [row(), 7],
      [row(), 8],
    ] as const) {
      t.throws(() => answerOrThrow(integration, after, blocked), {
        code,
        facts: { reason: 'throttled', retryAfterSeconds: 9 },
      })
    }
    t.ok(answerOrThrow(row(), 6, blocked).degraded)
  }
  t.match(answerOrThrow(row(), undefined, new Failure('database_unavailable')), {
    degraded: { reason: 'broker_trouble' },
  })
  t.throws(() => answerOrThrow(row({ remainingSeconds: -1 }), undefined, new Failure('database_unavailable')), {
    code: 'database_unavailable',
  })
})

t.test('what is stored of a refusal: its reason, whether it is final, and the claims challenge', async (t) => {
  const store = (refusal: RefusedVerdict) => failureToStore(row(), refusal, 0, middle)
  const microsoft = { aadsts: 53003 }
  const stored = { verdict: 'reconnect', reason: 'mfa_required', final: false, microsoft }
  const refused = { kind: 'reconnect', reason: 'mfa_required', final: false, microsoft } as const
  t.strictSame(store(refused), { failure: stored, retryInSeconds: 900 })
  t.strictSame(store({ ...refused, claims: '{}' }), { failure: { ...stored, claims: '{}' }, retryInSeconds: 900 })
  t.strictSame(store({ ...refused, final: true }), { failure: { ...stored, final: true } })
  t.strictSame(store(later({ microsoft })), {
    failure: { verdict: 'try_later', reason: 'microsoft_error', final: false, microsoft },
    retryInSeconds: 2,
  })
  const temporary = failure({ verdict: 'try_later', reason: 'throttled' })
  t.match(failureToStore(row({ failure: temporary }), later(), 0, middle), { failure: { reason: 'microsoft_error' } })
})

t.test('a row that backs off may be tried again at the end of its back-off', async (t) => {
  const backsOff = row({ failure: failure({ verdict: 'try_later' }) })
  t.equal(blockedByRow({ ...backsOff, retryInSeconds: 0 }), undefined)
  t.match(blockedByRow({ ...backsOff, retryInSeconds: 0.1 }), { retryAfterSeconds: 1 })
})

t.test('the answer carries what is known, and nothing else', async (t) => {
  const expired = row({ remainingSeconds: -1 })
  const factsOf = (integration: Integration, blocked: Blocked) => {
    try {
      answerOrThrow(integration, undefined, blocked)
    } catch (error) {
      return (error as Failure).facts
    }
    return undefined
  }
  const reason = 'client_credential'
  const microsoft = { aadsts: 7000215 }
  const credential = { verdict: 'misconfigured', reason, retryAfterSeconds: 30 }
  t.strictSame(blockedByCredential({ reason }), credential)
  t.strictSame(blockedByCredential({ reason, microsoft }), { ...credential, microsoft })
  t.strictSame(factsOf(expired, blockedByCredential({ reason, microsoft })), {
    reason,
    retryAfterSeconds: 30,
    microsoft,
  })
  t.strictSame(factsOf(expired, { verdict: 'reconnect', reason: 'token_invalid' }), { reason: 'token_invalid' })
  t.strictSame(REFRESH_IN_PROGRESS, { verdict: 'try_later', reason: 'refresh_in_progress', retryAfterSeconds: 1 })
  const marked = row({ status: 'reconnect_required', failure: failure(), remainingSeconds: -1 })
  t.strictSame(
    factsOf(marked, { verdict: 'reconnect', reason: 'access_revoked' }),
    { reason: 'access_revoked' },
    'a new refusal replaces an earlier one',
  )
})

t.test('a generation above the stored one is compared by time', async (t) => {
  t.strictSame(
    [undefined, 6, 7, 8].map((after) => isLaterThan(row({ remainingSeconds: 3541 }), after)),
    [true, true, false, true],
  )
  t.strictSame(
    [undefined, 6, 7, 8].map((after) => isLaterThan(row({ remainingSeconds: 3540 }), after)),
    [true, true, false, false],
  )
})

t.test('while Microsoft cannot be asked, an earlier refusal is the answer', async (t) => {
  const marked = row({ status: 'reconnect_required', failure: failure(), remainingSeconds: -1 })
  t.throws(() => answerOrThrow(marked, undefined, REFRESH_IN_PROGRESS), {
    code: 'reconnect_required',
    facts: { reason: 'blocked_by_policy', microsoft: { aadsts: 53003 } },
  })
  t.match(answerOrThrow({ ...marked, remainingSeconds: 5 }, undefined, REFRESH_IN_PROGRESS), {
    degraded: { reason: 'blocked_by_policy' },
  })
})
