import { sql } from './drizzle.ts'
import type { NonceStore } from '../core/ports.ts'
import type { Database } from './client.ts'
import { FREEZE_LIVES } from './fast-path/statements.ts'
import { freezes, requestNonces } from './schema.ts'

/** The replay table of all replicas (docs/design.md#replay). A logged table, so that a promoted standby has it. */
export function createNonceStore(database: Database): NonceStore {
  return {
    async consume(replayKey, ttlSeconds, keyId) {
      const rows = await database.run((db) =>
        db
          .insert(requestNonces)
          .values({ replayKey, expiresAt: sql`clock_timestamp() + make_interval(secs => ${ttlSeconds})` })
          .onConflictDoNothing()
          .returning({
            frozen: sql<boolean>`exists (select from ${freezes} where ${freezes.scope} = 'caller_key'
              and ${freezes.value} = ${keyId} and ${sql.raw(FREEZE_LIVES)})`,
          }),
      )
      const [row] = rows
      return row === undefined ? 'replayed' : row.frozen ? 'frozen' : 'new'
    },
  }
}
