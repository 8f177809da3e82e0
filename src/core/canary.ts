import { blockedByRow } from './blocked.ts'
import { Failure, type AnyReason, type MicrosoftError } from './failure.ts'
import type { AuthorizePageFault, Microsoft } from './microsoft-port.ts'
import type { Clock, IntegrationStore, Random } from './ports.ts'
import type { Refresh } from './refresh.ts'

// The canary account (docs/design.md#canary): a connected test user is refreshed every five minutes, and the authorize
// page is looked at, so that a fault of the registration, a policy or the network is noticed before users meet it. One
// replica does it, by a claim in the database. Off unless CANARY_USER is set.

/** Seconds between the beginnings of two runs; Microsoft pauses a client after about 15 like requests in 5 minutes. */
export const RUN_SECONDS = 300
/** Seconds after a run that failed: a second look soon, because one failure alone is no fault. */
export const RUN_AFTER_FAILURE_SECONDS = 90
/** Milliseconds between two tries to take the next run, before jitter: × 1 to 1.5. */
const POLL_MS = 30_000
/** Runs that must fail in a row before it is a fault. */
export const FAILURES_TO_REPORT = 2

export const CANARY_STEPS = ['refresh', 'authorize_page'] as const
export type CanaryStep = (typeof CANARY_STEPS)[number]

/** What went wrong, in one word: a reason of the closed list, or a word of this file's or of `AuthorizePageFault`. */
export interface CanaryFault {
  step: CanaryStep
  fault: AnyReason | AuthorizePageFault | 'not_connected' | 'token_unreadable'
  aadsts?: number
}

export interface CanaryState {
  /** Seconds since the last run began; by Postgres' clock, as all times here. */
  begunSecondsAgo: number
  /** Runs in a row that failed, up to the last one that ended. */
  failures: number
  /** ISO 8601: when the first of them ended. */
  failingSince?: string
  /** Of the last run that ended. */
  faults: readonly CanaryFault[]
  /** Seconds since a run ended; absent: none has. */
  endedSecondsAgo?: number
}

export interface CanaryStore {
  /** Takes the next run, if it is due. One of all replicas gets it. */
  claim(): Promise<boolean>
  /** Ends a run. Resolves with the number of runs in a row that failed, this one included. */
  save(faults: readonly CanaryFault[]): Promise<number>
  /** Undefined: there was no run yet. */
  state(): Promise<CanaryState | undefined>
}

export interface CanaryPorts {
  userId: string
  store: CanaryStore
  integrations: Pick<IntegrationStore, 'read'>
  refresh: Pick<Refresh, 'refreshNow'>
  microsoft: Pick<Microsoft, 'authorizePage'>
  clock: Clock
  random: Random
  observe(
    event:
      | { kind: 'run'; faults: readonly CanaryFault[]; failures: number }
      /** Our own database failed: it says nothing about Microsoft. */
      | { kind: 'broken'; err: unknown },
  ): void
}

export interface Canary {
  /** One run, if it is due and this replica gets it. Never rejects. */
  step(): Promise<'not_mine' | 'ran' | 'broken'>
  /** Takes part until the signal aborts; a run that has begun is finished. */
  run(signal: AbortSignal): Promise<void>
}

export function createCanary({
  userId,
  store,
  integrations,
  refresh,
  microsoft,
  clock,
  random,
  observe,
}: CanaryPorts): Canary {
  const faultOf = (fault: CanaryFault['fault'], microsoft: MicrosoftError = {}): CanaryFault => ({
    step: 'refresh',
    fault,
    ...(microsoft.aadsts === undefined ? {} : { aadsts: microsoft.aadsts }),
  })

  /** By the ordinary claim and the breaker: what is wrong with this account alone disturbs no other. */
  async function tryRefresh(): Promise<CanaryFault | undefined> {
    const integration = await integrations.read(userId)
    if (integration === undefined) return faultOf('not_connected')
    // A refusal that stands is not asked for again: it has its own pace (docs/design.md#verdicts).
    const standing = blockedByRow(integration)
    if (standing !== undefined) return faultOf(standing.reason, standing.microsoft)
    const outcome = await refresh.refreshNow(integration, random.uuid())
    switch (outcome.kind) {
      case 'tokens':
        return undefined
      case 'blocked':
        return faultOf(outcome.blocked.reason, outcome.blocked.microsoft)
      case 'broken':
        throw outcome.failure
      case 'moved': {
        // Another refreshed it, or failed to, at the same time.
        const now = await integrations.read(userId)
        const blocked = now === undefined ? undefined : blockedByRow(now)
        if (now === undefined) return faultOf('not_connected')
        return blocked === undefined ? undefined : faultOf(blocked.reason, blocked.microsoft)
      }
    }
  }

  async function refreshed(): Promise<CanaryFault | undefined> {
    try {
      return await tryRefresh()
    } catch (error) {
      if (error instanceof Failure && error.code === 'token_unreadable') return faultOf('token_unreadable')
      throw error
    }
  }

  async function look(): Promise<CanaryFault | undefined> {
    const page = await microsoft.authorizePage(random.uuid())
    return page === undefined ? undefined : { step: 'authorize_page', ...page }
  }

  async function step(): Promise<'not_mine' | 'ran' | 'broken'> {
    try {
      if (!(await store.claim())) return 'not_mine'
      const faults = [await refreshed(), await look()].filter((fault) => fault !== undefined)
      observe({ kind: 'run', faults, failures: await store.save(faults) })
      return 'ran'
    } catch (err) {
      observe({ kind: 'broken', err })
      return 'broken'
    }
  }

  return {
    step,
    async run(signal) {
      // A random pause first, so that replicas that start together do not ask together.
      let pauseMs = POLL_MS * random.fraction()
      while (!signal.aborted) {
        await clock.sleep(pauseMs, signal)
        if (signal.aborted) return
        await step()
        pauseMs = POLL_MS * (1 + random.fraction() / 2)
      }
    },
  }
}
