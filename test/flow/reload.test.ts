import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { request } from 'undici'
import { selfSignedCertificate, toPem } from '../../sandbox/entra/certificate.ts'
import { readContents } from '../../src/config/configured-files.ts'
import { generateSealingKey } from '../../src/crypto/keyring.ts'
import { keyIdOf } from '../../src/crypto/vault.ts'
import { createReload } from '../../src/reload.ts'
import { readiness } from '../../src/readiness.ts'
import { generateKey } from '../../src/signature/keygen.ts'
import { signingKey } from '../../src/signature/keys.ts'
import { call } from '../http/signed-call.ts'
import { startWorld, type World } from '../support/world.ts'

// Configured files change while the process runs (docs/design.md#configuration).

const DAY_MS = 86_400_000
const world = await startWorld(t)

const responseKey = (id: string) => {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const seed = privateKey.export({ format: 'der', type: 'pkcs8' }).subarray(16).toString('base64')
  return { line: `${id}:${seed}`, key: { algorithm: 'ed25519' as const, key: publicKey } }
}

/** A replica whose values are in files, with a function that writes some of them and compares. */
async function withFiles(t: Test, values: Record<string, string>, to: World = world) {
  const folder = t.testdir()
  const path = (name: string) => join(folder, name)
  const changes: Record<string, string> = {}
  for (const [name, value] of Object.entries(values)) {
    writeFileSync(path(name), value)
    if (name.endsWith('_FILE')) changes[name] = path(name)
    else Object.assign(changes, { [name]: '', [`${name}_FILE`]: path(name) })
  }
  const contents = readContents({ ...to.env, ...changes })
  const replica = await to.startReplica(changes)
  const { server } = replica.internal
  const reload = createReload({ ...to.env, ...changes }, replica.services, { contents, server })
  return {
    replica,
    reload,
    async change(next: Record<string, string>) {
      for (const [name, value] of Object.entries(next)) writeFileSync(path(name), value)
      await reload.check()
    },
    refused: async () => (await readiness(replica.services)).refused_changes,
  }
}

const callersText = readFileSync(world.env['CALLERS_FILE']!, 'utf8')
const withCaller = (entry: object): string =>
  JSON.stringify({ callers: [...(JSON.parse(callersText) as { callers: object[] }).callers, entry] })

