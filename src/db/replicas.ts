import type { AuditHead } from '../core/audit.ts'
import type { Database } from './client.ts'
import { sql } from './drizzle.ts'
import { replicas } from './schema.ts'

/** The rows of all replicas (docs/design.md#audit). */
export interface ReplicaStore {
  /** Renews the row of this replica. */
  renew(replica: { id: string; version: string; head: AuditHead | undefined }): Promise<void>
  /** The newest written audit lines of all other replicas, ended ones included until their rows are deleted. */
  otherHeads(id: string): Promise<AuditHead[]>
}

export function createReplicaStore(database: Database): ReplicaStore {
  return {
    async renew({ id, version, head }) {
      const audit = { auditNumber: head?.number ?? null, auditMac: head?.mac ?? null }
      await database.run((db) =>
        db
          .insert(replicas)
          .values({ id, version, ...audit })
          .onConflictDoUpdate({ target: replicas.id, set: { ...audit, version, seenAt: sql`now()` } }),
      )
    },
    async otherHeads(id) {
      const rows = await database.run((db) =>
        db
          .select({ life: replicas.id, number: replicas.auditNumber, mac: replicas.auditMac })
          .from(replicas)
          .where(sql`${replicas.id} <> ${id} and ${replicas.auditNumber} is not null`)
          .limit(1_000),
      )
      return rows.map(({ life, number, mac }) => ({ life, number: number!, ...(mac === null ? {} : { mac }) }))
    },
  }
}
