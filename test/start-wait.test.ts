import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import t from 'tap'
import { freePort, startDatabase } from '../sandbox/database.ts'
import { startBroker } from '../sandbox/broker.ts'
import { openRelay } from '../sandbox/relay.ts'
import { Failure } from '../src/core/failure.ts'
import { migrate } from '../src/db/migrate.ts'
import { waitForDatabase } from '../src/start-wait.ts'
import { startWorld } from './support/world.ts'

// A start waits for Postgres (docs/design.md#readiness-and-shutdown).

const unavailable = (detail: string) => new Failure('database_unavailable', { detail })

/** Fails with these in turn, then succeeds. Time passes only in `sleep`. */
function start(failures: readonly Error[], { abortAfter = Infinity } = {}) {
  const left = [...failures]
  const ending = new AbortController()
  const pauses: number[] = []
  const said: string[] = []
  const result = waitForDatabase(
    async () => {
      const failure = left.shift()
      if (failure !== undefined) throw failure
    },
    {
      clock: {
        async sleep(ms) {
          pauses.push(ms)
          if (pauses.length === abortAfter) ending.abort()
        },
      },
      random: { fraction: () => 0 },
      signal: ending.signal,
      onWait: (detail) => void said.push(detail),
    },
  )
  return { result, pauses, said, left }
}

t.test('it waits with growing pauses for everything that passes', async (t) => {
  const details = ['ECONNREFUSED', 'ENOTFOUND', '57P03', '53300', 'CONNECT_TIMEOUT', 'deadline', '25006', '57P01']
  const { result, pauses, said } = start(details.map(unavailable))
  t.equal(await result, true)
  t.strictSame(pauses, [250, 500, 1000, 2000, 4000, 5000, 5000, 5000])
  t.strictSame(said, details)
})

t.test('what waiting cannot cure ends it at once', async (t) => {
  const wrong = [
    unavailable('28P01'),
    unavailable('28000'),
    unavailable('3D000'),
    unavailable('DEPTH_ZERO_SELF_SIGNED_CERT'),
    unavailable('ERR_TLS_CERT_ALTNAME_INVALID'),
    new Failure('internal_error', { detail: 'database 42501' }),
    new Failure('broker_misconfigured', { detail: 'the database lacks migrations' }),
    new Error('a defect'),
  ]
  for (const error of wrong) {
    const { result, pauses } = start([error])
    await t.rejects(result, error)
    t.strictSame(pauses, [], error.message)
  }
})

t.test('the end of the process ends the waiting, also while Postgres does not answer', async (t) => {
  const { result, left } = start([unavailable('ECONNREFUSED'), unavailable('ECONNREFUSED')], { abortAfter: 1 })
  t.equal(await result, false)
  t.equal(left.length, 1, 'it does not try again')
  const ending = new AbortController()
  const hanging = waitForDatabase(() => new Promise<void>(() => {}), {
    clock: { sleep: async () => {} },
    random: { fraction: () => 0 },
    signal: ending.signal,
    onWait: () => {},
  })
  ending.abort()
  t.equal(await hanging, false)
})

t.test('a broker that starts before Postgres serves as soon as Postgres is there', async (t) => {
  const server = await startDatabase()
  t.teardown(() => server.close())
  const databaseUrl = await server.createDatabase()
  await migrate(databaseUrl)
  const relay = await openRelay({ to: () => server.port })
  t.teardown(() => relay.close())
  const world = await startWorld(t, { databaseUrl })
  await server.stop()
  const through = Object.assign(new URL(databaseUrl), { port: String(relay.port) }).href
  const starting = startBroker({ ...world.env, DATABASE_URL: through })
  t.teardown(async () => (await starting.catch(() => undefined))?.stop('SIGKILL'))
  while (relay.connections() === 0) await new Promise((resolve) => setImmediate(resolve))
  await server.start()
  const broker = await starting
  t.match(await (await fetch(`${broker.operationsUrl}/readyz`)).json(), { ready: true })
})

t.test('SIGTERM ends a start that waits, and what it waits for is a line of the log', async (t) => {
  const world = await startWorld(t)
  const nowhere = Object.assign(new URL(world.env['DATABASE_URL']!), { port: String(await freePort()) }).href
  const child = spawn(process.execPath, ['src/cli.ts', 'serve'], {
    env: { ...world.env, DATABASE_URL: nowhere },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.teardown(() => child.kill('SIGKILL'))
  const ended = once(child, 'exit')
  for await (const line of createInterface({ input: child.stdout })) {
    if (!line.includes('"msg":"waiting for the database"')) continue
    t.match(JSON.parse(line), { level: 'warn', detail: 'ECONNREFUSED', wait_ms: Number })
    child.kill('SIGTERM')
  }
  t.strictSame(await ended, [0, null])
})

t.test('a wrong password or a missing database ends the start with a sentence', async (t) => {
  const world = await startWorld(t)
  const url = (change: Partial<URL>) => Object.assign(new URL(world.env['DATABASE_URL']!), change).href
  const refusedBy = (databaseUrl: string) => startBroker({ ...world.env, DATABASE_URL: databaseUrl })
  await t.rejects(refusedBy(url({ password: 'wrong' })), {
    message: /refuses the user or the password of DATABASE_URL/,
  })
  await t.rejects(refusedBy(url({ pathname: '/nowhere' })), {
    message: /the database that DATABASE_URL names does not exist/,
  })
})
