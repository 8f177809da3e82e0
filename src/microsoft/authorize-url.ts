import type { AuthorizeRequest } from '../core/ports.ts'
import { isGuid } from './answer.ts'

/**
 * Where the browser is sent to sign in (RFC 6749 4.1.1, RFC 7636 4.3, entra.md 1.2). `response_mode=query` because a form_post
 * comes cross-site and would arrive without our SameSite=Lax cookie.
 */
export function authorizeUrl(
  endpoint: string,
  application: { clientId: string; redirectUri: string; scope: string },
  request: AuthorizeRequest,
): string {
  const { prompt, loginHint, claims, requestId } = request
  const parameters = new URLSearchParams({
    client_id: application.clientId,
    response_type: 'code',
    redirect_uri: application.redirectUri,
    scope: application.scope,
    response_mode: 'query',
    state: request.state,
    nonce: request.nonce,
    code_challenge: request.codeChallenge,
    code_challenge_method: 'S256',
  })
  // Microsoft asks not to combine the two: a hint makes the choice needless.
  if (loginHint !== undefined) parameters.set('login_hint', loginHint)
  else if (prompt !== undefined) parameters.set('prompt', prompt)
  if (claims !== undefined) parameters.set('claims', claims)
  if (requestId !== undefined && isGuid(requestId)) parameters.set('client-request-id', requestId)
  return `${endpoint}?${parameters.toString().replaceAll('+', '%20')}`
}
