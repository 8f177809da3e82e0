/**
 * npm run sandbox: the broker and everything around it on this machine, for a person with a browser.
 *   --fresh  delete the data of earlier runs in .sandbox/
 *   --check  run the whole path without a person, on temporary data, and print for each step whether it passed
 *   --django use the Django example of clients/python as MEGDocs (needs python3)
 *   --federation  the broker has no secret: it shows the token of a simulated Kubernetes cluster
 *   --port N the front door's port (default 8080)
 */
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { check } from './check.ts'
import { startDjango } from './django.ts'
import { createWorld, forgetWorld, WITH_CHALLENGES, type World, type WorldOptions } from './world.ts'

/** npm runs scripts in the folder of the checkout. */
const DIR = resolve('.sandbox')
const say = (line: string): void => void process.stdout.write(`${line}\n`)

async function serve(port: number, options: Pick<WorldOptions, 'startMegdocs' | 'federation'>): Promise<void> {
  const began = performance.now()
  const world = await createWorld({
    brokerEnvironment: WITH_CHALLENGES,
    ...options,
    dir: DIR,
    port,
    report: (line) => say(`  starting ${line}`),
  })
  let stopping = false
  async function stop(code: number): Promise<void> {
    if (stopping) return
    stopping = true
    await world.close()
    process.exit(code)
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (!stopping) say('\nStopping …')
      void stop(0)
    })
  }
  void world.broker().ended.then((code) => {
    if (stopping) return
    const last = world.broker().log().split('\n').slice(-15).join('\n')
    say(`\nThe token broker has ended unexpectedly (code ${code}). Its last log lines:\n${last}`)
    void stop(1)
  })
  welcome(world, performance.now() - began)
}

function welcome(world: World, milliseconds: number): void {
  say(`
All parts are running (${(milliseconds / 1000).toFixed(1)} s). They are simulated, and other machines cannot reach them.

  Microsoft's control    ${world.entra.controlUrl}/control
  broker, signed API     ${world.broker().internalUrl}/docs
  broker, operations     ${world.broker().operationsUrl}/readyz
  broker, log            ${join(DIR, 'broker.log')}

Data and keys are kept in .sandbox/ for the next run; --fresh deletes them. Connected accounts are kept. Documents,
logins at MEGDocs and approvals at the simulated Microsoft are lost when the sandbox stops. Ctrl-C stops all parts.

Open   ${world.url}`)
}

function explain(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  const taken = /postmaster\.pid.*already exists/.test(message)
  if (taken) return 'Another sandbox uses the same data in .sandbox/: stop it first.'
  return message
}

const USAGE = 'npm run sandbox -- [--fresh] [--check] [--django] [--federation] [--port <0 to 65535>]'

async function run(): Promise<void> {
  const { values } = parseArgs({
    options: {
      fresh: { type: 'boolean' },
      check: { type: 'boolean' },
      django: { type: 'boolean' },
      federation: { type: 'boolean' },
      port: { type: 'string', default: '8080' },
    },
  })
  const port = Number(values.port)
  if (!/^\d{1,5}$/.test(values.port) || port > 65_535) throw new RangeError('no port')
  const options: WorldOptions = {
    ...(values.django && { startMegdocs: (given) => startDjango(given, { readsEvents: !values.check }) }),
    ...(values.federation && { federation: true }),
  }
  if (values.check) {
    process.exitCode = (await check(say, options)) ? 0 : 1
    return
  }
  if (values.fresh) forgetWorld(DIR)
  say('Token broker sandbox')
  await serve(port, options)
}

try {
  await run()
} catch (error) {
  const { code } = error as { code?: unknown }
  const misused = error instanceof RangeError || (typeof code === 'string' && code.startsWith('ERR_PARSE_ARGS'))
  say(misused ? `Call it as: ${USAGE}` : `\nThe sandbox cannot start.\n${explain(error)}`)
  process.exitCode = misused ? 2 : 1
}
