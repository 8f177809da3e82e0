import t from 'tap'
import { callers, key, problemsOf, read, rsaPair } from './environment-of-tests.ts'

t.test('exactly one of SUBDOMAIN and PUBLIC_BASE_URL is taken', async (t) => {
  const base = { PUBLIC_BASE_URL: 'https://docs.example.org' }
  t.same(problemsOf({ SUBDOMAIN: undefined }), ['SUBDOMAIN: is not set, nor is PUBLIC_BASE_URL'])
  t.same(problemsOf({ SUBDOMAIN: '-a', ...base }), ['PUBLIC_BASE_URL: is set although SUBDOMAIN is: only one may be'])
  t.equal(read({ SUBDOMAIN: '', ...base }).publicBaseUrl, base.PUBLIC_BASE_URL, 'an empty SUBDOMAIN gives way')
  t.equal(read({ SUBDOMAIN: '', PUBLIC_BASE_URL: '' }).publicBaseUrl, 'https://audits.megsupportools.com')
})

t.test('a redirect URI on another host than the browser session is refused', async (t) => {
  const base = { SUBDOMAIN: undefined, PUBLIC_BASE_URL: 'http://localhost:3000' }
  const at = (uri: string) => problemsOf({ ...base, REDIRECT_URI: uri })
  const problem = ['REDIRECT_URI: is not on the scheme and host of the public base URL']
  t.same(at('http://127.0.0.1:3000/auth/oauth2/microsoft/callback'), problem)
  t.same(at('https://localhost:3000/auth/oauth2/microsoft/callback'), problem)
})

t.test('a certificate and its private key come together', async (t) => {
  const [one, two] = [rsaPair(), rsaPair()]
  const only = { MICROSOFT_CLIENT_SECRET: undefined }
  t.same(problemsOf(only), [
    'MICROSOFT_CLIENT_SECRET: is not set, nor is MICROSOFT_CLIENT_CERTIFICATE or MICROSOFT_FEDERATED_TOKEN_FILE',
  ])
  t.same(problemsOf({ MICROSOFT_CLIENT_CERTIFICATE: one.certificate }), [
    'MICROSOFT_CLIENT_KEY: is not set, and MICROSOFT_CLIENT_CERTIFICATE is',
  ])
  t.same(problemsOf({ MICROSOFT_CLIENT_KEY: one.privateKey }), [
    'MICROSOFT_CLIENT_CERTIFICATE: is not set, and MICROSOFT_CLIENT_KEY is',
  ])
  t.same(problemsOf({ MICROSOFT_CLIENT_CERTIFICATE: one.certificate, MICROSOFT_CLIENT_KEY: two.privateKey }), [
    'MICROSOFT_CLIENT_KEY: certificate 1 belongs to none of the private keys',
    'MICROSOFT_CLIENT_KEY: 1 of the private keys in it fit none of the certificates',
  ])
  const right = { ...only, MICROSOFT_CLIENT_CERTIFICATE: one.certificate, MICROSOFT_CLIENT_KEY: one.privateKey }
  t.match(read(right).microsoft.credentials, [{ kind: 'certificate' }], 'a certificate alone is enough')
})

t.test('a federated token is the only credential', async (t) => {
  const file = { MICROSOFT_FEDERATED_TOKEN_FILE: '/tokens/one' }
  const { credentials } = read({ ...file, MICROSOFT_CLIENT_SECRET: undefined }).microsoft
  t.same(credentials, [{ kind: 'federated', file: '/tokens/one' }], 'and its file need not be there yet')
  const problem = 'is set although MICROSOFT_FEDERATED_TOKEN_FILE is: remove one'
  t.same(problemsOf(file), [`MICROSOFT_CLIENT_SECRET: ${problem}`])
  t.same(problemsOf({ MICROSOFT_FEDERATED_TOKEN_FILE: 'tokens/one', MICROSOFT_CLIENT_SECRET: undefined }), [
    'MICROSOFT_FEDERATED_TOKEN_FILE: is not an absolute path',
  ])
  const { certificate, privateKey } = rsaPair()
  const pair = { MICROSOFT_CLIENT_CERTIFICATE: certificate, MICROSOFT_CLIENT_KEY: privateKey }
  t.same(problemsOf({ ...file, ...pair, MICROSOFT_CLIENT_SECRET: undefined }), [
    `MICROSOFT_CLIENT_CERTIFICATE: ${problem}`,
    `MICROSOFT_CLIENT_KEY: ${problem}`,
  ])
})

