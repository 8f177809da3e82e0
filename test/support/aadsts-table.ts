import { readFileSync, writeFileSync } from 'node:fs'
import { REASONS, type Actor } from '../../src/core/failure.ts'
import { AADSTS, type AadstsRow } from '../../src/microsoft/aadsts.ts'

// The table of AADSTS codes in docs/microsoft.md: what Microsoft says (this file) and what the broker does
// (src/microsoft/aadsts.ts). `node test/support/aadsts-table.ts` writes it; test/microsoft/aadsts-document.test.ts
// compares it.

export const MICROSOFT_DOCUMENT = new URL('../../docs/microsoft.md', import.meta.url)
const [BEGIN, END] = ['<!-- aadsts:begin -->', '<!-- aadsts:end -->']

const LIST = 'https://learn.microsoft.com/entra/identity-platform/reference-error-codes'
const LOOKUP = 'https://login.microsoftonline.com/error?code='

/** `list`: in Microsoft's published list of codes. `lookup`: only on Microsoft's lookup page. `none`: on neither. */
type Documented = 'list' | 'lookup' | 'none'

interface Evidence {
  code: number
  meaning: string
  /** Who must act, according to the meaning, if the code is the answer to a refresh of one user. */
  whoMustAct: Actor | 'tenant_admin or ops' | 'user or tenant_admin'
  documented: Documented
  /** A public report of a real answer. */
  recorded?: string
}

const evidence = (
  whoMustAct: Evidence['whoMustAct'],
  documented: Documented,
  rows: Record<number, string | [meaning: string, recorded: string]>,
): Evidence[] =>
  Object.entries(rows).map(([code, row]) => ({
    code: Number(code),
    meaning: typeof row === 'string' ? row : row[0],
    whoMustAct,
    documented,
    ...(typeof row === 'string' ? {} : { recorded: row[1] }),
  }))

const gh = (path: string): string => `https://github.com/${path}`

