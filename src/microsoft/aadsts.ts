import type { Reason } from '../core/failure.ts'

/**
 * What each AADSTS code of Microsoft means for a stored integration: the one table (entra.md 4.4, design 2.3 "Verdicts").
 * Who must act and the advice follow from the reason (core/failure.ts). Microsoft calls the codes unstable, so they only
 * refine what `error` and `suberror` say; an unknown code is never fatal to a user.
 */
export interface AadstsRow {
  code: number
  /** The row counts only when Microsoft's `error` has this value. */
  error?: string
  kind: 'try_later' | 'reconnect' | 'misconfigured'
  reason: Reason
  /** The refresh token is dead: no further tries. */
  final?: true
  /** Our credential: concerns every integration. */
  everybody?: true
  /** The same code in answer to an authorization code, where it means something else. */
  onCode?: Reason
}

const later = (reason: Reason, ...codes: number[]): AadstsRow[] =>
  codes.map((code) => ({ code, kind: 'try_later', reason }))
const reconnect = (reason: Reason, ...codes: number[]): AadstsRow[] =>
  codes.map((code) => ({ code, kind: 'reconnect', reason }))
const registration = (...codes: number[]): AadstsRow[] =>
  codes.map((code) => ({ code, kind: 'misconfigured', reason: 'app_registration' }))
const credential = (...codes: number[]): AadstsRow[] =>
  codes.map((code) => ({ code, kind: 'misconfigured', reason: 'client_credential', everybody: true }))

export const AADSTS: readonly AadstsRow[] = [
  // Our credential.
  ...credential(7000215), // wrong secret, often the secret ID pasted
  ...credential(7000222), // secret expired
  ...credential(7000218), // no secret or assertion sent
  ...credential(70002), // credential validation, the legacy wrapper
  ...credential(700027, 50012, 50013), // client assertion: signature, certificate or validity
  // What certificate and clock mistakes give besides (not in design 2.3's list): about the assertion, which is the same for every user.
  ...credential(700021, 700024), // client assertion: not this application's, outside its time
  { code: 700023, error: 'invalid_client', kind: 'misconfigured', reason: 'client_credential', everybody: true }, // its audience
  { code: 50027, error: 'invalid_client', kind: 'misconfigured', reason: 'client_credential', everybody: true }, // malformed
  // Microsoft says `invalid_request` of it, too, but that it never means a row's own token is not known.
  { code: 50027, error: 'invalid_request', kind: 'misconfigured', reason: 'client_credential' },
  ...credential(700025), // registered as public client, a credential was sent

  // Our registration, our request.
  ...registration(700016), // application not found in the tenant
  ...registration(700011, 70001), // application not found or disabled
  ...registration(50194), // single-tenant application on /common
  // account type not for this endpoint
  { code: 9002332, kind: 'misconfigured', reason: 'app_registration', onCode: 'account_type_not_allowed' },
  { code: 500208, kind: 'misconfigured', reason: 'app_registration', onCode: 'account_type_not_allowed' },
  ...registration(50011, 900971), // redirect URI not registered, none
  ...registration(500112), // redirect_uri at the exchange differs from the one at authorize; says invalid_client
  ...registration(9002325, 9002326, 9002327), // redirect URI registered as SPA
  ...registration(900144, 90014), // parameter missing
  { code: 9002313, error: 'invalid_grant', kind: 'reconnect', reason: 'token_invalid' }, // garbage refresh token or code
  { code: 9002313, kind: 'misconfigured', reason: 'app_registration', onCode: 'code_rejected' }, // malformed request
  ...registration(900561), // wrong verb
  ...registration(90015), // query string too long
  ...registration(901002), // `resource` on v2
  ...registration(70003, 70005, 70007), // grant, response_type, response_mode not supported
  ...registration(700054), // implicit id_token not enabled
  ...registration(70011, 28002, 28003), // scope invalid, empty
  ...registration(700022, 700023), // scopes of several resources, of none; 700023 as invalid_client is another thing, above
  ...registration(500011), // resource principal not in the tenant
  ...registration(650057), // resource not listed in the registration
  ...registration(90008), // application must ask for User.Read
  ...registration(90002), // tenant not found, or the wrong cloud
  ...registration(90038, 900439, 900382, 900432), // national cloud mismatch
  ...registration(700005), // code redeemed on another tenant path
  ...registration(1002016), // TLS too old
  ...registration(50147, 501491), // code_challenge of a wrong size

  // Over: the user must connect again.
  { code: 700082, kind: 'reconnect', reason: 'refresh_token_expired', final: true }, // unused for 90 days
  { code: 50173, kind: 'reconnect', reason: 'access_revoked', final: true }, // password reset, sessions revoked
  ...reconnect('refresh_token_expired', 70008, 700084), // expired (legacy text), SPA token after 24 h
  ...reconnect('token_invalid', 70000), // invalid; of personal accounts also "scopes … unauthorized", see verdict.ts
  ...reconnect('token_invalid', 501481, 54005), // PKCE verifier mismatch, code redeemed twice
  ...reconnect('sign_in_frequency', 70043),
  ...reconnect('password_changed', 50133, 50132, 50055),
  { code: 50089, kind: 'reconnect', reason: 'sign_in_required', onCode: 'code_rejected' }, // flow token expired
  ...reconnect('sign_in_required', 50058, 50056, 50126), // not signed in; no or a wrong password (pages only)
  ...reconnect('mfa_required', 50076, 50074, 50079, 50072, 50078, 50158), // asked, to be enrolled, too old, external
  ...reconnect('consent_required', 65001),
  { code: 65004, kind: 'reconnect', reason: 'consent_required', onCode: 'not_approved' }, // declined

  // Policy, consent or account state: cured by the organisation, then it works again by itself.
  ...reconnect('admin_consent_required', 90094, 90095, 650056),
  ...reconnect('device_not_compliant', 700003, 135010, 135011, 50097, 50129, 53000, 53001),
  ...reconnect('blocked_by_policy', 50131, 53002, 53003, 53004, 53011, 530032, 50005),
  ...reconnect('account_disabled', 50057),
  ...reconnect('account_not_found', 50034, 16000, 50020, 51004),
  ...reconnect('account_locked', 50053),
  ...reconnect('not_assigned', 50105),
  ...reconnect('app_unavailable', 7000112, 650052), // disabled by its administrator; the organisation lacks the service
  ...reconnect('tenant_restricted', 500021, 500212, 500213),

  // Heals by itself.
  ...later('microsoft_error', 90033, 90006, 90090, 90091), // directory temporarily unavailable
  ...later('microsoft_error', 90012, 90024, 50033, 50087, 50088, 70012, 40010), // time-outs, retryable
  ...later('microsoft_error', 50000, 90036), // issuance error, directory failure
  ...later('throttled', 90055), // tenant throttled
  ...later('loop_detected', 50196), // says invalid_grant, and is not
]

const byCode = Map.groupBy(AADSTS, ({ code }) => code)

/** 70002 wraps the code that matters (`[70002,70008]`): it counts only where it stands alone. */
const WRAPPER = 70002

/** The row for an answer's codes: the first listed one, in Microsoft's order. */
export function findRow(codes: readonly number[], error: string | undefined): AadstsRow | undefined {
  for (const code of codes) {
    if (code === WRAPPER && codes.some((other) => other !== WRAPPER)) continue
    const row = byCode.get(code)?.find((candidate) => candidate.error === undefined || candidate.error === error)
    if (row) return row
  }
  return undefined
}
