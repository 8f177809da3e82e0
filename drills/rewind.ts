import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import postgres from 'postgres'
import { type Database, startDatabase } from '../sandbox/database.ts'
import { createEventReader } from '../sandbox/megdocs/event-reader.ts'
import { openRelay } from '../sandbox/relay.ts'
import { deploy, type Deployment, type Drill, expect, pause } from './deployment.ts'

// The database goes back to an earlier state while brokers and callers go on (docs/design.md#events).

const DISCONNECTS = 20
/** Of these users, so many connect again after the rewind, before anybody repeats a disconnect. */
const CONNECTED_LATER = 5

/** Where the brokers' relay leads, and how it goes back to the state at `save`. */
interface Rewinding {
  database: Database
  port: number
  save(deployment: Deployment): Promise<void>
  rewind(deployment: Deployment): Promise<void>
  close(): Promise<void>
}

/** Starts a streaming standby, which stops to receive; then the primary is lost and the standby is promoted. */
async function promotion(): Promise<Rewinding> {
  const primary = await startDatabase({ settings: { wal_level: 'replica' } })
  let standby: Database | undefined
  const way: Rewinding = {
    database: primary,
    port: primary.port,
    async save({ databaseUrl }) {
      await primary.stop()
      standby = await startDatabase({ from: primary, standbyOf: primary.port })
      await primary.start()
      const [there, here] = [postgres(standby.url, { max: 1 }), postgres(databaseUrl, { max: 1, onnotice: () => {} })]
      try {
        await here`create table streamed (one int)`
        const [written] = await here`select pg_current_wal_lsn()::text as lsn`
        for (;;) {
          const [received] = await there`select pg_last_wal_replay_lsn() >= ${written!['lsn']}::pg_lsn as all`
          if (received?.['all'] === true) break
          await pause(50)
        }
        // What is written from now on never reaches the standby.
        await there`alter system set primary_conninfo = ''`
        await there`select pg_reload_conf()`
      } finally {
        await Promise.all([there.end(), here.end()])
      }
      // The setting of the command line wins over the file, so the standby starts without it.
      await standby.stop()
      standby = await startDatabase({ from: standby, standbyOf: 1 })
    },
    async rewind() {
      await primary.stop('immediate')
      const there = postgres(standby!.url, { max: 1 })
      await there`select pg_promote()`
      await there.end()
      way.port = standby!.port
    },
    close: async () => standby?.close(),
  }
  return way
}

/** The data folder is copied while the server is stopped, and the copy replaces it later. */
async function copiedFolder(): Promise<Rewinding> {
  const first = await startDatabase()
  let copy: Database | undefined
  const way: Rewinding = {
    database: first,
    port: first.port,
    async save() {
      await first.stop()
      copy = await startDatabase({ from: first })
      await copy.stop()
      await first.start()
    },
    async rewind() {
      await first.stop()
      await copy!.start()
      way.port = copy!.port
    },
    close: async () => copy?.close(),
  }
  return way
}

/** pg_dump, and pg_restore into a new database of the same name. */
async function dump(): Promise<Rewinding> {
  const programs = installedPrograms()
  const server = await startDatabase({ programs })
  const file = join(server.folder, 'broker.dump')
  const run = (program: string, ...args: string[]) =>
    execFileSync(join(programs, program), args, {
      env: { PATH: process.env['PATH'] ?? '', LC_ALL: 'C' },
      stdio: 'pipe',
    })
  return {
    database: server,
    port: server.port,
    async save({ databaseUrl }) {
      run('pg_dump', '--format=custom', `--file=${file}`, databaseUrl)
    },
    async rewind({ databaseUrl }) {
      const admin = postgres(server.url, { max: 1, onnotice: () => {} })
      await admin.unsafe('drop database token_broker with (force)')
      await admin.unsafe('create database token_broker template template0')
      await admin.end()
      run('pg_restore', '--exit-on-error', `--dbname=${databaseUrl}`, file)
    },
    close: async () => {},
  }
}

/** The newest PostgreSQL of this machine. The one of the npm package has no pg_dump. */
function installedPrograms(): string {
  const root = '/usr/lib/postgresql'
  const versions = existsSync(root) ? readdirSync(root).sort((a, b) => Number(b) - Number(a)) : []
  const found = versions.map((version) => join(root, version, 'bin')).find((bin) => existsSync(join(bin, 'pg_dump')))
  expect(found !== undefined, 'pg_dump and a server of its version are missing: apt-get install postgresql')
  return found
}

const drillOf = (name: string, prepare: () => Promise<Rewinding>): Drill => ({
  name: `the database goes back: ${name}`,
  run: async () => goBack(await prepare()),
})

export const rewindByPromotion = drillOf('a standby is promoted without the last transactions', promotion)
export const rewindByCopy = drillOf('a copied data folder replaces the database', copiedFolder)
export const rewindByDump = drillOf('a dump is restored', dump)

async function goBack(way: Rewinding): Promise<string> {
  const relay = await openRelay({ to: () => way.port })
  const deployment = await deploy({
    database: way.database,
    via: (url) => Object.assign(new URL(url), { port: String(relay.port) }).href,
  })
  const reconnected: postgres.Sql[] = []
  try {
    const brokers = await Promise.all([deployment.start(), deployment.start()])
    let turn = 0
    const client = deployment.client(() => brokers[turn++ % 2]!.internalUrl)
    const users = await deployment.users('gone', DISCONNECTS)
    const stay = await deployment.users('stay', 3)
    // One has read everything, the other has read nothing since before the loss.
    const [current, behind] = [createEventReader(client), createEventReader(client)]
    await client.disconnect('nobody')
    await Promise.all([current.read(), behind.read()])

    await way.save(deployment)
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

    await way.rewind(deployment)
    relay.dropIdle()
    await served(() => client.send('GET', '/events'))
    const sql = postgres(Object.assign(new URL(deployment.databaseUrl), { port: String(way.port) }).href, { max: 1 })
    reconnected.push(sql)
    const connected = async () =>
      new Set((await sql`select user_id from oauth2_integration`).map((row) => String(row['user_id'])))
    const before = await connected()
    expect(
      users.every((user) => before.has(user)),
      'the database did not go back',
    )
    const later = [sent[0]!, sent[1]!, read[0]!, unread[0]!, unread[1]!].slice(0, CONNECTED_LATER)
    await sql`update oauth2_integration set connected_at = clock_timestamp() where user_id in ${sql(later)}`
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
    const missing = [...later, ...stay].filter((user) => !after.has(user))
    expect(missing.length === 0, `${missing.length} connections were deleted: ${missing.join(', ')}`)
    return (
      `${old.length} of ${old.length} old cursors refused, ${one.repeated + two.repeated} disconnects repeated, ` +
      `0 of ${DISCONNECTS} undone, ${later.length} of ${later.length} later connections kept`
    )
  } finally {
    await Promise.all(reconnected.map((sql) => sql.end({ timeout: 1 })))
    await deployment.close()
    await relay.close()
    await way.close()
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
