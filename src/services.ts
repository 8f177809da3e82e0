import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Dispatcher } from 'undici'
import type { Logger } from 'pino'
import type { Config } from './config.ts'
import { createConnect, type Connect } from './core/connect.ts'
import type { BrowserSessionStore, Clock, ConnectSessionStore, IntegrationStore, NonceStore, Random, RequestSignatures } from './core/ports.ts'
import { createRefresh, type Refresh, type RefreshEvent } from './core/refresh.ts'
import { createVault, type SealingVault } from './crypto/vault.ts'
import { createBrowserSessionStore } from './db/browser-sessions.ts'
import { openDatabase, type Database } from './db/client.ts'
import { createConnectSessionStore } from './db/connect-sessions.ts'
import { createIntegrationStore } from './db/integrations.ts'
import { createNonceStore } from './db/nonces.ts'
import { ADMIN_CONSENT_PATH, createLinks, type Links } from './http/links.ts'
import type { Site } from './http/pages/pages.ts'
import { createMicrosoft, type MicrosoftClient } from './microsoft/client.ts'
import { missingScopes, NEEDED_SCOPES, PERMISSIONS } from './microsoft/scopes.ts'
import { normalizeAuthority } from './signature/base.ts'
import { CallersFile } from './signature/callers-file.ts'
import { createGate } from './signature/gate.ts'
import { NonceMemory } from './signature/nonces.ts'
import { createMetrics, type Metrics } from './telemetry.ts'

// The one place where objects are made and joined. Knows no routes.

export interface Services {
  config: Config
  lifecycle: { started: boolean; draining: boolean }
  log: Logger
  clock: Clock
  random: Random
  database: Database
  vault: SealingVault
  callers: CallersFile
  signatures: RequestSignatures
  nonces: NonceStore
  integrations: IntegrationStore
  connectSessions: ConnectSessionStore
  browserSessions: BrowserSessionStore
  microsoft: MicrosoftClient
  connect: Connect
  refresh: Refresh
  links: Links
  site: Site
  metrics: Metrics
  missingScopes(granted: readonly string[]): string[]
  adminConsentUrl(state: string): string
  /** Finishes every refresh that has begun, then lets go of Microsoft and Postgres. */
  close(): Promise<void>
}

/** What tests bring in from outside instead of the machine's own. */
export interface Surroundings {
  clock?: Clock
  random?: Random
  dispatcher?: Dispatcher
}

export const systemClock: Clock = {
  now: () => Date.now(),
  elapsed: () => performance.now(),
  async sleep(ms, signal) {
    try {
      await sleep(ms, undefined, signal === undefined ? {} : { signal })
    } catch {
      // Aborted: the sleeper wanted to wake up.
    }
  },
}

export const systemRandom: Random = {
  bytes: (size) => randomBytes(size),
  fraction: () => Math.random(),
}

/** Throws CallersError when the callers file cannot be used; reaches out to nobody else yet. */
export function createServices(config: Config, log: Logger, surroundings: Surroundings = {}): Services {
  const { clock = systemClock, random = systemRandom, dispatcher } = surroundings
  const callers = new CallersFile(config.callersFile, {
    now: () => clock.now(),
    onChange: (now) => log.info({ callers: now.list.length, keys: now.byKeyId.size }, 'callers file read anew'),
    onProblem: (error) => log.error({ problems: error.problems }, 'callers file is broken, the callers before it stay'),
  })
  const database = openDatabase(config.database)
  const vault = createVault(config.sealingKeys, (size) => random.bytes(size))
  const integrations = createIntegrationStore(database, vault)
  const connectSessions = createConnectSessionStore(database, vault)
  const browserSessions = createBrowserSessionStore(database)
  const microsoft = createMicrosoft({
    ...config.microsoft,
    redirectUri: config.redirectUri,
    clock,
    random,
    ...(dispatcher === undefined ? {} : { dispatcher }),
    onBreakerChange: (state, from) => log[state.mode === 'open' ? 'error' : 'info']({ breaker: state, from }, 'breaker changed'),
  })
  const metrics = createMetrics({
    breakerMode: () => microsoft.breaker().mode,
    callerKeys: () => [...callers.current().byKeyId.values()].map(({ key }) => key),
  })
  const observe = (event: RefreshEvent) => {
    metrics.refreshed(event)
    const { kind, ...facts } = event
    if (kind === 'sent') log[event.outcome === 'tokens' ? 'info' : 'warn'](facts, 'refreshed at Microsoft')
    else if (kind === 'save_given_up') log.error(facts, 'refreshed tokens were never saved')
    else if (kind === 'save_failed') log.error(facts, 'refreshed tokens could not be saved, trying again')
    else if (kind === 'recovered' || kind === 'lease_taken_over' || kind === 'discarded') log.info({ refresh: kind, ...facts }, 'refresh')
  }
  const connect = createConnect({ sessions: connectSessions, integrations, microsoft, clock, random })
  const refresh = createRefresh({ integrations, microsoft, clock, random, observe })
  const { publicBaseUrl, redirectUri, entryUrls } = config
  const scheme = config.listen.internal.tls === undefined ? 'http' : 'https'
  const { loginUrl, tenant, clientId } = config.microsoft
  return {
    config,
    lifecycle: { started: false, draining: false },
    log,
    clock,
    random,
    database,
    vault,
    callers,
    signatures: createGate({
      callers: () => callers.current(),
      authorities: new Set(config.internalAuthorities.map((authority) => normalizeAuthority(authority, scheme))),
      scheme,
      nonces: new NonceMemory({ secret: random.bytes(32).toString('base64url') }),
      ...(config.responseSigningKey === undefined ? {} : { brokerKey: config.responseSigningKey }),
      now: () => clock.now(),
    }),
    nonces: createNonceStore(database),
    integrations,
    connectSessions,
    browserSessions,
    microsoft,
    connect,
    refresh,
    links: createLinks(publicBaseUrl, config.sessionSecrets),
    site: {
      entryUrls,
      app: { name: 'MEGDocs', clientId, publicBaseUrl, redirectUri, adminConsentUrl: `${publicBaseUrl}${ADMIN_CONSENT_PATH}` },
      permissions: PERMISSIONS,
    },
    metrics,
    missingScopes: (granted) => missingScopes(granted),
    adminConsentUrl(state) {
      // Microsoft knows no admin consent for `common` (entra.md 1).
      const url = new URL(`${loginUrl}/${['common', 'consumers'].includes(tenant) ? 'organizations' : tenant}/v2.0/adminconsent`)
      const scope = NEEDED_SCOPES.map((name) => `https://graph.microsoft.com/${name}`).join(' ')
      url.search = new URLSearchParams({ client_id: clientId, redirect_uri: redirectUri, state, scope }).toString()
      return url.href
    },
    async close() {
      await refresh.drain()
      await microsoft.close()
      await database.close()
    },
  }
}
