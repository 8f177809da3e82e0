import { execFile, spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import postgres from 'postgres'
import t from 'tap'
import { createDatabaseOn } from '../sandbox/database.ts'
import { temporaryFolder } from '../sandbox/temporary-folder.ts'
import { Failure } from '../src/core/failure.ts'
import { problemOf } from '../src/main.ts'
import { COMMANDS, runCommandLine } from '../src/cli/commands.ts'
import { responseSigningKey, sessionSecret } from '../src/config/secrets.ts'
import { CALLER_PERMISSIONS } from '../src/core/caller-permissions.ts'
import { parseSealingKeys } from '../src/crypto/keyring.ts'
import { parseCallers } from '../src/signature/callers.ts'
import { signingKey } from '../src/signature/keys.ts'
import { testDatabase } from './support/database.ts'

const CLI = fileURLToPath(new URL('../src/cli.ts', import.meta.url))
const packageJson = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string
  engines: { node: string }
}
const NOW = Date.parse('2026-11-22T10:00:00Z')

/** In this process. */
async function run(argv: string[], env: Record<string, string> = {}) {
  const [out, err]: [string[], string[]] = [[], []]
  const code = await runCommandLine(argv, {
    env,
    now: () => NOW,
    out: (line) => out.push(line),
    err: (line) => err.push(line),
  })
  return { code, out: out.join('\n'), err: err.join('\n') }
}

/** As an operator does. */
function spawn(argv: string[], options: { env?: Record<string, string>; cwd?: string } = {}) {
  return new Promise<{ code: number; out: string; err: string }>((resolve) => {
    execFile(process.execPath, [CLI, ...argv], { env: options.env ?? {}, cwd: options.cwd }, (error, out, err) => {
      resolve({ code: error === null ? 0 : Number(error.code), out, err })
    })
  })
}

t.test('without a command, and with help, it lists the commands', async (t) => {
  for (const argv of [[], ['help'], ['--help'], ['doctor', '--help']]) {
    const { code, out } = await run(argv)
    t.equal(code, 0)
    for (const { name, summary } of COMMANDS)
      t.ok(out.includes(`token-broker ${name}`) && out.includes(summary.replaceAll('`', '')), name)
  }
  t.strictSame(
    COMMANDS.map(({ name }) => name),
    [...new Set(COMMANDS.map(({ name }) => name))],
  )
})

t.test('an unknown command, option or argument is one line that does not repeat it, and status 2', async (t) => {
  const slips = [
    ['frobnicate-S3CRET'],
    ['doctor', '--S3CRET'],
    ['doctor', 'S3CRET'],
    ['migrate', '--S3CRET=1'],
    ['keygen'],
    ['keygen', 'S3CRET'],
    ['keygen', 'caller'],
    ['keygen', 'caller', 'Not A Name S3CRET'],
    ['keygen', 'caller', 'megdocs', '--days', '401'],
    ['keygen', 'caller', 'megdocs', '--days'],
    ['keygen', 'sealing', 'S3CRET'],
    ['keygen', 'caller', 'megdocs', 'S3CRET'],
    ['constructor'],
  ]
  for (const argv of slips) {
    const { code, out, err } = await run(argv)
    t.match({ code, out }, { code: 2, out: '' }, argv.join(' '))
    t.equal(err.split('\n').length, 1, err)
    t.notMatch(err, 'S3CRET')
  }
})

t.test(
  'every command that reads the configuration says what is wrong with it, with status 1 and no stack',
  async (t) => {
    for (const argv of [['serve'], ['migrate'], ['doctor'], ['keep-alive'], ['reseal']]) {
      const { code, out, err } = await run(argv, { SESSION_SECRETS: 'hunter2' })
      t.equal(code, 1, argv.join(' '))
      t.match(out + err, /The configuration cannot be used/)
      t.notMatch(out + err, /^\s+at /m)
      t.notMatch(out + err, 'hunter2')
    }
  },
)

