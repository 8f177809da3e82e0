/**
 * A real PgBouncer in transaction mode in front of a PostgreSQL, for tests and drills. It has fewer server connections
 * than the brokers have client connections. The program is Debian's, or the one in the variable `PGBOUNCER`. It ends
 * with the process that started it.
 */
import { execFileSync } from 'node:child_process'
import { chownSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { databaseUser } from './database-user.ts'
import { freePort } from './database.ts'
import { supervise } from './supervise.ts'
import { temporaryFolder } from './temporary-folder.ts'

/** Debian installs it in /usr/sbin, which only root has in its PATH. */
const ENVIRONMENT = { PATH: '/usr/sbin:/usr/bin:/bin:/usr/local/bin' }
/** For each database. */
const SERVER_CONNECTIONS = 5

export interface Pooler {
  /** Variables for a broker: it serves through the pooler with 20 connections, and migrates directly. */
  env: Record<string, string>
  close(): Promise<void>
}

/** Throws if there is no PgBouncer, or if it does not start. */
export async function startPooler(databaseUrl: string): Promise<Pooler> {
  const { program, prepares } = findPooler()
  const target = new URL(databaseUrl)
  const port = await freePort()
  // PgBouncer does not run as root.
  const user = databaseUser()
  const folder = temporaryFolder('token-broker-pgbouncer', user)
  const files = {
    'users.txt': `"${target.username}" "${decodeURIComponent(target.password)}"\n`,
    'pgbouncer.ini': [
      '[databases]',
      `* = host=${target.hostname} port=${target.port}`,
      '[pgbouncer]',
      'listen_addr = 127.0.0.1',
      `listen_port = ${port}`,
      'unix_socket_dir =',
      'pool_mode = transaction',
      `default_pool_size = ${SERVER_CONNECTIONS}`,
      'max_client_conn = 500',
      'auth_type = scram-sha-256',
      `auth_file = ${join(folder, 'users.txt')}`,
      'server_login_retry = 1',
      ...(prepares ? ['max_prepared_statements = 200'] : []),
      '',
    ].join('\n'),
  }
  for (const [name, text] of Object.entries(files)) {
    writeFileSync(join(folder, name), text, { mode: 0o600 })
    if (user) chownSync(join(folder, name), user.uid, user.gid)
  }

  const lines: string[] = []
  const child = await supervise([program, join(folder, 'pgbouncer.ini')], {
    env: ENVIRONMENT,
    cwd: folder,
    user,
    lastSignal: 'INT',
    temporaryFolder: folder,
    onError: (line) => lines.push(line),
  })
  while (!lines.some((line) => line.includes('process up'))) {
    if (child.isOver()) throw new Error(`pgbouncer did not start:\n${lines.slice(-5).join('\n')}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  return {
    env: {
      DATABASE_URL: Object.assign(new URL(databaseUrl), { port: String(port) }).href,
      DATABASE_MIGRATION_URL: databaseUrl,
      DATABASE_PREPARE: prepares ? 'on' : 'off',
      DATABASE_POOL_SIZE: '20',
    },
    async close() {
      child.kill('SIGKILL')
      await child.ended
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/**
 * The installed PgBouncer. `prepares`: it supports prepared statements in transaction mode (from 1.21;
 * docs/design.md#database).
 */
export function findPooler(): { program: string; version: string; prepares: boolean } {
  const program = process.env.PGBOUNCER || 'pgbouncer'
  let printed: string
  try {
    printed = execFileSync(program, ['--version'], { encoding: 'utf8', env: ENVIRONMENT })
  } catch {
    throw new Error(`${program} cannot be run: apt-get install pgbouncer, or set PGBOUNCER to another program`)
  }
  const [, version = 'unknown', major, minor] = /PgBouncer ((\d+)\.(\d+)\S*)/.exec(printed) ?? []
  return { program, version, prepares: Number(major) > 1 || Number(minor) >= 21 }
}
