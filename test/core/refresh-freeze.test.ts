import { setImmediate as turn } from 'node:timers/promises'
import t from 'tap'
import { Failure } from '../../src/core/failure.ts'
import type { FreezeScope } from '../../src/core/freeze.ts'
import type { Microsoft } from '../../src/core/microsoft-port.ts'
import type { IntegrationStore } from '../../src/core/ports.ts'
import { FREEZE_READ_MS } from '../../src/core/refresh.ts'
import { failureOf, startRefreshAlone } from '../support/refresh-alone.ts'

// An answer leaves only if the freezes were read a moment before, however long Microsoft or Postgres took
// (docs/design.md#freeze). The clock stands still until a test moves it, so every millisecond counts.

const { world, integrations, start, reset, row, generation } = await startRefreshAlone(t)
const { freezes } = world.replica.services
const freeze = (scope: FreezeScope, value: string) => freezes.freeze({ scope, value, reason: 'test', caller: 'test' })
const frozen = (reason: string) => ({ code: 'frozen', facts: { reason } })
const NOT_NOW = { kind: 'try_later', reason: 'microsoft_error', microsoft: {} } as const

interface Course {
  /** How long Microsoft takes, and what happens meanwhile. */
  exchangeMs?: number
  meanwhile?: () => Promise<unknown>
  answer?: Microsoft['refresh']
  /** How long each read of the freezes takes; those that are not named take no time. */
  readsTakeMs?: number[]
  store?: Partial<IntegrationStore>
}

function onStillClock({ exchangeMs = 0, meanwhile, answer, readsTakeMs = [], store }: Course = {}) {
  let nowMs = 5_000_000
  const readsLeftMs: number[] = []
  const started = start({
    elapsed: () => nowMs,
    async beforeExchange() {
      await meanwhile?.()
      nowMs += exchangeMs
    },
    ...(answer === undefined ? {} : { answer }),
    store: {
      async freezeState(userId, deadlineAt) {
        readsLeftMs.push(deadlineAt! - nowMs)
        const state = await integrations.freezeState(userId)
        nowMs += readsTakeMs.shift() ?? 0
        return state
      },
      ...store,
    },
  })
  return {
    ...started,
    /** For each read of the freezes alone: the milliseconds that it was given. */
    readsLeftMs,
    now: () => nowMs,
    pass: (ms: number) => void (nowMs += ms),
  }
}
/** Microsoft cannot refresh, so that the caller gets the stored token. */
const refused = (course: Omit<Course, 'answer'>) => onStillClock({ ...course, answer: async () => NOT_NOW })

t.test('a frozen user, tenant or key gets no valid token, and nothing is sent; another key does', async (t) => {
  await reset(3_000)
  const tenant = String((await row())['tenant_id'])
  for (const [scope, value, reason] of [
    ['user', '42', 'user_frozen'],
    ['tenant', tenant, 'tenant_frozen'],
    ['caller_key', 'key-1', 'caller_key_frozen'],
  ] as const) {
    const { token, flights } = onStillClock()
    const { freeze: made } = await freeze(scope, value)
    t.match(await failureOf(token({ keyId: 'key-1' })), frozen(reason))
    if (scope === 'caller_key') t.notOk((await token({ keyId: 'key-2' })).degraded)
    await freezes.lift(made.id, 'test')
    t.notOk((await token({ keyId: 'key-1' })).degraded)
    t.equal(flights(), 0)
  }
})

t.test('a freeze during the exchange withholds the tokens, which are saved; no other read finds it', async (t) => {
  for (const [scope, value, reason] of [
    ['user', '42', 'user_frozen'],
    ['caller_key', 'key-1', 'caller_key_frozen'],
  ] as const) {
    await reset()
    const before = await generation()
    const { token, readsLeftMs } = onStillClock({ meanwhile: () => freeze(scope, value) })
    t.match(await failureOf(token({ keyId: 'key-1' })), frozen(reason))
    t.ok((await generation()) > before)
    t.strictSame(readsLeftMs, [])
  }
})

t.test('the save of new tokens reads the freezes: they leave within a second of it without another read', async (t) => {
  await reset()
  const { token, readsLeftMs, now } = onStillClock({ exchangeMs: 4_000 })
  const { leavesBefore, degraded } = await token()
  t.notOk(degraded)
  t.strictSame(readsLeftMs, [])
  t.equal(leavesBefore, now() + FREEZE_READ_MS)
})

