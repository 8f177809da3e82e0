import { request } from 'undici'
import type { Call } from './broker-client.ts'

// The calls to Microsoft Graph that MEGDocs makes, with a token from the broker.

export interface Me {
  displayName: string
  userPrincipalName: string
}

export interface DriveItem {
  id: string
  name: string
  size?: number
  lastModifiedDateTime?: string
}

export class GraphProblem extends Error {
  readonly status: number
  /** The claims challenge that came with a 401: base64, as it came. */
  readonly claims: string | undefined

  constructor(status: number, code: string, claims?: string) {
    super(`Microsoft Graph answered ${status} ${code}`)
    this.name = 'GraphProblem'
    this.status = status
    this.claims = claims
  }
}

export interface Graph {
  me(token: string): Promise<Me>
  files(token: string): Promise<DriveItem[]>
  file(token: string, id: string): Promise<DriveItem>
  read(token: string, id: string): Promise<string>
  write(token: string, id: string, text: string): Promise<void>
}

/** `url` has no version. Each method throws GraphProblem if Graph refuses, with status 0 if Graph cannot be reached. */
export function createGraph(url: string, onCall: (call: Call) => void = () => {}): Graph {
  async function call(token: string, method: 'GET' | 'PUT', path: string, text?: string): Promise<string> {
    const began = performance.now()
    const headers = {
      authorization: `Bearer ${token}`,
      ...(text === undefined ? {} : { 'content-type': 'text/plain; charset=utf-8' }),
    }
    const sent = { method, headers, body: text ?? null, signal: AbortSignal.timeout(10_000) }
    const answer = await request(`${url}/v1.0${path}`, sent).catch(() => {
      throw new GraphProblem(0, 'unreachable')
    })
    const body = await answer.body.text()
    const milliseconds = Math.round(performance.now() - began)
    onCall({ who: 'Microsoft Graph', what: `${method} /v1.0${path}`, status: answer.statusCode, milliseconds })
    if (answer.statusCode >= 400)
      throw new GraphProblem(answer.statusCode, errorCode(body), claimsOf(answer.headers['www-authenticate']))
    return body
  }
  const item = (id: string): string => `/me/drive/items/${encodeURIComponent(id)}`
  return {
    me: async (token) => JSON.parse(await call(token, 'GET', '/me')),
    files: async (token) => JSON.parse(await call(token, 'GET', '/me/drive/root/children')).value,
    file: async (token, id) => JSON.parse(await call(token, 'GET', item(id))),
    read: (token, id) => call(token, 'GET', `${item(id)}/content`),
    write: async (token, id, text) => void (await call(token, 'PUT', `${item(id)}/content`, text)),
  }
}

/** Parameters may come in any order, and in several headers (RFC 9110 section 11.6.1). */
function claimsOf(header: string | string[] | undefined): string | undefined {
  return /\bclaims="([^"]+)"/i.exec([header ?? ''].flat().join(', '))?.[1]
}

function errorCode(body: string): string {
  try {
    return String((JSON.parse(body) as { error?: { code?: unknown } }).error?.code ?? '')
  } catch {
    return ''
  }
}
