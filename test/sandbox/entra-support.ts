/** What the simulator's own tests share: a simulator, an authorize URL, token requests with the answers in the open. */
import { createHash, randomBytes } from 'node:crypto'
import { startEntra } from '../../sandbox/entra/main.ts'
import type { Entra, EntraOptions } from '../../sandbox/entra/main.ts'

export const redirectUri = 'https://audits.example.com/auth/oauth2/microsoft/callback'
export const scope = 'openid profile offline_access User.Read Files.ReadWrite.All'
export const start = Date.parse('2026-03-02T09:05:31Z')
export const jane = 'jane@contoso.com'

export interface Answer {
  status: number
  headers: Headers
  text: string
  json: Record<string, unknown>
}

export interface Bench {
  entra: Entra
  verifier: string
  authorizeUrl(changes?: Record<string, string | undefined>, tenant?: string): string
  /** `bare`: without the client's id and secret. */
  post(
    fields: Record<string, string> | string,
    options?: { tenant?: string; headers?: Record<string, string>; bare?: boolean },
  ): Promise<Answer>
  /** Signs in and redeems; the tokens. */
  connect(
    account?: string,
    changes?: Record<string, string | undefined>,
    tenant?: string,
  ): Promise<Record<string, unknown>>
  redeem(callback: string, changes?: Record<string, string>, tenant?: string): Promise<Answer>
  refresh(refreshToken: unknown, changes?: Record<string, string>, tenant?: string): Promise<Answer>
  graph(path: string, token: unknown, init?: RequestInit): Promise<Answer>
}

/** With a clock that stands still at `start` until it is advanced. */
export async function bench(teardown: (end: () => Promise<void>) => void, options: EntraOptions = {}): Promise<Bench> {
  const entra = await startEntra({ redirectUris: [redirectUri], now: () => start, ...options })
  teardown(() => entra.close())
  const verifier = randomBytes(32).toString('base64url')
  const authorizeUrl: Bench['authorizeUrl'] = (changes = {}, tenant = 'organizations') => {
    const all: Record<string, string | undefined> = {
      client_id: entra.clientId,
      response_type: 'code',
      redirect_uri: redirectUri,
      scope,
      state: 'st4te',
      nonce: 'n0nce',
      code_challenge: createHash('sha256').update(verifier).digest('base64url'),
      code_challenge_method: 'S256',
      ...changes,
    }
    const given = Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined)
    return `${entra.url}/${tenant}/oauth2/v2.0/authorize?${new URLSearchParams(given)}`
  }
  const post: Bench['post'] = async (fields, { tenant = 'organizations', headers = {}, bare = false } = {}) => {
    const credential = bare ? {} : { client_id: entra.clientId, client_secret: entra.clientSecret }
    const body = typeof fields === 'string' ? fields : new URLSearchParams({ ...credential, ...fields }).toString()
    return read(
      await fetch(`${entra.url}/${tenant}/oauth2/v2.0/token`, {
        method: 'POST',
        redirect: 'manual',
        body,
        headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
      }),
    )
  }
  const redeem: Bench['redeem'] = (callback, changes = {}, tenant) =>
    post(
      {
        grant_type: 'authorization_code',
        code: new URL(callback).searchParams.get('code') ?? '',
        redirect_uri: redirectUri,
        code_verifier: verifier,
        ...changes,
      },
      tenant === undefined ? {} : { tenant },
    )
  return {
    entra,
    verifier,
    authorizeUrl,
    post,
    redeem,
    async connect(
      account = jane,
      changes = {},
      tenant = account.endsWith('outlook.example') ? 'common' : 'organizations',
    ) {
      const answer = await redeem(
        entra.control.signIn({ account, authorizeUrl: authorizeUrl(changes, tenant) }),
        {},
        tenant,
      )
      if (answer.status !== 200) throw new Error(answer.text)
      return answer.json
    },
    refresh: (refreshToken, changes = {}, tenant) =>
      post(
        { grant_type: 'refresh_token', refresh_token: String(refreshToken), scope, ...changes },
        tenant === undefined ? {} : { tenant },
      ),
    graph: async (path, token, init = {}) =>
      read(
        await fetch(`${entra.graphUrl}${path}`, {
          ...init,
          headers: { authorization: `Bearer ${String(token)}`, 'content-type': 'text/plain' },
        }),
      ),
  }
}

export async function read(response: Response): Promise<Answer> {
  const text = await response.text()
  let json: Record<string, unknown> = {}
  try {
    json = JSON.parse(text) as Record<string, unknown>
  } catch {
    // Pages and broken answers are no JSON; their tests look at `text`.
  }
  return { status: response.status, headers: response.headers, text, json }
}

/** Header and payload of a JWT, unverified. */
export function openJwt(token: unknown): { header: Record<string, unknown>; payload: Record<string, unknown> } {
  const [header, payload] = String(token)
    .split('.')
    .slice(0, 2)
    .map((part) => JSON.parse(Buffer.from(part, 'base64url').toString()))
  return { header, payload }
}
