import type { IntegrationStore, Vault } from '../core/ports.ts'
import type { OnMalformed } from '../core/stored.ts'
import type { Database } from './client.ts'
import { batchedByUser } from './batch.ts'
import { sealContext, toIntegration, toTokens, withState, type Tokens } from './integration-rows.ts'
import { READ_STATE, READ_TOKENS, type StateColumns, type TokenColumns } from './integration-statements.ts'

/** Token sets kept in each of the two halves of the cache: about 4 MB each. */
export const MAX_KEPT = 1_000
/** Milliseconds after which the halves change places: nothing is kept longer than twice that after its last use. */
export const KEPT_FOR_MS = 30_000

/** Identifies one token set. The generation alone is not enough: after a restored backup it can repeat. */
type Known = Pick<StateColumns, 'generation' | 'refreshed' | 'expires'> & { tokens: Tokens }

/**
 * The read of a token, warm or not. A user who edits is read many times a minute, and the sealed token is most of a
 * row. So a token set that was read a moment ago is neither fetched nor opened again. Postgres is still asked every
 * time, for what may have changed, and the kept set is used only if Postgres names exactly that set. The price: opened
 * tokens stay in memory for up to a minute after their last use, also after a disconnect.
 */
export function createTokenReads(
  database: Database,
  vault: Vault,
  onMalformed?: OnMalformed,
): IntegrationStore['read'] {
  const readState = batchedByUser<StateColumns>(database, READ_STATE)
  const readTokens = batchedByUser<TokenColumns>(database, READ_TOKENS)
  let current = new Map<string, Known>()
  let previous = current

  function swapHalves(): void {
    previous = current
    current = new Map()
  }
  setInterval(swapHalves, KEPT_FOR_MS).unref()

  function keep(userId: string, known: Known): void {
    if (current.size >= MAX_KEPT && !current.has(userId)) swapHalves()
    current.set(userId, known)
  }
  function forget(userId: string): void {
    current.delete(userId)
    previous.delete(userId)
  }
  function recall(userId: string): Known | undefined {
    const used = current.get(userId)
    if (used !== undefined) return used
    const known = previous.get(userId)
    if (known !== undefined) keep(userId, known)
    return known
  }

  return async (userId, callerDeadlineAt) => {
    // Both statements together end in time.
    const deadlineAt = database.endsAt(callerDeadlineAt)
    const known = recall(userId)
    if (known !== undefined) {
      const row = await readState(userId, deadlineAt)
      if (row === undefined) return undefined
      if (row.frozen !== null) forget(userId)
      if (row.generation === known.generation && row.refreshed === known.refreshed && row.expires === known.expires)
        return withState(known.tokens, row, onMalformed)
    }
    const row = await readTokens(userId, deadlineAt)
    if (row === undefined) return undefined
    const { generation, refreshed, expires } = row
    // An expired token is never handed out, so it is neither fetched nor opened. One that is frozen is not opened.
    if (row.access_token === null || row.frozen !== null)
      return { ...toIntegration(row, '', onMalformed), remainingSeconds: Math.min(0, expires - row.now) }
    const tokens = toTokens(row, vault.open(sealContext({ id: row.id, userId }, 'access_token'), row.access_token))
    keep(userId, { generation, refreshed, expires, tokens })
    return withState(tokens, row, onMalformed)
  }
}
