import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { BROKER_AUTHORITY } from '../../sandbox/broker.ts'
import { startIssuer, type Issuer } from '../../sandbox/issuer.ts'
import { createBrokerClient, type BrokerClient } from '../../sandbox/megdocs/broker-client.ts'
import type { Clock } from '../../src/core/ports.ts'
import { diagnose, runAllChecks } from '../../src/doctor.ts'
import { systemClock } from '../../src/services.ts'
import { search } from '../support/canary.ts'
import { startWorld, type World } from '../support/world.ts'

// Workload identity federation: the token of the service account in the place of secret and certificate.

interface Federation {
  world: World
  issuer: Issuer
  file: string
  write(text: string): void
  /** MEGDocs, whose clock moves with the others. */
  caller: BrokerClient
  /** Moves the clock of the broker and of Microsoft. */
  pass(seconds: number): void
  /** Makes the user's token end, and reads it. */
  readExpired(userId: string): ReturnType<World['caller']['send']>
  breaker(): string
}

async function setUp(t: Test): Promise<Federation> {
  let shift = 0
  const clock: Clock = {
    now: () => systemClock.now() + shift,
    elapsed: () => systemClock.elapsed() + shift,
    sleep: (ms, signal) => systemClock.sleep(ms, signal),
  }
  const issuer = await startIssuer({ now: () => clock.now() })
  t.teardown(() => issuer.close())
  const file = join(t.testdir(), 'token')
  const write = (text: string) => writeFileSync(file, text)
  write(issuer.token())
  const world = await startWorld(t, {
    env: { MICROSOFT_CLIENT_SECRET: '', MICROSOFT_FEDERATED_TOKEN_FILE: file },
    overrides: { clock },
    entra: { clientSecrets: [], federatedCredentials: [issuer.credential] },
  })
  const caller = createBrokerClient({
    address: () => world.replica.internalUrl,
    authority: BROKER_AUTHORITY,
    key: world.secrets.megdocsKey,
    now: () => clock.now(),
  })
  return {
    world,
    issuer,
    file,
    write,
    caller,
    pass(seconds) {
      shift += seconds * 1000
      world.entra.control.advance(seconds)
    },
    async readExpired(userId) {
      await world.sql`update oauth2_integration set retry_at = null where user_id = ${userId}`
      await world.setRemaining(userId, -1)
      return caller.send('GET', `/tokens/${userId}`)
    },
    breaker: () => world.replica.services.microsoft.breaker().mode,
  }
}

const MISCONFIGURED = {
  status: 503,
  body: { code: 'broker_misconfigured', reason: 'client_credential', who_acts: 'ops' },
}

