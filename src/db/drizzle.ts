import { createRequire } from 'node:module'

// What db uses of drizzle-orm, from its CommonJS build: for each of its ES modules Node 24 reads the package's 180 kB
// of `exports` again, which costs 0.7 s at start and 150 MB of resident memory (measured). The types are the same.

const load = createRequire(import.meta.url)

export const { and, asc, desc, eq, getTableName, gt, inArray, is, isNull, lt, lte, not, notInArray, or, sql, Table } =
  load('drizzle-orm') as typeof import('drizzle-orm')
export const {
  bigint,
  boolean,
  check,
  customType,
  index,
  integer,
  jsonb,
  pgSequence,
  PgTable,
  pgTable,
  primaryKey,
  text,
  timestamp,
  uniqueIndex,
  uuid,
} = load('drizzle-orm/pg-core') as typeof import('drizzle-orm/pg-core')
export const { drizzle } = load('drizzle-orm/postgres-js') as typeof import('drizzle-orm/postgres-js')
export const { migrate } = load('drizzle-orm/postgres-js/migrator') as typeof import('drizzle-orm/postgres-js/migrator')
export type { Column, SQL } from 'drizzle-orm'
export type { PostgresJsDatabase } from 'drizzle-orm/postgres-js'
