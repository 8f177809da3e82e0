import type postgres from 'postgres'
import { Agent, type Dispatcher } from 'undici'
import type { Exchange } from '../../sandbox/browser.ts'

// Collects every secret that passes, where it passes: towards Microsoft and in front of the browser.

/** Fields of forms and JSON that are secrets, as OAuth names them. */
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

/** A way to Microsoft that writes down the secrets it carries in both directions. */
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
        // Also from answers that are cut or malformed.
        for (const [, name, value] of answer.matchAll(/"(\w+)":"([^"]+)/g)) note(name!, value)
        handler.onResponseEnd?.(controller, trailers)
      },
      onResponseError: (...args) => handler.onResponseError?.(...args),
    })
  })
  return { dispatcher, secrets, close: () => agent.close() }
}

/** What a browser held: codes, states, tickets, cookies. */
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

/** Everything in the database's own tables as text; binary columns byte by byte, so that what lies there in plain is seen. */
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

/** Which of the secrets stand in the text, in any dress they are likely to wear. Not repeated: by what they begin with. */
export function search(text: string, secrets: Iterable<string>): string[] {
  const found: string[] = []
  for (const secret of new Set(secrets)) {
    const core = secret.slice(0, 32)
    const hex = Buffer.from(core).toString('hex')
    // base64 without the last group, which depends on what follows.
    const base64 = Buffer.from(core).toString('base64').slice(0, -4)
    const dresses = [
      core,
      encodeURIComponent(core),
      JSON.stringify(core).slice(1, -1),
      hex,
      base64,
      base64.replaceAll('+', '-').replaceAll('/', '_'),
    ]
    if (dresses.some((dress) => text.includes(dress))) found.push(`${secret.slice(0, 6)}… (${secret.length})`)
  }
  return found
}
