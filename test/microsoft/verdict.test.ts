import { inspect } from 'node:util'
import t from 'tap'
import { REASONS, type Reason } from '../../src/core/failure.ts'
import type { Verdict } from '../../src/core/microsoft-port.ts'
import { AADSTS } from '../../src/microsoft/aadsts.ts'
import type { Answer } from '../../src/microsoft/answer.ts'
import { isAboutOrganisation, judgeCode, judgeRefresh } from '../../src/microsoft/verdict.ts'
import { CORRELATION, errorBody, NOW, tokenBody, TRACE } from './support.ts'

const json = (status: number, body: string, headers: Answer['headers'] = {}): Answer => ({ status, headers, body })
const refresh = (answer: Answer) => judgeRefresh(answer, NOW)
const code = (answer: Answer) => judgeCode(answer, NOW)

type State = 'later' | 'final' | 'curable' | 'everybody' | 'one'
type Expected = readonly [
  code: number,
  error: string,
  state: State,
  reason: Reason,
  who: 'user' | 'tenant_admin' | 'ops' | 'nobody',
  suberror?: string,
]

// Every AADSTS code of our table, written a second time on purpose: the answer in which it usually arrives, and the
// verdict that a refresh must reach.
const client = 'invalid_client'
const request = 'invalid_request'
const grant = 'invalid_grant'
const interaction = 'interaction_required'
const unauthorized = 'unauthorized_client'
const unavailable = 'temporarily_unavailable'
const EXPECTED: readonly Expected[] = [
  [7000215, client, 'everybody', 'client_credential', 'ops'],
  [7000222, client, 'everybody', 'client_credential', 'ops'],
  [7000218, client, 'everybody', 'client_credential', 'ops'],
  [70002, client, 'everybody', 'client_credential', 'ops'],
  [700027, client, 'everybody', 'client_credential', 'ops'],
  [50012, client, 'everybody', 'client_credential', 'ops'],
  [50013, client, 'everybody', 'client_credential', 'ops'],
  [700025, client, 'everybody', 'client_credential', 'ops'],
  [700021, client, 'everybody', 'client_credential', 'ops'],
  [700023, client, 'everybody', 'client_credential', 'ops'],
  [700024, client, 'everybody', 'client_credential', 'ops'],
  [50027, client, 'everybody', 'client_credential', 'ops'],
  [50027, request, 'one', 'client_credential', 'ops'],
  [700016, unauthorized, 'curable', 'app_unavailable', 'tenant_admin'],
  [700011, unauthorized, 'curable', 'app_unavailable', 'tenant_admin'],
  [70001, unauthorized, 'curable', 'app_unavailable', 'tenant_admin'],
  [7000112, unauthorized, 'curable', 'app_unavailable', 'tenant_admin'],
  [50194, request, 'one', 'app_registration', 'ops'],
  [9002332, request, 'one', 'app_registration', 'ops'],
  [500208, request, 'one', 'app_registration', 'ops'],
  [50011, request, 'one', 'app_registration', 'ops'],
  [500112, client, 'one', 'app_registration', 'ops'],
  [900971, request, 'one', 'app_registration', 'ops'],
  [9002325, request, 'one', 'app_registration', 'ops'],
  [9002326, request, 'one', 'app_registration', 'ops'],
  [9002327, request, 'one', 'app_registration', 'ops'],
  [900144, request, 'one', 'app_registration', 'ops'],
  [90014, request, 'one', 'app_registration', 'ops'],
  [9002313, grant, 'final', 'token_invalid', 'user', 'bad_token'],
  [9002313, grant, 'curable', 'token_invalid', 'user'],
  [9002313, request, 'one', 'app_registration', 'ops'],
  [900561, request, 'one', 'app_registration', 'ops'],
  [90015, request, 'one', 'app_registration', 'ops'],
  [901002, request, 'one', 'app_registration', 'ops'],
  [70003, 'unsupported_grant_type', 'one', 'app_registration', 'ops'],
  [70005, 'unsupported_response_type', 'one', 'app_registration', 'ops'],
  [70007, request, 'one', 'app_registration', 'ops'],
  [700054, 'unsupported_response_type', 'one', 'app_registration', 'ops'],
  [70011, 'invalid_scope', 'one', 'app_registration', 'ops'],
  [28002, request, 'one', 'app_registration', 'ops'],
  [28003, request, 'one', 'app_registration', 'ops'],
  [700022, 'invalid_scope', 'one', 'app_registration', 'ops'],
  [700023, 'invalid_scope', 'one', 'app_registration', 'ops'],
  [500011, 'invalid_resource', 'curable', 'app_unavailable', 'tenant_admin'],
  [650052, client, 'curable', 'app_unavailable', 'tenant_admin'],
  [650056, request, 'curable', 'admin_consent_required', 'tenant_admin'],
  [650057, request, 'one', 'app_registration', 'ops'],
  [90002, 'invalid_tenant', 'curable', 'tenant_unavailable', 'tenant_admin'],
  [90038, request, 'one', 'app_registration', 'ops'],
  [900439, request, 'one', 'app_registration', 'ops'],
  [900382, request, 'one', 'app_registration', 'ops'],
  [900432, request, 'one', 'app_registration', 'ops'],
  [700005, grant, 'one', 'app_registration', 'ops'],
  [1002016, request, 'one', 'app_registration', 'ops'],
  [501481, grant, 'curable', 'token_invalid', 'user'],
  [50147, request, 'one', 'app_registration', 'ops'],
  [501491, request, 'one', 'app_registration', 'ops'],
  [54005, grant, 'curable', 'token_invalid', 'user'],
  [70008, grant, 'curable', 'refresh_token_expired', 'user'],
  [700082, grant, 'final', 'refresh_token_expired', 'user'],
  [700084, grant, 'curable', 'refresh_token_expired', 'user'],
  [70043, grant, 'final', 'sign_in_frequency', 'user', 'token_expired'],
  [50173, grant, 'final', 'access_revoked', 'user', 'bad_token'],
  [50173, grant, 'final', 'access_revoked', 'user'],
  [50133, grant, 'curable', 'password_changed', 'user'],
  [50132, grant, 'curable', 'password_changed', 'user'],
  [50089, grant, 'curable', 'sign_in_required', 'user'],
  [70000, grant, 'curable', 'token_invalid', 'user'],
  [700003, grant, 'curable', 'device_not_compliant', 'tenant_admin', 'device_authentication_failed'],
  [135010, grant, 'curable', 'sign_in_required', 'user'],
  [135011, grant, 'curable', 'device_not_compliant', 'tenant_admin'],
  [50097, interaction, 'curable', 'device_not_compliant', 'tenant_admin'],
  [50129, interaction, 'curable', 'device_not_compliant', 'tenant_admin'],
  [50076, interaction, 'curable', 'mfa_required', 'user', 'basic_action'],
  [50076, grant, 'curable', 'mfa_required', 'user', 'basic_action'],
  [50074, interaction, 'curable', 'mfa_required', 'user', 'basic_action'],
  [50079, interaction, 'curable', 'mfa_required', 'user', 'basic_action'],
  [50072, grant, 'curable', 'mfa_required', 'user', 'basic_action'],
  [50078, interaction, 'curable', 'mfa_required', 'user', 'basic_action'],
  [50158, interaction, 'curable', 'mfa_required', 'user', 'basic_action'],
  [50131, interaction, 'curable', 'blocked_by_policy', 'tenant_admin'],
  [53000, interaction, 'curable', 'device_not_compliant', 'tenant_admin', 'additional_action'],
  [53001, interaction, 'curable', 'device_not_compliant', 'tenant_admin', 'additional_action'],
  [53002, interaction, 'curable', 'blocked_by_policy', 'tenant_admin', 'message_only'],
  [53003, grant, 'curable', 'blocked_by_policy', 'tenant_admin', 'message_only'],
  [53003, interaction, 'curable', 'blocked_by_policy', 'tenant_admin', 'message_only'],
  [53004, interaction, 'curable', 'blocked_by_policy', 'tenant_admin', 'message_only'],
  [53011, interaction, 'curable', 'blocked_by_policy', 'tenant_admin', 'message_only'],
  [530032, interaction, 'curable', 'blocked_by_policy', 'tenant_admin', 'message_only'],
  [50005, interaction, 'curable', 'blocked_by_policy', 'tenant_admin'],
  [50055, 'user_password_expired', 'curable', 'password_changed', 'user'],
  [50055, grant, 'curable', 'password_changed', 'user', 'user_password_expired'],
  [50057, grant, 'curable', 'account_disabled', 'tenant_admin'],
  [50034, grant, 'curable', 'account_not_found', 'tenant_admin'],
  [50053, grant, 'curable', 'account_locked', 'tenant_admin'],
  [50056, grant, 'curable', 'sign_in_required', 'user'],
  [50126, grant, 'curable', 'sign_in_required', 'user'],
  [50058, 'login_required', 'curable', 'sign_in_required', 'user'],
  [16000, interaction, 'curable', 'account_not_found', 'tenant_admin'],
  [50020, grant, 'curable', 'account_not_found', 'tenant_admin'],
  [51004, grant, 'curable', 'account_not_found', 'tenant_admin'],
  [50105, interaction, 'curable', 'not_assigned', 'tenant_admin'],
  [500021, grant, 'curable', 'tenant_restricted', 'tenant_admin'],
  [500212, grant, 'curable', 'tenant_restricted', 'tenant_admin'],
  [500213, grant, 'curable', 'tenant_restricted', 'tenant_admin'],
  [65001, grant, 'curable', 'consent_required', 'user', 'consent_required'],
  [65001, interaction, 'curable', 'consent_required', 'user'],
  [65004, 'consent_required', 'curable', 'consent_required', 'user'],
  [90094, 'access_denied', 'curable', 'admin_consent_required', 'tenant_admin'],
  [90095, 'access_denied', 'curable', 'admin_consent_required', 'tenant_admin'],
  [90008, grant, 'one', 'app_registration', 'ops'],
  [90033, unavailable, 'later', 'microsoft_error', 'nobody'],
  [90006, unavailable, 'later', 'microsoft_error', 'nobody'],
  [90090, unavailable, 'later', 'microsoft_error', 'nobody'],
  [90091, unavailable, 'later', 'microsoft_error', 'nobody'],
  [90012, 'server_error', 'later', 'microsoft_error', 'nobody'],
  [90024, 'server_error', 'later', 'microsoft_error', 'nobody'],
  [50033, unavailable, 'later', 'microsoft_error', 'nobody'],
  [50087, unavailable, 'later', 'microsoft_error', 'nobody'],
  [50088, unavailable, 'later', 'microsoft_error', 'nobody'],
  [70012, 'server_error', 'later', 'microsoft_error', 'nobody'],
  [40010, 'server_error', 'later', 'microsoft_error', 'nobody'],
  [90055, unavailable, 'later', 'throttled', 'nobody'],
  [50000, 'server_error', 'later', 'microsoft_error', 'nobody'],
  [90036, 'server_error', 'later', 'microsoft_error', 'nobody'],
  [50196, grant, 'later', 'loop_detected', 'ops'],
]

