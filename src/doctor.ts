/**
 * doctor checks everything that the service depends on, and says what it found and what to do. It changes nothing:
 * what it writes as a trial it rolls back, and it uses no user's token. Nothing that it prints is secret. What is right
 * is decided by the modules that own it, not here.
 */
import { ConfigError, readConfig, type Config } from './config.ts'
import {
  checksText,
  defect,
  failed,
  ok,
  runCheck,
  runChecks,
  skipped,
  warning,
  type Check,
  type Finding,
  type Report,
} from './doctor/check.ts'
import { DATABASE_CHECKS, databaseChecks, databaseFailure, whereOf } from './doctor/database.ts'
import { canary as canaryCheck } from './doctor/canary.ts'
import { callers, internalListener, proxies, redirectUri, sessionSecrets } from './doctor/deployment.ts'
import { databaseEncryption } from './doctor/encryption.ts'
import { callerKeyUse, freezes as freezesCheck } from './doctor/freezes.ts'
import { fleetConclusions } from './doctor/fleet-conclusions.ts'
import { fleetFacts, fleetText } from './doctor/fleet.ts'
import { migrationDatabase } from './doctor/migration.ts'
import { MICROSOFT_CHECKS, microsoftChecks } from './doctor/microsoft.ts'
import { PUBLIC_CHECKS, publicChecks } from './doctor/public.ts'
import { permissions, registrations } from './doctor/registrations.ts'
import { replicaProblems } from './doctor/replicas.ts'
import { userConclusion } from './doctor/user-conclusion.ts'
import { userFacts, userText } from './doctor/user.ts'
import { Failure } from './core/failure.ts'
import { createServices, systemClock, type Overrides, type Services } from './services.ts'
import { CallersError } from './signature/callers.ts'
import { createLogger } from './telemetry.ts'
import { VERSION } from './version.ts'

export type { Check, Report } from './doctor/check.ts'

/** Every check, in the order of the report. */
const CHECKS = [
  'configuration',
  ...DATABASE_CHECKS,
  'database_encryption',
  'migration_database',
  'redirect_uri',
  'microsoft',
  'clock',
  'client_credential',
  'registrations',
  'permissions',
  'callers',
  'freezes',
  'caller_key_use',
  'canary',
  'session_secrets',
  'internal_listener',
  'proxies',
  'replicas',
] as const
type Findings = Partial<Record<(typeof CHECKS)[number], Finding>>

/** The setup of this deployment. Never rejects: a check that throws becomes a failed finding. */
export async function diagnose(env: NodeJS.ProcessEnv, overrides: Overrides = {}): Promise<Report> {
  return withServices(env, overrides, async (services) => checksReport(await runAllChecks(services)))
}

/** One user: what is stored, what failed, who acts. Never rejects. */
export async function diagnoseUser(env: NodeJS.ProcessEnv, userId: string, overrides: Overrides = {}): Promise<Report> {
  return withServices(env, overrides, async (services) => {
    // User 42 of another deployment is another person: nothing is read from a database that is not ours.
    const findings = await runChecks(DATABASE_CHECKS, () => databaseChecks(services))
    const broken = (['database', 'migrations', 'deployment'] as const).flatMap((name) => {
      const finding = findings[name]
      return finding?.result === 'failed' ? [{ name, ...finding }] : []
    })
    if (broken.length > 0) return checksReport(broken)
    const { database_writable = UNCHECKED, database_rights = UNCHECKED, database_locks = UNCHECKED } = findings
    const user = await userFacts(services, userId, { database_writable, database_rights, database_locks }).catch(
      (error: unknown) => {
        // What is known of the database says why it does not answer: a lock, perhaps.
        if (!(error instanceof Failure)) throw error
        return error
      },
    )
    if (user instanceof Failure) {
      const known = (['database_writable', 'database_rights', 'database_locks'] as const).flatMap((name) =>
        findings[name]?.result === 'failed' ? [{ name, ...findings[name] }] : [],
      )
      const failure = databaseFailure(whereOf(services.config), user.facts.detail ?? user.code)
      return checksReport([...known, { name: 'user', ...failure }])
    }
    const conclusion = userConclusion(user)
    return {
      text: `${TITLE}\n\n${userText(user, conclusion, services.clock.now())}`,
      json: { version: VERSION, user, conclusion },
      failed: conclusion.result === 'failed',
    }
  })
}

