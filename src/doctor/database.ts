import { Failure } from '../core/failure.ts'
import { checkCanaries, clockDifference, recordedDeployment } from '../db/deployment.ts'
import { sealedSamples, serverVersion } from '../db/diagnostics.ts'
import { migrationState } from '../db/migrate.ts'
import type { Services } from '../services.ts'
import { databaseFailureKind } from '../db/failure-kinds.ts'
import { defect, failed, ok, skipped, warning, type Finding } from './check.ts'
import { connectionsOf, locks, rights, settings, writable } from './database-condition.ts'
import { DATABASE_PROBLEMS, databaseAdvice } from './database-problems.ts'

const UNTRUSTED = 'The certificate of Postgres is signed by an authority that is not trusted: set DATABASE_CA.'
/**
 * What to do, by the driver's error code or SQLSTATE, where it says more than the kind of the failure
 * (database-problems.ts).
 */
const ADVICE: Readonly<Record<string, string>> = {
  ECONNREFUSED:
    'No server listens at this address. Check the host and port of DATABASE_URL, and that Postgres is running.',
  NO_WRITABLE_HOST:
    'None of the hosts of DATABASE_URL takes writes: each is down, in hot standby or read-only. Promote one, and keep the ' +
    'old primary away.',
  ENOTFOUND: "DNS does not know the host of DATABASE_URL. Check its spelling and the cluster's DNS.",
  CONNECT_TIMEOUT: 'The host does not answer. Check the host and port of DATABASE_URL, network policies and firewalls.',
  '28P01': 'The user or password of DATABASE_URL is wrong.',
  '28000': 'Postgres refuses this user from this address. Check pg_hba.conf, and sslmode in DATABASE_URL.',
  '3D000': 'The database does not exist. Create it, or correct its name in DATABASE_URL.',
  SELF_SIGNED_CERT_IN_CHAIN: UNTRUSTED,
  DEPTH_ZERO_SELF_SIGNED_CERT: UNTRUSTED,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNTRUSTED,
}
const MAX_CLOCK_DIFFERENCE_MS = 5_000

export const DATABASE_CHECKS = [
  'database',
  'database_writable',
  'database_rights',
  'database_locks',
  'database_connections',
  'database_settings',
  'migrations',
  'deployment',
  'sealing_keys',
  'database_clock',
] as const
export type DatabaseFindings = Record<(typeof DATABASE_CHECKS)[number], Finding>

/** If the database does not answer or lacks migrations, the checks that need it are `skipped`. */
export async function databaseChecks({ database, config, clock, vault }: Services): Promise<DatabaseFindings> {
  const where = whereOf(config)
  const startedAt = clock.elapsed()
  const check = (name: keyof DatabaseFindings, work: () => Promise<Finding>) => runDatabaseCheck(name, where, work)
  const reached = await check('database', async () => {
    const version = await serverVersion(database)
    return ok(`PostgreSQL ${version} (${where}) answered in ${Math.round(clock.elapsed() - startedAt)} ms.`)
  })
  if (reached.result !== 'ok') return { ...allSkipped('the database could not be queried.'), database: reached }
  const migrations = await check('migrations', async () => MIGRATIONS[await migrationState(database)])
  const isMigrated = migrations.result !== 'failed'
  const findings = {
    ...allSkipped('the database lacks migrations.'),
    database: reached,
    migrations,
    database_locks: await check('database_locks', () => locks(database)),
    database_rights: await check('database_rights', () => rights(database)),
    database_writable: await check('database_writable', () => writable(database, isMigrated)),
    database_connections: await check('database_connections', () => connectionsOf(database, config.database.poolSize)),
    database_settings: await check('database_settings', () => settings(database)),
    database_clock: await check('database_clock', async () =>
      compareClocks(await clockDifference(database, () => clock.now())),
    ),
  }
  if (!isMigrated) return findings
  return {
    ...findings,
    deployment: await check('deployment', async () =>
      deployment((await recordedDeployment(database))?.publicBaseUrl, config.publicBaseUrl),
    ),
    sealing_keys: await check('sealing_keys', () => sealingKeys(database, vault)),
  }
}

const allSkipped = (reason: string): DatabaseFindings => ({
  database: skipped(reason),
  database_writable: skipped(reason),
  database_rights: skipped(reason),
  database_locks: skipped(reason),
  database_connections: skipped(reason),
  database_settings: skipped(reason),
  migrations: skipped(reason),
  deployment: skipped(reason),
  sealing_keys: skipped(reason),
  database_clock: skipped(reason),
})