t.test('a command ends with one line if the database cannot be reached', async (t) => {
  const folder = temporaryFolder('token-broker-cli')
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const { out: halves } = await run(['keygen', 'caller', 'megdocs'])
  writeFileSync(
    join(folder, 'callers.json'),
    JSON.stringify({ callers: [{ name: 'megdocs', permissions: ['tokens:read'], keys: [firstJson(halves)] }] }),
  )
  const { code, err } = await spawn(['keep-alive'], {
    env: {
      PUBLIC_BASE_URL: 'http://localhost:8080',
      ENTRY_URL_CONNECT: 'http://localhost:8080/c',
      ENTRY_URL_MANAGE: 'http://localhost:8080/m',
      COMPLETION_URL: 'http://localhost:8080/d',
      MICROSOFT_CLIENT_ID: '11111111-2222-3333-4444-555555555555',
      MICROSOFT_CLIENT_SECRET: 'kYz8Q~abcdefghijklmnopqrstuvwx.yz_0123-4',
      DATABASE_URL: 'postgres://broker:hunter2@127.0.0.1:1/none',
      SEALING_KEYS: (await run(['keygen', 'sealing'])).out,
      SESSION_SECRETS: (await run(['keygen', 'session'])).out,
      CALLERS_FILE: join(folder, 'callers.json'),
      INTERNAL_AUTHORITIES: 'broker',
      INTERNAL_PLAIN_HTTP: 'yes',
      PUBLIC_LISTEN: '127.0.0.1:0',
      INTERNAL_LISTEN: '127.0.0.1:0',
      OPERATIONS_LISTEN: '127.0.0.1:0',
    },
  })
  t.equal(code, 1)
  t.match(
    err,
    /^database_unavailable: ECONNREFUSED: Postgres cannot be reached.*Run "token-broker doctor" to find out what to do\n$/,
  )
})

t.test('migrate needs the DATABASE_ variables only, reports what it applied, and may be repeated', async (t) => {
  const url = await testDatabase(t)
  const sql = postgres(url, { max: 1, onnotice: () => {} })
  await createDatabaseOn(url, `fresh_${process.pid}`)
  t.teardown(async () => {
    await sql.unsafe(`drop database fresh_${process.pid} with (force)`)
    await sql.end()
  })
  const fresh = Object.assign(new URL(url), { pathname: `/fresh_${process.pid}` }).href
  const first = await run(['migrate'], { DATABASE_MIGRATION_URL: fresh })
  t.match(first, { code: 0, err: '', out: /^applied 0000_spine\n[^]*\d+ applied\.$/ })
  t.match(await run(['migrate'], { DATABASE_URL: fresh }), { code: 0, out: /nothing was applied/ })
  t.match(await run(['migrate'], { DATABASE_URL: 'postgres://broker:hunter2@127.0.0.1:1/none' }), {
    code: 1,
    out: '',
    err: /^database_unavailable: migrate ECONNREFUSED: .*Check DATABASE_MIGRATION_URL, .*$/,
  })
  t.match(await run(['migrate'], {}), { code: 1, err: /DATABASE_URL: is not set/ })
})

const firstJson = (text: string): Record<string, string> =>
  JSON.parse(text.slice(text.indexOf('{'), text.indexOf('}') + 1)) as Record<string, string>
const lastJson = (text: string): Record<string, string> =>
  JSON.parse(text.slice(text.lastIndexOf('{'))) as Record<string, string>

t.test('keygen caller prints two halves that match the callers file and each other, and then what to do', async (t) => {
  for (const flags of [[], ['--ed25519'], ['--days', '30']]) {
    const { code, out, err } = await run(['keygen', 'caller', 'megdocs', ...flags])
    const [broker, caller] = [firstJson(out), lastJson(out)]
    t.equal(code, 0)
    const { byKeyId } = parseCallers(
      JSON.stringify({ callers: [{ name: 'megdocs', permissions: ['tokens:read'], keys: [broker] }] }),
      NOW,
    )
    t.match(broker['key_id'], /^megdocs-2026-11-22-[0-9a-f]{6}$/)
    const { key } = byKeyId.get(broker['key_id']!)!
    t.equal((key.notAfter - NOW) / 86_400_000, flags.includes('30') ? 30 : 180)
    const own = signingKey(caller['key_id']!, key.algorithm, (caller['secret'] ?? caller['private_key'])!)
    t.equal(own.keyId, key.keyId)
    t.equal('secret' in broker, key.algorithm === 'hmac-sha256')
    t.match(err, /What to do[^]*CALLERS_FILE/)
    t.notOk(err.includes((caller['secret'] ?? caller['private_key'])!))
  }
})

t.test('the other keys are valid configuration, alone on stdout; what to do goes to stderr', async (t) => {
  const sealing = await run(['keygen', 'sealing'])
  t.match(parseSealingKeys(sealing.out)[0].id, /^k2026-11-22-[0-9a-f]{6}$/)
  const session = await run(['keygen', 'session'])
  t.equal(sessionSecret(session.out), session.out)
  const response = await run(['keygen', 'response'])
  t.match(responseSigningKey(response.out).keyId, /^broker-2026-11-22-[0-9a-f]{6}$/)
  for (const { out, err } of [sealing, session, response]) {
    t.match(err, 'What to do')
    t.equal(out.split('\n').length, 1)
    t.notOk(err.includes(out.split(':').at(-1)!))
  }
  t.not((await run(['keygen', 'session'])).out, session.out)
})

