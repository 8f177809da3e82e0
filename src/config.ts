/**
 * config is the only reader of the environment. It turns variables, and the files they name, into one frozen typed
 * Config, or reports every problem at once. It makes no other decision and opens only files. Its table of variables,
 * its parsers and its masking of secrets are in config/.
 */
import { readFileSync } from 'node:fs'
import { checkDatabase, checkCombinations, publicBase } from './config/checks.ts'
import { readTexts, unknownVariables, withAzureIdentity } from './config/environment.ts'
import type { Environment, Files } from './config/environment.ts'
import { conceal, maskedConfig, withoutPassword } from './config/masked.ts'
import { ConfigError, describeProblem, Problems } from './config/problems.ts'
import type { ConfigProblem } from './config/problems.ts'
import type { PreviousClient } from './config/previous-clients.ts'
import { pair } from './config/secrets.ts'
import type { ClientCredential } from './config/secrets.ts'
import { Invalid } from './config/values.ts'
import type { ListenAddress } from './config/values.ts'
import type { Config } from './config/config-type.ts'
import { CALLBACK_PATH, isComplete, NAMES, VARIABLES } from './config/variables.ts'
import type { Variable } from './config/variable.ts'
import type { Complete, Name, Values } from './config/variables.ts'

export { configurationTable } from './config/variables.ts'
export { ConfigError, maskedConfig }
export type { ClientCredential, Config, ConfigProblem, ListenAddress, PreviousClient }

const NODE_FILES: Files = { read: (path) => readFileSync(path, 'utf8') }

/**
 * Reads the configuration. `now` (milliseconds) decides which caller keys are valid. Throws ConfigError with every
 * problem; its message is ready to print and holds no value of any variable.
 */
export function readConfig(env: Environment, files: Files = NODE_FILES, now: number = Date.now()): Config {
  const problems = new Problems()
  const values = parseAll(readTexts(withAzureIdentity(env), files, problems), problems)
  checkCombinations(values, files, now, problems)
  const warnings = nameUnknown(env, problems)
  if (problems.list.length > 0) throw new ConfigError([...problems.list, ...warnings])
  if (!isComplete(values)) throw new TypeError('a required variable has neither a value nor a problem')
  const config = assemble(values, warnings)
  return conceal(config, maskedConfig(config))
}

/** The part that `migrate` needs: a migration job has no secret but that of the database. */
export interface MigrationConfig {
  readonly url: string
  /** The same database on other hosts. */
  readonly otherUrls?: readonly string[]
  /** PEM. */
  readonly ca?: string
  /** Role to which the rights of the service are given. */
  readonly servingRole?: string
}

/** Reads the DATABASE_ variables that `migrate` needs, and no others. Throws ConfigError like readConfig. */
export function readMigrationConfig(env: Environment, files: Files = NODE_FILES): MigrationConfig {
  const problems = new Problems()
  const names = ['DATABASE_URL', 'DATABASE_MIGRATION_URL', 'DATABASE_CA', 'DATABASE_SERVING_ROLE'] as const
  const texts = readTexts(env, files, problems, names)
  // One of the two is enough: the job may have the URL of the owner only.
  const values = parseAll(texts, problems, texts.has('DATABASE_MIGRATION_URL') ? names.slice(1) : names)
  checkDatabase(values, problems)
  if (problems.list.length > 0) throw new ConfigError(problems.list)
  const { DATABASE_MIGRATION_URL: urls = values.DATABASE_URL, DATABASE_CA: ca, DATABASE_SERVING_ROLE: role } = values
  const [url, ...otherUrls] = urls!
  const config = {
    url,
    ...(otherUrls.length === 0 ? {} : { otherUrls }),
    ...(ca === undefined ? {} : { ca }),
    ...(role === undefined ? {} : { servingRole: role }),
  }
  return conceal(config, { url: withoutPassword(url), otherUrls: otherUrls.map(withoutPassword) })
}

