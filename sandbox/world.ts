/**
 * A broker process with everything around it: PostgreSQL, the simulated Microsoft, MEGDocs and the front door. `npm run
 * sandbox`, its check and the browser tests use this same world.
 */
import { randomBytes, randomInt } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import postgres from 'postgres'
import { migrate } from '../src/db/migrate.ts'
import {
  type Broker,
  BROKER_AUTHORITY,
  brokerEnvironment,
  type BrokerSecrets,
  generateSecrets,
  startBroker,
} from './broker.ts'
import { createControls } from './controls.ts'
import { type Database, forgetDatabase, startDatabase } from './database.ts'
import { type Entra, type EntraOptions, startEntra } from './entra/main.ts'
import { type FrontDoor, openFrontDoor } from './front-door.ts'
import { type BrokerClient, createBrokerClient } from './megdocs/broker-client.ts'
import { type Megdocs, type MegdocsOptions, startMegdocs } from './megdocs/main.ts'
import { startIssuer } from './issuer.ts'
import { temporaryFolder } from './temporary-folder.ts'

/** The broker declares that MEGDocs handles claims challenges: both small MEGDocs and the Django example do. */
export const WITH_CHALLENGES = { CONTINUOUS_ACCESS_EVALUATION: 'on' }

export interface WorldOptions {
  /** Folder for data and secrets. Without it, everything is temporary. */
  dir?: string
  /** Port of the front door. Default: a free port. If the port is in use, another one is used and reported. */
  port?: number
  /** The broker authenticates to Microsoft with the token of a simulated cluster, and not with a secret. */
  federation?: boolean
  /** Additional variables for the broker. */
  brokerEnvironment?: Record<string, string>
  /** Starts another MEGDocs instead of the TypeScript one. */
  startMegdocs?: (options: MegdocsOptions) => Promise<Megdocs>
  /** Called with a few words before each part starts. */
  report?: (line: string) => void
}

export interface World {
  /** The one address to open. */
  url: string
  database: Database
  /** URL of the broker's database. */
  databaseUrl: string
  entra: Entra
  megdocs: Megdocs
  frontDoor: FrontDoor
  /** The current broker: it may be replaced. */
  broker(): Broker
  /** Starts a broker on the same data, for example after the old one stopped. The front door then uses it. */
  startBroker(): Promise<Broker>
  /** Everything that all brokers of this world have printed. */
  brokerLogs(): string
  /** Runs SQL on the broker's database, as its owner. */
  query(text: string): Promise<Record<string, unknown>[]>
  /** MEGDocs' client, for calls without a browser. */
  client: BrokerClient
  /** All secrets that were generated for this world. None of them may be in any log. */
  secrets: string[]
  close(): Promise<void>
}

interface Kept {
  broker: BrokerSecrets
  /** With the same seed, refresh tokens stay valid after a restart of the simulated Microsoft. */
  entraSeed: number
  clientSecret: string
}

/** Deletes the data that `createWorld({ dir })` kept. */
export function forgetWorld(dir: string): void {
  forgetDatabase(join(dir, 'database'))
  rmSync(dir, { recursive: true, force: true })
}

/**
 * Starts all parts. Resolves when the broker is ready. If a part does not start, stops the others and throws its error.
 */
