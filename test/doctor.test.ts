import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import postgres from 'postgres'
import t from 'tap'
import { startBroker } from '../sandbox/broker.ts'
import { selfSignedCertificate, toPem } from '../sandbox/entra/certificate.ts'
import { temporaryFolder } from '../sandbox/temporary-folder.ts'
import { generateSealingKey } from '../src/crypto/keyring.ts'
import { examine, report, type Check } from '../src/doctor.ts'
import { systemClock, type Overrides } from '../src/services.ts'
import { generateKey } from '../src/signature/keygen.ts'
import { testDatabase } from './support/database.ts'
import { startWorld, type World } from './support/world.ts'

// One world for all: doctor changes nothing, and a test asserts that.

const DAY = 86_400_000
const world = await startWorld(t)
await world.connect('42')
const folder = temporaryFolder('token-broker-doctor')
t.teardown(() => rmSync(folder, { recursive: true, force: true }))

async function look(changes: Record<string, string | undefined> = {}, surroundings: Overrides = {}) {
  const env = Object.fromEntries(
    Object.entries({ ...world.env, ...changes }).filter(([, value]) => value !== undefined),
  )
  const checks = await examine(env, surroundings)
  const named = Object.fromEntries(checks.map((check) => [check.name, check])) as Record<string, Check>
  return { checks, named, bad: checks.filter(({ result }) => result === 'failed').map(({ name }) => name) }
}
const onDatabase = (name: string) => ({
  DATABASE_URL: Object.assign(new URL(world.env['DATABASE_URL']!), { pathname: `/${name}` }).href,
})
const secretsOf = ({ env }: World) =>
  [
    env['MICROSOFT_CLIENT_SECRET']!,
    env['SEALING_KEYS']!.split(':')[1]!,
    env['SESSION_SECRETS']!,
    world.secrets.megdocsKey.secret!,
    new URL(env['DATABASE_URL']!).password,
  ].filter((secret) => secret !== '')

t.test('a good deployment passes every check; the choices that are not for production are warnings', async (t) => {
  const before = await dump()
  const { checks, named, bad } = await look()
  t.strictSame(bad, [])
  t.strictSame(
    checks.filter(({ result }) => result === 'warning').map(({ name }) => name),
    ['internal_listener', 'proxies'],
  )
  t.strictSame(
    checks.filter(({ result }) => result === 'skipped'),
    [],
  )
  t.match(named['database']!.saw, /^PostgreSQL \d+/)
  t.match(named['deployment']!.saw, world.baseUrl)
  t.match(named['sealing_keys']!.saw, 'stored tokens open')
  t.match(named['redirect_uri'], { saw: `${world.baseUrl}/auth/oauth2/microsoft/callback`, todo: /Azure portal/ })
  t.match(named['client_credential']!.saw, 'accepted')
  t.match(report(checks), /0 failed, 0 skipped\.$/)
  t.strictSame(await dump(), before, 'nothing was written')
})

async function dump() {
  const rows = await world.sql`select xmin::text, generation::text, access_token from oauth2_integration`
  return [
    ...rows,
    ...(await world.sql`select key_id from sealing_key`),
    ...(await world.sql`select xmin::text from deployment`),
  ]
}

t.test('every failing check says what to do, no check shows a secret', async (t) => {
  const seen = [
    await look({ MICROSOFT_CLIENT_SECRET: 'wrong8Q~wrong.not_a_real_secret.0000000' }),
    await look({ SEALING_KEYS: generateSealingKey('other') }),
    await look({ DATABASE_URL: 'postgres://broker:hunter2hunter2@127.0.0.1:1/none' }),
    await look({ SESSION_SECRETS: 'short' }),
    await look(),
  ]
  for (const { checks } of seen) {
    for (const { name, result, todo } of checks) if (result === 'failed' || result === 'warning') t.ok(todo, name)
    const text = report(checks) + JSON.stringify(checks)
    for (const secret of [...secretsOf(world), 'wrong8Q~wrong', 'hunter2hunter2']) t.notOk(text.includes(secret))
  }
})

