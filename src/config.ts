/**
 * config owns the environment: nobody else reads it. It turns variables, and the files they name, into one frozen typed
 * Config, or says everything that is wrong at once. It decides nothing and opens nothing but files. Its table, its parsers
 * and how it is shown are in config/.
 */
import { readFileSync } from 'node:fs'
import { checkDatabase, checkTogether, publicBase } from './config/checks.ts'
import { readTexts, unknownVariables } from './config/environment.ts'
import type { Environment, Files } from './config/environment.ts'
import { conceal, maskedConfig, withoutPassword } from './config/masked.ts'
import { ConfigError, describeProblem, Problems } from './config/problems.ts'
import type { ConfigProblem } from './config/problems.ts'
import { pair } from './config/secrets.ts'
import type { ClientCredential } from './config/secrets.ts'
import { Invalid } from './config/values.ts'
import type { ListenAddress } from './config/values.ts'
import { CALLBACK_PATH, NAMES, VARIABLES } from './config/variables.ts'
import type { Complete, Name, Values, Variable } from './config/variables.ts'
import type { Keyring } from './crypto/keyring.ts'
import type { SigningKey } from './signature/keys.ts'

export { configurationTable } from './config/variables.ts'
export { ConfigError, maskedConfig }
export type { ClientCredential, ConfigProblem, ListenAddress }

/** Every list of keys, secrets or credentials stands newest first. */
export interface Config {
  /** Scheme and host, no slash at the end. */
  readonly publicBaseUrl: string
  /** To be sent exactly as it is. */
  readonly redirectUri: string
  readonly microsoft: {
    readonly clientId: string
    /** Certificates before secrets. At least one. */
    readonly credentials: readonly ClientCredential[]
    /** organizations, common, consumers, a tenant id or a domain. */
    readonly tenant: string
    /** Tenant ids in lower case; empty: all that `tenant` lets in. */
    readonly allowedTenants: readonly string[]
    /** No slash at the end. */
    readonly loginUrl: string
    /** URL of the proxy on the way there. */
    readonly proxy?: string
  }
  readonly database: {
    readonly url: string
    readonly migrationUrl: string
    readonly prepare: boolean
    readonly poolSize: number
    /** Milliseconds. */
    readonly deadlineMs: number
    /** PEM. */
    readonly ca?: string
  }
  readonly sealingKeys: Keyring
  readonly sessionSecrets: readonly string[]
  readonly callersFile: string
  /** Of one caller at one replica. */
  readonly callerRequestsPerMinute: number
  readonly responseSigningKey?: SigningKey
  readonly entryUrls: { readonly connect: string; readonly manage: string }
  readonly completionUrl: string
  readonly listen: {
    readonly public: ListenAddress
    /** Without `tls` it is plain HTTP, by choice. */
    readonly internal: ListenAddress & { readonly tls?: { readonly certFile: string; readonly keyFile: string } }
    readonly operations: ListenAddress
  }
  /** Operations listeners of all replicas; empty: not told. */
  readonly operationsReplicas: readonly ListenAddress[]
  /** As they stand in Host headers, lower case. */
  readonly internalAuthorities: readonly string[]
  /** Addresses and CIDR ranges. */
  readonly trustedProxies: readonly string[]
  readonly logLevel: 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'silent'
  readonly keepAlive: { readonly afterDays: number; readonly letGoAfterDays: number }
  readonly drainSeconds: number
  /** Variables that look like ours and are not: to be logged once. */
  readonly warnings: readonly ConfigProblem[]
}

const NODE_FILES: Files = { read: (path) => readFileSync(path, 'utf8') }

/**
 * Reads the configuration. `now` (milliseconds) is what callers' keys are judged by. Throws ConfigError with everything that
 * is wrong; its message is ready to print and holds no value of any variable.
 */
export function readConfig(env: Environment, files: Files = NODE_FILES, now: number = Date.now()): Config {
  const problems = new Problems()
  const values = parseAll(readTexts(env, files, problems), problems)
  checkTogether(values, files, now, problems)
  const warnings = nameUnknown(env, problems)
  if (problems.list.length > 0) throw new ConfigError([...problems.list, ...warnings])
  const config = assemble(values as Complete, warnings)
  return conceal(config, maskedConfig(config))
}

/** What `migrate` needs, of the same variables: a migration job holds no secret but the database's. */
export interface MigrationConfig {
  readonly url: string
  /** PEM. */
  readonly ca?: string
}

