const WINDOW_MS = 60_000

export interface CallerLimit {
  /** Seconds until the caller may send again; undefined: now. Does not count a request. */
  retryAfterSeconds(caller: string): number | undefined
  record(caller: string): void
}

/**
 * How many requests of each caller this replica accepts in a minute, which begins with the caller's first request
 * (docs/decisions/0012-caller-limit.md). Not the limiter of the public listener: that one waits for a store, counts
 * before the request can be checked, and costs every warm read a turn of the event loop. Callers are few and come from
 * the callers file, so the map does not grow. `max` is read for each request; `now` in milliseconds.
 */
export function createCallerLimit(max: () => number, now: () => number): CallerLimit {
  const windows = new Map<string, { began: number; used: number }>()
  const present = (caller: string) => {
    const window = windows.get(caller)
    const age = window === undefined ? WINDOW_MS : now() - window.began
    // If the clock was set back, a new window begins.
    return age >= 0 && age < WINDOW_MS ? window : undefined
  }
  return {
    retryAfterSeconds(caller) {
      const window = present(caller)
      return window === undefined || window.used < max()
        ? undefined
        : Math.max(1, Math.ceil((window.began + WINDOW_MS - now()) / 1000))
    },
    record(caller) {
      const window = present(caller)
      if (window === undefined) windows.set(caller, { began: now(), used: 1 })
      else window.used++
    },
  }
}
