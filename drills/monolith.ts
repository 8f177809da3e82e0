/**
 * npx node drills/monolith.ts [--seconds 30]: the broker is stopped (SIGSTOP) under the Django example, with gunicorn
 * and its synchronous workers. 50 users click, and read between two clicks. Not in `npm run drills`: it lasts over a
 * minute.
 *
 * Targets: pages that need no token are at most 200 ms slower at p95 than before; others take at most 2 seconds.
 */
import { spawn } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { request } from 'undici'
import { CLIENT, ensureVenv, findPython, MissingPython, run } from '../sandbox/django-venv.ts'
import { temporaryFolder } from '../sandbox/temporary-folder.ts'
import { deploy, expect, pause } from './deployment.ts'

const WORKERS = 3
const USERS = 50
/** The mean time between the answer to one click and the next click of a user; exponentially distributed. */
const THINK_MS = 5_000
const BEFORE_SECONDS = 30
const SLOWER_MS = 200
const LIMIT_MS = 2_000

/** What users open, with its share of the clicks. The documents need a call of Graph too. */
const PAGES = [
  { path: '/documents', share: 0.4, needs: 'a token' },
  { path: '/', share: 0.3, needs: 'the status tag' },
  { path: '/login', share: 0.3, needs: 'no token' },
] as const
type Need = (typeof PAGES)[number]['needs']

type Phase = 'warm' | 'before' | 'stopped' | 'after'

interface Click {
  needs: Need
  status: number
  ms: number
}

/** Creates the users with their sessions, which it prints. */
const PREPARE = `
import django; django.setup()
import json, sys
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.test import Client
call_command("migrate", verbosity=0)
found = []
for name in json.loads(sys.argv[1]):
    client = Client()
    client.force_login(get_user_model().objects.create_user(username=name))
    found.append(client.cookies["sessionid"].value)
print(json.dumps(found))
`

