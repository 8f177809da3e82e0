import type { SealContext, Vault } from '../core/ports.ts'

/** Values kept in one of the two halves: about 4 MB of tokens. */
export const KEPT = 1_000
/** Milliseconds after which the halves take turns, so that nothing is kept for longer than twice that after its last use. */
export const KEPT_FOR = 30_000

interface Opened {
  readonly sealed: Buffer
  readonly plaintext: string
}

/**
 * The same vault, but what was opened for `column` a moment ago is not opened again: unsealing is the dearest part of a read that has
 * nothing else to do (design 7), and a user who edits is read many times a minute. Only the very bytes that were opened, for the same user
 * and record, count as the same; a changed, moved or resealed value is opened anew. The price is that these tokens lie in memory for up to
 * a minute after their last use. `now` in milliseconds, monotonic.
 */
export function remembering<V extends Vault>(vault: V, column: string, now: () => number): V {
  let current = new Map<string, Opened>()
  let previous = current
  let since = now()

  function turn(): void {
    previous = now() - since < 2 * KEPT_FOR ? current : new Map()
    current = new Map()
    since = now()
  }
  const forgetting = setInterval(() => {
    if (now() - since >= KEPT_FOR) turn()
  }, KEPT_FOR)
  forgetting.unref()

  return {
    ...vault,
    open(context, sealed) {
      if (context.column !== column) return vault.open(context, sealed)
      if (current.size >= KEPT || now() - since >= KEPT_FOR) turn()
      const name = nameOf(context)
      const opened = current.get(name) ?? previous.get(name)
      if (opened?.sealed.equals(sealed) === true) {
        current.set(name, opened)
        return opened.plaintext
      }
      const plaintext = vault.open(context, sealed)
      // A copy: what comes from the wire is a piece of something larger.
      const copy = Buffer.allocUnsafeSlow(sealed.length)
      copy.set(sealed)
      current.set(name, { sealed: copy, plaintext })
      return plaintext
    },
  }
}

/** User and record ids hold no slash, tables and columns are ours. */
const nameOf = ({ table, provider, userId, recordId }: SealContext): string => `${table}/${provider}/${userId}/${recordId}`