t.test('a configuration that cannot be used is told whole, and everything else waits', async (t) => {
  const { checks, named, bad } = await look({ MICROSOFT_CLIENT_ID: 'x', DATABASE_URL: undefined })
  t.strictSame(bad, ['configuration'])
  t.match(named['configuration']!.saw, /MICROSOFT_CLIENT_ID[^]*DATABASE_URL|DATABASE_URL[^]*MICROSOFT_CLIENT_ID/)
  t.equal(checks.filter(({ result }) => result === 'skipped').length, checks.length - 1)
})

t.test('a misspelt variable is a warning', async (t) => {
  const { named } = await look({ DATABASE_POOLSIZE: '3' })
  t.match(named['configuration'], { result: 'warning', saw: /DATABASE_POOLSIZE.*DATABASE_POOL_SIZE/ })
})

t.test('a client secret that is wrong, expired or being replaced is named with its AADSTS number', async (t) => {
  const { control, clientSecret } = world.entra
  const wrong = 'wrong8Q~wrong.not_a_real_secret.0000000'
  t.match((await look({ MICROSOFT_CLIENT_SECRET: wrong })).named['client_credential'], {
    result: 'failed',
    saw: /AADSTS7000215/,
    todo: /"Value", not "Secret ID"/,
  })

  control.configureApp({ clientSecrets: [{ value: clientSecret, expiresAt: 1 }] })
  t.match((await look()).named['client_credential'], { result: 'failed', saw: /AADSTS7000222/, todo: /expired/ })
  control.configureApp({ clientSecrets: [clientSecret] })

  const { named, bad } = await look({ MICROSOFT_CLIENT_SECRET: `${wrong},${clientSecret}` })
  t.match(named['client_credential'], { result: 'warning', saw: /1 of 2 is not accepted[^]*2 of 2 is accepted/ })
  t.strictSame(bad, [])
})

t.test('Microsoft without an answer that tells is not called a wrong credential', async (t) => {
  world.entra.control.misbehave('status', 503, { times: 1 })
  const { named } = await look()
  t.match(named['client_credential'], { result: 'failed', saw: /no answer that tells/ })
})

t.test('the database of another deployment is refused', async (t) => {
  const { named, bad } = await look({
    PUBLIC_BASE_URL: 'http://localhost:9',
    ENTRY_URL_CONNECT: 'http://localhost:9/c',
  })
  t.strictSame(bad, ['deployment'])
  t.match(named['deployment'], { saw: new RegExp(`${world.baseUrl}.*http://localhost:9`), todo: /another person/ })
})

t.test('an empty database lacks migrations; what depends on them is skipped', async (t) => {
  const name = `empty_${randomBytes(6).toString('hex')}`
  await world.sql.unsafe(`create database ${name} template template0`)
  t.teardown(async () => {
    await world.sql.unsafe(`drop database ${name} with (force)`)
  })
  const { named, bad } = await look(onDatabase(name))
  t.strictSame(bad, ['migrations'])
  t.match(named['migrations']!.todo, 'token-broker migrate')
  t.match(named['deployment'], { result: 'skipped', saw: /lacks migrations/ })
  t.equal(named['sealing_keys']!.result, 'skipped')
})

t.test(
  'a database that a newer release migrated is a warning here, and served all the same; the configuration is logged masked at start',
  async (t) => {
    const url = await testDatabase(t)
    const newer = { DATABASE_URL: url }
    const sql = postgres(url, { max: 1, onnotice: () => {} })
    t.teardown(() => sql.end())
    await sql`insert into drizzle.__drizzle_migrations (hash, created_at) values ('newer', ${Date.now() * 2})`
    const { named, bad } = await look(newer)
    t.strictSame(bad, [])
    t.match(named['migrations'], { result: 'warning', saw: /by a newer release/, todo: /rollback by one release/ })
    t.equal(named['sealing_keys']!.result, 'ok', 'what depends on migrations is looked at')

    const broker = await startBroker({ ...world.env, ...newer })
    t.teardown(() => broker.stop('SIGKILL'))
    t.match(broker.log(), /"level":"warn".*migrated by a newer release/)
    t.equal((await fetch(`${broker.operationsUrl}/readyz`)).status, 200)
    const [starting = ''] = broker
      .log()
      .split('\n')
      .filter((line) => line.includes('"msg":"starting"'))
    t.match(JSON.parse(starting), {
      config: {
        publicBaseUrl: world.baseUrl,
        microsoft: { credentials: [{ kind: 'secret', secret: /^.{3}\*{3}$/ }] },
        sealingKeys: ['sandbox-1:***'],
        sessionSecrets: ['***'],
      },
    })
    for (const secret of secretsOf(world)) t.notOk(broker.log().includes(secret))
  },
)

