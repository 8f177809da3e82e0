import { generateKeyPairSync } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { selfSignedCertificate, toPem } from '../../sandbox/entra/certificate.ts'
import { readContents } from '../../src/config/configured-files.ts'
import { createReload } from '../../src/reload.ts'
import { startWorld, type World } from '../support/world.ts'

const DAY_MS = 86_400_000
const [OLD, NEW] = ['kYz8Q~bcJ4mWq.x7TnR_pLs9vDfHgAeUo2iKzX3', 'mTr8Q~Zq5vNd.h2LbW_sKy8cPfJgXaEo6iUzR4']

function certificate(notAfter = Date.now() + 90 * DAY_MS) {
  const keys = generateKeyPairSync('rsa', { modulusLength: 2048 })
  return {
    certificate: toPem(
      selfSignedCertificate(keys, { commonName: 'token-broker', notBefore: Date.now() - DAY_MS, notAfter }),
    ),
    key: keys.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  }
}

/** Connects one user, refreshes the token of another, and checks that the breaker stays closed. */
async function works(t: Test, world: World, userId: string, when: string): Promise<void> {
  await t.resolves(world.connect(userId), `connect ${when}`)
  const { generation } = await world.caller.token(userId)
  await t.resolves(world.caller.refresh(userId, generation), `refresh ${when}`)
  t.equal(world.replica.services.microsoft.breaker().mode, 'closed', when)
}

t.test('with only a certificate, users connect and tokens are refreshed, by private_key_jwt', async (t) => {
  const pair = certificate()
  const world = await startWorld(t, {
    env: {
      MICROSOFT_CLIENT_SECRET: '',
      MICROSOFT_CLIENT_CERTIFICATE: pair.certificate,
      MICROSOFT_CLIENT_KEY: pair.key,
    },
  })
  world.entra.control.configureApp({ clientSecrets: [], certificates: [pair.certificate] })
  await works(t, world, '42', 'by certificate')
  const { recent } = world.entra.control.tokenRequests()
  t.same(
    recent.map(({ authentication, outcome }) => [authentication, outcome]),
    [
      ['private_key_jwt', 'tokens'],
      ['private_key_jwt', 'tokens'],
    ],
  )
  t.notOk(recent.some(({ fields }) => fields.includes('client_secret')))
})

t.test('a client secret is replaced at Azure without interruption, in any order of steps', async (t) => {
  const world = await startWorld(t, { env: { MICROSOFT_CLIENT_SECRET: `${NEW},${OLD}` } })
  const { control } = world.entra
  control.configureApp({ clientSecrets: [OLD] })
  await works(t, world, '1', 'before the new secret exists at Azure')
  control.resetCounters()
  await works(t, world, '2', 'again')
  t.same(control.tokenRequests().byOutcome, { tokens: 2 }, 'the secret that works is tried first from then on')
  control.configureApp({ clientSecrets: [NEW, OLD] })
  await works(t, world, '3', 'while Azure knows both')
  control.configureApp({ clientSecrets: [NEW, { value: OLD, expiresAt: Date.now() - DAY_MS }] })
  await works(t, world, '4', 'when the old secret has expired')
  control.configureApp({ clientSecrets: [NEW] })
  await works(t, world, '5', 'when the old secret is deleted')
})

t.test('a certificate replaces a secret without interruption', async (t) => {
  const pair = certificate()
  const world = await startWorld(t, {
    env: {
      MICROSOFT_CLIENT_SECRET: OLD,
      MICROSOFT_CLIENT_CERTIFICATE: pair.certificate,
      MICROSOFT_CLIENT_KEY: pair.key,
    },
  })
  const { control } = world.entra
  control.configureApp({ clientSecrets: [OLD] })
  await works(t, world, '1', 'before the certificate is registered')
  control.configureApp({ clientSecrets: [OLD], certificates: [pair.certificate] })
  await works(t, world, '2', 'with both registered')
  control.configureApp({ clientSecrets: [], certificates: [pair.certificate] })
  await works(t, world, '3', 'when the secret is deleted')
})

t.test('when no credential works, all users get broker_misconfigured and nobody has to reconnect', async (t) => {
  const world = await startWorld(t, { env: { MICROSOFT_CLIENT_SECRET: `${NEW},${OLD}` } })
  const { control } = world.entra
  control.configureApp({ clientSecrets: [OLD] })
  await world.connect('1')
  await world.setRemaining('1', -1)
  control.configureApp({ clientSecrets: ['pWx8Q~Ht7cMr.k9GvD_nBz3sLfQjYaTo5iEuC1'] })
  t.match(await world.caller.send('GET', '/tokens/1'), {
    status: 503,
    body: { code: 'broker_misconfigured', reason: 'client_credential', who_acts: 'ops' },
  })
  t.match(await world.row('1'), { status: 'active', failure: null })
  const { payload } = await world.replica.operations.inject('/readyz')
  t.match(JSON.parse(payload), { breaker: { mode: 'open', reason: 'client_credential' } })
})

t.test('a metric shows when a certificate expires', async (t) => {
  const notAfter = Math.floor((Date.now() + 10 * DAY_MS) / 1000) * 1000
  const pair = certificate(notAfter)
  const world = await startWorld(t, {
    env: { MICROSOFT_CLIENT_CERTIFICATE: pair.certificate, MICROSOFT_CLIENT_KEY: pair.key },
  })
  const { payload } = await world.replica.operations.inject('/metrics')
  t.match(payload, `token_broker_certificate_expiry_timestamp_seconds{use="microsoft"} ${notAfter / 1000}\n`)
})

t.test('a metric shows when the first certificate of an earlier registration expires', async (t) => {
  const [soon, later] = [10, 50].map((days) => Math.floor((Date.now() + days * DAY_MS) / 1000) * 1000) as [
    number,
    number,
  ]
  const clients = [later, soon].map((notAfter, i) => {
    const pair = certificate(notAfter)
    return {
      client_id: `0a1b2c3d-0000-4000-8000-00000000000${i}`,
      client_certificate: pair.certificate,
      client_key: pair.key,
    }
  })
  const file = join(t.testdir(), 'previous')
  writeFileSync(file, JSON.stringify(clients))
  const world = await startWorld(t)
  const changes = { MICROSOFT_PREVIOUS_CLIENTS_FILE: file }
  const contents = readContents({ ...world.env, ...changes })
  const replica = await world.startReplica(changes)
  const ends = async () =>
    /certificate_expiry_timestamp_seconds\{use="microsoft_previous"\} (\d+)/.exec(
      (await replica.operations.inject('/metrics')).payload,
    )?.[1]
  t.equal(await ends(), String(soon / 1000))
  const reload = createReload({ ...world.env, ...changes }, replica.services, {
    contents,
    server: replica.internal.server,
  })
  writeFileSync(file, JSON.stringify(clients.slice(0, 1)))
  await reload.check()
  t.equal(await ends(), String(later / 1000), 'the other one was taken out while the service runs')
})