// The same, by meaning.
const MORE: readonly [state: State, reason: Reason, who: Expected[4], error: string, ...codes: number[]][] = [
  [
    'everybody',
    'client_credential',
    'ops',
    client,
    7000216,
    7000219,
    9002319,
    700026,
    9002324,
    500133,
    700028,
    700029,
    700031,
    700032,
    700030,
    7000210,
    7000211,
    7000212,
    7000213,
    7000214,
    7000221,
    50048,
    500031,
    500033,
    9002323,
    70021,
    700211,
    700212,
    700213,
    7002121,
    7002131,
    7002381,
    7000272,
    700229,
    700222,
    700223,
    700224,
    700225,
    700226,
    700227,
    700228,
    7000225,
    7000226,
    7000227,
  ],
  ['everybody', 'client_credential', 'ops', client, 5002727, 5002726, 50006, 500131, 500132, 900384, 500061],
  ['one', 'client_credential', 'ops', request, 5002727, 5002726, 50006, 500131, 500132, 900384, 500061],
  [
    'one',
    'app_registration',
    'ops',
    request,
    500111,
    500113,
    500114,
    500115,
    500116,
    500117,
    500118,
    500119,
    50029,
    70004,
    700009,
    700042,
    700043,
    700044,
    700045,
    700046,
    700047,
    900143,
    90004,
    90013,
    90017,
    90023,
    90100,
    90102,
    90107,
    90112,
    90116,
    90117,
    90121,
    90056,
    7000021,
    700051,
    700052,
    700053,
    500012,
    500013,
    500016,
    500017,
    700017,
    700018,
    650053,
    650054,
    65002,
    650055,
    650061,
    65003,
    65006,
    90009,
    90051,
    90042,
    90043,
    90044,
    501471,
    50149,
    501482,
    50059,
    90019,
    50049,
    50128,
    50050,
    500209,
    500210,
    9001023,
    90124,
    90130,
    90027,
    90129,
    9002328,
    9002331,
    9002337,
    9002338,
    90005,
    50146,
    501461,
    90010,
    90016,
    90131,
    90138,
    1002012,
    1002014,
    1002021,
    1002026,
    1003031,
    700012,
    700019,
    7000110,
    7000113,
    7000114,
    50010,
    500101,
    500102,
    500103,
  ],
  ['final', 'refresh_token_expired', 'user', grant, 700081],
  ['final', 'sign_in_frequency', 'user', grant, 70045],
  ['curable', 'refresh_token_expired', 'user', grant, 700083],
  ['curable', 'token_invalid', 'user', grant, 50148, 700007, 7000012, 7000015, 7000220],
  ['curable', 'sign_in_frequency', 'user', grant, 70044, 70046],
  ['curable', 'password_changed', 'user', grant, 50144, 50125, 50135, 50137, 50142, 50054],
  [
    'curable',
    'sign_in_required',
    'user',
    interaction,
    16001,
    16002,
    160021,
    50064,
    50085,
    50136,
    50139,
    50140,
    50143,
    50168,
    50180,
    50192,
    50197,
    50199,
    51006,
    160011,
    26000,
    50157,
    50160,
    50201,
    50202,
    50203,
    50204,
    50207,
    50208,
    50209,
    399218,
    9002341,
    53006,
    53007,
    500141,
    500142,
    500183,
    500185,
    500187,
    50019,
    500581,
    500582,
    500583,
    40009,
    40015,
    130004,
    130005,
    130006,
    135001,
    135016,
    135018,
    135019,
    135020,
    500342,
    500344,
    130500,
    130501,
    130502,
    130503,
    130504,
    130505,
    130506,
    130507,
  ],
  ['curable', 'mfa_required', 'user', interaction, 50086, 500121, 50077, 50081],
  ['curable', 'consent_required', 'user', grant, 650011, 65007, 50150, 50206],
  ['curable', 'consent_required', 'user', grant, 650041, 90135, 90137],
  ['curable', 'admin_consent_required', 'tenant_admin', 'access_denied', 90093, 90099, 900941, 900942, 90096, 90098],
  [
    'curable',
    'device_not_compliant',
    'tenant_admin',
    grant,
    530003,
    530004,
    50155,
    50187,
    130007,
    130008,
    50127,
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
  ],
  [
    'curable',
    'blocked_by_policy',
    'tenant_admin',
    grant,
    53010,
    530034,
    530035,
    54000,
    50015,
    90123,
    530021,
    530031,
    53005,
    53008,
    53009,
    530081,
    54008,
    54009,
    54010,
    500186,
    1003034,
  ],
  ['curable', 'account_disabled', 'tenant_admin', grant, 500571],
  ['curable', 'account_not_found', 'tenant_admin', grant, 90072, 16003, 50014, 50177, 50178, 500341, 700056],
  ['curable', 'account_type_not_allowed', 'user', grant, 500200, 500201, 500202, 500205, 500206, 500207, 9002339],
  ['curable', 'account_locked', 'tenant_admin', grant, 500532],
  ['curable', 'tenant_restricted', 'tenant_admin', grant, 500022, 50002, 1000104, 90084, 500023, 500024, 500025],
  ['curable', 'app_unavailable', 'tenant_admin', unauthorized, 650058],
  ['curable', 'app_unavailable', 'tenant_admin', unauthorized, 1000031, 50001, 7000116, 7000117, 7000229, 500014],
  ['curable', 'app_unavailable', 'tenant_admin', unauthorized, 90049, 7000217],
  ['curable', 'tenant_unavailable', 'tenant_admin', request, 5000225, 5000224, 650051],
  [
    'curable',
    'tenant_unavailable',
    'tenant_admin',
    request,
    20001,
    20012,
    20033,
    40008,
    50008,
    50017,
    50107,
    50161,
    50169,
    50170,
    40002,
    40003,
    40004,
    40005,
    40016,
    50159,
    50172,
    50176,
    90134,
  ],
  [
    'later',
    'microsoft_error',
    'nobody',
    unavailable,
    90025,
    90030,
    90031,
    90032,
    90035,
    90037,
    90039,
    90040,
    90041,
    90045,
    90202,
    50003,
    50004,
    500881,
    500882,
    500883,
    40014,
    90085,
    90097,
    1002022,
    1003030,
    2205013,
    399206,
    399215,
    399216,
    399217,
    399219,
    1000021,
    1000022,
    50166,
    501661,
    90061,
    501621,
    51005,
    90092,
  ],
  ['curable', 'tenant_unavailable', 'tenant_admin', 'access_denied', 65005],
  ['one', 'app_registration', 'ops', 'invalid_resource', 65005],
  ['curable', 'sign_in_required', 'user', grant, 16000],
  ['everybody', 'client_credential', 'ops', client, 700022],
]

