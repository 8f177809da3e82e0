import { getTableName, sql, type SQL } from './drizzle.ts'
import type { Database } from './client.ts'
import { integrations } from './schema.ts'

/** 8 MB: some 20,000 integrations. */
const WINDOW_PAGES = 1_000

/**
 * Conditions that together cover the whole table of integrations, some pages of it each. A statement that looks at all
 * rows is sent once for each, so that it ends within the time limit of a query, however large the table is. A row that
 * is written meanwhile may be counted twice or not at all.
 */
export async function* integrationWindows(database: Database, windowPages = WINDOW_PAGES): AsyncGenerator<SQL> {
  const [size] = await database.run((db) =>
    db.execute<{ pages: number }>(
      sql`select (pg_relation_size(${getTableName(integrations)}) / current_setting('block_size')::int)::int as pages`,
    ),
  )
  const pages = size?.pages ?? 0
  const start = (page: number) => sql`${integrations}.ctid >= ${`(${page},0)`}::tid`
  for (let page = 0; ; page += windowPages) {
    const next = page + windowPages
    // The last one has no end: the table may have grown.
    if (next >= pages) return yield start(page)
    yield sql`${start(page)} and ${integrations}.ctid < ${`(${next},0)`}::tid`
  }
}
