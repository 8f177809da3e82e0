import type { Logger } from 'pino'
import { blockingProcesses, writeState, type BlockingProcess, type WriteState } from './db/condition.ts'
import type { Database } from './db/client.ts'
import { databaseFailureKind } from './db/failure-kinds.ts'
import { DATABASE_PROBLEMS, processText, type DatabaseProblemKind } from './doctor/database-problems.ts'

// What is wrong with the database, as this replica sees it (docs/design.md#database): from each statement that fails,
// and from the heartbeat, which writes a row and asks Postgres what is in the way.

/** A failed statement counts for so long. Longer than the heartbeat's pause. */
const FAILURE_COUNTS_MS = 60_000
/** The heartbeat's own write proves that these are over. */
const OVER_WITH_A_WRITE: readonly DatabaseProblemKind[] = ['unreachable', 'login']

export interface DatabaseProblem {
  kind: DatabaseProblemKind
  /** What is known, in plain words. Never holds a secret. */
  message: string
  /** ISO 8601. */
  since: string
  last_at: string
}

export interface DatabaseHealth {
  /** A statement failed, with this detail of its Failure. */
  failed(detail: string): void
  /** Called by the heartbeat after its write: asks Postgres what is in the way. Never rejects. */
  examine(database: Database, written: boolean): Promise<void>
  /** Those that exist now. */
  problems(): DatabaseProblem[]
}

interface Seen {
  sinceMs: number
  lastMs: number
  message: string
}

export function createDatabaseHealth({
  now,
  log,
}: {
  now(): number
  log: Pick<Logger, 'info' | 'error'>
}): DatabaseHealth {
  /** From statements that failed. */
  const failures = new Map<DatabaseProblemKind, Seen>()
  /** From the last heartbeat. */
  let found = new Map<DatabaseProblemKind, Seen>()
  let logged = new Set<DatabaseProblemKind>()

  function note(into: Map<DatabaseProblemKind, Seen>, kind: DatabaseProblemKind, message: string, before?: Seen): void {
    const at = now()
    into.set(kind, { sinceMs: before?.sinceMs ?? at, lastMs: at, message })
  }

  function present(): Map<DatabaseProblemKind, Seen> {
    for (const [kind, { lastMs }] of failures) if (now() - lastMs > FAILURE_COUNTS_MS) failures.delete(kind)
    const all = new Map(failures)
    for (const [kind, seen] of found) {
      const other = failures.get(kind)
      all.set(kind, { ...seen, sinceMs: Math.min(seen.sinceMs, other?.sinceMs ?? Infinity) })
    }
    return all
  }

  /** One line when a problem begins, and one when it is over. */
  function report(): void {
    const all = present()
    for (const [kind, { message }] of all)
      if (!logged.has(kind)) log.error({ database_problem: kind, problem: message }, 'the database has a problem')
    for (const kind of logged)
      if (!all.has(kind)) log.info({ database_problem: kind }, 'a problem of the database is over')
    logged = new Set(all.keys())
  }

  return {
    failed(detail) {
      const kind = databaseFailureKind(detail)
      if (kind === 'statement') return
      note(failures, kind, `${DATABASE_PROBLEMS[kind].message} (${detail})`, failures.get(kind))
    },
    async examine(database, written) {
      if (written) for (const kind of OVER_WITH_A_WRITE) failures.delete(kind)
      const [state, processes] = await Promise.all([
        writeState(database).catch(() => undefined),
        blockingProcesses(database).catch(() => undefined),
      ])
      const before = found
      found = new Map()
      for (const [kind, message] of [...problemsOfState(state), ...problemsOfProcesses(processes)])
        note(found, kind, message, before.get(kind))
      report()
    },
    problems: () =>
      [...present()].map(([kind, { sinceMs, lastMs, message }]) => ({
        kind,
        message,
        since: new Date(sinceMs).toISOString(),
        last_at: new Date(lastMs).toISOString(),
      })),
  }
}

type Problems = [DatabaseProblemKind, string][]

/** Standby, read-only and rights, in words. */
export function problemsOfState(state: WriteState | undefined): Problems {
  if (state === undefined) return []
  const { standby, readOnlyFrom, missingRights } = state
  return [
    ...(standby ? ([['read_only', 'Postgres is a standby: it can be read and not written.']] satisfies Problems) : []),
    ...(!standby && readOnlyFrom !== undefined
      ? ([
          ['read_only', `The database is read-only: default_transaction_read_only is on (set by ${readOnlyFrom}).`],
        ] satisfies Problems)
      : []),
    ...(missingRights.length > 0
      ? ([['rights', `The role of the service lacks rights: ${missingRights.join(', ')}.`]] satisfies Problems)
      : []),
  ]
}

/** Locks, and transactions that are open for long, in words. */
export function problemsOfProcesses(processes: readonly BlockingProcess[] | undefined): Problems {
  const inTheWay = processes?.filter(({ tables, waiting }) => tables.length > 0 || waiting > 0) ?? []
  const long = processes?.filter((process) => !inTheWay.includes(process)) ?? []
  const list = (all: readonly BlockingProcess[]) => all.map(processText).join('; ')
  return [
    ...(inTheWay.length > 0
      ? ([['locked', `Locks are in the way. It holds them: ${list(inTheWay)}.`]] satisfies Problems)
      : []),
    ...(long.length > 0
      ? ([['long_transaction', `A transaction has been open for long: ${list(long)}.`]] satisfies Problems)
      : []),
  ]
}
