import type { IntegrationStore, Vault } from '../core/ports.ts'
import type { OnMalformed } from '../core/stored.ts'
import type { Database } from './client.ts'
import { batchedByUser } from './batch.ts'
import { sealContext, toIntegration, toTokens, withState, type Tokens } from './integration-rows.ts'
import { READ_STATE, READ_TOKENS, type StateColumns, type TokenColumns } from './integration-statements.ts'

/** Sets of tokens kept in each of two halves: about 4 MB each. */
export const MAX_KEPT = 1_000
/** Milliseconds after which the halves take turns: nothing is kept for longer than twice that after its last use. */
export const KEPT_FOR_MS = 30_000

/** What tells a set of tokens from every other of its user: two of one generation are there only where a backup was restored. */
type Known = Pick<StateColumns, 'generation' | 'refreshed' | 'expires'> & { tokens: Tokens }

/**
 * The warm read. A set of tokens that was read a moment ago is not fetched and opened again: a user who edits is read many times a minute,
 * and a token is most of a row. Postgres is asked each time all the same, for what may have changed, and only the very set that it names
 * counts as the same. The price is that these tokens lie in memory for up to a minute after their last use, also those of somebody who
 * disconnects.
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

  function turn(): void {
    previous = current
    current = new Map()
  }
  setInterval(turn, KEPT_FOR_MS).unref()

  function keep(userId: string, known: Known): void {
    if (current.size >= MAX_KEPT && !current.has(userId)) turn()
    current.set(userId, known)
  }
  function recall(userId: string): Known | undefined {
    const used = current.get(userId)
    if (used !== undefined) return used
    const known = previous.get(userId)
    if (known !== undefined) keep(userId, known)
    return known
  }

  return async (userId, timeoutMs = database.deadlineMs) => {
    const began = performance.now()
    const known = recall(userId)
    if (known !== undefined) {
      const row = await readState(userId, timeoutMs)
      if (row === undefined) return undefined
      if (row.generation === known.generation && row.refreshed === known.refreshed && row.expires === known.expires)
        return withState(known.tokens, row, onMalformed)
    }
    // The whole is to be in time, also where it takes a second look.
    const left =
      known === undefined
        ? timeoutMs
        : Math.max(1, Math.min(timeoutMs, database.deadlineMs) - (performance.now() - began))
    const row = await readTokens(userId, left)
    if (row === undefined) return undefined
    const { generation, refreshed, expires } = row
    // Nobody is given a token that has expired, so it is neither fetched nor opened.
    if (row.access_token === null)
      return { ...toIntegration(row, '', onMalformed), remainingSeconds: Math.min(0, expires - row.now) }
    const tokens = toTokens(row, vault.open(sealContext({ id: row.id, userId }, 'access_token'), row.access_token))
    keep(userId, { generation, refreshed, expires, tokens })
    return withState(tokens, row, onMalformed)
  }
}
