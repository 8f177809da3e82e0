import { Server as TlsServer } from 'node:tls'
import { ConfigError, readConfig, type Config } from './config.ts'
import { fileOf, filesOf, fingerprintOf, readContents, type Contents } from './config/configured-files.ts'
import type { Environment } from './config/environment.ts'
import type { Name } from './config/variables.ts'
import { Failure } from './core/failure.ts'
import { createVault } from './crypto/vault.ts'
import { proveSealingKeys } from './db/deployment.ts'
import type { RefusedChange, Services } from './services.ts'
import { changeLogLevel } from './telemetry.ts'

// Files change while the process runs. One way for all of them: what the next start would refuse is not taken, by the
// checks of the start itself, and what was in use stays (docs/design.md#configuration).

export interface Reload {
  /**
   * Compares the files with what is in use, and uses what may be used. Never rejects. Does nothing while a check runs.
   */
  check(): Promise<void>
}

interface Part {
  /** Values that must fit together change together. */
  readonly names: readonly Name[]
  /** Uses the new values, or says what a start would still refuse. Rejects if that cannot be found out now. */
  readonly use: (config: Config, contents: Contents) => Promise<readonly RefusedChange[]>
}

/**
 * `contents`: what the start has read. `server`: the internal listener. Sets `services.refusedChanges`, which `/readyz`
 * and a metric show.
 */
export function createReload(
  env: Environment,
  services: Services,
  { contents, server }: { contents: Contents; server: object },
): Reload {
  const { log, clock, random, database } = services
  let used = contents
  let seen = fingerprintOf(contents)
  let isChecking = false

  const parts: readonly Part[] = [
    {
      names: ['CALLERS_FILE', 'RESPONSE_SIGNING_KEY'],
      async use({ callersFile, responseSigningKey }, files) {
        services.rotating.answerKey = responseSigningKey
        services.callers.reload(filesOf(files).read(callersFile))
        return []
      },
    },
    {
      names: ['INTERNAL_TLS_CERT_FILE', 'INTERNAL_TLS_KEY_FILE'],
      async use({ listen: { internal } }, files) {
        const { internalTls } = services
        if (internal.tls === undefined || internalTls === undefined || !(server instanceof TlsServer)) return []
        const { read } = filesOf(files)
        const texts = { cert: read(internal.tls.certFile), key: read(internal.tls.keyFile) }
        return internalTls.reload(server, texts)
          ? []
          : [{ variable: 'INTERNAL_TLS_CERT_FILE', problem: 'cannot be used by TLS' }]
      },
    },
    {
      names: ['MICROSOFT_CLIENT_SECRET', 'MICROSOFT_CLIENT_CERTIFICATE', 'MICROSOFT_CLIENT_KEY'],
      async use({ microsoft: { credentials } }) {
        services.rotating.useCredentials(credentials)
        return []
      },
    },
    {
      names: ['MICROSOFT_PREVIOUS_CLIENTS'],
      async use({ microsoft: { previousClients } }) {
        services.rotating.usePreviousClients(previousClients)
        return []
      },
    },
    {
      names: ['SEALING_KEYS'],
      async use({ sealingKeys }) {
        const vault = createVault(sealingKeys, (size) => random.bytes(size))
        try {
          await proveSealingKeys(database, vault)
        } catch (error) {
          if (!(error instanceof Failure) || error.code !== 'token_unreadable') throw error
          return [{ variable: 'SEALING_KEYS', problem: error.facts.detail ?? 'does not fit the database' }]
        }
        services.rotating.useVault(vault)
        return []
      },
    },
    {
      names: ['AUDIT_KEYS'],
      async use({ auditKeys }) {
        services.auditLog.changeKeys(auditKeys)
        return []
      },
    },
    {
      names: ['SESSION_SECRETS'],
      async use({ sessionSecrets }) {
        services.rotating.sessionSecrets = sessionSecrets
        return []
      },
    },
    {
      names: ['LOG_LEVEL'],
      async use({ logLevel }) {
        // Before the change: a level that leaves out this line would leave it out after the change.
        log.info({ log_level: logLevel }, 'the log level changes')
        changeLogLevel(log, logLevel)
        return []
      },
    },
  ]

  const pathsOf = (names: readonly Name[]): string[] => names.flatMap((name) => fileOf(name, env) ?? [])
  const configOf = (files: Contents): Config | RefusedChange[] => {
    try {
      return readConfig(env, filesOf(files), clock.now())
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error
      return error.problems.map(({ variable, problem }) => ({ variable, problem }))
    }
  }

  async function compare(now: Contents): Promise<void> {
    const config = configOf(now)
    const refused = new Map<string, RefusedChange>()
    const refuse = (changes: readonly RefusedChange[]) =>
      changes.forEach((change) => refused.set(`${change.variable} ${change.problem}`, change))
    // What would stop the next start, also in files that are only read there.
    if (Array.isArray(config)) refuse(config)
    for (const { names, use } of parts) {
      const changed = pathsOf(names).filter((path) => JSON.stringify(now.get(path)) !== JSON.stringify(used.get(path)))
      if (changed.length === 0) continue
      // Each part alone: a broken certificate must not keep a leaked caller key in use.
      const candidate = new Map([...used, ...changed.map((path) => [path, now.get(path)!] as const)])
      const candidateConfig = configOf(candidate)
      const problems = Array.isArray(candidateConfig) ? candidateConfig : await use(candidateConfig, candidate)
      if (problems.length > 0) refuse(problems)
      else {
        used = candidate
        log.info({ variables: names.filter((name) => fileOf(name, env) !== undefined) }, 'changed files are now used')
      }
    }
    report([...refused.values()])
  }

  function report(changes: readonly RefusedChange[]): void {
    const before = services.rotating.refusedChanges
    services.rotating.refusedChanges = changes
    if (changes.length > 0)
      log.error({ refused_changes: changes }, 'changed files are not used, and the next start would fail')
    else if (before.length > 0) log.info('no changed file is refused any longer')
  }

  return {
    async check() {
      if (isChecking) return
      isChecking = true
      try {
        const now = readContents(env)
        const print = fingerprintOf(now)
        if (print === seen) return
        await compare(now)
        seen = print
      } catch (err) {
        // The database did not answer. Tried again at the next check.
        log.warn({ err }, 'changed files could not be checked')
      } finally {
        isChecking = false
      }
    },
  }
}