function stateOf(verdict: ReturnType<typeof refresh>): State | 'answer' {
  switch (verdict.kind) {
    case 'answer':
      return 'answer'
    case 'try_later':
      return 'later'
    case 'reconnect':
      return verdict.final ? 'final' : 'curable'
    case 'misconfigured':
      return verdict.everybody ? 'everybody' : 'one'
  }
}

t.test('every listed code ends in its state, with its reason and the one who acts', async (t) => {
  const rest = MORE.flatMap(([state, reason, who, error, ...codes]) =>
    codes.map((number): Expected => [number, error, state, reason, who]),
  )
  for (const [number, error, state, reason, who, suberror] of [...EXPECTED, ...rest]) {
    const verdict = refresh(json(error === client ? 401 : 400, errorBody(number, error, suberror ? { suberror } : {})))
    if (verdict.kind === 'answer') return t.fail(`${number} gave tokens`)
    t.strictSame(
      [stateOf(verdict), verdict.reason, REASONS[verdict.reason].whoActs],
      [state, reason, who],
      `${number} ${error} ${suberror ?? ''}`,
    )
    t.strictSame(verdict.microsoft, {
      status: error === client ? 401 : 400,
      error,
      ...(suberror && { suberror }),
      aadsts: number,
      traceId: TRACE,
      correlationId: CORRELATION,
      timestamp: '2026-03-02 09:05:31Z',
    })
    t.notMatch(inspect(verdict), 'contoso', 'the description stays out')
  }
  t.strictSame(
    new Set(AADSTS.map((row) => row.code)),
    new Set([...EXPECTED, ...rest].map(([number]) => number)),
    'no row of the table is untested',
  )
})

