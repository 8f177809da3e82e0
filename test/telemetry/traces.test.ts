import t, { type Test } from 'tap'
import { BROKER_AUTHORITY, startBroker } from '../../sandbox/broker.ts'
import { createBrokerClient } from '../../sandbox/megdocs/broker-client.ts'
import { createLogger } from '../../src/telemetry.ts'
import { startTraces } from '../../src/telemetry/start-traces.ts'
import { call } from '../http/signed-call.ts'
import { browserSecrets, search, wiretap } from '../support/canary.ts'
import { unlistedTraceAttributes } from '../support/data-inventory.ts'
import { startCollector, type ReceivedSpan } from '../support/otlp.ts'
import { CALLBACK, JANE, startWorld } from '../support/world.ts'

// The SDK reads the environment by itself: so it is set, for the time of a test. prom-client loads @opentelemetry/api
// anyway.

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const PARENT = '00f067aa0ba902b7'

function setEnvironment(t: Test, env: Record<string, string>): void {
  Object.assign(process.env, env)
  t.teardown(() => Object.keys(env).forEach((name) => delete process.env[name]))
}

/** Traces of this process, and what is logged about them. */
async function tracing(t: Test, env: Record<string, string> = {}) {
  const collector = await startCollector(t)
  setEnvironment(t, { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, ...env })
  const lines: string[] = []
  const traces = await startTraces(process.env, createLogger('debug', { write: (line) => void lines.push(line) }))
  if (traces === undefined) throw new Error('traces are not on')
  t.teardown(() => traces.close())
  return { collector, traces, lines }
}

const childrenOf = (spans: ReceivedSpan[], parent: ReceivedSpan) =>
  spans.filter(({ parentId }) => parentId === parent.spanId)
const named = (spans: ReceivedSpan[], name: string) => spans.filter((span) => span.name === name)

