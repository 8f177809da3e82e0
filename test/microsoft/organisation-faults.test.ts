import t from 'tap'
import { createOrganisationFaults, REPORT_WINDOW_MS } from '../../src/microsoft/organisation-faults.ts'
import { errorBody, json, OBJECT } from './support.ts'
import { noPermit, refreshRequest, setUp, withIdToken } from './world.ts'

const tenant = (digit: number) => `${String(digit).repeat(8)}-0000-4000-8000-000000000000`

t.test('three organisations within ten minutes, and none that succeeds', async (t) => {
  let now = 0
  const faults = createOrganisationFaults(() => now)
  t.equal(faults.report('a'), false)
  t.equal(faults.report('a'), false, 'the same one again')
  t.equal(faults.report('b'), false)
  now = REPORT_WINDOW_MS
  t.equal(faults.report('c'), true)
  now += 1
  t.equal(faults.report('c'), false, 'the first two are too long ago')
  t.equal(faults.report('d'), false)
  faults.succeeded()
  t.equal(faults.report('e'), false)
})

t.test("an application that is missing in one organisation is that organisation's; in three it is ours", async (t) => {
  const missing = json(errorBody(700016, 'unauthorized_client'), 400)
  const { microsoft, far, clock } = await setUp(t, {}, { token: missing })
  const refresh = (digit: number) => {
    const account = { tenantId: tenant(digit), objectId: OBJECT }
    return microsoft.refresh({ ...refreshRequest, account }, noPermit)
  }
  const theirs = { kind: 'reconnect', final: false, reason: 'app_unavailable', microsoft: { aadsts: 700016 } }
  const ours = { kind: 'misconfigured', everybody: false, reason: 'app_registration', microsoft: { aadsts: 700016 } }
  t.match(await refresh(1), theirs)
  t.match(await refresh(1), theirs)
  t.match(await refresh(2), theirs)
  t.match(await refresh(3), ours)
  t.match(await refresh(1), ours)
  t.equal(microsoft.breaker().mode, 'closed')

  far.token = withIdToken()
  t.match(await microsoft.refresh(refreshRequest, noPermit), { kind: 'tokens' })
  far.token = missing
  t.match(await refresh(1), theirs, 'one that succeeds shows that our application is there')
  t.match(await refresh(2), theirs)
  clock.advance(REPORT_WINDOW_MS + 1)
  t.match(await refresh(3), theirs)
})

t.test('without a stored tenant, or where the stored one is the configured one, it is our configuration', async (t) => {
  const token = json(errorBody(90002, 'invalid_tenant'), 400)
  const { account, ...unknown } = refreshRequest
  const any = await setUp(t, {}, { token })
  t.match(await any.microsoft.refresh(unknown, noPermit), { kind: 'misconfigured', reason: 'app_registration' })
  const one = await setUp(t, { tenant: account!.tenantId.toUpperCase() }, { token })
  t.match(await one.microsoft.refresh(refreshRequest, noPermit), { kind: 'misconfigured', reason: 'app_registration' })
  t.match(await any.microsoft.refresh(refreshRequest, noPermit), { kind: 'reconnect', reason: 'tenant_unavailable' })
})
