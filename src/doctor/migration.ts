import { migrationRole } from '../db/migration-role.ts'
import type { Services } from '../services.ts'
import { failed, ok, type Finding } from './check.ts'

/** What to do, by the driver's error code or SQLSTATE. */
const ADVICE: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'No server listens at this address. Check its host and port.',
  ENOTFOUND: 'DNS does not know its host. Check the spelling.',
  CONNECT_TIMEOUT: 'Its host does not answer. Check host and port, network policies and firewalls.',
  deadline: 'It did not answer in time. Check the network and the load of Postgres.',
  '28P01': 'Its user or password is wrong.',
  '28000': 'Postgres refuses this user from this address. Check pg_hba.conf, and its sslmode.',
  '3D000': 'The database does not exist. Correct its name.',
  '53300': 'Postgres has no free connection. Lower DATABASE_POOL_SIZE, or raise max_connections.',
}
const POOLER = 'It leads through a pooler, and a lock that migrate takes there protects nothing.'

/** Whether `migrate` will work with DATABASE_MIGRATION_URL. It changes nothing. */
export async function migrationDatabase({ config, database }: Services): Promise<Finding> {
  const { url, migrationUrls, ca, timeoutMs } = config.database
  if (migrationUrls[0] === url)
    return ok('DATABASE_MIGRATION_URL is not set here: only the job that migrates needs it, so it was not checked.')
  const role = await migrationRole(migrationUrls, { ca, database, timeoutMs })
  if ('failed' in role)
    return failed(
      `DATABASE_MIGRATION_URL cannot be used: ${role.failed}.`,
      ADVICE[role.failed] ?? 'Check DATABASE_MIGRATION_URL, the network to Postgres, and the log of Postgres.',
    )
  const { user, direct, elsewhere, readOnly, lacks } = role
  if (!direct) return failed(POOLER, 'Let DATABASE_MIGRATION_URL name Postgres itself.')
  if (elsewhere)
    return failed(
      'DATABASE_MIGRATION_URL names another server or database than DATABASE_URL.',
      'Both must name the same database: migrate would change the other one, and the service would still lack its migrations.',
    )
  if (readOnly)
    return failed(
      'The database of DATABASE_MIGRATION_URL is read-only or a standby.',
      'Let it name the primary. Migrations write.',
    )
  if (lacks.length > 0)
    return failed(
      `The user "${user}" of DATABASE_MIGRATION_URL lacks rights: ${lacks.join('; ')}.`,
      'Let it name the owner of the database and of its tables.',
    )
  return ok(`migrate can work as "${user}": same database, direct connection, all rights.`)
}
