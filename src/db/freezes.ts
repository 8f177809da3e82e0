import { randomUUID } from 'node:crypto'
import type { Freeze, FreezeStore, FrozenPerson } from '../core/freeze.ts'
import { Failure } from '../core/failure.ts'
import { batched } from './fast-path/batch.ts'
import type { Database, Transaction } from './client.ts'
import { and, eq, inArray, lte, or, sql } from './drizzle.ts'
import { appendEvents } from './events.ts'
import { epochOf, epochOrNull, isoOfEpoch } from './instants.ts'
import { FREEZE_LIVES } from './fast-path/statements.ts'
import { freezes } from './schema.ts'

/** Any fixed number, the same in every release, and not that of events.ts. */
const FREEZE_LOCK = 7_290_422

const live = sql.raw(FREEZE_LIVES)

const COLUMNS = {
  id: freezes.id,
  scope: freezes.scope,
  value: freezes.value,
  reason: freezes.reason,
  caller: freezes.caller,
  createdAt: epochOf(freezes.createdAt),
  expiresAt: epochOrNull(freezes.expiresAt),
}
type Row = Omit<Freeze, 'createdAt' | 'expiresAt'> & { createdAt: number; expiresAt: number | null }

const toFreeze = ({ createdAt, expiresAt, ...row }: Row): Freeze => ({
  ...row,
  createdAt: isoOfEpoch(createdAt),
  ...(expiresAt === null ? {} : { expiresAt: isoOfEpoch(expiresAt) }),
})

const KEY_FROZEN = (keys: number): string =>
  `select value as key_id from access_freeze where scope = 'caller_key' and ${FREEZE_LIVES}
    and value in (${Array.from({ length: keys }, (_, i) => `$${i + 1}`).join(', ')})`

export function createFreezeStore(database: Database): FreezeStore {
  const frozenKey = batched<string, { key_id: string }>({
    database,
    via: 'read',
    statement: KEY_FROZEN,
    parameters: (keyId) => [keyId],
    keyOf: (keyId) => keyId,
    keyOfRow: (row) => row.key_id,
  })

  return {
    freeze: ({ scope, value, reason, caller, expiresAt }) =>
      database.transaction(async (tx) => {
        const here = and(eq(freezes.scope, scope), eq(freezes.value, value))
        await lockFreezes(tx)
        const ends = expiresAt === undefined ? sql`null::timestamptz` : sql`${expiresAt}::timestamptz`
        const [ahead] = await tx.execute<{ ends_later: boolean }>(
          sql`select coalesce(${ends} > clock_timestamp(), true) as ends_later`,
        )
        if (ahead?.ends_later !== true)
          throw new Failure('invalid_request', {
            invalid: [{ field: 'body.expires_at', expected: 'a time in the future, by the clock of the database' }],
          })
        await endOf(tx, and(here, sql`not (${live})`))
        const [inserted] = await tx
          .insert(freezes)
          .values({ id: randomUUID(), scope, value, reason, caller, expiresAt: ends })
          .onConflictDoNothing()
          .returning(COLUMNS)
        if (inserted !== undefined) {
          await appendEvents(tx, [eventOf('frozen', inserted, caller)])
          return { freeze: toFreeze(inserted), created: true }
        }
        const [longer] = await tx
          .update(freezes)
          .set({
            reason,
            // Null is for ever, and greatest() would pass over it.
            expiresAt: sql`case when ${freezes.expiresAt} is not null and ${ends} is not null
              then greatest(${freezes.expiresAt}, ${ends}) end`,
          })
          .where(here)
          .returning(COLUMNS)
        return { freeze: toFreeze(longer!), created: false }
      }),

    async list() {
      const rows = await database.run((db) =>
        db.select(COLUMNS).from(freezes).where(live).orderBy(freezes.createdAt, freezes.id),
      )
      return rows.map(toFreeze)
    },

    lift: (id, caller) =>
      database.transaction(async (tx) => {
        await lockFreezes(tx)
        const [row] = await tx.delete(freezes).where(eq(freezes.id, id)).returning(COLUMNS)
        if (row === undefined) return undefined
        await appendEvents(tx, [eventOf('unfrozen', row, caller)])
        return toFreeze(row)
      }),

    isKeyFrozen: async (keyId) => (await frozenKey(keyId)) !== undefined,

    async ofPerson(userId, tenantId) {
      const rows = await database.run((db) =>
        db
          .select(COLUMNS)
          .from(freezes)
          .where(and(isPerson(userId, tenantId), live)),
      )
      return rows.map(toFreeze)
    },

    endExpired: () =>
      database.transaction(async (tx) => {
        await lockFreezes(tx)
        const rows = await endOf(tx, lte(freezes.expiresAt, sql`clock_timestamp()`))
        await appendEvents(
          tx,
          rows.map((row) => eventOf('unfrozen', row, 'broker', 'expired')),
        )
        return rows.length
      }),
  }
}

/** Those who freeze and lift do it one after the other. Readers wait for nobody. */
const lockFreezes = (tx: Transaction) => tx.execute(sql`select pg_advisory_xact_lock(${FREEZE_LOCK})`)

const endOf = (tx: Transaction, which: ReturnType<typeof and>) => tx.delete(freezes).where(which).returning(COLUMNS)

const isPerson = (userId: string, tenantId: string | undefined) =>
  or(
    and(eq(freezes.scope, 'user'), eq(freezes.value, userId)),
    tenantId === undefined ? undefined : and(eq(freezes.scope, 'tenant'), eq(freezes.value, tenantId.toLowerCase())),
  )

/** An event of a user names the user; one of a tenant or a key names nobody. */
const eventOf = (type: 'frozen' | 'unfrozen', row: Row, caller: string, cause?: 'expired') => ({
  userId: row.scope === 'user' ? row.value : '',
  type,
  caller,
  detail: {
    ...(cause === undefined ? {} : { cause }),
    freeze: { id: row.id, scope: row.scope, value: row.value },
  },
})

/**
 * Which of these users and tenants are frozen, in the transaction that wants to store an integration for them. Names
 * the scope of each user that is frozen.
 */
export async function frozenAmong(
  tx: Transaction,
  people: readonly { userId: string; tenantId?: string | undefined }[],
): Promise<Map<string, FrozenPerson>> {
  const users = people.map(({ userId }) => userId)
  const tenants = people.flatMap(({ tenantId }) => (tenantId === undefined ? [] : [tenantId.toLowerCase()]))
  const rows = await tx
    .select({ scope: freezes.scope, value: freezes.value })
    .from(freezes)
    .where(
      and(
        or(
          and(eq(freezes.scope, 'user'), inArray(freezes.value, users)),
          tenants.length === 0 ? undefined : and(eq(freezes.scope, 'tenant'), inArray(freezes.value, tenants)),
        ),
        live,
      ),
    )
  const isFrozen = (scope: FrozenPerson, value: string | undefined) =>
    rows.some((row) => row.scope === scope && row.value === value)
  return new Map(
    people.flatMap(({ userId, tenantId }): [string, FrozenPerson][] =>
      isFrozen('user', userId)
        ? [[userId, 'user']]
        : isFrozen('tenant', tenantId?.toLowerCase())
          ? [[userId, 'tenant']]
          : [],
    ),
  )
}
