import { generateKeyPairSync, randomUUID } from 'node:crypto'
import t from 'tap'
import { generateKey } from '../../src/signature/keygen.ts'
import type { Name } from '../../src/config/variables.ts'
import { key, NOW, problemsOf, read, rsaPair } from './environment-of-tests.ts'

const HTTPS_ONLY = 'is http: only https is allowed, except for localhost and 127.0.0.1'
const NO_URL = 'is not an absolute URL that begins with https://'
const CALLBACK = 'https://audits.megsupportools.com/auth/oauth2/microsoft/callback'

/** Values of one variable with the one problem that each must give; undefined: it is right. */
function rules(
  name: Name,
  values: Record<string, string | undefined>,
  others: Record<string, string | undefined> = {},
): void {
  t.test(`${name} follows its rules`, async (t) => {
    for (const [value, problem] of Object.entries(values)) {
      const changes = { ...others, [name]: value }
      if (problem === undefined) t.doesNotThrow(() => read(changes), `right: ${value}`)
      else t.same(problemsOf(changes), [`${name}: ${problem}`], `wrong: ${value}`)
    }
  })
}

t.test('the host name is audits, the subdomain as it is, and megsupportools.com', async (t) => {
  for (const subdomain of ['', '-staging', 'demo', '7']) {
    t.equal(read({ SUBDOMAIN: subdomain }).redirectUri, CALLBACK.replace('audits', `audits${subdomain}`))
  }
})

rules('SUBDOMAIN', {
  Staging: 'has characters other than a-z 0-9 -',
  '.staging': 'has characters other than a-z 0-9 -',
  'a/b': 'has characters other than a-z 0-9 -',
  a_b: 'has characters other than a-z 0-9 -',
  'staging-': 'does not give a host name: ends in - or is longer than 57',
  ['x'.repeat(58)]: 'does not give a host name: ends in - or is longer than 57',
  ['x'.repeat(57)]: undefined,
  '"demo"': 'has quotes around it',
})

rules(
  'PUBLIC_BASE_URL',
  {
    'https://audits.example.org': undefined,
    'https://audits.example.org:8443/': undefined,
    'http://localhost:3000': undefined,
    'http://127.0.0.1:3000': undefined,
    'http://audits.example.org': HTTPS_ONLY,
    'http://localhost.example.org': HTTPS_ONLY,
    'http://[::1]:3000': HTTPS_ONLY,
    'https://audits.example.org/app': 'has a path or query',
    'https://audits.example.org?': 'has a path or query',
    'https://audits.example.org#': 'has a fragment (#…)',
    'https://user@audits.example.org': 'has a user name or password in it',
    'audits.example.org': NO_URL,
    'https:audits.example.org': NO_URL,
    'https:/audits.example.org': NO_URL,
    'https:\\\\audits.example.org': NO_URL,
    'ftp://audits.example.org': NO_URL,
    'https://': NO_URL,
  },
  { SUBDOMAIN: undefined },
)

const OTHER_PATH =
  'has a path that the callback does not answer: it must be /auth/oauth2/microsoft/callback or /auth/oauth2/microsoft/callback/'
rules('REDIRECT_URI', {
  [CALLBACK]: undefined,
  [`${CALLBACK}/`]: undefined,
  [CALLBACK.replace('callback', 'Callback')]: OTHER_PATH,
  [CALLBACK.replace('/auth', '/x/../auth')]: OTHER_PATH,
  [`${CALLBACK}//`]: OTHER_PATH,
  [`${CALLBACK}?a=b`]: OTHER_PATH,
  [CALLBACK.replace('callback', 'c%61llback')]: OTHER_PATH,
  'https://audits.megsupportools.com': OTHER_PATH,
  [`${CALLBACK}#`]: 'has a fragment (#…)',
  [CALLBACK.replace('https:', 'http:')]: HTTPS_ONLY,
  [CALLBACK.replace('audits.', 'Audits.')]: 'has a host in other than its plain form (lower case, no default port)',
  [CALLBACK.replace('.com', '.com:443')]: 'has a host in other than its plain form (lower case, no default port)',
  [CALLBACK.replace('audits.', 'other.')]: 'is not on the scheme and host of the public base URL',
  callback: NO_URL,
})

