import { spawn, type ChildProcess } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { BROKER_AUTHORITY } from '../../sandbox/broker.ts'
import { BrokerProblem, createBrokerClient, type BrokerClient } from '../../sandbox/megdocs/broker-client.ts'
import { startWorld, type World } from '../support/world.ts'
import { until } from '../support/until.ts'

// The process, when what reads its log is stuck, gone, or full (docs/design.md#audit).

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url))

interface Running {
  child: ChildProcess
  caller: BrokerClient
  readyz(): Promise<{ status: number; log: string } | undefined>
  /** Resolves with the exit code. */
  ended: Promise<number | null>
}

async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer()
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      return server
    }),
  )
  const ports = servers.map((server) => (server.address() as AddressInfo).port)
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}

/** Starts a broker whose log nobody reads unless the test does. */
async function start(
  t: Test,
  world: World,
  stdout: 'pipe' | number,
  env: Record<string, string> = {},
  reading: (child: ChildProcess) => void = () => {},
): Promise<Running> {
  const [browsers, internal, operations] = await freePorts(3)
  const child = spawn(process.execPath, [MAIN], {
    stdio: ['ignore', stdout, 'ignore'],
    env: {
      PATH: '/usr/bin:/bin',
      ...world.env,
      PUBLIC_LISTEN: `127.0.0.1:${browsers}`,
      INTERNAL_LISTEN: `127.0.0.1:${internal}`,
      OPERATIONS_LISTEN: `127.0.0.1:${operations}`,
      ...env,
    },
  })
  reading(child)
  const ended = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)))
  t.teardown(() => child.kill('SIGKILL'))
  const readyz = async () => {
    const answer = await fetch(`http://127.0.0.1:${operations}/readyz`).catch(() => undefined)
    if (answer === undefined) return undefined
    const { log, ready } = (await answer.json()) as { log: string; ready: boolean }
    return { status: answer.status, log, ready }
  }
  // Answering is enough: with a log that is stuck from the start it is never ready.
  const isUp = () =>
    fetch(`http://127.0.0.1:${internal}/openapi.json`).then(
      (answer) => answer.arrayBuffer(),
      () => undefined,
    )
  while ((await isUp()) === undefined) await new Promise((resolve) => setTimeout(resolve, 20))
  const caller = createBrokerClient({
    address: () => `http://127.0.0.1:${internal}`,
    authority: BROKER_AUTHORITY,
    key: world.secrets.megdocsKey,
  })
  return { child, caller, readyz, ended }
}

const codeOf = (asked: Promise<unknown>): Promise<string> =>
  asked.then(
    () => 'answered',
    (error: unknown) => (error instanceof BrokerProblem ? error.problem.code : String(error)),
  )

/** Reads tokens until the log takes no more. Resolves with the answers of the reads that were waiting then. */
async function fill({ caller }: Running): Promise<string[]> {
  for (;;) {
    const codes = await Promise.all(Array.from({ length: 50 }, () => codeOf(caller.token('42', 'x'.repeat(256)))))
    if (codes.includes('audit_unavailable')) return codes
  }
}

t.test(
  'a reader that is stuck: no token leaves, readyz is 503, refreshed tokens are saved, then all goes on',
  async (t) => {
    const world = await startWorld(t)
    await world.connect('42')
    await world.connect('77')
    let log = ''
    const broker = await start(t, world, 'pipe', {}, ({ stdout }) => {
      stdout!.on('data', (text: Buffer) => void (log += text.toString()))
    })
    t.same(await codeOf(broker.caller.token('42')), 'answered')
    broker.child.stdout!.pause()
    const codes = await fill(broker)
    t.ok(
      codes.every((code) => ['answered', 'audit_unavailable'].includes(code)),
      codes.join(' '),
    )
    t.match(await broker.readyz(), { status: 503, log: 'blocked' })

    // Microsoft is asked and its answer is saved, although the token may not leave.
    await world.setRemaining('77', 10)
    const before = await world.stored('77')
    t.equal(await codeOf(broker.caller.token('77')), 'audit_unavailable')
    t.not((await world.stored('77'))!.accessToken, before!.accessToken)
    // Others are refused, too, for lack of their line.
    t.equal(await codeOf(broker.caller.token('nobody')), 'audit_unavailable')

    broker.child.stdout!.resume()
    await until(async () => (await broker.readyz())?.status === 200)
    t.equal(await codeOf(broker.caller.token('77')), 'answered')
    broker.child.kill('SIGTERM')
    t.equal(await broker.ended, 0)
    const numbers = log
      .split('\n')
      .filter((line) => line.includes('"audit":"'))
      .map((line) => (JSON.parse(line) as { number: number }).number)
    t.same(
      numbers,
      [...numbers.keys()].map((i) => i + 1),
      'no line was lost',
    )
    t.match(log, /"audit":"refused"[^\n]*"code":"audit_unavailable"/)
    t.match(log, /"audit":"life_ended"/)
  },
)

t.test('SIGTERM while the reader is stuck: a refresh is finished and saved, and the process ends', async (t) => {
  const world = await startWorld(t)
  await world.connect('42')
  const broker = await start(t, world, 'pipe')
  await fill(broker)
  await world.setRemaining('42', 10)
  const before = await world.stored('42')
  world.entra.control.hold()
  const asked = codeOf(broker.caller.token('42'))
  await world.entra.control.held()
  broker.child.kill('SIGTERM')
  world.entra.control.release()
  t.equal(await asked, 'audit_unavailable')
  t.equal(await broker.ended, 0)
  t.not((await world.stored('42'))!.accessToken, before!.accessToken)
})

t.test('a reader that is gone: nobody gets a token, and the process drains and ends with 1', async (t) => {
  const world = await startWorld(t)
  await world.connect('42')
  const broker = await start(t, world, 'pipe', { DRAIN_SECONDS: '2' })
  await world.setRemaining('42', 10)
  const before = await world.stored('42')
  world.entra.control.hold()
  const asked = codeOf(broker.caller.token('42'))
  await world.entra.control.held()
  broker.child.stdout!.destroy()
  t.equal(await codeOf(broker.caller.token('nobody')), 'audit_unavailable')
  t.match(await broker.readyz(), { status: 503, log: 'closed' })
  world.entra.control.release()
  t.equal(await asked, 'audit_unavailable')
  t.equal(await broker.ended, 1)
  t.not((await world.stored('42'))!.accessToken, before!.accessToken)
})

t.test('a full disk: no token leaves and readyz is 503; with AUDIT=best-effort tokens leave', async (t) => {
  const world = await startWorld(t)
  await world.connect('42')
  const full = openSync('/dev/full', 'w')
  t.teardown(() => closeSync(full))
  const broker = await start(t, world, full)
  t.equal(await codeOf(broker.caller.token('42')), 'audit_unavailable')
  await until(async () => (await broker.readyz())?.status === 503)
  t.match(await broker.readyz(), { status: 503, log: 'blocked' })
  broker.child.kill('SIGTERM')
  t.equal(await broker.ended, 0)

  const lenient = await start(t, world, full, { AUDIT: 'best-effort' })
  t.equal(await codeOf(lenient.caller.token('42')), 'answered')
  await until(async () => (await lenient.readyz())?.log === 'blocked')
  t.match(await lenient.readyz(), { status: 200, ready: true })
  lenient.child.kill('SIGTERM')
  t.equal(await lenient.ended, 0)
})
