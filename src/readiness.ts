import type { DatabaseProblem } from './database-health.ts'
import type { Database } from './db/client.ts'
import { NOT_WRITABLE } from './doctor/database-problems.ts'
import type { BreakerState } from './microsoft/breaker.ts'
import type { Services } from './services.ts'
import { VERSION } from './version.ts'

// The answer of `/readyz` (docs/design.md#readiness-and-shutdown): 503 only before the start is complete, while
// draining, and while audit lines cannot be written. Every other problem is a note in its body.

/**
 * How long Postgres may take. Kubernetes gives a probe one second: a slow database must not look like a dead replica.
 */
const DATABASE_TIMEOUT_MS = 500
/** A caller key that expires within this time is named. */
const EXPIRES_SOON_MS = 14 * 86_400_000

interface BreakerBody {
  mode: string
  reason?: string
  retry_after_seconds?: number
}

const breakerBody = ({ mode, reason, retryAfterSeconds }: BreakerState): BreakerBody => ({
  mode,
  ...(reason === undefined ? {} : { reason }),
  ...(retryAfterSeconds === undefined ? {} : { retry_after_seconds: retryAfterSeconds }),
})

export interface Readiness {
  /** False only before the start is complete, while draining, and while audit lines cannot be written. */
  ready: boolean
  version: string
  draining: boolean
  /** `blocked`, `closed`: audit lines cannot be written, so no token is handed out. */
  log: 'open' | 'blocked' | 'closed'
  /** `not_writable`: it answers, and nothing can be stored. `database_problems` says why. */
  database: 'ok' | 'slow' | 'not_writable' | 'unavailable'
  /** What is wrong with the database, from failed statements of the last minute and from the heartbeat. */
  database_problems: readonly DatabaseProblem[]
  breaker: BreakerBody
  /** Of earlier app registrations, if any are configured. */
  previous_breakers?: ({ client_id: string } & BreakerBody)[]
  /** Key ids that expire within 14 days. */
  caller_keys_expiring: string[]
  /** Changed files that are not used, because the next start would fail with them. */
  refused_changes: readonly { variable: string; problem: string }[]
}

/** A question that is under way answers for all who ask meanwhile: strangers may ask often. */
const asking = new WeakMap<Database, Promise<'ok' | 'unavailable'>>()

function ask(database: Database): Promise<'ok' | 'unavailable'> {
  const answer =
    asking.get(database) ??
    database
      .run((db) => db.execute('select 1'))
      .then(
        () => 'ok' as const,
        () => 'unavailable' as const,
      )
      .finally(() => asking.delete(database))
  asking.set(database, answer)
  return answer
}

/** Never rejects. Takes at most half a second. */
export async function readiness({
  database,
  databaseHealth,
  microsoft,
  callers,
  clock,
  config,
  logOutput,
  rotating,
  lifecycle: { started, draining },
}: Services): Promise<Readiness> {
  const answered = new AbortController()
  const databaseState = await Promise.race([
    ask(database),
    clock.sleep(DATABASE_TIMEOUT_MS, answered.signal).then(() => 'slow' as const),
  ])
  answered.abort()
  const problems = databaseHealth.problems()
  const isWritable = !problems.some(({ kind }) => NOT_WRITABLE.includes(kind))
  const log = logOutput.state()
  const [current, ...previous] = microsoft.breakers()
  const expiring = [...callers.current().byKeyId.values()]
    .filter(({ key }) => key.notAfter < clock.now() + EXPIRES_SOON_MS)
    .map(({ key }) => key.keyId)
  return {
    ready: started && !draining && (log === 'open' || config.auditMode === 'best-effort'),
    version: VERSION,
    draining,
    log,
    database: databaseState === 'ok' && !isWritable ? 'not_writable' : databaseState,
    database_problems: problems,
    breaker: breakerBody(current.state),
    ...(previous.length === 0
      ? {}
      : {
          previous_breakers: previous.map(({ clientId, state }) => ({ client_id: clientId, ...breakerBody(state) })),
        }),
    caller_keys_expiring: expiring,
    refused_changes: rotating.refusedChanges,
  }
}