t.test('keys of one day have different ids, so a key that leaks on its first day can be replaced', async (t) => {
  const lists = await Promise.all(
    ['sealing', 'audit'].map(async (kind) => [await run(['keygen', kind]), await run(['keygen', kind])]),
  )
  for (const [first, second] of lists) t.equal(parseSealingKeys(`${second!.out}\n${first!.out}`).length, 2)
  const [old, fresh] = [await run(['keygen', 'caller', 'megdocs']), await run(['keygen', 'caller', 'megdocs'])]
  const keys = [firstJson(old.out), firstJson(fresh.out)]
  t.equal(
    parseCallers(JSON.stringify({ callers: [{ name: 'megdocs', permissions: ['tokens:read'], keys }] }), NOW).byKeyId
      .size,
    2,
  )
  t.not((await run(['keygen', 'response'])).out.split(':')[0], (await run(['keygen', 'response'])).out.split(':')[0])
})

t.test('--id gives the key its id, and one that no key can have is refused without repeating it', async (t) => {
  for (const kind of ['sealing', 'audit', 'response'])
    t.match((await run(['keygen', kind, '--id', 'after-the-leak'])).out, /^after-the-leak:[\w-]{43}$/)
  const { out } = await run(['keygen', 'caller', 'megdocs', '--id', 'megdocs/2'])
  t.same([firstJson(out)['key_id'], lastJson(out)['key_id']], ['megdocs/2', 'megdocs/2'])
  for (const argv of [
    ['sealing', '--id', 'S3CRET!'],
    ['audit', '--id', ''],
    ['response', '--id', 'a:S3CRET'],
    ['caller', 'megdocs', '--id', 'S3CRET '],
    ['session', '--id', 'S3CRET'],
  ]) {
    const refused = await run(['keygen', ...argv])
    t.match(refused, { code: 2, out: '' }, argv.join(' '))
    t.notMatch(refused.err, 'S3CRET')
  }
})

t.test('keygen caller --whole-file prints a callers file that can be used as it is', async (t) => {
  for (const flags of [[], ['--ed25519']]) {
    const { code, out, err } = await run(['keygen', 'caller', 'megdocs', '--whole-file', ...flags])
    t.equal(code, 0)
    const { list, byKeyId } = parseCallers(out, NOW)
    t.same(
      [...list[0]!.permissions].toSorted(),
      CALLER_PERMISSIONS.filter((name) => !/import|freezes/.test(name)).toSorted(),
    )
    const own = firstJson(err)
    const { key } = byKeyId.get(own['key_id']!)!
    t.equal(signingKey(key.keyId, key.algorithm, (own['secret'] ?? own['private_key'])!).keyId, key.keyId)
    t.notOk(out.includes(own['private_key'] ?? 'private_key'), 'the private half is not in the file')
  }
})

t.test('a result that cannot be written is a failure; a reader that stops early is none', async (t) => {
  const full = (path: string) =>
    spawnSync('/bin/sh', ['-c', `"$0" "$1" help > ${path}`, process.execPath, CLI], { encoding: 'utf8' })
  t.match(full('/dev/full'), { status: 1, stderr: 'The result could not be written to standard output: ENOSPC\n' })
  const early = spawnSync(
    '/bin/bash',
    ['-c', `set -o pipefail; "$0" "$1" openapi | head -n 1`, process.execPath, CLI],
    {
      encoding: 'utf8',
    },
  )
  t.match(early, { status: 0, stderr: '' })
})

t.test(
  'openapi prints the document without any configuration; --check compares it with the committed file',
  async (t) => {
    const printed = await spawn(['openapi'])
    t.equal(printed.code, 0)
    t.match(JSON.parse(printed.out), { openapi: '3.1.0' })
    // From the root of the repository, where tests run.
    t.match(await run(['openapi', '--check']), { code: 0, out: '', err: '' })

    const folder = temporaryFolder('token-broker-cli')
    t.teardown(() => rmSync(folder, { recursive: true, force: true }))
    t.match(await spawn(['openapi', '--check'], { cwd: folder }), {
      code: 2,
      err: /cannot be read: run this command in the root/,
    })
    mkdirSync(join(folder, 'openapi'))
    writeFileSync(join(folder, 'openapi/openapi.json'), printed.out.replace('getToken', 'getTokens'))
    t.match(await spawn(['openapi', '--check'], { cwd: folder }), {
      code: 1,
      out: '',
      err: /^openapi\/openapi\.json differs from the routes.*\n$/,
    })
  },
)

t.test('doctor exits with 1 if a check fails, and --json is for scripts', async (t) => {
  const { code, out } = await run(['doctor', '--json'])
  t.equal(code, 1)
  t.match(JSON.parse(out), { checks: [{ name: 'configuration', result: 'failed', message: String, advice: String }] })
})

