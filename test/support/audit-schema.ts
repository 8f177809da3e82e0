import { readFileSync } from 'node:fs'

// The schema of audit lines, and what of a change breaks those who read them.

const file = (name: string) => new URL(`../../openapi/${name}`, import.meta.url)
export const AUDIT_SCHEMA_FILE = file('audit-lines.json')
export const RELEASED_AUDIT_SCHEMA = file('audit-lines.released.json')

interface Schema {
  properties: Record<string, Record<string, unknown>>
  required: string[]
  allOf: { if: { properties: { audit: { const: string } } }; then: { required: string[] } }[]
}

export const readSchema = (url: URL): Schema => JSON.parse(readFileSync(url, 'utf8')) as Schema

const requiredByKind = ({ allOf }: Schema) =>
  new Map(allOf.map(({ if: { properties }, then }) => [properties.audit.const, then.required]))

/** Sentences; empty: readers of the released form can read the present one. */
export function auditBreakingChanges(released: Schema, present: Schema): string[] {
  const changes: string[] = []
  for (const [name, before] of Object.entries(released.properties)) {
    const after = present.properties[name]
    if (after === undefined) {
      changes.push(`${name} was removed`)
      continue
    }
    for (const member of ['type', 'const', 'pattern', 'format', 'items', 'additionalProperties'])
      if (JSON.stringify(before[member]) !== JSON.stringify(after[member])) changes.push(`${member} of ${name} changed`)
    const [longest, longer] = [before['maxLength'], after['maxLength']]
    if (typeof longest === 'number' && (typeof longer !== 'number' || longer > longest))
      changes.push(`${name} may be longer`)
    for (const value of (before['enum'] as string[] | undefined) ?? [])
      if (!(after['enum'] as string[] | undefined)?.includes(value)) changes.push(`${name} lost the value ${value}`)
  }
  for (const name of released.required)
    if (!present.required.includes(name)) changes.push(`${name} is no longer in every line`)
  const now = requiredByKind(present)
  for (const [kind, names] of requiredByKind(released))
    for (const name of names) if (!now.get(kind)?.includes(name)) changes.push(`${name} is no longer in every ${kind}`)
  return changes
}