const EVIDENCE: readonly Evidence[] = [
  ...evidence('ops', 'list', {
    7000215: ['The client secret is wrong. Often its id was pasted.', gh('keycloak/keycloak/issues/31294')],
    7000222: ['The client secret has expired.', gh('microsoft/botframework-sdk/issues/6221')],
    7000218: 'The request has neither a secret nor an assertion.',
    70002: ['The credential is wrong. Also wraps another code.', gh('Azure/azure-cli/issues/856')],
    700027: 'The client assertion has a bad signature, or its certificate is not registered.',
    50012: 'Authentication of the client failed: certificate or assertion.',
    50013: 'The assertion is malformed, expired or from a wrong issuer.',
    50027: 'The JWT is malformed or invalid.',
    700030: 'The subject name of the certificate is not authorized.',
    700025: 'The registration is a public client, but a credential was sent.',
    50194: 'A single-tenant application was used on `/common`.',
    9002332: 'The application takes work accounts only.',
    500208: 'The domain is no login domain for this kind of account.',
    50011: 'The redirect URI is not registered.',
    900971: 'No redirect URI.',
    900144: 'A parameter of the request is missing.',
    90014: 'A required field is missing.',
    900561: 'The endpoint takes other HTTP methods only.',
    90015: 'The query string is too long.',
    901002: 'The parameter `resource` is not supported.',
    70003: 'The grant type is not supported.',
    70005: 'The response type is not supported.',
    70007: 'The response mode is not supported.',
    700054: 'The response type `id_token` is not enabled.',
    70011: 'A scope is not valid.',
    28002: 'A scope is not valid for an access token.',
    28003: 'The scope is empty.',
    700022: 'Scopes of more than one resource. The lookup page has another text: an assertion without a subject.',
    700023: 'No resource in the scope. The lookup page has another text: wrong audience of the assertion.',
    650057: [
      'The registration does not list the requested resource.',
      gh('ploomber/msal_streamlit_authentication/issues/43'),
    ],
    90008: 'The application must ask for `User.Read`.',
    90038: 'The tenant belongs to a national cloud.',
    900382: ['A confidential client asked across clouds.', gh('webprofusion/certify/issues/553')],
    900432: ['A confidential client asked across clouds.', gh('psignoret/aad-sso-wordpress/issues/244')],
    700005: 'The code belongs to another tenant path.',
    50147: 'The code challenge has a wrong size.',
    501491: 'The code challenge has a wrong size.',
    50196: 'Too many identical requests: a client loop. Says `invalid_grant`.',
    650054: 'The application asks for a resource that was removed.',
  }),
  ...evidence('ops', 'lookup', {
    700021: 'The assertion names another application than `client_id`.',
    700024: 'The assertion is outside its time range.',
    700028: 'The thumbprint of the certificate is not authorized.',
    7000214: 'The certificate has been revoked.',
    500112: 'The redirect URI differs from the one at authorize. Says `invalid_client`.',
    9002325: 'PKCE is needed for a cross-origin redemption: the redirect URI has the type SPA.',
    9002326: 'Cross-origin redemption is for SPA only: the request had an `Origin`.',
    9002327: 'Tokens of a SPA are redeemed cross-origin only: the redirect URI has the type SPA.',
    1002016: 'TLS 1.0, TLS 1.1 or 3DES was used.',
    650053: ['The application asked for a scope that does not exist.', gh('MicrosoftDocs/azure-docs/issues/67211')],
    1003031: 'The list of permissions in the registration is broken.',
  }),
  ...evidence('ops', 'none', {
    700213: ['No federated credential matches the subject of the assertion.', gh('Azure/login/issues/482')],
    900439: ['A tenant of Azure Government was used on the public endpoint.', gh('jgraph/drawio/issues/1066')],
  }),
  ...evidence('tenant_admin or ops', 'list', {
    700016: ['The application is not in this tenant.', gh('MicrosoftDocs/azure-docs/issues/71942')],
    700011: 'The application is not in this tenant.',
    70001: 'The application is disabled.',
    500011: ['The resource is not in this tenant.', gh('Azure-Samples/ms-identity-java-webapi/issues/80')],
    90002: [
      'The tenant does not exist, or is in another cloud.',
      gh('microsoftgraph/windowsupdates-webapplication-sample/issues/6'),
    ],
  }),
  ...evidence('user', 'list', {
    9002313: [
      'The request is malformed. With `invalid_grant`: the refresh token or the code is garbage.',
      gh('MicrosoftDocs/azure-docs/issues/63819'),
    ],
    700082: ['The refresh token was not used for 90 days.', gh('blobfile/blobfile/issues/93')],
    50173: [
      'The refresh token was revoked: sessions revoked, or password reset by an administrator.',
      gh('EionRobb/purple-teams/issues/19'),
    ],
    70008: ['The refresh token or code has expired (older text).', gh('Azure/azure-cli/issues/856')],
    700084: 'The refresh token of a SPA has reached its 24 hours.',
    70000: [
      'The refresh token is not valid. Personal accounts: consent was withdrawn.',
      gh('MicrosoftDocs/azure-docs/issues/99814'),
    ],
    501481: 'The PKCE verifier does not match.',
    54005: ['The code was redeemed before.', gh('AzureAD/microsoft-identity-web/issues/2612')],
    70043: 'The sign-in is older than the policy allows.',
    50133: 'The session ended because the password expired or changed.',
    50132: 'The session ended because the password expired or changed.',
    50055: 'The password has expired.',
    50144: 'The Active Directory password has expired.',
    50089: 'The flow token has expired.',
    50058: 'Nobody is signed in (`prompt=none`).',
    50056: 'No password, or a wrong one.',
    50126: 'Wrong name or password.',
    50076: ['A second factor is needed.', gh('AzureAD/microsoft-authentication-library-for-js/issues/5491')],
    50074: 'A second factor is needed.',
    50079: ['A second factor must be registered.', gh('AzureAD/azure-activedirectory-library-for-nodejs/issues/151')],
    50072: 'A second factor must be registered.',
    50078: 'The second factor is too old.',
    50158: 'The check of an external provider is missing.',
    65001: ['No consent by the user or an administrator.', gh('O365/python-o365/issues/323')],
    65004: ['The user declined the consent.', gh('AzureAD/azure-activedirectory-library-for-js/issues/254')],
    135010: 'The key (passkey, Windows Hello) is not registered for the user: sign in with another method.',
    53004: 'Registration of a second factor is needed. The lookup page says: blocked because of suspicious activity.',
  }),
  ...evidence('user', 'lookup', {
    50142: 'A policy asks for a change of the password.',
    70044: 'The session is older than the policy allows.',
    70045: 'Sign-in frequency: this token will never work again.',
    70046: 'The policy asks for a new authentication.',
    399218: 'The user must confirm the request.',
    130507: 'The access pass cannot be verified.',
  }),
  ...evidence('tenant_admin', 'list', {
    90094: 'An administrator must consent.',
    90095: 'An administrator must consent (request workflow).',
    650056: 'The application is misconfigured, or no administrator has consented.',
    650052: ['The organisation lacks the service.', gh('PostHog/posthog/pull/43486')],
    65005: [
      'The application asks for a resource that the tenant does not offer.',
      gh('psignoret/aad-sso-wordpress/issues/190'),
    ],
    50001: ['The resource is disabled or missing in this tenant.', gh('OneDrive/onedrive-api-docs/issues/602')],
    135011: 'The device is disabled.',
    50097: ['Device authentication is needed. Seen with HTTP 401.', gh('Azure/azure-powershell/issues/9427')],
    50129: 'The device is not joined.',
    50155: 'Device authentication failed.',
    53000: 'The device is not compliant.',
    53001: 'The device is not joined to the domain.',
    50131: 'A policy of Conditional Access failed.',
    53002: 'The application is not approved by policy.',
    53003: 'Conditional Access blocks the access.',
    53010: [
      'A second factor can be registered from certain places or devices only.',
      gh('MicrosoftDocs/azure-docs/issues/93821'),
    ],
    53011: 'The user is blocked because of risk.',
    530032: 'A security policy of the tenant blocks the request.',
    530034: 'A delegated administrator is blocked because of risk.',
    530035: 'Security defaults block the access.',
    50005: 'The policy does not support the platform.',
    50057: ['The account is disabled.', gh('Azure/azure-cli/issues/2591')],
    50034: ['The account is not in the directory.', gh('AzureAD/microsoft-authentication-library-for-java/issues/38')],
    16000: 'The account is not in this tenant.',
    50020: ['The account is not in this tenant.', gh('MicrosoftDocs/azure-docs/issues/114009')],
    50177: 'The account is not in this tenant (text of the lookup page).',
    50178: 'The account is not in this tenant (text of the lookup page).',
    90072: ['The account is not in this tenant.', gh('rootinc/laravel-azure-middleware/issues/22')],
    51004: 'The account is not in the directory.',
    50105: [
      'The user is not assigned to the application.',
      gh('AzureAD/microsoft-authentication-library-for-js/issues/1287'),
    ],
    7000112: 'The application is disabled.',
    500021: 'The tenant restriction denies the access.',
    500212: 'The outbound policy of the home tenant denies the access.',
    500213: 'The inbound policy of the resource tenant denies the access.',
    54000: 'The age of the user does not allow the application.',
  }),
  ...evidence('tenant_admin', 'lookup', {
    700003: 'The device object was not found.',
    530002: 'The device must be compliant.',
    530003: ['The device must be managed.', gh('Azure/azure-cli/issues/29282')],
    530004: 'The tenant has not configured whether it accepts compliant devices of others.',
    500014: 'The service principal of the resource is disabled, or the subscription has lapsed.',
    500341: 'The account was deleted.',
    500571: 'The guest account is disabled.',
    7000116: 'The application is disabled in this tenant.',
    7000229: 'The application has no service principal in this tenant.',
  }),
  ...evidence('tenant_admin', 'none', {
    5000225: [
      'The tenant is blocked because it was inactive.',
      'https://learn.microsoft.com/en-ca/answers/questions/5822771/error-code-interaction-required',
    ],
  }),
  ...evidence('user or tenant_admin', 'list', {
    50053: 'The account is locked after wrong passwords, or the address is known for attacks.',
  }),
  ...evidence('nobody', 'list', {
    90033: ['The directory is not available.', gh('Azure/azure-sdk-for-python/issues/14241')],
    90006: 'The service is not available.',
    90090: 'The service is not available.',
    90091: 'The service is not available.',
    90012: 'The request timed out.',
    90024: 'A transient error.',
    50033: 'A transient error.',
    50087: 'A transient error of the second factor.',
    50088: 'Too many calls for a second factor by telephone.',
    70012: 'A server error with a personal account.',
    40010: 'A transient error of the federated identity provider.',
    50000: 'The token could not be issued.',
    90036: 'The directory failed, and the text says that a retry does not help.',
    90055: 'Too many requests of this tenant.',
  }),
  ...evidence('nobody', 'lookup', {
    90025: 'The processing took too long. The text says that it is tried again.',
  }),
]

