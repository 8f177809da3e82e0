import { readFileSync } from 'node:fs'

/** The statements of docs/reference/database-role.md as ops paste them, with a password in place. */
export function documentedGrants(password: string): string {
  const document = readFileSync(new URL('../../docs/reference/database-role.md', import.meta.url), 'utf8')
  const [, block = ''] = /```sql\n([\s\S]*?)```/.exec(document) ?? []
  if (!block.includes(`'<password>'`)) throw new Error('the document names no place for the password')
  return block.replace(`'<password>'`, `'${password}'`)
}
