import { readFileSync } from 'node:fs'
import { inspect } from 'node:util'
import t from 'tap'
import { configurationTable, type ConfigError, maskedConfig, readConfig } from '../src/config.ts'
import { NAMES, VARIABLES } from '../src/config/variables.ts'
import type { Variable } from '../src/config/variable.ts'
import { callers, errorOf, FILES, key, MINIMAL, NOW, problemsOf, read, rsaPair } from './config/environment-of-tests.ts'

const PLAIN = { sealingKeys: undefined, auditKeys: undefined, responseSigningKey: undefined }

t.test('the smallest right environment gives every default', async (t) => {
  const config = read()
  t.same(
    config.sealingKeys.map(({ id }) => id),
    ['2026-11'],
  )
  t.same(
    { ...config, ...PLAIN },
    {
      ...PLAIN,
      publicBaseUrl: 'https://audits.megsupportools.com',
      redirectUri: 'https://audits.megsupportools.com/auth/oauth2/microsoft/callback',
      microsoft: {
        clientId: MINIMAL['MICROSOFT_CLIENT_ID'],
        credentials: [{ kind: 'secret', secret: MINIMAL['MICROSOFT_CLIENT_SECRET'] }],
        previousClients: [],
        permissions: ['User.Read', 'Files.ReadWrite.All'],
        tenant: 'organizations',
        allowedTenants: [],
        continuousAccessEvaluation: false,
        loginUrl: 'https://login.microsoftonline.com',
      },
      database: {
        url: MINIMAL['DATABASE_URL'],
        migrationUrls: [MINIMAL['DATABASE_URL']],
        prepare: true,
        batches: true,
        poolSize: 10,
        timeoutMs: 3000,
      },
      sessionSecrets: [key('session')],
      auditMode: 'required',
      callersFile: '/callers.json',
      callerRequestsPerMinute: 60_000,
      entryUrls: { connect: MINIMAL['ENTRY_URL_CONNECT'], manage: MINIMAL['ENTRY_URL_MANAGE'] },
      completionUrl: MINIMAL['COMPLETION_URL'],
      people: {},
      listen: {
        public: { host: '0.0.0.0', port: 8080 },
        internal: { host: '0.0.0.0', port: 8081 },
        operations: { host: '0.0.0.0', port: 9090 },
      },
      operationsReplicas: [],
      internalAuthorities: ['token-broker:8081'],
      trustedProxies: [],
      logLevel: 'info',
      keepAlive: { afterDays: 45, letGoAfterDays: 365 },
      harvest: {},
      drainSeconds: 5,
      warnings: [],
    },
  )
})

