import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmodSync, lstatSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import t from 'tap'
import { createBrowser } from '../../sandbox/browser.ts'
import { BROKER_AUTHORITY, brokerEnvironment, generateSecrets } from '../../sandbox/broker.ts'
import { startDatabase } from '../../sandbox/database.ts'
import { startEntra } from '../../sandbox/entra/main.ts'
import { openFrontDoor } from '../../sandbox/front-door.ts'
import { createBrokerClient } from '../../sandbox/megdocs/broker-client.ts'
import { temporaryFolder } from '../../sandbox/temporary-folder.ts'
import { missingTools, mountImage, runImage, type Running } from './image.ts'

// npm run test:image: builds the image from the Dockerfile and tests it with real Postgres and the simulated Microsoft.

const missing = missingTools()
if (missing !== undefined) throw new Error(missing)

/** CPU time from start to ready, as a multiple of what the import of the largest packages takes: machines differ. */
const READY_WITHIN_IMPORTS = 3
const IMPORTS = `await Promise.all(['fastify', 'undici', 'drizzle-orm'].map((name) => import(name)))
  const { user, system } = process.cpuUsage()
  console.log((user + system) / 1000)`
const importsCpuMs = () =>
  Number(execFileSync(process.execPath, ['--input-type=module', '-e', IMPORTS], { encoding: 'utf8' }))
/** Size of our own layer. Finds development dependencies in the image. */
const OURS_MAX_BYTES = 30_000_000
const CALLBACK = '/auth/oauth2/microsoft/callback'

