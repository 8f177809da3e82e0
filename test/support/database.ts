import { randomBytes } from 'node:crypto'
import postgres from 'postgres'
import t from 'tap'
import { createDatabaseOn, startDatabase } from '../../sandbox/database.ts'
import { migrate } from '../../src/db/migrate.ts'

// One PostgreSQL for each test file (tap runs each file in its own process). It starts in half a second, and a test may
// stop or restart it. Within a file, each database is a copy of one that is migrated once.

interface Server {
  url: string
  template: string
}

let server: Promise<Server> | undefined

async function begin(): Promise<Server> {
  const external = process.env.DATABASE_URL
  const embedded = external ? undefined : await startDatabase()
  const url = external ?? embedded!.url
  const template = `template_${randomBytes(8).toString('hex')}`
  t.teardown(async () => {
    if (embedded) await embedded.close()
    else await drop(url, template)
  })
  await createDatabaseOn(url, template)
  await migrate(withDatabase(url, template))
  return { url, template }
}

/**
 * The URL of a new, migrated database that is dropped after the test. `DATABASE_URL` selects another server than the
 * embedded one; its user must be allowed to create databases.
 */
export async function testDatabase(test: { teardown(end: () => Promise<void>): unknown }): Promise<string> {
  const { url, template } = await (server ??= begin())
  const name = `test_${randomBytes(8).toString('hex')}`
  await createDatabaseOn(url, name, template)
  if (test !== t || process.env.DATABASE_URL) test.teardown(() => drop(url, name))
  return withDatabase(url, name)
}

function withDatabase(url: string, name: string): string {
  return Object.assign(new URL(url), { pathname: `/${name}` }).href
}

async function drop(url: string, name: string): Promise<void> {
  const sql = postgres(url, { max: 1, onnotice: () => {} })
  try {
    await sql.unsafe(`drop database if exists "${name}" with (force)`)
  } finally {
    await sql.end()
  }
}
