/** Seeded randomness, so that a run with random misbehaviour can be repeated from its printed seed. */
export interface Random {
  /** A number in [0, 1). */
  next(): number
  /** An integer from `low` to `high`, both included. */
  between(low: number, high: number): number
  /** The same items in another order; the argument is left alone. */
  shuffle<T>(items: readonly T[]): T[]
}

/** mulberry32: small, fast and good enough for choices; nothing secret is made from it. */
export function seededRandom(seed: number): Random {
  let a = seed >>> 0
  const next = (): number => {
    a = (a + 0x6d2b79f5) >>> 0
    let x = Math.imul(a ^ (a >>> 15), 1 | a)
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x
    return ((x ^ (x >>> 14)) >>> 0) / 4294967296
  }
  const between = (low: number, high: number): number => low + Math.floor(next() * (high - low + 1))
  return {
    next,
    between,
    shuffle<T>(items: readonly T[]): T[] {
      const out = [...items]
      for (let i = out.length - 1; i > 0; i--) {
        const j = between(0, i)
        const here = out[i] as T
        out[i] = out[j] as T
        out[j] = here
      }
      return out
    },
  }
}
