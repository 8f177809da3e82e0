import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { Agent } from 'undici'
import { BROKER_AUTHORITY } from '../../sandbox/broker.ts'
import { createBrokerClient, type BrokerClient } from '../../sandbox/megdocs/broker-client.ts'
import type { Clock } from '../../src/core/ports.ts'
import { diagnose } from '../../src/doctor.ts'
import { systemClock } from '../../src/services.ts'
import { JANE, startWorld, type Replica, type World } from '../support/world.ts'

// The canary account: nine and more seeded faults, each named within ten simulated minutes, and no false alarm.

const CANARY = 'canary'
const OTHER = 'other'

interface Stage {
  world: World
  /** MEGDocs, whose clock moves with the others. */
  caller: BrokerClient
  /** Where requests to Microsoft go: there, or to another origin. */
  lead(origin: string | undefined): void
  /** Moves every clock: that of the brokers, of Microsoft, and the stored times. */
  pass(seconds: number): Promise<void>
  /** Lets time pass in steps; each replica tries to take a run in each of them. */
  live(minutes: number, options?: { replicas?: readonly Replica[]; stepMinutes?: number }): Promise<void>
  /** The faults that the metric shows: `step fault`. */
  faults(): Promise<string[]>
}

async function setUp(t: Test, env: Record<string, string> = { CANARY_USER: CANARY }): Promise<Stage> {
  let shift = 0
  const clock: Clock = {
    now: () => systemClock.now() + shift,
    elapsed: () => systemClock.elapsed() + shift,
    sleep: (ms, signal) => systemClock.sleep(ms, signal),
  }
  let led: string | undefined
  const agent = new Agent()
  t.teardown(() => agent.destroy())
  const dispatcher = agent.compose(
    (dispatch) => (options, handler) => dispatch(led === undefined ? options : { ...options, origin: led }, handler),
  )
  const world = await startWorld(t, {
    env,
    overrides: {
      clock,
      dispatcher,
      // A silent server is waited for 50 ms and not 5 s.
      deadline: (ms) => AbortSignal.timeout(led === undefined ? ms : 50),
    },
  })
  await world.connect(CANARY)
  await world.connect(OTHER, 'lena@fabrikam.com')
  const { sql, entra } = world
  const caller = createBrokerClient({
    address: () => world.replica.internalUrl,
    authority: BROKER_AUTHORITY,
    key: world.secrets.megdocsKey,
    now: () => clock.now(),
  })
  const stage: Stage = {
    world,
    caller,
    lead: (origin) => void (led = origin),
    async pass(seconds) {
      shift += seconds * 1000
      entra.control.advance(seconds)
      await sql`update canary_run set begun_at = begun_at - make_interval(secs => ${seconds}),
        ended_at = ended_at - make_interval(secs => ${seconds}),
        failing_since = failing_since - make_interval(secs => ${seconds})`
      await sql`update oauth2_integration set retry_at = retry_at - make_interval(secs => ${seconds}),
        access_token_expires_at = access_token_expires_at - make_interval(secs => ${seconds}),
        refreshed_at = refreshed_at - make_interval(secs => ${seconds})`
    },
    async live(minutes, { replicas = [world.replica], stepMinutes = 0.5 } = {}) {
      for (let passed = 0; passed < minutes; passed += stepMinutes) {
        await stage.pass(stepMinutes * 60)
        await Promise.all(replicas.map(({ services }) => services.canary?.step()))
      }
    },
    async faults() {
      const { payload } = await world.replica.operations.inject('/metrics')
      return [...payload.matchAll(/^token_broker_canary_failing\{step="(\w+)",fault="(\w+)"\} 1$/gm)].map(
        ([, step, fault]) => `${step} ${fault}`,
      )
    },
  }
  return stage
}

/** A server whose answer to every request can be changed. */
async function serve(t: Test, answer: Parameters<typeof createServer>[1]): Promise<string> {
  const server: Server = createServer(answer)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => new Promise((resolve) => server.close(resolve).closeAllConnections()))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

interface Seeded {
  name: string
  seed(stage: Stage, t: Test): void | Promise<void>
  heal(stage: Stage): void
  /** `step fault`, as the metric shows them. */
  named: string[]
  /** The refresh of another user meanwhile. */
  others: 'served' | 'not served'
}

