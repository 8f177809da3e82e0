import { sql, type SQL } from './drizzle.ts'
import { Failure } from '../core/failure.ts'
import type { SealContext, Vault } from '../core/ports.ts'
import type { Database } from './client.ts'
import { checkCanaries, forgetSealingKey, type Canaries } from './deployment.ts'

// Reseal rewrites every sealed value under the newest key (docs/security.md#sealing), while the service runs. A sealed
// value is never the same twice, so `WHERE column = what was read` is the whole compare-and-swap: a refresh, connect or
// disconnect that comes first wins, and neither generation nor lease changes. Nothing is stored between runs: the
// values themselves show what is done.

interface Sealed {
  table: SealContext['table']
  columns: readonly [SealContext['column'], SealContext['column']]
  provider: SQL
}
const SEALED: readonly Sealed[] = [
  { table: 'oauth2_integration', columns: ['access_token', 'refresh_token'], provider: sql`provider` },
  { table: 'connect_session', columns: ['pkce_verifier', 'code'], provider: sql`'microsoft'` },
]

/** Rows that one statement reads, so that each is short, however large the table is. */
const WINDOW_ROWS = 200
/**
 * A pass that changed something is followed by another. If so many passes all changed something, a replica still seals
 * with an older key.
 */
const MAX_PASSES = 5

/** A value that no configured key opens. It is named, not quoted, and stays as it is. */
export interface UnreadableValue {
  table: string
  id: string
  column: string
  /** The key id in the value; empty: this is no sealed value. */
  keyId: string
  /** `detail` of the vault's failure. */
  why: string
}

/** Sealed values by key id. */
export type KeyCounts = Record<string, number>

export interface ResealReport {
  newest: string
  before: KeyCounts
  after: KeyCounts
  /** Values rewritten by this run. */
  resealed: number
  unreadable: UnreadableValue[]
  /** False: values were still sealed with another key when this run stopped. */
  settled: boolean
  /** Keys that may be removed from now on. */
  retired: string[]
}

/** Within one pass: rows that were read, and values that were rewritten. */
export interface ResealProgress {
  pass: number
  table: string
  rows: number
  resealed: number
}

interface Pass {
  counts: KeyCounts
  resealed: number
  /** Values that somebody else wrote between our read and our write. */
  moved: number
  unreadable: UnreadableValue[]
}

interface Row extends Record<string, unknown> {
  id: string
  user_id: string
  provider: string
  /** Null: the column is empty. */
  key_0: string | null
  key_1: string | null
  /** Only if they are not sealed under the newest key. */
  value_0: Buffer | null
  value_1: Buffer | null
}

/**
 * Rewrites every value that is not sealed under the newest key. Safe to run twice at once, to interrupt and to repeat.
 * `onProgress` is called after each window of rows. Throws Failure `token_unreadable` when a key is not the one this
 * database knows, `broker_misconfigured` when no replica seals with the newest key yet, `database_unavailable`.
 */
export async function reseal(
  database: Database,
  vault: Vault & Canaries,
  onProgress: (at: ResealProgress) => void = () => {},
): Promise<ResealReport> {
  const [newest = ''] = vault.keyIds
  const { recorded } = await checkCanaries(database, vault)
  if (!recorded.includes(newest)) {
    throw new Failure('broker_misconfigured', {
      detail: `no replica seals with ${newest} yet: put it second in SEALING_KEYS of all replicas, then first, and reseal after that`,
    })
  }
  let resealed = 0
  let before: KeyCounts | undefined
  for (let number = 1; ; number++) {
    const pass = await walk(database, vault, newest, (at) => onProgress({ pass: number, ...at }))
    before ??= pass.counts
    resealed += pass.resealed
    const settled = pass.resealed + pass.moved === 0
    if (!settled && number < MAX_PASSES) continue
    const retired = settled ? recorded.filter((keyId) => keyId !== newest && pass.counts[keyId] === undefined) : []
    for (const keyId of retired) await forgetSealingKey(database, keyId)
    return { newest, before, after: pass.counts, resealed, unreadable: pass.unreadable, settled, retired }
  }
}

/** What only one key opens. */
export interface ValuesUnderKey {
  /** Sealed values, and the rows that have them. */
  values: number
  integrations: number
  connectSessions: number
}

/** Rows that one statement of a count reads: each ends within the time limit of a query, however large the table is. */
const COUNT_ROWS = 10_000

