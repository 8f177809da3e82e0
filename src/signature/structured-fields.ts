// The part of structured fields (RFC 9651) that the profile needs: one dictionary member with an inner list of strings
// (Signature-Input), and members with a byte sequence (Signature, Content-Digest).
//
// The grammar accepts canonical text only: one space between items, no escapes, no leading zeros, no decimals, no
// optional white space. So the received bytes are exactly what a serializer would write, and no two texts mean the same
// (RFC 9421 section 7.5.3). A property test compares this with an independent implementation.

export type BareItem = string | number | true
export type Parameters = ReadonlyMap<string, BareItem>

/**
 * A component identifier (RFC 9421 section 2): a name and its parameters. `text`: as written in the list and the base.
 */
export interface ComponentIdentifier {
  readonly name: string
  readonly parameters: Parameters
  readonly text: string
}

/** The one member of a Signature-Input field; `value` is the member's raw text after `label=`. */
export interface SignatureInput {
  readonly label: string
  readonly value: string
  readonly components: readonly ComponentIdentifier[]
  readonly parameters: Parameters
}

export interface ByteMember {
  readonly label: string
  readonly bytes: Buffer
}

export type SyntaxProblem = 'malformed' | 'several_members'

const KEY = /[a-z*][a-z0-9_.*-]*/y
const STRING = /"[\x20\x21\x23-\x5b\x5d-\x7e]*"/y
const INTEGER = /(?:0|[1-9][0-9]{0,14})(?![0-9.])/y
const BYTE_MEMBER = /^([a-z*][a-z0-9_.*-]*)=:([A-Za-z0-9+/]*={0,2}):$/
const NO_PARAMETERS: Parameters = new Map()

/**
 * Parses a whole Signature-Input field that has exactly one member (RFC 9421 section 4.1). A repeated parameter is
 * malformed, although RFC 9651 would use the last one.
 */
export function parseSignatureInput(text: string): SignatureInput | SyntaxProblem {
  const scanner = new Scanner(text)
  const label = scanner.match(KEY)
  if (label === undefined || !scanner.skip('=(')) return 'malformed'
  const components: ComponentIdentifier[] = []
  while (!scanner.skip(')')) {
    if (components.length > 0 && !scanner.skip(' ')) return 'malformed'
    const component = scanComponent(scanner)
    if (component === undefined) return 'malformed'
    components.push(component)
  }
  const parameters = scanParameters(scanner)
  if (parameters === undefined) return 'malformed'
  if (!scanner.ended()) return scanner.skip(',') ? 'several_members' : 'malformed'
  return { label, value: text.slice(label.length + 1), components, parameters }
}

/**
 * Parses `label=:base64:`, the one member of a Signature field (RFC 9421 section 4.2). No parameters, canonical base64.
 */
export function parseByteMember(text: string): ByteMember | SyntaxProblem {
  const match = BYTE_MEMBER.exec(text)
  if (match === null) return text.includes(',') ? 'several_members' : 'malformed'
  const [, label = '', base64 = ''] = match
  const bytes = Buffer.from(base64, 'base64')
  return bytes.toString('base64') === base64 ? { label, bytes } : 'malformed'
}

/**
 * Parses a dictionary of byte sequences such as Content-Digest (RFC 9530 section 2). Undefined: malformed or repeated.
 */
export function parseByteMembers(text: string): ReadonlyMap<string, Buffer> | undefined {
  const members = new Map<string, Buffer>()
  for (const part of text.split(', ')) {
    const member = parseByteMember(part)
    if (typeof member === 'string' || members.has(member.label)) return undefined
    members.set(member.label, member.bytes)
  }
  return members
}

/** Writes an inner list with its parameters; `identifiers` are component identifiers already in their text form. */
export function serializeSignatureParams(
  identifiers: readonly string[],
  parameters: Record<string, string | number>,
): string {
  let text = `(${identifiers.join(' ')})`
  for (const name in parameters) {
    const value = parameters[name]
    text += typeof value === 'number' ? `;${name}=${value}` : `;${name}="${value}"`
  }
  return text
}

function scanComponent(scanner: Scanner): ComponentIdentifier | undefined {
  const start = scanner.at
  const quoted = scanner.match(STRING)
  if (quoted === undefined) return undefined
  const parameters = scanParameters(scanner)
  if (parameters === undefined) return undefined
  return { name: quoted.slice(1, -1), parameters, text: scanner.text.slice(start, scanner.at) }
}

function scanParameters(scanner: Scanner): Parameters | undefined {
  if (!scanner.skip(';')) return NO_PARAMETERS
  const parameters = new Map<string, BareItem>()
  do {
    const key = scanner.match(KEY)
    if (key === undefined || parameters.has(key)) return undefined
    const value = scanner.skip('=') ? scanBareItem(scanner) : true
    if (value === undefined) return undefined
    parameters.set(key, value)
  } while (scanner.skip(';'))
  return parameters
}

function scanBareItem(scanner: Scanner): string | number | undefined {
  const quoted = scanner.match(STRING)
  if (quoted !== undefined) return quoted.slice(1, -1)
  const digits = scanner.match(INTEGER)
  return digits === undefined ? undefined : Number(digits)
}

class Scanner {
  readonly text: string
  at = 0

  constructor(text: string) {
    this.text = text
  }

  match(sticky: RegExp): string | undefined {
    sticky.lastIndex = this.at
    if (!sticky.test(this.text)) return undefined
    const start = this.at
    this.at = sticky.lastIndex
    return this.text.slice(start, this.at)
  }

  skip(expected: string): boolean {
    if (!this.text.startsWith(expected, this.at)) return false
    this.at += expected.length
    return true
  }

  ended(): boolean {
    return this.at === this.text.length
  }
}
