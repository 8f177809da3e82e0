// The parser of MICROSOFT_PREVIOUS_CLIENTS: earlier app registrations, each with its credentials.
import { certificates, clientSecret, pair, privateKeys } from './secrets.ts'
import type { ClientCredential } from './secrets.ts'
import { absolutePath, guid, Invalid } from './values.ts'

/** An app registration that integrations of earlier times belong to. */
export interface PreviousClient {
  /** In lower case. */
  readonly clientId: string
  /** Certificates before secrets. At least one. */
  readonly credentials: readonly ClientCredential[]
}

const MEMBERS = ['client_id', 'client_secret', 'client_certificate', 'client_key', 'federated_token_file']

/**
 * `client_id:secret` entries, separated by commas or line breaks, where the same id may come several times; or a JSON
 * array of objects with the members above, for certificates and federated tokens.
 */
export function previousClients(value: string): readonly PreviousClient[] {
  return value.startsWith('[') ? fromJson(value) : fromEntries(value)
}

function fromEntries(value: string): PreviousClient[] {
  const found = new Map<string, ClientCredential[]>()
  const problems: string[] = []
  const entries = value.split(/[\s,]+/).filter((entry) => entry !== '')
  for (const [index, entry] of entries.entries()) {
    const colon = entry.indexOf(':')
    if (colon < 0) {
      problems.push(`entry ${index + 1} is not client_id:secret`)
      continue
    }
    const id = parsed(`entry ${index + 1}`, () => guid(entry.slice(0, colon)), problems)
    const secret = parsed(`entry ${index + 1}`, () => clientSecret(entry.slice(colon + 1)), problems)
    if (id === undefined || secret === undefined) continue
    found.set(id, [...(found.get(id) ?? []), { kind: 'secret', secret }])
  }
  if (problems.length > 0) throw new Invalid(...problems)
  return [...found].map(([clientId, credentials]) => ({ clientId, credentials }))
}

function fromJson(value: string): PreviousClient[] {
  let list: unknown
  try {
    list = JSON.parse(value)
  } catch {
    // The parser's message quotes the text.
    throw new Invalid('is not valid JSON')
  }
  if (!Array.isArray(list)) throw new Invalid('is not a JSON array')
  const problems: string[] = []
  const clients = list.flatMap((entry, index) => readClient(entry, `entry ${index + 1}`, problems) ?? [])
  const ids = clients.map(({ clientId }) => clientId)
  ids.forEach((id, index) => {
    if (ids.indexOf(id) < index) problems.push(`entry ${index + 1} has the client_id of an entry before it`)
  })
  if (problems.length > 0) throw new Invalid(...problems)
  return clients
}

function readClient(entry: unknown, where: string, problems: string[]): PreviousClient | undefined {
  if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) {
    problems.push(`${where} is not an object`)
    return undefined
  }
  const members: Record<string, unknown> = { ...entry }
  // The names of other members are not repeated: one may be a secret in the wrong place.
  if (Object.keys(members).some((name) => !MEMBERS.includes(name)))
    problems.push(`${where} has other members than ${MEMBERS.join(', ')}`)
  const texts = (name: string): string[] => {
    const { [name]: value = [] } = members
    const list: unknown[] = Array.isArray(value) ? value : [value]
    const found = list.filter((text) => typeof text === 'string')
    if (found.length < list.length) problems.push(`${where}: ${name} is not text`)
    return found.map((text) => text.trim())
  }
  const [id = ''] = texts('client_id')
  const clientId = parsed(`${where}: client_id`, () => guid(id), problems)
  const secrets = texts('client_secret').map((text) =>
    parsed(`${where}: client_secret`, () => clientSecret(text), problems),
  )
  const pems = { certificates: texts('client_certificate').join('\n'), keys: texts('client_key').join('\n') }
  const pairs =
    pems.certificates === '' && pems.keys === ''
      ? []
      : parsed(
          `${where}: client_certificate and client_key`,
          () => pair(certificates(pems.certificates), privateKeys(pems.keys)),
          problems,
        )
  const files = texts('federated_token_file').map((text) =>
    parsed(`${where}: federated_token_file`, () => absolutePath(text), problems),
  )
  const credentials: ClientCredential[] = [
    ...(pairs ?? []),
    ...secrets.flatMap((secret) => (secret === undefined ? [] : [{ kind: 'secret', secret } as const])),
    ...files.flatMap((file) => (file === undefined ? [] : [{ kind: 'federated', file } as const])),
  ]
  // As for MICROSOFT_FEDERATED_TOKEN_FILE (docs/design.md#credential).
  if (files.length > 1 || (files.length === 1 && credentials.some(({ kind }) => kind !== 'federated')))
    problems.push(`${where} has another credential beside federated_token_file: remove one`)
  if (credentials.length === 0 && pairs !== undefined && secrets.length === 0 && files.length === 0)
    problems.push(`${where} has neither client_secret nor client_certificate with client_key nor federated_token_file`)
  return clientId === undefined ? undefined : { clientId, credentials }
}

/** The value, or undefined and its problems, which say where they are. */
function parsed<T>(where: string, parse: () => T, problems: string[]): T | undefined {
  try {
    return parse()
  } catch (error) {
    if (!(error instanceof Invalid)) throw error
    problems.push(...error.problems.map((problem) => `${where} ${problem}`))
    return undefined
  }
}