t.test(
  "a refreshing read is one trace from the caller's span to Microsoft and Postgres, and the log has its id",
  async (t) => {
    const { collector, traces } = await tracing(t, {
      OTEL_SERVICE_NAME: 'broker-eu',
      OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test',
      OTEL_EXPORTER_OTLP_HEADERS: 'x-tenant=megdocs',
    })
    const world = await startWorld(t, { overrides: { traces } })
    await world.connect('42')
    await world.setRemaining('42', 10)
    await call(world, { method: 'GET', path: '/tokens/42', headers: { traceparent: `00-${TRACE}-${PARENT}-01` } })
    world.entra.control.misbehave('aadsts', 700082, { times: 1 })
    await world.setRemaining('42', -1)
    t.match(await world.caller.send('GET', '/tokens/42'), { status: 409 })
    t.match(await world.caller.send('GET', '/tokens/nobody'), { status: 404 })
    const declined = await world.toMicrosoft('43')
    await declined.browser.open(world.entra.control.decline({ authorizeUrl: declined.authorizeUrl }))
    t.match(
      await world.caller.send('POST', `/connect-sessions/${declined.id}/complete`, {
        user_id: '43',
        handle: world.handle(declined.id),
      }),
      {
        status: 409,
      },
    )
    await world.replica.operations.inject('/metrics')
    const sent = world.entra.control.tokenRequests()
    t.ok(sent.total > 0)
    await world.replica.stop()

    const spans = collector.spans()
    const mine = spans.filter(({ traceId }) => traceId === TRACE)
    const [server] = named(mine, 'GET /tokens/:userId')
    t.match(server, {
      parentId: PARENT,
      kind: 2,
      status: 0,
      attributes: { 'http.request.method': 'GET', 'http.route': '/tokens/:userId', 'http.response.status_code': 200 },
    })
    t.ok(
      named(childrenOf(mine, server!), 'read oauth2_integration').length > 0,
      'the first statement is below the request',
    )
    const [flight] = named(childrenOf(mine, server!), 'refresh')
    t.match(flight, { kind: 1, attributes: { 'token_broker.outcome': 'tokens' } })
    const [asked] = named(childrenOf(mine, flight!), 'microsoft refresh')
    const { hostname, port } = new URL(world.entra.url)
    t.match(asked, {
      kind: 3,
      status: 0,
      attributes: {
        'server.address': hostname,
        'server.port': Number(port),
        'http.request.method': 'POST',
        'http.response.status_code': 200,
        'token_broker.verdict': 'tokens',
      },
    })
    t.strictSame(
      childrenOf(mine, flight!)
        .filter(({ kind }) => kind === 3)
        .map(({ name }) => name)
        .sort(),
      ['claim oauth2_integration', 'microsoft refresh', 'saveTokens oauth2_integration'],
    )
    t.match(named(childrenOf(mine, flight!), 'claim oauth2_integration'), [
      { attributes: { 'db.system.name': 'postgresql', 'db.collection.name': 'oauth2_integration' } },
    ])

    const refused = spans.find(({ attributes }) => attributes['token_broker.aadsts'] === 700082)
    t.match(refused, {
      name: 'microsoft refresh',
      status: 2,
      attributes: {
        'http.response.status_code': 400,
        'token_broker.verdict': 'reconnect',
        'error.type': 'refresh_token_expired',
      },
    })
    const reads = named(spans, 'GET /tokens/:userId').map(({ attributes, status }) => ({
      code: attributes['error.type'],
      status,
    }))
    t.ok(
      reads.some(({ code, status }) => code === 'reconnect_required' && status === 0),
      'a refusal is named, and is no error of the server',
    )
    t.ok(reads.some(({ code }) => code === 'not_connected'))
    const [complete, refusal] = named(spans, 'POST /connect-sessions/:id/complete')
    t.match(refusal, { attributes: { 'http.response.status_code': 409, 'error.type': 'connect_refused' } })
    t.ok(
      named(childrenOf(spans, complete!), 'microsoft redeem').length === 1,
      'also behind a body, a call is below its request',
    )
    t.ok(named(childrenOf(spans, complete!), 'consume request_nonce').length === 1)
    t.ok(named(spans, `GET ${CALLBACK}`).length > 0, 'the public listener is traced too')
    t.notOk(
      spans.some(({ name }) => /metrics|readyz/.test(name)),
      'the operations listener is not',
    )
    t.match(collector.resource(), { 'service.name': 'broker-eu', 'deployment.environment.name': 'test' })
    t.match(collector.headers[0], { 'x-tenant': 'megdocs', url: '/v1/traces' })

    const answered = world.replica
      .logged()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { msg: string; trace_id?: string; request_id?: string })
      .filter(({ msg }) => msg === 'answered')
    t.ok(answered.length >= 5)
    for (const { trace_id: trace, request_id: id } of answered)
      t.equal(trace, spans.find(({ attributes }) => attributes['token_broker.request_id'] === id)?.traceId)
  },
)

t.test('what a caller does not sample is not exported, and the sampler is the one that is asked for', async (t) => {
  await t.test('not sampled by the caller', async (t) => {
    const { collector, traces } = await tracing(t)
    const world = await startWorld(t, { overrides: { traces } })
    await call(world, { method: 'GET', path: '/tokens/42', headers: { traceparent: `00-${TRACE}-${PARENT}-00` } })
    await world.replica.stop()
    t.strictSame(collector.spans(), [])
    t.match(world.replica.logged(), TRACE, 'the log has its id all the same')
  })
  for (const [sampler, arg, exported] of [
    ['always_off', '', false],
    ['traceidratio', '0', false],
    ['parentbased_traceidratio', '1', true],
    ['always_on', '', true],
  ] as const) {
    await t.test(`${sampler} ${arg}`, async (t) => {
      const { collector, traces } = await tracing(t, { OTEL_TRACES_SAMPLER: sampler, OTEL_TRACES_SAMPLER_ARG: arg })
      await traces.flight(async () => ({ kind: 'moved' }))
      await traces.close()
      t.equal(collector.spans().length > 0, exported)
    })
  }
})

