/** How much of a limit a key has used. */
export interface Exceeded {
  /** Until the window ends; at least 1. */
  retryAfterSeconds: number
  /** The first request beyond the limit in this window. */
  first: boolean
}

export interface WindowLimit {
  /** Counts a request. Undefined: it is within the limit. */
  take(key: string): Exceeded | undefined
  /** Forgets the keys whose window is over. */
  sweep(): void
  readonly size: number
}

/** Keys that one limit remembers. A key of 43 characters takes about 200 bytes, so this is 2 MB. */
export const MAX_KEYS = 10_000

/**
 * At most `max` requests of one key in a window, which begins with its first request. Keys are forgotten when their
 * window is over, and the oldest one when there are `maxKeys`: then somebody is counted from the beginning, which harms
 * nobody. The caller makes sure that keys are short. `now` in milliseconds, monotonic.
 */
export function createWindowLimit(options: {
  max: number
  windowMs: number
  now(): number
  maxKeys?: number
}): WindowLimit {
  const { max, windowMs, now, maxKeys = MAX_KEYS } = options
  // In the order in which the windows began.
  const windows = new Map<string, { began: number; used: number }>()
  function sweep(): void {
    const over = now() - windowMs
    for (const [key, { began }] of windows) {
      if (began > over) return
      windows.delete(key)
    }
  }
  return {
    take(key) {
      sweep()
      const window = windows.get(key)
      if (window === undefined) {
        const oldest = windows.size < maxKeys ? undefined : windows.keys().next().value
        if (oldest !== undefined) windows.delete(oldest)
        // A copy: the key may be a slice of a long header, and V8 would keep the whole of it (32 kB for each key).
        windows.set(Buffer.from(key).toString(), { began: now(), used: 1 })
        return undefined
      }
      window.used++
      if (window.used <= max) return undefined
      const retryAfterSeconds = Math.max(1, Math.ceil((window.began + windowMs - now()) / 1000))
      return { retryAfterSeconds, first: window.used === max + 1 }
    },
    sweep,
    get size() {
      return windows.size
    },
  }
}
