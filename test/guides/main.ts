import { execFile, spawnSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { randomBytes } from 'node:crypto'
import { Agent, request } from 'undici'
import postgres from 'postgres'
import t from 'tap'
import { createBrowser } from '../../sandbox/browser.ts'
import { createDatabaseOn, freePort } from '../../sandbox/database.ts'
import { startEntra } from '../../sandbox/entra/main.ts'
import { supervise, type Supervised } from '../../sandbox/supervise.ts'
import { temporaryFolder } from '../../sandbox/temporary-folder.ts'
import { CALLBACK, handleIn, JANE, startWorld } from '../support/world.ts'
import { testDatabase } from '../support/database.ts'
import { RULES, rulesText } from './rules.ts'
import { until } from '../support/until.ts'

// npm run test:guides: docs/without-kubernetes.md and deploy/, with the real systemd-analyze, nginx, haproxy, openssl
// and promtool, and a built broker that runs as its own user. Addresses, ports and paths are replaced; nothing else is.

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const TOOLS = process.env['TOKEN_BROKER_TOOLS'] ?? join(homedir(), '.cache', 'token-broker-tools')
const PATH = `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`
const USER = 'token-broker'

/** One line that says what is missing and how to get it. Undefined if nothing is missing. */
function missingTools(): string | undefined {
  if (process.platform !== 'linux' || process.getuid?.() !== 0)
    return 'test:guides needs Linux and root: it runs the broker as a user of its own'
  const onPath = (tool: string) => PATH.split(delimiter).some((folder) => existsSync(join(folder, tool)))
  const missing = [
    ...['nginx', 'haproxy', 'systemd-analyze', 'openssl', 'setpriv', 'useradd', 'python3'].filter(
      (tool) => !onPath(tool),
    ),
    ...['promtool'].filter((tool) => !existsSync(join(TOOLS, tool))),
  ]
  return missing.length === 0
    ? undefined
    : `test:guides lacks ${missing.join(', ')}: run bash test/guides/install-tools`
}
const missing = missingTools()
if (missing !== undefined) throw new Error(missing)

const guide = readFileSync(join(ROOT, 'docs/without-kubernetes.md'), 'utf8')
const deployed = (path: string) => readFileSync(join(ROOT, 'deploy', path), 'utf8')
/** A block of the guide that is marked as tested. */
function block(name: string): string {
  const [, text] = new RegExp(`<!-- tested: ${name} -->\\n\`\`\`\\w+\\n([^]*?)\`\`\``).exec(guide) ?? []
  if (text === undefined) throw new Error(`the guide has no tested block "${name}"`)
  return text
}

// The machine of the guide, in a folder.
const machine = temporaryFolder('token-broker-guides')
chmodSync(machine, 0o755)
t.teardown(() => rmSync(machine, { recursive: true, force: true }))
const PORTS = { nginx: await freePort(), haproxy: await freePort() }
const REPLICAS = await Promise.all(
  [0, 1].map(async () => ({ public: await freePort(), internal: await freePort(), operations: await freePort() })),
)
const BASE = `https://localhost:${PORTS.nginx}`
const AUTHORITY = `localhost:${PORTS.haproxy}`

/** A text of the guide with the paths, names and addresses of this machine. */
function here(text: string): string {
  let changed = text
    .replaceAll('/usr/local/bin/node', process.execPath)
    .replaceAll('/opt/token-broker', `${machine}/opt/token-broker`)
    .replaceAll('/etc/token-broker', `${machine}/etc/token-broker`)
    .replaceAll('/etc/nginx/tls', `${machine}/etc/nginx/tls`)
    .replaceAll('/etc/megdocs', `${machine}/etc/megdocs`)
    .replaceAll('/root/', `${machine}/root/`)
    .replaceAll('token-broker.internal.example:8081', AUTHORITY)
    .replaceAll('token-broker.internal.example', 'localhost')
    .replaceAll('https://audits.megsupportools.com', BASE)
    .replaceAll('audits.megsupportools.com', 'localhost')
    .replaceAll('listen 443 ssl', `listen 127.0.0.1:${PORTS.nginx} ssl`)
    .replaceAll('bind 10.0.0.6:8081', `bind 127.0.0.1:${PORTS.haproxy}`)
    .replaceAll('10.0.0.5/32', '127.0.0.1/32')
    // MEGDocs does not run here: the browser stops before its pages.
    .replaceAll('10.0.0.21:8000', '127.0.0.1:9')
  for (const [i, ports] of REPLICAS.entries()) {
    const host = `10.0.0.1${i + 1}`
    changed = changed
      .replaceAll(new RegExp(`${host}:8081( )?`, 'g'), `127.0.0.1:${ports.internal}$1`)
      .replaceAll(`${host}:8080`, `127.0.0.1:${ports.public}`)
      .replaceAll(`${host}:9090`, `127.0.0.1:${ports.operations}`)
  }
  return changed
}

function bash(script: string, env: Record<string, string> = {}, cwd = machine): string {
  // tap adds itself to every child, also to those of another user.
  const clean = `unset NODE_OPTIONS; ${script}`
  const { status, stdout, stderr } = spawnSync('bash', ['--norc', '-euo', 'pipefail', '-c', clean], {
    cwd,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH, HOME: machine, ...env },
  })
  if (status !== 0) throw new Error(`${script}\nfailed (${status}):\n${stdout}\n${stderr}`)
  return stdout
}

