import { randomBytes } from 'node:crypto'
import { rmSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { FastifyInstance } from 'fastify'
import postgres from 'postgres'
import { createBrowser, type Browser, type BrowserOptions } from '../../sandbox/browser.ts'
import { BROKER_AUTHORITY, brokerEnvironment, generateSecrets, type BrokerSecrets } from '../../sandbox/broker.ts'
import { startEntra, type Entra, type EntraOptions } from '../../sandbox/entra/main.ts'
import { openFrontDoor } from '../../sandbox/front-door.ts'
import { createBrokerClient, type BrokerClient } from '../../sandbox/megdocs/broker-client.ts'
import { startPooler } from '../../sandbox/pooler.ts'
import { temporaryFolder } from '../../sandbox/temporary-folder.ts'
import { buildInternalApp, buildOperationsApp, buildPublicApp } from '../../src/app.ts'
import { readConfig } from '../../src/config.ts'
import { checkDatabase } from '../../src/main.ts'
import { createServices, type Services, type Overrides } from '../../src/services.ts'
import { createLogger, createLogOutput } from '../../src/telemetry.ts'
import { testDatabase } from './database.ts'

// The world of a test: real Postgres, the Entra simulator, and the broker's real apps on real sockets behind the front
// door. None of our own code is mocked.

export const JANE = 'jane@contoso.com'
export const CALLBACK = '/auth/oauth2/microsoft/callback'

type Teardown = { teardown(end: () => unknown): unknown }

export interface Replica {
  services: Services
  publicUrl: string
  internalUrl: string
  browsers: FastifyInstance
  internal: FastifyInstance
  operations: FastifyInstance
  caller: BrokerClient
  /** The whole log, one JSON object for each line. */
  logged(): string
  stop(): Promise<void>
}

export interface World {
  entra: Entra
  sql: postgres.Sql
  env: Record<string, string>
  secrets: BrokerSecrets
  baseUrl: string
  replica: Replica
  caller: BrokerClient
  /** Starts another broker on the same database, in this process. */
  startReplica(changes?: Record<string, string>, overrides?: Overrides): Promise<Replica>
  browser(options?: BrowserOptions): Browser
  /** From now on the front door leads browsers to this broker. `connect` completes there. */
  sendBrowsersTo(replica: Replica): void
  /** A browser that stops before it opens Microsoft. */
  stoppingBrowser(): Browser
  /** Begins a connect session and opens its link, up to Microsoft. Resolves with session, browser and authorize URL. */
  toMicrosoft(
    userId: string,
    options?: { allowSwitch?: boolean; browser?: Browser },
  ): Promise<{ id: string; browser: Browser; authorizeUrl: string }>
  /**
   * The handle that a browser of this world has brought back for this connect session. Undefined: none has, which is
   * then left out of a body.
   */
  handle(id: string): string | undefined
  /** As MEGDocs does when the browser is back. Throws BrokerProblem. */
  complete(id: string, userId: string): Promise<{ next: string }>
  /** Connects a user, for tests that need one. */
  connect(userId: string, account?: string, options?: { allowSwitch?: boolean }): Promise<{ id: string; next: string }>
  /**
   * Changes the times of the row, by Postgres' clock: the access token, issued for an hour, is valid for so many
   * seconds.
   */
  setRemaining(userId: string, seconds: number): Promise<void>
  row(userId: string): Promise<Record<string, unknown> | undefined>
  /** The stored tokens of a user, in plain text. Undefined if there is no row. */
  stored(userId: string): Promise<{ accessToken: string; refreshToken: string } | undefined>
}

export async function startWorld(
  t: Teardown,
  options: { env?: Record<string, string>; overrides?: Overrides; databaseUrl?: string; entra?: EntraOptions } = {},
): Promise<World> {
  const databaseUrl = options.databaseUrl ?? (await testDatabase(t as Parameters<typeof testDatabase>[0]))
  // With the variable PGBOUNCER (npm run test:pgbouncer), brokers connect through it. The test itself connects
  // directly.
  const pooler = process.env.PGBOUNCER ? await startPooler(databaseUrl) : undefined
  t.teardown(() => pooler?.close())
  const folder = temporaryFolder('token-broker-test')
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const isChallenged = options.env?.['CONTINUOUS_ACCESS_EVALUATION'] === 'on'
  const secrets = generateSecrets(Date.now(), isChallenged ? { claims_challenges: true } : {})
  const callersFile = join(folder, 'callers.json')
  writeFileSync(callersFile, secrets.callers)

  let publicUrl = ''
  const door = await openFrontDoor({ broker: () => publicUrl, megdocs: () => 'http://127.0.0.1:9' })
  t.teardown(() => door.close())
  const entra = await startEntra({
    redirectUris: [`${door.url}${CALLBACK}`],
    seed: randomBytes(4).readUInt32LE(0),
    ...options.entra,
  })
  t.teardown(() => entra.close())
  const sql = postgres(databaseUrl, { max: 2, onnotice: () => {} })
  t.teardown(() => sql.end({ timeout: 1 }))

  const env = brokerEnvironment({
    publicBaseUrl: door.url,
    databaseUrl,
    callersFile,
    secrets,
    microsoft: { loginUrl: entra.url, clientId: entra.clientId, clientSecret: entra.clientSecret },
    more: {
      DATABASE_POOL_SIZE: '6',
      // npm run test:plain
      ...(process.env.DATABASE_BATCHES && { DATABASE_BATCHES: process.env.DATABASE_BATCHES }),
      ...pooler?.env,
      ...options.env,
    },
  })
  const startReplica = (changes: Record<string, string> = {}, overrides: Overrides = {}) =>
    startOne(t, { ...env, ...changes }, secrets, { ...options.overrides, ...overrides })
  const replica = await startReplica()
  publicUrl = replica.publicUrl
  let { caller } = replica

  const handles = new Map<string, string>()
  const handle = (id: string): string | undefined => handles.get(id)
  const isCompletion = (url: string): boolean => {
    if (!url.includes('/microsoft/connected')) return false
    const { searchParams } = new URL(url)
    handles.set(searchParams.get('connect_session') ?? '', searchParams.get('handle') ?? '')
    return true
  }
  const complete = (id: string, userId: string) => caller.complete(id, userId, handle(id) ?? '')
  const stoppingBrowser = () => createBrowser({ stopBefore: (url) => isCompletion(url) || url.startsWith(entra.url) })

  async function toMicrosoft(
    userId: string,
    { allowSwitch = false, browser = stoppingBrowser() }: { allowSwitch?: boolean; browser?: Browser } = {},
  ) {
    const { id, url } = await caller.beginConnect(userId, { allowSwitch })
    const page = await browser.open(url)
    if (page.refresh === undefined) throw new Error(`did not reach Microsoft: ${page.status} ${page.html}`)
    return { id, browser, authorizeUrl: page.refresh }
  }

  return {
    entra,
    sql,
    env,
    secrets,
    baseUrl: door.url,
    replica,
    caller,
    startReplica,
    browser: (more) => createBrowser(more),
    sendBrowsersTo(other) {
      publicUrl = other.publicUrl
      caller = other.caller
    },
    stoppingBrowser,
    toMicrosoft,
    handle,
    complete,
    async connect(userId, account = JANE, { allowSwitch = false } = {}) {
      const { id, browser, authorizeUrl } = await toMicrosoft(userId, { allowSwitch })
      await browser.open(entra.control.signIn({ account, authorizeUrl }))
      const { next } = await complete(id, userId)
      return { id, next }
    },
    async setRemaining(userId, seconds) {
      await sql`update oauth2_integration set access_token_expires_at = now() + make_interval(secs => ${seconds}),
        refreshed_at = now() + make_interval(secs => ${seconds - 3600}) where user_id = ${userId}`
    },
    async row(userId) {
      const [row] = await sql`select * from oauth2_integration where user_id = ${userId}`
      return row
    },
    async stored(userId) {
      const [row] = await sql`select id, access_token, refresh_token from oauth2_integration where user_id = ${userId}`
      if (row === undefined) return undefined
      const open = (column: 'access_token' | 'refresh_token') =>
        replica.services.vault.open(
          { table: 'oauth2_integration', column, provider: 'microsoft', userId, recordId: String(row['id']) },
          row[column] as Buffer,
        )
      return { accessToken: open('access_token'), refreshToken: open('refresh_token') }
    },
  }
}

/** Of the completion URL that a page sends the browser to. */
export const handleIn = (page: { refresh?: string }): string =>
  new URL(page.refresh ?? 'no:').searchParams.get('handle') ?? ''

async function startOne(
  t: Teardown,
  env: Record<string, string>,
  secrets: BrokerSecrets,
  overrides: Overrides,
): Promise<Replica> {
  const lines: string[] = []
  const config = readConfig(env)
  const logOutput = createLogOutput({
    writeSync: (bytes) => {
      lines.push(bytes.toString())
      return bytes.length
    },
    elapsed: () => performance.now(),
  })
  const log = createLogger('debug', overrides.logOutput ?? logOutput)
  const services = createServices(config, log, { logOutput, ...overrides })
  await checkDatabase(services)
  const apps = [await buildPublicApp(services), await buildInternalApp(services)] as const
  const operations = await buildOperationsApp(services)
  services.lifecycle.started = true
  for (const app of apps) await app.listen({ host: '127.0.0.1', port: 0 })
  const [publicUrl, internalUrl] = apps.map(
    (app) =>
      `${app === apps[1] && config.listen.internal.tls ? 'https' : 'http'}://` +
      `127.0.0.1:${(app.server.address() as AddressInfo).port}`,
  ) as [string, string]
  let stopped: Promise<void> | undefined
  const stop = () =>
    (stopped ??= (async () => {
      for (const app of [...apps, operations]) await app.close()
      await services.close()
    })())
  t.teardown(stop)
  return {
    services,
    publicUrl,
    internalUrl,
    browsers: apps[0],
    internal: apps[1],
    operations,
    caller: createBrokerClient({ address: () => internalUrl, authority: BROKER_AUTHORITY, key: secrets.megdocsKey }),
    logged() {
      logOutput.flush()
      return lines.join('')
    },
    stop,
  }
}
