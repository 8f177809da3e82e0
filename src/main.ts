import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { buildInternalApp, buildOperationsApp, buildPublicApp } from './app.ts'
import { ConfigError, maskedConfig, readConfig, type Config, type ListenAddress } from './config.ts'
import { Failure } from './core/failure.ts'
import { claimDeployment, proveSealingKeys } from './db/deployment.ts'
import { migrationState } from './db/migrate.ts'
import { deleteExpiredRows } from './db/retention.ts'
import { createServices, type Services } from './services.ts'
import { CallersError } from './signature/callers.ts'
import { createLogger } from './telemetry.ts'
import { startTraces } from './telemetry/traces.ts'

// config → services → three listeners; draining. Imported by the command line only.

/** Milliseconds between looks at files that may have changed. */
const RELOAD_EVERY = 5_000
/** Milliseconds between two purges of one replica, before jitter. */
const PURGE_EVERY = 600_000

export async function serve(env: NodeJS.ProcessEnv): Promise<void> {
  const config = readConfig(env)
  const log = createLogger(config.logLevel)
  log.info({ config: maskedConfig(config) }, 'starting')
  for (const warning of config.warnings) log.warn(warning, 'configuration')
  const traces = await startTraces(env, log)
  const services = createServices(config, log, { traces })
  const { lifecycle } = services
  const operations = await buildOperationsApp(services)
  await listen(operations, 'operations', config.listen.operations, services)

  await checkDatabase(services)
  const internal = await buildInternalApp(services)
  const browsers = await buildPublicApp(services)
  await listen(internal, 'internal', config.listen.internal, services)
  await listen(browsers, 'public', config.listen.public, services)
  const timers = [
    setInterval(() => reloadFiles(services, internal), RELOAD_EVERY),
    setInterval(
      () => void deleteExpiredRows(services.database).catch((err: unknown) => log.warn({ err }, 'purge failed')),
      PURGE_EVERY * (0.75 + services.random.fraction() / 2),
    ),
  ]
  const ending = new AbortController()
  const keepingAlive = services.keepAlive.run(ending.signal)
  lifecycle.started = true
  log.info('ready')

  const stop = async (signal: string): Promise<void> => {
    if (lifecycle.draining) return
    lifecycle.draining = true
    log.info({ signal }, 'draining')
    for (const timer of timers) clearInterval(timer)
    ending.abort()
    // Kubernetes takes a moment to stop sending: serve on, then stop accepting, then finish what has begun (design 4).
    await services.clock.sleep(config.drainSeconds * 1000)
    await Promise.all([internal.close(), browsers.close(), keepingAlive])
    await services.close()
    await operations.close()
    log.info('stopped')
    process.exitCode = 0
    // An export that is still waiting for its collector must not outlive the drain.
    if (traces !== undefined) process.exit()
  }
  process.on('SIGTERM', () => void stop('SIGTERM'))
  process.on('SIGINT', () => void stop('SIGINT'))
}

/** Refuses to serve on a database that is not ours, not migrated, or sealed with other keys. Throws Failure. */
export async function checkDatabase({ database, vault, config, log }: Services): Promise<void> {
  const state = await migrationState(database)
  if (state === 'behind')
    throw new Failure('broker_misconfigured', { detail: 'the database lacks migrations: run token-broker migrate' })
  if (state === 'ahead') log.warn('the database was migrated by a newer release')
  await claimDeployment(database, config.publicBaseUrl)
  await proveSealingKeys(database, vault)
}

async function listen(
  app: FastifyInstance,
  listener: string,
  { host, port }: ListenAddress,
  { log, config }: Services,
): Promise<void> {
  await app.listen({ host, port })
  const address = app.server.address() as AddressInfo
  const scheme = listener === 'internal' && config.listen.internal.tls !== undefined ? 'https' : 'http'
  log.info(
    {
      listener,
      url: `${scheme}://${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}`,
    },
    'listening',
  )
}

/** Mounted files change under a running process: callers, and the certificate of the internal listener. */
function reloadFiles({ callers, internalTls }: Services, internal: FastifyInstance): void {
  callers.reload()
  internalTls?.reload(internal.server as unknown as Parameters<typeof internalTls.reload>[0])
}

/** What an operator sees instead of a stack when the start is refused. */
export function startProblem(error: unknown): string {
  if (error instanceof ConfigError || error instanceof CallersError) return error.message
  if (error instanceof Failure)
    return `${error.code}: ${error.facts.detail ?? ''}. "token-broker doctor" tells what to do`
  const { code } = error as { code?: unknown }
  if (code === 'EADDRINUSE') return "a listener's port is taken: see PUBLIC_LISTEN, INTERNAL_LISTEN, OPERATIONS_LISTEN"
  return `unexpected ${error instanceof Error ? error.name : 'failure'}${typeof code === 'string' ? ` ${code}` : ''}`
}

export type { Config }

if (import.meta.main) {
  serve(process.env).catch((error: unknown) => {
    process.stderr.write(`${startProblem(error)}\n`)
    process.exit(1)
  })
}