const run = (command: string, ...args: string[]) => spawnSync(command, args, { encoding: 'utf8', env: { PATH } })

function createUser(): { uid: number; gid: number } {
  const id = (flag: string) => Number(run('id', flag, USER).stdout)
  if (run('id', USER).status !== 0) {
    const [command = ''] = /^useradd .*$/m.exec(guide) ?? []
    bash(command)
    t.teardown(() => run('userdel', USER))
  }
  return { uid: id('-u'), gid: id('-g') }
}

mkdirSync(join(machine, 'opt/token-broker'), { recursive: true })
// The build, as `npm run build` makes it. Packages are those of the checkout.
bash(
  `"${process.execPath}" node_modules/typescript/bin/tsc -p tsconfig.build.json --outDir "${machine}/opt/token-broker/dist"`,
  {},
  ROOT,
)
cpSync(join(ROOT, 'src/db/migrations'), join(machine, 'opt/token-broker/dist/db/migrations'), { recursive: true })
cpSync(join(ROOT, 'package.json'), join(machine, 'opt/token-broker/package.json'))
symlinkSync(join(ROOT, 'node_modules'), join(machine, 'opt/token-broker/node_modules'))

const user = createUser()
mkdirSync(join(machine, 'etc'))
mkdirSync(join(machine, 'etc/token-broker'), { mode: 0o750 })
chownSync(join(machine, 'etc/token-broker'), 0, user.gid)
for (const folder of ['etc/nginx/tls', 'etc/megdocs', 'root']) mkdirSync(join(machine, folder), { recursive: true })
const etc = (name: string) => join(machine, 'etc/token-broker', name)

const databaseUrl = await (async () => {
  const template = await testDatabase(t)
  const name = `guides_${randomBytes(6).toString('hex')}`
  await createDatabaseOn(template, name)
  return Object.assign(new URL(template), { pathname: `/${name}` }).href
})()
const entra = await startEntra({ redirectUris: [`${BASE}${CALLBACK}`] })
t.teardown(() => entra.close())

// ---- Files