t.test('every variable is read', async (t) => {
  const [first, second, tls] = [rsaPair(), rsaPair(), rsaPair()]
  const config = read(
    {
      SUBDOMAIN: undefined,
      PUBLIC_BASE_URL: 'http://localhost:8000/',
      REDIRECT_URI: 'http://localhost:8000/auth/oauth2/microsoft/callback/',
      MICROSOFT_CLIENT_SECRET: 'newest-secret-1234567,older-secret-12345678',
      MICROSOFT_CLIENT_CERTIFICATE: `${first.certificate}\n${second.certificate}`,
      MICROSOFT_CLIENT_KEY: `${second.privateKey}\n${first.privateKey}`,
      MICROSOFT_TENANT: 'AAAAAAAA-bbbb-cccc-dddd-eeeeeeeeeeee',
      ALLOWED_TENANTS: 'aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee\nFFFFFFFF-bbbb-cccc-dddd-eeeeeeeeeeee',
      MICROSOFT_LOGIN_URL: 'http://127.0.0.1:9999',
      DATABASE_URL: 'postgres://broker:secret@db/tb?sslmode=verify-full',
      DATABASE_MIGRATION_URL: 'postgresql://owner:secret@db:5433/tb',
      DATABASE_PREPARE: 'off',
      DATABASE_BATCHES: 'off',
      DATABASE_POOL_SIZE: '25',
      DATABASE_DEADLINE_MS: '1500',
      DATABASE_CA: first.certificate,
      SEALING_KEYS: `new:${key('new')} old:${key('old')}`,
      SESSION_SECRETS: `${key('a')}\n${key('b')}`,
      AUDIT_KEYS: `a2:${key('audit2')} a1:${key('audit1')}`,
      AUDIT: 'best-effort',
      RESPONSE_SIGNING_KEY: `broker-1:${key('response')}`,
      ENTRY_URL_CONNECT: 'http://localhost:8000/c',
      SUPPORT_CONTACT: ' +44 20 7946 0000 ',
      PUBLISHER_NAME: 'MEG Support Tools Ltd',
      PUBLISHER_CONTACT: 'Security.Team@megsupportools.com',
      PRIVACY_NOTICE_URL: 'https://megsupportools.com/privacy',
      PUBLIC_LISTEN: '127.0.0.1:1',
      INTERNAL_LISTEN: '[::1]:2',
      OPERATIONS_LISTEN: 'localhost:0',
      OPERATIONS_REPLICAS: 'token-broker-operations.megdocs.svc:9090, [fd00::1]:9091',
      INTERNAL_AUTHORITIES: 'Broker.internal, broker:8081 [::1]:2',
      INTERNAL_PLAIN_HTTP: undefined,
      INTERNAL_TLS_CERT_FILE: '/tls.crt',
      INTERNAL_TLS_KEY_FILE: '/tls.key',
      TRUSTED_PROXIES: '10.0.0.0/8,2001:db8::/32 192.0.2.1',
      LOG_LEVEL: 'debug',
      KEEP_ALIVE_AFTER_DAYS: '30',
      HARVEST_ALERT_ABOVE: '700',
      HARVEST_FREEZE_ABOVE: '900',
      LET_GO_AFTER_DAYS: '31',
      DRAIN_SECONDS: '0',
      CONTINUOUS_ACCESS_EVALUATION: 'on',
      CALLER_REQUESTS_PER_MINUTE: '500',
    },
    {
      '/callers.json': callers('ed25519', { claims_challenges: true }),
      '/tls.crt': tls.certificate + first.certificate,
      '/tls.key': tls.privateKey,
    },
  )
  t.same(
    config.sealingKeys.map(({ id }) => id),
    ['new', 'old'],
  )
  t.match(config.responseSigningKey, { keyId: 'broker-1', algorithm: 'ed25519' })
  t.same(
    { ...config, ...PLAIN },
    {
      ...PLAIN,
      publicBaseUrl: 'http://localhost:8000',
      redirectUri: 'http://localhost:8000/auth/oauth2/microsoft/callback/',
      microsoft: {
        clientId: MINIMAL['MICROSOFT_CLIENT_ID'],
        credentials: [
          { kind: 'certificate', certificate: first.certificate.trim(), privateKey: first.privateKey.trim() },
          { kind: 'certificate', certificate: second.certificate.trim(), privateKey: second.privateKey.trim() },
          { kind: 'secret', secret: 'newest-secret-1234567' },
          { kind: 'secret', secret: 'older-secret-12345678' },
        ],
        previousClients: [],
        permissions: ['User.Read', 'Files.ReadWrite.All'],
        tenant: 'aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee',
        allowedTenants: ['aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee', 'ffffffff-bbbb-cccc-dddd-eeeeeeeeeeee'],
        continuousAccessEvaluation: true,
        loginUrl: 'http://127.0.0.1:9999',
      },
      database: {
        url: 'postgres://broker:secret@db/tb?sslmode=verify-full',
        migrationUrls: ['postgresql://owner:secret@db:5433/tb'],
        prepare: false,
        batches: false,
        poolSize: 25,
        timeoutMs: 1500,
        ca: first.certificate.trim(),
      },
      auditMode: 'best-effort',
      sessionSecrets: [key('a'), key('b')],
      callersFile: '/callers.json',
      callerRequestsPerMinute: 500,
      entryUrls: { connect: 'http://localhost:8000/c', manage: MINIMAL['ENTRY_URL_MANAGE'] },
      completionUrl: MINIMAL['COMPLETION_URL'],
      people: {
        support: { kind: 'text', value: '+44 20 7946 0000' },
        publisher: 'MEG Support Tools Ltd',
        publisherContact: { kind: 'mail', value: 'Security.Team@megsupportools.com' },
        privacyNoticeUrl: 'https://megsupportools.com/privacy',
      },
      listen: {
        public: { host: '127.0.0.1', port: 1 },
        internal: { host: '::1', port: 2, tls: { certFile: '/tls.crt', keyFile: '/tls.key' } },
        operations: { host: 'localhost', port: 0 },
      },
      operationsReplicas: [
        { host: 'token-broker-operations.megdocs.svc', port: 9090 },
        { host: 'fd00::1', port: 9091 },
      ],
      internalAuthorities: ['broker.internal', 'broker:8081', '[::1]:2'],
      trustedProxies: ['10.0.0.0/8', '2001:db8::/32', '192.0.2.1'],
      logLevel: 'debug',
      keepAlive: { afterDays: 30, letGoAfterDays: 31 },
      harvest: { alertAbove: 700, freezeAbove: 900 },
      drainSeconds: 0,
      warnings: [],
    },
  )
})

