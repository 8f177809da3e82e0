import type { Reason } from '../core/failure.ts'

/**
 * What each AADSTS code of Microsoft means for a stored integration: the one table (docs/microsoft.md#aadsts-codes).
 * Who must act and the advice follow from the reason (core/failure.ts). Microsoft calls the codes unstable, so an
 * unknown code is never fatal to a user.
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
  /**
   * About one organisation: its tenant, or an application in it. `stored_tenant`: only on the path of a tenant that is
   * stored with an account; on the configured path the same code means that our configuration is wrong.
   */
  organisation?: 'always' | 'stored_tenant'
  /** The same code in answer to an authorization code or in a callback, where it means something else. */
  onCode?: Reason
  source: Source
  certainty: Certainty
}

/**
 * `reference`: Microsoft's published list (https://learn.microsoft.com/entra/identity-platform/reference-error-codes).
 * `lookup`: the text that https://login.microsoftonline.com/error?code=… shows, as public lists repeat it.
 * `reports`: public reports, too many or too alike to name one. Else the one report it was recorded in.
 */
type Source = 'reference' | 'lookup' | 'reports' | `https://${string}`
/** `recorded`: seen in real answers. `documented`: the meaning is Microsoft's, the envelope was not seen. */
type Certainty = 'recorded' | 'documented'

type Known = Pick<AadstsRow, 'code' | 'source' | 'certainty'>
const from =
  (source: Source, certainty: Certainty) =>
  (...codes: number[]): Known[] =>
    codes.map((code) => ({ code, source, certainty }))
const reference = from('reference', 'documented')
const lookup = from('lookup', 'documented')
const recorded = (url: `https://${string}`, ...codes: number[]): Known[] => from(url, 'recorded')(...codes)
const common = from('reports', 'recorded')

type Meaning = Omit<AadstsRow, 'code' | 'source' | 'certainty'>
const each = (meaning: Meaning, ...groups: Known[][]): AadstsRow[] =>
  groups.flat().map((known) => ({ ...meaning, ...known }))
const later = (reason: Reason, ...groups: Known[][]): AadstsRow[] => each({ kind: 'try_later', reason }, ...groups)
const reconnect = (reason: Reason, ...groups: Known[][]): AadstsRow[] => each({ kind: 'reconnect', reason }, ...groups)
const dead = (reason: Reason, ...groups: Known[][]): AadstsRow[] =>
  each({ kind: 'reconnect', reason, final: true }, ...groups)
const registration = (...groups: Known[][]): AadstsRow[] =>
  each({ kind: 'misconfigured', reason: 'app_registration' }, ...groups)

const OUR_CREDENTIAL = { kind: 'misconfigured', reason: 'client_credential' } as const
/** Our credential whatever Microsoft's `error` says. */
const credential = (...groups: Known[][]): AadstsRow[] => each({ ...OUR_CREDENTIAL, everybody: true }, ...groups)
/** Concerns everybody beside `invalid_client` only: beside another `error` it may be about one row's own token. */
const credentialIfClient = (...groups: Known[][]): AadstsRow[] => [
  ...each({ ...OUR_CREDENTIAL, error: 'invalid_client', everybody: true }, ...groups),
  ...each({ ...OUR_CREDENTIAL, error: 'invalid_request' }, ...groups),
]

