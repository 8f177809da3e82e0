import { randomBytes, randomUUID } from 'node:crypto'
import type { Dispatcher } from 'undici'
import type { Logger } from 'pino'
import { createAuditLog } from './audit/audit-log.ts'
import { createChain } from './audit/chain.ts'
import type { ClientCredential, Config, PreviousClient } from './config.ts'
import { createDatabaseHealth, type DatabaseHealth } from './database-health.ts'
import type { AuditFacts, AuditLog } from './core/audit.ts'
import { createCanary, type Canary, type CanaryStore } from './core/canary.ts'
import { createConnect, type Connect } from './core/connect.ts'
import type { FreezeStore } from './core/freeze.ts'
import { createHarvestAlarm, type HarvestAlarm, type KeyUseStore } from './core/harvest.ts'
import type { EventStore } from './core/events.ts'
import { createImport, type Import } from './core/import.ts'
import { KNOWN_SCOPES, permissionsOf } from './core/microsoft-permissions.ts'
import { createKeepAlive, type KeepAlive } from './core/keep-alive.ts'
import type {
  BrowserSessionStore,
  Clock,
  ConnectSessionStore,
  IntegrationStore,
  KeepAliveStore,
  NonceStore,
  Random,
} from './core/ports.ts'
import type { RequestSignatures } from './core/signed-requests.ts'
import { createRefresh, type Refresh } from './core/refresh.ts'
import type { RefreshEvent } from './core/refresh-event.ts'
import { inLog, logRefresh } from './telemetry/refresh-log.ts'
import type { OnMalformed, StoredColumn } from './core/stored.ts'
import { createVault, replaceable, watched, type SealingVault } from './crypto/vault.ts'
import { createCanaryStore } from './db/canary.ts'
import { createBrowserSessionStore } from './db/browser-sessions.ts'
import { openDatabase, type Database } from './db/client.ts'
import { databaseFailureKind } from './db/failure-kinds.ts'
import { createConnectSessionStore } from './db/connect-sessions.ts'
import { integrationCounts, createKeepAliveStore } from './db/keep-alive.ts'
import { createEventStore, type Rewind } from './db/events.ts'
import { createImportStore } from './db/import.ts'
import { createKeyUseStore } from './db/key-use.ts'
import { createFreezeStore } from './db/freezes.ts'
import { createIntegrationStore } from './db/integrations.ts'
import { createNonceStore } from './db/nonces.ts'
import { ADMIN_CONSENT_PATH, createLinks, type Links } from './http/links.ts'
import type { Site } from './http/pages/pages.ts'
import type { CompareScopes } from './http/views.ts'
import { TlsFiles } from './http/tls-files.ts'
import { createMicrosoft, type MicrosoftClient } from './microsoft/client.ts'
import { cloudOf } from './microsoft/clouds.ts'
import { certificateEnd, firstCertificateEnd } from './microsoft/credential.ts'
import { createDispatcher } from './microsoft/exchange.ts'
import { canonicalScopes, excessScopes, missingScopes } from './microsoft/scopes.ts'
import { normalizeAuthority } from './signature/base.ts'
import type { Callers } from './signature/callers.ts'
import { CallersFile } from './signature/callers-file.ts'
import { hmacSha256 } from './core/hmac.ts'
import type { SigningKey } from './signature/keys.ts'
import { createRequestSignatures } from './signature/request-signatures.ts'
import { NonceMemory } from './signature/nonces.ts'
import { createMetrics, standardOutput, type LogOutput, type Metrics } from './telemetry.ts'
import { loggingCanary, loggingFederatedToken } from './telemetry/microsoft-log.ts'
import type { Traces } from './telemetry/traces.ts'

// The one place where objects are made and joined. Knows no routes.

/** A changed file that is not used, or that would stop the next start. Holds no value. */
export interface RefusedChange {
  readonly variable: string
  readonly problem: string
}

/** What a changed file may change while the process runs (reload.ts). */
export interface Rotating {
  /** Newest first. */
  sessionSecrets: readonly string[]
  /** Signs answers to Ed25519 callers. */
  answerKey: SigningKey | undefined
  useCredentials(credentials: readonly ClientCredential[]): void
  usePreviousClients(clients: readonly PreviousClient[]): void
  useVault(vault: SealingVault): void
  /** What was not taken. */
  refusedChanges: readonly RefusedChange[]
}