t.test('with every variable wrong, every variable is listed at once, and no value', async (t) => {
  // The bell: some variables take any words on one line.
  const wrong = (name: string) => `CANARY-${name.toLowerCase()}=é\u0007`
  const env = Object.fromEntries(NAMES.map((name) => [name, wrong(name)]))
  // A wrong choice of plain HTTP would leave open whether the files are needed.
  const error = t.throws(() => readConfig({ ...env, INTERNAL_PLAIN_HTTP: 'no' }, undefined, NOW)) as ConfigError
  t.same(
    [...new Set(error.problems.map(({ variable }) => variable))].sort(),
    NAMES.filter((name) => name !== 'INTERNAL_PLAIN_HTTP').sort(),
  )
  t.same(problemsOf({ INTERNAL_PLAIN_HTTP: 'perhaps' }), ['INTERNAL_PLAIN_HTTP: is not one of yes, no'])
  for (const { variable, problem } of error.problems) t.ok(error.message.includes(`${variable}: ${problem}`), variable)
  t.notMatch(`${error.message} ${inspect(error, { depth: 9, showHidden: true })} ${JSON.stringify(error)}`, /CANARY-/)
})

t.test('a contact is a mail address, an https URL or other words; nothing else becomes a link', async (t) => {
  const contact = (value: string) => read({ SUPPORT_CONTACT: value }).people.support
  t.same(contact('help@contoso.com'), { kind: 'mail', value: 'help@contoso.com' })
  t.same(contact('https://help.contoso.com/megdocs'), { kind: 'page', value: 'https://help.contoso.com/megdocs' })
  for (const value of [
    'Station 4, ext. 112',
    'help@contoso',
    'javascript:alert(1)',
    'a@b@contoso.com',
    '//contoso.com',
  ])
    t.same(contact(value), { kind: 'text', value })
  t.same(problemsOf({ SUPPORT_CONTACT: 'mailto:help@contoso.com' }), [
    'SUPPORT_CONTACT: begins with mailto: (write the address only)',
  ])
  t.match(problemsOf({ SUPPORT_CONTACT: 'http://contoso.com' }), [/is http/])
  for (const value of ['a\nb', 'a\u202eb', 'a\u2066b', 'x'.repeat(121)])
    t.equal(problemsOf({ PUBLISHER_NAME: value }).length, 1, JSON.stringify(value))
})

t.test('with nothing set, everything that is required is listed', async (t) => {
  const error = t.throws(() => readConfig({}, undefined, NOW)) as ConfigError
  const always = NAMES.filter((name) => (VARIABLES[name] as Variable).required === 'always')
  const either = ['SUBDOMAIN', 'MICROSOFT_CLIENT_SECRET', 'INTERNAL_TLS_CERT_FILE', 'INTERNAL_TLS_KEY_FILE']
  t.same(error.problems.map(({ variable }) => variable).sort(), [...always, ...either].sort())
})

t.test('the message is ready to print: a block for each problem with what was expected and an example', async (t) => {
  t.equal(
    errorOf({ MICROSOFT_CLIENT_ID: 'x', DRAIN_SECONDS: '-1' }).message,
    [
      'The configuration cannot be used: 2 problems.',
      '',
      'MICROSOFT_CLIENT_ID: is not a GUID',
      '  expected  the GUID named "Application (client) ID" in the Azure portal',
      '  example   MICROSOFT_CLIENT_ID=11111111-2222-3333-4444-555555555555',
      '',
      'DRAIN_SECONDS: is not a whole number from 0 to 300',
      '  expected  seconds, a whole number from 0 to 300',
      '  example   DRAIN_SECONDS=10',
    ].join('\n'),
  )
})

