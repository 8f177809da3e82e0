import { Failure } from './core/failure.ts'
import type { Clock, Random } from './core/ports.ts'
import { databaseFailureKind, type DatabaseFailureKind } from './db/failure-kinds.ts'

// A start waits for Postgres (docs/design.md#readiness-and-shutdown). What waiting cannot cure ends it at once.

/** Before the second try; doubled until the last, with up to a quarter less. */
const FIRST_PAUSE_MS = 250
const LAST_PAUSE_MS = 5_000

/**
 * Kinds of failure after which a later try may succeed. A wrong password, a missing database and a certificate that
 * does not hold are of another kind.
 */
const PASSES: readonly DatabaseFailureKind[] = ['unreachable', 'connections', 'read_only', 'timeout']

export const isWorthWaiting = (error: unknown): boolean =>
  error instanceof Failure &&
  error.code === 'database_unavailable' &&
  PASSES.includes(databaseFailureKind(error.facts.detail ?? ''))

/**
 * Repeats `check` until it resolves. Rejects with an error that is not worth waiting for. False: `signal` was aborted
 * first. `onWait` is called before each pause.
 */
export async function waitForDatabase(
  check: () => Promise<void>,
  options: {
    clock: Pick<Clock, 'sleep'>
    random: Pick<Random, 'fraction'>
    signal: AbortSignal
    onWait(detail: string, pauseMs: number): void
  },
): Promise<boolean> {
  const { clock, random, signal, onWait } = options
  const aborted = new Promise<false>((resolve) => signal.addEventListener('abort', () => resolve(false)))
  for (let limitMs = FIRST_PAUSE_MS; !signal.aborted; limitMs = Math.min(2 * limitMs, LAST_PAUSE_MS)) {
    try {
      const done = check().then(() => true)
      // It may fail after nobody waits for it any more.
      done.catch(() => {})
      return await Promise.race([done, aborted])
    } catch (error) {
      if (!isWorthWaiting(error)) throw error
      const pauseMs = Math.round(limitMs * (1 - random.fraction() / 4))
      onWait((error as Failure).facts.detail ?? '', pauseMs)
      await clock.sleep(pauseMs, signal)
    }
  }
  return false
}