t.test('the way to Postgres: plain, encrypted without proof, verified; and an authority that ends', async (t) => {
  const at = async (host: string, query = '', more: Record<string, string> = {}) =>
    (await look({ DATABASE_URL: `postgres://broker:p@${host}:1/none${query}`, DATABASE_DEADLINE_MS: '100', ...more }))
      .named['database_encryption']!
  for (const here of ['127.0.0.1', 'localhost', '[::1]'])
    t.match(await at(here), { result: 'ok', saw: /on this machine/ })
  t.match(await at('db.invalid'), {
    result: 'warning',
    saw: /db\.invalid\) is not encrypted/,
    todo: /sslmode=verify-full/,
  })
  t.match(await at('db.invalid', '?sslmode=disable'), { result: 'warning' })
  t.match(await at('db.invalid', '?sslmode=prefer'), { result: 'warning', saw: /may not be/ })
  t.match(await at('db.invalid', '?sslmode=require'), { result: 'warning', saw: /verifies no certificate/ })
  t.equal((await at('db.invalid', '?sslmode=verify-full')).result, 'ok')
  const authority = (days: number) =>
    toPem(
      selfSignedCertificate(generateKeyPairSync('rsa', { modulusLength: 2048 }), {
        commonName: 'authority',
        notBefore: Date.now() - 30 * DAY,
        notAfter: Date.now() + days * DAY,
      }),
    )
  t.match(await at('db.invalid', '', { DATABASE_CA: authority(400) }), {
    result: 'ok',
    saw: /verified/,
    todo: undefined,
  })
  t.match(await at('db.invalid', '', { DATABASE_CA: authority(5) }), {
    result: 'warning',
    saw: /ends 20/,
    todo: /new authority beside it/,
  })
  t.match(await at('db.invalid', '', { DATABASE_CA: authority(-1) }), { result: 'failed', saw: /ended 20/ })
  t.equal(
    (await at('db.invalid', '', { DATABASE_CA: `${authority(-1)}\n${authority(400)}` })).result,
    'ok',
    'the new one counts',
  )
})

t.test(
  'the end of the certificate that Microsoft knows us by is told, also while Microsoft does not answer',
  async (t) => {
    const certified = async (days: number, more: Record<string, string> = {}, registered = true) => {
      const keys = generateKeyPairSync('rsa', { modulusLength: 2048 })
      const certificate = toPem(
        selfSignedCertificate(keys, {
          commonName: 'broker',
          notBefore: Date.now() - 30 * DAY,
          notAfter: Date.now() + days * DAY,
        }),
      )
      world.entra.control.configureApp({ certificates: registered ? [certificate] : [] })
      const { named } = await look({
        MICROSOFT_CLIENT_CERTIFICATE: certificate,
        MICROSOFT_CLIENT_KEY: keys.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
        MICROSOFT_CLIENT_SECRET: undefined,
        ...more,
      })
      return named['client_credential']!
    }
    t.match(await certified(90), { result: 'ok', saw: /accepted by Microsoft; it ends 20/ })
    t.match(await certified(5), { result: 'warning', saw: /it ends 20/, todo: /Make a new certificate/ })
    const away = { MICROSOFT_LOGIN_URL: 'http://127.0.0.1:1' }
    t.match(await certified(5, away), { result: 'warning', saw: /ends 20/ })
    t.match(await certified(-1, away), { result: 'failed', saw: /ended 20/ })
    t.match(await certified(90, away), { result: 'skipped' })
    t.match(await certified(-1), { result: 'warning', saw: /it ended 20/ })
    t.match(await certified(-1, {}, false), { result: 'failed', todo: /It ended 20/ })
  },
)