/** Codes of src/microsoft/aadsts.ts that have no evidence here. */
export function codesWithoutEvidence(): number[] {
  const known = new Set(EVIDENCE.map(({ code }) => code))
  return [...new Set(AADSTS.map(({ code }) => code))].filter((code) => !known.has(code))
}

/** Codes that are listed here twice. */
export function codesTwice(): number[] {
  const seen = new Set<number>()
  return EVIDENCE.map(({ code }) => code).filter((code) => seen.size === seen.add(code).size)
}

export function aadstsTable(): string {
  const rows = Map.groupBy(AADSTS, ({ code }) => code)
  const lines = EVIDENCE.toSorted((a, b) => a.code - b.code).map(
    ({ code, meaning, whoMustAct, documented, recorded }) => {
      const actor = `${whoMustAct.replaceAll('tenant_admin', 'administrator')}`
      const source = [
        ...(documented === 'list' ? ['[list]'] : documented === 'lookup' ? [`[lookup](${LOOKUP}${code})`] : []),
        ...(recorded === undefined ? [] : [`[report](${recorded})`]),
      ]
      const certainty = recorded !== undefined ? 'recorded' : documented === 'none' ? 'assumed' : 'documented'
      return `| ${code} | ${meaning} | ${actor} | ${treatment(rows.get(code))} | ${source.join(', ')} | ${certainty} |`
    },
  )
  return [
    '| code | meaning | who must act | in the broker | source | certainty |',
    '|---|---|---|---|---|---|',
    ...lines,
    '',
    `[list]: ${LIST}`,
  ].join('\n')
}