t.test('only refusals of our credential concern everybody', async (t) => {
  for (const row of AADSTS.filter(({ everybody }) => everybody)) t.equal(row.reason, 'client_credential', `${row.code}`)
  for (const row of AADSTS.filter(({ reason }) => reason === 'client_credential')) t.equal(row.kind, 'misconfigured')
})

t.test('every row says where its meaning comes from', async (t) => {
  for (const { code, source, certainty } of AADSTS) {
    t.ok(['reference', 'lookup', 'reports'].includes(source) || URL.canParse(source), `${code}`)
    t.equal(
      certainty === 'recorded',
      !['reference', 'lookup'].includes(source),
      `${code}: recorded where a report is named`,
    )
  }
})

t.test(
  'a code that is not listed is judged as its family, never for everybody beside a word about the user',
  async (t) => {
    const families: [number: number, error: string, state: State, reason: Reason][] = [
      [530099, grant, 'curable', 'blocked_by_policy'],
      [53099, interaction, 'curable', 'blocked_by_policy'],
      [501319, interaction, 'curable', 'device_not_compliant'],
      [500349, grant, 'curable', 'account_not_found'],
      [900729, interaction, 'curable', 'account_not_found'],
      [500203, grant, 'curable', 'account_type_not_allowed'],
      [500579, grant, 'curable', 'account_disabled'],
      [500539, grant, 'curable', 'account_locked'],
      [501059, interaction, 'curable', 'not_assigned'],
      [5000229, interaction, 'curable', 'tenant_unavailable'],
      [500029, grant, 'curable', 'tenant_restricted'],
      [500219, grant, 'curable', 'tenant_restricted'],
      [7000119, unauthorized, 'curable', 'app_unavailable'],
      [900949, 'access_denied', 'curable', 'admin_consent_required'],
      [500769, interaction, 'curable', 'mfa_required'],
      [135099, grant, 'curable', 'sign_in_required'],
      [120000, grant, 'curable', 'password_changed'],
      [501449, grant, 'curable', 'password_changed'],
      [700089, grant, 'curable', 'refresh_token_expired'],
      [70049, grant, 'curable', 'sign_in_frequency'],
      [7000099, grant, 'curable', 'token_invalid'],
      [650019, grant, 'curable', 'consent_required'],
      [700299, client, 'everybody', 'client_credential'],
      [7002999, request, 'everybody', 'client_credential'],
      [700239, unauthorized, 'everybody', 'client_credential'],
      [700239, grant, 'curable', 'token_invalid'],
      [700036, client, 'everybody', 'client_credential'],
      [7000228, client, 'everybody', 'client_credential'],
      [700036, grant, 'curable', 'token_invalid'],
      [500279, client, 'everybody', 'client_credential'],
      [5002799, request, 'one', 'client_credential'],
      [500139, client, 'everybody', 'client_credential'],
      [650099, client, 'one', 'app_registration'],
      [90034, request, 'later', 'microsoft_error'],
      // Not their relatives.
      [5300, grant, 'curable', 'token_invalid'],
      [153003, grant, 'curable', 'token_invalid'],
    ]
    for (const [number, error, state, reason] of families) {
      const verdict = refresh(json(error === client ? 401 : 400, errorBody(number, error)))
      if (verdict.kind === 'answer') return t.fail(`${number} gave tokens`)
      t.strictSame([stateOf(verdict), verdict.reason], [state, reason], `${number} ${error}`)
      t.match(verdict, { microsoft: { aadsts: number } })
    }
    t.match(
      refresh(json(400, errorBody(0, grant, { error_codes: [530099, 50057] }))),
      { reason: 'account_disabled' },
      'a listed code first',
    )
  },
)

