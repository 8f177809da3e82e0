import type { Readiness } from './http/operations.ts'
import type { Services } from './services.ts'

// What `/readyz` says (design 4): 503 only before the first complete start and while draining; what else is wrong stands in its body.

/** Milliseconds that Postgres has to answer. Well within the second that Kubernetes gives a probe: a slow database must not look like a dead replica. */
const DATABASE_TIMEOUT_MS = 500
/** Milliseconds before its end at which a caller's key is named. */
const EXPIRES_SOON_MS = 14 * 86_400_000

export async function readiness({
  database,
  microsoft,
  callers,
  clock,
  lifecycle: { started, draining },
}: Services): Promise<Readiness> {
  const answered = new AbortController()
  const state = await Promise.race([
    database
      .run((db) => db.execute('select 1'))
      .then(
        () => 'ok',
        () => 'unavailable',
      ),
    clock.sleep(DATABASE_TIMEOUT_MS, answered.signal).then(() => 'slow'),
  ])
  answered.abort()
  const expiring = [...callers.current().byKeyId.values()]
    .filter(({ key }) => key.notAfter < clock.now() + EXPIRES_SOON_MS)
    .map(({ key }) => key.keyId)
  return {
    ready: started && !draining,
    notes: {
      ...(draining ? { draining } : {}),
      database: state,
      breaker: microsoft.breaker(),
      ...(expiring.length > 0 ? { caller_keys_expiring: expiring } : {}),
    },
  }
}
