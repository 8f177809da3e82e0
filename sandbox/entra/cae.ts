/** The claims challenge of continuous access evaluation, as recorded (docs/microsoft.md#claims-challenges). */

/** `since` in seconds: tokens issued before it are no longer good. */
export function caeChallenge(
  baseUrl: string,
  resource: string,
  since: number,
): {
  status: number
  code: string
  message: string
  headers: Record<string, string>
} {
  const claims = Buffer.from(`{"access_token":{"nbf":{"essential":true, "value":"${since}"}}}`).toString('base64')
  const challenge = [
    'Bearer realm=""',
    `authorization_uri="${baseUrl}/common/oauth2/authorize"`,
    `client_id="${resource}"`,
    'error="insufficient_claims"',
    `claims="${claims}"`,
  ].join(', ')
  const result = 'InteractionRequired and code: TokenIssuedBeforeRevocationTimestamp'
  return {
    status: 401,
    code: 'InvalidAuthenticationToken',
    message: `Continuous access evaluation resulted in claims challenge with result: ${result}`,
    headers: { 'WWW-Authenticate': challenge },
  }
}
