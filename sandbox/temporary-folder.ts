import { accessSync, chownSync, constants, mkdtempSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'

// Where temporary files go on a machine whose /tmp may be closed to whoever needs it, as it is on some.

/** Whom a child process runs as; undefined: as we are. */
export interface RunAs {
  uid: number
  gid: number
}

/** Whether everybody may walk to this path and read it. */
export function isOpen(path: string): boolean {
  const found = statSync(path)
  const needed = found.isDirectory() ? 0o005 : 0o004
  if ((found.mode & needed) !== needed) return false
  for (let folder = dirname(path); folder !== dirname(folder); folder = dirname(folder)) {
    if ((statSync(folder).mode & 0o001) === 0) return false
  }
  return true
}

/** Whether folders can be made here and deleted again: by us, or by the other user. */
function serves(root: string, user: RunAs | undefined): boolean {
  try {
    accessSync(root, constants.W_OK | constants.X_OK)
    return !user || (isOpen(root) && (statSync(root).mode & 0o002) !== 0)
  } catch {
    return false
  }
}

/**
 * The first of the places that Python's tempfile tries too, TMPDIR, /tmp, /var/tmp and the working directory, in which we, and the
 * user if one is given, can make and delete folders. Throws when there is none.
 */
export function temporaryRoot(user?: RunAs): string {
  const found = [resolve(tmpdir()), '/tmp', '/var/tmp', process.cwd()].find((root) => serves(root, user))
  if (found === undefined) throw new Error('there is no folder for temporary files: let TMPDIR name one that everybody may write to, as /tmp usually is')
  return found
}

/** A new folder that only we, or the user if one is given, may enter. */
export function temporaryFolder(name: string, user?: RunAs): string {
  const folder = mkdtempSync(join(temporaryRoot(user), `${name}-`))
  if (user) chownSync(folder, user.uid, user.gid)
  return folder
}