await t.test('the systemd unit is valid and hardened', async (t) => {
  const folder = join(machine, 'units')
  mkdirSync(folder)
  const unit = join(folder, 'token-broker.service')
  writeFileSync(unit, deployed('systemd/token-broker.service').replace('/usr/local/bin/node', process.execPath))
  t.match(run('systemd-analyze', 'verify', '--man=no', unit), { status: 0, stdout: '', stderr: '' })
  writeFileSync(join(folder, 'broken.service'), '[Service]\nExecStart=/nowhere/node\nProtectSystm=strict\n')
  t.match(run('systemd-analyze', 'verify', '--man=no', join(folder, 'broken.service')), { stderr: /ProtectSystm/ })
  const security = run('systemd-analyze', 'security', '--offline=true', '--threshold=20', unit)
  t.equal(security.status, 0, `exposure of at most 2.0:\n${security.stdout.split('\n').slice(-3).join('\n')}`)
})

await t.test('the Prometheus job and its rules are valid, and the rules are those of the chart', async (t) => {
  t.equal(readFileSync(RULES, 'utf8'), rulesText(), 'run: node test/guides/rules.ts')
  const checked = run(join(TOOLS, 'promtool'), 'check', 'config', join(ROOT, 'deploy/prometheus/prometheus.yml'))
  t.match(checked, { status: 0, stdout: /\d+ rules found/ }, checked.stderr)
})

