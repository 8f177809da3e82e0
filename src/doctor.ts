/**
 * doctor looks at everything the service depends on and says what it saw and what to do. It changes nothing: no row is
 * written, nobody's token is used. Nothing it prints is a secret. It must not decide what is right: it asks those who do.
 */
import { ConfigError, readConfig, type Config } from './config.ts'
import { failed, ok, skipped, warning, type Check, type Finding } from './doctor/check.ts'
import { examineDatabase } from './doctor/database.ts'
import { callers, internalListener, proxies, redirectUri, sessionSecrets } from './doctor/deployment.ts'
import { examineMicrosoft } from './doctor/microsoft.ts'
import { createServices, systemClock, type Services, type Surroundings } from './services.ts'
import { createLogger } from './telemetry.ts'

export type { Check } from './doctor/check.ts'

/** Every check, in the order of the report. */
const NAMES = [
  'configuration', 'database', 'migrations', 'deployment', 'sealing_keys', 'database_clock', 'redirect_uri', 'microsoft', 'clock', 'client_credential',
  'callers', 'session_secrets', 'internal_listener', 'proxies',
] as const
type Name = (typeof NAMES)[number]
type Findings = Partial<Record<Name, Finding>>

/** Makes all checks; what stands in the way of one makes it `skipped`. Never throws for anything it looks at. */
export async function examine(env: NodeJS.ProcessEnv, surroundings: Surroundings = {}): Promise<Check[]> {
  const clock = surroundings.clock ?? systemClock
  let config: Config
  try {
    config = readConfig(env, undefined, clock.now())
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return inOrder({ configuration: failed(error.message, 'Correct the variables named above; every other check waits for it.') }, 'the configuration cannot be used')
  }
  const services = createServices(config, createLogger('silent'), { ...surroundings, clock })
  try {
    return inOrder({ configuration: configuration(config), ...await examineAll(services) }, 'it could not be looked at')
  } finally {
    await services.close()
  }
}

async function examineAll(services: Services): Promise<Findings> {
  const { config, clock } = services
  const [database, microsoft] = await Promise.all([examineDatabase(services), examineMicrosoft(services)])
  return {
    ...database,
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
  const blocks = checks.map(({ name, result, saw, todo }) => [
    `${result.padEnd(8)} ${name.replaceAll('_', ' ')}: ${indented(saw)}`,
    ...(todo === undefined ? [] : [`         What to do: ${indented(todo)}`]),
  ].join('\n'))
  const counts = (['ok', 'warning', 'failed', 'skipped'] as const).map((result) => `${checks.filter((check) => check.result === result).length} ${result}`)
  return [...blocks, '', `${counts.join(', ')}.`].join('\n')
}

const indented = (text: string): string => text.replaceAll('\n', '\n         ')
