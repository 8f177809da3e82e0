import { Failure } from '../core/failure.ts'
import type { Database } from './client.ts'
import { getTableName, is, sql, Table } from './drizzle.ts'
import * as schema from './schema.ts'

// Whether the database can be written, and what is in the way: for the heartbeat of each replica and for doctor.

/** Names of our own, so they need no quoting. */
const TABLES = Object.values(schema).flatMap((one) => (is(one, Table) ? [getTableName(one)] : []))
/** `update`: after a rewind of the database they are raised (docs/design.md#events). */
const SEQUENCES = [schema.generations.seqName!, 'event_id_seq']
const quoted = (names: readonly string[]) => sql.raw(names.map((name) => `('${name}')`).join(', '))
/** The tables that are there: those of a newer release may be missing. */
const OURS = sql`(select to_regclass(name) as oid, name from (values ${quoted(TABLES)}) as names (name))`

export interface WriteState {
  /** It replays the changes of a primary and takes none of its own. */
  standby: boolean
  /** Where `default_transaction_read_only` comes from (`pg_settings.source`); undefined: it can be written. */
  readOnlyFrom: string | undefined
  /** As `insert on event`; empty: the role has all rights. */
  missingRights: string[]
}

/** One statement, which waits for no lock and reads no row of ours. */
export async function writeState(database: Database): Promise<WriteState> {
  const [row] = await database.run((db) =>
    db.execute<{ standby: boolean; read_only: string | null; missing: string | null }>(sql`
    select pg_is_in_recovery() as standby,
      (select source from pg_settings where name = 'default_transaction_read_only' and setting = 'on') as read_only,
      (select string_agg(missing, ', ' order by missing) from (
        select "right" || ' on ' || name as missing
          from ${OURS} as ours, (values ('select'), ('insert'), ('update'), ('delete')) as rights ("right")
          where oid is not null and not has_table_privilege(oid, "right")
        union all select "right" || ' on sequence ' || sequence
          from (values ${sql.raw(SEQUENCES.map((name) => `('${name}')`).join(', '))}) as sequences (sequence),
            (values ('usage'), ('update')) as rights ("right")
          where case when to_regclass(sequence) is null then false
            else not has_sequence_privilege(to_regclass(sequence)::oid, "right") end
      ) as lacking) as missing`),
  )
  return {
    standby: row?.standby === true,
    readOnlyFrom: row?.read_only ?? undefined,
    missingRights: row?.missing?.split(', ') ?? [],
  }
}

/** A process of Postgres that is in the way of others. What the role may not see is null. */
export interface BlockingProcess {
  /** 0: a prepared transaction (`pg_prepared_xacts`), which has no process. */
  pid: number
  user: string | null
  application: string | null
  /** As `idle in transaction`. */
  state: string | null
  /** Since the start of its transaction. */
  seconds: number | null
  /** Our tables that it has locked so that nobody else can write, or read, them. */
  tables: string[]
  /** Not even reads go on. */
  blocksReads: boolean
  /** Processes that have waited for it for a second or more. */
  waiting: number
}

/** A transaction older than this is named: vacuum cannot clean up behind it, and rows that it wrote stay locked. */
export const LONG_TRANSACTION_SECONDS = 300

/**
 * Processes that hold locks on our tables, that others wait for, or whose transaction is older than
 * `longSeconds`. At most 10, those that others wait for first. One statement on views of Postgres.
 */
export async function blockingProcesses(
  database: Database,
  longSeconds = LONG_TRANSACTION_SECONDS,
): Promise<BlockingProcess[]> {
  const rows = await database.run((db) =>
    db.execute<{
      pid: number
      user: string | null
      application: string | null
      state: string | null
      seconds: number | null
      tables: string | null
      blocks_reads: boolean | null
      waiting: number
    }>(sql`
    with here as (
      select pid, usename, application_name, state, extract(epoch from clock_timestamp() - xact_start) as seconds,
        backend_type = 'client backend' as is_client
      from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()
    ), held as (
      select locks.pid, string_agg(distinct name, ', ') as tables, bool_or(mode = 'AccessExclusiveLock') as blocks_reads
      from pg_locks as locks join ${OURS} as ours on locks.relation = ours.oid
      where granted and locktype = 'relation'
        and mode in ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
        and database = (select oid from pg_database where datname = current_database())
      group by locks.pid
    ), waits as (
      select blocker, count(distinct locks.pid)::int as waiting
      from pg_locks as locks join here on here.pid = locks.pid,
        lateral unnest(pg_blocking_pids(locks.pid)) as blockers (blocker)
      where not granted and waitstart < clock_timestamp() - interval '1 second'
      group by blocker
    )
    select coalesce(here.pid, held.pid, waits.blocker) as pid, usename as user,
      nullif(application_name, '') as application, state, seconds, tables, blocks_reads,
      coalesce(waiting, 0) as waiting
    from here full join held on held.pid = here.pid full join waits on waits.blocker = coalesce(here.pid, held.pid)
    where held.pid is not null or waits.blocker is not null or (is_client and seconds > ${longSeconds})
    order by waiting desc, blocks_reads desc nulls last, seconds desc nulls last limit 10`),
  )
  return rows.map(({ tables, blocks_reads, pid, seconds, ...row }) => ({
    ...row,
    pid: pid ?? 0,
    seconds: seconds === null ? null : Math.round(seconds),
    tables: tables?.split(', ') ?? [],
    blocksReads: blocks_reads === true,
  }))
}

