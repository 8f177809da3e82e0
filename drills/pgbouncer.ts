import { execFileSync } from 'node:child_process'
import { chmodSync, chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { databaseUser } from '../sandbox/database-user.ts'
import { freePort } from '../sandbox/database.ts'
import { type Supervised, supervise } from '../sandbox/supervise.ts'
import { Failure } from '../src/core/failure.ts'
import { migrate } from '../src/db/migrate.ts'
import { deploy, type Drill, expect, pause, read, statuses } from './deployment.ts'
import { kills } from './kill.ts'
import { rounds } from './readers.ts'
import { restarts } from './restart.ts'
import { stops } from './stop.ts'

/** Debian keeps it where only root looks. */
const ENVIRONMENT = { PATH: '/usr/sbin:/usr/bin:/bin:/usr/local/bin' }

/** All of it again through PgBouncer in transaction mode, with fewer server connections than the brokers have. */
export const pgbouncer: Drill = {
  name: 'PgBouncer in transaction mode',
  async run() {
    const version = installedVersion()
    // Prepared statements of clients are carried from one server connection to another since 1.21 (design 4).
    const prepares = version.major > 1 || version.minor >= 21
    const env = { DATABASE_PREPARE: prepares ? 'on' : 'off', DATABASE_POOL_SIZE: '20' }
    const poolers: Supervised[] = []
    const through = async (url: string): Promise<string> => {
      const { pooler, url: pooled } = await startPooler(url)
      poolers.push(pooler)
      return pooled
    }
    try {
      const many = await concurrentQueries(env, through)
      const again = await rounds(3, 1_000, { env, through })
      const killed = await kills(5, { env, through })
      const stopped = await stops({ env, through })
      const restarted = await restarts({ env, through })
      return [`PgBouncer ${version.major}.${version.minor}, DATABASE_PREPARE=${env.DATABASE_PREPARE}`, many, again, killed, stopped, restarted].join('\n    ')
    } finally {
      for (const pooler of poolers) pooler.kill('SIGKILL')
    }
  },
}

/** 40 refreshes at once: reads, claims, saves and transactions on 5 server connections; and a migration that must not run here. */
async function concurrentQueries(env: Record<string, string>, through: (url: string) => Promise<string>): Promise<string> {
  const deployment = await deploy({ env, through })
  try {
    const refused = await migrate(deployment.env['DATABASE_URL']!).catch((error: unknown) => error)
    expect(refused instanceof Failure && /pooler/.test(refused.facts.detail ?? ''), 'migrate did not refuse the pooler')
    const broker = await deployment.start()
    const client = deployment.client(() => broker.internalUrl)
    const users = await deployment.users('pooled', 40)
    for (let round = 0; round < 5; round++) {
      await deployment.setRemaining(users, -1)
      const answers = await Promise.all(users.map((user) => read(client, user)))
      expect(answers.every(({ status }) => status === 200), statuses(answers))
    }
    expect(deployment.calls() === 200, `${deployment.calls()} calls for 200 refreshes`)
    return `5 × 40 refreshes at once on 5 server connections, all 200; migrate refuses the pooler`
  } finally {
    await deployment.close()
  }
}

function installedVersion(): { major: number; minor: number } {
  try {
    const [, major, minor] = /PgBouncer (\d+)\.(\d+)/.exec(execFileSync('pgbouncer', ['--version'], { encoding: 'utf8', env: ENVIRONMENT })) ?? []
    return { major: Number(major), minor: Number(minor) }
  } catch {
    throw new Error('pgbouncer is not installed: apt-get install pgbouncer')
  }
}

async function startPooler(databaseUrl: string): Promise<{ pooler: Supervised; url: string }> {
  const target = new URL(databaseUrl)
  const folder = mkdtempSync(join(tmpdir(), 'token-broker-pgbouncer-'))
  const port = await freePort()
  const files = {
    'users.txt': `"${target.username}" "${decodeURIComponent(target.password)}"\n`,
    'pgbouncer.ini': [
      '[databases]', `* = host=${target.hostname} port=${target.port}`,
      '[pgbouncer]', 'listen_addr = 127.0.0.1', `listen_port = ${port}`, 'unix_socket_dir =', 'pool_mode = transaction', 'default_pool_size = 5',
      'max_client_conn = 500', 'auth_type = scram-sha-256', `auth_file = ${join(folder, 'users.txt')}`, 'server_login_retry = 1', '',
    ].join('\n'),
  }
  // PgBouncer does not run as root.
  const user = databaseUser()
  for (const [name, text] of Object.entries(files)) {
    writeFileSync(join(folder, name), text, { mode: 0o600 })
    if (user) chownSync(join(folder, name), user.uid, user.gid)
  }
  if (user) chownSync(folder, user.uid, user.gid)
  chmodSync(folder, 0o700)
  const lines: string[] = []
  const pooler = await supervise(['pgbouncer', join(folder, 'pgbouncer.ini')], {
    env: ENVIRONMENT, cwd: folder, user, lastSignal: 'INT', temporaryFolder: folder, onError: (line) => lines.push(line),
  })
  void pooler.ended.then(() => rmSync(folder, { recursive: true, force: true }))
  while (!lines.some((line) => line.includes('process up'))) {
    if (pooler.isOver()) throw new Error(`pgbouncer did not start:\n${lines.slice(-5).join('\n')}`)
    await pause(10)
  }
  return { pooler, url: Object.assign(new URL(databaseUrl), { port: String(port) }).href }
}
