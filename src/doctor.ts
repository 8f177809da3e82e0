/**
 * doctor looks at everything the service depends on and says what it saw and what to do. It changes nothing: no row is
 * written, nobody's token is used. Nothing it prints is a secret. It must not decide what is right: it asks those who do.
 */
import { ConfigError, readConfig, type Config } from './config.ts'
import { failed, ok, skipped, warning, type Check, type Finding } from './doctor/check.ts'
import { examineDatabase } from './doctor/database.ts'
import { callers, internalListener, proxies, redirectUri, sessionSecrets } from './doctor/deployment.ts'
import { databaseEncryption } from './doctor/encryption.ts'
import { fleetReport } from './doctor/fleet-report.ts'
import { fleetVerdicts } from './doctor/fleet-verdict.ts'
import { fleetFacts } from './doctor/fleet.ts'
import { examineMicrosoft } from './doctor/microsoft.ts'
import { examinePublic } from './doctor/public.ts'
import { userReport } from './doctor/user-report.ts'
import { userVerdict } from './doctor/user-verdict.ts'
import { userFacts } from './doctor/user.ts'
import { createServices, systemClock, type Services, type Overrides } from './services.ts'
import { createLogger } from './telemetry.ts'

export type { Check } from './doctor/check.ts'

/** Every check, in the order of the report. */
const NAMES = [
  'configuration',
  'database',
  'migrations',
  'deployment',
  'sealing_keys',
  'database_clock',
  'database_encryption',
  'redirect_uri',
  'microsoft',
  'clock',
  'client_credential',
  'callers',
  'session_secrets',
  'internal_listener',
  'proxies',
] as const
type Name = (typeof NAMES)[number]
type Findings = Partial<Record<Name, Finding>>

/** Makes all checks; what stands in the way of one makes it `skipped`. Never throws for anything it looks at. */
export async function examine(env: NodeJS.ProcessEnv, surroundings: Overrides = {}): Promise<Check[]> {
  return withServices(
    env,
    surroundings,
    async (services) =>
      inOrder(
        { configuration: configuration(services.config), ...(await examineAll(services)) },
        'it could not be looked at',
      ),
    (checks) => checks,
  )
}

/** How a look ended: for a terminal, for a script, and whether somebody must act. */
export interface Report {
  text: string
  json: object
  failed: boolean
}

/** One user: what is stored, what went wrong, who acts. Throws Failure when the database does not answer in the middle of it. */
export async function examineUser(
  env: NodeJS.ProcessEnv,
  userId: string,
  surroundings: Overrides = {},
): Promise<Report> {
  return withServices(
    env,
    surroundings,
    async (services) => {
      // User 42 of another deployment is another person: nothing is told from a database that is not ours.
      const found = await examineDatabase(services)
      const broken = (['database', 'migrations', 'deployment'] as const).filter(
        (name) => found[name].result === 'failed',
      )
      if (broken.length > 0) return reportOfChecks(broken.map((name) => ({ name, ...found[name] })))
      const user = await userFacts(services, userId)
      const verdict = userVerdict(user)
      return {
        text: userReport(user, verdict, services.clock.now()),
        json: { user, verdict },
        failed: verdict.result === 'failed',
      }
    },
    reportOfChecks,
  )
}

/** All users together, and whose problem it most likely is. */
export async function examineFleet(env: NodeJS.ProcessEnv, surroundings: Overrides = {}): Promise<Report> {
  return withServices(
    env,
    surroundings,
    async (services) => {
      const fleet = await fleetFacts(services)
      const now = services.clock.now()
      const verdicts = fleetVerdicts(fleet, now)
      const [verdict, ...also] = verdicts
      return {
        text: fleetReport(fleet, verdicts, now),
        json: { fleet, verdict, also },
        failed: verdict.result === 'failed',
      }
    },
    reportOfChecks,
  )
}

/** The way in, as browsers take it. */
export async function examinePublicSide(env: NodeJS.ProcessEnv, surroundings: Overrides = {}): Promise<Report> {
  return withServices(
    env,
    surroundings,
    async (services) => reportOfChecks(await examinePublic(services)),
    reportOfChecks,
  )
}

export function reportOfChecks(checks: readonly Check[]): Report {
  return { text: report(checks), json: { checks }, failed: checks.some(({ result }) => result === 'failed') }
}

/** `unusable` takes the checks that are left where the configuration cannot be used. */
async function withServices<T>(
  env: NodeJS.ProcessEnv,
  surroundings: Overrides,
  work: (services: Services) => Promise<T>,
  unusable: (checks: Check[]) => T,
): Promise<T> {
  const clock = surroundings.clock ?? systemClock
  let config: Config
  try {
    config = readConfig(env, undefined, clock.now())
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return unusable(
      inOrder(
        { configuration: failed(error.message, 'Correct the variables named above; every other check waits for it.') },
        'the configuration cannot be used',
      ),
    )
  }
  const services = createServices(config, createLogger('silent'), { ...surroundings, clock })
  try {
    return await work(services)
  } finally {
    await services.close()
  }
}

async function examineAll(services: Services): Promise<Findings> {
  const { config, clock } = services
  const [database, microsoft] = await Promise.all([examineDatabase(services), examineMicrosoft(services)])
  return {
    ...database,
    database_encryption: databaseEncryption(config, clock.now()),
    redirect_uri: redirectUri(config),
    ...microsoft,
    callers: callers(services.callers.current(), clock.now()),
    session_secrets: sessionSecrets(config),
    internal_listener: internalListener(config, clock.now()),
    proxies: proxies(config),
  }
}

function configuration({ warnings }: Config): Finding {
  if (warnings.length === 0) return ok('Every variable that is set can be used.')
  const words = warnings.map(({ variable, problem }) => `${variable} ${problem}`)
  return warning(words.join('; '), 'Remove these variables or correct their names: nobody reads them.')
}

function inOrder(findings: Findings, reason: string): Check[] {
  return NAMES.map((name) => ({ name, ...(findings[name] ?? skipped(reason)) }))
}

/** The checks in plain words, one after the other, and how many were what. */
export function report(checks: readonly Check[]): string {
  const blocks = checks.map(({ name, result, saw, todo }) =>
    [
      `${result.padEnd(8)} ${name.replaceAll('_', ' ')}: ${indented(saw)}`,
      ...(todo === undefined ? [] : [`         What to do: ${indented(todo)}`]),
    ].join('\n'),
  )
  const counts = (['ok', 'warning', 'failed', 'skipped'] as const).map(
    (result) => `${checks.filter((check) => check.result === result).length} ${result}`,
  )
  return [...blocks, '', `${counts.join(', ')}.`].join('\n')
}

const indented = (text: string): string => text.replaceAll('\n', '\n         ')