t.test(
  'with --json, every failure is JSON on standard output, also wrong arguments and a wrong configuration',
  async (t) => {
    const tenant = '00000000-0000-4000-8000-000000000000'
    const commands = COMMANDS.filter(({ options = {} }) => 'json' in options).map(({ name }) => name)
    const cases: Record<string, string[][]> = {
      doctor: [[], ['--fleet'], ['--user', '42'], ['--public'], ['--fleet', '--public'], ['--user', 'no user id']],
      disconnect: [['--tenant', tenant], []],
      freeze: [['--user', '42', '--reason', 'x'], []],
      unfreeze: [[], ['--apply']],
      audit: [['verify', '/no/such/file'], ['frobnicate'], []],
    }
    t.strictSame(commands.toSorted(), Object.keys(cases).sort(), 'every command that has the option')
    const away = { DATABASE_URL: 'postgres://broker:hunter2@127.0.0.1:1/none' }
    for (const [name, all] of Object.entries(cases)) {
      for (const argv of all) {
        for (const env of [{}, away, { SESSION_SECRETS: 'hunter2' }]) {
          const { code, out, err } = await run([name, ...argv, '--json'], env)
          t.not(code, 0)
          const printed = JSON.parse(out) as { version: string; error?: { code: string; message: string } }
          t.equal(printed.version, packageJson.version)
          if (printed.error !== undefined) t.match(printed.error, { code: String, message: String })
          t.notMatch(out + err, /hunter2|unexpected error/)
        }
      }
    }
  },
)

t.test('no failure is called unexpected: an error of the system or a defect is one line with its name', async (t) => {
  const defect = problemOf(new TypeError('hunter2'))
  t.match(defect, {
    code: 'internal_error',
    message: /^internal_error: TypeError at [\w.-]+:\d+:\d+$/,
    advice: /defect/,
  })
  t.match(problemOf(Object.assign(new Error('hunter2'), { code: 'EACCES' })), {
    message: /^internal_error: Error EACCES/,
  })
  for (const [detail, message, advice] of [
    ['25006', /can be read and not written/, /#the-database-cannot-be-written/],
    ['53100', /disk of Postgres is full/, /Free or add disk space/],
    ['42501', /lacks rights/, /database-role/],
    ['53300', /no free connection/, /DATABASE_POOL_SIZE/],
    ['55P03', /holds locks/, /#locks-and-long-transactions/],
    ['migrate 42501', /lacks rights/, /database-role/],
  ] as const)
    t.match(problemOf(new Failure('database_unavailable', { detail })), { message, advice }, detail)
})

t.test('version, --version and help print the version of package.json', async (t) => {
  for (const argv of [['version'], ['--version']])
    t.match(await run(argv), { code: 0, out: packageJson.version, err: '' })
  t.match((await run(['help'])).out, `The token broker ${packageJson.version}:`)
  t.match(await spawn(['--version']), { code: 0, out: `${packageJson.version}\n` })
})

t.test('on an older Node it says in one sentence which Node it needs, and exits with 1', async (t) => {
  const source = readFileSync(CLI, 'utf8')
  t.equal(`>=${/REQUIRED_NODE = (\d+)/.exec(source)?.[1]}`, packageJson.engines.node)
  t.notMatch(source, /^\s*import /m, 'a static import would fail before the check')
  const old = '--import=data:text/javascript,Object.defineProperty(process.versions,"node",{value:"20.20.2"})'
  const sentence =
    /^token-broker needs Node 24 or newer, and this is Node \d+\.\d+\.\d+: install it from https:\/\/nodejs\.org.*\n$/
  const faked = spawnSync(process.execPath, [old, CLI, 'help'], { encoding: 'utf8' })
  t.match(faked, { status: 1, stdout: '', stderr: sentence })

  // The compiled entry, as an old Node reads it. A machine may have none.
  const folder = temporaryFolder('token-broker-cli')
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const entry = join(folder, 'cli.mjs')
  writeFileSync(entry, stripTypeScriptTypes(source))
  const PATH = (process.env['PATH'] ?? '')
    .split(':')
    .filter((path) => !path.includes('node_modules'))
    .join(':')
  const other = spawnSync('node', [entry, 'help'], { encoding: 'utf8', env: { PATH } })
  const version = spawnSync('node', ['--version'], { encoding: 'utf8', env: { PATH } }).stdout ?? ''
  if (Number(/^v(\d+)/.exec(version)?.[1] ?? 99) >= 24) return t.comment(`no older Node here: ${version}`)
  t.match(other, { status: 1, stdout: '', stderr: sentence })
})