const APP_ID = '99999999-2222-3333-4444-555555555555'
const LEADS_BACK = { heal: ({ lead }: Stage) => lead(undefined), others: 'not served' } as const
const FAULTS: Seeded[] = [
  {
    name: 'the redirect URI is not registered any more',
    seed: ({ world }) => world.entra.control.configureApp({ redirectUris: ['https://other.example/callback'] }),
    heal: ({ world }) =>
      world.entra.control.configureApp({ redirectUris: [`${world.baseUrl}/auth/oauth2/microsoft/callback`] }),
    named: ['authorize_page redirect_uri_not_registered'],
    others: 'served',
  },
  {
    name: 'the application is deleted',
    seed: ({ world }) => world.entra.control.configureApp({ newClientId: APP_ID }),
    heal: ({ world }) => world.entra.control.configureApp({ newClientId: world.entra.clientId }),
    named: ['authorize_page application_not_found', 'refresh app_unavailable'],
    others: 'not served',
  },
  {
    name: 'the client secret has expired',
    seed: ({ world: { entra } }) =>
      entra.control.configureApp({ clientSecrets: [{ value: entra.clientSecret, expiresAt: 1 }] }),
    heal: ({ world: { entra } }) => entra.control.configureApp({ clientSecrets: [entra.clientSecret] }),
    named: ['refresh client_credential'],
    others: 'not served',
  },
  {
    name: 'a Conditional Access policy blocks the account',
    seed: ({ world }) => world.entra.control.misbehave('aadsts', 53003, { account: JANE }),
    heal: ({ world }) => world.entra.control.behave(),
    named: ['refresh blocked_by_policy'],
    others: 'served',
  },
  {
    name: 'the account is disabled',
    seed: ({ world }) => world.entra.control.misbehave('aadsts', 50057, { account: JANE }),
    heal: ({ world }) => world.entra.control.behave(),
    named: ['refresh account_disabled'],
    others: 'served',
  },
  {
    name: 'consent is withdrawn',
    seed: ({ world }) => world.entra.control.forgetConsent({ account: JANE }),
    heal: ({ world }) => world.entra.control.adminConsent({ account: JANE }),
    named: ['refresh consent_required'],
    others: 'served',
  },
  {
    name: 'egress is blocked',
    seed: ({ lead }) => lead('http://127.0.0.1:9'),
    ...LEADS_BACK,
    named: ['authorize_page microsoft_unreachable', 'refresh microsoft_unreachable'],
  },
  {
    name: 'the name of Microsoft is not resolved',
    seed: ({ lead }) => lead('http://login.invalid'),
    ...LEADS_BACK,
    named: ['authorize_page microsoft_unreachable', 'refresh microsoft_unreachable'],
  },
  {
    name: 'nothing answers',
    seed: async ({ lead }, t) => lead(await serve(t, () => {})),
    ...LEADS_BACK,
    named: ['authorize_page microsoft_timeout', 'refresh microsoft_timeout'],
  },
  {
    name: 'a filter answers in place of Microsoft',
    seed: async ({ lead }, t) =>
      lead(
        await serve(t, (_, response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<h1>No</h1>')),
      ),
    ...LEADS_BACK,
    named: ['authorize_page microsoft_bad_answer', 'refresh microsoft_bad_answer'],
  },
  {
    name: 'Microsoft throttles',
    seed: ({ world }) => world.entra.control.misbehave('throttle', 20),
    heal: ({ world }) => world.entra.control.behave(),
    named: ['refresh throttled'],
    others: 'not served',
  },
]

t.test('each seeded fault is named within ten minutes, and disturbs nobody whom it does not concern', async (t) => {
  const stage = await setUp(t)
  const { world } = stage
  for (const { name, seed, heal, named, others } of FAULTS) {
    await stage.live(6, { stepMinutes: 1 })
    t.same(await stage.faults(), [], `before: ${name}`)
    await seed(stage, t)
    // From the moment after a run, the worst one.
    let minutes = 0
    while ((await stage.faults()).length === 0 && minutes < 15) {
      await stage.live(0.5)
      minutes += 0.5
    }
    t.ok(minutes <= 10, `${name}: named after ${minutes} minutes`)
    t.same((await stage.faults()).sort(), named, name)

    const { json, text } = await diagnose(world.env)
    const check = (json as { checks: { name: string; result: string; message: string }[] }).checks.find(
      (one) => one.name === 'canary',
    )
    t.match(check, { result: 'failed', message: /fails since/ }, name)
    for (const fault of named) t.match(text, fault.split(' ')[1]!)

    await world.setRemaining(OTHER, -1)
    const { status } = await stage.caller.send('GET', `/tokens/${OTHER}`)
    t.equal(status === 200 ? 'served' : 'not served', others, `${name}: another user`)
    const isOfOthers = others === 'not served' && named.includes('refresh client_credential')
    if (!isOfOthers) t.equal(world.replica.services.microsoft.breaker().mode, 'closed', `${name}: the breaker`)
    heal(stage)
    // A refusal that may be cured is tried again after 15 minutes.
    await stage.live(22, { stepMinutes: 2 })
    t.same(await stage.faults(), [], `${name}: healed`)
  }
})

t.test('an ordinary day, with single failures and users, has no alarm and no loop', async (t) => {
  const stage = await setUp(t)
  const { world } = stage
  const { control } = world.entra
  // Entra's own limit.
  control.configure({ loopAfter: 15 })
  control.resetCounters()
  const passing = [
    () => control.misbehave('status', 503, { times: 1 }),
    () => control.misbehave('reset', true, { times: 1 }),
    () => control.misbehave('throttle', 30, { times: 1 }),
    () => control.misbehave('aadsts', 90033, { times: 1 }),
    () => control.rollKeys({ drop: true }),
  ]
  for (let hour = 0; hour < 24; hour++) {
    passing[hour % 8]?.()
    for (let part = 0; part < 24; part++) {
      await stage.pass(150)
      await world.replica.services.canary?.step()
      if (part % 8 === 0) t.same(await stage.faults(), [], `hour ${hour}`)
    }
    await world.setRemaining(OTHER, 10)
    t.equal((await stage.caller.send('GET', `/tokens/${OTHER}`)).status, 200)
  }
  t.notMatch(world.replica.logged(), /"alert":"canary"/)
  const { byAccount, byOutcome } = control.tokenRequests()
  t.notOk(Object.keys(byOutcome).includes('AADSTS50196'))
  const refreshes = byAccount[JANE] ?? 0
  t.ok(refreshes >= 230 && refreshes <= 320, `${refreshes} refreshes in a day`)
  t.equal(world.replica.services.microsoft.breaker().mode, 'closed')
})

t.test('of three replicas, one makes each run', async (t) => {
  const stage = await setUp(t)
  const { world } = stage
  const replicas = [world.replica, await world.startReplica(), await world.startReplica()]
  world.entra.control.resetCounters()
  await world.sql`update oauth2_integration set last_used_at = now() - interval '400 days'`
  await stage.live(60, { replicas })
  const { byAccount } = world.entra.control.tokenRequests()
  t.equal(byAccount[JANE], 12)
  t.equal(world.entra.control.otherRequests().authorize, 12)
  const old = await world.sql`select user_id from oauth2_integration where last_used_at < now() - interval '1 day'`
  t.same(
    old.map(({ user_id: userId }) => userId),
    [OTHER],
    'it counts as used, and is not deleted after a year',
  )
  const { payload } = await replicas[2]!.operations.inject('/metrics')
  t.match(payload, /^token_broker_canary_last_run_timestamp_seconds \d/m, 'each of them knows of the runs')
})

t.test('doctor tells a single failure, a run that did not come yet, and runs that ceased, from a fault', async (t) => {
  const stage = await setUp(t)
  const { world } = stage
  const finding = async () => {
    const { json } = await diagnose(world.env)
    return (json as { checks: { name: string }[] }).checks.find(({ name }) => name === 'canary')
  }
  t.match(await finding(), { result: 'warning', message: /has not been tried yet/ })
  await stage.live(1)
  t.match(await finding(), { result: 'ok', message: /"canary" works/ })
  world.entra.control.misbehave('status', 503, { times: 1 })
  await stage.live(5)
  t.match(await finding(), {
    result: 'warning',
    message: /failed once/,
    facts: { faults: [{ step: 'refresh', fault: 'microsoft_error' }] },
  })
  await stage.live(2)
  t.match(await finding(), { result: 'ok' })
  await stage.pass(21 * 60)
  t.match(await finding(), { result: 'failed', message: /last tried 2[12] minutes ago/, advice: /No replica runs it/ })
})

t.test('it is off by default, and a canary account that is not connected is named', async (t) => {
  const { world } = await setUp(t, {})
  t.equal(world.replica.services.canary, undefined)
  t.notMatch(
    (await world.replica.operations.inject('/metrics')).payload,
    /^token_broker_canary_last_run_timestamp_seconds /m,
  )

  const stage = await setUp(t, { CANARY_USER: 'nobody' })
  await stage.live(12)
  t.same(await stage.faults(), ['refresh not_connected'])
  t.equal((await stage.world.sql`select 1 from event where user_id = 'nobody'`).length, 0)
})
