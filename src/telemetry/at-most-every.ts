/** Gives the same answer, or the same failure, for `ms` milliseconds, so that scrapes put no load on the database. */
export function atMostEvery<T>(ms: number, elapsed: () => number, ask: () => Promise<T>): () => Promise<T> {
  let last: { at: number; answer: Promise<T> } | undefined
  return () => {
    if (last === undefined || elapsed() - last.at >= ms) last = { at: elapsed(), answer: ask() }
    return last.answer
  }
}
