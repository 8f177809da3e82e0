import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { ensureVenv, findPython } from '../sandbox/django-venv.ts'
import { temporaryFolder } from '../sandbox/temporary-folder.ts'
import { buildImage, buildahRun, TOOLS } from '../test/image/archive.ts'
import { versionOf } from './versions.ts'

// `npm run release`: everything that a release hands out, made from the commit that is checked out, in one folder. The
// same commit gives the same bytes, as far as its tools allow: every time stamp is that of the commit.

const ROOT = join(import.meta.dirname, '..')
/** They decide what the archives of the Python client look like. */
const PYTHON_TOOLS = ['build==1.3.0', 'setuptools==80.9.0', 'wheel==0.45.1']

/** A sentence for the person who releases; the stack would not help. */
export class Refused extends Error {}

const run = (command: string, args: readonly string[], cwd = ROOT, env: NodeJS.ProcessEnv = {}): string =>
  execFileSync(command, args, {
    cwd,
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...env },
  }).trim()

export interface Commit {
  version: string
  revision: string
  /** Seconds since the epoch. */
  time: number
}

/** Packs `names` of a folder. Order, owner, mode and time of the files do not depend on this machine. */
export function archive(
  folder: string,
  names: readonly string[],
  target: string,
  { time }: Pick<Commit, 'time'>,
): void {
  const flags = [
    '--sort=name',
    '--owner=0',
    '--group=0',
    '--numeric-owner',
    '--mode=u+rwX,go+rX,go-w',
    `--mtime=@${time}`,
  ]
  const plain = target.replace(/\.t?gz$/, '')
  run('tar', ['--format=gnu', ...flags, '--create', `--file=${plain}`, ...names], folder)
  if (plain === target) return
  // Without the name and time of the file.
  run('gzip', ['--no-name', '--best', '--force', plain], folder)
  renameSync(`${plain}.gz`, target)
}

interface Bom {
  serialNumber?: string
  metadata: { timestamp: string; component?: object; tools?: unknown }
  components: object[]
  dependencies: unknown[]
}

interface Lock {
  packages: Record<string, { dev?: boolean; optional?: boolean; devOptional?: boolean; devDependencies?: object }>
}

/**
 * What `npm sbom` prints about the packages of the image. `sources`: has package.json and package-lock.json. With
 * `--omit=dev`, npm 11.19 leaves out each package that a development package needs too, such as jose. So it gets a
 * lock without those that are only for development, and without optional ones.
 */
