import type { BlockingProcess } from '../db/condition.ts'
import type { DatabaseFailureKind } from '../db/failure-kinds.ts'

// Problems of the database in words, one table for `/readyz`, doctor and the commands.

/** What can be wrong with the database: how statements fail, and what makes them fail soon. */
export type DatabaseProblemKind = Exclude<DatabaseFailureKind, 'statement'> | 'long_transaction'

interface ProblemWords {
  /** One sentence. */
  message: string
  advice: string
  /** Heading of docs/runbooks.md. */
  anchor: string
}

export const DATABASE_PROBLEMS: Readonly<Record<DatabaseProblemKind, ProblemWords>> = {
  unreachable: {
    message: 'Postgres cannot be reached, or closed the connection.',
    advice: 'Check the host and port of DATABASE_URL, that Postgres runs, network policies and firewalls.',
    anchor: 'postgres-failover',
  },
  login: {
    message: 'Postgres refuses to connect this role, or its certificate is not accepted.',
    advice: 'Check user, password, database, sslmode of DATABASE_URL, and DATABASE_CA and pg_hba.conf.',
    anchor: 'postgres-failover',
  },
  connections: {
    message: 'There is no free connection to Postgres.',
    advice: 'Lower DATABASE_POOL_SIZE, or raise max_connections or the limit of the role.',
    anchor: 'no-free-connections',
  },
  read_only: {
    message: 'The database can be read and not written: it is a standby, or read-only.',
    advice: 'Let DATABASE_URL lead to the primary, or end default_transaction_read_only.',
    anchor: 'the-database-cannot-be-written',
  },
  disk_full: {
    message: 'The disk of Postgres is full.',
    advice: 'Free or add disk space where Postgres keeps its data. The broker needs no restart.',
    anchor: 'the-database-cannot-be-written',
  },
  rights: {
    message: 'The role of the service lacks rights in the database.',
    advice: 'Grant them as the owner of the tables: docs/reference/database-role.md has the statements.',
    anchor: 'the-database-cannot-be-written',
  },
  locked: {
    message: 'A process of Postgres holds locks for which the broker waits.',
    advice: 'Let that process end its transaction, or end it: select pg_terminate_backend(<pid>).',
    anchor: 'locks-and-long-transactions',
  },
  long_transaction: {
    message: 'A transaction in the database has been open for long.',
    advice: 'Let that process end its transaction, or end it: select pg_terminate_backend(<pid>).',
    anchor: 'locks-and-long-transactions',
  },
  timeout: {
    message: 'Statements did not end in time: a lock, load, or the network.',
    advice:
      'Look for locks first (token-broker doctor names who holds them), then at the load of Postgres and the network: each ' +
      'statement has DATABASE_DEADLINE_MS. Set DATABASE_PREPARE=off behind PgBouncer older than 1.21, or with max_prepared_statements 0.',
    anchor: 'locks-and-long-transactions',
  },
  conflict: {
    message: 'Postgres undid statements again and again, because others changed the same rows.',
    advice: 'Set default_transaction_isolation of the database and the role back to its default.',
    anchor: 'settings-of-the-database',
  },
  schema: {
    message: 'A table or column of the broker is not found.',
    advice: 'Run "token-broker migrate". Check search_path of the database and the role.',
    anchor: 'settings-of-the-database',
  },
  other: {
    message: 'Postgres failed for another reason.',
    advice: 'Check DATABASE_URL, the network to Postgres, and the log of Postgres.',
    anchor: 'postgres-failover',
  },
}

/** The kinds while which nothing new can be stored: no refresh and no connect succeeds. */
export const NOT_WRITABLE: readonly DatabaseProblemKind[] = ['read_only', 'disk_full', 'rights']

/** Advice with its runbook. */
export const databaseAdvice = (kind: DatabaseProblemKind): string =>
  `${DATABASE_PROBLEMS[kind].advice} See docs/runbooks.md#${DATABASE_PROBLEMS[kind].anchor}`

/** One process, for people. */
export function processText({ pid, user, application, state, seconds, tables, waiting, blocksReads }: BlockingProcess) {
  const who =
    pid === 0
      ? 'a prepared transaction (pg_prepared_xacts)'
      : `process ${pid} (${[application ?? 'no application name', ...(user === null ? [] : [`user ${user}`])].join(', ')})`
  const facts = [
    state ?? 'state not visible to this role',
    ...(seconds === null ? [] : [`in a transaction for ${seconds} s`]),
    ...(tables.length === 0
      ? []
      : [`holds a lock on ${tables.join(', ')}${blocksReads ? ', so that nobody can read' : ''}`]),
    ...(waiting === 0 ? [] : [`${waiting} ${waiting === 1 ? 'waits' : 'wait'} for it`]),
  ]
  return `${who}: ${facts.join('; ')}`
}
