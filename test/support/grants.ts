import { readFileSync } from 'node:fs'

/** The blocks of docs/reference/database-role.md: the role, with a password in place, and its rights. */
export function documentedRole(password: string): { role: string; grants: string } {
  const document = readFileSync(new URL('../../docs/reference/database-role.md', import.meta.url), 'utf8')
  const [role, grants] = [...document.matchAll(/```sql\n([\s\S]*?)```/g)].map(([, block = '']) => block)
  if (role?.includes(`'<password>'`) !== true || grants === undefined)
    throw new Error('the document has no place for the password, or no rights')
  return { role: role.replace(`'<password>'`, `'${password}'`), grants }
}

/** Both together, to be run after the first `migrate`. */
export function documentedGrants(password: string): string {
  const { role, grants } = documentedRole(password)
  return `${role}\n${grants}`
}
