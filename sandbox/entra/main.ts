/**
 * The Entra simulator: a stand-in for Microsoft's sign-in and Graph, for development, tests, benchmarks and drills.
 * Owns Microsoft's side of the protocol, told from Microsoft's documents and recordings alone; knows nothing of the
 * broker and never imports src/. NOT INTENDED FOR PRODUCTION: anybody may sign in as anybody, it listens on loopback
 * only, and keys, consents and codes are gone when it ends, so that nobody can rely on it.
 */
import type { Server } from 'node:http'
import { createSecureServer } from 'node:http2'
import type { AddressInfo, Socket } from 'node:net'
import fastify from 'fastify'
import type { FastifyInstance, FastifyServerFactory } from 'fastify'
import { createDirectory, defaultAccounts } from './accounts.ts'
import type { Account } from './accounts.ts'
import { defaultClientId, defaultClientSecret, defaultRedirectUris, readSecrets } from './application.ts'
import type { ClientSecret, FederatedCredential } from './application.ts'
import type { ServerCertificate } from './certificate.ts'
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
import { createPolicies } from './policies.ts'
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
  /** Sign-in and Graph speak TLS with this certificate, and offer HTTP/2 beside HTTP/1.1. Control stays plain HTTP. */
  tls?: ServerCertificate
  /** The origin that clients know, if it is not the listener's own: that of a relay before it. */
  publicUrl?: string
  clientId?: string
  appName?: string
  /** All valid at once; `expiresAt` in milliseconds. */
  clientSecrets?: (string | ClientSecret)[]
  redirectUris?: string[]
  /** PEM, for private_key_jwt. */
  certificates?: string[]
  /** Other issuers whose tokens are taken as assertions. */
  federatedCredentials?: FederatedCredential[]
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
  /** Of the listener for sign-in and Graph. */
  port: number
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
  const protocol = buildProtocolApp(world, options.tls)
  const controlApp = fastify({ forceCloseConnections: true })
  controlRoutes(controlApp, control)

  async function close(): Promise<void> {
    control.release()
    await Promise.all([protocol.close(), controlApp.close()])
  }

  try {
    await protocol.listen({ host, port: options.port ?? 0 })
    world.url = options.publicUrl ?? origin(protocol, host, options.tls ? 'https' : 'http')
    await controlApp.listen({ host, port: options.controlPort ?? 0 })
  } catch (error) {
    await close()
    throw error
  }
  return {
    url: world.url,
    graphUrl: world.url,
    port: (protocol.server.address() as AddressInfo).port,
    controlUrl: origin(controlApp, host, 'http'),
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
      federatedCredentials: options.federatedCredentials ?? [],
    },
    otherApps: new Map(),
    directory: createDirectory(options.accounts ?? defaultAccounts),
    settings: { rotation: 'entra', lifetime: null, loopAfter: 0, loginHintClaim: false },
    consents: createConsents(),
    codes: createCodeBook(),
    keys: createKeyRing(),
    sealer: createSealer(seed),
    board: createBoard(random),
    gates,
    counters: createCounters(),
    revocations: createRevocations(),
    policies: createPolicies(),
    drives: createDrives(),
    refreshTokenUses: createRefreshTokenUses(),
  }
}

function buildProtocolApp(world: World, tls: ServerCertificate | undefined): FastifyInstance {
  const sockets = new Set<Socket>()
  // Fastify's own option `http2` would change the type of every route. A request has the same form in both versions.
  const serverFactory: FastifyServerFactory = (handler) => {
    const server: unknown = createSecureServer({ ...tls, allowHTTP1: true })
      .on('request', handler as (...args: unknown[]) => void)
      .on('connection', (socket: Socket) => sockets.add(socket.once('close', () => sockets.delete(socket))))
    return server as Server
  }
  const app = fastify({
    forceCloseConnections: tls === undefined,
    exposeHeadRoutes: false,
    routerOptions: { maxParamLength: 500 },
    ...(tls && { serverFactory }),
  })
  app.addHook('preClose', async () => sockets.forEach((socket) => socket.destroy()))
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

function origin(app: FastifyInstance, host: string, scheme: 'http' | 'https'): string {
  const { port } = app.server.address() as AddressInfo
  return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`
}

if (import.meta.main) {
  const { runAlone } = await import('./alone.ts')
  await runAlone(startEntra, process.argv.slice(2))
}
