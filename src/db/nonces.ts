import { sql } from './drizzle.ts'
import type { NonceStore } from '../core/ports.ts'
import type { Database } from './client.ts'
import { requestNonces } from './schema.ts'

/** The replay table all replicas share. Ordinary (logged): a promoted standby remembers (design 3). */
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
