import type { Admission, Microsoft, Permit, RefreshRequest } from '../../src/core/microsoft-port.ts'
import type { Clock, IntegrationStore } from '../../src/core/ports.ts'
import type { RefreshEvent } from '../../src/core/refresh-event.ts'
import { createRefresh, type TokenRequest } from '../../src/core/refresh.ts'
import type { RefreshPorts } from '../../src/core/refresh-types.ts'
import { systemClock } from '../../src/services.ts'
import { startWorld } from './world.ts'

// The refresh alone, with real Postgres and the simulator. Its pauses and deadlines end when the test says so, and its
// clock can be moved. `npm run mutants` runs the tests that use it for every mutant of refresh.ts, so each of them has
// one world for the whole file.

/** What arrives, in order; `next` waits for it. */
export class Queue<T> {
  readonly #arrived: T[] = []
  readonly #waiting: ((item: T) => void)[] = []
  push(item: T): void {
    const waiting = this.#waiting.shift()
    if (waiting === undefined) this.#arrived.push(item)
    else waiting(item)
  }
  arrived(): T[] {
    return this.#arrived.splice(0)
  }
  async next(): Promise<T> {
    return this.#arrived.length > 0 ? this.#arrived.shift()! : new Promise((resolve) => this.#waiting.push(resolve))
  }
}

interface Sleep {
  ms: number
  end(): void
}

interface Options {
  store?: Partial<IntegrationStore>
  admit?: Microsoft['admit']
  isFree?: Microsoft['isFree']
  /** Takes the place of the exchange with Microsoft. */
  answer?: Microsoft['refresh']
  /** A clock that only the test moves. Its deadlines are not those of Postgres' statements. */
  elapsed?: () => number
  /** Runs before the exchange that has this number, the first being 0. */
  beforeExchange?: (exchange: number) => Promise<void>
  /** Pauses pass at once and move the clock. */
  flowing?: boolean
  limitForced?: boolean
  /** Nothing is traced, and nobody hears of saves. */
  withoutTelemetry?: boolean
}

export const failureOf = (work: Promise<unknown>) =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  )

/** A world with the user 42, whose replica has the moved clock too. */
export async function startRefreshAlone(t: Parameters<typeof startWorld>[0]) {
  let shiftMs = 0
  const elapsedHere = () => systemClock.elapsed() + shiftMs
  const world = await startWorld(t, {
    env: { DATABASE_DEADLINE_MS: '30000' },
    overrides: { clock: { ...systemClock, elapsed: elapsedHere }, deadline: () => new AbortController().signal },
  })
  await world.connect('42')
  const { integrations, microsoft } = world.replica.services
  const { control } = world.entra
  const real = new WeakMap<Permit, Permit>()

  /** A refresh of its own, as another process would have one. */
  function start({
    store,
    admit = microsoft.admit,
    isFree = microsoft.isFree,
    answer = microsoft.refresh,
    beforeExchange = async () => {},
    flowing = false,
    withoutTelemetry = false,
    elapsed = elapsedHere,
    ...ports
  }: Options = {}) {
    const events: RefreshEvent[] = []
    const saves: Parameters<NonNullable<RefreshPorts['saved']>>[0][] = []
    const pauses = new Queue<Sleep>()
    const pausedMs: number[] = []
    const deadlines = new Queue<Sleep & { signal: AbortSignal }>()
    const permits = new Set<Permit>()
    const requests: RefreshRequest[] = []
    let traced = 0
    const clock: Clock = {
      now: systemClock.now,
      elapsed,
      sleep: (ms, signal) =>
        new Promise((resolve) => {
          if (signal !== undefined) return deadlines.push({ ms, signal, end: resolve })
          pausedMs.push(ms)
          if (!flowing) return pauses.push({ ms, end: resolve })
          shiftMs += ms
          setImmediate(resolve)
        }),
    }
    const refresh = createRefresh({
      integrations: { ...integrations, ...store },
      microsoft: {
        ...microsoft,
        isFree,
        admit() {
          const counted = (admission: Admission): Admission => {
            if ('retryAfterSeconds' in admission) return admission
            const permit = {
              release() {
                permits.delete(permit)
                admission.release()
              },
            }
            permits.add(permit)
            real.set(permit, admission)
            return permit
          }
          const admission = admit()
          return admission instanceof Promise ? admission.then(counted) : counted(admission)
        },
        async refresh(request, permit) {
          permits.delete(permit)
          await beforeExchange(requests.push(request) - 1)
          return answer(request, real.get(permit)!)
        },
      },
      clock,
      random: { ...world.replica.services.random, fraction: () => 0.5 },
      observe: (event) => void events.push(event),
      ...(withoutTelemetry
        ? {}
        : {
            saved: (save) => void saves.push(save),
            traced: (refreshOnce) => (traced++, refreshOnce()),
          }),
      ...ports,
    })
    const request = (more: Partial<TokenRequest> = {}): TokenRequest => ({
      userId: '42',
      minTtlSeconds: 300,
      deadlineAt: elapsed() + 8_000,
      requestId: 'test',
      ...more,
    })
    return {
      refresh,
      events,
      /** What was reported as saved. */
      saves,
      pauses,
      pausedMs,
      deadlines,
      requests,
      /** Permits that were neither used nor given back. */
      permits,
      flights: () => traced,
      kinds: () => events.map(({ kind }) => kind),
      request,
      token: (more: Partial<TokenRequest> = {}) => refresh.tokenFor(request(more)),
      async renew() {
        return (await refresh.renew((await integrations.read('42'))!, 'test')).kind
      },
    }
  }

  /** A caller that waits for the refresh of another process: its second look at the row is next, and sees `change`. */
  async function waiter(change: () => PromiseLike<unknown>, more: Partial<TokenRequest> = {}) {
    const started = start()
    const answer = started.token(more).catch((error: unknown) => error)
    ;(await started.pauses.next()).end()
    const { end } = await started.pauses.next()
    await change()
    end()
    return { ...started, answer }
  }

  const row = async () => (await world.row('42'))!
  return {
    world,
    integrations,
    control,
    start,
    waiter,
    row,
    elapsed: elapsedHere,
    /** Moves the clock. */
    pass(ms: number): void {
      shiftMs += ms
    },
    /** Refreshes that Microsoft was asked for. */
    calls: () => control.tokenRequests().byGrant['refresh_token'] ?? 0,
    generation: async () => Number((await row())['generation']),
    /** The row as it is after a connect, with this many seconds left, and Microsoft as it should be. */
    async reset(remaining = -1): Promise<void> {
      control.behave()
      control.release()
      control.resetCounters()
      await world.sql`drop trigger if exists refuse on oauth2_integration`
      await world.sql`delete from access_freeze`
      await world.sql`update oauth2_integration set status = 'active', failure = null, failures = 0, retry_at = null,
        lease_owner = null, lease_until = null, last_used_at = now(), refresh_due_at = null, forced_at = null,
        challenge = null, challenged_at = null, claims_hash = null`
      await world.setRemaining('42', remaining)
    },
    lease: (seconds = 3_600, owner = 'another process') =>
      world.sql`update oauth2_integration set lease_owner = ${owner}, lease_until = now() + make_interval(secs => ${seconds})`,
    mark(failure: object, retryInSeconds: number | null = null) {
      const stored = { verdict: 'reconnect', final: false, reason: 'blocked_by_policy', microsoft: {}, ...failure }
      return world.sql`update oauth2_integration set status = 'reconnect_required', failure = ${world.sql.json(stored)},
        retry_at = now() + make_interval(secs => ${retryInSeconds})`
    },
  }
}
