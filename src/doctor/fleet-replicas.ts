import { ops, type Conclusion } from './check.ts'
import type { FleetFacts } from './fleet.ts'
import { LOG_ADVICE, REFUSED_CHANGE_ADVICE, refusedChangeLines, withoutLog } from './replicas.ts'

// Conclusions about what single replicas say of themselves (fleet-conclusions.ts has the others).

type Replicas = Pick<FleetFacts, 'replicas'>

/** Before `replicas`, which says only that such a replica is not ready. */
export function blockedLog({ replicas: all }: Replicas): Conclusion[] {
  const blocked = withoutLog(all)
  if (blocked.length === 0) return []
  const serving = all.some(({ problem, ready }) => problem === null && ready === true)
  const list = blocked.map(({ address, log }) => `${address} (${log})`).join(', ')
  return [
    ops(
      serving ? 'warning' : 'failed',
      `These replicas cannot write audit lines to their log: ${list}. ` +
        'They hand out no token, unless AUDIT is best-effort.',
      LOG_ADVICE,
    ),
  ]
}

export function refusedChanges({ replicas: all }: Replicas): Conclusion[] {
  const lines = refusedChangeLines(all)
  if (lines.length === 0) return []
  return [
    ops(
      'warning',
      `Changed files are not used, because the next start would fail with them: ${lines.join('; ')}.`,
      REFUSED_CHANGE_ADVICE,
    ),
  ]
}