t.test('a callers file that would stop the next start is not taken, and everybody is told', async (t) => {
  const { replica, change, refused } = await withFiles(t, { CALLERS_FILE: callersText })
  const now = Date.now()
  const newcomer = generateKey('ed25519', 'newcomer', now + DAY_MS, now - 60_000)
  const key = signingKey(newcomer.caller.key_id, 'ed25519', newcomer.caller.private_key!)
  const ask = () => call(world, { method: 'GET', path: '/tokens/nobody', key, to: replica })
  await change({ CALLERS_FILE: withCaller({ name: 'n', permissions: ['tokens:read'], keys: [newcomer.broker] }) })
  t.match(await ask(), { status: 401 }, 'never answered, so never answered unsigned')
  t.match(await call(world, { method: 'GET', path: '/tokens/nobody', to: replica }), {
    status: 404,
    signature: 'verified',
  })
  t.same(
    (await refused()).map(({ variable }) => variable),
    ['RESPONSE_SIGNING_KEY'],
  )
  t.match(await replica.services.metrics.registry.metrics(), /refused_change\{variable="RESPONSE_SIGNING_KEY"\} 1/)
  t.match(replica.logged(), /"level":"error".*"refused_changes":\[\{"variable":"RESPONSE_SIGNING_KEY"/)
  const lines = replica.logged().length
  await change({})
  t.equal(replica.logged().length, lines, 'said once for each content')

  await change({ CALLERS_FILE: callersText })
  t.same(await refused(), [])
  t.notMatch(await replica.services.metrics.registry.metrics(), /refused_change\{/)
})

t.test('a new key for answers and a caller that needs it are taken together', async (t) => {
  const [first, second] = [responseKey('a-1'), responseKey('a-2')]
  const { replica, change } = await withFiles(t, { CALLERS_FILE: callersText, RESPONSE_SIGNING_KEY: first.line })
  const newcomer = generateKey('ed25519', 'newcomer', Date.now() + DAY_MS, Date.now() - 60_000)
  const key = signingKey(newcomer.caller.key_id, 'ed25519', newcomer.caller.private_key!)
  const ask = (answerKey: typeof first.key) =>
    call(world, { method: 'GET', path: '/tokens/nobody', key, answerKey: { keyId: 'a', ...answerKey }, to: replica })
  await change({
    CALLERS_FILE: withCaller({ name: 'n', permissions: ['tokens:read'], keys: [newcomer.broker] }),
    RESPONSE_SIGNING_KEY: second.line,
  })
  t.equal((await ask(second.key)).status, 404)
  t.match(String((await ask(second.key)).headers['signature-input']), /keyid="a-2"/)
})

t.test('a broken file keeps no other file from being taken', async (t) => {
  const extra = generateKey('hmac-sha256', 'leaked', Date.now() + DAY_MS, Date.now() - 60_000)
  const key = signingKey(extra.caller.key_id, 'hmac-sha256', extra.caller.secret!)
  const { replica, change, refused } = await withFiles(t, {
    CALLERS_FILE: withCaller({ name: 'leaked', permissions: ['tokens:read'], keys: [extra.broker] }),
    SESSION_SECRETS: world.secrets.sessionSecrets,
    DATABASE_URL: world.env['DATABASE_URL']!,
  })
  const ask = () => call(world, { method: 'GET', path: '/tokens/nobody', key, to: replica })
  t.equal((await ask()).status, 404)
  await change({ CALLERS_FILE: callersText, SESSION_SECRETS: 'short', DATABASE_URL: 'mysql://' })
  t.equal((await ask()).status, 401, 'a leaked key is out at once')
  t.same((await refused()).map(({ variable }) => variable).sort(), ['DATABASE_URL', 'SESSION_SECRETS'])
  t.equal(replica.services.rotating.sessionSecrets[0], world.secrets.sessionSecrets, 'the old one stays')
  t.notMatch(replica.logged(), /mysql/)
})

t.test('a new session secret is used at once, and cookies of the old one count while it is listed', async (t) => {
  const old = world.secrets.sessionSecrets
  const { replica, change } = await withFiles(t, { SESSION_SECRETS: old })
  const { url } = await replica.caller.beginConnect('cookie', { intent: 'manage' })
  const visit = async (path: string, cookie?: string) => {
    const answer = await request(replica.publicUrl + path, cookie === undefined ? {} : { headers: { cookie } })
    await answer.body.dump()
    const line = [answer.headers['set-cookie'] ?? []].flat()[0]
    return { status: answer.statusCode, cookie: line?.split(';')[0] ?? cookie }
  }
  const first = await visit(new URL(url).pathname)
  const second = await visit(new URL(url).pathname, first.cookie)
  const account = () => visit('/accounts/account/microsoft/', second.cookie)
  t.equal((await account()).status, 200)
  const next = randomBytes(32).toString('base64url')
  await change({ SESSION_SECRETS: `${next},${old}` })
  t.equal((await account()).status, 200)
  await change({ SESSION_SECRETS: next })
  t.equal((await account()).status, 403)
})

t.test('sealing keys change without a restart, and a key that is still needed cannot be taken away', async (t) => {
  const own = await startWorld(t)
  const old = own.secrets.sealingKeys
  const next = generateSealingKey('next')
  const { replica, change, refused } = await withFiles(t, { SEALING_KEYS: old }, own)
  await own.connect('before')
  await change({ SEALING_KEYS: next })
  t.match(await refused(), [{ variable: 'SEALING_KEYS', problem: /lacks sandbox-1/ }])
  t.equal((await replica.caller.token('before')).user_id, 'before')
  await change({ SEALING_KEYS: `${next},${old}` })
  t.same(await refused(), [])
  t.same(replica.services.vault.keyIds, ['next', 'sandbox-1'])
  const { generation } = await replica.caller.token('before')
  await replica.caller.refresh('before', generation)
  t.equal(keyIdOf((await own.row('before'))!['refresh_token'] as Buffer), 'next')
  t.match(await replica.services.metrics.registry.metrics(), /sealing_key_info\{key_id="next",use="seals"\} 1/)
})

t.test('a new client secret is used from the next exchange on', async (t) => {
  const [OLD, NEW] = ['kYz8Q~bcJ4mWq.x7TnR_pLs9vDfHgAeUo2iKzX3', 'mTr8Q~Zq5vNd.h2LbW_sKy8cPfJgXaEo6iUzR4']
  const own = await startWorld(t, { env: { MICROSOFT_CLIENT_SECRET: OLD } })
  own.entra.control.configureApp({ clientSecrets: [OLD] })
  const { replica, change } = await withFiles(t, { MICROSOFT_CLIENT_SECRET: OLD }, own)
  await own.connect('42')
  await change({ MICROSOFT_CLIENT_SECRET: NEW })
  own.entra.control.configureApp({ clientSecrets: [NEW] })
  const { generation } = await replica.caller.token('42')
  t.ok((await replica.caller.refresh('42', generation)).generation > generation)
})

t.test('a certificate that TLS cannot use is refused, and the old one stays', async (t) => {
  const pair = () => {
    const keys = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const times = { notBefore: Date.now() - DAY_MS, notAfter: Date.now() + DAY_MS }
    return {
      cert: toPem(selfSignedCertificate(keys, { commonName: 'broker', ...times })),
      key: keys.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    }
  }
  const [first, second] = [pair(), pair()]
  const { replica, change, refused } = await withFiles(t, {
    INTERNAL_PLAIN_HTTP: 'no',
    INTERNAL_TLS_CERT_FILE: first.cert,
    INTERNAL_TLS_KEY_FILE: first.key,
  })
  await change({ INTERNAL_TLS_CERT_FILE: second.cert })
  t.match(await refused(), [{ variable: 'INTERNAL_TLS_CERT_FILE' }])
  t.equal(replica.services.internalTls!.current().cert, first.cert)
  await change({ INTERNAL_TLS_KEY_FILE: second.key })
  t.same(await refused(), [])
  t.equal(replica.services.internalTls!.current().cert, second.cert)
})

t.test('while the database does not answer, new sealing keys are neither taken nor refused', async (t) => {
  const own = await startWorld(t)
  const { replica, change, reload, refused } = await withFiles(t, { SEALING_KEYS: own.secrets.sealingKeys }, own)
  const keys = `${own.secrets.sealingKeys},${generateSealingKey('next')}`
  const { database } = replica.services
  const run = database.run
  database.run = () => Promise.reject(new Error('down'))
  await change({ SEALING_KEYS: keys })
  t.equal(replica.services.vault.keyIds.length, 1)
  database.run = run
  t.same(await refused(), [])
  await reload.check()
  t.equal(replica.services.vault.keyIds.length, 2, 'taken at the next check')
})

t.test(
  'the log level changes, at every listener; one that is not a level is refused and the old one stays',
  async (t) => {
    const { replica, change, refused } = await withFiles(t, { LOG_LEVEL: 'info' })
    const linesOf = async () => {
      const before = replica.logged().length
      await call(world, { method: 'GET', path: '/tokens/nobody', to: replica })
      await request(`${replica.publicUrl}/nowhere`)
      return replica.logged().slice(before)
    }
    await change({ LOG_LEVEL: 'warn' })
    t.match(replica.logged(), /"log_level":"warn","msg":"the log level changes"/)
    const quiet = await linesOf()
    t.notMatch(quiet, /"request failed"|"page failed"|"answered"/)
    t.match(quiet, /"audit":"refused"/, 'no level silences audit lines')

    await change({ LOG_LEVEL: 'loud' })
    t.match(await refused(), [{ variable: 'LOG_LEVEL', problem: /is not one of fatal, error/ }])
    t.match(replica.logged(), /"level":"error".*"refused_changes":\[\{"variable":"LOG_LEVEL"/)
    t.notMatch(await linesOf(), '"request failed"', 'the old level stays')

    await change({ LOG_LEVEL: 'info' })
    t.same(await refused(), [])
    t.match(await linesOf(), /"listener":"internal".*"request failed"[^]*"listener":"public".*"page failed"/)
  },
)
