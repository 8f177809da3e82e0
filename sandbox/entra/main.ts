/**
 * The Entra simulator: a stand-in for Microsoft's sign-in and Graph, for development, tests, benchmarks and drills.
 * Owns Microsoft's side of the protocol, told from Microsoft's documents and recordings alone; knows nothing of the
 * broker and never imports src/. NOT INTENDED FOR PRODUCTION: anybody may sign in as anybody, it listens on loopback
 * only, and keys, consents and codes are gone when it ends, so that nobody can rely on it.
 */
import type { AddressInfo } from 'node:net'
import fastify from 'fastify'
import type { FastifyInstance } from 'fastify'
import { createDirectory, defaultAccounts } from './accounts.ts'
import type { Account } from './accounts.ts'
import { defaultClientId, defaultClientSecret, defaultRedirectUris, readSecrets } from './application.ts'
import type { ClientSecret } from './application.ts'
import { authorizeRoutes } from './authorize.ts'
import { adminConsentRoutes } from './admin-consent.ts'
import { createCodeBook } from './codes.ts'
import { createConsents } from './consents.ts'
import { controlRoutes } from './control-http.ts'
import { createControl } from './control.ts'
import type { EntraControl } from './control.ts'
import { createCounters } from './counters.ts'
import { discoveryRoutes } from './discovery.ts'
import { createDrives } from './drive.ts'
import { createGate } from './gate.ts'
import { graphRoutes } from './graph.ts'
import { createKeyRing } from './keys.ts'
import { createBoard } from './misbehaviour.ts'
import { seededRandom } from './random.ts'
import { createRefreshTokenUses } from './refresh-tokens.ts'
import { createSealer } from './seal.ts'
import { tokenRoutes } from './token.ts'
import { createClock, createRevocations } from './world.ts'
import type { World } from './world.ts'

export type { EntraControl } from './control.ts'
export type { Account } from './accounts.ts'

export interface EntraOptions {
  /** 127.0.0.1 (default), ::1 or localhost; anything else is refused. */
  host?: string
  /** 0 (default): any free port. */
  port?: number
  controlPort?: number
  clientId?: string
  appName?: string
  /** All valid at once; `expiresAt` in milliseconds. */
  clientSecrets?: (string | ClientSecret)[]
  redirectUris?: string[]
  /** PEM, for private_key_jwt. */
  certificates?: string[]
  /**
   * Of everything random: lifetimes, order of scopes, misbehaviour rates. Refresh tokens of the same seed survive a
   * restart.
   */
  seed?: number
  accounts?: readonly Account[]
  /** Milliseconds since the epoch. */
  now?: () => number
  sleep?: (ms: number) => Promise<void>
}

export interface Entra {
  /** Origin of the sign-in host (`{url}/{tenant}/oauth2/v2.0/…`). */
  url: string
  /** Origin of Graph (`{graphUrl}/v1.0/me`); the same listener. */
  graphUrl: string
  controlUrl: string
  clientId: string
  /** The first of the secrets. */
  clientSecret: string
  seed: number
  control: EntraControl
  close(): Promise<void>
}

const loopbackHosts = ['127.0.0.1', '::1', 'localhost']
const realHosts = /(^|\.)(microsoftonline\.(com|us|de|cn)|chinacloudapi\.cn|windows\.net|microsoft\.(com|us))$/i

/**
 * Throws when the environment names a real Microsoft host: then somebody means to work with the real one, and this is a
 * mistake.
 */
export function refuseRealHosts(env: Record<string, string | undefined>): void {
  for (const name of ['MICROSOFT_LOGIN_URL', 'MICROSOFT_GRAPH_URL']) {
    const host = URL.parse(env[name] ?? '')?.hostname
    if (host && realHosts.test(host))
      throw new Error(`${name} names the real ${host}: the Entra simulator does not start beside it`)
  }
}

/** Starts both listeners. Throws for a host that is not loopback, a taken port, or real hosts in the environment. */
export async function startEntra(options: EntraOptions = {}): Promise<Entra> {
  refuseRealHosts(process.env)
  const host = options.host ?? '127.0.0.1'
  if (!loopbackHosts.includes(host)) throw new Error(`the Entra simulator listens on loopback only, not on ${host}`)
  const world = createWorld(options)
  const control = createControl(world)
  const protocol = buildProtocolApp(world)
  const controlApp = fastify({ forceCloseConnections: true })
  controlRoutes(controlApp, control)

  async function close(): Promise<void> {
    control.release()
    await Promise.all([protocol.close(), controlApp.close()])
  }

  try {
    await protocol.listen({ host, port: options.port ?? 0 })
    world.url = origin(protocol, host)
    await controlApp.listen({ host, port: options.controlPort ?? 0 })
  } catch (error) {
    await close()
    throw error
  }
  return {
    url: world.url,
    graphUrl: world.url,
    controlUrl: origin(controlApp, host),
    clientId: world.app.clientId,
    clientSecret: world.app.secrets[0]?.value ?? '',
    seed: world.seed,
    control,
    close,
  }
}

function createWorld(options: EntraOptions): World {
  const seed = options.seed ?? 1
  const random = seededRandom(seed)
  const gates = { before: createGate(), after: createGate(), hang: createGate() }
  gates.hang.close()
  return {
    url: '',
    seed,
    random,
    clock: createClock(options.now ?? Date.now),
    sleep: options.sleep ?? ((ms) => new Promise((resolve) => setTimeout(resolve, ms))),
    app: {
      clientId: options.clientId ?? defaultClientId,
      name: options.appName ?? 'MEGDocs',
      redirectUris: options.redirectUris ?? defaultRedirectUris,
      secrets: readSecrets(options.clientSecrets ?? [defaultClientSecret]),
      certificates: options.certificates ?? [],
    },
    directory: createDirectory(options.accounts ?? defaultAccounts),
    settings: { rotation: 'entra', lifetime: null, loopAfter: 0 },
    consents: createConsents(),
    codes: createCodeBook(),
    keys: createKeyRing(),
    sealer: createSealer(seed),
    board: createBoard(random),
    gates,
    counters: createCounters(),
    revocations: createRevocations(),
    drives: createDrives(),
    refreshTokenUses: createRefreshTokenUses(),
  }
}

function buildProtocolApp(world: World): FastifyInstance {
  const app = fastify({ forceCloseConnections: true, exposeHeadRoutes: false, routerOptions: { maxParamLength: 500 } })
  // Every body is read as text: Entra is strict about forms, and Graph takes file content of any type.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => done(null, body))
  discoveryRoutes(app, world)
  authorizeRoutes(app, world)
  adminConsentRoutes(app, world)
  tokenRoutes(app, world)
  graphRoutes(app, world)
  return app
}

function origin(app: FastifyInstance, host: string): string {
  const { port } = app.server.address() as AddressInfo
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`
}

if (import.meta.main) {
  const { runAlone } = await import('./alone.ts')
  await runAlone(startEntra, process.argv.slice(2))
}
