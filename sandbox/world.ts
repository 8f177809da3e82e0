/**
 * Everything around one broker, joined: PostgreSQL, simulated Microsoft, MEGDocs, the front door, and the broker itself as a process
 * of its own. What `npm run sandbox` shows to a person, its check and the tests of the whole are the same world.
 */
import { randomBytes, randomInt } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
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
import { type Entra, startEntra } from './entra/main.ts'
import { type FrontDoor, openFrontDoor } from './front-door.ts'
import { type BrokerClient, createBrokerClient } from './megdocs/broker-client.ts'
import { type Megdocs, type MegdocsOptions, startMegdocs } from './megdocs/main.ts'
import { temporaryFolder } from './temporary-folder.ts'

export interface WorldOptions {
  /** Where data and secrets are kept; without it everything is temporary. */
  dir?: string
  /** The front door's; default: a free one. Taken: another one, and `report` says so. */
  port?: number
  /** Further variables for the broker. */
  brokerEnvironment?: Record<string, string>
  /** Another MEGDocs than the TypeScript one. */
  startMegdocs?: (options: MegdocsOptions) => Promise<Megdocs>
  /** Told what is being done, in a few words. */
  report?: (line: string) => void
}

export interface World {
  /** The one address to open. */
  url: string
  database: Database
  /** Of the broker's database. */
  databaseUrl: string
  entra: Entra
  megdocs: Megdocs
  frontDoor: FrontDoor
  /** The present one: it may be replaced. */
  broker(): Broker
  /** Starts a broker on the same data, such as after the old one was stopped, and lets the front door lead to it. */
  startBroker(): Promise<Broker>
  /** What all brokers of this world have printed. */
  brokerLogs(): string
  /** Runs SQL on the broker's database, as its owner. */
  query(text: string): Promise<Record<string, unknown>[]>
  /** MEGDocs' client, for calls without a browser. */
  client: BrokerClient
  /** Every secret that was made for this world; none may be found in any log. */
  secrets: string[]
  close(): Promise<void>
}

interface Kept {
  broker: BrokerSecrets
  /** Refresh tokens of the same seed survive a restart of simulated Microsoft. */
  entraSeed: number
  clientSecret: string
}

/** Forgets what `createWorld({ dir })` kept. */
export function forgetWorld(dir: string): void {
  forgetDatabase(join(dir, 'database'))
  rmSync(dir, { recursive: true, force: true })
}

/** Starts all parts; resolves when the broker is ready. When one does not start, the others are stopped and its words thrown. */
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
    const entra = await startEntra({ seed: kept.entraSeed, clientSecrets: [kept.clientSecret] })
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

    // The broker serves only the base URL that its database belongs to (design 1). Here the port may differ from run to run.
    await sql`update deployment set public_base_url = ${frontDoor.url}`

    const env = brokerEnvironment({
      publicBaseUrl: frontDoor.url,
      databaseUrl,
      callersFile,
      secrets: kept.broker,
      microsoft: { loginUrl: entra.url, clientId: entra.clientId, clientSecret: kept.clientSecret },
      more: options.brokerEnvironment ?? {},
    })
    async function start(): Promise<Broker> {
      const started = await startBroker(env, options.dir === undefined ? {} : { logFile: join(dir, 'broker.log') })
      closers.push(() => stopWithin(STOP_LIMIT, started))
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

/** Milliseconds; nobody who presses Ctrl-C waits longer. */
const STOP_LIMIT = 10_000

async function stopWithin(milliseconds: number, broker: Broker): Promise<void> {
  const timer = setTimeout(() => broker.kill('SIGKILL'), milliseconds)
  await broker.stop()
  clearTimeout(timer)
}

/** Secrets are made once and kept where only we can read them. */
function keep(dir: string): Kept {
  const file = join(dir, 'secrets.json')
  mkdirSync(dir, { recursive: true })
  if (!existsSync(file)) {
    // Data that was sealed with secrets that are gone is of no use; it may lie elsewhere than here (database-user.ts).
    forgetDatabase(join(dir, 'database'))
    const made: Kept = {
      broker: generateSecrets(Date.now()),
      entraSeed: randomInt(2 ** 31),
      clientSecret: clientSecret(),
    }
    writePrivately(file, JSON.stringify(made, null, 2))
  }
  return JSON.parse(readFileSync(file, 'utf8')) as Kept
}

/** In the form of a real one: 40 characters, `8Q~` in the fourth place. */
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