/** Numbers from 0 to 1, the same in each run. */
function randomNumbers(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

async function startGunicorn(env: NodeJS.ProcessEnv, interpreter: string) {
  // Preloaded: the workers are forked from a process that has the application.
  const options = ['--workers', String(WORKERS), '--worker-class', 'sync', '--preload', '--bind', '127.0.0.1:0']
  const child = spawn(interpreter, ['-m', 'gunicorn', ...options, 'django.core.wsgi:get_wsgi_application()'], {
    cwd: join(CLIENT, 'example'),
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  const lines: string[] = []
  const url = await new Promise<string>((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => {
        lines.push(String(chunk))
        const found = /Listening at: (http:\/\/127\.0\.0\.1:\d+)/.exec(lines.join(''))
        if (found !== null) resolve(found[1]!)
      })
    void ended.then(() => reject(new Error(`gunicorn ended:\n${lines.join('').slice(-2_000)}`)))
  })
  return {
    url,
    log: () => lines.join(''),
    async close() {
      child.kill('SIGTERM')
      const timer = setTimeout(() => child.kill('SIGKILL'), 10_000)
      await ended
      clearTimeout(timer)
    },
  }
}

/** Clicks until `signal` is aborted. */
async function play(url: string, session: string, seed: number, signal: AbortSignal, onClick: (click: Click) => void) {
  const random = randomNumbers(seed)
  const think = () => pause(Math.min(-Math.log(1 - random()) * THINK_MS, 4 * THINK_MS))
  await pause(random() * THINK_MS)
  while (!signal.aborted) {
    let [share, i] = [random(), 0]
    while (i < PAGES.length - 1 && share >= PAGES[i]!.share) share -= PAGES[i++]!.share
    const page = PAGES[i]!
    const began = performance.now()
    const answer = await request(url + page.path, {
      headers: { cookie: `sessionid=${session}`, accept: 'text/html' },
      reset: true,
    })
    await answer.body.dump()
    onClick({ needs: page.needs, status: answer.statusCode, ms: performance.now() - began })
    await think()
  }
}

async function main(seconds: number): Promise<void> {
  const python = await findPython(['python3'])
  if (python === undefined) throw new MissingPython('This drill needs python3 (3.10 or later) with venv.')
  const interpreter = await ensureVenv(python, 'gunicorn', ['Django~=5.2.0', 'gunicorn>=23'], console.log)
  const folder = temporaryFolder('token-broker-monolith')
  const deployment = await deploy({ env: { CALLER_REQUESTS_PER_MINUTE: '100000' } })
  const ends: (() => Promise<unknown>)[] = [() => deployment.close()]
  const stopClicks = new AbortController()
  try {
    const broker = await deployment.start()
    const users = await deployment.users('monolith', USERS)
    const env = {
      PATH: '/usr/bin:/bin',
      TMPDIR: folder,
      DJANGO_SETTINGS_MODULE: 'megdocs.settings',
      MEGDOCS_DATABASE: join(folder, 'megdocs.sqlite3'),
      MEGDOCS_SECRET_KEY: 'k'.repeat(50),
      TOKEN_BROKER_URL: broker.internalUrl,
      TOKEN_BROKER_AUTHORITY: deployment.caller.authority,
      TOKEN_BROKER_KEY_ID: deployment.caller.key.key_id,
      TOKEN_BROKER_SECRET: deployment.caller.key.secret ?? '',
      MEGDOCS_STATUS_TIMEOUT_SECONDS: '0.2',
      GRAPH_URL: deployment.entra.graphUrl,
    }
    const prepared = await run(interpreter, ['-c', PREPARE, JSON.stringify(users)], {
      cwd: join(CLIENT, 'example'),
      env,
    })
    if (prepared.code !== 0) throw new Error(prepared.err)
    const sessions = JSON.parse(prepared.out) as string[]
    const site = await startGunicorn(env, interpreter)
    ends.push(() => site.close())

    let phase: Phase = 'warm'
    const clicks: Record<Phase, Click[]> = { warm: [], before: [], stopped: [], after: [] }
    const playing = Promise.all(
      // A click counts for the phase in which it began.
      sessions.map((session, i) =>
        play(site.url, session, i + 1, stopClicks.signal, (click) => clicks[phase].push(click)),
      ),
    )
    await pause(5_000)
    phase = 'before'
    await pause(BEFORE_SECONDS * 1_000)
    phase = 'stopped'
    broker.kill('SIGSTOP')
    await pause(seconds * 1_000)
    broker.kill('SIGCONT')
    phase = 'after'
    await pause(10_000)
    stopClicks.abort()
    await playing

    const missed: string[] = []
    for (const needs of PAGES.map((page) => page.needs)) {
      for (const name of ['before', 'stopped', 'after'] as const) {
        const found = clicks[name].filter((click) => click.needs === needs)
        const times = found.map(({ ms }) => ms)
        const [p50, p95, most] = [percentile(times, 0.5), percentile(times, 0.95), percentile(times, 1)]
        const counts = Map.groupBy(found, ({ status }) => status)
        const shown = [...counts].map(([status, list]) => `${status}: ${list.length}`).join(', ')
        const slow = times.filter((ms) => ms > SLOWER_MS + 100).length
        console.log(
          `needs ${needs.padEnd(14)} ${name.padEnd(7)} p50 ${p50.toFixed(0)} ms, p95 ${p95.toFixed(0)} ms, ` +
            `longest ${most.toFixed(0)} ms, ${slow} over 300 ms; ${shown}`,
        )
        if (name !== 'stopped') continue
        const before = percentile(
          clicks.before.filter((click) => click.needs === needs).map(({ ms }) => ms),
          0.95,
        )
        if (needs === 'a token' ? most > LIMIT_MS : p95 > before + SLOWER_MS) missed.push(needs)
      }
    }
    expect(missed.length === 0, `missed: pages that need ${missed.join(', ')}`)
  } finally {
    stopClicks.abort()
    for (const end of ends.reverse()) await end()
    rmSync(folder, { recursive: true, force: true })
  }
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { seconds: { type: 'string', default: '30' } } })
  await main(Number(values.seconds)).then(
    () => process.exit(0),
    (error: unknown) => {
      console.error(error instanceof Error ? error.message : error)
      process.exit(1)
    },
  )
}
