import t from 'tap'
import type { Admission, Permit } from '../../src/core/microsoft-port.ts'
import { MAX_AT_ONCE } from '../../src/microsoft/breaker.ts'
import { refreshRequest, setUp } from './world.ts'

// Earlier app registrations that are taken out of the configuration while refreshes of theirs are under way.

const OLD = 'bbbbbbbb-0000-4000-8000-000000000001'
const client = { clientId: OLD, credentials: [{ kind: 'secret', secret: 'secret~canary.2' } as const] }

const isPermit = (admission: Admission): admission is Permit => 'release' in admission

for (const isPutBack of [false, true])
  t.test(
    `nobody waits for ever for a registration that was taken out${isPutBack ? ' and put back' : ''}`,
    { timeout: 60_000 },
    async (t) => {
      const { microsoft } = await setUp(t, { previousClients: [client] })
      const admissions = Array.from({ length: 3 * MAX_AT_ONCE }, () => microsoft.admit(OLD))
      t.equal(microsoft.refreshesNow().waiting, 2 * MAX_AT_ONCE)
      t.strictSame([microsoft.isFree(OLD), microsoft.isFree()], [false, true])
      microsoft.usePreviousClients([])
      if (isPutBack) microsoft.usePreviousClients([client])
      let ended = 0
      const all = admissions.map(async (waiting) => {
        const admission = await waiting
        if (isPermit(admission)) await microsoft.refresh({ ...refreshRequest, clientId: OLD }, admission)
        ended += 1
      })
      // If one of them waits for ever, the time limit of the test ends it.
      await Promise.all(all)
      t.equal(ended, 3 * MAX_AT_ONCE)
    },
  )
