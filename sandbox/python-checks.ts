/**
 * npm run check:python: format, lint and types of clients/python, as configured in its pyproject.toml. Exit code 1: a
 * check failed. Exit code 2: this machine lacks something. PYTHONS may list interpreters, separated by commas.
 */
import { CLIENT, ensureVenv, findPython, MissingPython, run } from './django-venv.ts'

const say = (line: string): void => void process.stdout.write(`${line}\n`)

/** Pinned: another version of ruff formats differently, and another version of mypy or pyright finds other errors. */
const TOOLS = [
  'ruff==0.17.6',
  'mypy==2.4.1',
  'pyright==1.1.414',
  'django-stubs==6.1.2',
  'types-requests==2.33.0.20261030',
]
/** What the client, its Django app and its tests import. */
const LIBRARIES = [
  'Django~=5.2.0',
  'pytest~=9.2.0',
  'cryptography>=50',
  'requests>=2.34',
  'httpx>=0.28',
  'azure-core>=1.41',
]
/** Where the installed packages are. pyright does not find them by itself. */
const checks = (interpreter: string) => [
  ['ruff', 'format', '--check', '--quiet', '--diff', '.'],
  ['ruff', 'check', '--quiet', '.'],
  ['mypy'],
  ['pyright', '--pythonpath', interpreter],
]
const ADVICE =
  'check:python needs Python 3.10 or later with venv (Debian: apt-get install python3-venv) and access to PyPI.'

async function main(): Promise<number> {
  const python = await findPython([...(process.env['PYTHONS']?.split(',') ?? []), 'python3'], (minor) => minor >= 10)
  if (python === undefined) throw new MissingPython(ADVICE)
  const interpreter = await ensureVenv(python, 'checks', [...TOOLS, ...LIBRARIES], say)
  // At the same time: mypy and pyright take long, and each uses one processor.
  const failures = await Promise.all(
    checks(interpreter).map(async (check) => {
      const { code, out, err } = await run(interpreter, ['-m', ...check], { cwd: CLIENT })
      if (code !== 0) say(`${check.slice(0, 2).join(' ')} failed:\n${(out + err).trim()}`)
      return code !== 0
    }),
  )
  const failed = failures.includes(true)
  if (!failed) say('Python: format, lint and types are correct.')
  return failed ? 1 : 0
}

try {
  process.exitCode = await main()
} catch (error) {
  if (!(error instanceof MissingPython)) throw error
  say(error.message === ADVICE ? ADVICE : `${error.message} ${ADVICE}`)
  process.exitCode = 2
}
