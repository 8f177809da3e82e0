/**
 * The deployment that the drills break: real broker processes with one Postgres and the simulated Microsoft.
 * Integrations are inserted without a browser. This file is independent of the single drills.
 */
import { randomUUID } from 'node:crypto'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import postgres from 'postgres'
import { BROKER_AUTHORITY, type Broker, brokerEnvironment, generateSecrets, startBroker } from '../sandbox/broker.ts'
import { type Database, startDatabase } from '../sandbox/database.ts'
import { crowd } from '../sandbox/entra/accounts.ts'
import { type Entra, type EntraOptions, startEntra } from '../sandbox/entra/main.ts'
import {
  type BrokerClient,
  type Call,
  createBrokerClient,
  type Problem,
  type Token,
} from '../sandbox/megdocs/broker-client.ts'
import { startPooler } from '../sandbox/pooler.ts'
import { temporaryFolder } from '../sandbox/temporary-folder.ts'
import { parseSealingKeys } from '../src/crypto/keyring.ts'
import { createVault } from '../src/crypto/vault.ts'
import { migrate } from '../src/db/migrate.ts'
import type { CallerHalf } from '../src/signature/keygen.ts'

export interface Drill {
  name: string
  /** Resolves with the counted results; throws if a target is missed. `options`: for each deployment of the drill. */
  run(options?: DeploymentOptions): Promise<string>
}

export interface Answer {
  status: number
  body: Token & Problem
}

export interface Deployment {
  database: Database
  databaseUrl: string
  sql: postgres.Sql
  entra: Entra
  env: Record<string, string>
  /** Starts another broker process. `root`: the files of another release. `built`: what `npm run build` has made. */
  start(root?: string, nodeFlags?: readonly string[], built?: boolean): Promise<Broker>
  /** The key of a caller, and the authority that it signs for. */
  caller: { authority: string; key: CallerHalf }
  /** The client of a caller. `address` is called for each request. */
  client(address: () => string, onCall?: (call: Call) => void): BrokerClient
  /** Inserts connected users `prefix-1` to `prefix-n`, each with its own account and an expired access token. */
  users(prefix: string, count: number): Promise<string[]>
  /** The stored access token of each user, in plain text. */
  stored(): Promise<Map<string, string>>
  /** Whether Microsoft issued this access token for the account of this user, by the token's claims. */
  isOf(user: string, accessToken: string): boolean
  /** Sets how many seconds the access tokens of these users, issued for an hour, are still valid. */
  setRemaining(users: readonly string[], seconds: number): Promise<void>
  /** Ends all leases, as if their time had passed. */
  endLeases(): Promise<void>
  /** Number of refreshes that have reached Microsoft. */
  calls(): number
  /** Number of rows that are not active, plus all events `reconnect_required`. */
  marked(): Promise<number>
  close(): Promise<void>
}

export interface DeploymentOptions {
  env?: Record<string, string>
  entra?: EntraOptions
  /** Brokers reach Postgres through PgBouncer. */
  pooled?: boolean
  /** How many accounts Microsoft has. */
  accounts?: number
  /** A server of the drill's own. It is closed with the deployment. */
  database?: Database
  /** How brokers reach the database of this URL. Default: directly. */
  via?: (databaseUrl: string) => string
  /** Creates the schema. Default: this release. */
  migrate?: (databaseUrl: string) => Promise<unknown>
}

/** More accounts than a drill needs. */
const ACCOUNTS = 500

