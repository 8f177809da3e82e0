import type postgres from 'postgres'
import { Agent, type Dispatcher } from 'undici'
import type { Exchange } from '../../sandbox/browser.ts'

// Collects all secrets of the exchanges with Microsoft and with browsers.

/** Fields of forms and JSON that contain secrets, by their OAuth names. */
const SECRET_FIELDS = [
  'client_secret',
  'client_assertion',
  'code',
  'code_verifier',
  'refresh_token',
  'access_token',
  'id_token',
]

export interface Wiretap {
  dispatcher: Dispatcher
  secrets: Set<string>
  close(): Promise<void>
}

/** A dispatcher to Microsoft that records the secrets of requests and answers. */
export function wiretap(): Wiretap {
  const secrets = new Set<string>()
  const agent = new Agent()
  const note = (name: string, value: unknown) =>
    SECRET_FIELDS.includes(name) && typeof value === 'string' && secrets.add(value)
  const dispatcher = agent.compose((dispatch) => (options, handler) => {
    for (const [name, value] of new URLSearchParams(String(options.body ?? ''))) note(name, value)
    let answer = ''
    return dispatch(options, {
      onRequestStart: (...args) => handler.onRequestStart?.(...args),
      onResponseStart: (...args) => handler.onResponseStart?.(...args),
      onResponseData(controller, chunk) {
        answer += chunk.toString('latin1')
        handler.onResponseData?.(controller, chunk)
      },
      onResponseEnd(controller, trailers) {
        // Also in answers that are incomplete or malformed.
        for (const [, name, value] of answer.matchAll(/"(\w+)":"([^"]+)/g)) note(name!, value)
        handler.onResponseEnd?.(controller, trailers)
      },
      onResponseError: (...args) => handler.onResponseError?.(...args),
    })
  })
  return { dispatcher, secrets, close: () => agent.close() }
}

/** The secrets in the exchanges of a browser: codes, states, tickets, cookies. */
export function browserSecrets(exchanges: readonly Exchange[]): string[] {
  const found: string[] = []
  for (const { url, location = '', setCookie } of exchanges) {
    for (const address of [url, location]) {
      found.push(...[...address.matchAll(/[?&](?:code|state)=([^&#]+)/g)].map((match) => decodeURIComponent(match[1]!)))
      found.push(...[...address.matchAll(/\/connect\/([\w-]{43})/g)].map((match) => match[1]!))
    }
    found.push(...setCookie.map((line) => decodeURIComponent(/^[^=]+=([^;]*)/.exec(line)?.[1] ?? '')))
  }
  return found.filter((secret) => secret.length >= 16)
}

/**
 * All rows of the broker's tables as text. Binary columns are shown byte by byte, so that plain text in them is found.
 */
export async function dump(sql: postgres.Sql): Promise<string> {
  const tables = await sql<
    { name: string }[]
  >`select quote_ident(schemaname) || '.' || quote_ident(tablename) as name from pg_tables
    where schemaname not in ('pg_catalog', 'information_schema') order by 1`
  const rows = await Promise.all(tables.map(({ name }) => sql.unsafe(`select * from ${name}`)))
  const plain = (_: string, value: unknown) =>
    value instanceof Uint8Array
      ? Buffer.from(value).toString('latin1')
      : (value as { type?: unknown } | null)?.type === 'Buffer'
        ? Buffer.from((value as { data: number[] }).data).toString('latin1')
        : value
  return tables
    .map(({ name }, i) => `${name}\n${rows[i]!.map((row) => JSON.stringify(row, plain)).join('\n')}`)
    .join('\n')
}

/** The secrets that the text contains in any likely encoding. Reports only the beginning of each secret. */
export function search(text: string, secrets: Iterable<string>): string[] {
  const found: string[] = []
  for (const secret of new Set(secrets)) {
    const core = secret.slice(0, 32)
    const hex = Buffer.from(core).toString('hex')
    // base64 without the last group, which depends on the text after it.
    const base64 = Buffer.from(core).toString('base64').slice(0, -4)
    const encodings = [
      core,
      encodeURIComponent(core),
      JSON.stringify(core).slice(1, -1),
      hex,
      base64,
      base64.replaceAll('+', '-').replaceAll('/', '_'),
    ]
    if (encodings.some((encoding) => text.includes(encoding))) found.push(`${secret.slice(0, 6)}… (${secret.length})`)
  }
  return found
}
