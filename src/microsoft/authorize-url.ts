import { PERSONAL_TENANT } from '../core/integration.ts'
import type { AuthorizeRequest } from '../core/microsoft-port.ts'
import { isGuid } from './answer.ts'
import { cloudOf } from './clouds.ts'

/**
 * Where the browser is sent to sign in (RFC 6749 section 4.1.1, RFC 7636 section 4.3,
 * docs/microsoft.md#authorize-request). `response_mode=query` because a form_post comes cross-site and would arrive
 * without our SameSite=Lax cookie.
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
  return withQuery(endpoint, parameters)
}

/**
 * Where an administrator approves for a whole organisation (docs/microsoft.md#admin-consent). `tenantId`: theirs, where
 * it is known; Microsoft asks to name it. It has no such page for `common` and `consumers`.
 */
export function adminConsentUrl(
  { loginUrl, tenant }: { loginUrl: string; tenant: string },
  application: { clientId: string; redirectUri: string; permissions: readonly string[] },
  { state, tenantId }: { state: string; tenantId?: string },
): string {
  const configured = tenant === 'common' || tenant === 'consumers' ? 'organizations' : tenant
  const isNamed = tenantId !== undefined && isGuid(tenantId) && tenantId.toLowerCase() !== PERSONAL_TENANT
  const segment = isNamed ? tenantId : configured
  const { graphUrl } = cloudOf(loginUrl)
  const parameters = new URLSearchParams({
    client_id: application.clientId,
    redirect_uri: application.redirectUri,
    state,
    scope: application.permissions.map((name) => `${graphUrl}/${name}`).join(' '),
  })
  return withQuery(`${loginUrl}/${segment}/v2.0/adminconsent`, parameters)
}

/** A plus sign for a blank is right in a form only; Microsoft's pages show it in some places. */
function withQuery(endpoint: string, parameters: URLSearchParams): string {
  return `${endpoint}?${parameters.toString().replaceAll('+', '%20')}`
}