export const AADSTS: readonly AadstsRow[] = [
  // Our credential: secrets.
  ...credential(
    common(7000215), // wrong secret, often the secret ID pasted
    common(7000222), // secret expired
    common(7000218), // no secret or assertion sent
    common(70002), // credential validation, the legacy wrapper
    lookup(7000216, 7000219), // none sent, of one grant
    lookup(700025, 9002319), // registered as public client, a credential was sent
    lookup(700026), // the application has no keys
    lookup(9002324), // two credentials at once
  ),
  // Our credential: certificates and assertions. About the assertion, which is the same for every user.
  ...credential(
    common(700027), // signature, or a certificate that is not registered
    reference(50012, 50013, 500133), // signature, certificate chain or validity
    lookup(700021, 700024), // not this application's, outside its time
    lookup(700028, 700029, 700031, 700032), // thumbprint not authorized; invalid; no subject; no trusted subjects
    reference(700030), // its subject is not authorized
    lookup(7000210, 7000211, 7000212, 7000213, 7000214), // no trust policy, untrusted chain, revoked
    lookup(7000221, 50048), // subject and issuer differ
    lookup(500031, 500033, 9002323), // key and certificate do not fit, not base64
  ),
  {
    code: 700022,
    error: 'invalid_client',
    ...OUR_CREDENTIAL,
    everybody: true,
    source: 'lookup',
    certainty: 'documented',
  }, // no subject
  {
    code: 700023,
    error: 'invalid_client',
    ...OUR_CREDENTIAL,
    everybody: true,
    source: 'lookup',
    certainty: 'documented',
  }, // its audience
  // Microsoft also sends these with `invalid_request`. We do not know whether they can concern the token of one row.
  ...credentialIfClient(
    reference(50027), // malformed JWT
    common(5002727), // its header
    lookup(5002726),
    reference(50006, 500131, 500132, 900384), // signature, audience, form
    lookup(500061),
  ),
  // Our credential: federated identities and managed identities.
  ...credential(
    common(70021, 700211, 700212, 700213), // no federated identity of this issuer, audience, subject
    common(7002121, 7002131, 7002381), // newer spellings; a rule of the tenant
    reference(700229), // a user's token as assertion
    lookup(700222, 700223, 700224, 700225, 700226, 700227, 700228), // not for federation, wrong token type or audience
    lookup(7000225, 7000226, 7000227), // no policy for this managed identity
    // signed with a key that the issuer does not publish
    recorded('https://github.com/Azure/azure-workload-identity/issues/1232', 7000272),
  ),

  // On a refresh our login URL is wrong, because the account has connected through it. On a connect it is the account.
  ...each(
    { kind: 'misconfigured', reason: 'app_registration', onCode: 'other_cloud' },
    reference(90038, 900439, 900382, 900432), // national cloud mismatch
  ),

  // Our registration, our request.
  ...registration(
    common(50194), // single-tenant application on /common
    reference(50011, 900971), // redirect URI not registered, none
    common(500112), // redirect_uri at the exchange differs from the one at authorize; says invalid_client
    lookup(500111, 500113, 500114, 500115, 500116, 500117, 500118, 500119, 50029), // redirect URI not allowed
    lookup(70004, 700009, 700042, 700043, 700044, 700045, 700046, 700047), // redirect URI at the exchange
    common(9002325, 9002326, 9002327), // redirect URI registered as SPA
    reference(900144, 90014), // parameter missing
    lookup(900143, 90004, 90013, 90017, 90023, 90100, 90102, 90107, 90112, 90116, 90117, 90121), // malformed request
    reference(900561, 90056), // wrong verb
    reference(90015), // query string too long
    reference(901002), // `resource` on v2
    reference(70003, 70005, 70007), // grant, response_type, response_mode not supported
    lookup(7000021, 700051, 700052, 700053),
    reference(700054), // implicit id_token not enabled
    reference(70011, 28002, 28003), // scope invalid, empty
    reference(700022, 700023), // scopes of several resources, of none; as invalid_client another thing, above
    lookup(500012, 500013, 500016, 500017, 700017, 700018), // resource name wrong or not supported
    common(650053), // scope does not exist
    reference(650054, 65002), // resource removed; preauthorization
    lookup(650055, 650061, 65003, 65006), // required resource access does not fit
    reference(650057), // resource not listed in the registration
    reference(90008), // application must ask for User.Read
    lookup(90009),
    reference(90051), // national cloud id invalid
    lookup(90042, 90043, 90044),
    reference(700005), // code redeemed on another tenant path
    lookup(1002016), // TLS too old
    reference(50147, 501491), // code_challenge of a wrong size
    lookup(501471, 50149, 501482),
    reference(50059, 90019, 50049, 50128), // no tenant in the request
    lookup(50050, 500209, 500210),
    reference(9001023, 90124, 90130, 90027), // not on this endpoint
    lookup(90129, 9002328, 9002331, 9002337, 9002338),
    reference(90005, 50146, 501461, 90010, 90016), // keys and claims of the registration
    lookup(90131, 90138, 1002012, 1002014, 1002021, 1002026, 1003031, 700012, 700019, 7000110, 7000113, 7000114),
    reference(50010),
    lookup(500101, 500102, 500103),
  ),
  // account type not for this endpoint
  ...each(
    { kind: 'misconfigured', reason: 'app_registration', onCode: 'account_type_not_allowed' },
    reference(9002332, 500208),
  ),
  {
    code: 9002313,
    error: 'invalid_grant',
    kind: 'reconnect',
    reason: 'token_invalid',
    source: 'https://github.com/MicrosoftDocs/azure-docs/issues/63819',
    certainty: 'recorded',
  }, // garbage refresh token or code
  // malformed request
  ...each({ kind: 'misconfigured', reason: 'app_registration', onCode: 'code_rejected' }, reference(9002313)),
  // Of an unmanaged (viral) tenant Microsoft says access_denied; beside another error it means the registration.
  {
    code: 65005,
    error: 'access_denied',
    kind: 'reconnect',
    reason: 'tenant_unavailable',
    source: 'https://github.com/psignoret/aad-sso-wordpress/issues/190',
    certainty: 'recorded',
  },
  ...registration(reference(65005)),

  // Over: the user must connect again.
  ...dead('refresh_token_expired', common(700082)), // unused for 90 days
  ...dead('refresh_token_expired', lookup(700081)), // its longest lifetime is over
  ...dead('access_revoked', common(50173)), // password reset, sessions revoked
  ...dead('sign_in_frequency', lookup(70045)), // "will never be usable"
  // expired (legacy text), SPA token after 24 h
  ...reconnect('refresh_token_expired', common(70008, 700084), lookup(700083)),
  ...reconnect('token_invalid', common(70000)), // invalid; two texts of it mean something else, see verdict.ts
  ...reconnect('token_invalid', common(501481, 54005), lookup(50148)), // PKCE verifier mismatch, code redeemed twice
  ...reconnect('token_invalid', lookup(700007, 7000012, 7000015, 7000220)), // of another client, of another tenant
  ...reconnect('sign_in_frequency', common(70043), lookup(70044, 70046)),
  ...reconnect(
    'password_changed',
    common(50133, 50132, 50055),
    reference(50144, 50125, 50135),
    lookup(50137, 50142, 50054),
  ),
  {
    code: 50089,
    kind: 'reconnect',
    reason: 'sign_in_required',
    onCode: 'code_rejected',
    source: 'reference',
    certainty: 'documented',
  }, // flow token expired
  // Not signed in; no or a wrong password (pages only); another account, another method or a confirmation is asked for.
  ...reconnect(
    'sign_in_required',
    common(50058, 50056, 50126),
    reference(16001, 16002, 160021, 50064, 50085, 50136, 50139, 50140, 50143, 50168, 50180, 50192, 50197, 50199, 51006),
    lookup(160011, 26000, 50157, 50160, 50201, 50202, 50203, 50204, 50207, 50208, 50209, 399218, 9002341, 53006, 53007),
    lookup(500141, 500142, 500183, 500185, 500187, 50019, 500581, 500582, 500583, 40009, 40015),
    // Passkeys, Windows Hello keys and access passes: another method works.
    reference(130004, 130005, 130006),
    lookup(135010, 135001, 135016, 135018, 135019, 135020, 500342, 500344),
    lookup(130500, 130501, 130502, 130503, 130504, 130505, 130506, 130507),
  ),
  // 16000 meant a session ended by a password change before it meant an account that is not there.
  {
    code: 16000,
    error: 'invalid_grant',
    kind: 'reconnect',
    reason: 'sign_in_required',
    source: 'https://github.com/AzureAD/azure-activedirectory-library-for-js/issues/183',
    certainty: 'recorded',
  },
  // Required (50076, 50074), not enrolled yet (50079, 50072), too old (50078), at an external provider (50158).
  ...reconnect(
    'mfa_required',
    common(50076, 50074, 50079, 50072, 50078, 50158),
    reference(50086),
    lookup(500121, 50077, 50081),
  ),
  ...reconnect('consent_required', common(65001), lookup(650011, 65007, 50150, 50206)),
  ...each(
    { kind: 'reconnect', reason: 'consent_required', onCode: 'not_approved' },
    common(65004),
    lookup(650041, 90135, 90137),
  ), // declined

  // Policy, consent or account state: cured by the organisation, then it works again without a reconnect.
  ...reconnect(
    'admin_consent_required',
    common(90094, 90095, 650056),
    reference(90093, 90099),
    lookup(900941, 900942, 90096, 90098),
  ),
  ...reconnect(
    'device_not_compliant',
    common(700003, 50097, 53000, 53001),
    recorded('https://github.com/Azure/azure-cli/issues/29282', 530003),
    common(530004),
    reference(135011, 50129, 50155, 50187, 130007, 130008, 50127),
    lookup(
      530001,
      530002,
      530011,
      530022,
      530033,
      501271,
      501291,
      501292,
      501293,
      501311,
      501312,
      501313,
      1002023,
      130009,
    ),
  ),
  ...reconnect(
    'blocked_by_policy',
    common(50131, 53002, 53003, 53011),
    reference(50005, 53004, 53010, 530032, 530034, 530035, 54000, 50015, 90123),
    lookup(530021, 530031, 53005, 53008, 53009, 530081, 54008, 54009, 54010, 500186, 1003034),
  ),
  ...reconnect('account_disabled', common(50057), lookup(500571)), // its guests
  ...reconnect(
    'account_not_found',
    common(50034, 16000, 50020, 90072),
    reference(51004, 16003, 50014, 50177, 50178), // not there, or a guest that is not (yet) invited
    lookup(500341, 700056), // deleted
  ),
  ...reconnect('account_type_not_allowed', lookup(500200, 500201, 500202, 500205, 500206, 500207, 9002339)),
  ...reconnect('account_locked', common(50053), lookup(500532)),
  ...reconnect('not_assigned', common(50105)),
  ...reconnect(
    'tenant_restricted',
    reference(500021, 500022, 500212, 500213, 50002, 1000104, 90084),
    lookup(500023, 500024, 500025),
  ),
  ...reconnect('app_unavailable', common(650052), lookup(650058)), // the organisation lacks the service
  // Our application or Microsoft's service in one organisation: disabled by its administrator, or not subscribed.
  ...each(
    { kind: 'reconnect', reason: 'app_unavailable', organisation: 'always' },
    common(7000112),
    reference(1000031),
    recorded('https://github.com/OneDrive/onedrive-api-docs/issues/602', 50001),
    lookup(7000116, 7000117, 7000229, 500014),
  ),
  // Not in this tenant: removed by its administrator.
  ...each(
    { kind: 'reconnect', reason: 'app_unavailable', organisation: 'stored_tenant' },
    common(700016, 500011),
    reference(700011, 70001),
    lookup(90049, 7000217),
  ),
  // The tenant itself: blocked, inaccessible, unmanaged, or its own sign-in is broken.
  ...each(
    { kind: 'reconnect', reason: 'tenant_unavailable', organisation: 'always' },
    recorded('https://learn.microsoft.com/answers/questions/5822771', 5000225), // blocked for inactivity
    common(5000224), // not available: deleted or being deleted
    lookup(650051), // unmanaged
  ),
  ...reconnect(
    'tenant_unavailable',
    reference(20001, 20012, 20033, 40008, 50008, 50017, 50107, 50161, 50169, 50170), // its federated sign-in
    lookup(40002, 40003, 40004, 40005, 40016, 50159, 50172, 50176, 90134),
  ),
  // deleted; on the configured path: misspelt, or the wrong cloud
  ...each({ kind: 'reconnect', reason: 'tenant_unavailable', organisation: 'stored_tenant' }, common(90002)),

  // Heals without anybody.
  // Microsoft could not read the keys of the issuer of a federated token; it often works a moment later.
  ...later(
    'microsoft_error',
    recorded('https://github.com/Azure/AKS/issues/4029', 501661),
    recorded('https://github.com/Azure/azure-workload-identity/issues/642', 50166),
    recorded('https://github.com/Azure/azure-workload-identity/issues/605', 90061),
  ),
  ...later('microsoft_error', common(90033, 90006, 90090, 90091)), // directory temporarily unavailable
  // time-outs, retryable
  ...later('microsoft_error', common(90012, 90024, 50033), reference(50087, 50088, 70012, 40010)),
  ...later('microsoft_error', lookup(90025, 90030, 90031, 90032, 90035, 90037, 90039, 90040, 90041, 90045, 90202)),
  ...later(
    'microsoft_error',
    lookup(50003, 50004, 500881, 500882, 500883, 40014, 90085, 90097, 1002022, 1003030, 2205013),
  ),
  ...later(
    'microsoft_error',
    lookup(399206, 399215, 399216, 399217, 399219, 1000021, 1000022),
    reference(501621, 51005, 90092),
  ),
  ...later('microsoft_error', common(50000, 90036)), // issuance error, directory failure
  ...later('throttled', common(90055)), // tenant throttled
  ...later('loop_detected', common(50196)), // says invalid_grant, and is not
]