export interface ConnectionUse {
  /** Client connections of the whole server. */
  used: number
  /** For roles that are not superusers. */
  max: number
  role: { used: number; limit: number | undefined }
  database: { used: number; limit: number | undefined }
}

/** How many connections there are, and may be. Behind a pooler: those of the pooler. */
export async function connectionUse(database: Database): Promise<ConnectionUse> {
  const [row] = await database.run((db) =>
    db.execute<Record<'used' | 'max' | 'role_used' | 'role_limit' | 'database_used' | 'database_limit', number>>(sql`
    select count(*)::int as used,
      (current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
        - coalesce(current_setting('reserved_connections', true)::int, 0)) as max,
      (count(*) filter (where usename = session_user))::int as role_used,
      (select rolconnlimit from pg_roles where rolname = session_user) as role_limit,
      (count(*) filter (where datname = current_database()))::int as database_used,
      (select datconnlimit from pg_database where datname = current_database()) as database_limit
    from pg_stat_activity where usename is not null and datname is not null`),
  )
  const limit = (value: number | undefined): number | undefined =>
    value === undefined || value < 0 ? undefined : value
  return {
    used: row?.used ?? 0,
    max: row?.max ?? 0,
    role: { used: row?.role_used ?? 0, limit: limit(row?.role_limit) },
    database: { used: row?.database_used ?? 0, limit: limit(row?.database_limit) },
  }
}

/** Settings that can change what a statement gives, or whether it ends. Reads give the same with any value of them. */
const WATCHED_SETTINGS = [
  'DateStyle',
  'IntervalStyle',
  'TimeZone',
  'bytea_output',
  'extra_float_digits',
  'default_transaction_isolation',
  'default_transaction_read_only',
  'default_transaction_deferrable',
  'idle_in_transaction_session_timeout',
  'idle_session_timeout',
  'lock_timeout',
  'statement_timeout',
  'transaction_timeout',
  'row_security',
  'search_path',
  'session_replication_role',
  'standard_conforming_strings',
  'synchronous_commit',
] as const

export interface ChangedSetting {
  name: string
  value: string
  /** `database`, `user`, `database user`, `configuration file` …: `pg_settings.source`. */
  source: string
}

/**
 * Settings with another value than Postgres' own: of the list above, and every one that is set on the database or the
 * role.
 */
export async function changedSettings(database: Database): Promise<ChangedSetting[]> {
  const rows = await database.run((db) =>
    db.execute<{ name: string; value: string; source: string }>(sql`
    select name, left(setting, 100) as value, source from pg_settings
    where setting is distinct from boot_val and (source in ('database', 'user', 'database user')
      or (source not in ('default', 'client') and name <> 'TimeZone' and name in ${sql.raw(
        `(${WATCHED_SETTINGS.map((name) => `'${name}'`).join(', ')})`,
      )}))
    order by name limit 100`),
  )
  return rows.map(({ name, value, source }) => ({ name, value, source }))
}

/** Random bytes in the trial's row: more than the free space inside the table's files is likely to be. */
const TRIAL_KB = 256

/** Rolls back the trial. A Failure, so that it passes the translation of driver errors. */
class Undone extends Failure {
  constructor() {
    super('internal_error', { detail: 'undone' })
  }
}

/**
 * Writes a row of a user that cannot exist, and takes it back: finds what only a write finds, such as a full disk.
 * Throws Failure.
 */
export async function tryWriting(database: Database): Promise<void> {
  try {
    await database.transaction(async (tx) => {
      await tx.execute(sql`insert into oauth2_integration (id, user_id, provider, status, generation, access_token,
          refresh_token, access_token_expires_at, scopes)
        select gen_random_uuid(), '', 'doctor ' || gen_random_uuid(), 'active', 0, '', decode(string_agg(
          replace(gen_random_uuid()::text, '-', ''), ''), 'hex'), now(), '{}'
        from generate_series(1, ${sql.raw(String(TRIAL_KB * 64))})`)
      throw new Undone()
    })
  } catch (error) {
    if (error instanceof Undone) return
    throw error
  }
}