export async function createWorld(options: WorldOptions = {}): Promise<World> {
  const { report = () => {} } = options
  const dir = options.dir ?? temporaryFolder('token-broker-sandbox')
  const closers: (() => Promise<unknown>)[] = []
  async function close(): Promise<void> {
    for (const end of closers.splice(0).reverse()) await end()
    if (options.dir === undefined) rmSync(dir, { recursive: true, force: true })
  }
  try {
    const kept = keep(dir)
    const callersFile = join(dir, 'callers.json')
    writePrivately(callersFile, kept.broker.callers)

    report('PostgreSQL')
    const database = await startDatabase(options.dir === undefined ? {} : { dir: join(dir, 'database') })
    closers.push(() => database.close())
    const databaseUrl = await database.createDatabase('token_broker')
    await migrate(databaseUrl)

    report('simulated Microsoft')
    const federation = options.federation ? await federate(dir, closers) : undefined
    const entra = await startEntra({ seed: kept.entraSeed, clientSecrets: [kept.clientSecret], ...federation?.entra })
    closers.push(() => entra.close())

    report('MEGDocs and the front door')
    const brokers: Broker[] = []
    const current = (): Broker => brokers.at(-1) ?? fail('the broker has not started')
    const caller = { address: () => current().internalUrl, authority: BROKER_AUTHORITY, key: kept.broker.megdocsKey }
    const sql = postgres(databaseUrl, { max: 1, onnotice: () => {} })
    closers.push(() => sql.end())
    const controls = createControls(entra, sql)
    const megdocs = await (options.startMegdocs ?? startMegdocs)({ broker: caller, graphUrl: entra.graphUrl, controls })
    closers.push(() => megdocs.close())
    const frontDoor = await openDoor(
      options.port,
      { broker: () => current().publicUrl, megdocs: () => megdocs.url },
      report,
    )
    closers.push(() => frontDoor.close())

    // The broker serves only the base URL that its database belongs to (docs/design.md#what-it-is-and-for-whom), but
    // here the port may change between runs.
    await sql`update deployment set public_base_url = ${frontDoor.url}`

    const env = brokerEnvironment({
      publicBaseUrl: frontDoor.url,
      databaseUrl,
      callersFile,
      secrets: kept.broker,
      microsoft: { loginUrl: entra.url, clientId: entra.clientId, clientSecret: kept.clientSecret },
      more: { ...federation?.env, ...options.brokerEnvironment },
    })
    async function start(): Promise<Broker> {
      const started = await startBroker(env, options.dir === undefined ? {} : { logFile: join(dir, 'broker.log') })
      closers.push(() => stopWithin(STOP_TIMEOUT_MS, started))
      brokers.push(started)
      return started
    }
    report('the token broker')
    await start()
    return {
      url: frontDoor.url,
      database,
      databaseUrl,
      entra,
      megdocs,
      frontDoor,
      broker: current,
      startBroker: start,
      brokerLogs: () => brokers.map((broker) => broker.log()).join('\n'),
      query: (text) => sql.unsafe(text),
      client: createBrokerClient(caller),
      secrets: secretsOf(kept, databaseUrl),
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

/** As the kubelet does: replaces the file long before its token expires. */
const REPLACE_TOKEN_MS = 60_000

async function federate(
  dir: string,
  closers: (() => Promise<unknown>)[],
): Promise<{ entra: EntraOptions; env: Record<string, string> }> {
  const issuer = await startIssuer()
  closers.push(() => issuer.close())
  const file = join(dir, 'federated-token')
  const write = () => {
    writePrivately(`${file}.new`, issuer.token())
    renameSync(`${file}.new`, file)
  }
  mkdirSync(dir, { recursive: true })
  write()
  const timer = setInterval(write, REPLACE_TOKEN_MS)
  closers.push(async () => clearInterval(timer))
  return {
    entra: { clientSecrets: [], federatedCredentials: [issuer.credential] },
    env: { MICROSOFT_CLIENT_SECRET: '', MICROSOFT_FEDERATED_TOKEN_FILE: file },
  }
}

/** Longer than this, Ctrl-C does not wait for the broker. */
const STOP_TIMEOUT_MS = 10_000

async function stopWithin(milliseconds: number, broker: Broker): Promise<void> {
  const timer = setTimeout(() => broker.kill('SIGKILL'), milliseconds)
  await broker.stop()
  clearTimeout(timer)
}

/** Reads the secrets, or generates them once and stores them where only we can read them. */
function keep(dir: string): Kept {
  const file = join(dir, 'secrets.json')
  mkdirSync(dir, { recursive: true })
  if (!existsSync(file)) {
    // Without the secrets, kept data cannot be opened. It may be in another folder (database-user.ts).
    forgetDatabase(join(dir, 'database'))
    const made: Kept = {
      broker: generateSecrets(Date.now(), { claims_challenges: true }),
      entraSeed: randomInt(2 ** 31),
      clientSecret: clientSecret(),
    }
    writePrivately(file, JSON.stringify(made, null, 2))
  }
  return JSON.parse(readFileSync(file, 'utf8')) as Kept
}

/** In the form of a real one: 40 characters, with `8Q~` from the fourth on. */
function clientSecret(): string {
  return `sim8Q~${randomBytes(32).toString('base64url').slice(0, 34)}`
}

function writePrivately(file: string, text: string): void {
  writeFileSync(file, text, { mode: 0o600 })
  chmodSync(file, 0o600)
}

async function openDoor(
  port: number | undefined,
  sides: { broker(): string; megdocs(): string },
  report: (line: string) => void,
): Promise<FrontDoor> {
  if (port === undefined) return openFrontDoor(sides)
  try {
    return await openFrontDoor({ ...sides, port })
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'EADDRINUSE') throw error
    report(`port ${port} is taken: using another one`)
    return openFrontDoor(sides)
  }
}

function secretsOf(kept: Kept, databaseUrl: string): string[] {
  const sealing = kept.broker.sealingKeys.split(':')[1] ?? ''
  return [
    kept.clientSecret,
    kept.broker.sessionSecrets,
    sealing,
    kept.broker.megdocsKey.secret ?? '',
    new URL(databaseUrl).password,
  ]
}

function fail(message: string): never {
  throw new Error(message)
}
