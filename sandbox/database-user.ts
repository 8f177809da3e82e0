import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  chownSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { isOpen, type RunAs, temporaryRoot } from './temporary-folder.ts'

// PostgreSQL refuses to run as root. This file decides which user runs it instead, and where that user can read and
// write.

/** The unprivileged user that root starts PostgreSQL as. It must exist, because initdb reads its passwd entry. */
export function databaseUser(): RunAs | undefined {
  if (process.getuid?.() !== 0) return undefined
  const entries = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
  for (const name of ['postgres', 'nobody', 'daemon']) {
    const entry = entries.find((fields) => fields[0] === name)
    const uid = Number(entry?.[2])
    const gid = Number(entry?.[3])
    if (entry && uid > 0 && gid > 0) return { uid, gid }
  }
  throw new Error(
    'PostgreSQL does not run as root, and there is no user postgres, nobody or daemon here: set DATABASE_URL instead',
  )
}

/**
 * A folder with PostgreSQL of the npm package that the user can read. If the user cannot read the checkout, it is a
 * copy, made once for each version. Two processes may copy at the same time: the first rename wins, the other process
 * deletes its copy.
 */
export function readablePostgres(native: string, version: string, user: RunAs | undefined): string {
  if (!user || isOpen(join(native, 'share', 'postgresql', 'postgres.bki'))) return native
  const copy = join(temporaryRoot(user), `token-broker-postgres-${version}-${process.arch}`)
  if (!existsSync(copy)) {
    const draft = mkdtempSync(`${copy}-`)
    cpSync(native, draft, { recursive: true, verbatimSymlinks: true })
    execFileSync('chmod', ['-R', 'a+rX', draft])
    try {
      renameSync(draft, copy)
    } catch {
      rmSync(draft, { recursive: true, force: true })
    }
  }
  assertOwner(copy, process.getuid?.() ?? 0)
  return copy
}

/**
 * The folder where data for `folder` is really kept: `folder` itself, or, if the user cannot reach it, a folder in
 * /var/tmp whose name is derived from it.
 */
export function keptFolder(folder: string, user: RunAs | undefined): string {
  const wanted = resolve(folder)
  mkdirSync(dirname(wanted), { recursive: true })
  const name = `token-broker-${basename(wanted)}-${createHash('sha256').update(wanted).digest('hex').slice(0, 16)}`
  const real = user && !isOpen(dirname(wanted)) ? join('/var/tmp', name) : wanted
  if (!existsSync(real)) {
    mkdirSync(real, { mode: 0o700 })
    if (user) chownSync(real, user.uid, user.gid)
  }
  if (user) assertOwner(real, user.uid)
  return real
}

/** Another user may have created a path with a predictable name. */
function assertOwner(path: string, uid: number): void {
  const found = lstatSync(path)
  if (found.isDirectory() && found.uid === uid) return
  throw new Error(`${path} is not a folder of the user with the id ${uid}: remove it`)
}