t.test('a database that cannot be reached, does not exist or is not ours is told apart', async (t) => {
  const unreachable = await look({ DATABASE_URL: 'postgres://broker:p@127.0.0.1:1/none' })
  t.strictSame(unreachable.bad, ['database'])
  t.match(unreachable.named['database'], {
    saw: /"none" at 127\.0\.0\.1:1.*ECONNREFUSED/,
    todo: /Nobody listens there/,
  })
  t.equal(unreachable.named['migrations']!.result, 'skipped')
  t.equal(unreachable.named['client_credential']!.result, 'ok', 'the rest is looked at all the same')

  t.match((await look(onDatabase('no_such_database'))).named['database'], {
    result: 'failed',
    saw: /3D000/,
    todo: /no such database/,
  })

  const role = `stranger_${randomBytes(6).toString('hex')}`
  await world.sql.unsafe(`create role ${role} login password 'p'`)
  t.teardown(async () => {
    await world.sql.unsafe(`drop role ${role}`)
  })
  const stranger = Object.assign(new URL(world.env['DATABASE_URL']!), { username: role, password: 'p' }).href
  t.match((await look({ DATABASE_URL: stranger })).named['migrations'], {
    result: 'failed',
    saw: /lacks rights/,
    todo: /Grant/,
  })
})

t.test('a database that accepts connections and never answers ends in a failed check', async (t) => {
  const silent = createServer((socket) => socket.on('error', () => {}))
  await new Promise<void>((done) => silent.listen(0, '127.0.0.1', done))
  t.teardown(() => silent.close())
  const { port } = silent.address() as AddressInfo
  const { named } = await look({
    DATABASE_URL: `postgres://broker:p@127.0.0.1:${port}/none`,
    DATABASE_DEADLINE_MS: '200',
  })
  t.match(named['database'], { result: 'failed', todo: /DATABASE_DEADLINE_MS|does not answer/ })
})

t.test('sealing keys that do not fit are told before any user meets it', async (t) => {
  const lost = await look({ SEALING_KEYS: generateSealingKey('brand-new') })
  t.strictSame(lost.bad, ['sealing_keys'])
  t.match(lost.named['sealing_keys'], { saw: /lacks sandbox-1/, todo: /Put it back/ })

  const impostor = await look({ SEALING_KEYS: generateSealingKey('sandbox-1') })
  t.match(impostor.named['sealing_keys'], { result: 'failed', saw: /sandbox-1/ })

  const [row] = await world.sql`select id, refresh_token from oauth2_integration where user_id = '42'`
  await world.sql`update oauth2_integration set refresh_token = ${Buffer.from('not sealed')} where id = ${row!['id'] as string}`
  t.match((await look()).named['sealing_keys'], { result: 'failed', saw: /stored value cannot be opened/ })
  await world.sql`update oauth2_integration set refresh_token = ${row!['refresh_token'] as Buffer} where id = ${row!['id'] as string}`
})

t.test('a clock that is off is told, by how much and which way', async (t) => {
  const off = (ms: number): Overrides => ({ clock: { ...systemClock, now: () => Date.now() + ms } })
  const ahead = await look({}, off(600_000))
  t.strictSame(ahead.bad, ['database_clock', 'clock'])
  t.match(ahead.named['clock'], { saw: /(59|60)\d s ahead of Microsoft/, todo: /NTP/ })
  t.match(ahead.named['database_clock']!.saw, /behind this machine/)
  t.match((await look({}, off(-30_000))).named['clock']!.saw, /s behind Microsoft/)
})

t.test('Microsoft that cannot be reached, does not know the tenant or is somebody else is told apart', async (t) => {
  const unreachable = await look({ MICROSOFT_LOGIN_URL: 'http://127.0.0.1:1' })
  t.strictSame(unreachable.bad, ['microsoft'])
  t.match(unreachable.named['microsoft'], { saw: /gave no answer \(microsoft_unreachable\)/, todo: /egress/ })
  t.match(unreachable.named['client_credential'], { result: 'skipped' })

  t.match((await look({ MICROSOFT_LOGIN_URL: world.baseUrl })).named['microsoft'], { result: 'failed' })
  const tenant = '00000000-1111-2222-3333-444444444444'
  const unknown = await look({ MICROSOFT_TENANT: tenant })
  t.match(unknown.named['microsoft'], { result: 'failed', saw: new RegExp(tenant), todo: /MICROSOFT_TENANT/ })
})

