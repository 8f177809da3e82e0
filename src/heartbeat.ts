import { AUDIT_HEADS_PER_LINE, type AuditHead } from './core/audit.ts'
import { logCommands } from './db/audit-entries.ts'
import { createReplicaStore } from './db/replicas.ts'
import type { Services } from './services.ts'
import { VERSION } from './version.ts'

/** How often a replica renews its row and reads those of the others. */
const HEARTBEAT_MS = 10_000

export interface Heartbeat {
  /** Renews the row once, and logs what is new. Never rejects. */
  beat(): Promise<void>
  /** Beats until `stop`. */
  start(): void
  /** Resolves when no beat is running. */
  stop(): Promise<void>
  /** Records the last audit line of this process, for the others. Never rejects. */
  recordEnd(): Promise<void>
}

/**
 * The row of this replica in `replica`, which is also the trial whether the database can be written
 * (docs/design.md#database), and what the audit log takes from the database (docs/design.md#audit): heads of the other
 * replicas, so that a missing end of a log is found, and administrative commands.
 */
export function createHeartbeat({
  database,
  databaseHealth,
  auditLog,
  log,
}: Pick<Services, 'database' | 'databaseHealth' | 'auditLog' | 'log'>): Heartbeat {
  const store = createReplicaStore(database)
  const id = auditLog.life
  /** The number of the newest line of each other life that was logged here. */
  let logged = new Map<string, number>()
  let timer: NodeJS.Timeout | undefined
  let running: Promise<void> = Promise.resolve()
  let failing = false

  async function logOtherHeads(): Promise<void> {
    const heads = await store.otherHeads(id)
    const changed = heads.filter(({ life, number }) => logged.get(life) !== number)
    for (let from = 0; from < changed.length; from += AUDIT_HEADS_PER_LINE)
      await auditLog.write({ audit: 'heads', heads: changed.slice(from, from + AUDIT_HEADS_PER_LINE) })
    logged = new Map(heads.map(({ life, number }: AuditHead) => [life, number]))
  }

  async function beat(): Promise<void> {
    let written = false
    try {
      await store.renew({ id, version: VERSION, head: auditLog.head() })
      written = true
      await logOtherHeads()
      await logCommands(database, (facts) => auditLog.write(facts))
      failing = false
    } catch (err) {
      if (!failing) log.warn({ err }, 'the row of this replica could not be renewed')
      failing = true
    } finally {
      await databaseHealth.examine(database, written)
    }
  }

  return {
    beat,
    start() {
      let isBeating = false
      const beatOnce = async () => {
        isBeating = true
        await beat()
        isBeating = false
      }
      running = beatOnce()
      // Several statements may each wait for their time-out.
      timer = setInterval(() => {
        if (!isBeating) running = beatOnce()
      }, HEARTBEAT_MS)
    },
    async stop() {
      clearInterval(timer)
      await running
    },
    recordEnd: () => store.renew({ id, version: VERSION, head: auditLog.head() }).catch(() => {}),
  }
}
