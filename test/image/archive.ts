import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/**
 * The image as an OCI archive in the folder of tools, one for each state of its sources, so that test:image and
 * test:cluster build it once.
 */

export const ROOT = fileURLToPath(new URL('../..', import.meta.url))
export const TOOLS = process.env['TOKEN_BROKER_TOOLS'] ?? join(homedir(), '.cache', 'token-broker-tools')
/** vfs and chroot need neither a daemon nor a kernel module. */
const FLAGS = ['--root', join(TOOLS, 'storage'), '--runroot', join(TOOLS, 'run'), '--storage-driver', 'vfs']
const ENVIRONMENT = { ...process.env, BUILDAH_ISOLATION: 'chroot' }
const REPOSITORY = 'registry.example/token-broker'

export function buildahRun(...args: string[]): string {
  try {
    return execFileSync('buildah', [...FLAGS, ...args], {
      cwd: ROOT,
      encoding: 'utf8',
      maxBuffer: 2 ** 26,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: ENVIRONMENT,
    }).trim()
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string }
    throw new Error(`buildah ${args[0]} failed:\n${stdout.slice(-4000)}\n${stderr.slice(-4000)}`, { cause: error })
  }
}

/**
 * Builds the Dockerfile. `standIn`: on stand-ins for its base images, because they cannot be pulled everywhere. `args`:
 * more arguments of buildah.
 */
export function buildImage(
  name: string,
  { context = '.', args = [], standIn = true }: { context?: string; args?: readonly string[]; standIn?: boolean } = {},
): void {
  mkdirSync(TOOLS, { recursive: true })
  if (standIn)
    execFileSync('bash', [join(ROOT, 'test/image/stand-in'), process.execPath, ...FLAGS], {
      stdio: ['ignore', 'inherit', 'inherit'],
      env: ENVIRONMENT,
    })
  const npmrc = join(homedir(), '.npmrc')
  const secret = existsSync(npmrc) ? ['--secret', `id=npmrc,src=${npmrc}`] : []
  const pull = standIn ? '--pull-never' : '--pull'
  buildahRun('bud', pull, '--layers=false', ...secret, ...args, '--tag', name, context)
}

/** What the image is made of: .dockerignore lists the same. */
function sources(): string[] {
  const code = readdirSync(join(ROOT, 'src'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name))
  const named = ['Dockerfile', 'package.json', 'package-lock.json', 'tsconfig.json', 'tsconfig.build.json']
  return [...named.map((name) => join(ROOT, name)), ...code].sort()
}

function archivePath(): string {
  const hash = createHash('sha256').update(process.version)
  for (const path of sources()) hash.update(path.slice(ROOT.length)).update('\0').update(readFileSync(path))
  return join(TOOLS, 'image', `${hash.digest('hex').slice(0, 24)}.tar`)
}

/** Stores a built image as an archive, and deletes the archives of other sources. */
export function store(name: string): string {
  const path = archivePath()
  if (existsSync(path)) return path
  const folder = join(TOOLS, 'image')
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string }
  buildahRun('push', '-q', name, `oci-archive:${path}.new:${REPOSITORY}:${version}`)
  renameSync(`${path}.new`, path)
  return path
}

/** The archive of these sources, built if it is not there. Its image is registry.example/token-broker:<version>. */
export function imageArchive(): string {
  const path = archivePath()
  if (existsSync(path)) return path
  const name = `localhost/token-broker:archive-${process.pid}`
  buildImage(name)
  try {
    return store(name)
  } finally {
    buildahRun('rmi', name)
  }
}

if (import.meta.main) console.log(imageArchive())
