import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdirSync, realpathSync, rmdirSync, statSync, writeFileSync } from 'node:fs'
import { createConnection } from 'node:net'
import { join } from 'node:path'
import postgres from 'postgres'
import t from 'tap'
import { databaseUser, readablePostgres } from '../../sandbox/database-user.ts'
import { forgetDatabase, startDatabase } from '../../sandbox/database.ts'
import { temporaryFolder, temporaryRoot } from '../../sandbox/temporary-folder.ts'
import { testDatabase } from '../support/database.ts'
import { folderInCheckout } from '../support/folder.ts'

async function query(url: string, text: string): Promise<Record<string, unknown>[]> {
  const sql = postgres(url, { max: 1, onnotice: () => {} })
  try {
    return await sql.unsafe(text)
  } finally {
    await sql.end()
  }
}

t.test('a server requires its random password and listens on the loopback address only', async (t) => {
  const database = await startDatabase()
  t.teardown(() => database.close())
  t.same(await query(database.url, 'show listen_addresses'), [{ listen_addresses: '127.0.0.1' }])
  const wrong = Object.assign(new URL(database.url), { password: 'broker' }).href
  await t.rejects(query(wrong, 'select 1'), { code: '28P01' })
})

t.test('a database that is created from a template has the content of the template', async (t) => {
  const database = await startDatabase()
  t.teardown(() => database.close())
  await query(await database.createDatabase('template'), 'create table kept (id int)')
  t.same(await query(await database.createDatabase('copy', 'template'), 'select count(*)::int as n from kept'), [
    { n: 0 },
  ])
  t.equal(
    await database.createDatabase('copy'),
    Object.assign(new URL(database.url), { pathname: '/copy' }).href,
    'creating it again changes nothing',
  )
})

t.test('committed data is still there after a restart, a crash, and a new start in the same folder', async (t) => {
  const dir = join(folderInCheckout(t), 'database')
  const first = await startDatabase({ dir })
  await query(first.url, 'create table kept (id int)')
  await first.restart()
  await query(first.url, 'insert into kept values (1)')
  await first.restart('immediate')
  await query(first.url, 'insert into kept values (2)')
  await first.close()
  const second = await startDatabase({ dir })
  t.teardown(() => second.close().then(() => forgetDatabase(dir)))
  t.same(await query(second.url, 'select id from kept order by id'), [{ id: 1 }, { id: 2 }])
})

t.test('a second server on the same data says why it cannot start', async (t) => {
  const dir = join(folderInCheckout(t), 'database')
  const first = await startDatabase({ dir })
  t.teardown(() => first.close().then(() => forgetDatabase(dir)))
  await t.rejects(startDatabase({ dir }), { message: /postmaster\.pid.* already exists/ })
  t.throws(
    () => forgetDatabase(dir),
    { message: /a server is running/ },
    'the data of the running server is not deleted',
  )
})

t.test('a server whose parent is killed leaves nothing behind', async (t) => {
  const source = `import { startDatabase } from ${JSON.stringify(new URL('../../sandbox/database.ts', import.meta.url).href)}
    const database = await startDatabase()
    const { default: postgres } = await import(${JSON.stringify(import.meta.resolve('postgres'))})
    const [row] = await postgres(database.url)\`show data_directory\`
    console.log(JSON.stringify({ port: database.port, data: row.data_directory }))
    setInterval(() => {}, 1000)`
  const parent = spawn(process.execPath, ['--input-type=module', '--eval', source], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [line] = (await once(parent.stdout, 'data')) as [Buffer]
  const { port, data } = JSON.parse(String(line)) as { port: number; data: string }
  t.ok(await accepts(port), 'it was up')
  parent.kill('SIGKILL')
  await once(parent, 'exit')
  while ((await accepts(port)) || existsSync(data)) await new Promise((resolve) => setTimeout(resolve, 20))
  t.notOk(existsSync(join(data, '..')), 'its folder is deleted')
})

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(port, '127.0.0.1', () => resolve(socket.destroy() !== undefined))
    socket.once('error', () => resolve(false))
  })
}

t.test(
  'binaries in a folder that the database user cannot read are copied once; others are used in place',
  async (t) => {
    const folder = t.testdir({})
    const native = join(folder, 'closed', 'native')
    for (const name of ['bin', 'lib', 'share/postgresql']) mkdirSync(join(native, name), { recursive: true })
    writeFileSync(join(native, 'share', 'postgresql', 'postgres.bki'), 'x', { mode: 0o600 })
    chmodSync(join(folder, 'closed'), 0o700)
    const otherUser = { uid: 65534, gid: 65534 }
    const version = `test-${process.pid}-${process.hrtime.bigint()}`
    const copy = readablePostgres(native, version, otherUser)
    t.teardown(() => import('node:fs').then((fs) => fs.rmSync(copy, { recursive: true, force: true })))
    t.not(copy, native)
    t.ok(existsSync(join(copy, 'share', 'postgresql', 'postgres.bki')))
    t.equal(readablePostgres(native, version, otherUser), copy)
    t.equal(readablePostgres(native, version, undefined), native, 'without another user there is no copy')
  },
)

t.test('each test gets its own migrated database', async (t) => {
  const [one, two] = [await testDatabase(t), await testDatabase(t)]
  await query(one, 'create table mine (id int)')
  const tables = `select table_name from information_schema.tables where table_schema = 'public'`
  t.ok((await query(two, tables)).some((row) => row.table_name === 'oauth2_integration'))
  t.notOk((await query(two, tables)).some((row) => row.table_name === 'mine'))
})

t.test('temporary folders are created where they can be created and deleted, whatever TMPDIR says', (t) => {
  const user = databaseUser()
  const folder = realpathSync(
    t.testdir({
      closed: {},
      read: {},
      file: '',
      swappable: {},
      shut: { open: {} },
      link: t.fixture('symlink', 'shut/open'),
    }),
  )
  const { TMPDIR } = process.env
  t.teardown(() => (TMPDIR === undefined ? delete process.env.TMPDIR : (process.env.TMPDIR = TMPDIR)))
  function rootWith(name: string, mode: number): string {
    process.env.TMPDIR = join(folder, name)
    if (existsSync(process.env.TMPDIR)) chmodSync(process.env.TMPDIR, mode)
    return temporaryRoot(user)
  }
  // Root may write everywhere, but the user that runs PostgreSQL may not.
  const unusable = [
    rootWith('missing', 0),
    rootWith('closed', user ? 0o700 : 0o000),
    rootWith('read', user ? 0o755 : 0o555),
    rootWith('file', 0o1777),
    // Another user could replace a folder here before it is given to that user.
    ...(user ? [rootWith('swappable', 0o777)] : []),
  ]
  chmodSync(join(folder, 'shut', 'open'), 0o1777)
  chmodSync(join(folder, 'shut'), user ? 0o700 : 0o000)
  process.env.TMPDIR = join(folder, 'link')
  unusable.push(temporaryRoot(user))
  chmodSync(join(folder, 'shut'), 0o700)
  for (const root of unusable) t.notOk(root.startsWith(folder), root)
  process.env.TMPDIR = unusable[0]
  const made = temporaryFolder('token-broker-test', user)
  t.teardown(() => rmdirSync(made))
  const { mode, uid } = statSync(made)
  t.same({ mode: mode & 0o777, uid }, { mode: 0o700, uid: user?.uid ?? process.getuid?.() })
  t.end()
})
