import { Failure } from './failure.ts'
import type { Clock, Due, IntegrationStore, KeepAliveDays, KeepAliveStore, Random } from './ports.ts'
import type { Refresh } from './refresh.ts'

// Keeps integrations alive that nobody uses for a while (docs/design.md#keep-alive): Microsoft's refresh tokens die
// after 90 days without use. Every replica may run it: a renewal uses the ordinary claim, so nothing is refreshed
// twice.

/**
 * Most renewals that one replica begins in a minute. The pause is RENEWAL_PAUSE_MS × 1.0 to 1.5, and the exchange comes
 * on top: about 50,000 a day if Microsoft answers in half a second, so one replica keeps two million integrations
 * alive.
 */
const RENEWALS_PER_MINUTE = 60
/** Milliseconds between two renewals, before jitter. */
const RENEWAL_PAUSE_MS = 60_000 / RENEWALS_PER_MINUTE
/** Milliseconds between two sweeps, before jitter. What is due has weeks left. */
const SWEEP_PAUSE_MS = 3_600_000
/** Milliseconds before the first sweep (at most), and between two sweeps if the last one did not finish. */
const SHORT_SWEEP_PAUSE_MS = 60_000
const PAGE_SIZE = 60

/**
 * The result for one integration. `skipped`: another process has refreshed it or is refreshing it, or it is deleted.
 */
export const RENEWAL_RESULTS = ['renewed', 'failed', 'skipped', 'let_go'] as const
export type RenewalResult = (typeof RENEWAL_RESULTS)[number]

/** Why a sweep ended: all done, the breaker is open, its signal aborted, or our own database failed. */
export const SWEEP_ENDS = ['done', 'breaker', 'stopped', 'broken'] as const

export interface Sweep {
  renewed: number
  failed: number
  skipped: number
  letGo: number
  ended: (typeof SWEEP_ENDS)[number]
}

export interface KeepAlivePorts {
  store: KeepAliveStore
  integrations: Pick<IntegrationStore, 'read'>
  refresh: Pick<Refresh, 'renew'>
  /** Whether refreshes may be sent freely: the breaker of at least one app registration is closed. */
  breakerClosed(): boolean
  clock: Clock
  random: Random
  days: KeepAliveDays
  /** `err`: the error that ended the sweep. */
  observe(
    event: { kind: 'renewal'; result: RenewalResult; userId: string } | ({ kind: 'sweep'; err?: unknown } & Sweep),
  ): void
}

export interface KeepAlive {
  /**
   * Goes once over everything that is due, oldest first, with at most RENEWALS_PER_MINUTE; before that, lets unused
   * integrations go. If the breaker is open it tries one and stops: that one is sent only as the breaker's own probe.
   * Never throws.
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
  const lengthened = (ms: number): number => ms * (1 + random.fraction() / 2)

  /** Renews only what has not changed since it was found: another replica reads the same list. */
  async function renew(
    due: Due,
  ): Promise<{ result: Exclude<RenewalResult, 'let_go'>; blocked: boolean; sent: boolean }> {
    try {
      const integration = await integrations.read(due.userId)
      if (integration === undefined || integration.generation !== due.generation) return skipped
      if (integration.failure?.final === true || (integration.leaseInSeconds ?? 0) > 0) return skipped
      const outcome = await refresh.renew(integration, random.uuid())
      if (outcome.kind === 'moved') return skipped
      if (outcome.kind === 'tokens') return { result: 'renewed', blocked: false, sent: true }
      const blocked = outcome.kind === 'blocked'
      return { result: 'failed', blocked, sent: !(blocked && outcome.unsent === true) }
    } catch (error) {
      // One row that does not open must not stop the sweep.
      if (error instanceof Failure && error.code === 'token_unreadable')
        return { result: 'failed', blocked: false, sent: true }
      throw error
    }
  }

  async function letUnusedGo(sweep: Sweep, signal: AbortSignal): Promise<void> {
    for (;;) {
      const users = await store.unused({ ...days, limit: PAGE_SIZE })
      let gone = 0
      for (const userId of users) {
        if (signal.aborted) return
        if (!(await store.letGo(userId, days))) continue
        gone++
        observe({ kind: 'renewal', result: 'let_go', userId })
      }
      sweep.letGo += gone
      if (users.length < PAGE_SIZE || gone === 0) return
    }
  }

  async function renewAll(sweep: Sweep, signal: AbortSignal): Promise<Sweep['ended']> {
    let from: Due | undefined
    for (;;) {
      const page = await store.due({ ...days, limit: PAGE_SIZE, ...(from === undefined ? {} : { from }) })
      for (const due of shuffled(page, random)) {
        if (signal.aborted) return 'stopped'
        const { result, blocked, sent } = await renew(due)
        sweep[result]++
        observe({ kind: 'renewal', result, userId: due.userId })
        if (blocked && !breakerClosed()) return 'breaker'
        // An open breaker of one registration must not slow down the integrations of another.
        if (sent) await clock.sleep(lengthened(RENEWAL_PAUSE_MS), signal)
      }
      if (page.length < PAGE_SIZE) return 'done'
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
      // The database is away or refuses a statement: the next sweep starts from the beginning.
      broken = { err }
    }
    observe({ kind: 'sweep', ...report, ...broken })
    return report
  }

  return {
    sweep,
    async run(signal) {
      // A random pause first, so that replicas that start together do not sweep together.
      let pauseMs = SHORT_SWEEP_PAUSE_MS * random.fraction()
      while (!signal.aborted) {
        await clock.sleep(pauseMs, signal)
        if (signal.aborted) return
        const { ended } = await sweep(signal)
        pauseMs = lengthened(ended === 'done' ? SWEEP_PAUSE_MS : SHORT_SWEEP_PAUSE_MS)
      }
    },
  }
}

const skipped = { result: 'skipped', blocked: false, sent: false } as const

/** Two replicas with the same page take its integrations in different orders. */
function shuffled<T>(items: readonly T[], random: Random): T[] {
  return items
    .map((item) => ({ item, at: random.fraction() }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ item }) => item)
}