t.test('a temporary error may have the code of a permanent one', async (t) => {
  for (const number of [50034, 50173, 500011, 90002, 700016, 7000215, 70011])
    t.match(refresh(json(400, errorBody(number, unavailable))), {
      kind: 'try_later',
      reason: 'microsoft_error',
      microsoft: { aadsts: number },
    })
  t.match(refresh(json(400, errorBody(90055, unavailable))), { reason: 'throttled' })
})

t.test('whose trouble a missing tenant or application is', async (t) => {
  const cases: [number: number, error: string, organisation: Reason, configuration: Reason][] = [
    [700016, unauthorized, 'app_unavailable', 'app_registration'],
    [90002, 'invalid_tenant', 'tenant_unavailable', 'app_registration'],
    [7000112, unauthorized, 'app_unavailable', 'app_unavailable'],
    [5000225, interaction, 'tenant_unavailable', 'tenant_unavailable'],
  ]
  for (const [number, error, organisation, configuration] of cases) {
    const answer = json(400, errorBody(number, error))
    t.match(judgeRefresh(answer, NOW, 'organisation'), { kind: 'reconnect', final: false, reason: organisation })
    t.match(judgeRefresh(answer, NOW, 'configuration'), { reason: configuration })
    t.match(judgeRefresh(answer, NOW, 'everybody'), {
      kind: 'misconfigured',
      everybody: false,
      reason: 'app_registration',
    })
    t.match(code(answer), {
      kind: configuration === 'app_registration' ? 'misconfigured' : 'refused',
      reason: configuration,
    })
    t.equal(isAboutOrganisation({ aadsts: number, error }), true)
  }
  t.equal(isAboutOrganisation({ aadsts: 53003, error: grant }), false)
  t.equal(isAboutOrganisation({}), false)
})