export async function deploy({
  env: more = {},
  entra: entraOptions = {},
  pooled = false,
  accounts: accountCount = ACCOUNTS,
  migrate: makeSchema = migrate,
  database: given,
  via = (url) => url,
}: DeploymentOptions = {}): Promise<Deployment> {
  const folder = temporaryFolder('token-broker-drill')
  const database = given ?? (await startDatabase())
  const databaseUrl = await database.createDatabase('token_broker')
  await makeSchema(databaseUrl)
  const pooler = pooled ? await startPooler(databaseUrl) : undefined
  const directory = crowd(accountCount)
  const entra = await startEntra({ accounts: directory, ...entraOptions })
  const secrets = generateSecrets(Date.now())
  const callersFile = join(folder, 'callers.json')
  writeFileSync(callersFile, secrets.callers, { mode: 0o600 })
  const env = brokerEnvironment({
    publicBaseUrl: 'http://localhost:8080',
    databaseUrl: via(databaseUrl),
    callersFile,
    secrets,
    microsoft: { loginUrl: entra.url, clientId: entra.clientId, clientSecret: entra.clientSecret },
    more: { ...pooler?.env, ...more },
  })
  const sql = postgres(databaseUrl, { max: 4, onnotice: () => {}, backoff: () => 0.1 })
  const vault = createVault(parseSealingKeys(secrets.sealingKeys))
  /** Object ids by user. */
  const accounts = new Map<string, string>()
  const next = directory.values()
  const brokers: Broker[] = []

  return {
    database,
    databaseUrl,
    sql,
    entra,
    env,
    async start(root, nodeFlags = [], built = false) {
      const broker = await startBroker(env, { root, nodeFlags, built })
      brokers.push(broker)
      return broker
    },
    caller: { authority: BROKER_AUTHORITY, key: secrets.megdocsKey },
    client: (address, onCall) =>
      createBrokerClient({ address, authority: BROKER_AUTHORITY, key: secrets.megdocsKey, ...(onCall && { onCall }) }),
    async users(prefix, count) {
      const rows = Array.from({ length: count }, (_, i) => {
        const [id, userId] = [randomUUID(), `${prefix}-${i + 1}`]
        const { username, tenantId, objectId } = next.next().value!
        accounts.set(userId, objectId)
        const seal = (column: 'access_token' | 'refresh_token', text: string) =>
          vault.seal({ table: 'oauth2_integration', column, provider: 'microsoft', userId, recordId: id }, text)
        return {
          id,
          user_id: userId,
          status: 'active',
          access_token: seal('access_token', `none yet, ${userId}`),
          refresh_token: seal('refresh_token', entra.control.issueRefreshToken({ account: username })),
          access_token_expires_at: new Date(0).toISOString(),
          refreshed_at: new Date(0).toISOString(),
          scopes: ['Files.ReadWrite.All', 'User.Read'],
          tenant_id: tenantId,
          object_id: objectId,
          generation: 0,
        }
      })
      // A statement takes at most 65,534 parameters.
      for (let first = 0; first < rows.length; first += 1_000)
        await sql`insert into oauth2_integration ${sql(rows.slice(first, first + 1_000))}`
      await sql`update oauth2_integration set generation = nextval('integration_generation') where generation = 0`
      return rows.map((row) => row.user_id)
    },
    async stored() {
      const rows = await sql`select id, user_id, access_token from oauth2_integration`
      return new Map(
        rows.map(({ id, user_id: userId, access_token: sealed }) => [
          userId,
          vault.open(
            { table: 'oauth2_integration', column: 'access_token', provider: 'microsoft', userId, recordId: id },
            sealed,
          ),
        ]),
      )
    },
    isOf(user, accessToken) {
      const { oid } = JSON.parse(Buffer.from(accessToken.split('.')[1] ?? '', 'base64url').toString('utf8')) as {
        oid?: string
      }
      return oid === accounts.get(user)
    },
    async setRemaining(users, seconds) {
      await sql`update oauth2_integration set access_token_expires_at = now() + make_interval(secs => ${seconds}),
        refreshed_at = now() + make_interval(secs => ${seconds - 3600}) where user_id in ${sql(users)}`
    },
    async endLeases() {
      await sql`update oauth2_integration set lease_until = now() where lease_until is not null`
    },
    calls: () => entra.control.tokenRequests().byGrant['refresh_token'] ?? 0,
    async marked() {
      const [row] = await sql`select (select count(*) from oauth2_integration where status <> 'active')
        + (select count(*) from event where type = 'reconnect_required') as n`
      return Number(row!['n'])
    },
    async close() {
      await Promise.all(brokers.map((broker) => broker.stop('SIGKILL')))
      await sql.end({ timeout: 1 })
      await entra.close()
      await pooler?.close()
      await database.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** GET /tokens/:user. Status 0 means that the broker cannot be reached. */
export async function read(client: BrokerClient, user: string, query = ''): Promise<Answer> {
  try {
    return (await client.send('GET', `/tokens/${user}${query}`)) as Answer
  } catch {
    return { status: 0, body: {} as Answer['body'] }
  }
}

/** Each user once at each broker, all at the same time, by callers who wait for a second. */
export const readEverywhere = (
  deployment: Pick<Deployment, 'client'>,
  brokers: readonly Broker[],
  users: readonly string[],
): Promise<Answer[]> =>
  Promise.all(
    brokers.flatMap(({ internalUrl }) =>
      users.map((user) =>
        read(
          deployment.client(() => internalUrl),
          user,
          '?deadline_ms=1000',
        ),
      ),
    ),
  )

/** Throws if a target is missed: a drill ends with its first miss. */
export function expect(holds: boolean, missed: string): asserts holds {
  if (!holds) throw new Error(missed)
}

/** "200: 17, 503: 2" */
export function statuses(answers: readonly Answer[]): string {
  const counts = Map.groupBy(answers, ({ status, body }) =>
    status === 200 ? '200' : `${status} ${body.code ?? 'unreachable'}`,
  )
  return [...counts].map(([name, list]) => `${name}: ${list.length}`).join(', ')
}

export const pause = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds))