await t.test('the public paths of the guide are those of the broker, and the proxy sends it all of them', async (t) => {
  const world = await startWorld(t)
  // A tree: what stands deeper continues the path above it.
  const parts: string[] = []
  const routes = world.replica.browsers
    .printRoutes({ commonPrefix: false })
    .split('\n')
    .flatMap((line) => {
      const [, indent, part = '', methods = ''] = /^([│ ]*)[├└]── (\S+)(?: \(([A-Z, ]+)\))?/.exec(line) ?? []
      if (indent === undefined) return []
      parts.splice(indent.length / 4, Infinity, part)
      return methods === '' ? [] : methods.split(', ').map((method) => `${method} ${parts.join('')}`)
    })
  t.ok(routes.length >= 7, routes.join('\n'))
  const told = [...guide.matchAll(/^\| (`\/[^|]+) \| ([A-Z, ]+) \|$/gm)].flatMap(([, paths = '', methods = '']) =>
    [...paths.matchAll(/`([^`]+)`/g)].flatMap(([, path = '']) =>
      methods
        .split(', ')
        .map(
          (method) =>
            `${method} ${path.replace('<ticket>', ':ticket').replace('<id>', ':id').replace('<proof>', ':proof')}`,
        ),
    ),
  )
  t.strictSame(told.toSorted(), routes.toSorted())
  const [, pattern = '(?!)'] = /location ~ (\S+)/.exec(deployed('nginx/token-broker.conf')) ?? []
  for (const route of routes) t.match(route.split(' ')[1], new RegExp(pattern), route)
  for (const path of ['/', '/accounts/account/', '/auth/oauth2/microsoftx', '/accounts/account/microsoft2'])
    t.notMatch(path, new RegExp(pattern), `${path} is MEGDocs'`)
})

// ---- The whole of it

await t.test('the commands of the guide make keys, a callers file, certificates and a database', async (t) => {
  bash(here(block('keys')))
  t.match(JSON.parse(readFileSync(etc('callers.json'), 'utf8')), { callers: [{ name: 'megdocs', keys: [{}] }] })
  for (const [name, text] of Object.entries({ 'database-url': databaseUrl, 'client-secret': entra.clientSecret })) {
    writeFileSync(etc(name), text, { mode: 0o640 })
    chownSync(etc(name), 0, user.gid)
  }
  writeFileSync(join(machine, 'root/owner-database-url'), databaseUrl, { mode: 0o600 })
  t.match(bash(here(block('migrate'))), /applied 0000_spine[^]*is up to date/)

  mkdirSync(join(machine, 'authority'))
  t.match(bash(here(block('tls')), {}, join(machine, 'authority')), /tls\.crt: OK/)
  for (const file of ['tls.crt', 'tls.key']) {
    cpSync(join(machine, 'authority', file), etc(file))
    chmodSync(etc(file), 0o640)
    chownSync(etc(file), 0, user.gid)
  }
  cpSync(join(machine, 'authority/ca.crt'), join(machine, 'etc/megdocs/token-broker-ca.crt'))
  // nginx has a certificate of a public authority; here it is of the same one.
  cpSync(join(machine, 'authority/tls.crt'), join(machine, 'etc/nginx/tls/audits.crt'))
  cpSync(join(machine, 'authority/tls.key'), join(machine, 'etc/nginx/tls/audits.key'))

  const environment = here(deployed('systemd/environment'))
    .replace(/^MICROSOFT_CLIENT_ID=.*$/m, `MICROSOFT_CLIENT_ID=${entra.clientId}\nMICROSOFT_LOGIN_URL=${entra.url}`)
    .replace('NODE_ENV=production', 'NODE_ENV=production\nMICROSOFT_TENANT=common\nDRAIN_SECONDS=0')
  writeFileSync(etc('environment'), environment, { mode: 0o640 })
  chownSync(etc('environment'), 0, user.gid)
})

/** EnvironmentFile= of systemd: comments and assignments. */
const environmentFile = () =>
  Object.fromEntries(
    readFileSync(etc('environment'), 'utf8')
      .split('\n')
      .filter((line) => /^\w+=/.test(line))
      .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  ) as Record<string, string>

const logs: string[][] = [[], []]
async function startReplica(i: number) {
  const unit = here(deployed('systemd/token-broker.service'))
  const command = /^ExecStart=(.*)$/m.exec(unit)![1]!.split(' ')
  if (/^User=(.*)$/m.exec(unit)?.[1] !== USER) throw new Error('the unit has another user')
  const own = REPLICAS[i]!
  const env = environmentFile()
  const child = await supervise(['env', '-u', 'NODE_OPTIONS', ...command], {
    user,
    cwd: '/',
    lastSignal: 'TERM',
    env: {
      PATH: '/usr/bin:/bin',
      ...env,
      PUBLIC_LISTEN: `127.0.0.1:${own.public}`,
      INTERNAL_LISTEN: `127.0.0.1:${own.internal}`,
      OPERATIONS_LISTEN: `127.0.0.1:${own.operations}`,
    },
    onOutput: (line) => logs[i]!.push(line),
    onError: (line) => logs[i]!.push(line),
  })
  t.teardown(async () => {
    child.kill('SIGTERM')
    await child.ended
  })
  await until(async () => {
    if (child.isOver()) throw new Error(logs[i]!.join('\n'))
    return (await fetch(`http://127.0.0.1:${own.operations}/readyz`)).status === 200
  })
  return child
}

async function startProgram(command: string[], isUp: () => Promise<boolean>) {
  const lines: string[] = []
  const child = await supervise(command, {
    cwd: machine,
    lastSignal: 'TERM',
    env: { PATH },
    onOutput: (line) => lines.push(line),
    onError: (line) => lines.push(line),
  })
  t.teardown(async () => {
    child.kill('SIGTERM')
    await child.ended
  })
  await until(async () => {
    if (child.isOver()) throw new Error(`${command.join(' ')}\n${lines.join('\n')}`)
    return isUp()
  })
}

const failFast = async <T>(work: () => Promise<T>): Promise<T> => {
  const timeout = AbortSignal.timeout(30_000)
  return Promise.race([
    work(),
    new Promise<never>((_resolve, reject) => {
      timeout.addEventListener('abort', () => reject(new Error(logs.flat().slice(-20).join('\n'))))
    }),
  ])
}

const replicas: Supervised[] = []
let ca = ''
let trusting = new Agent()

await t.test('the command of the unit runs as its user, with the environment file', async (t) => {
  replicas.push(...(await failFast(() => Promise.all([startReplica(0), startReplica(1)]))))
  for (const { pid } of replicas)
    t.match(readFileSync(`/proc/${pid}/status`, 'utf8'), new RegExp(`^Uid:\\t${user.uid}\\t`, 'm'))
  ca = readFileSync(join(machine, 'authority/ca.crt'), 'utf8')
  trusting = new Agent({ connect: { ca }, maxHeaderSize: 65_536 })
})
t.teardown(() => trusting.close())

await t.test('nginx and haproxy take the configurations', async (t) => {
  writeFileSync(join(machine, 'token-broker.conf'), here(deployed('nginx/token-broker.conf')))
  // What Debian's nginx.conf has around conf.d/*.conf.
  writeFileSync(
    join(machine, 'nginx.conf'),
    `daemon off; pid ${machine}/nginx.pid; error_log stderr; user root;
     events {}
     http { access_log ${machine}/access.log; client_body_temp_path ${machine}/body; proxy_temp_path ${machine}/proxy;
       include ${machine}/token-broker.conf; }`,
  )
  const nginx = ['nginx', '-c', join(machine, 'nginx.conf')]
  const checked = run('nginx', '-t', ...nginx.slice(1))
  t.equal(checked.status, 0, checked.stderr)
  t.notMatch(checked.stderr, /\[(warn|error)\]/)
  await failFast(() =>
    startProgram(nginx, async () => (await request(BASE, { dispatcher: trusting })).statusCode === 502),
  )

  writeFileSync(
    join(machine, 'haproxy.cfg'),
    here(deployed('haproxy/haproxy.cfg')).replace(
      // One machine has one port 9090; here each replica has its own.
      /server (one|two) (\S+)/g,
      (line, name: string) => `${line} port ${REPLICAS[name === 'one' ? 0 : 1]!.operations}`,
    ),
  )
  const haproxyChecked = run('haproxy', '-c', '-f', join(machine, 'haproxy.cfg'))
  t.equal(haproxyChecked.status, 0, haproxyChecked.stderr)
  t.notMatch(haproxyChecked.stderr, /WARNING|ALERT/)
  await failFast(() =>
    startProgram(['haproxy', '-db', '-f', join(machine, 'haproxy.cfg')], async () => {
      const answer = await request(`https://${AUTHORITY}/openapi.json`, { dispatcher: trusting })
      await answer.body.dump()
      return answer.statusCode === 200
    }),
  )
})

interface Half {
  key_id: string
  secret: string
}
const half = (): Half => {
  const text = readFileSync(etc('caller-megdocs.txt'), 'utf8')
  return JSON.parse(text.slice(text.indexOf('{'), text.indexOf('}') + 1)) as Half
}

/** Without blocking: the simulated Microsoft runs in this process. */
const runAsync = (command: string, args: string[], env: Record<string, string>) =>
  new Promise<{ status: number; stdout: string; stderr: string }>((resolve) => {
    execFile(command, args, { encoding: 'utf8', env: { PATH, ...env } }, (error, stdout, stderr) =>
      resolve({ status: error === null ? 0 : 1, stdout, stderr }),
    )
  })

/** MEGDocs: the Python client, with the transport of the guide. */
async function python(script: string): Promise<string> {
  const folder = join(machine, 'megdocs')
  mkdirSync(join(folder, 'yourproject'), { recursive: true })
  writeFileSync(join(folder, 'yourproject/__init__.py'), '')
  writeFileSync(join(folder, 'yourproject/token_broker_transport.py'), here(block('django')))
  const { key_id, secret } = half()
  const before = `import json
from token_broker_client import Client, HmacKey
from yourproject.token_broker_transport import transport
client = Client("https://${AUTHORITY}", HmacKey("${key_id}", "${secret}"), transport=transport())
`
  const { status, stdout, stderr } = await runAsync('python3', ['-B', '-c', before + script], {
    PYTHONPATH: `${folder}:${join(ROOT, 'clients/python/src')}`,
  })
  if (status !== 0) throw new Error(stderr.trim().split('\n').at(-1))
  return stdout.trim()
}

await t.test('a user connects through nginx, and MEGDocs reads the token through haproxy', async (t) => {
  const { id, url } = JSON.parse(
    await python(`s = client.begin_connect("42")\nprint(json.dumps({"id": s.id, "url": s.url}))`),
  ) as { id: string; url: string }
  t.ok(url.startsWith(`${BASE}/auth/oauth2/microsoft/connect/`))
  const browser = createBrowser({
    ca,
    stopBefore: (to) => to.includes('/microsoft/connected') || to.startsWith(entra.url),
  })
  const toMicrosoft = await browser.open(url)
  const back = await browser.open(entra.control.signIn({ account: JANE, authorizeUrl: toMicrosoft.refresh! }))
  t.equal(back.status, 200)
  const next = await python(`print(client.complete_connect("${id}", "42", "${handleIn(back)}").next)`)
  t.match(await browser.open(next), { status: 200, html: /jane@contoso\.com/ })
  t.match(await python(`t = client.get_token("42", context="document:1")\nprint(t.generation)`), /^\d+$/)
  t.match(logs.flat().join('\n'), /"audit":"token_handed_out".*"user_id":"42"/)

  const logged = existsSync(join(machine, 'access.log')) ? readFileSync(join(machine, 'access.log'), 'utf8') : ''
  t.notMatch(logged, /\/auth\/oauth2\/microsoft/, 'no ticket and no code is in the access log')
})

await t.test('a client that does not trust the authority, and one under another name, are refused', async (t) => {
  await t.rejects(fetch(`https://${AUTHORITY}/openapi.json`))
  await t.rejects(request(`https://127.0.0.1:${PORTS.haproxy}/openapi.json`, { dispatcher: trusting }))
})

await t.test('doctor finds nothing to do, and browsers arrive as they must', async (t) => {
  const extra = { NODE_EXTRA_CA_CERTS: join(machine, 'authority/ca.crt') }
  chmodSync(join(machine, 'authority'), 0o755)
  chmodSync(join(machine, 'authority/ca.crt'), 0o644)
  const script = here(block('doctor'))
  const report = async (more: string) => {
    const command = `unset NODE_OPTIONS; ${script.trimEnd()} ${more} --json`
    const { status, stdout } = await runAsync('bash', ['-c', command], extra)
    const { checks } = JSON.parse(stdout) as { checks: { name: string; result: string; message: string }[] }
    return { status, bad: checks.filter(({ result }) => !['ok', 'skipped'].includes(result)) }
  }
  t.strictSame(await report(''), { status: 0, bad: [] })
  t.strictSame(await report('--public'), { status: 0, bad: [] })
})

await t.test('a replica that stops is taken out by haproxy and nginx; no request fails', async (t) => {
  replicas[0]!.kill('SIGTERM')
  t.equal(await replicas[0]!.ended, 0)
  for (let i = 0; i < 6; i++) t.match(await python('print(client.get_token("42", min_ttl=60).generation)'), /^\d+$/)
  const answers = await Promise.all(
    Array.from({ length: 10 }, () => request(`${BASE}/accounts/account/microsoft/`, { dispatcher: trusting })),
  )
  t.strictSame([...new Set(answers.map(({ statusCode }) => statusCode))].includes(502), false)
})

await t.test('the metrics are as promtool wants them', async (t) => {
  const text = await (await fetch(`http://127.0.0.1:${REPLICAS[1]!.operations}/metrics`)).text()
  const { stdout, stderr } = spawnSync(join(TOOLS, 'promtool'), ['check', 'metrics'], { input: text, encoding: 'utf8' })
  // prom-client's own; renaming them would break dashboards that others have made for it.
  t.strictSame(
    (stdout + stderr).split('\n').filter((line) => line !== '' && !/^nodejs_active_\w+_total /.test(line)),
    [],
  )
})

await t.test('the database holds what the guide says', async (t) => {
  const sql = postgres(databaseUrl, { max: 1, onnotice: () => {} })
  t.teardown(() => sql.end())
  t.match(await sql`select public_base_url from deployment`, [{ public_base_url: BASE }])
})