t.test('every variable may come from a file, trimmed', async (t) => {
  const values = Object.entries(MINIMAL).filter(([name]) => name !== 'CALLERS_FILE')
  const env = Object.fromEntries(
    values.flatMap(([name]) => [
      [name, undefined],
      [`${name}_FILE`, `/run/${name}`],
    ]),
  )
  const files = Object.fromEntries(values.map(([name, value]) => [`/run/${name}`, `\n ${value}\r\n`]))
  t.same({ ...read(env, files), ...PLAIN }, { ...read(), ...PLAIN })

  const problem = (name: string, changes: Record<string, string | undefined>, files: Record<string, string> = {}) =>
    t.same(problemsOf(changes, files), [name])
  const both = { LOG_LEVEL: 'info', LOG_LEVEL_FILE: '/l' }
  problem('LOG_LEVEL: LOG_LEVEL_FILE is set too: only one of them may be', both, { '/l': 'info' })
  problem('LOG_LEVEL: the file that LOG_LEVEL_FILE names cannot be read (ENOENT)', { LOG_LEVEL_FILE: '/canary' })
  problem('LOG_LEVEL: the file that LOG_LEVEL_FILE names is empty', { LOG_LEVEL_FILE: '/l' }, { '/l': ' \n' })
  problem('CALLERS_FILE: the file cannot be read (ENOENT)', { CALLERS_FILE: '/canary' })
  t.equal(read({ LOG_LEVEL: '', LOG_LEVEL_FILE: '/l' }, { '/l': 'warn' }).logLevel, 'warn', 'set to nothing is not set')

  const dir = t.testdir({ level: 'error\n', 'callers.json': FILES['/callers.json']! })
  const real = { ...MINIMAL, CALLERS_FILE: `${dir}/callers.json`, LOG_LEVEL_FILE: `${dir}/level` }
  t.equal(readConfig(real, undefined, NOW).logLevel, 'error', 'from a real disk')
  const directory = t.throws(() => readConfig({ ...real, LOG_LEVEL_FILE: dir }, undefined, NOW)) as ConfigError
  t.match(directory.problems, [{ problem: 'the file that LOG_LEVEL_FILE names cannot be read (EISDIR)' }])
})

t.test("a name that is nobody's is named, with the one that was meant", async (t) => {
  t.same(problemsOf({ DATABASE_PREPAR: 'off' }), [
    'DATABASE_PREPAR: is not a variable of the broker; did you mean DATABASE_PREPARE?',
  ])
  t.same(problemsOf({ MICROSOFT_CLIENT_SECRET: undefined, MICROSOFT_CLIENTSECRET: 'x' }), [
    'MICROSOFT_CLIENT_SECRET: is not set, nor is MICROSOFT_CLIENT_CERTIFICATE or MICROSOFT_FEDERATED_TOKEN_FILE',
    'MICROSOFT_CLIENTSECRET: is not a variable of the broker; did you mean MICROSOFT_CLIENT_SECRET?',
  ])
  t.same(problemsOf({ TRUSTED_PROXYS_FILE: '/x' }).length, 1)
  t.same(problemsOf({ log_level: 'debug' }).length, 1)
  // Not lost, or only like ours: said, but no reason not to start.
  const { warnings } = read({ MICROSOFT_CLIENT_IDS: 'x', DATABASE_USER: 'x', MICROSOFT_SECRET: 'CANARY' })
  t.match(warnings, [
    { variable: 'MICROSOFT_CLIENT_IDS', problem: /did you mean MICROSOFT_CLIENT_ID\?/ },
    { variable: 'DATABASE_USER', problem: /is not a variable of the broker/ },
    { variable: 'MICROSOFT_SECRET', problem: /did you mean MICROSOFT_CLIENT_SECRET\?/ },
  ])
  t.notMatch(JSON.stringify(warnings), /CANARY/)
  const kubernetes = {
    DATABASE_PORT: 'tcp://10.0.0.1:5432',
    DATABASE_PORT_5432_TCP_ADDR: '10.0.0.1',
    INTERNAL_SERVICE_HOST: 'x',
  }
  t.same(read({ PATH: '/bin', NODE_ENV: 'production', ...kubernetes, DATABASE_SERVICE_PORT_PG: '1' }).warnings, [])
})

