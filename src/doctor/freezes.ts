import { harvestLimit } from '../core/harvest.ts'
import type { Services } from '../services.ts'
import { combined, ok, warning, type Finding } from './check.ts'
import { freezeFacts, freezeLine } from './user.ts'

// What withholds tokens, and which caller keys ask for unusually many users.

export async function freezes({ freezes: store, callers, clock }: Services): Promise<Finding> {
  const list = await store.list()
  if (list.length === 0) return ok('Nothing is frozen.')
  return combined(
    list.map((freeze) => {
      const line = `Frozen: ${freezeLine(freezeFacts(freeze), clock.now())}.`
      if (freeze.scope === 'caller_key' && !callers.current().byKeyId.has(freeze.value))
        return warning(
          `${line} The callers file has no such key.`,
          'Compare the id with CALLERS_FILE: this freezes nothing.',
        )
      return warning(line, 'If the cause is over: token-broker unfreeze. See docs/runbooks.md#freeze')
    }),
  )
}

export async function callerKeyUse({ keyUse, config }: Services): Promise<Finding> {
  const keys = await keyUse.present()
  if (keys.length === 0) return ok('No caller key has asked for a token in this hour.')
  return combined(
    keys.map(({ keyId, users, busiest }) => {
      const limit = harvestLimit(busiest, config.harvest.alertAbove)
      const line = `${keyId} has asked for about ${users} different users in this hour; the alarm begins above ${limit}.`
      return users > limit ? warning(line, 'The key may be stolen. See docs/runbooks.md#tokenbrokerharvest') : ok(line)
    }),
  )
}