t.test(
  'a code that means our assertion only beside invalid_client concerns nobody else beside another word',
  async (t) => {
    t.match(refresh(json(400, errorBody(700023, 'invalid_scope'))), {
      kind: 'misconfigured',
      everybody: false,
      reason: 'app_registration',
    })
    t.match(refresh(json(400, errorBody(50027, request))), {
      kind: 'misconfigured',
      everybody: false,
      reason: 'client_credential',
    })
    t.match(refresh(json(400, errorBody(50027, grant))), { kind: 'reconnect', final: false, reason: 'token_invalid' })
  },
)

t.test('a listed code is looked at before the error word', async (t) => {
  t.match(refresh(json(400, errorBody(50196, grant))), {
    kind: 'try_later',
    reason: 'loop_detected',
    retryAfterSeconds: 600,
  })
  t.match(refresh(json(400, errorBody(50196, grant), { 'retry-after': '1200' })), { retryAfterSeconds: 1200 })
  t.match(refresh(json(400, errorBody(50196, grant, { suberror: 'bad_token' }))), { kind: 'try_later' })
  t.match(refresh(json(401, errorBody(500112, client))), {
    kind: 'misconfigured',
    everybody: false,
    reason: 'app_registration',
  })
})

t.test('the status comes before everything: 408, 429 and 5xx are never a refusal', async (t) => {
  for (const body of [errorBody(50173, grant, { suberror: 'bad_token' }), errorBody(7000215, client), '<html>', '']) {
    t.match(refresh(json(429, body)), { kind: 'try_later', reason: 'throttled' })
    for (const status of [408, 500, 502, 503, 504, 599])
      t.match(refresh(json(status, body)), { kind: 'try_later', reason: 'microsoft_error' })
    t.match(code(json(503, body)), { kind: 'try_later', reason: 'microsoft_error' })
  }
})

t.test('an unlisted refusal of the user may be cured; only a dead token is final', async (t) => {
  const cases: [error: string, suberror: string | undefined, reason: Reason, final: boolean][] = [
    [grant, undefined, 'token_invalid', false],
    [grant, 'bad_token', 'token_invalid', true],
    [grant, 'token_expired', 'refresh_token_expired', true],
    [grant, 'message_only', 'blocked_by_policy', false],
    [grant, 'consent_required', 'consent_required', false],
    [grant, 'additional_action', 'device_not_compliant', false],
    [grant, 'device_authentication_failed', 'device_not_compliant', false],
    [grant, 'protection_policy_required', 'device_not_compliant', false],
    [grant, 'user_password_expired', 'password_changed', false],
    [grant, 'constructor', 'token_invalid', false],
    [interaction, undefined, 'sign_in_required', false],
    [interaction, 'basic_action', 'sign_in_required', false],
    ['login_required', undefined, 'sign_in_required', false],
    ['consent_required', undefined, 'consent_required', false],
    ['user_password_expired', undefined, 'password_changed', false],
  ]
  for (const [error, suberror, reason, final] of cases) {
    const verdict = refresh(json(400, errorBody(999_999, error, suberror ? { suberror } : {})))
    t.match(verdict, { kind: 'reconnect', reason, final, microsoft: { aadsts: 999_999 } }, `${error} ${suberror ?? ''}`)
  }
})

t.test('an unknown 4xx is never fatal to a user and never concerns everybody', async (t) => {
  const bodies = [
    errorBody(999_999, 'invalid_client'),
    errorBody(999_999, 'something_new', { suberror: 'bad_token' }),
    errorBody(999_999, 'constructor'),
    errorBody(0, 'something_new', { error_codes: [], error_description: '' }),
    '{"error":"invalid_request"}',
  ]
  for (const body of bodies) {
    for (const status of [400, 401, 403, 404, 407, 418, 426]) {
      t.match(
        refresh(json(status, body)),
        { kind: 'misconfigured', everybody: false, microsoft: { status } },
        `${status} ${body.slice(0, 40)}`,
      )
      t.match(code(json(status, body)), { kind: 'misconfigured' })
    }
  }
  t.match(refresh(json(401, errorBody(999_999, 'invalid_client'))), { reason: 'client_credential' })
})

t.test("what is not Microsoft's is nobody's verdict, whatever its status", async (t) => {
  const bodies = [
    '',
    'Bad Request',
    '<html><body>blocked by policy</body></html>',
    '[]',
    'null',
    '"invalid_grant"',
    '42',
    '{"error":"invalid_gra',
    '{}',
    '{"error":null}',
    '{"error":["invalid_grant"]}',
    '{"error":{"error":"invalid_grant"}}',
    '{"error":{"code":"Forbidden","message":"no route"}}',
    '{"error":"Forbidden"}',
    '{"error":"access_denied","message":"URL category"}',
    '{"__proto__":{"error":"invalid_grant"}}',
    JSON.stringify({ error: 'x'.repeat(200_000) }),
    JSON.stringify({ error: 'blocked', correlation_id: CORRELATION }),
    JSON.stringify({ error: 'blocked', timestamp: '2026-03-02 09:05:31Z' }),
  ]
  for (const body of bodies) {
    for (const status of [200, 302, 400, 401, 403, 404, 407, 418, 451]) {
      const expected = { kind: 'try_later', reason: 'microsoft_bad_answer', microsoft: { status } }
      t.match(refresh(json(status, body)), expected, `${status} ${body.slice(0, 40)}`)
      t.match(code(json(status, body)), expected)
    }
  }
  t.match(refresh(json(403, '<html>', { 'retry-after': '7' })), { retryAfterSeconds: 7 })
  t.match(refresh(json(400, '{"error":"invalid_grant"}')), { kind: 'reconnect' })
})