t.test('codes and refreshes are authenticated by the token that the file holds at that moment', async (t) => {
  const { world, issuer, write, readExpired } = await setUp(t)
  await world.connect('1')
  t.match(await readExpired('1'), { status: 200 })
  // The issuer forgets its old key: only a new token works from now on.
  issuer.rollKey()
  write(issuer.token({ aud: ['api://AzureADTokenExchange'] }))
  t.match(await readExpired('1'), { status: 200 })
  await world.connect('2', 'sam@contoso.com').catch(() => world.connect('2'))
  const { recent } = world.entra.control.tokenRequests()
  t.ok(recent.length >= 4)
  for (const { fields, values } of recent) {
    t.ok(fields.includes('client_assertion') && !fields.includes('client_secret'))
    t.equal(values['client_assertion_type'], 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer')
  }
})

t.test('a half-written or missing file disturbs nobody while the last token is valid', async (t) => {
  const { world, issuer, file, write, caller, pass, readExpired, breaker } = await setUp(t)
  await world.connect('1')
  const next = issuer.token()
  for (const text of ['', next.slice(0, 40), next.slice(0, next.length / 2), next.slice(0, -8), 'not a token']) {
    write(text)
    t.match(await readExpired('1'), { status: 200 }, `${text.length} characters`)
  }
  rmSync(file)
  t.match(await readExpired('1'), { status: 200 }, 'no file')
  t.equal(breaker(), 'closed')
  t.match(world.replica.logged(), /the last good token is, until it expires/)
  const scraped = (await world.replica.operations.inject('/metrics')).payload
  t.match(scraped, 'token_broker_federated_token_problem{problem="unreadable"} 1')

  pass(3_601)
  t.match(await readExpired('1'), MISCONFIGURED, 'the last token has expired')
  t.match(await world.row('1'), { status: 'active', failure: null }, 'nobody is marked')
  t.equal(breaker(), 'open')
  t.match(
    (await world.replica.operations.inject('/metrics')).payload,
    'token_broker_federated_token_expiry_timestamp_seconds 0',
  )
  t.match(world.replica.logged(), /"alert":"federated_token"/)
  const before = world.entra.control.tokenRequests().total

  await world.setRemaining('1', 600)
  t.match(await caller.send('GET', '/tokens/1'), { status: 200 }, 'a valid token is handed out all the same')
  t.match((await world.replica.operations.inject('/readyz')).statusCode, 200)
  t.equal(world.entra.control.tokenRequests().total, before, 'nothing is sent without a token')

  write(issuer.token())
  pass(20)
  t.match(await readExpired('1'), { status: 200 }, 'a new file heals everything')
  t.equal((await world.sql`select 1 from event where type = 'reconnect_required'`).length, 0)
})

t.test('a start without a file serves, and says what is missing', async (t) => {
  const { world, file, issuer, write, readExpired } = await setUp(t)
  await world.connect('1')
  rmSync(file)
  const late = await world.startReplica()
  await world.setRemaining('1', -1)
  t.match(await late.caller.send('GET', '/tokens/1'), MISCONFIGURED)
  t.match(await world.row('1'), { status: 'active', failure: null })
  const { id, browser, authorizeUrl } = await world.toMicrosoft('2')
  await browser.open(world.entra.control.signIn({ account: 'jane@contoso.com', authorizeUrl }))
  t.match(
    await late.caller.send('POST', `/connect-sessions/${id}/complete`, { user_id: '2', handle: world.handle(id) }),
    { status: 503, body: { code: 'broker_misconfigured' } },
    'a connect as well',
  )
  t.match(await readExpired('1'), { status: 200 }, 'a replica that knew a token still works')
  write(issuer.token())
  t.equal(await late.services.microsoft.federatedToken().then((state) => state?.problem), undefined)
})

t.test(
  'what Microsoft refuses opens the breaker, marks nobody, and doctor names it with the token’s values',
  async (t) => {
    const { world, issuer, write, pass, readExpired, breaker } = await setUp(t)
    await world.connect('1')
    const { credential } = issuer
    const wrong = [
      ['issuer', 700211, { ...credential, issuer: credential.issuer.slice(0, -1) }],
      ['subject', 700213, { ...credential, subject: 'system:serviceaccount:megdocs:Token-Broker' }],
      ['audience', 700212, { ...credential, audiences: ['api://AzureADTokenExchangeUSGov'] }],
    ] as const
    for (const [mismatch, aadsts, registered] of wrong) {
      world.entra.control.configureApp({ federatedCredentials: [registered] })
      t.match(await readExpired('1'), MISCONFIGURED, mismatch)
      t.equal(breaker(), 'open')
      t.match(await world.row('1'), { status: 'active', failure: null })
      const { json, text, failed } = await diagnose(world.env)
      t.ok(failed)
      const [check] = (json as { checks: { name: string; message: string; facts?: object }[] }).checks.filter(
        ({ name }) => name === 'client_credential',
      )
      t.match(check, {
        result: 'failed',
        message: new RegExp(`AADSTS${aadsts}.*no federated credential of the application has its ${mismatch}`),
        advice: /Federated credentials/,
        facts: {
          mismatch,
          issuer: issuer.url,
          subject: credential.subject,
          audiences: credential.audiences,
          expires_at: /^20/,
        },
      })
      for (const value of [issuer.url, credential.subject, credential.audiences[0]!]) t.ok(text.includes(value), value)
      world.entra.control.configureApp({ federatedCredentials: [credential] })
      pass(100)
      t.match(await readExpired('1'), { status: 200 }, 'healed')
      pass(100)
    }
    t.equal((await world.sql`select 1 from event where type = 'reconnect_required'`).length, 0)

    const facts = async () => {
      const { json } = await diagnose(world.env)
      return (json as { checks: { name: string; result: string; facts?: object; message: string }[] }).checks.find(
        ({ name }) => name === 'client_credential',
      )
    }
    t.match(await facts(), {
      result: 'ok',
      message: /accepts the federated token/,
      facts: { subject: credential.subject },
    })
    write(issuer.token({}, { kid: 'nobody' }))
    t.match(await facts(), { result: 'failed', facts: { mismatch: 'signature' }, advice: /jwks_uri/ })
    write('')
    t.match(await facts(), { result: 'failed', message: /holds no whole JWT/, facts: { problem: 'malformed' } })
  },
)

t.test('the token is in no log, answer, metric, page and report of doctor', async (t) => {
  const { world, issuer, file, write, readExpired } = await setUp(t)
  await world.connect('1')
  const tokens = [readFileSync(file, 'utf8')]
  const said: string[] = []
  const tell = async () => {
    said.push(JSON.stringify(await readExpired('1')))
    const { text, json } = await diagnose(world.env)
    said.push(text, JSON.stringify(json))
    for (const path of ['/metrics', '/readyz', '/status'])
      said.push((await world.replica.operations.inject(path)).payload)
  }
  await tell()
  for (const token of [
    issuer.token({ sub: 'x' }),
    issuer.token({}, { kid: 'x' }),
    issuer.token({ exp: 1 }),
    issuer.token().slice(0, -9),
  ]) {
    write(token)
    tokens.push(token)
    await tell()
  }
  const parts = tokens.flatMap((token) => token.split('.').slice(1))
  t.same(search(said.join('\n') + world.replica.logged(), parts), [])
})

t.test('a move to another registration, both without a secret', async (t) => {
  const NEW = '7e57ab1e-0000-4000-8000-00000000ab1e'
  const { world, issuer, file } = await setUp(t)
  const { control, clientId: old } = world.entra
  control.registerApp({ clientId: NEW, clientSecrets: [] })
  control.configureApp({ clientId: NEW, federatedCredentials: [issuer.credential] })
  await world.connect('1')
  const moved = await world.startReplica({
    MICROSOFT_CLIENT_ID: NEW,
    MICROSOFT_PREVIOUS_CLIENTS: JSON.stringify([{ client_id: old, federated_token_file: file }]),
  })
  world.sendBrowsersTo(moved)
  await world.connect('2')
  for (const user of ['1', '2']) {
    await world.setRemaining(user, -1)
    t.match(await moved.caller.send('GET', `/tokens/${user}`), { status: 200 }, user)
  }
  t.match(await world.row('1'), { client_id: old, status: 'active' })
  t.match(await world.row('2'), { client_id: NEW, status: 'active' })
  const credential = (await runAllChecks(moved.services)).find(({ name }) => name === 'client_credential')
  t.match(credential, { result: 'ok', message: new RegExp(`${old}: Microsoft accepts the federated token`) })
})
