// Derives component values and the signature base from a message (RFC 9421 section 2). This file implements the RFC
// only; verify.ts checks what our profile requires. It uses no URL parser, on purpose: a parser that removes dot
// segments would accept a signature over /tokens/u1 for the target /tokens/x/../u1.

/**
 * A request as Node received it. `scheme` comes from the configuration, not from the socket: a proxy may terminate TLS.
 */
export interface RequestMessage {
  readonly method: string
  /** Raw request target as received, e.g. `/tokens/42?min_ttl=300` */
  readonly target: string
  readonly scheme: 'http' | 'https'
  /** Node's `rawHeaders`: name, value, name, value, … */
  readonly rawHeaders: readonly string[]
}

/** Field lines by lower-case name, each without the optional white space around it. */
export type Fields = ReadonlyMap<string, readonly string[]>

/** One line of the base: the component identifier as text (`"@method"`, `"@method";req`) and its value. */
export type BaseLine = readonly [identifier: string, value: string]

/** Field lines of a message in the order received (RFC 9421 section 2.1, steps 1 to 3). */
export function fieldsOf(rawHeaders: readonly string[]): Fields {
  const fields = new Map<string, string[]>()
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = (rawHeaders[i] as string).toLowerCase()
    const value = stripOptionalWhitespace(rawHeaders[i + 1] as string)
    const lines = fields.get(name)
    if (lines === undefined) fields.set(name, [value])
    else lines.push(value)
  }
  return fields
}

/** Value of a field component (RFC 9421 section 2.1): its lines joined by `, `; undefined when the field is absent. */
export function fieldValue(fields: Fields, name: string): string | undefined {
  const lines = fields.get(name)
  return lines?.length === 1 ? lines[0] : lines?.join(', ')
}

/**
 * Value of a request's component (RFC 9421 sections 2.1 and 2.2): `@method`, `@authority`, `@target-uri`, `@path`,
 * `@query` or a field. Undefined when it does not exist. A name that starts with `@` is never looked up as a field
 * (RFC 9421 section 7.5.1).
 */
export function requestComponent(message: RequestMessage, fields: Fields, name: string): string | undefined {
  switch (name) {
    case '@method':
      return message.method
    case '@authority':
      return authorityOf(message, fields)
    case '@path':
      return splitTarget(message.target)[0]
    case '@query':
      return splitTarget(message.target)[1]
    case '@target-uri': {
      const authority = authorityOf(message, fields)
      return authority === undefined ? undefined : `${message.scheme}://${authority}${message.target}`
    }
    default:
      return name.startsWith('@') ? undefined : fieldValue(fields, name)
  }
}

/**
 * `@authority` (RFC 9421 section 2.2.3), from the Host line. Undefined when there is no Host line or more than one:
 * Node would take the first.
 */
export function authorityOf(message: Pick<RequestMessage, 'scheme'>, fields: Fields): string | undefined {
  const hosts = fields.get('host')
  return hosts?.length === 1 ? normalizeAuthority(hosts[0] as string, message.scheme) : undefined
}

/**
 * Lower case, without the scheme's default port (RFC 9421 section 2.2.3). Configured authorities are normalized by the
 * same function.
 */
export function normalizeAuthority(host: string, scheme: 'http' | 'https'): string {
  const lower = host.toLowerCase()
  const defaultPort = scheme === 'https' ? ':443' : ':80'
  return lower.endsWith(defaultPort) ? lower.slice(0, -defaultPort.length) : lower
}

/**
 * `@path` and `@query` (RFC 9421 sections 2.2.6 and 2.2.7): the target is cut at the first `?` and nothing is decoded.
 * Without a query, `@query` is `?`.
 */
function splitTarget(target: string): [path: string, query: string] {
  const mark = target.indexOf('?')
  const path = mark === -1 ? target : target.slice(0, mark)
  return [path === '' ? '/' : path, mark === -1 ? '?' : target.slice(mark)]
}

/** The signature base (RFC 9421 section 2.5): LF between lines, none at the end; `params` is the member's raw text. */
export function signatureBase(lines: readonly BaseLine[], params: string): string {
  let base = ''
  for (const [identifier, value] of lines) base += `${identifier}: ${value}\n`
  return `${base}"@signature-params": ${params}`
}

// String.trim() would also strip NBSP and others, which are not white space in HTTP (RFC 9110 section 5.6.3).
function stripOptionalWhitespace(value: string): string {
  let start = 0
  let end = value.length
  while (start < end && isBlank(value.charCodeAt(start))) start++
  while (end > start && isBlank(value.charCodeAt(end - 1))) end--
  return value.slice(start, end)
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09
}
