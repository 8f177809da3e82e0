import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { buildInternalApp, buildOperationsApp, buildPublicApp } from './app.ts'
import { ConfigError, maskedConfig, readConfig, type ListenAddress } from './config.ts'
import { filesOf, readContents } from './config/configured-files.ts'
import { Failure } from './core/failure.ts'
import { databaseFailureKind } from './db/failure-kinds.ts'
import { claimDeployment, proveSealingKeys, recordRegistration } from './db/deployment.ts'
import { migrationState } from './db/migrate.ts'
import { MERGE_MS } from './core/harvest.ts'
import { deleteExpiredRows } from './db/retention.ts'
import { databaseAdvice, DATABASE_PROBLEMS } from './doctor/database-problems.ts'
import { createHeartbeat } from './heartbeat.ts'
import { createReload } from './reload.ts'
import { createServices, type Services } from './services.ts'
import { waitForDatabase } from './start-wait.ts'
import { CallersError } from './signature/callers.ts'
import { createLogger, describeError, standardOutput } from './telemetry.ts'
import { startTraces } from './telemetry/start-traces.ts'
import { VERSION } from './version.ts'

// The start: configuration, services, three listeners. The end: draining. Only the command line imports this file.

/** How often the mounted files are compared with what is in use. */
const RELOAD_MS = 5_000
/** How often one replica deletes expired rows, before jitter of 25 %. */
const DELETE_EXPIRED_MS = 600_000

/** How often freezes whose time is over get their event, before jitter of 25 %. They count no longer before that. */
const END_FREEZES_MS = 60_000

export async function serve(env: NodeJS.ProcessEnv): Promise<void> {
  const contents = readContents(env)
  const config = readConfig(env, filesOf(contents))
  const logOutput = standardOutput()
  const log = createLogger(config.logLevel, logOutput)
  log.info({ version: VERSION, node: process.version, config: maskedConfig(config) }, 'starting')
  for (const warning of config.warnings) log.warn(warning, 'a variable has no effect')
  const traces = await startTraces(env, log)
  const services = createServices(config, log, { traces, logOutput })
  const { lifecycle, auditLog } = services
  auditLog.note({ audit: 'life_began', version: VERSION, key_ids: config.auditKeys.map(({ id }) => id) })
  if (config.auditKeys.length === 0)
    log.warn('AUDIT_KEYS is not set: nobody can prove that audit lines are complete and unchanged')
  await services.microsoft.federatedToken()
  const operations = await buildOperationsApp(services)
  await listen(operations, 'operations', config.listen.operations, services)

  const starting = new AbortController()
  const giveUp = (): void => starting.abort()
  // The first process of a container ignores signals that it does not handle.
  process.once('SIGTERM', giveUp).once('SIGINT', giveUp)
  const isThere = await waitForDatabase(() => checkDatabase(services), {
    ...services,
    signal: starting.signal,
    onWait: (detail, wait_ms) => log.warn({ detail, wait_ms }, 'waiting for the database'),
  })
  process.off('SIGTERM', giveUp).off('SIGINT', giveUp)
  if (!isThere) {
    log.info('stopped while waiting for the database')
    await auditLog.write({ audit: 'life_ended' }).catch(() => {})
    process.exit(0)
  }
  const internal = await buildInternalApp(services)
  const browsers = await buildPublicApp(services)
  await listen(internal, 'internal', config.listen.internal, services)
  await listen(browsers, 'public', config.listen.public, services)
  const reload = createReload(env, services, { contents, server: internal.server })
  const timers = [
    setInterval(() => {
      void reload.check()
      // So that there is a last good token, also where nobody has refreshed for an hour.
      void services.microsoft.federatedToken()
    }, RELOAD_MS),
    setInterval(
      () =>
        void deleteExpiredRows(services.database).catch((err: unknown) =>
          log.warn({ err }, 'expired rows could not be deleted'),
        ),
      DELETE_EXPIRED_MS * (0.75 + services.random.fraction() / 2),
    ),
  ]
  timers.push(
    setInterval(() => void services.harvest.merge(), MERGE_MS),
    setInterval(
      () =>
        void services.freezes
          .endExpired()
          .catch((err: unknown) => log.warn({ err }, 'freezes whose time is over could not be ended')),
      END_FREEZES_MS * (0.75 + services.random.fraction() / 2),
    ),
  )
  void services.harvest.merge()
  const heartbeat = createHeartbeat(services)
  heartbeat.start()
  const ending = new AbortController()
  const keepingAlive = services.keepAlive.run(ending.signal)
  const canary = services.canary?.run(ending.signal)
  lifecycle.started = true
  log.info('ready')

  const stop = async (signal: string): Promise<void> => {
    if (lifecycle.draining) return
    lifecycle.draining = true
    log.info({ signal }, 'draining')
    for (const timer of timers) clearInterval(timer)
    const merged = services.harvest.merge()
    ending.abort()
    // Kubernetes needs a moment to stop sending: first serve on, then stop accepting, then finish running requests
    // (docs/design.md#readiness-and-shutdown).
    await services.clock.sleep(config.drainSeconds * 1000)
    await Promise.all([internal.close(), browsers.close(), keepingAlive, canary, heartbeat.stop(), merged])
    // The others log this last line.
    await auditLog.write({ audit: 'life_ended' }).catch(() => {})
    await heartbeat.recordEnd()
    await services.close()
    await operations.close()
    log.info('stopped')
    process.exitCode = logOutput.state() === 'closed' ? 1 : 0
    // An export that waits for its collector must not delay the end.
    if (traces !== undefined) process.exit()
  }
  // Without a log there is no audit, and a closed pipe never opens again: a new process gets a new one.
  if (config.auditMode === 'required') logOutput.onClosed(() => void stop('closed log'))
  process.on('SIGTERM', () => void stop('SIGTERM'))
  process.on('SIGINT', () => void stop('SIGINT'))
}

