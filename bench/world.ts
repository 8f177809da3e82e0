/**
 * The processes of a benchmark: PostgreSQL with sealed integrations, the compiled broker, the bare route, the load
 * generator.
 */
import { type ChildProcess, execFileSync, fork, spawn } from 'node:child_process'
import { randomBytes, randomUUID } from 'node:crypto'
import { closeSync, cpSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import postgres from 'postgres'
import { BROKER_AUTHORITY, brokerEnvironment, type BrokerSecrets, generateSecrets } from '../sandbox/broker.ts'
import { startDatabase } from '../sandbox/database.ts'
import { temporaryFolder } from '../sandbox/temporary-folder.ts'
import { parseSealingKeys } from '../src/crypto/keyring.ts'
import { createVault } from '../src/crypto/vault.ts'
import { migrate } from '../src/db/migrate.ts'
import { nextMessage, startGenerator } from './generator.ts'
import type { Round, RoundResult } from './load.ts'
import { makePeerCache, type PeerCache } from './peer-msal/cache.ts'

const file = (path: string): string => fileURLToPath(new URL(path, import.meta.url))
/** Length of Entra's tokens in characters. */
const TOKEN = { access: 2000, refresh: 1200 }
const POOL = '10'
/**
 * How many users the reads are spread over. At least 50 times as many as the broker could remember: almost every read
 * of MEGDocs is of somebody who was not read a moment ago (test/flow/memory.test.ts).
 */
export const USERS = 100_000
/** Every access token of the benchmark begins so. */
export const TOKEN_MARK = 'bench.'
const USERNAME = 'jane@contoso.com'
/** Node's flags of the image. */
export const NODE_FLAGS: string[] =
  /^ENTRYPOINT \["\/nodejs\/bin\/node", (.*)"\/app/m
    .exec(readFileSync(file('../Dockerfile'), 'utf8'))?.[1]
    ?.match(/--[\w=-]+/g) ?? []

export interface Server {
  pid: number
  port: number
  stop(): Promise<void>
}

export interface RunningBroker extends Server {
  /** From starting the process until /readyz answers 200. */
  readyAfterMs: number
}

export interface BenchWorld {
  sql: postgres.Sql
  url: string
  /**
   * Adds integrations `u${from}` to `u${to - 1}`, each sealed for its own row, and for the same users an equally long
   * body for the bare route and a cache of msal-node. Nothing in them can be compressed.
   */
  fill(from: number, to: number): Promise<void>
  /** `more`: further variables. `flags`: instead of those of the image. */
  startBroker(nodeArguments?: string[], more?: Record<string, string>, flags?: string[]): Promise<RunningBroker>
  startBare(): Promise<Server>
  /** bench/peer-msal. */
  startPeer(): Promise<Server>
  load(round: Omit<Round, 'authority' | 'key'> & { signed: boolean }): Promise<RoundResult>
  close(): Promise<void>
}

/** Compiles the broker, as in the image. */
export function build(): void {
  execFileSync(process.execPath, [file('../node_modules/typescript/bin/tsc'), '-p', file('../tsconfig.build.json')], {
    cwd: file('..'),
    stdio: 'inherit',
  })
  cpSync(file('../src/db/migrations'), file('../dist/db/migrations'), { recursive: true })
}

export async function createBenchWorld(): Promise<BenchWorld> {
  build()
  const folder = temporaryFolder('token-broker-bench')
  const database = await startDatabase()
  const url = await database.createDatabase('bench')
  await migrate(url)
  const sql = postgres(url, { max: 2, onnotice: () => {} })
  await sql`create table bare (user_id text primary key, body text not null)`
  await sql`create table msal_cache (key text primary key, value text not null)`
  const peer = await makePeerCache()
  const secrets = generateSecrets(Date.now())
  const generator = startGenerator()
  const children = new Set<ChildProcess>()

  async function startOther(path: string, more: Record<string, string>): Promise<Server> {
    const child = fork(file(path), {
      env: { ...process.env, NODE_ENV: 'production', DATABASE_URL: url, DATABASE_POOL_SIZE: POOL, ...more },
    })
    children.add(child)
    const { port } = await nextMessage<{ port: number }>(child)
    return {
      pid: child.pid!,
      port,
      async stop() {
        child.kill()
        await new Promise((resolve) => child.once('exit', resolve))
      },
    }
  }

  return {
    sql,
    url,
    fill: (from, to) => fill(sql, secrets.sealingKeys, from, to, peer),
    async startBroker(nodeArguments = [], more = {}, flags = NODE_FLAGS) {
      const broker = await startBroker(url, folder, secrets, [...flags, ...nodeArguments], more)
      children.add(broker.child)
      return broker
    },
    startBare: () => startOther('./bare-route.ts', {}),
    startPeer: () => startOther('./peer-msal/service.ts', { PEER_SETTINGS: JSON.stringify(peer.settings) }),
    load: ({ signed, ...round }) =>
      generator.run({ ...round, authority: BROKER_AUTHORITY, ...(signed ? { key: secrets.megdocsKey } : {}) }),
    async close() {
      generator.stop()
      for (const child of children) child.kill('SIGKILL')
      await sql.end()
      await database.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** Adds integrations `u${from}` to `u${to - 1}`; with `peer`, also the rows that the other services read. */
export async function fill(
  sql: postgres.Sql,
  sealingKeys: string,
  from: number,
  to: number,
  peer?: PeerCache,
): Promise<void> {
  const vault = createVault(parseSealingKeys(sealingKeys))
  const BATCH = 1_000
  for (let first = from; first < to; first += BATCH) {
    const rows = Array.from({ length: Math.min(BATCH, to - first) }, (_, i) => {
      const [userId, id] = [`u${first + i}`, randomUUID()]
      const random = (length: number) => randomBytes(length).toString('base64url').slice(0, length)
      const accessToken = TOKEN_MARK + random(TOKEN.access - TOKEN_MARK.length)
      const refreshToken = random(TOKEN.refresh)
      const sealed = (column: 'access_token' | 'refresh_token', token: string) =>
        vault
          .seal({ table: 'oauth2_integration', column, provider: 'microsoft', userId, recordId: id }, token)
          .toString('base64')
      return {
        id,
        userId,
        access: sealed('access_token', accessToken),
        refresh: sealed('refresh_token', refreshToken),
        tenantId: randomUUID(),
        objectId: randomUUID(),
        cache: peer?.valueOf(accessToken, refreshToken) ?? '',
        // As long as the broker's answer, from another token: no row of one table helps to read the other.
        body: JSON.stringify({
          user_id: userId,
          access_token: random(TOKEN.access),
          token_type: 'Bearer',
          expires_at: '2026-11-22T10:00:00Z',
          expires_in: 3187,
          scope: 'Files.ReadWrite.All User.Read',
          missing_scopes: [],
          excess_scopes: [],
          generation: first + i,
          account: { tenant_id: randomUUID(), object_id: randomUUID(), username: USERNAME },
        }),
      }
    })
    const column = (name: keyof (typeof rows)[number]) => rows.map((row) => row[name])
    await sql`insert into oauth2_integration (id, user_id, status, generation, access_token, refresh_token,
        access_token_expires_at, scopes, client_id, tenant_id, object_id, username)
      select id, user_id, 'active', nextval('integration_generation'), decode(access, 'base64'),
        decode(refresh, 'base64'), now() + interval '1 day',
        '{Files.ReadWrite.All,User.Read}', gen_random_uuid()::text, tenant_id, object_id, ${USERNAME}
      from unnest(${column('id')}::uuid[], ${column('userId')}::text[], ${column('access')}::text[],
        ${column('refresh')}::text[], ${column('tenantId')}::text[], ${column('objectId')}::text[])
        as r (id, user_id, access, refresh, tenant_id, object_id)`
    if (peer === undefined) continue
    await sql`insert into bare select * from unnest(${column('userId')}::text[], ${column('body')}::text[])`
    await sql`insert into msal_cache select * from unnest(${column('userId')}::text[], ${column('cache')}::text[])`
  }
  await sql`vacuum analyze`
}

async function startBroker(
  databaseUrl: string,
  folder: string,
  secrets: BrokerSecrets,
  nodeArguments: string[],
  more: Record<string, string>,
): Promise<RunningBroker & { child: ChildProcess }> {
  const callersFile = join(folder, 'callers.json')
  writeFileSync(callersFile, secrets.callers)
  // Log to a file, so that no process has to read the log during the measurement.
  const logFile = join(folder, `broker-${randomUUID()}.log`)
  const log = openSync(logFile, 'w')
  const began = performance.now()
  const child = spawn(process.execPath, [...nodeArguments, file('../dist/main.js')], {
    stdio: ['ignore', log, log],
    env: brokerEnvironment({
      publicBaseUrl: 'http://localhost:1',
      databaseUrl,
      callersFile,
      secrets,
      microsoft: {
        loginUrl: 'http://127.0.0.1:9',
        clientId: randomUUID(),
        clientSecret: randomBytes(24).toString('base64url'),
      },
      more: { DATABASE_POOL_SIZE: POOL, CALLER_REQUESTS_PER_MINUTE: '10000000', ...more },
    }),
  })
  closeSync(log)
  const port = (listener: string) =>
    Number(
      new RegExp(`"listener":"${listener}","url":"http://127.0.0.1:(\\d+)"`).exec(readFileSync(logFile, 'utf8'))?.[1] ??
        0,
    )
  for (;;) {
    if (child.exitCode !== null) throw new Error(`the broker did not start:\n${readFileSync(logFile, 'utf8')}`)
    const operations = port('operations')
    const ready =
      operations === 0 ? undefined : await fetch(`http://127.0.0.1:${operations}/readyz`).catch(() => undefined)
    await ready?.arrayBuffer()
    // Log lines are buffered and arrive a moment later.
    if (ready?.status === 200 && port('internal') !== 0) break
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  const readyAfterMs = performance.now() - began
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  return {
    child,
    pid: child.pid!,
    port: port('internal'),
    readyAfterMs,
    async stop() {
      child.kill('SIGTERM')
      await ended
    },
  }
}