export interface Services {
  config: Config
  lifecycle: { started: boolean; draining: boolean }
  log: Logger
  /** Where the log and the audit lines go. */
  logOutput: LogOutput
  auditLog: AuditLog
  clock: Clock
  random: Random
  database: Database
  databaseHealth: DatabaseHealth
  vault: SealingVault
  callers: CallersFile
  rotating: Rotating
  /** Undefined: the internal listener speaks plain HTTP, by choice. */
  internalTls: TlsFiles | undefined
  signatures: RequestSignatures
  nonces: NonceStore
  integrations: IntegrationStore
  freezes: FreezeStore
  harvest: HarvestAlarm
  keyUse: KeyUseStore
  events: EventStore
  imports: Import
  connectSessions: ConnectSessionStore
  browserSessions: BrowserSessionStore
  microsoft: MicrosoftClient
  connect: Connect
  refresh: Refresh
  keepAliveStore: KeepAliveStore
  keepAlive: KeepAlive
  canaryStore: CanaryStore
  /** Undefined: no canary account is configured. */
  canary: Canary | undefined
  links: Links
  site: Site
  metrics: Metrics
  /** Undefined: not switched on, and nothing pays for them. */
  traces: Traces | undefined
  compareScopes: CompareScopes
  /** Finishes every refresh that has begun, then lets go of Microsoft and Postgres, and exports the last traces. */
  close(): Promise<void>
}

/** What tests bring in from outside instead of the machine's own. */
export interface Overrides {
  clock?: Clock
  random?: Random
  dispatcher?: Dispatcher
  /** A signal that ends an exchange with Microsoft after so many milliseconds. */
  deadline?: (ms: number) => AbortSignal
  traces?: Traces | undefined
  logOutput?: LogOutput
}

export const systemClock: Clock = {
  now: () => Date.now(),
  elapsed: () => performance.now(),
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted === true) return resolve()
      const wake = () => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', wake)
        resolve()
      }
      const timer = setTimeout(wake, ms)
      signal?.addEventListener('abort', wake)
    }),
}

export const systemRandom: Random = {
  bytes: (size) => randomBytes(size),
  uuid: () => randomUUID(),
  fraction: () => Math.random(),
}

/** Key ids in one audit line; more are only counted. */
const KEYS_PER_LINE = 40

const callersChanged = ({ list, byKeyId }: Callers): AuditFacts => ({
  audit: 'callers_changed',
  counts: { callers: list.length, keys: byKeyId.size },
  key_ids: [...byKeyId.keys()].slice(0, KEYS_PER_LINE),
})

