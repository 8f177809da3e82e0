import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import postgres from 'postgres'
import t from 'tap'
import { startBroker } from '../sandbox/broker.ts'
import { selfSignedCertificate, toPem } from '../sandbox/entra/certificate.ts'
import { openRelay } from '../sandbox/relay.ts'
import { temporaryFolder } from '../sandbox/temporary-folder.ts'
import { generateSealingKey } from '../src/crypto/keyring.ts'
import { diagnose, runAllChecks, type Check } from '../src/doctor.ts'
import { migrate } from '../src/db/migrate.ts'
import { migrationRole } from '../src/db/migration-role.ts'
import { systemClock, type Overrides, type Services } from '../src/services.ts'
import { generateKey } from '../src/signature/keygen.ts'
import { testDatabase } from './support/database.ts'
import { openPoolerStandIn } from './support/pooler-stand-in.ts'
import { startWorld, type World } from './support/world.ts'

// One world for all: doctor changes nothing, and a test asserts that.

const DAY = 86_400_000
const world = await startWorld(t)
await world.connect('42')
const folder = temporaryFolder('token-broker-doctor')
t.teardown(() => rmSync(folder, { recursive: true, force: true }))

async function look(changes: Record<string, string | undefined> = {}, overrides: Overrides = {}) {
  const env = Object.fromEntries(
    Object.entries({ ...world.env, ...changes }).filter(([, value]) => value !== undefined),
  )
  const { json, text } = await diagnose(env, overrides)
  const { checks } = json as { checks: Check[] }
  const named = Object.fromEntries(checks.map((check) => [check.name, check])) as Record<string, Check>
  return { checks, text, named, bad: checks.filter(({ result }) => result === 'failed').map(({ name }) => name) }
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

t.test('a correct deployment passes every check; settings that are not for production are warnings', async (t) => {
  const before = await dump()
  await world.replica.operations.listen({ host: '127.0.0.1', port: 0 })
  const { port } = world.replica.operations.server.address() as AddressInfo
  const { checks, text, named, bad } = await look({ OPERATIONS_REPLICAS: `127.0.0.1:${port}` })
  t.strictSame(bad, [])
  t.match(named['replicas'], { result: 'ok', message: /^1 answer/ })
  t.strictSame(
    checks.filter(({ result }) => result === 'warning').map(({ name }) => name),
    ['internal_listener', 'proxies'],
  )
  t.strictSame(
    checks.filter(({ result }) => result === 'skipped'),
    [],
  )
  t.match(named['database']!.message, /^PostgreSQL \d+/)
  t.match(named['deployment']!.message, world.baseUrl)
  t.match(named['sealing_keys']!.message, 'stored tokens can be opened')
  t.match(named['redirect_uri'], { message: `${world.baseUrl}/auth/oauth2/microsoft/callback`, advice: /Azure portal/ })
  t.match(named['client_credential']!.message, 'accepts')
  t.match(text, /^token-broker \d+\.\d+\.\d+, Node v\d+\.[^]*0 failed, 0 skipped\.$/)
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

t.test('every failing check says what to do, and no check shows a secret', async (t) => {
  const seen = [
    await look({ MICROSOFT_CLIENT_SECRET: 'wrong8Q~wrong.not_a_real_secret.0000000' }),
    await look({ SEALING_KEYS: generateSealingKey('other') }),
    await look({ DATABASE_URL: 'postgres://broker:hunter2hunter2@127.0.0.1:1/none' }),
    await look({ SESSION_SECRETS: 'short' }),
    await look(),
  ]
  for (const { checks, text: printed } of seen) {
    for (const { name, result, advice } of checks) if (result === 'failed' || result === 'warning') t.ok(advice, name)
    const text = printed + JSON.stringify(checks)
    for (const secret of [...secretsOf(world), 'wrong8Q~wrong', 'hunter2hunter2']) t.notOk(text.includes(secret))
  }
})

t.test('all problems of the configuration are reported, and every other check is skipped', async (t) => {
  const { checks, named, bad } = await look({ MICROSOFT_CLIENT_ID: 'x', DATABASE_URL: undefined })
  t.strictSame(bad, ['configuration'])
  t.match(named['configuration']!.message, /MICROSOFT_CLIENT_ID[^]*DATABASE_URL|DATABASE_URL[^]*MICROSOFT_CLIENT_ID/)
  t.equal(checks.filter(({ result }) => result === 'skipped').length, checks.length - 1)
})

t.test('a misspelt variable is a warning', async (t) => {
  const { named } = await look({ DATABASE_POOLSIZE: '3' })
  t.match(named['configuration'], { result: 'warning', message: /DATABASE_POOLSIZE.*DATABASE_POOL_SIZE/ })
})

t.test('a client secret that is wrong, expired or being replaced is reported with its AADSTS number', async (t) => {
  const { control, clientSecret } = world.entra
  const wrong = 'wrong8Q~wrong.not_a_real_secret.0000000'
  t.match((await look({ MICROSOFT_CLIENT_SECRET: wrong })).named['client_credential'], {
    result: 'failed',
    message: /AADSTS7000215/,
    advice: /"Value", not "Secret ID"/,
  })

  control.configureApp({ clientSecrets: [{ value: clientSecret, expiresAt: 1 }] })
  t.match((await look()).named['client_credential'], { result: 'failed', message: /AADSTS7000222/, advice: /expired/ })
  control.configureApp({ clientSecrets: [clientSecret] })

  const { named, bad } = await look({ MICROSOFT_CLIENT_SECRET: `${wrong},${clientSecret}` })
  t.match(named['client_credential'], {
    result: 'warning',
    message: /1 of 2 is not accepted[^]*accepts client secret 2 of 2/,
  })
  t.strictSame(bad, [])
})

t.test('an unclear answer of Microsoft is not reported as a wrong credential', async (t) => {
  world.entra.control.misbehave('status', 503, { times: 1 })
  const { named } = await look()
  t.match(named['client_credential'], { result: 'failed', message: /no clear answer/ })
})

t.test(
  'the answer of a proxy or filter is told apart from Microsoft, for metadata and for the credential',
  async (t) => {
    const relay = await openRelay({ to: () => world.entra.port })
    t.teardown(() => relay.close())
    const page = (status: number) => ({ kind: 'page', status, body: '<h1>Filtered</h1>' }) as const
    for (const status of [200, 302, 403, 404, 407]) {
      relay.fail(page(status), 'all')
      const { named } = await look({ MICROSOFT_LOGIN_URL: `http://127.0.0.1:${relay.port}` })
      t.match(named['microsoft'], { result: 'failed', message: /in place of Microsoft/, advice: /proxy, the filter/ })
    }
    world.entra.control.misbehave('malformed', true, { times: 1 })
    t.match((await look()).named['client_credential'], {
      result: 'failed',
      message: /answers POST requests in place of Microsoft/,
      advice: /proxy, the filter/,
    })
  },
)

t.test('each code of a refused certificate or federated identity has its own advice', async (t) => {
  for (const [aadsts, advice] of [
    [7000214, /revoked/],
    [700028, /thumbprint/],
    [700030, /subject name/],
    [700213, /federated credential/],
    [7002137, /federated credential/],
  ] as const) {
    world.entra.control.misbehave('aadsts', { code: aadsts, error: 'invalid_client' }, { times: 1 })
    const { named } = await look()
    t.match(named['client_credential'], { result: 'failed', message: new RegExp(`AADSTS${aadsts}`), advice })
  }
})

t.test('the database of another deployment is a failure', async (t) => {
  const { named, bad } = await look({
    PUBLIC_BASE_URL: 'http://localhost:9',
    ENTRY_URL_CONNECT: 'http://localhost:9/c',
  })
  t.strictSame(bad, ['deployment'])
  t.match(named['deployment'], {
    message: new RegExp(`${world.baseUrl}.*http://localhost:9`),
    advice: /another person/,
  })
})

t.test('an empty database lacks migrations; checks that need them are skipped', async (t) => {
  const name = `empty_${randomBytes(6).toString('hex')}`
  await world.sql.unsafe(`create database ${name} template template0`)
  t.teardown(async () => {
    await world.sql.unsafe(`drop database ${name} with (force)`)
  })
  const { named, bad } = await look(onDatabase(name))
  t.strictSame(bad, ['migrations'])
  t.match(named['migrations']!.advice, 'token-broker migrate')
  t.match(named['deployment'], { result: 'skipped', message: /lacks migrations/ })
  t.equal(named['sealing_keys']!.result, 'skipped')
})

t.test('DATABASE_MIGRATION_URL: reachable, direct, the same database, writable, all rights', async (t) => {
  const found = async (url: string) => {
    const { named } = await look({ DATABASE_MIGRATION_URL: url })
    return named['migration_database']
  }
  t.match((await look()).named['migration_database'], { result: 'ok', message: /not set here.*not checked/ })
  const own = new URL(world.env['DATABASE_URL']!)
  const as = (changes: Partial<URL>) => Object.assign(new URL(own), changes).href
  const { sql } = world
  const role = `role_${randomBytes(6).toString('hex')}`
  const owner = `${role}_owner`
  const database = own.pathname.slice(1)
  await sql.unsafe(`create role ${role} login password 'x'; create role ${owner} login password 'x'`)
  await sql.unsafe(`grant connect on database ${database} to ${role}, ${owner}`)
  t.teardown(async () => {
    await sql.unsafe(`drop owned by ${role}, ${owner}; drop role ${role}, ${owner}`)
  })
  const owning = as({ username: owner, password: 'x' })
  t.match(await found(as({ username: role, password: 'x' })), {
    result: 'failed',
    message: new RegExp(
      `user "${role}".*lacks rights: create on the database; create on the schema drizzle; create on the schema public; ownership of .*oauth2_integration`,
    ),
    advice: /the owner/,
  })
  await sql.unsafe(`grant create on database ${database} to ${owner}; 
    grant create on schema public, drizzle to ${owner};
    grant ${own.username} to ${owner}`)
  t.match(await found(owning), { result: 'ok', message: new RegExp(`"${owner}"`) })
  await sql.unsafe(`alter role ${owner} set default_transaction_read_only = on`)
  t.match(await found(owning), { result: 'failed', message: /read-only or a standby/ })
  await sql.unsafe(`alter role ${owner} reset default_transaction_read_only`)
  t.match(await found(as({ pathname: '/postgres' })), { result: 'failed', message: /another server or database/ })
  t.match(await found(as({ port: '1' })), { result: 'failed', message: /ECONNREFUSED/, advice: /host and port/ })
  t.match(await found(as({ pathname: '/nowhere' })), { result: 'failed', message: /3D000/, advice: /does not exist/ })
  const silent = createServer(() => {})
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
  t.teardown(() => silent.close())
  const url = as({ port: String((silent.address() as AddressInfo).port) })
  const { database: service } = world.replica.services
  t.same(await migrationRole([url], { ca: undefined, database: service, timeoutMs: 200 }), { failed: 'deadline' })
  const failing = { DATABASE_MIGRATION_URL: as({ username: role, password: 'x' }) }
  t.match(await outcome(failing['DATABASE_MIGRATION_URL']), {
    code: 'broker_misconfigured',
    facts: { detail: /lacks rights.*owner of the database.*\(42501\)/ },
  })
  t.match(await outcome(as({ pathname: '/nowhere' })), { code: 'broker_misconfigured', facts: { detail: /3D000/ } })
})

t.test('DATABASE_MIGRATION_URL that leads through a pooler is noticed: by doctor, and by migrate', async (t) => {
  const own = world.env['DATABASE_URL']!
  for (const parameters of ['refused', 'dropped'] as const) {
    const url = await openPoolerStandIn(t, own, parameters)
    const { named, bad } = await look({ DATABASE_MIGRATION_URL: url })
    t.strictSame(bad, ['migration_database'], parameters)
    t.match(named['migration_database'], { message: /leads through a pooler/, advice: /name Postgres itself/ })
    t.match(
      await outcome(url),
      { code: 'database_unavailable', facts: { detail: /needs a direct connection.*through a pooler/ } },
      parameters,
    )
    const direct = { DATABASE_URL: url, DATABASE_MIGRATION_URL: own }
    t.strictSame((await look(direct)).bad, [], 'the service itself may be behind it')
  }
})

const outcome = (url: string) => migrate(url).catch((error: unknown) => error)

t.test(
  'a database that a newer release migrated is a warning, and the service starts on it; it logs its configuration without secrets',
  async (t) => {
    const url = await testDatabase(t)
    const newer = { DATABASE_URL: url }
    const sql = postgres(url, { max: 1, onnotice: () => {} })
    t.teardown(() => sql.end())
    await sql`insert into drizzle.__drizzle_migrations (hash, created_at) values ('newer', ${Date.now() * 2})`
    const { named, bad } = await look(newer)
    t.strictSame(bad, [])
    t.match(named['migrations'], {
      result: 'warning',
      message: /by a newer release/,
      advice: /rollback by one release/,
    })
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

t.test(
  'the connection to Postgres: not encrypted, not verified, verified; and an authority that expires',
  async (t) => {
    const at = async (host: string, query = '', more: Record<string, string> = {}) =>
      (await look({ DATABASE_URL: `postgres://broker:p@${host}:1/none${query}`, DATABASE_DEADLINE_MS: '100', ...more }))
        .named['database_encryption']!
    for (const here of ['127.0.0.1', 'localhost', '[::1]'])
      t.match(await at(here), { result: 'ok', message: /runs on this machine/ })
    t.match(await at('db.invalid'), {
      result: 'warning',
      message: /db\.invalid\) is not encrypted/,
      advice: /sslmode=verify-full/,
    })
    t.match(await at('db.invalid', '?sslmode=disable'), { result: 'warning' })
    t.match(await at('db.invalid', '?sslmode=prefer'), { result: 'warning', message: /may not be/ })
    t.match(await at('db.invalid', '?sslmode=require'), { result: 'warning', message: /verifies no certificate/ })
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
      message: /is verified/,
      advice: undefined,
    })
    t.match(await at('db.invalid', '', { DATABASE_CA: authority(5) }), {
      result: 'warning',
      message: /expires 20/,
      advice: /Add the new authority/,
    })
    t.match(await at('db.invalid', '', { DATABASE_CA: authority(-1) }), { result: 'failed', message: /expired 20/ })
    t.equal(
      (await at('db.invalid', '', { DATABASE_CA: `${authority(-1)}\n${authority(400)}` })).result,
      'ok',
      'the new one counts',
    )
  },
)

t.test('the expiry of the client certificate is reported, also while Microsoft does not answer', async (t) => {
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
  t.match(await certified(90), { result: 'ok', message: /Microsoft accepts certificate 1 of 1; it expires 20/ })
  t.match(await certified(5), { result: 'warning', message: /it expires 20/, advice: /Make a new certificate/ })
  const away = { MICROSOFT_LOGIN_URL: 'http://127.0.0.1:1' }
  t.match(await certified(5, away), { result: 'warning', message: /expires 20/ })
  t.match(await certified(-1, away), { result: 'failed', message: /expired 20/ })
  t.match(await certified(90, away), { result: 'skipped' })
  t.match(await certified(-1), { result: 'warning', message: /it expired 20/ })
  t.match(await certified(-1, {}, false), { result: 'failed', advice: /It expired 20/ })
})

t.test(
  'a database that cannot be reached, one that does not exist and one without rights are distinguished',
  async (t) => {
    const unreachable = await look({ DATABASE_URL: 'postgres://broker:p@127.0.0.1:1/none' })
    t.strictSame(unreachable.bad, ['database'])
    t.match(unreachable.named['database'], {
      message: /"none" at 127\.0\.0\.1:1.*ECONNREFUSED/,
      advice: /No server listens/,
    })
    t.equal(unreachable.named['migrations']!.result, 'skipped')
    t.equal(unreachable.named['client_credential']!.result, 'ok', 'the rest is looked at all the same')

    t.match((await look(onDatabase('no_such_database'))).named['database'], {
      result: 'failed',
      message: /3D000/,
      advice: /does not exist/,
    })

    const role = `stranger_${randomBytes(6).toString('hex')}`
    await world.sql.unsafe(`create role ${role} login password 'p'`)
    t.teardown(async () => {
      await world.sql.unsafe(`drop role ${role}`)
    })
    const stranger = Object.assign(new URL(world.env['DATABASE_URL']!), { username: role, password: 'p' }).href
    t.match((await look({ DATABASE_URL: stranger })).named['migrations'], {
      result: 'failed',
      message: /lacks rights/,
      advice: /Grant/,
    })
  },
)

t.test('a database that accepts connections and never answers is a failed check', async (t) => {
  const silent = createServer((socket) => socket.on('error', () => {}))
  await new Promise<void>((done) => silent.listen(0, '127.0.0.1', done))
  t.teardown(() => silent.close())
  const { port } = silent.address() as AddressInfo
  const { named } = await look({
    DATABASE_URL: `postgres://broker:p@127.0.0.1:${port}/none`,
    DATABASE_DEADLINE_MS: '200',
  })
  t.match(named['database'], { result: 'failed', advice: /DATABASE_DEADLINE_MS|does not answer/ })
})

t.test('sealing keys that do not match the database are reported', async (t) => {
  const lost = await look({ SEALING_KEYS: generateSealingKey('brand-new') })
  t.strictSame(lost.bad, ['sealing_keys'])
  t.match(lost.named['sealing_keys'], { message: /lacks sandbox-1/, advice: /Add the missing key/ })

  const impostor = await look({ SEALING_KEYS: generateSealingKey('sandbox-1') })
  t.match(impostor.named['sealing_keys'], { result: 'failed', message: /sandbox-1/ })

  const [row] = await world.sql`select id, refresh_token from oauth2_integration where user_id = '42'`
  await world.sql`update oauth2_integration set refresh_token = ${Buffer.from('not sealed')} where id = ${row!['id'] as string}`
  t.match((await look()).named['sealing_keys'], { result: 'failed', message: /stored value cannot be opened/ })
  await world.sql`update oauth2_integration set refresh_token = ${row!['refresh_token'] as Buffer} where id = ${row!['id'] as string}`
})

t.test('a wrong clock is reported, with the difference and its direction', async (t) => {
  const off = (ms: number): Overrides => ({ clock: { ...systemClock, now: () => Date.now() + ms } })
  const ahead = await look({}, off(600_000))
  t.strictSame(ahead.bad, ['database_clock', 'clock'])
  t.match(ahead.named['clock'], { message: /(59|60)\d s ahead of Microsoft/, advice: /NTP/ })
  t.match(ahead.named['database_clock']!.message, /behind the clock of this machine/)
  t.match((await look({}, off(-30_000))).named['clock']!.message, /s behind Microsoft/)
})

t.test('Microsoft unreachable, an unknown tenant and another server are distinguished', async (t) => {
  const unreachable = await look({ MICROSOFT_LOGIN_URL: 'http://127.0.0.1:1' })
  t.strictSame(unreachable.bad, ['microsoft'])
  t.match(unreachable.named['microsoft'], { message: /did not answer \(microsoft_unreachable\)/, advice: /egress/ })
  t.match(unreachable.named['client_credential'], { result: 'skipped' })

  t.match((await look({ MICROSOFT_LOGIN_URL: world.baseUrl })).named['microsoft'], { result: 'failed' })
  const tenant = '00000000-1111-2222-3333-444444444444'
  const unknown = await look({ MICROSOFT_TENANT: tenant })
  t.match(unknown.named['microsoft'], { result: 'failed', message: new RegExp(tenant), advice: /MICROSOFT_TENANT/ })
})

const keyOf = (name: string, days: number) =>
  generateKey('hmac-sha256', name, Date.now() + days * DAY, Date.now() - 200 * DAY).broker
function callersFile(callers: object[]): Record<string, string> {
  const path = join(folder, `${randomBytes(4).toString('hex')}.json`)
  writeFileSync(path, JSON.stringify({ callers }))
  return { CALLERS_FILE: path }
}

t.test(
  'a caller whose last key expires soon is a warning, one without a valid key a failure; an earlier key does not count',
  async (t) => {
    const permissions = ['tokens:read']
    const soon = await look(callersFile([{ name: 'megdocs', permissions, keys: [keyOf('megdocs', 13)] }]))
    t.match(soon.named['callers'], {
      result: 'warning',
      message: /last key of megdocs \(megdocs-/,
      advice: /keygen caller megdocs/,
    })
    t.match(soon.named['callers']!.message, 'No caller has the permission connect:write')

    const later = { ...keyOf('megdocs', 100), key_id: 'megdocs-2' }
    t.notMatch(
      (await look(callersFile([{ name: 'megdocs', permissions, keys: [keyOf('megdocs', 13), later] }]))).named[
        'callers'
      ]!.message,
      'last key',
    )

    const over = await look(callersFile([{ name: 'megdocs', permissions, keys: [keyOf('megdocs', -1)] }]))
    t.match(over.named['callers'], { result: 'failed', message: /No key of megdocs is valid now/ })
  },
)

t.test('the certificate of the signed API: its expiry and its names', async (t) => {
  const withCertificate = async (
    days: number,
    authorities?: string,
    facts: { commonName?: string; names?: (string | Buffer)[] } = {},
  ) => {
    const keys = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const der = selfSignedCertificate(keys, {
      commonName: 'token-broker.internal',
      notBefore: Date.now() - 30 * DAY,
      notAfter: Date.now() + days * DAY,
      ...facts,
    })
    const [certFile, keyFile] = [join(folder, `${days}.crt`), join(folder, `${days}.key`)]
    writeFileSync(certFile, toPem(der))
    writeFileSync(keyFile, keys.privateKey.export({ type: 'pkcs8', format: 'pem' }))
    const { named } = await look({
      INTERNAL_PLAIN_HTTP: 'no',
      INTERNAL_TLS_CERT_FILE: certFile,
      INTERNAL_TLS_KEY_FILE: keyFile,
      ...(authorities === undefined ? {} : { INTERNAL_AUTHORITIES: authorities }),
    })
    return named['internal_listener']!
  }
  t.match(await withCertificate(5), { result: 'warning', message: /expires 20/, advice: /Renew/ })
  t.match(await withCertificate(-1), { result: 'failed', message: /expired/ })

  const service = ['b.megdocs.svc', 'b.megdocs.svc.cluster.local', 'b.megdocs']
  const authorities = service.map((name) => `${name}:8081`).join(',')
  t.match(await withCertificate(90, authorities, { names: service }), { result: 'ok', advice: undefined })
  const one = await withCertificate(90, authorities, { names: service.slice(0, 1) })
  t.match(one, { result: 'warning', advice: /subjectAltName/ })
  t.match(one.message, 'lacks b.megdocs.svc.cluster.local, b.megdocs. It has DNS:b.megdocs.svc.')

  const [v4, v6] = [Buffer.from([10, 0, 0, 7]), Buffer.from('fd000010000000000000000000000001', 'hex')]
  const addresses = '10.0.0.7:8081,10.0.0.7,[fd00:10::1]:8081,[fd00:10:0::1]'
  t.equal((await withCertificate(90, addresses, { names: [v4, v6] })).result, 'ok')
  t.match(
    (await withCertificate(90, `${addresses},10.0.0.8`, { names: ['10.0.0.7', 'fd00:10::1', v4] })).message,
    /lacks fd00:10::1, fd00:10:0::1, 10\.0\.0\.8\. It has DNS:10\.0\.0\.7, DNS:"?fd00:10::1"?, IP Address:10\.0\.0\.7\./,
    'an address as a DNS name does not count',
  )

  t.equal((await withCertificate(90, 'b.megdocs.svc', { names: ['*.megdocs.svc'] })).result, 'ok', 'a wildcard')
  t.match(
    (await withCertificate(90, 'a.b.megdocs.svc,megdocs.svc', { names: ['*.megdocs.svc'] })).message,
    'lacks a.b.megdocs.svc, megdocs.svc. It has DNS:*.megdocs.svc.',
    'for one label only',
  )
  t.match(
    (await withCertificate(90, 'b.megdocs.svc', { commonName: 'b.megdocs.svc' })).message,
    'lacks b.megdocs.svc. It has no alternative names, only the Common Name b.megdocs.svc, which most clients ignore.',
  )
  t.equal((await withCertificate(90, 'XN--bcher-KVA.example:443', { names: ['xn--bcher-kva.example'] })).result, 'ok')
  t.match((await withCertificate(90, 'xn--bcher-kva.example', { names: ['b.example'] })).message, 'lacks xn--bcher')
})

t.test('https for browsers without a trusted proxy is a failure, because every page would be refused', async (t) => {
  const https = 'https://audits.example.com'
  const changes = {
    PUBLIC_BASE_URL: https,
    ENTRY_URL_CONNECT: `${https}/c`,
    ENTRY_URL_MANAGE: `${https}/m`,
    COMPLETION_URL: `${https}/d`,
  }
  t.match((await look({ ...changes, TRUSTED_PROXIES: '' })).named['proxies'], {
    result: 'failed',
    advice: /X-Forwarded-Proto/,
  })
  t.equal((await look({ ...changes, TRUSTED_PROXIES: '10.0.0.0/8' })).named['proxies']!.result, 'ok')
})

t.test('more session secrets than a rotation needs are a warning', async (t) => {
  const secrets = Array.from({ length: 3 }, () => randomBytes(32).toString('base64url'))
  t.match((await look({ SESSION_SECRETS: secrets.join(',') })).named['session_secrets'], {
    result: 'warning',
    advice: /30 minutes/,
  })
  t.equal((await look({ SESSION_SECRETS: secrets.slice(1).join(',') })).named['session_secrets']!.result, 'ok')
})

t.test(
  'a check that throws is a failed finding with its name; the other checks are reported, and no secret is',
  async (t) => {
    const { services } = world.replica
    const seeded = (member: string, inside: object = services) =>
      new Proxy(inside, {
        get: (target, name, receiver) => {
          if (name === member) throw new TypeError('S3CRET')
          return Reflect.get(target, name, receiver) as unknown
        },
      })
    const failures = async (broken: object) => {
      const checks = await runAllChecks(broken as Services)
      t.equal(checks.length, 27)
      const failed = checks.filter(({ result }) => result === 'failed')
      for (const { name, message, advice } of failed) {
        t.match(message, new RegExp(`The check ${name} did not complete: TypeError doctor\\.test\\.ts:\\d+:\\d+\\.`))
        t.match(advice, 'defect of doctor')
      }
      t.notMatch(JSON.stringify(checks), 'S3CRET')
      return failed.map(({ name }) => name)
    }
    const config = (member: string) => ({ ...services, config: seeded(member, services.config) })
    t.strictSame(await failures({ ...services }), [])
    t.strictSame(await failures(config('listen')), ['internal_listener', 'replicas'])
    t.strictSame(await failures(config('redirectUri')), ['redirect_uri'])
    t.strictSame(await failures(config('warnings')), ['configuration'])
    t.strictSame(await failures(config('sessionSecrets')), ['session_secrets'])
    t.strictSame(await failures(config('trustedProxies')), ['proxies'])
    t.strictSame(await failures(config('database')), [
      'database',
      'database_writable',
      'database_rights',
      'database_locks',
      'database_connections',
      'database_settings',
      'migrations',
      'deployment',
      'sealing_keys',
      'database_clock',
      'database_encryption',
    ])
    t.strictSame(await failures(seeded('callers')), ['callers', 'freezes'])
    t.strictSame(await failures(seeded('microsoft')), ['microsoft', 'clock', 'client_credential'])
    const microsoft = (member: string) => ({ ...services, microsoft: seeded(member, services.microsoft) })
    t.strictSame(await failures(microsoft('endpoints')), ['microsoft'])
    t.strictSame(await failures(microsoft('probeCredentials')), ['client_credential'])
    t.strictSame(await failures({ ...services, vault: seeded('keyIds', services.vault) }), ['sealing_keys'])
  },
)