const keyOf = (name: string, days: number) =>
  generateKey('hmac-sha256', name, Date.now() + days * DAY, Date.now() - 200 * DAY).broker
function callersFile(callers: object[]): Record<string, string> {
  const path = join(folder, `${randomBytes(4).toString('hex')}.json`)
  writeFileSync(path, JSON.stringify({ callers }))
  return { CALLERS_FILE: path }
}

t.test(
  'a caller whose last key ends soon is a warning, one without a valid key a failure; a later key silences the earlier',
  async (t) => {
    const permissions = ['tokens:read']
    const soon = await look(callersFile([{ name: 'megdocs', permissions, keys: [keyOf('megdocs', 13)] }]))
    t.match(soon.named['callers'], {
      result: 'warning',
      saw: /last key of megdocs \(megdocs-/,
      todo: /keygen caller megdocs/,
    })
    t.match(soon.named['callers']!.saw, 'No caller has the permission connect:write')

    const later = { ...keyOf('megdocs', 100), key_id: 'megdocs-2' }
    t.notMatch(
      (await look(callersFile([{ name: 'megdocs', permissions, keys: [keyOf('megdocs', 13), later] }]))).named[
        'callers'
      ]!.saw,
      'last key',
    )

    const over = await look(callersFile([{ name: 'megdocs', permissions, keys: [keyOf('megdocs', -1)] }]))
    t.match(over.named['callers'], { result: 'failed', saw: /No key of megdocs is valid now/ })
  },
)

t.test('the certificate of the signed API: its end and the hosts it names', async (t) => {
  const withCertificate = async (days: number) => {
    const keys = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const der = selfSignedCertificate(keys, {
      commonName: 'token-broker.internal',
      notBefore: Date.now() - 30 * DAY,
      notAfter: Date.now() + days * DAY,
    })
    const [certFile, keyFile] = [join(folder, `${days}.crt`), join(folder, `${days}.key`)]
    writeFileSync(certFile, toPem(der))
    writeFileSync(keyFile, keys.privateKey.export({ type: 'pkcs8', format: 'pem' }))
    return (await look({ INTERNAL_PLAIN_HTTP: 'no', INTERNAL_TLS_CERT_FILE: certFile, INTERNAL_TLS_KEY_FILE: keyFile }))
      .named['internal_listener']!
  }
  t.match(await withCertificate(5), { result: 'warning', saw: /ends 20/, todo: /Renew/ })
  t.match(await withCertificate(-1), { result: 'failed', saw: /ended/ })
})

t.test('https for browsers without a trusted proxy would refuse every page: it fails', async (t) => {
  const https = 'https://audits.example.com'
  const changes = {
    PUBLIC_BASE_URL: https,
    ENTRY_URL_CONNECT: `${https}/c`,
    ENTRY_URL_MANAGE: `${https}/m`,
    COMPLETION_URL: `${https}/d`,
  }
  t.match((await look({ ...changes, TRUSTED_PROXIES: '' })).named['proxies'], {
    result: 'failed',
    todo: /X-Forwarded-Proto/,
  })
  t.equal((await look({ ...changes, TRUSTED_PROXIES: '10.0.0.0/8' })).named['proxies']!.result, 'ok')
})

t.test('session secrets beyond those of a rotation are a warning', async (t) => {
  const secrets = Array.from({ length: 3 }, () => randomBytes(32).toString('base64url'))
  t.match((await look({ SESSION_SECRETS: secrets.join(',') })).named['session_secrets'], {
    result: 'warning',
    todo: /30 minutes/,
  })
  t.equal((await look({ SESSION_SECRETS: secrets.slice(1).join(',') })).named['session_secrets']!.result, 'ok')
})