t.test('a caller who joins after a slow save began gets its tokens by its own read', async (t) => {
  await reset()
  const saving = Promise.withResolvers<void>()
  const go = Promise.withResolvers<void>()
  const { token, readsLeftMs, pass, now, kinds } = onStillClock({
    store: {
      async saveTokens(integration, tokens) {
        saving.resolve()
        await go.promise
        return integrations.saveTokens(integration, tokens)
      },
    },
  })
  const first = token()
  await saving.promise
  pass(900)
  const second = token()
  while (!kinds().includes('joined')) await turn()
  pass(200)
  go.resolve()
  t.equal((await second).leavesBefore, now() - 200 + FREEZE_READ_MS)
  await first
  t.strictSame(
    readsLeftMs,
    [6_900],
    'of the one who sent it: the save began 1100 ms ago, the read of the other 200 ms ago',
  )
})

t.test(
  'a stored token that waited for Microsoft leaves after a second only if the freezes are read again',
  async (t) => {
    await reset(120)
    const prompt = refused({ exchangeMs: FREEZE_READ_MS })
    const { leavesBefore, degraded } = await prompt.token()
    t.match(degraded, { reason: 'microsoft_error' })
    t.strictSame(prompt.readsLeftMs, [])
    t.equal(leavesBefore, prompt.now(), 'at once')

    await reset(120)
    const late = refused({ exchangeMs: FREEZE_READ_MS + 1, readsTakeMs: [400] })
    const answer = await late.token()
    t.match(answer.degraded, { reason: 'microsoft_error' })
    t.strictSame(late.readsLeftMs, [6_999], 'until the deadline of the caller')
    t.equal(answer.leavesBefore, late.now() - 400 + FREEZE_READ_MS)
    const { remainingSeconds } = answer.integration
    t.ok(remainingSeconds > 110 && remainingSeconds < 120 - 1.4, `${remainingSeconds} s, with both waits taken off`)

    for (const [scope, value, reason] of [
      ['user', '42', 'user_frozen'],
      ['caller_key', 'key-1', 'caller_key_frozen'],
    ] as const) {
      await reset(120)
      const { token } = refused({ exchangeMs: FREEZE_READ_MS + 1, meanwhile: () => freeze(scope, value) })
      t.match(await failureOf(token({ keyId: 'key-1' })), frozen(reason))
    }
  },
)

t.test('every way to a stored token reads the freezes again when it was slow', async (t) => {
  const slow: Partial<IntegrationStore> = {
    async claim() {
      throw new Failure('database_unavailable')
    },
  }
  await reset(120)
  const broken = onStillClock({ store: slow })
  const reading = broken.token()
  broken.pass(FREEZE_READ_MS + 1)
  t.match((await reading).degraded, { reason: 'broker_trouble' })
  t.equal(broken.readsLeftMs.length, 1)

  const { promise: row, resolve: give } = Promise.withResolvers<void>()
  for (const [remaining, retryInSeconds] of [
    [3_000, undefined],
    [120, 60],
  ] as const) {
    await reset(remaining)
    const slowRead = onStillClock({
      store: {
        async read(userId) {
          await row
          const read = (await integrations.read(userId))!
          return retryInSeconds === undefined ? read : { ...read, retryInSeconds }
        },
      },
    })
    const waiting = slowRead.token()
    slowRead.pass(FREEZE_READ_MS + 1)
    give()
    t.equal((await waiting).degraded?.reason, retryInSeconds === undefined ? undefined : 'client_credential')
    t.equal(slowRead.readsLeftMs.length, 1, `${remaining} s left`)
  }
})

t.test('at its deadline a caller gets the stored token, not one that was frozen meanwhile', async (t) => {
  for (const isFrozen of [false, true]) {
    await reset(120)
    const go = Promise.withResolvers<void>()
    const asked = Promise.withResolvers<void>()
    const { token, deadlines, pass, readsLeftMs, refresh } = onStillClock({
      meanwhile: () => (asked.resolve(), go.promise),
    })
    const reading = token().catch((error: unknown) => error)
    await asked.promise
    if (isFrozen) await freeze('user', '42')
    pass(8_000)
    ;(await deadlines.next()).end()
    t.match(await reading, isFrozen ? frozen('user_frozen') : { degraded: { reason: 'refresh_in_progress' } })
    t.strictSame(readsLeftMs, [100], 'the read gets 100 ms, even at the deadline')
    go.resolve()
    await refresh.drain()
  }
})

