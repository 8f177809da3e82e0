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

const file = (path: string): string => fileURLToPath(new URL(path, import.meta.url))
/** Length of Entra's tokens in characters. */
const TOKEN = { access: 2000, refresh: 1200 }
const POOL = '10'
/** Node's flags of the image. */
const NODE_FLAGS =
  /^ENTRYPOINT \["\/nodejs\/bin\/node", (.*)"\/app/m
    .exec(readFileSync(file('../Dockerfile'), 'utf8'))?.[1]
    ?.match(/--[\w=-]+/g) ?? []

export interface RunningBroker {
  pid: number
  port: number
  /** From starting the process until /readyz answers 200. */
  readyAfterMs: number
  stop(): Promise<void>
}

export interface BenchWorld {
  sql: postgres.Sql
  /** Adds integrations `u${from}` to `u${to - 1}`, each sealed for its own row. */
  fill(from: number, to: number): Promise<void>
  /** `more`: further variables. */
  startBroker(nodeArguments?: string[], more?: Record<string, string>): Promise<RunningBroker>
  startBare(): Promise<{ pid: number; port: number; stop(): void }>
  load(round: Omit<Round, 'authority' | 'key'> & { signed: boolean }): Promise<RoundResult>
  close(): Promise<void>
}

/** Compiles the broker, as in the image. */
function build(): void {
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
  const secrets = generateSecrets(Date.now())
  const generator = startGenerator()
  const children = new Set<ChildProcess>()
  return {
    sql,
    fill: (from, to) => fill(sql, secrets, from, to),
    async startBroker(nodeArguments = [], more = {}) {
      const broker = await startBroker(url, folder, secrets, nodeArguments, more)
      children.add(broker.child)
      return broker
    },
    async startBare() {
      const child = fork(file('./bare-route.ts'), {
        env: { ...process.env, NODE_ENV: 'production', DATABASE_URL: url, DATABASE_POOL_SIZE: POOL },
      })
      children.add(child)
      const { port } = await nextMessage<{ port: number }>(child)
      return { pid: child.pid!, port, stop: () => void child.kill() }
    },
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

async function fill(sql: postgres.Sql, { sealingKeys }: BrokerSecrets, from: number, to: number): Promise<void> {
  const vault = createVault(parseSealingKeys(sealingKeys))
  const BATCH = 1_000
  for (let first = from; first < to; first += BATCH) {
    const rows = Array.from({ length: Math.min(BATCH, to - first) }, (_, i) => {
      const [userId, id] = [`u${first + i}`, randomUUID()]
      const sealed = (column: 'access_token' | 'refresh_token', length: number) =>
        vault.seal(
          { table: 'oauth2_integration', column, provider: 'microsoft', userId, recordId: id },
          randomBytes(length).toString('base64url').slice(0, length),
        )
      return {
        id,
        userId,
        access: sealed('access_token', TOKEN.access),
        refresh: sealed('refresh_token', TOKEN.refresh),
      }
    })
    await sql`insert into oauth2_integration (id, user_id, status, generation, access_token, refresh_token,
        access_token_expires_at, scopes, tenant_id, object_id, username)
      select id, user_id, 'active', nextval('integration_generation'), decode(access, 'base64'),
        decode(refresh, 'base64'), now() + interval '1 day',
        '{Files.ReadWrite.All,User.Read}', gen_random_uuid(), gen_random_uuid(), 'jane@contoso.com'
      from unnest(${rows.map(({ id }) => id)}::uuid[], ${rows.map(({ userId }) => userId)}::text[],
        ${rows.map(({ access }) => access.toString('base64'))}::text[],
        ${rows.map(({ refresh }) => refresh.toString('base64'))}::text[]) as r (id, user_id, access, refresh)`
  }
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
  const child = spawn(process.execPath, [...NODE_FLAGS, ...nodeArguments, file('../dist/main.js')], {
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
