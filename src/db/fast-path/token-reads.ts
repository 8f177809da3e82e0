import type { IntegrationStore, Vault } from '../../core/ports.ts'
import type { OnMalformed } from '../../core/stored.ts'
import type { Database } from '../client.ts'
import { sealContext, toIntegration } from '../integration-rows.ts'
import { batchedByUser } from './batch.ts'
import { READ_TOKENS, type TokenColumns } from './statements.ts'

/**
 * The read of a token: one statement and one unsealing. Nothing of it stays in memory: almost every read that arrives
 * is of somebody who was not read a moment ago, and the token of a person who disconnects must be gone.
 */
export function createTokenReads(
  database: Database,
  vault: Vault,
  onMalformed?: OnMalformed,
): IntegrationStore['read'] {
  const readTokens = batchedByUser<TokenColumns>(database, READ_TOKENS)
  return async (userId, deadlineAt) => {
    const row = await readTokens(userId, deadlineAt)
    if (row === undefined) return undefined
    // An expired token is never handed out, so it is neither fetched nor opened. One that is frozen is not opened.
    if (row.access_token === null || row.frozen !== null)
      return { ...toIntegration(row, '', onMalformed), remainingSeconds: Math.min(0, row.expires - row.now) }
    const sealed = Buffer.from(row.access_token, 'base64')
    return toIntegration(row, vault.open(sealContext({ id: row.id, userId }, 'access_token'), sealed), onMalformed)
  }
}