t.test(
  'a stranger decides neither in which trace a request of the public listener is nor whether it is sampled',
  async (t) => {
    const { collector, traces } = await tracing(t)
    const world = await startWorld(t, { overrides: { traces } })
    for (const flags of ['00', '01'])
      await fetch(`${world.replica.publicUrl}/accounts/account/microsoft/`, {
        redirect: 'manual',
        headers: { traceparent: `00-${TRACE}-${PARENT}-${flags}` },
      })
    await world.replica.stop()
    const spans = collector.spans().filter(({ kind }) => kind === 2)
    t.equal(spans.length, 2)
    for (const { traceId, parentId } of spans) {
      t.not(traceId, TRACE)
      t.equal(parentId, '')
    }
    t.notMatch(world.replica.logged(), TRACE)
  },
)

t.test('no secret, user, ticket or address stands in what is exported, however requests end', async (t) => {
  const { collector, traces } = await tracing(t)
  const tap = wiretap()
  t.teardown(() => tap.close())
  const sent: unknown[] = []
  const dispatcher = tap.dispatcher.compose((dispatch) => (options, handler) => {
    sent.push(options.headers)
    return dispatch(options, handler)
  })
  const world = await startWorld(t, { overrides: { traces, dispatcher } })
  const user = 'user-of-megdocs-4711'
  const { id, browser, authorizeUrl } = await world.toMicrosoft(user)
  await browser.open(world.entra.control.signIn({ account: JANE, authorizeUrl }))
  const { next } = await world.complete(id, user)
  await browser.open(next)
  await world.caller.token(user)
  await world.setRemaining(user, 10)
  const { generation } = await world.caller.token(user)
  await world.caller.refresh(user, generation)
  world.entra.control.misbehave('aadsts', 53003, { times: 1 })
  await world.setRemaining(user, 10)
  await world.caller.token(user)
  await world.sql.unsafe('alter table oauth2_integration rename to gone')
  t.match(await world.caller.send('GET', `/tokens/${user}`), { status: 500 })
  await world.sql.unsafe('alter table gone rename to oauth2_integration')
  await fetch(
    `${world.replica.publicUrl}/auth/oauth2/microsoft/connect/planted-ticket-planted-ticket-planted-tick?planted=planted-query`,
    {
      headers: {
        'user-agent': 'planted-agent',
        'x-forwarded-for': '203.0.113.77',
        tracestate: 'planted=planted-state',
        baggage: 'planted=planted-baggage',
        cookie: 'planted=planted-cookie',
      },
    },
  )
  await world.caller.disconnect(user)
  await world.replica.stop()

  t.ok(sent.length >= 4)
  t.notMatch(JSON.stringify(sent), /trace/i, 'Microsoft is not sent the trace')
  const { env, secrets } = world
  const own = [
    env['SEALING_KEYS']!.split(':')[1]!,
    env['SESSION_SECRETS']!,
    env['MICROSOFT_CLIENT_SECRET']!,
    secrets.megdocsKey.secret!,
  ]
  const all = [...own, ...tap.secrets, ...browserSecrets(browser.exchanges)]
  const bytes = collector.bytes().toString('latin1')
  t.ok(all.length > 15 && collector.spans().length > 30, `${all.length} secrets, ${collector.spans().length} spans`)
  t.strictSame(search(bytes, all), [])
  for (const word of [user, 'jane', 'contoso', 'planted', '203.0.113.77', id, 'select ', 'oauth2/v2.0/token'])
    t.notOk(bytes.includes(word), word)
  t.notMatch(JSON.stringify(collector.spans()), /\?/, 'no query')
  const received = [...collector.spans(), { attributes: collector.resource() }]
  t.strictSame(unlistedTraceAttributes(received), [], 'every attribute is in docs/data-inventory.md')
  t.ok(bytes.includes('internal_error') && bytes.includes('blocked_by_policy'), 'failures were among it')
  t.strictSame(search(`${bytes}${all.at(-1)}`, all).length > 0, true, 'the search finds what is planted')
})

