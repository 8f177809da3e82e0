import { accessSync, chownSync, constants, mkdtempSync, realpathSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

// Finds a place for temporary files, also on machines where /tmp is closed to some users.

/** The user of a child process. Undefined: the same user as this process. */
export interface RunAs {
  uid: number
  gid: number
}

/** Whether all users may reach and read this path. */
export function isOpen(path: string): boolean {
  const found = statSync(path)
  const needed = found.isDirectory() ? 0o005 : 0o004
  if ((found.mode & needed) !== needed) return false
  for (let folder = dirname(path); folder !== dirname(folder); folder = dirname(folder)) {
    if ((statSync(folder).mode & 0o001) === 0) return false
  }
  return true
}

/** All users may write there, but delete only their own files (the sticky bit). */
const SHARED = 0o1002

/**
 * Whether folders can be created and deleted here, by us or by the other user. We create the folder and then give it to
 * the other user, so no third user may be able to replace it in between.
 */
function isUsable(root: string, user: RunAs | undefined): boolean {
  accessSync(root, constants.W_OK | constants.X_OK)
  const found = statSync(root)
  if (!found.isDirectory()) return false
  return !user || (isOpen(root) && (found.mode & SHARED) === SHARED && [0, process.getuid?.()].includes(found.uid))
}

/**
 * The first of TMPDIR, /tmp, /var/tmp and the working directory (like Python's tempfile) in which we, and the user if
 * one is given, can create and delete folders. Throws if there is none.
 */
export function temporaryRoot(user?: RunAs): string {
  for (const place of [tmpdir(), '/tmp', '/var/tmp', process.cwd()]) {
    try {
      // The target of a link has to be open.
      const root = realpathSync(place)
      if (isUsable(root, user)) return root
    } catch {
      // Missing or closed: try the next one.
    }
  }
  throw new Error('there is no folder for temporary files: set TMPDIR to one with the usual permissions of /tmp (1777)')
}

/** A new folder that only we, or only the given user, may enter. */
export function temporaryFolder(name: string, user?: RunAs): string {
  const folder = mkdtempSync(join(temporaryRoot(user), `${name}-`))
  if (user) chownSync(folder, user.uid, user.gid)
  return folder
}