/** Throws Failure if the database belongs to another deployment, lacks migrations, or is sealed with other keys. */
export async function checkDatabase({ database, vault, config, log }: Services): Promise<void> {
  const state = await migrationState(database)
  if (state === 'behind')
    throw new Failure('broker_misconfigured', { detail: 'the database lacks migrations: run token-broker migrate' })
  if (state === 'ahead') log.warn('the database was migrated by a newer release')
  await claimDeployment(database, config.publicBaseUrl)
  const { clientId, previousClients } = config.microsoft
  await recordRegistration(database, { clientId, hasOthers: previousClients.length > 0 })
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

/** Why a command or the start ended, for the operator: one line instead of a stack, and the same for scripts. */
export interface Problem {
  message: string
  /** A code of core/failure.ts, `configuration`, or the name of an error of the system. */
  code: string
  /** SQLSTATE, a name of the driver or a fixed text. */
  detail?: string
  advice?: string
}

export function problemOf(error: unknown): Problem {
  if (error instanceof ConfigError || error instanceof CallersError)
    return { code: 'configuration', message: error.message }
  if (error instanceof Failure) return problemOfFailure(error)
  const { code } = error as { code?: unknown }
  if (code === 'EADDRINUSE')
    return {
      code,
      message: 'the port of a listener is in use: check PUBLIC_LISTEN, INTERNAL_LISTEN and OPERATIONS_LISTEN',
    }
  if (code === 'EADDRNOTAVAIL' || code === 'EAFNOSUPPORT')
    return {
      code,
      message:
        'the address of a listener does not exist here: check PUBLIC_LISTEN, INTERNAL_LISTEN and OPERATIONS_LISTEN ' +
        '([::] needs IPv6, 0.0.0.0 needs IPv4)',
    }
  const { type, stack } = describeError(error)
  const place = Array.isArray(stack) ? /[\w.-]+:\d+:\d+/.exec(String(stack[0]))?.[0] : undefined
  const name = [String(type), ...(typeof code === 'string' && /^\w{1,40}$/.test(code) ? [code] : [])].join(' ')
  return {
    code: 'internal_error',
    message: `internal_error: ${name}${place === undefined ? '' : ` at ${place}`}`,
    detail: name,
    advice: 'If the system did not refuse something, this is a defect: report this line to the maintainers',
  }
}

/** What Postgres refuses for good, by SQLSTATE: more exact than the words of its kind. */
const REFUSED: Record<string, string> = {
  '28P01': 'Postgres refuses the user or the password of DATABASE_URL',
  '28000': 'Postgres refuses the user or the password of DATABASE_URL, or this address or connection without TLS',
  '3D000': 'the database that DATABASE_URL names does not exist',
}

function problemOfFailure({ code, facts: { detail } }: Failure): Problem {
  const message = `${code}: ${detail ?? 'no detail'}`
  const kind = databaseFailureKind(detail ?? '')
  const isOfMigration = detail?.startsWith('migrate') === true
  const isOfDatabase = code === 'database_unavailable' || detail?.startsWith('database ') === true
  const facts = { code, ...(detail === undefined ? {} : { detail }) }
  if (isOfMigration && code === 'broker_misconfigured') return { ...facts, message }
  // Doctor knows the role that serves, and seldom the one that migrates.
  const next = isOfMigration ? MIGRATE_ADVICE : SEE_DOCTOR
  if (!isOfDatabase || kind === 'statement' || kind === 'other') return { ...facts, message, advice: next }
  const words = REFUSED[detail ?? ''] ?? DATABASE_PROBLEMS[kind].message.replace(/\.$/, '')
  return { ...facts, message: `${message}: ${words}`, advice: `${databaseAdvice(kind)}. ${next}` }
}

const MIGRATE_ADVICE = 'Check DATABASE_MIGRATION_URL, the network to Postgres, and the log of Postgres'
const SEE_DOCTOR = 'Run "token-broker doctor" to find out what to do'

/** One line for the operator instead of a stack. */
export function startProblem(error: unknown): string {
  const { message, advice } = problemOf(error)
  return advice === undefined ? message : `${message}. ${advice}`
}

if (import.meta.main) {
  serve(process.env).catch((error: unknown) => {
    process.stderr.write(`${startProblem(error)}\n`)
    process.exit(1)
  })
}
