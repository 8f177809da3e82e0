import { problemsOfProcesses, problemsOfState } from '../database-health.ts'
import {
  blockingProcesses,
  changedSettings,
  connectionUse,
  tryWriting,
  writeState,
  type ConnectionUse,
} from '../db/condition.ts'
import type { Services } from '../services.ts'
import { combined, failed, ok, skipped, warning, type Finding } from './check.ts'
import { databaseAdvice } from './database-problems.ts'

// Whether the database can be written, and what is in the way: rights, locks, connections, settings.

type Database = Services['database']

/** `trial`: a write that is taken back, which alone finds a full disk. It needs the tables of this release. */
export async function writable(database: Database, trial: boolean): Promise<Finding> {
  const state = await writeState(database)
  const problems = problemsOfState({ ...state, missingRights: [] })
  if (problems.length > 0) return combined(problems.map(([kind, message]) => failed(message, databaseAdvice(kind))))
  if (state.missingRights.some((right) => right.startsWith('insert'))) return skipped('the role may not insert.')
  if ((await blockingProcesses(database)).some(({ tables }) => tables.includes('oauth2_integration')))
    return skipped('a process has locked the table.')
  if (!trial) return skipped('the database lacks migrations.')
  await tryWriting(database)
  return ok('The database can be written: a row was written and taken back.')
}

export async function rights(database: Database): Promise<Finding> {
  const { missingRights } = await writeState(database)
  return missingRights.length === 0
    ? ok('The role has every right that the service needs.')
    : failed(`The role of the service lacks rights: ${missingRights.join(', ')}.`, databaseAdvice('rights'))
}

export async function locks(database: Database): Promise<Finding> {
  const problems = problemsOfProcesses(await blockingProcesses(database))
  if (problems.length === 0)
    return ok('Nobody holds a lock that is in the way, and no transaction has been open for long.')
  return combined(
    problems.map(([kind, message]) => (kind === 'locked' ? failed : warning)(message, databaseAdvice(kind))),
  )
}

/** What this process itself uses is not free for a replica, but is so again in a moment. */
const OWN_CONNECTIONS = 1

export function connections(use: ConnectionUse, poolSize: number): Finding {
  const limits = [
    { name: 'the server', used: use.used, limit: use.max },
    { name: 'the role', ...use.role },
    { name: 'the database', ...use.database },
  ].flatMap(({ name, used, limit }) => (limit === undefined ? [] : [{ name, used, limit, free: limit - used }]))
  const [least] = limits.toSorted((a, b) => a.free - b.free)
  if (least === undefined || least.free + OWN_CONNECTIONS >= poolSize)
    return ok(
      `${limits.map(({ name, used, limit }) => `${used} of ${limit} connections of ${name}`).join(', ')} are in use.`,
    )
  return warning(
    `${least.used} of ${least.limit} connections of ${least.name} are in use: a replica takes up to ${poolSize} ` +
      '(DATABASE_POOL_SIZE), and would not get all of them.',
    databaseAdvice('connections'),
  )
}

export const connectionsOf = async (database: Database, poolSize: number): Promise<Finding> =>
  connections(await connectionUse(database), poolSize)

/** Settings of which some values do harm, and why. The value is in the setting's own unit. */
const HARM: Readonly<Record<string, (value: string, timeoutMs: number) => string | undefined>> = {
  statement_timeout: shorterThanOurs,
  transaction_timeout: shorterThanOurs,
  lock_timeout: shorterThanOurs,
  synchronous_commit: (value) => (value === 'off' ? 'what was stored can be lost if Postgres crashes' : undefined),
  default_transaction_isolation: (value) =>
    value === 'read committed' ? undefined : 'statements are undone and repeated when several change one row',
  default_transaction_read_only: (value) => (value === 'on' ? 'nothing can be stored' : undefined),
  session_replication_role: (value) => (value === 'origin' ? undefined : 'constraints are not enforced'),
}

function shorterThanOurs(value: string, timeoutMs: number): string | undefined {
  return Number(value) > 0 && Number(value) < timeoutMs
    ? `Postgres gives up before DATABASE_DEADLINE_MS (${timeoutMs} ms)`
    : undefined
}

const SOURCES: Readonly<Record<string, string>> = {
  database: 'set on the database',
  user: 'set on the role',
  'database user': 'set on the role in this database',
  'configuration file': 'set in postgresql.conf',
}

export async function settings(database: Database): Promise<Finding> {
  const changed = await changedSettings(database)
  const described = changed.map(({ name, value, source }) => {
    const harm = HARM[name]?.(value, database.timeoutMs)
    return { text: `${name} is ${value === '' ? 'empty' : value} (${SOURCES[source] ?? source})`, harm }
  })
  const harmful = described.filter(({ harm }) => harm !== undefined)
  const list = (all: typeof described) =>
    all.map(({ text, harm }) => (harm === undefined ? text : `${text}: ${harm}`)).join('; ')
  if (described.length === 0) return ok('No setting that matters differs from the default of Postgres.')
  if (harmful.length === 0)
    return ok(`Settings that differ from the default of Postgres, without harm to the broker: ${list(described)}.`)
  return warning(
    `Settings that differ from the default of Postgres: ${list([...harmful, ...described.filter(({ harm }) => harm === undefined)])}.`,
    'alter database … reset, or alter role … reset. See docs/runbooks.md#settings-of-the-database',
  )
}
