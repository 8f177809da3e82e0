import { readMigrationConfig } from '../config.ts'
import { migrate } from '../db/migrate.ts'
import type { Command } from './command.ts'

/** Needs the DATABASE_ variables only: a migration job does not have the secrets of the service. */
export const migrateCommand: Command = {
  name: 'migrate',
  summary:
    'Applies the migrations of this release to the database, and gives `DATABASE_SERVING_ROLE` its rights; may be repeated. Needs the `DATABASE_…` variables only',
  usage: '',
  async run(_args, { env, out }) {
    const { url, otherUrls, ca, servingRole } = readMigrationConfig(env)
    const { applied } = await migrate(url, { ca, otherUrls, servingRole })
    for (const tag of applied) out(`applied ${tag}`)
    if (servingRole !== undefined) out(`${servingRole} has the rights of the service`)
    out(
      applied.length === 0
        ? 'The database is up to date: nothing was applied.'
        : `The database is up to date: ${applied.length} applied.`,
    )
    return 0
  },
}