t.test('what Azure’s webhook sets is used only where nothing of ours names a client or a credential', async (t) => {
  const nothing = { MICROSOFT_CLIENT_ID: undefined, MICROSOFT_CLIENT_SECRET: undefined }
  const injected = {
    AZURE_CLIENT_ID: '99999999-2222-3333-4444-555555555555',
    AZURE_FEDERATED_TOKEN_FILE: '/var/run/secrets/azure/tokens/azure-identity-token',
    AZURE_TENANT_ID: 'aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee',
    AZURE_AUTHORITY_HOST: 'https://login.microsoftonline.us/',
  }
  const { microsoft, warnings } = read({ ...nothing, ...injected })
  t.match(microsoft, {
    clientId: injected.AZURE_CLIENT_ID,
    credentials: [{ kind: 'federated', file: injected.AZURE_FEDERATED_TOKEN_FILE }],
    loginUrl: 'https://login.microsoftonline.com',
  })
  t.equal(microsoft.tenant, 'organizations', 'the tenant of the cluster would lock out every other organisation')
  t.same(warnings, [])
  t.match(read(injected).microsoft, {
    clientId: '11111111-2222-3333-4444-555555555555',
    credentials: [{ kind: 'secret' }],
  })
  t.same(
    problemsOf({ ...injected, MICROSOFT_CLIENT_SECRET: undefined }),
    ['MICROSOFT_CLIENT_SECRET: is not set, nor is MICROSOFT_CLIENT_CERTIFICATE or MICROSOFT_FEDERATED_TOKEN_FILE'],
    'a client of ours does not get the credential of another component',
  )
  t.match(
    problemsOf({ ...injected, MICROSOFT_CLIENT_ID: undefined, MICROSOFT_CLIENT_SECRET: 'short' }),
    ['MICROSOFT_CLIENT_ID: is not set', 'MICROSOFT_CLIENT_SECRET: is not 16 to 64 characters long'],
    'nor one that is set and wrong',
  )
  t.match(problemsOf({ ...nothing, AZURE_CLIENT_ID: injected.AZURE_CLIENT_ID }), [
    /MICROSOFT_CLIENT_ID: is not set/,
    /./,
  ])
})

t.test('a tenant that is not among the allowed ones is refused', async (t) => {
  const tenant = 'aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee'
  const other = 'ffffffff-bbbb-cccc-dddd-eeeeeeeeeeee'
  t.same(problemsOf({ MICROSOFT_TENANT: tenant, ALLOWED_TENANTS: other }), [
    'ALLOWED_TENANTS: does not include the tenant of MICROSOFT_TENANT: no user could connect',
  ])
  t.same(read({ MICROSOFT_TENANT: tenant, ALLOWED_TENANTS: `${other} ${tenant}` }).microsoft.allowedTenants, [
    other,
    tenant,
  ])
})

t.test('an authority for Postgres goes with verification only', async (t) => {
  const ca = rsaPair().certificate
  const url = (mode: string) => `postgres://broker@db/tb${mode}`
  const problem = 'has another sslmode than verify-full, although DATABASE_CA is set'
  t.same(problemsOf({ DATABASE_CA: ca, DATABASE_URL: url('?sslmode=require') }), [`DATABASE_URL: ${problem}`])
  t.same(problemsOf({ DATABASE_CA: ca, DATABASE_MIGRATION_URL: url('?sslmode=disable') }), [
    `DATABASE_MIGRATION_URL: ${problem}`,
  ])
  for (const mode of ['', '?sslmode=verify-full']) {
    t.equal(read({ DATABASE_CA: ca, DATABASE_URL: url(mode) }).database.ca, ca.trim())
  }
})