t.test('the configuration shows no secret, whichever way it is shown', async (t) => {
  const pair = rsaPair()
  const canaries = {
    MICROSOFT_CLIENT_SECRET: 'abcCANARYsecret-123456 defCANARYsecret-123456',
    MICROSOFT_CLIENT_CERTIFICATE: pair.certificate,
    MICROSOFT_CLIENT_KEY: pair.privateKey,
    MICROSOFT_PREVIOUS_CLIENTS: '22222222-2222-3333-4444-555555555555:ghiCANARYsecret-123456',
    HTTPS_PROXY: 'http://broker:CANARYpassword@proxy:3128',
    DATABASE_URL: 'postgres://broker:CANARYpassword@db/tb',
    DATABASE_MIGRATION_URL: 'postgres://owner:CANARYpassword@db/tb',
    SESSION_SECRETS: `CANARY${key('session')}`,
    RESPONSE_SIGNING_KEY: `broker-1:${key('response')}`,
  }
  const secretNames = NAMES.filter((name) => VARIABLES[name].secret)
  t.same(
    secretNames.filter((name) => !(name in canaries)),
    ['SEALING_KEYS', 'AUDIT_KEYS'],
    'every secret variable is in this test',
  )
  const config = read({ ...canaries, AUDIT_KEYS: `a1:${key('audit')}` })
  const parts = [
    config,
    { wrapped: config },
    config.microsoft,
    config.microsoft.credentials,
    ...config.microsoft.credentials,
    config.microsoft.previousClients,
    ...config.microsoft.previousClients,
  ]
  const more = [
    config.database,
    config.sessionSecrets,
    config.sealingKeys,
    config.sealingKeys[0],
    config.auditKeys,
    config.responseSigningKey,
  ]
  for (const part of [...parts, ...more, maskedConfig(config)]) {
    const shown = `${inspect(part, { depth: 12 })} ${JSON.stringify(part)} ${String(part)}`
    t.notMatch(shown, /CANARY|PRIVATE KEY/)
    for (const secret of [key('sealing'), key('session'), key('response'), key('audit')])
      t.notOk(shown.includes(secret))
  }
  t.match(JSON.parse(JSON.stringify(config)), {
    microsoft: {
      credentials: [
        { kind: 'certificate', certificate: /^thumbprint [0-9A-F]{40}, valid to 2027-02-20T/, privateKey: '***' },
        { kind: 'secret', secret: 'abc***' },
        { kind: 'secret', secret: 'def***' },
      ],
    },
    database: { url: 'postgres://broker:***@db/tb', migrationUrls: ['postgres://owner:***@db/tb'] },
    sealingKeys: ['2026-11:***'],
    auditKeys: ['a1:***'],
    sessionSecrets: ['***'],
    responseSigningKey: 'broker-1:***',
    publicBaseUrl: 'https://audits.megsupportools.com',
  })
  t.equal(config.database.url, canaries.DATABASE_URL, 'who asks for the value itself gets it')
})

t.test('the configuration is frozen to the bottom', async (t) => {
  function thawed(value: unknown, path: string): string[] {
    if (typeof value !== 'object' || value === null || value.constructor.name.endsWith('KeyObject')) return []
    const here = Object.isFrozen(value) ? [] : [path]
    return [...here, ...Object.entries(value).flatMap(([name, child]) => thawed(child, `${path}.${name}`))]
  }
  const config = read({ MICROSOFT_SECRET: 'x', RESPONSE_SIGNING_KEY: `b:${key('b')}`, TRUSTED_PROXIES: '10.0.0.1' })
  t.same(thawed(config, 'config'), [])
})

t.test('every variable is used: config or its checks read it', async (t) => {
  const code = ['config.ts', 'config/checks.ts'].map((file) =>
    readFileSync(new URL(`../src/${file}`, import.meta.url), 'utf8'),
  )
  t.strictSame(
    NAMES.filter((name) => !new RegExp(`\\b${name}\\b`).test(code.join(''))),
    [],
  )
})

t.test('the reference has a row for every variable, and its plain examples are right', async (t) => {
  const rows = configurationTable().split('\n')
  t.equal(rows.length, NAMES.length + 2)
  for (const [index, name] of NAMES.entries()) {
    const { example, secret, default: byDefault, parse, path } = VARIABLES[name] as Variable
    t.ok(rows[index + 2]?.startsWith(`| \`${name}\` |`))
    t.equal(rows[index + 2]?.split(/(?<!\\)\|/).length, 7, 'five cells')
    if (byDefault !== undefined) t.doesNotThrow(() => parse(byDefault), `default of ${name}`)
    if (!secret && path !== true && !/[<…]/.test(example)) t.doesNotThrow(() => parse(example), `example of ${name}`)
  }
})