const began = performance.now()
const image = mountImage(`localhost/token-broker:test-${randomBytes(4).toString('hex')}`)
t.teardown(() => image.remove())
const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`
t.comment(
  `built in ${((performance.now() - began) / 1000).toFixed(0)} s: ${megabytes(image.size.all)}, ` +
    `our layer ${megabytes(image.size.ours)}, the rest is Node and its libraries`,
)

/** All paths in the image, from its root. */
function* walk(folder = image.root): Generator<{ path: string; mode: number; uid: number; isFile: boolean }> {
  for (const { name, parentPath } of readdirSync(folder, { withFileTypes: true })) {
    const full = join(parentPath, name)
    const stat = lstatSync(full)
    yield { path: `/${relative(image.root, full)}`, mode: stat.mode, uid: stat.uid, isFile: stat.isFile() }
    if (stat.isDirectory()) yield* walk(full)
  }
}

/**
 * CPU time of the process in milliseconds: fields 14 and 15 of its stat, which are hundredths of a second (proc(5)).
 */
function cpuTimeMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ')
  return (Number(fields[11]) + Number(fields[12])) * 10
}

t.test(
  'the image has a numeric user that is not root, an entry point, the ports of the listeners, and labels',
  async (t) => {
    const { config } = image
    t.match(config.User, /^[1-9]\d*:[1-9]\d*$/)
    t.strictSame(config.Entrypoint, [
      '/nodejs/bin/node',
      '--max-semi-space-size=8',
      '--heap-growing-percent=10',
      '--no-parallel-scavenge',
      '/app/dist/cli.js',
    ])
    t.strictSame(config.Cmd, ['serve'])
    t.strictSame(Object.keys(config.ExposedPorts).sort(), ['8080/tcp', '8081/tcp', '9090/tcp'])
    t.ok(config.Env.includes('NODE_ENV=production'))
    t.equal(config.Labels['org.opencontainers.image.title'], 'token-broker')
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }
    t.equal(config.Labels['org.opencontainers.image.version'], version)
  },
)

t.test(
  'the image contains production dependencies and compiled JavaScript, no shell, and no file that its user can change',
  async (t) => {
    const files = [...walk()]
    const paths = files.map(({ path }) => path)
    const lock = JSON.parse(readFileSync('package-lock.json', 'utf8')) as {
      packages: Record<string, { dev?: boolean; devOptional?: boolean; optional?: boolean }>
    }
    const wanted = Object.entries(lock.packages)
      .filter(([path, { dev, devOptional, optional }]) => path !== '' && !dev && !devOptional && !optional)
      .map(([path]) => `/app/${path}`)
    const packages = new Set(
      paths.filter((path) => /^\/app\/(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/@.][^/]*$/.test(path)),
    )
    t.strictSame([...packages].sort(), wanted.sort(), 'exactly the packages of the lock file')
    t.strictSame(
      [...new Set(paths.filter((path) => path.startsWith('/app/')).map((path) => path.split('/')[2]))].sort(),
      ['dist', 'node_modules', 'package.json'],
    )
    t.strictSame(
      paths.filter((path) => /^\/app\/dist\/.*(?<!\.js|\.sql|\.json)$/.test(path) && /\.\w+$/.test(path)),
      [],
      'only JavaScript and migrations',
    )
    t.ok(paths.includes('/app/dist/db/migrations/meta/_journal.json'))
    t.strictSame(
      paths.filter((path) => /\/bin\/(?:(?:ba|da|a|z|k)?sh|busybox|npm|apt|dpkg|tsc)$/.test(path)),
      [],
      'no shell, no package manager',
    )
    const [user] = image.config.User.split(':').map(Number)
    const ours = files.filter(({ path }) => /^\/(?:app|nodejs)\b/.test(path))
    const changeable = ours.filter(
      ({ mode, uid }) => (mode & 0o170000) !== 0o120000 && ((mode & 0o002) !== 0 || uid === user),
    )
    t.strictSame(
      changeable.map(({ path }) => path),
      [],
    )
    t.strictSame(
      files.filter(({ mode, isFile }) => isFile && (mode & 0o6000) !== 0).map(({ path }) => path),
      [],
      'nothing is setuid',
    )
    t.comment(`${packages.size} packages, ${files.filter(({ isFile }) => isFile).length} files`)
  },
)

t.test('the image migrates, runs doctor, serves and stops, with a read-only root filesystem', async (t) => {
  if (image.size.ours > OURS_MAX_BYTES) t.fail(`our layer has ${megabytes(image.size.ours)}, more than allowed`)
  const shown = temporaryFolder('token-broker-image')
  chmodSync(shown, 0o755)
  t.teardown(() => rmSync(shown, { recursive: true, force: true }))
  const secrets = generateSecrets(Date.now())
  writeFileSync(join(shown, 'callers.json'), secrets.callers, { mode: 0o644 })
  const database = await startDatabase()
  t.teardown(() => database.close())
  const databaseUrl = await database.createDatabase('token_broker')
  const urls = new Map<string, string>()
  const door = await openFrontDoor({ broker: () => urls.get('public') ?? '', megdocs: () => 'http://127.0.0.1:9' })
  t.teardown(() => door.close())
  const entra = await startEntra({ redirectUris: [`${door.url}${CALLBACK}`] })
  t.teardown(() => entra.close())
  const env = brokerEnvironment({
    publicBaseUrl: door.url,
    databaseUrl,
    callersFile: '/tmp/callers.json',
    secrets,
    microsoft: { loginUrl: entra.url, clientId: entra.clientId, clientSecret: entra.clientSecret },
  })
  const run = async (args: string[], environment: Record<string, string>) => {
    const running = await runImage(image, { args, env: environment, shown })
    return { code: await running.ended, text: running.lines.join('\n') }
  }

  const unmigrated = await run(['serve'], env)
  t.equal(unmigrated.code, 1)
  t.match(unmigrated.text, /run token-broker migrate/)
  const migrated = await run(['migrate'], { DATABASE_MIGRATION_URL: databaseUrl, DATABASE_URL: databaseUrl })
  t.match(migrated, { code: 0, text: /up to date: \d+ applied/ }, 'a migration needs only the database')
  t.match(await run(['migrate'], { DATABASE_URL: databaseUrl }), { code: 0, text: /nothing was applied/ })
  const bare = await run(['doctor'], {})
  t.match(bare, { code: 1, text: /MICROSOFT_CLIENT_ID/ }, 'without configuration it says what is missing')

  const started = performance.now()
  let ready = Infinity
  const running: Running = await runImage(image, {
    env,
    shown,
    onLine(line) {
      const { msg, listener, url } = JSON.parse(line) as { msg: string; listener: string; url: string }
      if (msg === 'listening') urls.set(listener, url)
      if (msg === 'ready') ready = performance.now() - started
    },
  })
  t.teardown(() => running.ended)
  t.teardown(() => {
    try {
      running.kill('SIGKILL')
    } catch {
      // It has ended.
    }
  })
  while (
    ready === Infinity &&
    (await Promise.race([
      running.ended.then(() => false),
      new Promise<boolean>((resolve) => setTimeout(resolve, 5, true)),
    ]))
  );
  const spent = cpuTimeMs(running.pid())
  const imports = importsCpuMs()
  t.ok(
    spent <= READY_WITHIN_IMPORTS * imports,
    `ready after ${ready.toFixed(0)} ms, ${spent} ms of CPU time; the imports alone: ${imports.toFixed(0)} ms`,
  )
  t.equal((await fetch(`${urls.get('operations')}/readyz`)).status, 200)

  const status = readFileSync(`/proc/${running.pid()}/status`, 'utf8')
  t.match(status, /^NSpid:\s+\d+\s+1$/m, 'Node is pid 1')
  t.match(status, /^Uid:\s+65532\s+65532/m)
  t.match(status, /^CapEff:\s+0+$/m)
  t.match(status, /^NoNewPrivs:\s+1$/m)
  const memory = (field: string): string =>
    megabytes(Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(status)?.[1]) * 1024)
  t.comment(
    `ready after ${ready.toFixed(0)} ms, ${spent} ms of CPU time; ` +
      `resident memory ${memory('VmRSS')}, of which anonymous ${memory('RssAnon')}`,
  )

  const docs = await fetch(`${urls.get('internal')}/docs/`)
  t.equal(docs.status, 200, 'the reference page')
  const [script] = /[^"]+swagger-ui-bundle\.js/.exec(await docs.text()) ?? []
  const bundle = await fetch(new URL(script ?? 'no-such-script', docs.url))
  t.match(
    [bundle.status, bundle.headers.get('content-type')],
    [200, /javascript/],
    'the Dockerfile keeps all files that the service loads',
  )
  t.ok((await bundle.text()).length > 500_000)

  const caller = createBrokerClient({
    address: () => urls.get('internal')!,
    authority: BROKER_AUTHORITY,
    key: secrets.megdocsKey,
  })
  const browser = createBrowser({
    stopBefore: (url) => url.startsWith(entra.url) || url.includes('/microsoft/connected'),
  })
  const { id, url } = await caller.beginConnect('42')
  const page = await browser.open(url)
  const back = await browser.open(entra.control.signIn({ account: 'jane@contoso.com', authorizeUrl: page.refresh! }))
  await caller.complete(id, '42', new URL(back.refresh!).searchParams.get('handle')!)
  t.match(await caller.token('42'), { user_id: '42', account: { username: 'jane@contoso.com' } })

  const doctor = await run(['doctor'], env)
  t.match(doctor.text, /\b0 failed/)
  t.equal(doctor.code, 0, 'doctor finds nothing wrong')
  running.kill('SIGTERM')
  t.equal(await running.ended, 0)
  t.match(running.lines.at(-1), /"msg":"stopped"/, 'SIGTERM drains it')
})