t.test('a success nobody can use, and a redirect, are tried again', async (t) => {
  const unusable = [
    '',
    '<html>',
    '[]',
    '{"token_type":"Bearer"',
    tokenBody({ access_token: undefined }),
    tokenBody({ access_token: '' }),
    tokenBody({ access_token: 7 }),
    tokenBody({ access_token: 'two words' }),
    tokenBody({ access_token: 'a\r\nset-cookie: x' }),
    tokenBody({ token_type: 'MAC' }),
    tokenBody({ token_type: undefined }),
    ...[undefined, null, 0, -1, '0', '-5', '3600s', 'soon', '', NaN, 1e12, 172_801, true, [3600], {}].map(
      (expires_in) => tokenBody({ expires_in }),
    ),
    errorBody(50173, grant, { suberror: 'bad_token' }),
  ]
  for (const body of unusable)
    t.match(refresh(json(200, body)), { kind: 'try_later', reason: 'microsoft_bad_answer' }, body.slice(0, 80))
  for (const status of [201, 204, 301, 302, 307])
    t.match(refresh(json(status, tokenBody())), { kind: 'try_later', reason: 'microsoft_bad_answer' })
})

t.test('tokens are read as Microsoft writes them', async (t) => {
  t.match(refresh(json(200, tokenBody())), {
    kind: 'answer',
    answer: { accessToken: 'access-token-canary', refreshToken: 'refresh-token-canary', expiresIn: 4372 },
  })
  t.match(refresh(json(200, tokenBody({ token_type: 'bearer', expires_in: '3599' }))), { answer: { expiresIn: 3599 } })
  for (const refresh_token of [undefined, null, '', 7, ['x']]) {
    const verdict = refresh(json(200, tokenBody({ refresh_token })))
    t.equal(verdict.kind === 'answer' && 'refreshToken' in verdict.answer, false)
  }
})

t.test('compound and missing error_codes are understood', async (t) => {
  t.match(refresh(json(400, errorBody(0, grant, { error_codes: [70002, 70008] }))), {
    kind: 'reconnect',
    reason: 'refresh_token_expired',
  })
  t.match(refresh(json(401, errorBody(0, client, { error_codes: [70002, 50012] }))), {
    kind: 'misconfigured',
    everybody: true,
  })
  t.match(refresh(json(400, errorBody(0, grant, { error_codes: [70002, 999_999] }))), {
    kind: 'reconnect',
    final: false,
  })
  t.match(refresh(json(400, errorBody(0, grant, { error_codes: [999_999, 53003] }))), {
    kind: 'reconnect',
    reason: 'blocked_by_policy',
    microsoft: { aadsts: 53003 },
  })
  for (const error_codes of [undefined, null, [], '53003', ['53003'], [{}], [-1], [1.5]]) {
    t.match(refresh(json(400, errorBody(53003, grant, { error_codes }))), {
      kind: 'reconnect',
      reason: 'blocked_by_policy',
    })
  }
})

t.test("a personal account's withdrawn consent is distinguished from a bad token", async (t) => {
  const text =
    'The request was denied because one or more scopes requested are unauthorized or expired. The user must first sign in.'
  t.match(refresh(json(400, errorBody(70000, grant, {}, text))), { kind: 'reconnect', reason: 'consent_required' })
  const blocked = 'User account is found to be in service abuse mode.'
  t.match(refresh(json(400, errorBody(70000, grant, {}, blocked))), { kind: 'reconnect', reason: 'account_locked' })
  t.match(refresh(json(400, errorBody(70008, grant, {}, blocked))), { reason: 'refresh_token_expired' })
})

t.test('the text about scopes changes the reason of code 70000 only', async (t) => {
  const text = 'One or more scopes requested are unauthorized or expired.'
  t.match(refresh(json(400, errorBody(70008, grant, {}, text))), { reason: 'refresh_token_expired' })
  t.match(refresh(json(400, errorBody(70000, grant, {}, 'The grant is unauthorized.'))), { reason: 'token_invalid' })
})

t.test('an unlisted code with server_error or temporarily_unavailable is an outage of Microsoft', async (t) => {
  for (const word of ['server_error', unavailable])
    for (const judge of [refresh, code])
      t.match(judge(json(400, errorBody(999_999, word))), { kind: 'try_later', reason: 'microsoft_error' }, word)
})