t.test('REDIRECT_URI cannot be what Microsoft does not register', async (t) => {
  const host = `https://${'a.'.repeat(110)}example.org`
  const uri = `${host}/auth/oauth2/microsoft/callback/`
  t.same(problemsOf({ SUBDOMAIN: undefined, PUBLIC_BASE_URL: host, REDIRECT_URI: uri }), [
    'REDIRECT_URI: is longer than the 256 characters that Microsoft registers',
  ])
  for (const character of "!$'(),;*") {
    const problems = problemsOf({ REDIRECT_URI: `${CALLBACK}${character}` })
    t.ok(problems.includes("REDIRECT_URI: has one of ! $ ' ( ) , ; * which Microsoft does not register"), character)
  }
})

rules('MICROSOFT_CLIENT_ID', { 'my-app': 'is not a GUID', 'AAAAAAAA-BBBB-CCCC-DDDD-EEEEEEEEEEEE': undefined })

const SECRET_ID = 'is a GUID: that is the id of a secret; the secret itself is the column "Value"'
rules('MICROSOFT_CLIENT_SECRET', {
  'kYz8Q~abcdefghijklmnopqrstuvwx.yz_0123-4': undefined,
  [randomUUID()]: SECRET_ID,
  [randomUUID().toUpperCase()]: SECRET_ID,
  [`kYz8Q~abcdefghijklmnopqrst,${randomUUID()}`]: `entry 2 ${SECRET_ID}`,
  'kYz8Q~abcdefghijklmnopqrst kYz8Q~abcdefghijklmnopqrst': 'entry 2 is in the list twice',
  changeme: 'is a placeholder',
  XXXXXXXXXXXXXXXXXXXX: 'is a placeholder',
  'short-1234': 'is not 16 to 64 characters long',
})

rules('MICROSOFT_TENANT', {
  common: undefined,
  consumers: undefined,
  Organizations: undefined,
  'contoso.onmicrosoft.com': undefined,
  'aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee': undefined,
  contoso: 'is neither common, organizations, consumers, a tenant id nor a domain',
  'common/': 'is neither common, organizations, consumers, a tenant id nor a domain',
  'a..b.com': 'is neither common, organizations, consumers, a tenant id nor a domain',
})
rules('ALLOWED_TENANTS', { 'contoso.com': 'is not a GUID', [`${randomUUID()},x`]: 'entry 2 is not a GUID' })
rules('MICROSOFT_LOGIN_URL', {
  'https://login.microsoftonline.us/': undefined,
  'https://login.example.org/common': 'has a path or query',
})

rules('DATABASE_URL', {
  'postgresql://broker@db/tb': undefined,
  'postgres://broker:x@[::1]:5432/tb?sslmode=require': undefined,
  'mysql://broker:x@db/tb': 'is not a postgres:// URL (or has characters that must be percent-encoded)',
  'postgres://broker:p/w@db/tb': 'is not a postgres:// URL (or has characters that must be percent-encoded)',
  'postgres://broker@/tb': 'is not a postgres:// URL (or has characters that must be percent-encoded)',
  'postgres://db/tb': 'names no user',
  'postgres://broker@db': 'names no database',
  'postgres://broker:x@db1:5432,db2:5433/tb?sslmode=verify-full&target_session_attrs=read-write': undefined,
  'postgres://broker@db1,[::1]/tb': undefined,
  'postgres://broker@db1,,db2/tb': 'has an empty place in its list of hosts',
  'postgres://broker@db1:1,db1:1/tb': 'names a host twice',
  'postgres://broker@db1:x,db2/tb': 'is not a postgres:// URL (or has characters that must be percent-encoded)',
  'postgres://broker@db1,db2/tb?target_session_attrs=standby':
    'has target_session_attrs other than any, read-write, primary: the service needs a host that takes writes',
  'postgres://broker@db/tb?options=-c': 'has parameters other than sslmode and target_session_attrs',
  'postgres://broker@db/tb?sslmode=verify-ca': 'has an sslmode other than disable, prefer, require, verify-full',
})
t.test('a database URL that names nothing has every problem listed', async (t) => {
  t.same(problemsOf({ DATABASE_URL: 'postgres:///' }), [
    'DATABASE_URL: names no host',
    'DATABASE_URL: names no user',
    'DATABASE_URL: names no database',
  ])
})
rules('DATABASE_SERVING_ROLE', {
  'a b': 'is not the name of a role',
  'a"b': 'is not the name of a role',
  [`${'a'.repeat(64)}`]: 'is not the name of a role',
})
rules('DATABASE_MIGRATION_URL', { 'postgres://owner@db': 'names no database' })
rules('DATABASE_BATCHES', { on: undefined, off: undefined, true: 'is not one of on, off' })
rules('DATABASE_PREPARE', { on: undefined, off: undefined, true: 'is not one of on, off', ON: 'is not one of on, off' })