/** Which database, for people. */
export function whereOf({ database: { url, otherUrls = [] } }: Pick<Services['config'], 'database'>): string {
  const hosts = [url, ...otherUrls].map((one) => new URL(one).host).join(' or ')
  return `database "${new URL(url).pathname.slice(1)}" at ${hosts}`
}

const MIGRATIONS: Record<Awaited<ReturnType<typeof migrationState>>, Finding> = {
  current: ok('The database has every migration of this release.'),
  behind: failed(
    'The database lacks migrations of this release.',
    'Run "token-broker migrate". The service does not start before that.',
  ),
  ahead: warning(
    'The database was migrated by a newer release than this one.',
    'This is right during an upgrade, or after a rollback by one release. Otherwise deploy the newer release.',
  ),
}

function deployment(recorded: string | undefined, ours: string): Finding {
  if (recorded === undefined)
    return ok(`The database belongs to no deployment yet. The first start records ${ours} in it.`)
  if (recorded === ours) return ok(`The database belongs to ${ours}.`)
  return failed(
    `The database belongs to ${recorded}, and this deployment is ${ours}.`,
    "Set DATABASE_URL to this deployment's own database, or correct SUBDOMAIN or PUBLIC_BASE_URL. Two deployments must " +
      'never share a database: user 42 of another deployment is another person.',
  )
}

async function sealingKeys(database: Services['database'], vault: Services['vault']): Promise<Finding> {
  const { recorded } = await checkCanaries(database, vault)
  const lacking = recorded.filter((keyId) => !vault.keyIds.includes(keyId))
  if (lacking.length > 0) {
    return failed(
      `SEALING_KEYS has ${vault.keyIds.join(', ')}. It lacks ${lacking.join(', ')}, which sealed tokens in this database.`,
      'Add the missing key after the newest one. "token-broker reseal" then seals the tokens with the newest key; after ' +
        'that the old key can be removed. If the key is lost, see "token-broker reseal --forget <key id>".',
    )
  }
  const samples = await sealedSamples(database)
  for (const { context, sealed } of samples) vault.open(context, sealed)
  const tokens = samples.length === 0 ? 'no token is stored yet' : 'stored tokens can be opened'
  return ok(`SEALING_KEYS (${vault.keyIds.join(', ')}) matches the database; ${tokens}.`)
}

function compareClocks(differenceMs: number): Finding {
  const seconds = Math.abs(differenceMs / 1000).toFixed(1)
  if (Math.abs(differenceMs) <= MAX_CLOCK_DIFFERENCE_MS)
    return ok(`The clocks of Postgres and of this machine differ by ${seconds} s.`)
  return failed(
    `The clock of Postgres is ${seconds} s ${differenceMs > 0 ? 'ahead of' : 'behind'} the clock of this machine.`,
    'Synchronise both with NTP. Expiry times come from the clock of Postgres, and signatures are checked with the clock ' +
      'of this machine.',
  )
}

async function runDatabaseCheck(name: string, where: string, work: () => Promise<Finding>): Promise<Finding> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof Failure)) return defect(name, error)
    const detail = error.facts.detail ?? error.code
    if (error.code === 'token_unreadable') {
      return failed(
        `A stored value cannot be opened with SEALING_KEYS: ${detail}.`,
        'Add the key that sealed it after the others. Users need not reconnect: their authorization at Microsoft is intact.',
      )
    }
    return databaseFailure(where, detail)
  }
}

/** A failure of the database: what it is, and what to do about it. */
export function databaseFailure(where: string, detail: string): Finding {
  const kind = databaseFailureKind(detail)
  if (kind === 'statement')
    return failed(
      `Postgres refused a statement (${where}): ${detail}.`,
      'This is a defect of the token broker. Report this line to its maintainers. See docs/runbooks.md#tokenbrokererrors',
    )
  const words = DATABASE_PROBLEMS[kind].message
  const advice = ADVICE[detail]
  return failed(
    `${words} It could not be queried (${where}): ${detail}.`,
    advice === undefined ? databaseAdvice(kind) : `${advice} See docs/runbooks.md#${DATABASE_PROBLEMS[kind].anchor}`,
  )
}
