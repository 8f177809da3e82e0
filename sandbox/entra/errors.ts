/**
 * Microsoft's error codes as the simulator tells them. Deliberately its own telling: it must not share a table with the
 * broker, or a mistake there would be confirmed here. Texts after Microsoft's reference and recordings
 * (docs/microsoft.md#errors); where a text is not recorded it is short. `{app}` and `{name}` are filled in.
 */

export interface AadstsCase {
  error: string
  suberror?: string
  text: string
  /** JSON in a string, to be passed on to the next authorize request. */
  claims?: string
  /** Usually one; legacy wrappers send two. */
  codes?: number[]
  /** Usually 400, and 401 for invalid_client. */
  status?: number
  /** Extra members of the body, e.g. password_change_url of 50055. */
  extra?: Record<string, string>
}

const grant = 'invalid_grant'
const client = 'invalid_client'
const request = 'invalid_request'
const interaction = 'interaction_required'
const transient = 'temporarily_unavailable'
const policyClaims =
  '{"access_token":{"capolids":{"essential":true,"values":["01234567-89ab-cdef-fedc-ba9876543210"]}}}'
const mfa = "you must use multi-factor authentication to access '00000003-0000-0000-c000-000000000000'."

export const aadstsCases: Readonly<Record<number, AadstsCase>> = {
  // The application's credential and registration
  7000215: {
    error: client,
    text: "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '{app}'.",
  },
  7000222: {
    error: client,
    text: "The provided client secret keys for app '{app}' are expired. Visit the Azure portal to create new keys for your app: https://aka.ms/NewClientSecret, or consider using certificate credentials for added security: https://aka.ms/certCreds.",
  },
  7000218: {
    error: client,
    text: "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
  },
  70002: { error: client, text: 'Error validating credentials.', codes: [70002, 50012] },
  700021: { error: client, text: "Client assertion application identifier doesn't match 'client_id' parameter." },
  700024: { error: client, text: 'Client assertion is not within its valid time range.' },
  7000214: { error: client, text: 'The certificate has been revoked.' },
  700028: { error: client, text: 'The thumbprint of the certificate is not authorized.' },
  700030: { error: client, text: 'Invalid certificate - subject name in certificate is not authorized.' },
  70021: { error: client, text: 'No matching federated identity record found for presented assertion.' },
  700211: { error: client, text: 'No matching federated identity record found for presented assertion issuer.' },
  700212: { error: client, text: 'No matching federated identity record found for presented assertion audience.' },
  700213: { error: client, text: 'No matching federated identity record found for presented assertion subject.' },
  700222: { error: client, text: 'AAD-issued tokens may not be used for federated identity flows.' },
  7002381: { error: client, text: 'A policy of the tenant does not allow this issuer.' },
  7000272: {
    error: client,
    text: 'The certificate with identifier used to sign the federated credential could not be found in the metadata of identity provider.',
  },
  50166: { error: request, text: 'Request to External OIDC endpoint failed.' },
  501661: { error: request, text: 'Request to External OIDC endpoint failed.' },
  90061: { error: request, text: 'Request to External OIDC endpoint failed.' },
  7002137: { error: client, text: 'No matching federated identity record found for presented assertion.' },
  700027: {
    error: client,
    text: 'The certificate with identifier used to sign the client assertion is not registered on application, or the signature is not valid.',
  },
  50012: {
    error: client,
    text: 'Invalid client secret is provided, or client assertion contains an invalid signature.',
  },
  50013: { error: client, text: 'Assertion failed signature validation.' },
  50027: { error: client, text: 'JWT token is invalid or malformed.' },
  700025: {
    error: client,
    text: "Client is public so neither 'client_assertion' nor 'client_secret' should be presented.",
  },
  700016: {
    error: 'unauthorized_client',
    text: "Application with identifier '{app}' was not found in the directory. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You may have sent your authentication request to the wrong tenant.",
  },
  700011: { error: 'unauthorized_client', text: "The app with identifier '{app}' was not found in the directory." },
  70001: {
    error: 'unauthorized_client',
    text: "The application named '{name}' is disabled or was not found in the directory.",
  },
  7000112: { error: 'unauthorized_client', text: "Application '{app}'({name}) is disabled." },
  50194: {
    error: request,
    text: "Application '{app}'({name}) is not configured as a multi-tenant application. Usage of the /common endpoint is not supported for such apps created after '10/15/2018'. Use a tenant-specific endpoint or configure the application to be multi-tenant.",
  },
  9002332: {
    error: request,
    text: "Application '{app}'({name}) is configured for use by Azure Active Directory users only. Please do not use the /consumers endpoint to serve this request.",
  },
  500208: { error: request, text: 'The domain is not a valid login domain for the account type.' },
  50011: {
    error: request,
    text: "The redirect URI specified in the request does not match the redirect URIs configured for the application '{app}'. Make sure the redirect URI sent in the request matches one added to your application in the Azure portal. Navigate to https://aka.ms/redirectUriMismatchError to learn more about how to fix this.",
  },
  500112: {
    error: client,
    text: 'The reply address does not match the reply address provided when requesting Authorization code.',
  },
  900971: { error: request, text: 'No reply address provided.' },
  9002325: {
    error: request,
    text: 'Proof Key for Code Exchange is required for cross-origin authorization code redemption.',
  },
  9002326: {
    error: request,
    text: "Cross-origin token redemption is permitted only for the 'Single-Page Application' client-type.",
  },
  9002327: {
    error: request,
    text: "Tokens issued for the 'Single-Page Application' client-type may only be redeemed via cross-origin requests.",
  },
  // The request itself
  900144: { error: request, text: 'The request body must contain the following parameter.' },
  90014: { error: request, text: 'The required field is missing from the request.' },
  9002313: { error: request, text: 'Invalid request. Request is malformed or invalid.' },
  900561: { error: request, text: 'The endpoint only accepts POST requests.' },
  90015: { error: request, text: 'Requested query string is too long.' },
  90023: { error: request, text: 'Unsupported value for parameter.' },
  901002: { error: request, text: "The 'resource' request parameter is not supported." },
  70003: { error: 'unsupported_grant_type', text: 'The app requested an unsupported grant type.' },
  70005: { error: 'unsupported_response_type', text: 'The app returned an unsupported response type.' },
  70007: { error: request, text: "'{name}' returned an unsupported value of 'response_mode' when requesting a token." },
  700054: { error: 'unsupported_response_type', text: "response_type 'id_token' is not enabled for the application." },
  70011: { error: 'invalid_scope', text: 'The provided value for the input parameter scope is not valid.' },
  28002: {
    error: request,
    text: 'Provided value for the input parameter scope is not valid when requesting an access token.',
  },
  28003: {
    error: request,
    text: 'Provided value for the input parameter scope cannot be empty when requesting an access token using the provided authorization code.',
  },
  700022: {
    error: 'invalid_scope',
    text: 'The provided value for the input parameter scope is not valid because it contains more than one resource.',
  },
  700023: {
    error: 'invalid_scope',
    text: "The provided value for the input parameter scope is not valid because it doesn't include a resource.",
  },
  500011: {
    error: 'invalid_resource',
    text: 'The resource principal named https://graph.microsoft.com was not found in the tenant.',
  },
  650052: {
    error: client,
    text: 'The app needs access to a service that your organization has not subscribed to or enabled. Contact your IT Admin to review the configuration of your service subscriptions.',
    status: 400,
  },
  650056: { error: request, text: 'Misconfigured application. Have your admin consent to the application.' },
  650057: {
    error: request,
    text: "Invalid resource. The client has requested access to a resource which is not listed in the requested permissions in the client's application registration.",
  },
  90002: {
    error: request,
    text: 'Tenant not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud. Check with your subscription administrator, this may happen if there are no active subscriptions for the tenant.',
  },
  90038: { error: request, text: 'The tenant is in another national cloud.' },
  900439: { error: request, text: 'US Government sovereign cloud is not the endpoint of this application.' },
  900382: { error: request, text: 'Confidential Client is not supported in Cross Cloud request.' },
  900432: { error: request, text: 'Confidential Client is not supported in Cross Cloud request.' },
  1002016: {
    error: request,
    text: 'You are using TLS version 1.0, 1.1 and/or 3DES cipher which are deprecated.',
    status: 426,
  },
  50147: { error: request, text: 'Missing or invalid code challenge parameter.' },
  501491: { error: request, text: 'Invalid size of Code_Challenge parameter.' },
  // The grant: code or refresh token
  700005: {
    error: grant,
    text: 'The provided Authorization Code is intended to use against other tenant, thus rejected. OAuth2 Authorization Code must be redeemed against same tenant it was acquired for (/common or /{tenant-ID} as appropriate).',
  },
  501481: {
    error: grant,
    text: 'The Code_Verifier does not match the code_challenge supplied in the authorization request.',
  },
  54005: {
    error: grant,
    text: 'OAuth2 Authorization code was already redeemed, please retry with a new valid code or use an existing refresh token.',
  },
  70008: {
    error: grant,
    text: 'The provided authorization code or refresh token has expired due to inactivity. Send a new interactive authorization request for this user and resource.',
  },
  700082: {
    error: grant,
    text: 'The refresh token has expired due to inactivity.\u00a0The token was issued on 2026-02-06T12:26:14.6448497Z and was inactive for 90.00:00:00.',
  },
  700084: {
    error: grant,
    text: 'The refresh token was issued to a single page app (SPA), and therefore has a fixed, limited lifetime of 1.00:00:00, which cannot be extended. It is now expired and a new sign in request must be sent by the SPA to the sign in page.',
  },
  70043: {
    error: grant,
    suberror: 'token_expired',
    text: 'The refresh token has expired or is invalid due to sign-in frequency checks by conditional access. The token was issued on 2026-07-22T05:15:31.6070000Z and the maximum allowed lifetime for this request is 36000.',
  },
  50173: {
    error: grant,
    suberror: 'bad_token',
    text: "The provided grant has expired due to it being revoked, a fresh auth token is needed. The user might have changed or reset their password. The grant was issued on '2026-03-01T08:00:00.4084709Z' and the TokensValidFrom date (before which tokens are not valid) for this user is '2026-03-02T09:00:00.0000000Z'.",
  },
  50133: { error: grant, text: 'Session not valid due to password expiration or recent password change.' },
  50132: { error: grant, text: 'The session is not valid due to password expiration or recent password change.' },
  50089: { error: grant, text: 'Authentication failed due to flow token expired.' },
  70000: { error: grant, text: 'Provided grant is invalid or malformed.' },
  // The user, device and policies
  700003: {
    error: grant,
    suberror: 'device_authentication_failed',
    text: 'Device object was not found in the tenant directory.',
  },
  135010: { error: grant, text: 'The device key was not found.' },
  135011: { error: grant, text: 'Device used during the authentication is disabled.' },
  50097: { error: interaction, text: 'Device authentication is required.' },
  50129: {
    error: interaction,
    text: 'Device is not workplace joined. Workplace join is required to register the device.',
  },
  50076: {
    error: interaction,
    suberror: 'basic_action',
    text: `Due to a configuration change made by your administrator, or because you moved to a new location, ${mfa}`,
  },
  50074: { error: interaction, suberror: 'basic_action', text: 'Strong Authentication is required.' },
  50079: {
    error: interaction,
    suberror: 'basic_action',
    text: "Due to a configuration change made by your administrator, or because you moved to a new location, you must enroll in multi-factor authentication to access '00000003-0000-0000-c000-000000000000'.",
  },
  50072: {
    error: interaction,
    suberror: 'basic_action',
    text: `Due to a configuration change made by your administrator, or because you moved to a new location, you must enroll in multi-factor authentication.`,
  },
  50078: {
    error: interaction,
    suberror: 'basic_action',
    text: `Presented multi-factor authentication has expired due to policies configured by your administrator, you must refresh your multi-factor authentication to access '00000003-0000-0000-c000-000000000000'.`,
  },
  50158: {
    error: interaction,
    suberror: 'basic_action',
    text: 'External security challenge not satisfied. User will be redirected to another page or authentication provider to satisfy additional authentication challenges.',
  },
  50131: {
    error: interaction,
    text: 'Device is not in required device state or the request was blocked due to suspicious activity, access policy, or security policy decisions.',
  },
  53000: {
    error: interaction,
    suberror: 'additional_action',
    text: 'Device is not in required device state: compliant. Conditional Access policy requires a compliant device, and the device is not compliant. The user must enroll their device with an approved MDM provider like Intune.',
    claims: policyClaims,
  },
  53001: {
    error: interaction,
    suberror: 'additional_action',
    text: 'Device is not in required device state: domain_joined. Conditional Access policy requires a domain joined device, and the device is not domain joined.',
    claims: policyClaims,
  },
  53002: {
    error: interaction,
    suberror: 'message_only',
    text: 'The app used is not an approved app for Conditional Access.',
  },
  53003: {
    error: grant,
    suberror: 'message_only',
    text: 'Access has been blocked by Conditional Access policies. The access policy does not allow token issuance.',
    claims: policyClaims,
  },
  53004: {
    error: interaction,
    suberror: 'message_only',
    text: 'User needs to complete multi-factor authentication registration process before accessing this content.',
  },
  53011: { error: interaction, suberror: 'message_only', text: 'User blocked due to risk on home tenant.' },
  530032: { error: grant, suberror: 'message_only', text: 'Tenant security policy does not allow token issuance.' },
  50005: {
    error: interaction,
    text: 'User tried to log in to a device from a platform that is currently not supported through Conditional Access policy.',
  },
  50055: {
    error: grant,
    suberror: 'user_password_expired',
    text: 'The password is expired.',
    extra: { password_change_url: 'https://portal.microsoftonline.com/ChangePassword.aspx' },
  },
  50057: { error: grant, text: 'The user account is disabled.' },
  50034: {
    error: grant,
    text: 'The user account does not exist in the directory. To sign into this application, the account must be added to the directory.',
  },
  50053: {
    error: grant,
    text: 'The account is locked, you have tried to sign in too many times with an incorrect user ID or password.',
  },
  50056: { error: grant, text: 'Invalid or null password: password does not exist in the directory for this user.' },
  50126: { error: grant, text: 'Error validating credentials due to invalid username or password.' },
  50058: { error: 'login_required', text: 'A silent sign-in request was sent but no user is signed in.' },
  16000: {
    error: interaction,
    text: "User account from identity provider does not exist in tenant and cannot access the application '{app}'({name}) in that tenant. The account needs to be added as an external user in the tenant first. Sign out and sign in again with a different user account.",
  },
  50020: {
    error: interaction,
    text: "User account from identity provider does not exist in tenant and cannot access the application '{app}'({name}) in that tenant. The account needs to be added as an external user in the tenant first. Sign out and sign in again with a different Azure Active Directory user account.",
  },
  51004: { error: interaction, text: 'The user account does not exist in the directory.' },
  50105: {
    error: interaction,
    text: "Your administrator has configured the application {name} ('{app}') to block users unless they are specifically granted ('assigned') access to the application. The signed in user is blocked because they are not a direct member of a group with access, nor had access directly assigned by an administrator.",
  },
  500021: { error: grant, text: 'Access to the tenant is denied.' },
  500212: {
    error: grant,
    text: 'The user’s administrator has set an outbound access policy that does not allow access to the resource tenant.',
  },
  500213: {
    error: grant,
    text: 'The resource tenant’s cross-tenant access policy does not allow this user to access this tenant.',
  },
  // Consent
  65001: {
    error: grant,
    suberror: 'consent_required',
    text: "The user or administrator has not consented to use the application with ID '{app}' named '{name}'. Send an interactive authorization request for this user and resource.",
  },
  65004: { error: 'access_denied', text: 'User declined to consent to access the app.' },
  90094: {
    error: 'access_denied',
    text: "An administrator of the organization has set a policy that prevents you from granting '{name}' the permissions it is requesting.",
  },
  90095: {
    error: 'access_denied',
    text: 'Admin consent is required for the permissions requested by this application. An admin consent request may be sent to the admin.',
  },
  90008: {
    error: grant,
    text: 'The user or administrator has not consented to use the application, which requires at least permission to sign in and read the user profile.',
  },
  // Trouble at Microsoft
  90033: { error: transient, text: 'A transient error has occurred. Please try again.' },
  90006: { error: transient, text: 'The service is temporarily unavailable. Retry later.' },
  90090: { error: transient, text: 'The directory service is temporarily unavailable.' },
  90091: { error: transient, text: 'The directory service is temporarily unavailable.' },
  90012: { error: transient, text: 'A timeout has occurred when authenticating a user.' },
  90024: { error: transient, text: 'A transient error has occurred. Please try again.', status: 503 },
  50033: { error: transient, text: 'A transient error has occurred. Please try again.' },
  50087: { error: transient, text: 'A transient error has occurred during strong authentication. Please try again.' },
  50088: { error: transient, text: 'A transient error has occurred during strong authentication. Please try again.' },
  70012: {
    error: 'server_error',
    text: 'A server error occurred while authenticating an MSA (consumer) user. Try again.',
  },
  40010: { error: 'server_error', text: 'Retryable error has occurred.' },
  90055: { error: transient, text: 'The tenant is throttled because of too many incoming requests.', status: 429 },
  50000: { error: 'server_error', text: 'There was an error issuing a token or an issue with our sign-in service.' },
  90036: {
    error: 'server_error',
    text: 'An unexpected, non-retryable error stemming from the directory service has occurred.',
  },
  50196: {
    error: grant,
    text: 'The server terminated an operation because it encountered a client request loop. Please contact your app vendor.',
  },
}

/** 70000 as personal accounts get it. */
export const personalScopeRefusal =
  'The request was denied because one or more scopes requested are unauthorized or expired. The user must first sign in and grant the client application access to the requested scope.'

/** What one occasion changes of the listed case. */
export interface RefusalFacts {
  error?: string
  suberror?: string
  text?: string
  status?: number
}

/**
 * Microsoft's refusal; becomes a JSON body, an HTML page or parameters of a callback. Throws TypeError for an unlisted
 * code.
 */
export class Refusal extends Error {
  readonly code: number
  readonly case: AadstsCase

  constructor(code: number, facts: RefusalFacts = {}) {
    const listed = aadstsCases[code]
    if (!listed) throw new TypeError(`AADSTS${code} is not in the simulator's table`)
    super(`AADSTS${code}`)
    this.code = code
    this.case = { ...listed, ...facts }
  }

  get status(): number {
    return this.case.status ?? (this.case.error === client ? 401 : 400)
  }
}
