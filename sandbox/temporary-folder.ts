import { accessSync, chownSync, constants, mkdtempSync, realpathSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

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

/** Everybody may write there, but delete only what is theirs (the sticky bit). */
const SHARED = 0o1002

/**
 * Whether folders can be made here and deleted again: by us, or by the other user. That one is given what we made, so nobody else may be
 * able to put something in its place meanwhile.
 */
function serves(root: string, user: RunAs | undefined): boolean {
  accessSync(root, constants.W_OK | constants.X_OK)
  const found = statSync(root)
  if (!found.isDirectory()) return false
  return !user || (isOpen(root) && (found.mode & SHARED) === SHARED && [0, process.getuid?.()].includes(found.uid))
}

/**
 * The first of the places that Python's tempfile tries too, TMPDIR, /tmp, /var/tmp and the working directory, in which we, and the
 * user if one is given, can make and delete folders. Throws when there is none.
 */
export function temporaryRoot(user?: RunAs): string {
  for (const place of [tmpdir(), '/tmp', '/var/tmp', process.cwd()]) {
    try {
      // Where links lead to is what has to be open.
      const root = realpathSync(place)
      if (serves(root, user)) return root
    } catch {
      // Missing, or closed to us.
    }
  }
  throw new Error(
    'there is no folder for temporary files: let TMPDIR name one with the rights that /tmp usually has (1777)',
  )
}

/** A new folder that only we, or the user if one is given, may enter. */
export function temporaryFolder(name: string, user?: RunAs): string {
  const folder = mkdtempSync(join(temporaryRoot(user), `${name}-`))
  if (user) chownSync(folder, user.uid, user.gid)
  return folder
}
