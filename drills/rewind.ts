import { appendFileSync, chmodSync, existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import postgres from 'postgres'
import { databaseUser } from '../sandbox/database-user.ts'
import { type Database, startDatabase } from '../sandbox/database.ts'
import { createEventReader } from '../sandbox/megdocs/event-reader.ts'
import { openRelay } from '../sandbox/relay.ts'
import { temporaryFolder } from '../sandbox/temporary-folder.ts'
import { openCluster } from './cluster.ts'
import { deploy, type Deployment, type DeploymentOptions, type Drill, expect, pause } from './deployment.ts'
import { caughtUp, servedAfter } from './failover.ts'
import { expectRightAnswers, type Load, startLoad } from './load.ts'
import { ownRoles } from './roles.ts'
import {
  HEALTHY,
  installedPrograms,
  openRunbook,
  type Runbook,
  runProgram,
  settingsOf,
  STARTED,
  STOPPED,
} from './runbook.ts'
import { startPair, WAYS, type WayName } from './ways.ts'

// The database goes back to an earlier state while callers go on (docs/design.md#events). Where docs/runbooks.md says
// how, its commands are followed word for word.

const DISCONNECTS = 20
/** Of these users, so many connect again after the rewind, before anybody repeats a disconnect. */
const CONNECTED_LATER = 5

/** A deployment whose database goes back to its state at `save`. */
interface Rewinding {
  database: Database
  options: Pick<DeploymentOptions, 'migrate' | 'via'>
  /** The entry of docs/runbooks.md that is followed. */
  entry?: string
  nodeFlags?: readonly string[]
  /** Callers read all the time, and replicas serve again within the limit. */
  underLoad?: boolean
  ownerUrl?: (databaseUrl: string) => string
  /** Where the database is after `rewind`. */
  urlNow(databaseUrl: string): string
  save(deployment: Deployment, runbook: Runbook): Promise<void>
  rewind(deployment: Deployment, runbook: Runbook): Promise<void>
  /** When all is well. */
  finish?(deployment: Deployment, runbook: Runbook): Promise<void>
  close(): Promise<void>
}

/** A streaming standby stops to receive; then the primary is lost, and the standby is promoted. */
const promotion = (wayName: WayName) => async (): Promise<Rewinding> => {
  const pair = await startPair(wayName)
  return {
    database: pair.primary,
    options: { via: pair.via },
    entry: 'Postgres failover',
    nodeFlags: pair.nodeFlags,
    underLoad: true,
    urlNow: pair.there,
    async save({ sql }) {
      const there = postgres(pair.standby.url, { max: 1 })
      try {
        await caughtUp(sql, there)
        // What is written from now on never reaches the standby.
        await there`alter system set primary_conninfo = ''`
        await there`select pg_reload_conf()`
        while ((await there`select from pg_stat_wal_receiver`).length > 0) await pause(20)
      } finally {
        await there.end()
      }
    },
    async rewind(_deployment, runbook) {
      const variables = { OLD_PGDATA: join(pair.primary.folder, 'data'), STANDBY_URL: pair.standby.url }
      await runbook.step(variables, /server stopped/, /last_transaction/, /pg_promote/)
      pair.lead()
    },
    finish: (_deployment, runbook) => runbook.step({}, HEALTHY),
    close: pair.close,
  }
}

/** The data folder is copied while the server is stopped, and the copy replaces it later. */
async function copiedFolder(): Promise<Rewinding> {
  const first = await startDatabase()
  let copy: Database | undefined
  let port = first.port
  const relay = await openRelay({ to: () => port })
  return {
    database: first,
    options: { via: (url) => Object.assign(new URL(url), { port: String(relay.port) }).href },
    urlNow: (url) => Object.assign(new URL(url), { port: String(port) }).href,
    async save() {
      await first.stop()
      copy = await startDatabase({ from: first })
      await copy.stop()
      await first.start()
    },
    async rewind() {
      await first.stop()
      await copy!.start()
      port = copy!.port
      relay.dropIdle()
    },
    close: async () => void (await Promise.all([relay.close(), copy?.close()])),
  }
}

/** pg_dump, and pg_restore into a new database of the same name. */
async function dump(): Promise<Rewinding> {
  const { options, ownerUrl } = ownRoles()
  const server = await startDatabase({ programs: installedPrograms() })
  const addresses = ({ databaseUrl }: Deployment, { folder }: Runbook) => ({
    OWNER_URL: ownerUrl(databaseUrl),
    ADMIN_URL: server.url,
    DUMP: join(folder, 'token_broker.dump'),
  })
  return {
    database: server,
    options,
    ownerUrl,
    entry: 'Restore a dump',
    urlNow: (url) => url,
    save: (deployment, runbook) => runbook.step(addresses(deployment, runbook)),
    async rewind(deployment, runbook) {
      await runbook.step({}, STOPPED)
      await endOwnSessions(server)
      await runbook.step(addresses(deployment, runbook), /ALTER DATABASE/, /CREATE DATABASE/)
      await runbook.step({}, ...STARTED)
    },
    finish: async (deployment, runbook) => {
      await endOwnSessions(server)
      await runbook.step(addresses(deployment, runbook), /DROP DATABASE/)
    },
    close: async () => {},
  }
}

/** The drill's own connections would be in the way. Those of replicas stay: a runbook has to stop them. */
async function endOwnSessions(server: Database): Promise<void> {
  const admin = postgres(server.url, { max: 1 })
  await admin`select pg_terminate_backend(pid) from pg_stat_activity
    where datname = 'token_broker' and application_name <> 'token-broker'`
  await admin.end()
}

/** A base backup and archived WAL, up to the moment before the loss. */
async function pointInTime(): Promise<Rewinding> {
  const { options, ownerUrl } = ownRoles()
  const programs = installedPrograms()
  const entry = 'Point-in-time restore'
  const archive = temporaryFolder('token-broker-wal', databaseUser())
  const server = await startDatabase({ programs, settings: settingsOf(entry, { '/backup/wal': archive }) })
  const data = join(server.folder, 'data')
  // The runbook starts the server without the drill's command line.
  appendFileSync(
    join(data, 'postgresql.conf'),
    `port = ${server.port}\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = ''\nfsync = off\n` +
      'max_connections = 200\n',
  )
  let recoveryTime = ''
  const variables = ({ databaseUrl }: Deployment, { folder }: Runbook) => ({
    OWNER_URL: ownerUrl(databaseUrl),
    ADMIN_URL: server.url,
    PGDATA: data,
    BASE_BACKUP: join(folder, 'base'),
    WAL_ARCHIVE: archive,
    RECOVERY_TIME: recoveryTime,
  })
  return {
    database: server,
    options,
    ownerUrl,
    entry,
    urlNow: (url) => url,
    async save(deployment, runbook) {
      await runbook.step(variables(deployment, runbook))
      const [row] = await deployment.sql`select clock_timestamp()::text as now`
      recoveryTime = String(row!['now'])
      // From now on nothing can be archived: the rest is only in the old data folder.
      chmodSync(archive, 0o555)
    },
    async rewind(deployment, runbook) {
      await runbook.step({}, STOPPED)
      try {
        await runbook.step(variables(deployment, runbook), /server stopped/)
        await runbook.step(variables(deployment, runbook), /server started/, /paused/, /last_event/)
        await runbook.step(variables(deployment, runbook), /pg_promote/, /ALTER SYSTEM\s+ALTER SYSTEM/)
      } catch (error) {
        const log = existsSync(`${data}.log`) ? readFileSync(`${data}.log`, 'utf8') : ''
        throw new Error(`${(error as Error).message}\n${log}`, { cause: error })
      }
      await runbook.step({}, ...STARTED)
    },
    async close() {
      // It does not end with the drill as others do.
      if (existsSync(join(data, 'postmaster.pid')))
        runProgram(programs, 'pg_ctl', '-D', data, '-m', 'immediate', 'stop')
      chmodSync(archive, 0o755)
      rmSync(archive, { recursive: true, force: true })
    },
  }
}

const drillOf = (name: string, prepare: () => Promise<Rewinding>): Drill => ({
  name: `the database goes back: ${name}`,
  run: async () => goBack(await prepare()),
})

export const rewindByPromotion = (way: WayName): Drill =>
  drillOf(`a standby is promoted without the last transactions, ${WAYS[way]}`, promotion(way))
export const rewindByCopy = drillOf('a copied data folder replaces the database', copiedFolder)
export const rewindByDump = drillOf('a dump is restored', dump)
export const rewindToPointInTime = drillOf('a point-in-time restore', pointInTime)

async function goBack(way: Rewinding): Promise<string> {
  const deployment = await deploy({ database: way.database, ...way.options })
  const { databaseUrl } = deployment
  const cluster = openCluster(deployment, {
    ownerUrl: () => way.ownerUrl?.(databaseUrl) ?? databaseUrl,
    ...(way.nodeFlags && { nodeFlags: way.nodeFlags }),
  })
  const runbook = await openRunbook(way.entry === undefined ? [] : [way.entry], cluster.programs)
  let sql: postgres.Sql | undefined
  let load: Load | undefined
  try {
    await cluster.scale(2)
    const client = deployment.client(cluster.address)
    const users = await deployment.users('gone', DISCONNECTS)
    const stay = await deployment.users('stay', 3)
    const readers = await deployment.users('read', 20)
    // One has read everything, the other has read nothing since before the loss.
    const [current, behind] = [createEventReader(client), createEventReader(client)]
    await client.disconnect('nobody')
    await Promise.all([current.read(), behind.read()])

    if (way.underLoad) load = startLoad(4, readers, () => deployment.client(cluster.address))
    await way.save(deployment, runbook)
    await served(() => client.send('GET', '/events'))
    const [sent, read, unread] = [users.slice(0, 8), users.slice(8, 14), users.slice(14)]
    for (const user of sent) await current.disconnect(user)
    for (const user of unread) await behind.disconnect(user)
    // By somebody else: the reader learns of them from events.
    for (const user of read) await client.disconnect(user)
    const old: string[] = []
    for (let cursor = behind.cursor!, more = true; more;) {
      const { body } = await client.send('GET', `/events?after=${cursor}&limit=3`)
      const page = body as { cursor: string; more: boolean }
      old.push((cursor = page.cursor))
      more = page.more
    }
    await current.read()
    old.push(current.cursor!)

    await way.rewind(deployment, runbook)
    const rewoundAt = performance.now()
    // Not before: the database may be at another port now.
    const now = (sql = postgres(way.urlNow(databaseUrl), { max: 1, backoff: () => 0.1 }))
    const back = load && (await servedAfter(rewoundAt, deployment, cluster.brokers, readers, now))
    await served(() => client.send('GET', '/events'))
    const connected = async () =>
      new Set((await now`select user_id from oauth2_integration`).map((row) => String(row['user_id'])))
    const before = await connected()
    expect(
      users.every((user) => before.has(user)),
      'the database did not go back',
    )
    const later = [sent[0]!, sent[1]!, read[0]!, unread[0]!, unread[1]!].slice(0, CONNECTED_LATER)
    await now`update oauth2_integration set connected_at = clock_timestamp() where user_id in ${now(later)}`
    // Events that take the ids of the lost ones.
    for (let i = 0; i < 2 * DISCONNECTS; i++) await client.disconnect('nobody')

    const answers = await Promise.all(old.map((cursor) => client.send('GET', `/events?after=${cursor}`)))
    const accepted = answers.filter(({ status }) => status !== 410).length
    expect(accepted === 0, `${accepted} of ${old.length} old cursors were accepted`)
    const [one, two] = [await current.read(), await behind.read()]
    expect(one.expired && !two.expired, 'a cursor that was not lost was refused, or the other way round')
    const after = await connected()
    const still = users.filter((user) => after.has(user) && !later.includes(user))
    expect(still.length === 0, `${still.length} disconnects stay undone: ${still.join(', ')}`)
    const missing = [...later, ...stay, ...readers].filter((user) => !after.has(user))
    expect(missing.length === 0, `${missing.length} connections were deleted: ${missing.join(', ')}`)
    await load?.stop()
    if (load) expectRightAnswers(deployment, load)
    const [row] = await now`select count(*)::int as n from oauth2_integration where status <> 'active'`
    expect(row?.['n'] === 0, 'a user had to reconnect')
    await way.finish?.(deployment, runbook)
    runbook.end()
    return (
      `${old.length} of ${old.length} old cursors refused, ${one.repeated + two.repeated} disconnects repeated, ` +
      `0 of ${DISCONNECTS} undone, ${later.length} of ${later.length} later connections kept` +
      (load && back !== undefined
        ? `; ${load.answers.length} answers, each token of its user; all were refreshed again ${back} ms after the promotion`
        : '')
    )
  } finally {
    await load?.stop()
    await sql?.end({ timeout: 1 })
    await way.close()
    await runbook.close()
    await deployment.close()
  }
}

/** Waits until the brokers reach the database again. */
async function served(ask: () => Promise<{ status: number }>): Promise<void> {
  for (let tries = 0; tries < 150; tries++) {
    const answers = [await ask(), await ask(), await ask(), await ask()]
    if (answers.every(({ status }) => status === 200)) return
    await pause(100)
  }
  throw new Error('the brokers do not serve again')
}
