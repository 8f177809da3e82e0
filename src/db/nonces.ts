import { sql } from './drizzle.ts'
import type { NonceStore } from '../core/ports.ts'
import type { Database } from './client.ts'
import { requestNonces } from './schema.ts'

/** The replay table of all replicas (docs/design.md#replay). A logged table, so that a promoted standby has it. */
export function createNonceStore(database: Database): NonceStore {
  return {
    async consume(replayKey, ttlSeconds) {
      const rows = await database.run((db) =>
        db
          .insert(requestNonces)
          .values({ replayKey, expiresAt: sql`clock_timestamp() + make_interval(secs => ${ttlSeconds})` })
          .onConflictDoNothing()
          .returning({ key: requestNonces.replayKey }),
      )
      return rows.length > 0
    },
  }
}
