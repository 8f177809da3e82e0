import fc from 'fast-check'

/**
 * One part of the broker that reads input which others write. `input` is JSON, so that an input that failed once can be
 * kept in the corpus.
 */
export interface FuzzTarget {
  name: string
  inputs: fc.Arbitrary<unknown>
  /** Throws if a promise about this input is broken. */
  check(input: unknown): unknown
}

/** Makes a target whose inputs have one type. What is in the corpus was made by the same arbitrary. */
export function target<T>(name: string, inputs: fc.Arbitrary<T>, check: (input: T) => unknown): FuzzTarget {
  return { name, inputs, check: (input) => check(input as T) }
}

/** Throws if `broken` is true. Quotes nothing: the runner prints the input. */
export function promise(kept: boolean, what: string): void {
  if (!kept) throw new Error(what)
}

/** Text that is near to one of the seeds: parts cut out, repeated, exchanged or replaced. */
export function near(...seeds: readonly string[]): fc.Arbitrary<string> {
  const part = fc.record({
    at: fc.nat({ max: 400 }),
    removed: fc.nat({ max: 12 }),
    put: fc.oneof(
      fc.constantFrom('', '"', '\\', ';', ',', '=', ':', '?', '(', ')', '\r\n', '\0', ' ', '\t', 'é', '€', '😀'),
      fc.constantFrom('{', '}', '[', ']', 'null', '-1', '1e999', '__proto__', 'AADSTS50076', 'AADSTS', '%00', '%zz'),
      fc.string({ unit: 'binary', maxLength: 6 }),
    ),
  })
  return fc.tuple(fc.constantFrom(...seeds), fc.array(part, { maxLength: 6 })).map(([seed, parts]) => {
    let text = seed
    for (const { at, removed, put } of parts) {
      const start = text.length === 0 ? 0 : at % (text.length + 1)
      text = text.slice(0, start) + put + text.slice(start + removed)
    }
    return text
  })
}
