/** Milliseconds that a share is for. */
const WINDOW = 60_000

export interface CallerLimit {
  /** Seconds until the caller may ask again; undefined: it may now. Counts nothing. */
  retryAfterSeconds(caller: string): number | undefined
  record(caller: string): void
}

/**
 * How many requests of each caller this replica takes in a minute that begins with the caller's first. Not the limiter of the public
 * listener: that one waits on a store, counts before anything can be looked at, and costs every warm read a turn of the event loop.
 * Callers are few and come from the callers file, so nothing here grows. `max` is asked anew each time; `now` in milliseconds.
 */
export function createCallerLimit(max: () => number, now: () => number): CallerLimit {
  const windows = new Map<string, { began: number; used: number }>()
  const present = (caller: string) => {
    const window = windows.get(caller)
    const age = window === undefined ? WINDOW : now() - window.began
    // A clock set back begins a new one.
    return age >= 0 && age < WINDOW ? window : undefined
  }
  return {
    retryAfterSeconds(caller) {
      const window = present(caller)
      return window === undefined || window.used < max()
        ? undefined
        : Math.max(1, Math.ceil((window.began + WINDOW - now()) / 1000))
    },
    record(caller) {
      const window = present(caller)
      if (window === undefined) windows.set(caller, { began: now(), used: 1 })
      else window.used++
    },
  }
}