/** How `src/microsoft/aadsts.ts` treats the code. */
function treatment(rows: AadstsRow[] | undefined): string {
  if (rows === undefined) return 'not listed: `error` decides'
  return rows
    .map(({ error, reason, final, everybody, onCode }) => {
      const who = REASONS[reason].whoActs.replaceAll('tenant_admin', 'administrator')
      const notes = [final && 'final', everybody && 'for everybody', onCode && `with a code: \`${onCode}\``]
      return [error && `with \`${error}\`:`, `\`${reason}\` (${[who, ...notes.filter(Boolean)].join(', ')})`]
        .filter(Boolean)
        .join(' ')
    })
    .join('; ')
}

/** The document with the current table. Throws if a marker is missing. */
export function withAadstsTable(document: string): string {
  const [from, to] = [document.indexOf(BEGIN), document.indexOf(END)]
  if (from < 0 || to < from) throw new Error(`docs/microsoft.md lacks ${BEGIN} … ${END}`)
  return `${document.slice(0, from + BEGIN.length)}\n\n${aadstsTable()}\n\n${document.slice(to)}`
}

if (import.meta.main) {
  writeFileSync(MICROSOFT_DOCUMENT, withAadstsTable(readFileSync(MICROSOFT_DOCUMENT, 'utf8')))
}
