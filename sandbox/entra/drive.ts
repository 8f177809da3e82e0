/** The files of the simulated OneDrives: a few small texts per account, in memory. */
import type { Account } from './accounts.ts'

export interface DriveFile {
  id: string
  name: string
  mimeType: string
  content: string
  /** Milliseconds. */
  modifiedAt: number
  version: number
}

export interface Drives {
  files(account: Account, now: number): DriveFile[]
  find(account: Account, id: string, now: number): DriveFile | undefined
  write(account: Account, id: string, content: string, now: number): DriveFile | undefined
}

export function createDrives(): Drives {
  const byAccount = new Map<string, DriveFile[]>()
  return {
    files(account, now) {
      let files = byAccount.get(account.objectId)
      if (!files) {
        files = [
          [
            'Hand hygiene audit.txt',
            `Hand hygiene audit, ward 3\nAuditor: ${account.displayName}\nObserved 20, performed 18.\n`,
          ],
          [
            'Action plan.md',
            '# Action plan\n\n- Refill dispensers in rooms 4 and 7\n- Repeat the audit in two weeks\n',
          ],
        ].map(([name = '', content = ''], i) => ({
          id: `01SIMULATED${account.objectId.slice(-6).toUpperCase()}000${i + 1}`,
          name,
          mimeType: name.endsWith('.md') ? 'text/markdown' : 'text/plain',
          content,
          modifiedAt: now,
          version: 1,
        }))
        byAccount.set(account.objectId, files)
      }
      return files
    },
    find(account, id, now) {
      return this.files(account, now).find((file) => file.id === id)
    },
    write(account, id, content, now) {
      const file = this.find(account, id, now)
      if (!file) return undefined
      file.content = content
      file.modifiedAt = now
      file.version += 1
      return file
    },
  }
}