/** All users and replicas, and the likely cause of their problems. Never rejects. */
export async function diagnoseFleet(env: NodeJS.ProcessEnv, overrides: Overrides = {}): Promise<Report> {
  return withServices(env, overrides, async (services) => {
    const fleet = await fleetFacts(services)
    const now = services.clock.now()
    const conclusions = fleetConclusions(fleet, now)
    const [conclusion, ...other_conclusions] = conclusions
    return {
      text: `${TITLE}\n\n${fleetText(fleet, conclusions, now)}`,
      json: { version: VERSION, fleet, conclusion, other_conclusions },
      failed: conclusion.result === 'failed',
    }
  })
}

/** The public side, as browsers reach it. Never rejects. */
export async function diagnosePublic(env: NodeJS.ProcessEnv, overrides: Overrides = {}): Promise<Report> {
  return withServices(env, overrides, async (services) => {
    try {
      return checksReport(await publicChecks(services))
    } catch (error) {
      return checksReport(PUBLIC_CHECKS.map((name) => ({ name, ...defect(name, error) })))
    }
  })
}

const UNCHECKED = skipped('it could not be checked.')
const TITLE = `token-broker ${VERSION}, Node ${process.version}`

export function checksReport(checks: readonly Check[]): Report {
  return {
    text: `${TITLE}\n\n${checksText(checks)}`,
    json: { version: VERSION, checks },
    failed: checks.some(({ result }) => result === 'failed'),
  }
}

/**
 * Never rejects: without services there is a report about the configuration, and a defect of `work` is a failed check.
 */
async function withServices(
  env: NodeJS.ProcessEnv,
  overrides: Overrides,
  work: (services: Services) => Promise<Report>,
): Promise<Report> {
  const clock = overrides.clock ?? systemClock
  let services: Services
  try {
    services = createServices(readConfig(env, undefined, clock.now()), createLogger('silent'), { ...overrides, clock })
  } catch (error) {
    const known = error instanceof ConfigError || error instanceof CallersError
    const finding = known
      ? failed(error.message, 'Correct the variables named above. Every other check needs them.')
      : defect('configuration', error)
    return checksReport(inOrder({ configuration: finding }, 'the configuration cannot be used.'))
  }
  try {
    return await work(services)
  } catch (error) {
    const finding =
      error instanceof Failure && error.code === 'database_unavailable'
        ? databaseFailure(whereOf(services.config), error.facts.detail ?? error.code)
        : defect('doctor', error)
    return checksReport([{ name: 'doctor', ...finding }])
  } finally {
    await services.close().catch(() => {})
  }
}

/** Never rejects. */
export async function runAllChecks(services: Services): Promise<Check[]> {
  const now = () => services.clock.now()
  const [database, microsoft] = await Promise.all([
    runChecks(DATABASE_CHECKS, () => databaseChecks(services)),
    runChecks(MICROSOFT_CHECKS, () => microsoftChecks(services)),
  ])
  const findings: Findings = {
    configuration: await runCheck('configuration', () => configuration(services.config)),
    ...database,
    database_encryption: await runCheck('database_encryption', () => databaseEncryption(services.config, now())),
    ...(database.database?.result === 'ok'
      ? { migration_database: await runCheck('migration_database', () => migrationDatabase(services)) }
      : {}),
    redirect_uri: await runCheck('redirect_uri', () => redirectUri(services.config)),
    ...microsoft,
    callers: await runCheck('callers', () => callers(services.callers.current(), now())),
    ...(database.migrations?.result === 'failed' || database.database?.result !== 'ok'
      ? {}
      : {
          registrations: await runCheck('registrations', () => registrations(services)),
          permissions: await runCheck('permissions', () => permissions(services)),
          freezes: await runCheck('freezes', () => freezesCheck(services)),
          caller_key_use: await runCheck('caller_key_use', () => callerKeyUse(services)),
          canary: await runCheck('canary', () => canaryCheck(services)),
        }),
    session_secrets: await runCheck('session_secrets', () => sessionSecrets(services.config)),
    internal_listener: await runCheck('internal_listener', () => internalListener(services.config, now())),
    proxies: await runCheck('proxies', () => proxies(services.config)),
    replicas: await runCheck('replicas', () => replicaProblems(services.config)),
  }
  return inOrder(findings, 'it could not be checked.')
}

function configuration({ warnings }: Config): Finding {
  if (warnings.length === 0) return ok('Every variable that is set can be used.')
  const problems = warnings.map(({ variable, problem }) => `${variable} ${problem}`)
  return warning(problems.join('; '), 'Remove these variables, or correct their names. The broker does not read them.')
}

function inOrder(findings: Findings, reason: string): Check[] {
  return CHECKS.map((name) => ({ name, ...(findings[name] ?? skipped(reason)) }))
}
