import t from 'tap'
import { createCanary, type CanaryFault, type CanaryPorts } from '../../src/core/canary.ts'
import { Failure } from '../../src/core/failure.ts'
import type { Integration } from '../../src/core/integration.ts'
import type { Clock } from '../../src/core/ports.ts'
import { readCanaryFaults } from '../../src/core/stored.ts'
import { fixedRandom } from '../microsoft/support.ts'

// The loop and the results of the canary account. The whole of it: test/flow/canary-account.test.ts.

const INTEGRATION = { id: 'i', userId: 'canary', generation: 1 } as Integration

function setUp(changes: Partial<CanaryPorts> = {}) {
  const events: Parameters<CanaryPorts['observe']>[0][] = []
  const saved: CanaryFault[][] = []
  const pauses: number[] = []
  const clock: Clock = { now: () => 0, elapsed: () => 0, sleep: async (ms) => void pauses.push(ms) }
  const canary = createCanary({
    userId: 'canary',
    store: {
      claim: async () => true,
      save: async (faults) => saved.push([...faults]),
      state: async () => undefined,
    },
    integrations: { read: async () => INTEGRATION },
    refresh: { refreshNow: async () => ({ kind: 'tokens', integration: INTEGRATION, at: 0 }) },
    microsoft: { authorizePage: async () => undefined },
    clock,
    random: fixedRandom(0.5),
    observe: (event) => events.push(event),
    ...changes,
  })
  return { canary, events, saved, pauses, clock }
}

t.test('a run that another replica has taken, or that is not due, asks nobody', async (t) => {
  const asked = async () => t.fail('asked') as never
  const { canary, events } = setUp({
    store: { claim: async () => false, save: asked, state: asked },
    integrations: { read: asked },
    microsoft: { authorizePage: asked },
  })
  t.equal(await canary.step(), 'not_mine')
  t.same(events, [])
})

t.test('both steps are made, and each is named', async (t) => {
  const blocked = { verdict: 'reconnect', reason: 'blocked_by_policy', microsoft: { aadsts: 53003 } } as const
  const { canary, saved } = setUp({
    refresh: { refreshNow: async () => ({ kind: 'blocked', blocked }) },
    microsoft: { authorizePage: async () => ({ fault: 'redirect_uri_not_registered', aadsts: 50011 }) },
  })
  t.equal(await canary.step(), 'ran')
  t.same(saved, [
    [
      { step: 'refresh', fault: 'blocked_by_policy', aadsts: 53003 },
      { step: 'authorize_page', fault: 'redirect_uri_not_registered', aadsts: 50011 },
    ],
  ])
})

t.test('a refusal that stands is named and not asked for again', async (t) => {
  const standing = {
    ...INTEGRATION,
    status: 'reconnect_required',
    failure: { verdict: 'reconnect', reason: 'access_revoked', final: true, microsoft: { aadsts: 50173 } },
  } as Integration
  const { canary, saved } = setUp({
    integrations: { read: async () => standing },
    refresh: { refreshNow: async () => t.fail('asked') as never },
  })
  await canary.step()
  t.same(saved, [[{ step: 'refresh', fault: 'access_revoked', aadsts: 50173 }]])
})

t.test('a row that changed meanwhile is read again: what the other found counts', async (t) => {
  const reads = [INTEGRATION, { ...INTEGRATION, generation: 2 } as Integration]
  const { canary, saved } = setUp({
    integrations: { read: async () => reads.shift() },
    refresh: { refreshNow: async () => ({ kind: 'moved' }) },
  })
  await canary.step()
  t.same(saved, [[]], 'another refreshed it')
  await canary.step()
  t.same(saved[1], [{ step: 'refresh', fault: 'not_connected' }], 'nothing is stored')
})

t.test('a failure of our own database is no fault of Microsoft, and a token that does not open is one', async (t) => {
  const failing = (failure: Failure) => setUp({ integrations: { read: () => Promise.reject(failure) } })
  const broken = failing(new Failure('database_unavailable'))
  t.equal(await broken.canary.step(), 'broken')
  t.match(broken.events, [{ kind: 'broken' }])
  t.same(broken.saved, [])
  const sealed = failing(new Failure('token_unreadable'))
  t.equal(await sealed.canary.step(), 'ran')
  t.same(sealed.saved, [[{ step: 'refresh', fault: 'token_unreadable' }]])
})

t.test('the loop tries every 30 to 45 seconds, and ends when its signal is aborted', async (t) => {
  const ending = new AbortController()
  let claims = 0
  const { canary, pauses } = setUp({
    store: {
      async claim() {
        if (++claims === 3) ending.abort()
        return false
      },
      save: async () => 0,
      state: async () => undefined,
    },
  })
  await canary.run(ending.signal)
  t.equal(claims, 3)
  t.same(pauses, [15_000, 37_500, 37_500])
})

t.test('stored faults that no release writes are left out', async (t) => {
  t.same(readCanaryFaults([{ step: 'refresh', fault: 'throttled', aadsts: 90055 }, null, { step: 'x', fault: 'y' }]), [
    { step: 'refresh', fault: 'throttled', aadsts: 90055 },
  ])
  t.same(readCanaryFaults([{ step: 'refresh', fault: 'Robert"}\n', aadsts: -1 }]), [])
  t.same(readCanaryFaults('x'), [])
})
