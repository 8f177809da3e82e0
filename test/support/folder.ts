import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/**
 * A new folder in the checkout, for data of a server. It is deleted after all later teardowns of the test. tap's own
 * `testdir` is deleted before them: a server that still runs then creates files in a folder that is being deleted.
 */
export function folderInCheckout(t: { teardown(end: () => unknown): unknown }): string {
  const parent = fileURLToPath(new URL('../../.tap/folders', import.meta.url))
  mkdirSync(parent, { recursive: true })
  const folder = mkdtempSync(join(parent, 'test-'))
  // mkdtemp creates a folder that only we may enter. The database user must reach its data in it.
  chmodSync(folder, 0o755)
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}
