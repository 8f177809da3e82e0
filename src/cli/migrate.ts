import { readMigrationConfig } from '../config.ts'
import { migrate } from '../db/migrate.ts'
import type { Command } from './command.ts'

/** Needs the database's variables only: a migration job has its own secret and none of Microsoft's. */
export const migrateCommand: Command = {
  name: 'migrate',
  summary: 'Brings the database to this release; may be repeated. Needs the `DATABASE_…` variables only',
  usage: '',
  async run(_args, { env, out }) {
    const { url, ca } = readMigrationConfig(env)
    const { applied } = await migrate(url, { ca })
    for (const tag of applied) out(`applied ${tag}`)
    out(
      applied.length === 0
        ? 'The database is up to date: nothing was applied.'
        : `The database is up to date: ${applied.length} applied.`,
    )
    return 0
  },
}