t.test(
  'a collector that refuses is one line in the log, however many exports fail, and one when it takes them again',
  async (t) => {
    const { collector, traces, lines } = await tracing(t)
    const told = () =>
      lines
        .filter((line) => line.includes('exported'))
        .map((line) => JSON.parse(line) as { level: string; msg: string; why?: string })
    const work = async () => {
      // A batch is 512 spans: each goes off by itself as soon as it is full.
      for (let i = 0; i < 512; i++) await traces.flight(async () => ({ kind: 'moved' }))
    }
    const until = async (done: () => boolean) => {
      while (!done()) await new Promise((resolve) => setImmediate(resolve))
    }
    collector.answer(401)
    for (const batch of [1, 2, 3]) {
      await work()
      await until(() => collector.headers.length >= batch)
    }
    await until(() => told().length > 0)
    t.match(told(), [{ level: 'warn', cause: 'status 401' }])
    collector.answer(200)
    await work()
    await traces.close()
    t.match(told(), [{ level: 'warn' }, { level: 'info', msg: 'traces are exported again' }])
    t.equal(told().length, 2)
  },
)

t.test('with a collector that never answers, requests are served and the process ends in time, with 0', async (t) => {
  const collector = await startCollector(t)
  collector.answer(undefined)
  const world = await startWorld(t)
  await world.connect('42')
  const broker = await startBroker({
    ...world.env,
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${collector.url}/v1/traces`,
    OTEL_EXPORTER_OTLP_TIMEOUT: '600000',
  })
  t.teardown(() => (broker.isOver() ? undefined : broker.stop('SIGKILL')))
  const caller = createBrokerClient({
    address: () => broker.internalUrl,
    authority: BROKER_AUTHORITY,
    key: world.secrets.megdocsKey,
  })
  await caller.token('42')
  t.equal(await broker.stop('SIGTERM'), 0)
  t.equal(collector.headers.length, 1, 'the last spans were on their way')
  t.match(broker.log(), '"msg":"stopped"', 'the log is whole')
})

t.test('traces are off, and nothing of OpenTelemetry is loaded, unless they are switched on', async (t) => {
  const world = await startWorld(t)
  const hook =
    'import { registerHooks } from "node:module"; registerHooks({ resolve: (name, context, next) => (/^@opentelemetry.(?!api)/.test(name) && console.error("loads", name), next(name, context)) })'
  const loaded = `data:text/javascript;base64,${Buffer.from(hook).toString('base64')}`
  const start = async (env: Record<string, string>) => {
    const broker = await startBroker({ ...world.env, NODE_OPTIONS: `--import=${loaded}`, ...env })
    await broker.stop('SIGTERM')
    return broker.log()
  }
  const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9' }
  for (const env of [
    {},
    { ...endpoint, OTEL_SDK_DISABLED: 'true' },
    { ...endpoint, OTEL_TRACES_EXPORTER: 'none' },
    { ...endpoint, OTEL_TRACES_EXPORTER: 'zipkin' },
  ] as Record<string, string>[]) {
    const log = await start(env)
    t.notMatch(log, /loads @opentelemetry/, JSON.stringify(env))
    t.equal(
      /OTEL_TRACES_EXPORTER/.test(log),
      env['OTEL_TRACES_EXPORTER'] === 'zipkin',
      'what is not understood is named',
    )
  }
  const log = await start({
    ...endpoint,
    OTEL_TRACES_SAMPLER: 'sometimes-S3CRET',
    OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc',
    OTEL_RESOURCE_ATTRIBUTES: 'S3CRET',
  })
  t.match(log, /loads @opentelemetry/)
  for (const variable of ['OTEL_TRACES_SAMPLER', 'OTEL_EXPORTER_OTLP_PROTOCOL', 'OTEL_RESOURCE_ATTRIBUTES'])
    t.match(log, `"variable":"${variable}"`)
  t.notMatch(log, 'S3CRET')
})