/** Reads the DATABASE_ variables that migrating needs, and no other. Throws ConfigError like readConfig. */
export function readMigrationConfig(env: Environment, files: Files = NODE_FILES): MigrationConfig {
  const problems = new Problems()
  const names = ['DATABASE_URL', 'DATABASE_MIGRATION_URL', 'DATABASE_CA'] as const
  const texts = readTexts(env, files, problems, names)
  // Either will do: the job may have the owner's URL alone.
  const values = parseAll(texts, problems, texts.has('DATABASE_MIGRATION_URL') ? names.slice(1) : names)
  checkDatabase(values, problems)
  if (problems.list.length > 0) throw new ConfigError(problems.list)
  const { DATABASE_MIGRATION_URL: url = values.DATABASE_URL, DATABASE_CA: ca } = values
  const config = { url: url!, ...(ca === undefined ? {} : { ca }) }
  return conceal(config, { url: withoutPassword(config.url) })
}

function parseAll(texts: ReadonlyMap<Name, string>, problems: Problems, names: readonly Name[] = NAMES): Values {
  const values: Record<string, unknown> = {}
  for (const name of names) {
    const { default: byDefault, required, parse }: Variable = VARIABLES[name]
    const text = texts.get(name) ?? byDefault
    try {
      if (text !== undefined) values[name] = parse(text)
      else if (required === 'always' && !problems.has(name)) problems.report(name, 'is not set')
    } catch (error) {
      if (!(error instanceof Invalid)) throw error
      for (const problem of error.problems) problems.report(name, problem)
    }
  }
  return values
}

/** A name that nobody reads is a problem where a value would be lost in silence, else a warning. */
function nameUnknown(env: Environment, problems: Problems): ConfigProblem[] {
  const warnings: ConfigProblem[] = []
  for (const { variable, meant, lost } of unknownVariables(env)) {
    const entry = describeProblem(variable, meant, `is not a variable of the broker; did you mean ${meant}?`)
    if (lost) problems.list.push(entry)
    else warnings.push(entry)
  }
  return warnings
}

function assemble(values: Complete, warnings: readonly ConfigProblem[]): Config {
  const publicBaseUrl = publicBase(values)
  const { DATABASE_CA: ca, RESPONSE_SIGNING_KEY: responseSigningKey, HTTPS_PROXY: proxy } = values
  const { INTERNAL_TLS_CERT_FILE: certFile, INTERNAL_TLS_KEY_FILE: keyFile } = values
  return {
    publicBaseUrl,
    redirectUri: values.REDIRECT_URI ?? `${publicBaseUrl}${CALLBACK_PATH}`,
    microsoft: {
      clientId: values.MICROSOFT_CLIENT_ID,
      credentials: [
        ...pair(values.MICROSOFT_CLIENT_CERTIFICATE ?? [], values.MICROSOFT_CLIENT_KEY ?? []),
        ...(values.MICROSOFT_CLIENT_SECRET ?? []).map((secret) => ({ kind: 'secret', secret }) as const),
      ],
      tenant: values.MICROSOFT_TENANT,
      allowedTenants: values.ALLOWED_TENANTS ?? [],
      loginUrl: values.MICROSOFT_LOGIN_URL,
      ...(proxy === undefined ? {} : { proxy }),
    },
    database: {
      url: values.DATABASE_URL,
      migrationUrl: values.DATABASE_MIGRATION_URL ?? values.DATABASE_URL,
      prepare: values.DATABASE_PREPARE === 'on',
      poolSize: values.DATABASE_POOL_SIZE,
      deadlineMs: values.DATABASE_DEADLINE_MS,
      ...(ca === undefined ? {} : { ca }),
    },
    sealingKeys: values.SEALING_KEYS,
    sessionSecrets: values.SESSION_SECRETS,
    callersFile: values.CALLERS_FILE,
    callerRequestsPerMinute: values.CALLER_REQUESTS_PER_MINUTE,
    ...(responseSigningKey === undefined ? {} : { responseSigningKey }),
    entryUrls: { connect: values.ENTRY_URL_CONNECT.href, manage: values.ENTRY_URL_MANAGE.href },
    completionUrl: values.COMPLETION_URL.href,
    listen: {
      public: values.PUBLIC_LISTEN,
      internal: {
        ...values.INTERNAL_LISTEN,
        ...(certFile === undefined || keyFile === undefined ? {} : { tls: { certFile, keyFile } }),
      },
      operations: values.OPERATIONS_LISTEN,
    },
    operationsReplicas: values.OPERATIONS_REPLICAS ?? [],
    internalAuthorities: values.INTERNAL_AUTHORITIES,
    trustedProxies: values.TRUSTED_PROXIES ?? [],
    logLevel: values.LOG_LEVEL,
    keepAlive: { afterDays: values.KEEP_ALIVE_AFTER_DAYS, letGoAfterDays: values.LET_GO_AFTER_DAYS },
    drainSeconds: values.DRAIN_SECONDS,
    warnings,
  }
}
