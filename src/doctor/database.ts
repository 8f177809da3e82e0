import { Failure } from '../core/failure.ts'
import { checkCanaries, clockDifference, recordedDeployment } from '../db/deployment.ts'
import { sealedSamples, serverVersion } from '../db/diagnostics.ts'
import { migrationState } from '../db/migrate.ts'
import type { Services } from '../services.ts'
import { failed, ok, skipped, warning, type Finding } from './check.ts'

/** By the driver's code or SQLSTATE. */
const ADVICE: Record<string, string> = {
  ECONNREFUSED: 'Nobody listens there: check host and port of DATABASE_URL, and that Postgres runs.',
  ENOTFOUND: "The host of DATABASE_URL is not known to the name service: check its spelling and the cluster's DNS.",
  CONNECT_TIMEOUT: 'The host does not answer: check host and port of DATABASE_URL, network policies and firewalls.',
  deadline:
    "It did not answer within DATABASE_DEADLINE_MS: check the network, and Postgres' load. Behind PgBouncer older than 1.21, or with max_prepared_statements 0, set DATABASE_PREPARE=off.",
  '28P01': 'User or password of DATABASE_URL are wrong: set the ones that Postgres has.',
  '28000': 'Postgres does not let this user in from here: check pg_hba.conf, and sslmode in DATABASE_URL.',
  '3D000': 'There is no such database: create it, or correct the name in DATABASE_URL.',
  '53300': 'Postgres has no connection left: lower DATABASE_POOL_SIZE, or raise max_connections.',
  SELF_SIGNED_CERT_IN_CHAIN:
    'The certificate of Postgres is signed by an authority that is not trusted: set DATABASE_CA.',
  DEPTH_ZERO_SELF_SIGNED_CERT:
    'The certificate of Postgres is signed by an authority that is not trusted: set DATABASE_CA.',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    'The certificate of Postgres is signed by an authority that is not trusted: set DATABASE_CA.',
}
const OTHERWISE = 'Check DATABASE_URL, the network to Postgres, and its log.'
/** Milliseconds the two clocks may differ. */
const CLOCKS_DIFFER = 5_000

type Findings = Record<'database' | 'migrations' | 'deployment' | 'sealing_keys' | 'database_clock', Finding>

export async function examineDatabase({ database, config, clock, vault }: Services): Promise<Findings> {
  const { host, pathname } = new URL(config.database.url)
  const where = `database "${pathname.slice(1)}" at ${host}`
  const began = clock.elapsed()
  const reached = await attempt(async () => {
    const version = await serverVersion(database)
    return ok(`PostgreSQL ${version} (${where}) answered in ${Math.round(clock.elapsed() - began)} ms.`)
  }, where)
  if (reached.result !== 'ok') return { database: reached, ...all(skipped('the database could not be asked')) }

  const migrations = await attempt(async () => MIGRATIONS[await migrationState(database)], where)
  const database_clock = await attempt(
    async () => compareClocks(await clockDifference(database, () => clock.now())),
    where,
  )
  if (migrations.result === 'failed')
    return { database: reached, ...all(skipped('the database lacks migrations')), migrations, database_clock }

  return {
    database: reached,
    migrations,
    deployment: await attempt(
      async () => deployment((await recordedDeployment(database))?.publicBaseUrl, config.publicBaseUrl),
      where,
    ),
    sealing_keys: await attempt(() => sealingKeys(database, vault), where),
    database_clock,
  }
}

const all = (finding: Finding) => ({
  migrations: finding,
  deployment: finding,
  sealing_keys: finding,
  database_clock: finding,
})

const MIGRATIONS: Record<Awaited<ReturnType<typeof migrationState>>, Finding> = {
  current: ok('The database has every migration of this release.'),
  behind: failed(
    'The database lacks migrations of this release.',
    'Run "token-broker migrate"; the service does not start before.',
  ),
  ahead: warning(
    'The database was migrated by a newer release than this one.',
    'Good during an upgrade or after a rollback by one release; otherwise deploy the newer release.',
  ),
}

function deployment(recorded: string | undefined, ours: string): Finding {
  if (recorded === undefined) return ok(`The database belongs to nobody yet: the first start writes down ${ours}.`)
  if (recorded === ours) return ok(`The database belongs to ${ours}.`)
  return failed(
    `The database belongs to ${recorded}, and this deployment is ${ours}.`,
    "Point DATABASE_URL to this deployment's own database, or correct SUBDOMAIN or PUBLIC_BASE_URL. Never share one: user 42 of another deployment is another person.",
  )
}

async function sealingKeys(database: Services['database'], vault: Services['vault']): Promise<Finding> {
  const { recorded } = await checkCanaries(database, vault)
  const lacking = recorded.filter((keyId) => !vault.keyIds.includes(keyId))
  if (lacking.length > 0) {
    return failed(
      `SEALING_KEYS has ${vault.keyIds.join(', ')}, and lacks ${lacking.join(', ')}, under which tokens in this database are sealed.`,
      'Put it back behind the newest key; "token-broker reseal" moves the tokens, then it may go. If it is lost, see "token-broker reseal --forget".',
    )
  }
  const samples = await sealedSamples(database)
  for (const { context, sealed } of samples) vault.open(context, sealed)
  return ok(
    `SEALING_KEYS (${vault.keyIds.join(', ')}) fit the database; ${samples.length === 0 ? 'no token is stored yet' : 'stored tokens open'}.`,
  )
}

function compareClocks(difference: number): Finding {
  const seconds = Math.abs(difference / 1000).toFixed(1)
  if (Math.abs(difference) <= CLOCKS_DIFFER)
    return ok(`The clocks of Postgres and of this machine differ by ${seconds} s.`)
  return failed(
    `The clock of Postgres is ${seconds} s ${difference > 0 ? 'ahead of' : 'behind'} this machine's.`,
    'Synchronise both with NTP: callers are told expiry times by the clock of Postgres, and signatures are judged by that of this machine.',
  )
}

async function attempt(work: () => Promise<Finding>, where: string): Promise<Finding> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    const detail = error.facts.detail ?? error.code
    // Says itself what to do, where it is about a key that bears another's id.
    if (error.code === 'token_unreadable') {
      return failed(
        `A stored value cannot be opened with SEALING_KEYS: ${detail}.`,
        'Put the key that sealed it behind the others. Users need not reconnect for it: nothing is wrong at Microsoft.',
      )
    }
    if (/ 42501/.test(detail))
      return failed(
        `The user of DATABASE_URL lacks rights in ${where}.`,
        'Grant it select, insert, update and delete on the tables, and usage on schema drizzle and the sequences.',
      )
    return failed(`It could not be asked (${where}): ${detail}.`, ADVICE[detail] ?? OTHERWISE)
  }
}