/** Counts what is lost with a key, without opening anything. An integration belongs to one user. */
export async function valuesUnderKey(database: Database, keyId: string, window = COUNT_ROWS): Promise<ValuesUnderKey> {
  const found = { values: 0, rows: [] as number[] }
  for (const { table, columns } of SEALED) {
    let rows = 0
    for (let after: string | null = NIL; after !== null;) {
      const [first, second] = columns.map((column) => sql`coalesce((${keyIdIn(column)}) = ${keyId}, false)`)
      const [counted]: { rows: number; values: number; last: string | null }[] = await database.run((db) =>
        db.execute(sql`
        select (count(*) filter (where a or b))::int as rows, coalesce(sum(a::int + b::int), 0)::int as values,
          case when count(*) = ${window} then max(id::text collate "C") end as last
        from (select id, ${first} as a, ${second} as b from ${sql.identifier(table)}
          where id > ${after}::uuid order by id limit ${window}) as w`),
      )
      rows += counted?.rows ?? 0
      found.values += counted?.values ?? 0
      after = counted?.last ?? null
    }
    found.rows.push(rows)
  }
  const [integrations = 0, connectSessions = 0] = found.rows
  return { values: found.values, integrations, connectSessions }
}

async function walk(
  database: Database,
  vault: Vault,
  newest: string,
  onWindow: (at: Omit<ResealProgress, 'pass'>) => void,
): Promise<Pass> {
  const pass: Pass = { counts: {}, resealed: 0, moved: 0, unreadable: [] }
  for (const sealed of SEALED) {
    let rows = 0
    for (let after = NIL; ;) {
      const window = await readWindow(database, sealed, newest, after)
      await Promise.all(window.map((row) => resealRow(database, vault, sealed, row, pass)))
      rows += window.length
      const last = window.at(-1)
      if (last === undefined) break
      after = last.id
      onWindow({ table: sealed.table, rows, resealed: pass.resealed })
    }
  }
  return pass
}

const NIL = '00000000-0000-0000-0000-000000000000'

/** Key ids as crypto/vault.ts writes them: version 1, length, id. From a slice, so that a long value is not fetched. */
export const keyIdIn = (column: string) => {
  const head = sql`substring(${sql.identifier(column)} from 1 for 34)`
  return sql`case
    when ${sql.identifier(column)} is null then null
    when octet_length(${sql.identifier(column)}) < 46 or get_byte(${head}, 0) <> 1 then ''
    else encode(substring(${head} from 3 for get_byte(${head}, 1)), 'escape')
  end`
}

function readWindow(
  database: Database,
  { table, columns: [first, second], provider }: Sealed,
  newest: string,
  after: string,
): Promise<Row[]> {
  return database.run((db) =>
    db.execute<Row>(sql`
    select id, user_id, provider, key_0, key_1,
      case when key_0 <> ${newest} then v0 end as value_0,
      case when key_1 <> ${newest} then v1 end as value_1
    from (
      select id, user_id, ${provider} as provider, ${keyIdIn(first)} as key_0, ${keyIdIn(second)} as key_1,
        ${sql.identifier(first)} as v0, ${sql.identifier(second)} as v1
      from ${sql.identifier(table)} where id > ${after}::uuid order by id limit ${WINDOW_ROWS}
    ) as w order by id`),
  )
}

async function resealRow(
  database: Database,
  vault: Vault,
  { table, columns }: Sealed,
  row: Row,
  pass: Pass,
): Promise<void> {
  const changes: { column: string; old: Buffer; fresh: Buffer }[] = []
  for (const [index, column] of columns.entries()) {
    const keyId = row[`key_${index as 0 | 1}`]
    const old = row[`value_${index as 0 | 1}`]
    if (keyId !== null) pass.counts[keyId] = (pass.counts[keyId] ?? 0) + 1
    if (keyId === null || old === null) continue
    const context = { table, column, provider: row.provider, userId: row.user_id, recordId: row.id }
    try {
      changes.push({ column, old, fresh: vault.seal(context, vault.open(context, old)) })
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      pass.unreadable.push({ table, id: row.id, column, keyId, why: error.facts.detail ?? '' })
    }
  }
  if (changes.length === 0) return
  const set = sql.join(
    changes.map(({ column, fresh }) => sql`${sql.identifier(column)} = ${fresh}`),
    sql`, `,
  )
  const unchanged = sql.join(
    changes.map(({ column, old }) => sql`${sql.identifier(column)} = ${old}`),
    sql` and `,
  )
  const written = await database.run((db) =>
    db.execute(sql`
    update ${sql.identifier(table)} set ${set} where id = ${row.id}::uuid and ${unchanged} returning id`),
  )
  if (written.length > 0) pass.resealed += changes.length
  else pass.moved += changes.length
}