const NUMBERS: [Name, number, number][] = [
  ['DATABASE_POOL_SIZE', 1, 200],
  ['DATABASE_DEADLINE_MS', 100, 30_000],
  ['KEEP_ALIVE_AFTER_DAYS', 1, 80],
  ['LET_GO_AFTER_DAYS', 46, 3650],
  ['DRAIN_SECONDS', 0, 300],
]
for (const [name, min, max] of NUMBERS) {
  const first = name === 'LET_GO_AFTER_DAYS' ? 1 : min
  const problem = `is not a whole number from ${first} to ${max}`
  rules(name, { [min]: undefined, [max]: undefined, [max + 1]: problem, '-1': problem, '1.5': problem, '1e2': problem })
  if (first > 0) rules(name, { 0: problem })
}

rules('DATABASE_CA', { 'no pem': 'holds no PEM certificate' })
rules('SESSION_SECRETS', {
  [key('a')]: undefined,
  [key('a').slice(0, 31)]: 'is shorter than 32 characters',
  [`${key('a')},${key('b').slice(0, 31)}`]: 'entry 2 is shorter than 32 characters',
  [`${key('a')} ${key('a')}`]: 'entry 2 is in the list twice',
  'change-me-to-something-that-is-long-enough': 'is a placeholder',
  abababababababababababababababababab: 'is a placeholder',
  ['X'.repeat(40)]: 'is a placeholder',
})
rules('SEALING_KEYS', {
  [`a:${key('a')}`]: undefined,
  'a:changeme': 'entry 1 (a): a placeholder, not a key; make one with: token-broker keygen',
  [key('a')]: 'entry 1: expected key_id:key',
})

const ed25519 = generateKeyPairSync('ed25519').privateKey
const pkcs8 = ed25519.export({ type: 'pkcs8', format: 'der' })
rules('RESPONSE_SIGNING_KEY', {
  [`broker-1:${pkcs8.subarray(-32).toString('base64url')}`]: undefined,
  [`broker-1:${pkcs8.toString('base64')}`]: undefined,
  'broker-1': 'is not key_id:key',
  [pkcs8.toString('base64')]: 'is not key_id:key',
  'broker-1:c2hvcnQ': 'is no Ed25519 private key after the colon',
  [`broker-1:${pkcs8.subarray(1).toString('base64')}`]: 'is no Ed25519 private key after the colon',
  [`broker 1:${key('a')}`]: 'has a key id of other characters than A-Z a-z 0-9 . _ : / -',
  'broker-1:XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX': 'is a placeholder',
})
t.test('RESPONSE_SIGNING_KEY is one key in both its forms, and takes what keygen prints', async (t) => {
  const forms = [pkcs8.subarray(-32).toString('base64url'), pkcs8.toString('base64')]
  for (const form of forms) t.ok(read({ RESPONSE_SIGNING_KEY: `b:${form}` }).responseSigningKey?.key.equals(ed25519))
  const { caller } = generateKey('ed25519', 'broker', NOW + 86_400_000, NOW)
  t.equal(
    read({ RESPONSE_SIGNING_KEY: `${caller.key_id}:${caller.private_key}` }).responseSigningKey?.keyId,
    caller.key_id,
  )
})

for (const name of ['ENTRY_URL_CONNECT', 'ENTRY_URL_MANAGE', 'COMPLETION_URL'] as const) {
  rules(name, {
    'https://docs.example.org/microsoft?a=b': undefined,
    '/microsoft': NO_URL,
    'javascript://alert(1)': NO_URL,
    'https://docs.example.org/#top': 'has a fragment (#…)',
    'https://user:word@docs.example.org/': 'has a user name or password in it',
    'http://docs.example.org/': HTTPS_ONLY,
    'http://localhost/': 'is http although the public base URL is https',
  })
}
rules('COMPLETION_URL', {
  'https://docs.example.org/?connect_session=1': 'has connect_session in its query, which the broker adds',
  'https://docs.example.org/?handle=1': 'has handle in its query, which the broker adds',
})

