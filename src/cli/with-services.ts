import { readConfig } from '../config.ts'
import { checkDatabase } from '../main.ts'
import { createServices, type Services } from '../services.ts'
import { createLogger } from '../telemetry.ts'
import type { Terminal } from './command.ts'

/** Runs a command on a database that belongs to this deployment. Its log goes to stderr, as the service's to stdout. */
export async function withServices(
  { env, err }: Terminal,
  work: (services: Services) => Promise<number>,
): Promise<number> {
  const config = readConfig(env)
  const log = createLogger(config.logLevel, { write: (line) => err(line.trimEnd()) })
  const services = createServices(config, log)
  try {
    await checkDatabase(services)
    return await work(services)
  } finally {
    await services.close()
  }
}
