/** Reads and checks the parameters of an authorize request (docs/microsoft.md#authorize-request). */
import type { Audience } from './accounts.ts'
import { isRegistered } from './application.ts'
import { aadstsCases, Refusal } from './errors.ts'
import { readForm } from './form.ts'
import { readScopes } from './scopes.ts'
import type { RequestedScopes } from './scopes.ts'
import { unknownTenant } from './token.ts'
import { worldOf } from './world.ts'
import type { World } from './world.ts'

/** Where and how the browser is sent back. */
export interface ReturnAddress {
  redirectUri: string
  responseMode: 'query' | 'fragment' | 'form_post'
  state: string | undefined
}

export interface AuthorizeRequest extends ReturnAddress {
  audience: Audience
  /** The path segment as written, for links. */
  segment: string
  scopes: RequestedScopes
  nonce: string | undefined
  challenge: string | undefined
  challengeMethod: 'S256' | 'plain'
  prompt: 'login' | 'none' | 'consent' | 'select_account' | undefined
  loginHint: string | undefined
  clientInfo: boolean
  /** The query as it came: the pages carry it along, and every step reads it again. */
  query: string
}

/** A fault that is told to the application, because its redirect URI is known to be its own. */
export class ReturnedRefusal extends Error {
  readonly refusal: Refusal
  readonly address: ReturnAddress

  constructor(refusal: Refusal, address: ReturnAddress) {
    super(refusal.message)
    this.refusal = refusal
    this.address = address
  }
}

const prompts: readonly unknown[] = ['login', 'none', 'consent', 'select_account']
const modes: readonly unknown[] = ['query', 'fragment', 'form_post']

/** The world of the application that this query names; the first application's if it names none that is known. */
export function worldOfQuery(world: World, query: string): World {
  return worldOf(world, new URLSearchParams(query).get('client_id') ?? undefined) ?? world
}

/**
 * Throws Refusal for a page at Microsoft (unknown client or redirect URI: nothing may be redirected), else
 * ReturnedRefusal.
 */
export function readAuthorizeRequest(world: World, segment: string, query: string): AuthorizeRequest {
  if (query.length > 14_000) throw new Refusal(90015)
  const form = readForm(query)
  const audience = world.directory.audience(segment)
  if (!audience) throw new Refusal(90002, { text: unknownTenant(segment) })
  const clientId = form.get('client_id')
  if (!clientId) throw missing('client_id')
  if (clientId !== world.app.clientId) {
    throw new Refusal(700016, {
      text: aadstsCases[700016]?.text.replace('{app}', clientId).replace('directory', `directory '${segment}'`) ?? '',
    })
  }
  const redirectUri = form.get('redirect_uri')
  // Entra picks a registered address at random when there is none; a client that relies on that is wrong, so it is
  // refused here.
  if (!redirectUri) throw new Refusal(900971)
  if (!isRegistered(world.app, redirectUri)) {
    throw new Refusal(50011, {
      text: aadstsCases[50011]?.text.replace('URI specified', `URI '${redirectUri}' specified`) ?? '',
    })
  }
  const mode = form.get('response_mode') ?? 'query'
  const address: ReturnAddress = {
    redirectUri,
    responseMode: modes.includes(mode) ? (mode as ReturnAddress['responseMode']) : 'query',
    state: form.get('state'),
  }
  try {
    if (!modes.includes(mode)) throw new Refusal(70007)
    return { ...address, audience, segment, query, ...readRest(form) }
  } catch (error) {
    if (error instanceof Refusal) throw new ReturnedRefusal(error, address)
    throw error
  }
}

function readRest(
  form: ReadonlyMap<string, string>,
): Omit<AuthorizeRequest, keyof ReturnAddress | 'audience' | 'segment' | 'query'> {
  const responseType = form.get('response_type')
  if (!responseType) throw missing('response_type')
  if (responseType !== 'code') throw new Refusal(responseType.includes('id_token') ? 700054 : 70005)
  if (form.has('resource')) throw new Refusal(901002)
  const scopeText = form.get('scope')
  if (!scopeText) throw missing('scope')
  const challenge = form.get('code_challenge')
  const method = form.get('code_challenge_method') ?? 'plain'
  if (challenge !== undefined && (challenge.length < 43 || challenge.length > 128)) throw new Refusal(501491)
  if (method !== 'S256' && method !== 'plain') throw new Refusal(50147)
  const prompt = form.get('prompt')
  if (prompt !== undefined && !prompts.includes(prompt)) {
    throw new Refusal(90023, { text: `Unsupported value '${prompt}' for parameter 'prompt'.` })
  }
  return {
    scopes: readScopes(scopeText),
    nonce: form.get('nonce'),
    challenge,
    challengeMethod: method,
    prompt: prompt as AuthorizeRequest['prompt'],
    loginHint: form.get('login_hint'),
    clientInfo: form.get('client_info') === '1',
  }
}

function missing(name: string): Refusal {
  return new Refusal(900144, { text: `The request body must contain the following parameter: '${name}'.` })
}
