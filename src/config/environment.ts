// From the environment to one text for each variable, before parsing: NAME or NAME_FILE. Also finds unknown names.
import type { Problems } from './problems.ts'
import { NAMES, VARIABLES } from './variables.ts'
import type { Variable } from './variable.ts'
import type { Name } from './variables.ts'

export type Environment = Readonly<Record<string, string | undefined>>
/** Reads a file as UTF-8 text; throws what node:fs throws. */
export interface Files {
  read(path: string): string
}
/** The trimmed text of every variable that is set. An empty text counts as not set, except for SUBDOMAIN. */
export function readTexts(
  env: Environment,
  files: Files,
  problems: Problems,
  names: readonly Name[] = NAMES,
): Map<Name, string> {
  const texts = new Map<Name, string>()
  for (const name of names) {
    const text = readText(name, env, files, problems)
    if (text === undefined) continue
    // From `docker --env-file`, or from YAML that is quoted twice.
    if (/^(["'])[^]*\1$/.test(text)) problems.report(name, 'has quotes around it')
    else if (text !== '' || name === 'SUBDOMAIN') texts.set(name, text)
  }
  return texts
}

/** What names the client and its credential. */
const IDENTITY = [
  'MICROSOFT_CLIENT_ID',
  'MICROSOFT_CLIENT_SECRET',
  'MICROSOFT_CLIENT_CERTIFICATE',
  'MICROSOFT_CLIENT_KEY',
  'MICROSOFT_FEDERATED_TOKEN_FILE',
] as const

/**
 * Takes the client and the token file that Azure's workload identity webhook sets, but only where nothing of ours names
 * a client or a credential: the identity may have been injected for another component. AZURE_TENANT_ID is never read:
 * as MICROSOFT_TENANT it would lock out every other organisation.
 */
export function withAzureIdentity(env: Environment): Environment {
  const { AZURE_CLIENT_ID: clientId, AZURE_FEDERATED_TOKEN_FILE: file } = env
  if (!filled(clientId) || !filled(file) || IDENTITY.some((name) => isMentioned(name, env))) return env
  return { ...env, MICROSOFT_CLIENT_ID: clientId, MICROSOFT_FEDERATED_TOKEN_FILE: file }
}

/** Whether the environment sets a variable, validly or not. */
function isMentioned(name: Name, env: Environment): boolean {
  return filled(env[name]) || (!isPath(name) && filled(env[`${name}_FILE`]))
}

/** The text of a file that the configuration names. Undefined if it cannot be read, which is reported. */
export function readNamedFile(
  path: string,
  name: Name,
  files: Files,
  problems: Problems,
  what = 'the file',
): string | undefined {
  try {
    const text = files.read(path).trim()
    if (text === '' && name !== 'SUBDOMAIN') problems.report(name, `${what} is empty`)
    return text
  } catch (error) {
    const code = (error as { code?: unknown }).code
    problems.report(
      name,
      `${what} cannot be read${typeof code === 'string' && /^E[A-Z]+$/.test(code) ? ` (${code})` : ''}`,
    )
    return undefined
  }
}

function readText(name: Name, env: Environment, files: Files, problems: Problems): string | undefined {
  const path = isPath(name) ? undefined : env[`${name}_FILE`]
  if (!filled(path)) return env[name]?.trim()
  if (filled(env[name])) {
    problems.report(name, `${name}_FILE is set too: only one of them may be`)
    return undefined
  }
  return readNamedFile(path.trim(), name, files, problems, `the file that ${name}_FILE names`)
}

function isPath(name: Name): boolean {
  return (VARIABLES[name] as Variable).path === true
}

function filled(value: string | undefined): value is string {
  return value !== undefined && value.trim() !== ''
}

/** A variable whose name resembles one of ours. */
export interface UnknownVariable {
  readonly variable: string
  /** The most similar name of ours. */
  readonly meant: Name
  /** It is set and the one that was meant is not: its value would be lost without notice. */
  readonly lost: boolean
}

// Kubernetes sets variables named after services in every container: DATABASE_PORT, INTERNAL_SERVICE_HOST …
const SERVICE_LINK = /_(?:SERVICE_HOST|SERVICE_PORT(?:_\w+)?|PORT(?:_\d+_(?:TCP|UDP|SCTP)(?:_\w+)?)?)$/
/** A name with at most this many wrong characters is a typing error. */
const MAX_TYPOS = 2

/** Names that differ from ours by a typing error, or that begin like ours. */
export function unknownVariables(env: Environment): UnknownVariable[] {
  const spellings = NAMES.flatMap((name) => [
    { name, spelling: name as string },
    ...(isPath(name) ? [] : [{ name, spelling: `${name}_FILE` }]),
  ])
  const known = new Set(spellings.map(({ spelling }) => spelling))
  const prefixes = new Set(NAMES.map((name) => `${name.split('_')[0]}_`))

  return Object.keys(env).flatMap((variable) => {
    const upper = variable.toUpperCase()
    if (known.has(variable) || !filled(env[variable]) || SERVICE_LINK.test(upper)) return []
    const near = spellings.map(({ name, spelling }) => likeness(name, upper, spelling)).sort(byLikeness)[0]!
    if (near.distance <= MAX_TYPOS) return [{ variable, meant: near.name, lost: !isMentioned(near.name, env) }]
    if (![...prefixes].some((prefix) => upper.startsWith(prefix))) return []
    return [{ variable, meant: near.name, lost: false }]
  })
}

interface Likeness {
  readonly name: Name
  readonly distance: number
  /** Words that only the unknown name has. MICROSOFT_SECRET has none, compared with MICROSOFT_CLIENT_SECRET. */
  readonly unknownWords: number
}

function likeness(name: Name, unknown: string, spelling: string): Likeness {
  const words = spelling.split('_')
  const unknownWords = unknown.split('_').filter((word) => !words.includes(word)).length
  return { name, distance: distance(plain(unknown), plain(spelling)), unknownWords }
}

function byLikeness(a: Likeness, b: Likeness): number {
  return (
    Number(b.distance <= MAX_TYPOS) - Number(a.distance <= MAX_TYPOS) ||
    a.unknownWords - b.unknownWords ||
    a.distance - b.distance
  )
}

function plain(name: string): string {
  return name.replace(/[^A-Z0-9]/g, '')
}

/** Levenshtein's distance. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)))
    }
    row = next
  }
  return row[b.length]!
}
