import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Supervised, supervise } from '../../sandbox/supervise.ts'
import { buildahRun, buildImage, store } from './archive.ts'

/**
 * Builds the image with buildah and runs it like Kubernetes: with its own entry point, user, environment and working
 * directory, a read-only root filesystem, no new capabilities, and Node as pid 1. Independent of what the service does.
 */

export interface ImageConfig {
  User: string
  Env: string[]
  Entrypoint: string[]
  Cmd: string[]
  WorkingDir: string
  Labels: Record<string, string>
  ExposedPorts: Record<string, object>
}

export interface Image {
  config: ImageConfig
  /** Folder with its files. */
  root: string
  /** Bytes of all layers, unpacked, and of our own layer only. */
  size: { all: number; ours: number }
  remove(): void
}

/** One line that says what is missing and how to get it. Undefined if nothing is missing. */
export function missingTools(): string | undefined {
  if (process.platform !== 'linux' || process.getuid?.() !== 0)
    return 'test:image needs Linux and root: it enters the root of another filesystem'
  const missing = ['buildah', 'unshare', 'setpriv'].filter(
    (tool) => !(process.env['PATH'] ?? '').split(':').some((folder) => existsSync(join(folder, tool))),
  )
  return missing.length === 0 ? undefined : `test:image lacks ${missing.join(', ')}: run bash test/image/install-tools`
}

/** Builds the image and stores its archive for other tests (archive.ts). */
export function mountImage(name: string): Image {
  buildImage(name)
  store(name)
  const { OCIv1, Manifest } = JSON.parse(buildahRun('inspect', '--type', 'image', name)) as {
    OCIv1: { config: ImageConfig }
    Manifest: string
  }
  const layers = (JSON.parse(Manifest) as { layers: { size: number }[] }).layers.map(({ size }) => size)
  const container = buildahRun('from', '--pull-never', name)
  return {
    config: OCIv1.config,
    root: buildahRun('mount', container),
    size: { all: layers.reduce((sum, size) => sum + size, 0), ours: layers.at(-1) ?? 0 },
    remove() {
      buildahRun('rm', container)
      buildahRun('rmi', name)
    },
  }
}

/**
 * Runs in a new mount and process namespace. NODE_OPTIONS is unset, because tap sets it for all child processes.
 * $1: root of the image; $2: folder that is mounted as /tmp; $3: user; $4: working directory.
 */
const ENTER = `
set -e
unset NODE_OPTIONS
root=$1 shown=$2 user=$3 directory=$4; shift 4
mount --bind "$root" "$root"
mount -t proc -o ro proc "$root/proc"
mount --bind "$shown" "$root/tmp"
mount -o remount,bind,ro "$root/tmp"
mount -o remount,bind,ro "$root"
exec setpriv --no-new-privs --clear-groups \\
  unshare --root="$root" --wd="$directory" --setgid="\${user#*:}" --setuid="\${user%:*}" -- "$@"
`

export interface Running {
  /** All lines of standard output and standard error. */
  lines: string[]
  /** Resolves with the exit code. */
  ended: Promise<number>
  /** Process id of the container's pid 1, outside of the container. */
  pid(): number
  kill(signal: NodeJS.Signals): void
}

/** Starts the image with these arguments instead of its CMD. `shown`: a folder that is mounted read-only as /tmp. */
export async function runImage(
  image: Image,
  options: { args?: readonly string[]; env: Record<string, string>; shown: string; onLine?: (line: string) => void },
): Promise<Running> {
  const { config } = image
  const lines: string[] = []
  const take = (line: string): void => {
    lines.push(line)
    options.onLine?.(line)
  }
  const own = Object.fromEntries(
    config.Env.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]),
  )
  const command = [
    '/usr/bin/unshare',
    '--mount',
    '--pid',
    '--fork',
    '--kill-child',
    '--',
    '/bin/sh',
    '-c',
    ENTER,
    'sh',
    image.root,
    options.shown,
    config.User,
    config.WorkingDir,
    ...config.Entrypoint,
    ...(options.args ?? config.Cmd),
  ]
  const child: Supervised = await supervise(command, {
    env: { ...own, PATH: '/usr/sbin:/usr/bin:/sbin:/bin', ...options.env },
    cwd: '/',
    lastSignal: 'TERM',
    onOutput: take,
    onError: take,
  })
  const pid = (): number =>
    Number(readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim().split(' ')[0])
  return { lines, ended: child.ended, pid, kill: (signal) => void process.kill(pid(), signal) }
}