/** AUDIT_KEYS alone, for reading stored logs; empty if it is not set. Throws ConfigError like readConfig. */
export function readAuditKeys(env: Environment, files: Files = NODE_FILES): Config['auditKeys'] {
  const problems = new Problems()
  const names = ['AUDIT_KEYS'] as const
  const { AUDIT_KEYS: keys = [] } = parseAll(readTexts(env, files, problems, names), problems, names)
  if (problems.list.length > 0) throw new ConfigError(problems.list)
  return keys
}

function people(values: Complete): Config['people'] {
  const { SUPPORT_CONTACT: support, PUBLISHER_NAME: publisher, PUBLISHER_CONTACT: publisherContact } = values
  return {
    ...(support === undefined ? {} : { support }),
    ...(publisher === undefined ? {} : { publisher }),
    ...(publisherContact === undefined ? {} : { publisherContact }),
    ...(values.PRIVACY_NOTICE_URL === undefined ? {} : { privacyNoticeUrl: values.PRIVACY_NOTICE_URL.href }),
  }
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

/** An unknown name is a problem if its value would be lost without notice, otherwise a warning. */
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
  const { HARVEST_ALERT_ABOVE: alertAbove, HARVEST_FREEZE_ABOVE: freezeAbove } = values
  const [databaseUrl, ...otherDatabaseUrls] = values.DATABASE_URL
  const { MICROSOFT_FEDERATED_TOKEN_FILE: federatedTokenFile } = values
  return {
    publicBaseUrl,
    redirectUri: values.REDIRECT_URI ?? `${publicBaseUrl}${CALLBACK_PATH}`,
    microsoft: {
      clientId: values.MICROSOFT_CLIENT_ID,
      credentials: [
        ...pair(values.MICROSOFT_CLIENT_CERTIFICATE ?? [], values.MICROSOFT_CLIENT_KEY ?? []),
        ...(values.MICROSOFT_CLIENT_SECRET ?? []).map((secret) => ({ kind: 'secret', secret }) as const),
        ...(federatedTokenFile === undefined ? [] : [{ kind: 'federated', file: federatedTokenFile } as const]),
      ],
      previousClients: values.MICROSOFT_PREVIOUS_CLIENTS ?? [],
      permissions: values.MICROSOFT_PERMISSIONS,
      tenant: values.MICROSOFT_TENANT,
      allowedTenants: values.ALLOWED_TENANTS ?? [],
      continuousAccessEvaluation: values.CONTINUOUS_ACCESS_EVALUATION === 'on',
      loginUrl: values.MICROSOFT_LOGIN_URL,
      ...(proxy === undefined ? {} : { proxy }),
    },
    database: {
      url: databaseUrl,
      ...(otherDatabaseUrls.length === 0 ? {} : { otherUrls: otherDatabaseUrls }),
      migrationUrls: values.DATABASE_MIGRATION_URL ?? values.DATABASE_URL,
      prepare: values.DATABASE_PREPARE === 'on',
      batches: values.DATABASE_BATCHES === 'on',
      poolSize: values.DATABASE_POOL_SIZE,
      timeoutMs: values.DATABASE_DEADLINE_MS,
      ...(ca === undefined ? {} : { ca }),
    },
    sealingKeys: values.SEALING_KEYS,
    sessionSecrets: values.SESSION_SECRETS,
    auditKeys: values.AUDIT_KEYS ?? [],
    auditMode: values.AUDIT,
    callersFile: values.CALLERS_FILE,
    callerRequestsPerMinute: values.CALLER_REQUESTS_PER_MINUTE,
    ...(responseSigningKey === undefined ? {} : { responseSigningKey }),
    entryUrls: { connect: values.ENTRY_URL_CONNECT.href, manage: values.ENTRY_URL_MANAGE.href },
    completionUrl: values.COMPLETION_URL.href,
    people: people(values),
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
    harvest: {
      ...(alertAbove === undefined ? {} : { alertAbove }),
      ...(freezeAbove === undefined ? {} : { freezeAbove }),
    },
    ...(values.CANARY_USER === undefined ? {} : { canaryUser: values.CANARY_USER }),
    drainSeconds: values.DRAIN_SECONDS,
    warnings,
  }
}
