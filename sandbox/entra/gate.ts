/** Gates for tests: requests wait at a known point until they are released, so nothing has to be timed. */

export interface Gate {
  close(): void
  /** Lets everybody through who waits, and opens the gate. */
  open(): void
  /** Passes at once when open. */
  pass(): Promise<void>
  isClosed(): boolean
  waiting(): number
  /** Resolves when at least `count` requests wait. */
  reached(count: number): Promise<void>
}

export function createGate(): Gate {
  let closed = false
  let held: (() => void)[] = []
  let watchers: { count: number; resolve: () => void }[] = []

  return {
    close: () => {
      closed = true
    },
    open() {
      closed = false
      const released = held
      held = []
      for (const resolve of released) resolve()
    },
    pass() {
      if (!closed) return Promise.resolve()
      return new Promise((resolve) => {
        held.push(resolve)
        const ready = watchers.filter((watcher) => watcher.count <= held.length)
        watchers = watchers.filter((watcher) => !ready.includes(watcher))
        for (const watcher of ready) watcher.resolve()
      })
    },
    isClosed: () => closed,
    waiting: () => held.length,
    reached(count) {
      if (held.length >= count) return Promise.resolve()
      return new Promise((resolve) => watchers.push({ count, resolve }))
    },
  }
}
