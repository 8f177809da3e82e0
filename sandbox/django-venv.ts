import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'

// Virtual environments for the Python client, its Django app and the example. They are made when first needed, in
// clients/python/.venv-*.

export const CLIENT = fileURLToPath(new URL('../clients/python', import.meta.url))

/** This machine lacks something. The message says in one line what. */
export class MissingPython extends Error {}

export interface Interpreter {
  command: string
  /** Such as 3.11. */
  version: string
}

/** Runs a command to its end. Rejects if there is no such command. */
export function run(
  command: string,
  args: readonly string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv; show?: boolean } = {},
): Promise<{ code: number; out: string; err: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: options.cwd,
      env: options.env ?? process.env,
      stdio: ['ignore', options.show ? 'inherit' : 'pipe', 'pipe'],
    })
    let [out, err] = ['', '']
    child.stdout?.on('data', (chunk: Buffer) => (out += String(chunk)))
    child.stderr?.on('data', (chunk: Buffer) => {
      err += String(chunk)
      if (options.show) process.stderr.write(chunk)
    })
    child.once('error', reject)
    child.once('close', (code) => resolve({ code: code ?? 1, out, err }))
  })
}

/** The first of these commands that is an accepted Python with venv. Searches all folders of PATH. */
export async function findPython(
  commands: readonly string[],
  accepts: (minor: number) => boolean = (minor) => minor >= 10,
): Promise<Interpreter | undefined> {
  // The first one in PATH may be a launcher without that version installed.
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '')
  const found = commands.flatMap((command) =>
    command.includes('/')
      ? [command]
      : folders.map((folder) => join(folder, command)).filter((path) => existsSync(path)),
  )
  for (const command of found) {
    const probe = 'import sys, venv, ensurepip; print("%d.%d" % sys.version_info[:2])'
    const answer = await run(command, ['-c', probe]).catch(() => undefined)
    const [, minor] = /^3\.(\d+)\s*$/.exec(answer?.code === 0 ? answer.out : '') ?? []
    if (minor !== undefined && accepts(Number(minor))) return { command, version: `3.${minor}` }
  }
  return undefined
}

/**
 * The interpreter of an environment with the client (editable) and these packages. Makes the environment, or makes it
 * again if the packages, the Python or pyproject.toml have changed. Throws MissingPython.
 */
export async function ensureVenv(
  python: Interpreter,
  name: string,
  packages: readonly string[],
  say: (line: string) => void = () => {},
): Promise<string> {
  const folder = join(CLIENT, `.venv-${name}`)
  const made = join(folder, 'made')
  const wanted = createHash('sha256')
    .update(JSON.stringify([python, packages, readFileSync(join(CLIENT, 'pyproject.toml'), 'utf8')]))
    .digest('hex')
  const interpreter = join(folder, 'bin', 'python')
  if (existsSync(made) && readFileSync(made, 'utf8') === wanted) return interpreter
  say(`Python ${python.version} environment clients/python/.venv-${name} (the first use takes a moment)`)
  const steps: [string, string[]][] = [
    [python.command, ['-m', 'venv', '--clear', folder]],
    [
      interpreter,
      ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--editable', CLIENT, ...packages],
    ],
  ]
  for (const [command, args] of steps) {
    const { code, err } = await run(command, args)
    if (code !== 0)
      throw new MissingPython(`The Python environment cannot be made. ${err.trim().split('\n').at(-1) ?? command}`)
  }
  writeFileSync(made, wanted)
  return interpreter
}
