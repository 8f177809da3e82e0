import { Failure } from './failure.ts'
import type { Clock, Due, IntegrationStore, KeepAliveDays, KeepAliveStore, Random } from './ports.ts'
import type { Refresh } from './refresh.ts'

// Keeps integrations alive that nobody uses for a while (design 2.3): Microsoft's refresh tokens die after 90 days without use. Every
// replica may run it: what is renewed goes through the ordinary claim, so nothing is refreshed twice.

/**
 * Renewals that one replica begins in a minute at most. The pause is PACE × 1.0 to 1.5, and the exchange comes on top: about 50,000 a day where
 * Microsoft answers in half a second, so one replica keeps two million integrations alive.
 */
const PER_MINUTE = 60
/** Milliseconds between two renewals, before jitter: the budget, spread out. */
const PACE = 60_000 / PER_MINUTE
/** Milliseconds between two sweeps, before jitter. What is due has weeks left. */
const PAUSE = 3_600_000
const PAGE = 60

/** What became of one integration. `skipped`: somebody else refreshed it, is at it, or it is gone. */
export type RenewalResult = 'renewed' | 'failed' | 'skipped' | 'let_go'

export interface Sweep {
  renewed: number
  failed: number
  skipped: number
  letGo: number
  /** Why it ended: all done, nothing is sent to Microsoft now, it was told to stop, or our own database failed. */
  ended: 'done' | 'breaker' | 'stopped' | 'broken'
}

export interface KeepAlivePorts {
  store: KeepAliveStore
  integrations: Pick<IntegrationStore, 'read'>
  refresh: Pick<Refresh, 'renew'>
  /** Whether refreshes may be sent freely: the breaker is closed. */
  breakerClosed(): boolean
  clock: Clock
  random: Random
  days: KeepAliveDays
  /** `err`: what broke the sweep. */
  observe(
    event: { kind: 'renewal'; result: RenewalResult; userId: string } | ({ kind: 'sweep'; err?: unknown } & Sweep),
  ): void
}

export interface KeepAlive {
  /**
   * Goes once over everything that is due, oldest first, at most PER_MINUTE renewals a minute; before that, lets unused ones go. With the
   * breaker open it tries one and stops: that one is sent only as the breaker's own probe. Never throws.
   */
  sweep(signal: AbortSignal): Promise<Sweep>
  /** Sweeps until the signal aborts; a renewal that has begun is finished. */
  run(signal: AbortSignal): Promise<void>
}

export function createKeepAlive({
  store,
  integrations,
  refresh,
  breakerClosed,
  clock,
  random,
  days,
  observe,
}: KeepAlivePorts): KeepAlive {
  const jittered = (ms: number): number => ms * (1 + random.fraction() / 2)

  /** Only where it still stands as it did: another replica reads the same list. */
  async function renew(due: Due): Promise<{ result: RenewalResult; stopped: boolean }> {
    try {
      const integration = await integrations.read(due.userId)
      if (integration === undefined || integration.generation !== due.generation) return skipped
      if (integration.failure?.final === true || (integration.leaseInSeconds ?? 0) > 0) return skipped
      const outcome = await refresh.renew(integration, uuid(random))
      if (outcome === 'moved') return skipped
      return { result: outcome === 'tokens' ? 'renewed' : 'failed', stopped: outcome === 'stopped' }
    } catch (error) {
      // One row that does not open must not keep the others waiting.
      if (error instanceof Failure && error.code === 'token_unreadable') return { result: 'failed', stopped: false }
      throw error
    }
  }

  async function letUnusedGo(sweep: Sweep, signal: AbortSignal): Promise<void> {
    for (;;) {
      const users = await store.unused({ ...days, limit: PAGE })
      let gone = 0
      for (const userId of users) {
        if (signal.aborted) return
        if (!(await store.letGo(userId, days))) continue
        gone++
        observe({ kind: 'renewal', result: 'let_go', userId })
      }
      sweep.letGo += gone
      if (users.length < PAGE || gone === 0) return
    }
  }

  async function renewAll(sweep: Sweep, signal: AbortSignal): Promise<Sweep['ended']> {
    let from: Due | undefined
    for (;;) {
      const page = await store.due({ ...days, limit: PAGE, ...(from === undefined ? {} : { from }) })
      for (const due of shuffled(page, random)) {
        if (signal.aborted) return 'stopped'
        const { result, stopped } = await renew(due)
        sweep[result as 'renewed' | 'failed' | 'skipped']++
        observe({ kind: 'renewal', result, userId: due.userId })
        if (stopped && !breakerClosed()) return 'breaker'
        if (result !== 'skipped') await clock.sleep(jittered(PACE), signal)
      }
      if (page.length < PAGE) return 'done'
      from = page.at(-1)
    }
  }

  async function sweep(signal: AbortSignal): Promise<Sweep> {
    const report: Sweep = { renewed: 0, failed: 0, skipped: 0, letGo: 0, ended: 'broken' }
    let broken: { err?: unknown } = {}
    try {
      await letUnusedGo(report, signal)
      report.ended = signal.aborted ? 'stopped' : await renewAll(report, signal)
    } catch (err) {
      // The database is away or refuses a statement: the next sweep begins anew.
      broken = { err }
    }
    observe({ kind: 'sweep', ...report, ...broken })
    return report
  }

  return {
    sweep,
    async run(signal) {
      // Replicas that start together do not sweep together.
      let pause = (PAUSE / 60) * random.fraction()
      while (!signal.aborted) {
        await clock.sleep(pause, signal)
        if (signal.aborted) return
        const { ended } = await sweep(signal)
        pause = jittered(ended === 'done' ? PAUSE : PAUSE / 60)
      }
    },
  }
}

const skipped = { result: 'skipped', stopped: false } as const

/** A random UUID (RFC 9562 5.4): Microsoft takes nothing else as `client-request-id`. */
function uuid(random: Random): string {
  const bytes = random.bytes(16)
  bytes[6] = (bytes[6]! & 0x0f) | 0x40
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}

/** Two replicas with the same page begin at different ends of it. */
function shuffled<T>(items: readonly T[], random: Random): T[] {
  return items
    .map((item) => ({ item, at: random.fraction() }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ item }) => item)
}