export interface Family extends Meaning {
  codes: RegExp
}

/** Microsoft numbers a refinement by adding digits, or next to its relatives: what is not listed is judged as these. */
export const FAMILIES: readonly Family[] = [
  { codes: /^53\d{3,5}$/, kind: 'reconnect', reason: 'blocked_by_policy' }, // Conditional Access
  { codes: /^(?:50127|50129|50131)\d$/, kind: 'reconnect', reason: 'device_not_compliant' },
  { codes: /^50034\d{1,2}$/, kind: 'reconnect', reason: 'account_not_found' },
  { codes: /^(?:16000|90072)\d{1,2}$/, kind: 'reconnect', reason: 'account_not_found' },
  { codes: /^50020\d$/, kind: 'reconnect', reason: 'account_type_not_allowed' },
  { codes: /^50057\d{1,2}$/, kind: 'reconnect', reason: 'account_disabled' },
  { codes: /^50053\d{1,2}$/, kind: 'reconnect', reason: 'account_locked' },
  { codes: /^50105\d{1,2}$/, kind: 'reconnect', reason: 'not_assigned' },
  { codes: /^500022\d$/, kind: 'reconnect', reason: 'tenant_unavailable', organisation: 'always' },
  { codes: /^(?:50002\d|50021\d)$/, kind: 'reconnect', reason: 'tenant_restricted' },
  { codes: /^700011\d$/, kind: 'reconnect', reason: 'app_unavailable', organisation: 'always' },
  { codes: /^90094\d$/, kind: 'reconnect', reason: 'admin_consent_required' },
  { codes: /^(?:50072|50074|50076|50078|50079)\d{1,2}$/, kind: 'reconnect', reason: 'mfa_required' },
  { codes: /^1(?:30[05]|35[0-9])\d\d$/, kind: 'reconnect', reason: 'sign_in_required' }, // keys, passkeys, passes
  { codes: /^1200\d\d$/, kind: 'reconnect', reason: 'password_changed' },
  { codes: /^(?:50055|50144|50133)\d{1,2}$/, kind: 'reconnect', reason: 'password_changed' },
  { codes: /^70008\d{1,2}$/, kind: 'reconnect', reason: 'refresh_token_expired' },
  { codes: /^7004[3-9]\d{0,2}$/, kind: 'reconnect', reason: 'sign_in_frequency' },
  { codes: /^70000\d\d$/, kind: 'reconnect', reason: 'token_invalid' },
  { codes: /^65001\d$/, kind: 'reconnect', reason: 'consent_required' },
  // Federated identities; client assertions and certificates. Beside another error these ranges are not known.
  { codes: /^7002\d{2,3}$/, error: 'invalid_client', ...OUR_CREDENTIAL, everybody: true },
  { codes: /^7002\d{2,3}$/, error: 'invalid_request', ...OUR_CREDENTIAL, everybody: true },
  { codes: /^7002\d{2,3}$/, error: 'unauthorized_client', ...OUR_CREDENTIAL, everybody: true },
  { codes: /^(?:7000[23]\d|70002[127]\d)$/, error: 'invalid_client', ...OUR_CREDENTIAL, everybody: true },
  { codes: /^(?:50027\d{1,2}|50012\d|50013\d)$/, error: 'invalid_client', ...OUR_CREDENTIAL, everybody: true },
  { codes: /^50027\d{1,2}$/, error: 'invalid_request', ...OUR_CREDENTIAL },
  { codes: /^650\d{2,3}$/, kind: 'misconfigured', reason: 'app_registration' },
  { codes: /^9003[0-9]$/, kind: 'try_later', reason: 'microsoft_error' },
]

const byCode = Map.groupBy(AADSTS, ({ code }) => code)

/** 70002 wraps the code that matters (`[70002,70008]`): it counts only where it stands alone. */
const WRAPPER = 70002

export type FoundRow = Meaning & { code: number }

/** The row for an answer's codes: the first listed one, in Microsoft's order; else that of the first one's family. */
export function findRow(codes: readonly number[], error: string | undefined): FoundRow | undefined {
  const telling = codes.filter((code) => code !== WRAPPER)
  const fits = (candidate: Meaning): boolean => candidate.error === undefined || candidate.error === error
  for (const code of telling.length > 0 ? telling : codes) {
    const row = byCode.get(code)?.find(fits)
    if (row) return row
  }
  for (const code of telling) {
    const family = FAMILIES.find((candidate) => candidate.codes.test(String(code)) && fits(candidate))
    if (family) return { ...family, code }
  }
  return undefined
}
