/**
 * npm run test:python: runs the sandbox's check with the Django example, then the tests of clients/python on two
 * Django versions with a real broker and the simulated Microsoft. Exit code 1: a test failed or was skipped, or there
 * were fewer than two Django versions. Exit code 2: this machine lacks something. PYTHONS may list interpreters,
 * separated by commas.
 */
import { generateKeyPairSync } from 'node:crypto'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import postgres from 'postgres'
import { CALLER_PERMISSIONS } from '../src/core/caller-permissions.ts'
import { generateKey } from '../src/signature/keygen.ts'
import { BROKER_AUTHORITY } from './broker.ts'
import { check } from './check.ts'
import { createControls } from './controls.ts'
import { vectors } from './django-vectors.ts'
import { CLIENT, ensureVenv, findPython, MissingPython, run } from './django-venv.ts'
import { serveControls, startDjango } from './django.ts'
import { temporaryFolder } from './temporary-folder.ts'
import { createWorld } from './world.ts'

const say = (line: string): void => void process.stdout.write(`${line}\n`)
const TOOLS = ['pytest~=8.3', 'cryptography>=41', 'requests>=2.28', 'httpx>=0.27']
/** Microsoft's SDK and another one (test_credential.py). Half a gigabyte, so only one environment has them. */
const SDKS = ['azure-core>=1.31', 'msgraph-sdk~=1.65', 'Office365-REST-Python-Client~=3.3']
/** What a project uses beside Django (test_celery.py, test_django_rest.py). The other environment has them. */
const FRAMEWORKS = ['celery~=5.6', 'djangorestframework~=3.17']

/** The same steps as `npm run sandbox -- --check`. Prints only the steps that failed. */
async function walkExample(): Promise<boolean> {
  const lines: string[] = []
  const held = await check((line) => void lines.push(line), { startMegdocs: startDjango })
  const shown = held ? lines.at(-1)?.trim() : lines.filter((line) => !line.startsWith('✓')).join('\n')
  say(`Django example in the sandbox: ${shown}`)
  return held
}

/** One environment for each Django version: the LTS, and the newest version that a Python of this machine can run. */
async function environments(): Promise<{ name: string; interpreter: string }[]> {
  const named = process.env['PYTHONS']?.split(',') ?? []
  const any = await findPython([...named, 'python3'], (minor) => minor >= 10)
  if (any === undefined)
    throw new MissingPython(
      'test:python needs python3 (3.10 or later, for Django 5.2) with venv, and a package index that pip can reach.',
    )
  const newer = await findPython(
    [...named, 'python3', 'python3.14', 'python3.13', 'python3.12'],
    (minor) => minor >= 12,
  )
  const second = newer === undefined ? { python: any, django: 'Django~=5.1.0' } : { python: newer, django: 'Django>=6' }
  if (newer === undefined)
    say('No Python 3.12 or later on PATH, which the newest Django needs: Django 5.1 is tested instead.')
  return [
    { name: 'lts', interpreter: await ensureVenv(any, 'lts', ['Django~=5.2.0', ...TOOLS, ...SDKS], say) },
    {
      name: 'newest',
      interpreter: await ensureVenv(second.python, 'newest', [second.django, ...TOOLS, ...FRAMEWORKS], say),
    },
  ]
}

/** Callers of the tests: one for each algorithm, and one with a single permission. */
function makeCallers() {
  const day = 86_400_000
  const make = (algorithm: 'hmac-sha256' | 'ed25519', name: string) =>
    generateKey(algorithm, name, Date.now() + day, Date.now() - 60_000)
  const [hmac, ed25519, reader] = [
    make('hmac-sha256', 'megdocs'),
    make('ed25519', 'megdocs-ed'),
    make('hmac-sha256', 'reader'),
  ]
  const response = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' })
  return {
    file: JSON.stringify({
      callers: [
        { name: 'megdocs', permissions: CALLER_PERMISSIONS, keys: [hmac.broker] },
        { name: 'megdocs-ed', permissions: CALLER_PERMISSIONS, keys: [ed25519.broker] },
        { name: 'reader', permissions: ['tokens:read'], keys: [reader.broker] },
      ],
    }),
    responseKey: `broker-response:${response.d ?? ''}`,
    tests: {
      hmac: hmac.caller,
      ed25519: { ...ed25519.caller, response_key_id: 'broker-response', response_public_key: response.x },
      reader: reader.caller,
    },
  }
}

async function main(): Promise<number> {
  const pythons = await environments()
  let failed = !(await walkExample())
  const folder = temporaryFolder('token-broker-python')
  const callers = makeCallers()
  writeFileSync(join(folder, 'callers.json'), callers.file, { mode: 0o600 })
  writeFileSync(join(folder, 'vectors.json'), JSON.stringify(vectors()))
  const world = await createWorld({
    brokerEnvironment: {
      CALLERS_FILE: join(folder, 'callers.json'),
      RESPONSE_SIGNING_KEY: callers.responseKey,
      CALLER_REQUESTS_PER_MINUTE: '100000',
    },
  })
  const sql = postgres(world.databaseUrl, { max: 1, onnotice: () => {} })
  const controls = await serveControls(createControls(world.entra, sql))
  const ran: string[] = []
  try {
    for (const { name, interpreter } of pythons) {
      writeFileSync(
        join(folder, `${name}.json`),
        JSON.stringify({
          broker: world.broker().internalUrl,
          authority: BROKER_AUTHORITY,
          site: world.url,
          public: world.broker().publicUrl,
          operations: world.broker().operationsUrl,
          entra: world.entra.controlUrl,
          graph: world.entra.graphUrl,
          controls: controls.url,
          vectors: join(folder, 'vectors.json'),
          callers: callers.tests,
          prefix: name,
          sdks: name === 'lts',
          frameworks: name === 'newest',
        }),
        { mode: 0o600 },
      )
      const versions = await run(interpreter, [
        '-c',
        'import sys, django; print("Python %d.%d" % sys.version_info[:2], "with Django", django.__version__)',
      ])
      say(versions.out.trim())
      ran.push(versions.out.trim())
      const { code, out } = await run(interpreter, ['-m', 'pytest', '-ra', '-q', '-p', 'no:cacheprovider'], {
        cwd: CLIENT,
        env: { ...process.env, TOKEN_BROKER_TESTS: join(folder, `${name}.json`), PYTHONDONTWRITEBYTECODE: '1' },
      })
      say(out.trim())
      failed ||= code !== 0 || /\d+ (skipped|xfailed|deselected)/.test(out)
    }
    if (failed) say(`The broker's last log lines:\n${world.broker().log().split('\n').slice(-10).join('\n')}`)
    const django = new Set(ran.map((line) => /(\d+\.\d+)[^ ]*$/.exec(line)?.[1]))
    const enough = django.size >= 2 && !django.has(undefined)
    say(`${failed ? 'Failed' : enough ? 'Passed' : 'Not enough: two Django versions are needed'}: ${ran.join(', ')}.`)
    return failed || !enough ? 1 : 0
  } finally {
    await controls.close()
    await sql.end()
    await world.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

try {
  process.exitCode = await main()
} catch (error) {
  if (!(error instanceof MissingPython)) throw error
  say(error.message)
  process.exitCode = 2
}
