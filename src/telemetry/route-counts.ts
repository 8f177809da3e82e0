/** Of callers and browsers, since the start. Times are ISO 8601. */
export interface RouteCounts {
  /** Requests that were answered with 5xx. */
  failed_requests: { method: string; route: string; status: number; count: number; last_at: string | null }[]
  /** The last answer below 400 of each route. */
  succeeded_requests: { method: string; route: string; last_at: string | null }[]
}

interface Answers {
  method: string
  route: string
  /** Milliseconds since the epoch. */
  lastSuccessAt: number | undefined
  failures: Map<number, { count: number; lastAt: number }>
}

/** What `doctor --fleet` needs to know whether users have trouble. Routes are templates, so there are few. */
export function createRouteCounts(): {
  count(method: string, route: string, status: number): void
  counts(): RouteCounts
} {
  const all = new Map<string, Answers>()
  const iso = (ms: number): string => new Date(ms).toISOString()
  return {
    count(method, route, status) {
      const name = `${method} ${route}`
      let answers = all.get(name)
      if (answers === undefined)
        all.set(name, (answers = { method, route, lastSuccessAt: undefined, failures: new Map() }))
      if (status < 400) answers.lastSuccessAt = Date.now()
      if (status >= 500)
        answers.failures.set(status, { count: (answers.failures.get(status)?.count ?? 0) + 1, lastAt: Date.now() })
    },
    counts: () => ({
      failed_requests: [...all.values()].flatMap(({ method, route, failures }) =>
        [...failures].map(([status, { count, lastAt }]) => ({ method, route, status, count, last_at: iso(lastAt) })),
      ),
      succeeded_requests: [...all.values()].flatMap(({ method, route, lastSuccessAt }) =>
        lastSuccessAt === undefined ? [] : [{ method, route, last_at: iso(lastSuccessAt) }],
      ),
    }),
  }
}
