/**
 * Follows an entry of docs/runbooks.md word for word: its code blocks, in their order, in a shell. PostgreSQL is real.
 * `kubectl` and `helm` are stand-ins that ask this process (cluster.ts), because there is no Kubernetes here.
 */
import { execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { delimiter, join } from 'node:path'
import { databaseUser } from '../sandbox/database-user.ts'
import { temporaryFolder } from '../sandbox/temporary-folder.ts'
import { blocksOf, brokerFunction } from '../test/support/runbook.ts'
import { expect } from './deployment.ts'

/** What a program answers: its exit code, and what it prints. */
export interface Answered {
  code: number
  out: string
}
/** `input`: its standard input, if it reads that (`-f -`). */
export type StandIn = (args: readonly string[], input: string, folder: string) => Promise<Answered>

export interface Runbook {
  /** The folder where the commands run. Their user may write there. */
  folder: string
  /**
   * Runs the next code block, with these variables. Throws if a command of it fails, or if it does not print all of
   * `prints`: what the steps say that only look, so that none of them can be missing.
   */
  step(env?: Readonly<Record<string, string>>, ...prints: readonly RegExp[]): Promise<void>
  /** Throws if a code block was not run. */
  end(): void
  close(): Promise<void>
}

/** What a healthy deployment prints. */
export const STOPPED = /scaled/
export const ROLLED_OUT = /successfully rolled out/
export const HEALTHY = /database writable: The database can be written[^]*\d ok, .*\b0 failed/
/** The last block of a restore. */
export const STARTED = [/upgraded/, STOPPED, ROLLED_OUT, HEALTHY]

/** A block that takes longer hangs. */
const STEP_TIMEOUT_MS = 60_000

/** The stand-in: sends its name, arguments and input, and takes exit code and output. */
const SCRIPT = `#!/bin/bash
case " $* " in *" -f - "*) input=$(cat) ;; *) input= ;; esac
exec 3<>"/dev/tcp/127.0.0.1/$STAND_IN_PORT"
printf '%s\\0' "\${0##*/}" "$#" "$@" "$input" >&3
read -r code <&3
cat <&3
exit "$code"
`

/** `headings`: the entries that are followed, one after the other. */
export async function openRunbook(
  headings: readonly string[],
  standIns: Readonly<Record<string, StandIn>>,
): Promise<Runbook> {
  const programs = installedPrograms()
  const user = databaseUser()
  const folder = temporaryFolder('token-broker-runbook', user)
  const bin = join(folder, 'bin')
  mkdirSync(bin)
  for (const name of Object.keys(standIns)) writeFileSync(join(bin, name), SCRIPT, { mode: 0o755 })
  const server = createServer((socket) => {
    let text = ''
    socket.setEncoding('utf8').on('error', () => {})
    socket.on('data', (data: string) => {
      text += data
      const [name = '', count = '', ...rest] = text.split('\0')
      // The last \0 is followed by an empty text.
      if (rest.length < Number(count) + 2) return
      const args = rest.slice(0, Number(count))
      const input = rest[Number(count)]!
      standIns[name]!(args, input, folder).then(
        ({ code, out }) => socket.end(`${code}\n${out}\n`),
        (error: Error) => socket.end(`1\n${error.message}\n`),
      )
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const blocks = headings.flatMap((heading) => blocksOf(heading).map((block) => ({ heading, block })))

  return {
    folder,
    async step(env = {}, ...prints) {
      const next = blocks.shift()
      expect(next !== undefined, `${headings.join(', ')}: the runbook has no further step`)
      const { heading, block } = next
      const child = spawn('bash', ['-c', `set -euo pipefail\n${brokerFunction()}\n${block}`], {
        ...user,
        cwd: folder,
        env: {
          PATH: [bin, programs, '/usr/bin', '/bin'].join(delimiter),
          LC_ALL: 'C',
          TZ: 'UTC',
          STAND_IN_PORT: String((server.address() as AddressInfo).port),
          ...env,
        },
        stdio: ['ignore', 'pipe', 'pipe'],
        timeout: STEP_TIMEOUT_MS,
      })
      const printed: string[] = []
      child.stdout.setEncoding('utf8').on('data', (text: string) => printed.push(text))
      child.stderr.setEncoding('utf8').on('data', (text: string) => printed.push(text))
      const code = await new Promise((resolve) => child.once('close', resolve))
      const out = printed.join('').trim()
      const missing = prints.filter((text) => !text.test(out)).join(', ')
      const where = `at\n${block.trim()}\n${out}`
      expect(code === 0, `the runbook "${heading}" failed (${code}) ${where}`)
      expect(missing === '', `the runbook "${heading}" did not print ${missing} ${where}`)
    },
    end: () =>
      expect(blocks.length === 0, `steps of the runbook were not done: ${blocks.map(({ block }) => block).join('\n')}`),
    async close() {
      await new Promise((resolve) => server.close(resolve))
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** Runs a program of PostgreSQL as the user of its servers. */
export function runProgram(programs: string, name: string, ...args: string[]): void {
  const env = { PATH: '/usr/bin:/bin', LC_ALL: 'C' }
  execFileSync(join(programs, name), args, { ...databaseUser(), cwd: '/', env, stdio: 'pipe' })
}

/** Settings of postgresql.conf as a block of an entry shows them. `paths` replaces the paths of the example. */
export function settingsOf(heading: string, paths: Readonly<Record<string, string>>): Record<string, string> {
  const [block] = blocksOf(heading, 'ini')
  expect(block !== undefined, `the runbook "${heading}" does not say how WAL is archived`)
  const replaced = Object.entries(paths).reduce((text, [path, real]) => text.replaceAll(path, real), block)
  return Object.fromEntries(
    [...replaced.matchAll(/^(\w+) = (?:'(.*)'|(\S+))$/gm)].map(([, name, quoted, plain]) => [name!, quoted ?? plain!]),
  )
}

/** The newest PostgreSQL of this machine with its programs. The one of the npm package has no psql and no pg_dump. */
export function installedPrograms(): string {
  const root = '/usr/lib/postgresql'
  const versions = existsSync(root) ? readdirSync(root).sort((a, b) => Number(b) - Number(a)) : []
  const found = versions.map((version) => join(root, version, 'bin')).find((bin) => existsSync(join(bin, 'pg_dump')))
  expect(found !== undefined, 'psql, pg_dump and a server of their version are missing: apt-get install postgresql')
  return found
}