t.test(
  'an unlisted word is trouble of our registration, and a code without usable tokens is tried later',
  async (t) => {
    t.match(refresh(json(400, errorBody(999_999, 'something_new'))), { reason: 'app_registration' })
    t.match(code(json(200, '{}')), { kind: 'try_later', reason: 'microsoft_bad_answer' })
    t.notOk('claims' in code(json(400, errorBody(53003, grant))))
    const text = 'The scope requested is unauthorized.'
    t.match(refresh(json(400, errorBody(70000, grant, {}, text))), { reason: 'consent_required' })
  },
)

t.test('only status 200 brings the tokens of a code', async (t) => {
  t.match(code(json(200, tokenBody())), { kind: 'answer' })
  for (const status of [201, 202, 302])
    t.match(code(json(status, tokenBody())), { kind: 'try_later', reason: 'microsoft_bad_answer' })
})

t.test('claims are carried when they are a JSON object of a sane size', async (t) => {
  const claims = '{"access_token":{"capolids":{"essential":true,"values":["01234567-89ab-cdef-fedc-ba9876543210"]}}}'
  t.match(refresh(json(400, errorBody(53003, grant, { claims }))), { kind: 'reconnect', claims })
  t.match(code(json(400, errorBody(53003, grant, { claims }))), { kind: 'refused', claims })
  for (const bad of ['', 'x', '[]', '"x"', {}, 7, JSON.stringify({ x: 'y'.repeat(5000) })]) {
    t.notOk('claims' in refresh(json(400, errorBody(53003, grant, { claims: bad }))), inspect(bad).slice(0, 40))
  }
})

t.test('Retry-After: seconds or a date, kept within a second and an hour', async (t) => {
  const cases: [value: string | string[] | undefined, seconds: number | undefined][] = [
    ['60', 60],
    ['0', 1],
    ['1', 1],
    ['3600', 3600],
    ['3601', 3600],
    ['99999999999999999999', 3600],
    [' 30 ', 30],
    [['45', '50'], 45],
    ['Sun, 22 Nov 2026 10:02:00 GMT', 120],
    ['Sun, 22 Nov 2026 09:00:00 GMT', 1],
    ['Mon, 23 Nov 2026 10:00:00 GMT', 3600],
    [undefined, undefined],
    ['', undefined],
    ['soon', undefined],
    ['-5', undefined],
    ['1.5', undefined],
    ['0x10', undefined],
    ['2026-11-22', undefined],
  ]
  for (const [value, seconds] of cases) {
    const verdict = refresh(json(429, 'Too Many Requests', { 'retry-after': value }))
    t.equal((verdict as Extract<Verdict, { kind: 'try_later' }>).retryAfterSeconds, seconds, String(value))
  }
  t.match(refresh(json(503, '', { 'retry-after': '7' })), { retryAfterSeconds: 7 })
  t.match(refresh(json(400, errorBody(90033, unavailable), { 'retry-after': '7' })), { retryAfterSeconds: 7 })
})

t.test('only facts of the expected shape are kept', async (t) => {
  const body = errorBody(53003, grant, {
    suberror: 'mail jane@contoso.com',
    trace_id: '<script>',
    correlation_id: 7,
    timestamp: 'yesterday',
  })
  t.strictSame((refresh(json(400, body)) as { microsoft: unknown }).microsoft, {
    status: 400,
    error: grant,
    aadsts: 53003,
  })
  t.match(refresh(json(503, '<html>', { 'x-ms-request-id': TRACE })), { microsoft: { status: 503, traceId: TRACE } })
})

t.test('a code exchange is refused in its own words', async (t) => {
  const cases: [number: number, error: string, kind: string, reason: Reason][] = [
    [54005, grant, 'refused', 'code_rejected'],
    [501481, grant, 'refused', 'code_rejected'],
    [70008, grant, 'refused', 'code_rejected'],
    [70000, grant, 'refused', 'code_rejected'],
    [9002313, grant, 'refused', 'code_rejected'],
    [9002313, request, 'refused', 'code_rejected'],
    [50089, grant, 'refused', 'code_rejected'],
    [999_999, grant, 'refused', 'code_rejected'],
    [9002332, request, 'refused', 'account_type_not_allowed'],
    [500208, request, 'refused', 'account_type_not_allowed'],
    [65004, 'consent_required', 'refused', 'not_approved'],
    [65001, grant, 'refused', 'consent_required'],
    [53003, grant, 'refused', 'blocked_by_policy'],
    [50105, interaction, 'refused', 'not_assigned'],
    [50057, grant, 'refused', 'account_disabled'],
    [700005, grant, 'misconfigured', 'app_registration'],
    [500112, client, 'misconfigured', 'app_registration'],
    [9002327, request, 'misconfigured', 'app_registration'],
    [7000215, client, 'misconfigured', 'client_credential'],
    [90033, unavailable, 'try_later', 'microsoft_error'],
    [50196, grant, 'try_later', 'loop_detected'],
  ]
  for (const [number, error, kind, reason] of cases) {
    t.match(
      code(json(error === client ? 401 : 400, errorBody(number, error))),
      { kind, reason, microsoft: { aadsts: number } },
      `${number} ${error}`,
    )
  }
})
