import t from 'tap'
import { judgeConnect } from '../../src/core/connect-decision.ts'
import type { Account } from '../../src/core/integration.ts'

const TENANT = '11111111-0000-4000-8000-000000000000'
const JANE: Account = {
  tenantId: TENANT,
  objectId: '22222222-0000-4000-8000-00000000000a',
  username: 'jane@contoso.com',
}
const BOB: Account = { tenantId: TENANT, objectId: '33333333-0000-4000-8000-00000000000b', username: 'bob@contoso.com' }
const names = { username: 'jane@contoso.com', displayName: null }

const judge = (stored: { account?: Account } | undefined, account: Account, allowSwitch = false) =>
  judgeConnect(stored, { allowSwitch }, { account })

t.test('the first connect of a user stores the account and is an event', async (t) => {
  t.strictSame(judge(undefined, JANE), {
    kind: 'store',
    outcome: { result: 'connected', account: JANE },
    event: 'connected',
    keepsRow: false,
    account: { tenantId: TENANT, objectId: JANE.objectId, ...names },
  })
})

t.test('the same account again is a reconnect; a name that it did not bring is cleared', async (t) => {
  const { username: _, ...nameless } = JANE
  for (const account of [nameless, { ...nameless, tenantId: TENANT.toUpperCase() }])
    t.match(judge({ account: JANE }, account), {
      kind: 'store',
      outcome: { result: 'reconnected' },
      event: 'reconnected',
      keepsRow: true,
      account: { objectId: JANE.objectId, username: null, displayName: null },
    })
})

t.test('another account is refused, and the outcome names both', async (t) => {
  for (const other of [BOB, { ...JANE, tenantId: BOB.objectId }])
    t.strictSame(judge({ account: JANE }, other), {
      kind: 'refuse',
      outcome: {
        result: 'refused',
        code: 'account_mismatch',
        reason: 'other_account',
        account: other,
        expectedAccount: JANE,
      },
    })
})

t.test('another account replaces the stored one if the session allows a switch', async (t) => {
  t.match(judge({ account: JANE }, BOB, true), {
    kind: 'store',
    event: 'reconnected',
    keepsRow: false,
    account: { objectId: BOB.objectId },
  })
})

t.test('an imported row whose account is not known yet takes the account that connects', async (t) => {
  t.match(judge({}, BOB), {
    kind: 'store',
    event: 'reconnected',
    keepsRow: false,
    account: { objectId: BOB.objectId },
  })
})
