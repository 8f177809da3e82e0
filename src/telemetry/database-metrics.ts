import { Counter, Gauge, type Registry } from 'prom-client'
import { DATABASE_FAILURE_KINDS, type DatabaseFailureKind } from '../db/failure-kinds.ts'
import { DATABASE_PROBLEMS, type DatabaseProblemKind } from '../doctor/database-problems.ts'

export interface DatabaseMetricSources {
  /** Kinds of problems that the database has now. */
  databaseProblems(): readonly DatabaseProblemKind[]
  databasePools(): readonly { pool: string; size: number; busy: number; waiting: number }[]
}

/** Returns what counts a failed statement. */
export function addDatabaseMetrics(
  registry: Registry,
  sources: DatabaseMetricSources,
): (kind: DatabaseFailureKind) => void {
  const registers = [registry]
  const databaseFailures = new Counter({
    name: 'token_broker_database_failures_total',
    help: 'Statements that failed because of the database, by kind.',
    labelNames: ['kind'],
    registers,
  })
  for (const kind of DATABASE_FAILURE_KINDS) databaseFailures.inc({ kind }, 0)
  new Gauge({
    name: 'token_broker_database_problem',
    help: '1 while this replica sees a problem of the database, by kind; the same as `database_problems` of /readyz.',
    labelNames: ['kind'],
    registers,
    collect() {
      const present = sources.databaseProblems()
      for (const kind of Object.keys(DATABASE_PROBLEMS) as DatabaseProblemKind[])
        this.set({ kind }, present.includes(kind) ? 1 : 0)
    },
  })
  new Gauge({
    name: 'token_broker_database_connections',
    help: 'Connections of this replica to Postgres by pool: busy, or idle (also one that is not open).',
    labelNames: ['pool', 'state'],
    registers,
    collect() {
      for (const { pool, size, busy } of sources.databasePools()) {
        this.set({ pool, state: 'busy' }, busy)
        this.set({ pool, state: 'idle' }, size - busy)
      }
    },
  })
  new Gauge({
    name: 'token_broker_database_waiting',
    help: 'Statements of this replica that wait for a free connection, by pool.',
    labelNames: ['pool'],
    registers,
    collect() {
      for (const { pool, waiting } of sources.databasePools()) this.set({ pool }, waiting)
    },
  })
  return (kind) => databaseFailures.inc({ kind })
}