/** Throws CallersError when the callers file cannot be used; reaches out to nobody else yet. */
export function createServices(config: Config, log: Logger, overrides: Overrides = {}): Services {
  const { clock = systemClock, random = systemRandom, deadline, traces, logOutput = standardOutput() } = overrides
  // Ours to close where only traces ask for one.
  const tracedDispatcher =
    traces === undefined || overrides.dispatcher !== undefined ? undefined : createDispatcher(config.microsoft.proxy)
  const untraced = overrides.dispatcher ?? tracedDispatcher
  const dispatcher = untraced === undefined ? undefined : (traces?.dispatching(untraced) ?? untraced)
  const stored = <S extends object>(table: string, store: S): S => traces?.storing(table, store) ?? store
  const callers = new CallersFile(config.callersFile, {
    now: () => clock.now(),
    onChange(now) {
      log.info({ callers: now.list.length, keys: now.byKeyId.size }, 'callers file read again')
      auditLog.note(callersChanged(now))
    },
    onProblem: (error) => log.error({ problems: error.problems }, 'callers file is broken, the callers before it stay'),
  })
  const { tls } = config.listen.internal
  const internalTls =
    tls === undefined
      ? undefined
      : new TlsFiles(tls, {
          onChange: (notAfter) => log.info({ not_after: notAfter }, 'certificate of the internal listener read again'),
          onProblem: (code) =>
            log.error({ code }, 'certificate of the internal listener cannot be used, the one before it stays'),
        })
  const certificates = {
    microsoft: certificateEnd(config.microsoft.credentials),
    microsoft_previous: firstCertificateEnd(config.microsoft.previousClients),
  }
  const databaseHealth = createDatabaseHealth({ now: () => clock.now(), log })
  const database = openDatabase({
    ...config.database,
    elapsed: () => clock.elapsed(),
    onFailure(detail) {
      databaseHealth.failed(detail)
      metrics.databaseFailed(databaseFailureKind(detail))
    },
  })
  const report = (unwatched: SealingVault) =>
    watched(unwatched, ({ table, column, recordId }, detail) => {
      metrics.unreadable(detail)
      log.error(
        { alert: 'token_unreadable', detail, table, column, id: recordId },
        'a stored value cannot be opened: see SEALING_KEYS',
      )
    })
  const { vault, replace: useVault } = replaceable(
    report(createVault(config.sealingKeys, (size) => random.bytes(size))),
  )
  // One line for each column: a value that is read again and again must not fill the log.
  const reported = new Set<StoredColumn>()
  const onMalformed: OnMalformed = (column) => {
    if (reported.has(column)) return
    reported.add(column)
    log.warn({ column }, 'a stored value has a form that no release writes; a safe default is used')
  }
  const onRewind = ({ id, generation, problem }: Rewind): void =>
    log.error(
      { alert: 'database_rewound', event_id: id, generation, ...(problem === undefined ? {} : { problem }) },
      problem === undefined
        ? 'the database is older than a cursor that was read from it: sequences were raised, callers list everything again'
        : 'the database is older than a cursor that was read from it, and the sequences could not be raised: see "Restoring a backup" in docs/runbooks.md',
    )
  const integrations = stored('oauth2_integration', createIntegrationStore(database, vault, onMalformed))
  const freezes = stored('access_freeze', createFreezeStore(database))
  const connectSessions = stored('connect_session', createConnectSessionStore(database, vault, onMalformed))
  const canaryStore = createCanaryStore(database)
  const browserSessions = stored('browser_session', createBrowserSessionStore(database, onMalformed))
  const called = createMicrosoft({
    ...config.microsoft,
    redirectUri: config.redirectUri,
    clock,
    random,
    ...(dispatcher === undefined ? {} : { dispatcher }),
    ...(deadline === undefined ? {} : { deadline }),
    // One line when it opens and one when it is closed again, however often it was probed in between.
    onBreakerChange(breaker, from, client_id) {
      if (from === 'closed') log.error({ breaker, client_id }, 'breaker opened: no refreshes are sent to Microsoft')
      else if (breaker.mode === 'closed') log.info({ breaker, client_id }, 'breaker closed: refreshes are sent again')
    },
    onFederatedToken: loggingFederatedToken(log),
    onIdTokenProblem: (problem, requestId) => log.warn({ problem, request_id: requestId }, 'an id token did not hold'),
  })
  const microsoft = traces?.calling(called, config.microsoft.loginUrl) ?? called
  const rotating: Rotating = {
    sessionSecrets: config.sessionSecrets,
    answerKey: config.responseSigningKey,
    useCredentials(credentials) {
      called.useCredentials(credentials)
      certificates.microsoft = certificateEnd(credentials)
    },
    usePreviousClients(clients) {
      called.usePreviousClients(clients)
      certificates.microsoft_previous = firstCertificateEnd(clients)
    },
    useVault: (next) => useVault(report(next)),
    refusedChanges: [],
  }
  const nonceMemory = new NonceMemory({ secret: random.bytes(32).toString('base64url') })
  const metrics = createMetrics({
    elapsed: () => clock.elapsed(),
    breakers: () => microsoft.breakers(),
    refreshesNow: () => microsoft.refreshesNow(),
    callerKeys: () => [...callers.current().byKeyId.values()].map(({ key }) => key),
    noncesRemembered: () => nonceMemory.size,
    sealingKeyIds: () => vault.keyIds,
    refusedChanges: () => rotating.refusedChanges.map(({ variable }) => variable),
    certificates: () => ({ ...certificates, internal: internalTls?.notAfter() }),
    federatedToken: () => microsoft.federatedToken(),
    logOutput,
    databaseProblems: () => databaseHealth.problems().map(({ kind }) => kind),
    databasePools: () => database.pools(),
    integrationCounts: () => integrationCounts(database),
    freezes: () => freezes.list(),
    keyUse: () => harvest.state(),
    canary: async () => (config.canaryUser === undefined ? undefined : canaryStore.state()),
  })
  const observe = (event: RefreshEvent) => {
    metrics.refreshed(event)
    traces?.refreshed(event)
    logRefresh(log, event)
  }
  const life = random.bytes(12).toString('base64url')
  const auditLog = createAuditLog({
    life,
    chain: createChain({
      life,
      keys: config.auditKeys,
      mac: (key, text) => hmacSha256(key, text, 'base64'),
      now: () => clock.now(),
    }),
    output: logOutput,
    mode: config.auditMode,
    onLine: (written) => metrics.audited(written),
  })
  const keyUse = stored('caller_key_use', createKeyUseStore(database))
  const harvest = createHarvestAlarm({
    store: keyUse,
    freezes,
    ...config.harvest,
    observe(event) {
      if (event.kind === 'merge_failed') return log.warn({ err: event.err }, 'use of caller keys could not be merged')
      const { keyId: key_id, users } = event
      if (event.kind === 'frozen') {
        auditLog.note({ audit: 'frozen', caller: 'broker', scope: 'caller_key', value: key_id })
        return log.error({ key_id, users }, 'harvest alarm: the caller key was frozen')
      }
      log.error({ alert: 'harvest', key_id, users, limit: event.limit }, 'a caller key asks for unusually many users')
    },
  })
  const connect = createConnect({
    sessions: connectSessions,
    integrations,
    microsoft,
    clock,
    random,
    observe: (event) =>
      event.kind === 'step' ? metrics.connectReached(event.step) : metrics.connectEnded(event.outcome, event.reason),
  })
  const refresh = createRefresh({
    integrations,
    microsoft,
    clock,
    random,
    limitForced: config.microsoft.continuousAccessEvaluation,
    observe,
    saved(refresh) {
      const facts = inLog(refresh)
      log.info(facts, 'refreshed tokens saved')
    },
    ...(traces === undefined ? {} : { traced: traces.flight }),
  })
  const keepAliveStore = createKeepAliveStore(database)
  const keepAlive = createKeepAlive({
    store: keepAliveStore,
    integrations,
    refresh,
    breakerClosed: () => microsoft.breakers().some(({ state }) => state.mode === 'closed'),
    clock,
    random,
    days: config.keepAlive,
    observe(event) {
      metrics.keptAlive(event)
      const { kind, ...rest } = event
      const facts = inLog(rest)
      if (kind === 'sweep') log[event.ended === 'broken' ? 'warn' : 'info'](facts, 'keep-alive sweep')
      else if (event.result === 'let_go') auditLog.note({ audit: 'let_go', user_id: event.userId })
    },
  })
  const canary =
    config.canaryUser === undefined
      ? undefined
      : createCanary({
          userId: config.canaryUser,
          store: canaryStore,
          integrations,
          refresh,
          microsoft,
          clock,
          random,
          observe: loggingCanary(log),
        })
  const { publicBaseUrl, redirectUri, entryUrls, people } = config
  const scheme = config.listen.internal.tls === undefined ? 'http' : 'https'
  const { clientId, permissions } = config.microsoft
  return {
    config,
    lifecycle: { started: false, draining: false },
    log,
    logOutput,
    auditLog,
    clock,
    random,
    database,
    databaseHealth,
    vault,
    callers,
    internalTls,
    rotating,
    signatures: createRequestSignatures({
      callers: () => callers.current(),
      authorities: new Set(config.internalAuthorities.map((authority) => normalizeAuthority(authority, scheme))),
      scheme,
      nonces: nonceMemory,
      brokerKey: () => rotating.answerKey,
      now: () => clock.now(),
    }),
    nonces: stored('request_nonce', createNonceStore(database)),
    integrations,
    freezes,
    events: stored('event', createEventStore(database, { onMalformed, onRewind })),
    harvest,
    keyUse,
    imports: createImport({
      store: createImportStore(database, vault, { clientId }),
      clock,
      canonicalScopes,
      neededScopes: permissions,
      knownScopes: KNOWN_SCOPES,
      clientIds: () => microsoft.clientIds(),
    }),
    connectSessions,
    browserSessions,
    microsoft,
    connect,
    refresh,
    keepAliveStore,
    keepAlive,
    canaryStore,
    canary,
    links: createLinks(publicBaseUrl, () => rotating.sessionSecrets),
    site: {
      entryUrls,
      people,
      app: {
        name: 'MEGDocs',
        clientId,
        publicBaseUrl,
        redirectUri,
        adminConsentUrl: `${publicBaseUrl}${ADMIN_CONSENT_PATH}`,
      },
      permissions: permissionsOf(permissions),
      cloud: cloudOf(config.microsoft.loginUrl),
    },
    metrics,
    traces,
    compareScopes: (granted) => ({
      missing: missingScopes(granted, permissions),
      excess: excessScopes(granted, permissions),
    }),
    async close() {
      await refresh.drain()
      await microsoft.close()
      await tracedDispatcher?.close()
      await database.close()
      await traces?.close()
    },
  }
}