t.test('the signed API has TLS that fits, or plain HTTP that was chosen', async (t) => {
  const [one, two] = [rsaPair(), rsaPair()]
  const files = { '/crt': one.certificate, '/key': one.privateKey, '/other': two.privateKey, '/empty': '\n' }
  const tls = (cert?: string, privateKey?: string, plain?: string) =>
    problemsOf({ INTERNAL_PLAIN_HTTP: plain, INTERNAL_TLS_CERT_FILE: cert, INTERNAL_TLS_KEY_FILE: privateKey }, files)
  const unset = 'is not set, and plain HTTP was not chosen (INTERNAL_PLAIN_HTTP=yes)'
  t.same(tls(), [`INTERNAL_TLS_CERT_FILE: ${unset}`, `INTERNAL_TLS_KEY_FILE: ${unset}`])
  t.same(tls('/crt', undefined, 'no'), [`INTERNAL_TLS_KEY_FILE: ${unset}`])
  t.same(tls('/crt', '/missing'), ['INTERNAL_TLS_KEY_FILE: the file cannot be read (ENOENT)'])
  t.same(tls('/crt', '/empty'), ['INTERNAL_TLS_KEY_FILE: the file is empty'])
  const misfit = ['INTERNAL_TLS_CERT_FILE: does not hold the certificate of the private key in INTERNAL_TLS_KEY_FILE']
  t.same(tls('/crt', '/other'), misfit)
  t.same(tls('/key', '/crt'), misfit, 'the two mixed up')
  t.same(tls('/crt', '/key', 'yes'), [
    'INTERNAL_PLAIN_HTTP: is yes although INTERNAL_TLS_CERT_FILE or INTERNAL_TLS_KEY_FILE is set',
  ])
})

t.test('the callers file is judged with the rest', async (t) => {
  const broken = JSON.stringify({
    callers: [{ name: 'megdocs', permissions: ['tokens:read'], keys: [{ key_id: 'CANARY' }] }],
  })
  const problems = problemsOf({ DRAIN_SECONDS: 'x' }, { '/callers.json': broken })
  t.ok(problems.some((problem) => problem.startsWith('CALLERS_FILE: at callers[0].keys[0].secret: expected ')))
  t.ok(problems.some((problem) => problem.startsWith('DRAIN_SECONDS: ')))
  t.notMatch(problems.join(), /CANARY/)
  t.same(problemsOf({}, { '/callers.json': '{' }), ['CALLERS_FILE: at $: expected valid JSON'])
  t.same(problemsOf({}, { '/callers.json': ' ' }), ['CALLERS_FILE: the file is empty'])
})

t.test('a caller with an ed25519 key needs the key that signs answers, unless it wants none signed', async (t) => {
  t.same(problemsOf({}, { '/callers.json': callers('ed25519') }), [
    'RESPONSE_SIGNING_KEY: is not set, and a caller has an ed25519 key',
  ])
  t.equal(read({}, { '/callers.json': callers('ed25519', { sign_responses: false }) }).responseSigningKey, undefined)
  const signing = { RESPONSE_SIGNING_KEY: `broker-1:${key('response')}` }
  t.equal(read(signing, { '/callers.json': callers('ed25519') }).responseSigningKey?.keyId, 'broker-1')
})

t.test('continuous access evaluation needs callers that pass challenges on', async (t) => {
  const on = { CONTINUOUS_ACCESS_EVALUATION: 'on' }
  const refused = [
    'CONTINUOUS_ACCESS_EVALUATION: is on, and these callers with tokens:read do not have "claims_challenges": true: megdocs',
  ]
  t.same(problemsOf(on), refused)
  t.same(problemsOf(on, { '/callers.json': callers('hmac-sha256', { claims_challenges: false }) }), refused)
  t.same(problemsOf(on, { '/callers.json': callers('hmac-sha256', { claims_challenges: 'yes' }) }), [
    'CALLERS_FILE: at callers[0].claims_challenges: expected true or false',
  ])
  const promised = { '/callers.json': callers('hmac-sha256', { claims_challenges: true }) }
  t.equal(read(on, promised).microsoft.continuousAccessEvaluation, true)
  t.equal(read({}, promised).microsoft.continuousAccessEvaluation, false, 'off by default')
  const others = { '/callers.json': callers('hmac-sha256', { permissions: ['events:read'] }) }
  t.equal(read(on, others).microsoft.continuousAccessEvaluation, true, 'callers that get no tokens do not matter')
})

t.test('an integration is let go later than it is kept alive', async (t) => {
  t.same(problemsOf({ LET_GO_AFTER_DAYS: '45' }), ['LET_GO_AFTER_DAYS: is not more than KEEP_ALIVE_AFTER_DAYS'])
})