export function npmSbom(sources: string): string {
  const folder = temporaryFolder('token-broker-sbom')
  const copy = <T>(name: string, change: (content: T) => unknown): void => {
    const content = JSON.parse(readFileSync(join(sources, name), 'utf8')) as T
    change(content)
    writeFileSync(join(folder, name), JSON.stringify(content))
  }
  try {
    copy<{ devDependencies?: object }>('package.json', (content) => delete content.devDependencies)
    copy<Lock>('package-lock.json', ({ packages }) => {
      delete packages['']?.devDependencies
      for (const [path, { dev, optional, devOptional }] of Object.entries(packages))
        if (dev || optional || devOptional) delete packages[path]
    })
    return run('npm', ['sbom', '--sbom-format=cyclonedx', '--sbom-type=application', '--package-lock-only'], folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/**
 * A CycloneDX list of the npm packages of the image, from package-lock.json, and of its Node; the packages of its base
 * are not in it. `text`: what `npm sbom` printed. Its random number and its time are replaced by those of the commit.
 */
export function billOfMaterials(text: string, { revision, time, version }: Commit, node: string): string {
  const bom = JSON.parse(text) as Bom
  const hash = createHash('sha256').update(`token-broker ${version} ${revision}`).digest('hex')
  const uuid = [
    hash.slice(0, 8),
    hash.slice(8, 12),
    `5${hash.slice(13, 16)}`,
    `8${hash.slice(17, 20)}`,
    hash.slice(20, 32),
  ]
  const runtime = { type: 'platform', name: 'node', version: node, purl: `pkg:generic/node@${node}` }
  // npm takes the name of the folder.
  const component = { ...bom.metadata.component, name: 'token-broker' }
  const metadata = { ...bom.metadata, timestamp: new Date(time * 1000).toISOString(), component }
  const serialNumber = `urn:uuid:${uuid.join('-')}`
  return `${JSON.stringify({ ...bom, serialNumber, metadata, components: [runtime, ...bom.components] }, null, 2)}\n`
}

/** Checksums of all files in a folder, as sha256sum prints and checks them. */
export function checksums(folder: string): string {
  const names = readdirSync(folder).filter((name) => name !== 'SHA256SUMS')
  const lines = names.sort().map((name) => {
    const hash = createHash('sha256')
      .update(readFileSync(join(folder, name)))
      .digest('hex')
    return `${hash}  ${name}\n`
  })
  return lines.join('')
}

async function pythonArchives(client: string, target: string, commit: Commit): Promise<void> {
  const python = await findPython(['python3'])
  if (python === undefined) throw new Error('release needs Python 3.10 or later with venv')
  const interpreter = await ensureVenv(python, 'release', PYTHON_TOOLS, console.log)
  const out = join(client, 'dist')
  const env = { SOURCE_DATE_EPOCH: String(commit.time) }
  run(interpreter, ['-m', 'build', '--no-isolation', '--outdir', out, '.'], client, env)
  for (const name of readdirSync(out)) {
    if (name.endsWith('.whl')) cpSync(join(out, name), join(target, name))
    else {
      // setuptools writes the times of the files and of gzip into it.
      run('tar', ['--extract', `--file=${name}`], out)
      const inner = name.replace(/\.tar\.gz$/, '')
      archive(out, [inner], join(target, name), commit)
    }
  }
}

/**
 * The bases of the image, from the environment. A tag may lead to another image tomorrow, so both need a digest: throws
 * Refused. `standIn`: none, because the stand-ins have the names that the Dockerfile has.
 */
export function releaseBases(env: NodeJS.ProcessEnv, standIn: boolean): Record<string, string> {
  if (standIn) return {}
  const bases = ['BUILD_IMAGE', 'RUNTIME_IMAGE'].map((name) => [name, env[name] ?? ''] as const)
  const unpinned = bases.filter(([, image]) => !/^\S+@sha256:[0-9a-f]{64}$/.test(image)).map(([name]) => name)
  if (unpinned.length > 0)
    throw new Refused(
      `Set ${unpinned.join(' and ')} to the base with its digest (name@sha256:…), see CONTRIBUTING.md#make-a-release.`,
    )
  return Object.fromEntries(bases)
}

/**
 * The image as an OCI archive. `bases`: build arguments. `standIn`: on the stand-ins of test/image, for machines that
 * cannot pull the bases. Returns the version of its Node.
 */
function imageArchive(
  sources: string,
  target: string,
  commit: Commit,
  { bases, standIn }: { bases: Record<string, string>; standIn: boolean },
): string {
  const name = `localhost/token-broker:release-${process.pid}`
  const args = ['--timestamp', String(commit.time)]
  for (const [key, value] of Object.entries({ VERSION: commit.version, REVISION: commit.revision, ...bases }))
    args.push('--build-arg', `${key}=${value}`)
  buildImage(name, { context: sources, args, standIn })
  const layout = `${target}.layout`
  buildahRun('push', '-q', name, `oci:${layout}:${commit.version}`)
  const container = buildahRun('from', '--pull-never', name)
  const node = buildahRun('run', '--user', '0:0', container, '--', '/nodejs/bin/node', '--version')
  buildahRun('rm', container)
  buildahRun('rmi', name)
  archive(layout, readdirSync(layout).sort(), target, commit)
  rmSync(layout, { recursive: true })
  return node.slice(1)
}

/**
 * Builds everything into `folder`, which is emptied first. Resolves with the names of the files. Throws Refused if
 * something is not committed or a base has no digest.
 */
export async function buildArtifacts(folder: string, { standIn = false } = {}): Promise<string[]> {
  if (run('git', ['status', '--porcelain']) !== '')
    throw new Refused('There are changes that are not committed: what is released must be in a commit.')
  const bases = releaseBases(process.env, standIn)
  const [revision = '', time = ''] = run('git', ['log', '-1', '--format=%H %ct']).split(' ')
  const commit: Commit = { version: versionOf(), revision, time: Number(time) }
  const work = temporaryFolder('token-broker-release')
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  try {
    execFileSync('sh', ['-c', `git archive HEAD | tar --extract --directory "$1"`, 'sh', work], { cwd: ROOT })
    archive(join(work, 'helm'), ['token-broker'], join(folder, `token-broker-${commit.version}.tgz`), commit)
    run(join(TOOLS, 'helm'), ['show', 'chart', join(folder, `token-broker-${commit.version}.tgz`)])
    await pythonArchives(join(work, 'clients/python'), folder, commit)
    const bom = npmSbom(work)
    const file = `token-broker-${commit.version}.cdx.json`
    const image = join(folder, `token-broker-${commit.version}.oci.tar`)
    const node = imageArchive(work, image, commit, { bases, standIn })
    writeFileSync(join(folder, file), billOfMaterials(bom, commit, node))
    writeFileSync(join(folder, 'SHA256SUMS'), checksums(folder))
    return readdirSync(folder).map((name) => basename(name))
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}
