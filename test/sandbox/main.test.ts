import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createConnection } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { forgetWorld } from '../../sandbox/world.ts'
import { folderInCheckout } from '../support/folder.ts'

const MAIN = fileURLToPath(new URL('../../sandbox/main.ts', import.meta.url))

/** Runs `npm run sandbox` in a new folder until it prints the address to open. */
async function run(cwd: string): Promise<{ child: ChildProcess; output(): string; ports: number[] }> {
  const child = spawn(process.execPath, [MAIN, '--port', '0'], { cwd, stdio: ['ignore', 'pipe', 'inherit'] })
  let text = ''
  for await (const chunk of child.stdout.iterator({ destroyOnReturn: false })) {
    text += String(chunk)
    if (/^Open {3}http:/m.test(text)) break
  }
  child.stdout.on('data', (chunk: Buffer) => (text += String(chunk)))
  return {
    child,
    output: () => text,
    ports: [...text.matchAll(/http:\/\/[^/\s]+:(\d+)/g)].map(([, port]) => Number(port)),
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(port, '127.0.0.1', () => resolve(socket.destroy() !== undefined))
    socket.once('error', () => resolve(false))
  })
}

async function allClosed(ports: readonly number[]): Promise<void> {
  for (const port of ports) while (await accepts(port)) await new Promise((resolve) => setTimeout(resolve, 20))
}

t.test('the sandbox prints what it starts and the address to open, and Ctrl-C ends all parts', async (t) => {
  const cwd = folderInCheckout(t)
  t.teardown(() => forgetWorld(join(cwd, '.sandbox')))
  const { child, output, ports } = await run(cwd)
  for (const part of ['PostgreSQL', 'simulated Microsoft', 'MEGDocs and the front door', 'the token broker'])
    t.match(output(), `starting ${part}`)
  t.equal(ports.length, 4)
  for (const port of ports) t.ok(await accepts(port), `port ${port} is open`)
  child.kill('SIGINT')
  t.same(await once(child, 'exit'), [0, null])
  for (const port of ports) t.notOk(await accepts(port), `port ${port} is closed`)
})

t.test('a sandbox that is killed leaves no broker behind', async (t) => {
  const cwd = folderInCheckout(t)
  const { child, ports } = await run(cwd)
  child.kill('SIGKILL')
  await once(child, 'exit')
  await allClosed(ports)
  // Its PostgreSQL has ended too: its data can be deleted only when no server uses it.
  while (!canForget(join(cwd, '.sandbox'))) await new Promise((resolve) => setTimeout(resolve, 20))
  for (const port of ports) t.notOk(await accepts(port), `port ${port} is closed`)
})

function canForget(dir: string): boolean {
  try {
    forgetWorld(dir)
    return true
  } catch {
    return false
  }
}
