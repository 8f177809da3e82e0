import t from 'tap'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { get } from 'node:https'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const main = fileURLToPath(new URL('../../sandbox/entra/main.ts', import.meta.url))

function run(args: string[], env: Record<string, string> = {}) {
  const child = spawn(process.execPath, [main, ...args], { env: { ...process.env, ...env } })
  let output = ''
  const more = (chunk: Buffer): void => void (output += chunk.toString())
  child.stdout.on('data', more)
  child.stderr.on('data', more)
  const ended = once(child, 'close').then(([code]) => code as number)
  const printed = async (pattern: RegExp): Promise<RegExpExecArray> => {
    for (;;) {
      const found = pattern.exec(output)
      if (found) return found
      await once(child.stdout, 'data')
    }
  }
  return { child, ended, printed, output: () => output }
}

t.test('alone it says that it is simulated, where it listens and its seed, and ends on SIGTERM', async (t) => {
  const process = run(['--seed', '42', '--crowd', '3'])
  await process.printed(/seed +42/)
  t.match(process.output(), 'SIMULATED')
  const [, control = ''] = await process.printed(/control +(http:\S+)/)
  const state = (await (await fetch(control)).json()) as { accounts: unknown[] }
  t.equal(state.accounts.length, 12)
  process.child.kill('SIGTERM')
  t.equal(await process.ended, 0)
})

t.test('with --tls it speaks TLS, and writes the certificate that clients need', async (t) => {
  const file = join(t.testdir(), 'microsoft.pem')
  const process = run(['--tls', file])
  const [, url = ''] = await process.printed(/sign-in +(https:\S+)/)
  const status = await new Promise((resolve) => {
    get(`${url}/common/discovery/v2.0/keys`, { ca: readFileSync(file) }, (answer) => {
      resolve(answer.resume().statusCode)
    })
  })
  t.equal(status, 200)
  process.child.kill('SIGTERM')
  t.equal(await process.ended, 0)
})

t.test('a bad option, a taken port or a real host in the environment end it with a word', async (t) => {
  const taken = createServer().listen(0, '127.0.0.1')
  t.teardown(() => taken.close())
  await once(taken, 'listening')
  const { port } = taken.address() as AddressInfo
  const cases = [
    run(['--port', 'many']),
    run(['--colour', 'red']),
    run(['--port', String(port)]),
    run([], { MICROSOFT_LOGIN_URL: 'https://login.microsoftonline.com' }),
  ]
  t.same(await Promise.all(cases.map((each) => each.ended)), [1, 1, 1, 1])
  const words = cases.map((each) => each.output())
  t.match(words[0], /--port: expected a whole number, not "many"/)
  t.match(words[1], /--colour/)
  t.match(words[2], /EADDRINUSE/)
  t.match(words[3], /names the real login\.microsoftonline\.com/)
})