t.test('tokens that could not be saved leave after a second only if the freezes are read again', async (t) => {
  const failOnce = () => {
    let tries = 0
    return {
      saveTokens: ((integration, tokens) =>
        tries++ === 0
          ? Promise.reject(new Failure('database_unavailable'))
          : integrations.saveTokens(integration, tokens)) satisfies IntegrationStore['saveTokens'],
    }
  }
  for (const isFrozen of [false, true]) {
    await reset()
    const { token, readsLeftMs, pauses, refresh } = onStillClock({
      exchangeMs: FREEZE_READ_MS + 1,
      meanwhile: async () => isFrozen && freeze('user', '42'),
      store: failOnce(),
    })
    const answer = await token().catch((error: unknown) => error)
    t.match(answer, isFrozen ? frozen('user_frozen') : { integration: { remainingSeconds: Number } })
    t.equal(readsLeftMs.length, 1)
    ;(await pauses.next()).end()
    await refresh.drain()
  }

  await reset()
  const asked = Promise.withResolvers<void>()
  const go = Promise.withResolvers<void>()
  const { freeze: ended } = await freeze('caller_key', 'key-2')
  const { token, kinds, pauses, refresh } = onStillClock({
    meanwhile: () => (asked.resolve(), go.promise),
    store: failOnce(),
  })
  const first = token({ keyId: 'key-1' })
  await asked.promise
  await freezes.lift(ended.id, 'test')
  const second = token({ keyId: 'key-2' })
  while (!kinds().includes('joined')) await turn()
  go.resolve()
  t.equal((await second).integration.accessToken, (await first).integration.accessToken, 'its freeze was lifted')
  ;(await pauses.next()).end()
  await refresh.drain()
})

t.test('freezes that were read too slowly are read again until the deadline, and then nothing leaves', async (t) => {
  const waited = FREEZE_READ_MS + 1
  for (const [name, readsTakeMs, deadlineMs, reads, isAnswered] of [
    ['while there is time', [waited, waited, 0], 8_000, 3, true],
    ['a moment before the deadline', [waited, 0], 2 * waited + 1, 2, true],
    ['at the deadline', [waited, 0], 2 * waited, 1, false],
    ['just in time', [FREEZE_READ_MS], waited, 1, true],
  ] as const) {
    await reset(120)
    const { token, readsLeftMs, now } = refused({ exchangeMs: waited, readsTakeMs: [...readsTakeMs] })
    const answer = await token({ deadlineAt: now() + deadlineMs }).catch((error: unknown) => error)
    t.match(
      answer,
      isAnswered
        ? { degraded: { reason: 'microsoft_error' } }
        : { code: 'database_unavailable', facts: { detail: 'freezes could not be read in time' } },
      name,
    )
    t.equal(readsLeftMs.length, reads, name)
  }
})

t.test('an answer that was held up is as it was for a second; then the freezes are read again', async (t) => {
  await reset(3_000)
  const { refresh, token, request, pass, readsLeftMs, now } = onStillClock()
  const asked = request({ keyId: 'key-1' })
  const answer = await token({ keyId: 'key-1' })
  pass(FREEZE_READ_MS)
  t.strictSame(await refresh.recheck(answer, asked), answer)
  t.strictSame(readsLeftMs, [])
  pass(1)
  const again = await refresh.recheck(answer, asked)
  t.strictSame(readsLeftMs, [6_999])
  t.equal(again.leavesBefore, now() + FREEZE_READ_MS)
  t.equal(again.integration.remainingSeconds, answer.integration.remainingSeconds - 1.001, 'it has aged meanwhile')
  t.equal(again.integration.accessToken, answer.integration.accessToken)
  await freeze('caller_key', 'key-1')
  t.strictSame(await refresh.recheck(again, asked), again)
  pass(FREEZE_READ_MS + 1)
  t.match(await failureOf(refresh.recheck(again, asked)), frozen('caller_key_frozen'))
})

t.test('the answer of a user who disconnects while it is held up does not leave', async (t) => {
  await reset(3_000)
  const { refresh, token, request, pass } = onStillClock()
  const answer = await token()
  await world.sql`create table aside as select * from oauth2_integration`
  await world.sql`delete from oauth2_integration`
  pass(FREEZE_READ_MS + 1)
  t.match(await failureOf(refresh.recheck(answer, request())), { code: 'not_connected' })
  await world.sql`insert into oauth2_integration select * from aside`
})