for (const name of ['PUBLIC_LISTEN', 'INTERNAL_LISTEN', 'OPERATIONS_LISTEN'] as const) {
  rules(name, {
    '127.0.0.1:0': undefined,
    '[::]:8443': undefined,
    '8080': 'is not host:port',
    ':8080': 'is not host:port',
    '::1:8080': 'is not host:port',
    '[127.0.0.1]:80': 'is not host:port',
    '0.0.0.0:65536': 'is not host:port',
    'http://0.0.0.0:80': 'is not host:port',
  })
}
rules('OPERATIONS_LISTEN', { '0.0.0.0:8080': 'is the same as that of another listener' })

const NO_AUTHORITY = 'is not host or host:port (no scheme, no path)'
rules('INTERNAL_AUTHORITIES', {
  'broker, broker.megdocs.svc.cluster.local:8081': undefined,
  '[fd00::1]:8081': undefined,
  'https://broker': NO_AUTHORITY,
  'broker/': NO_AUTHORITY,
  'broker:99999': NO_AUTHORITY,
  '.broker': NO_AUTHORITY,
  'a,b,-c': `entry 3 ${NO_AUTHORITY}`,
})
rules('TRUSTED_PROXIES', {
  '10.0.0.0/8 fd00::/8,192.0.2.7': undefined,
  ingress: 'is not an address or CIDR range',
  '10.0.0.0/33': 'is not an address or CIDR range',
  '10.0.0.0/': 'is not an address or CIDR range',
  '10.0.0/8': 'is not an address or CIDR range',
  '0.0.0.0/0': 'covers every address: any client could claim to be any other',
  '::/0': 'covers every address: any client could claim to be any other',
})
rules('LOG_LEVEL', { silent: undefined, verbose: 'is not one of fatal, error, warn, info, debug, trace, silent' })
rules('INTERNAL_PLAIN_HTTP', { true: 'is not one of yes, no' })

t.test('certificates and private keys that cannot serve are refused', async (t) => {
  const good = rsaPair()
  const right = { MICROSOFT_CLIENT_CERTIFICATE: good.certificate, MICROSOFT_CLIENT_KEY: good.privateKey }
  const certificate = (value: string) => problemsOf({ ...right, MICROSOFT_CLIENT_CERTIFICATE: value })
  const privateKey = (value: string) => problemsOf({ ...right, MICROSOFT_CLIENT_KEY: value })
  const broken = good.certificate.replace(/\n.{20}/, '\nAAAAAAAAAAAAAAAAAAAA')
  t.same(certificate('no pem'), ['MICROSOFT_CLIENT_CERTIFICATE: holds no PEM certificate'])
  t.same(certificate(good.privateKey), ['MICROSOFT_CLIENT_CERTIFICATE: holds no PEM certificate'])
  t.same(certificate(broken), ['MICROSOFT_CLIENT_CERTIFICATE: certificate 1 cannot be read'])
  t.same(certificate(rsaPair(1024).certificate), [
    'MICROSOFT_CLIENT_CERTIFICATE: certificate 1 is not RSA of at least 2048 bits',
  ])

  const encrypted = generateKeyPairSync('rsa', { modulusLength: 2048 })
    .privateKey.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' })
    .toString()
  t.same(privateKey('no pem'), ['MICROSOFT_CLIENT_KEY: holds no PEM private key'])
  t.same(privateKey(encrypted), ['MICROSOFT_CLIENT_KEY: private key 1 cannot be read: it is encrypted'])
  t.same(problemsOf({ DATABASE_CA: broken }), ['DATABASE_CA: holds a certificate that cannot be read'])

  const oneLine = { ...right, MICROSOFT_CLIENT_KEY: good.privateKey.replaceAll('\n', '\\n') }
  t.equal(read(oneLine).microsoft.credentials.length, 2, 'PEM in one line, its line breaks written out')
})
