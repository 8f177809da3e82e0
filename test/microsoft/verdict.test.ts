import { inspect } from 'node:util'
import t from 'tap'
import { REASONS, type Reason } from '../../src/core/failure.ts'
import type { Verdict } from '../../src/core/ports.ts'
import { AADSTS } from '../../src/microsoft/aadsts.ts'
import type { Answer } from '../../src/microsoft/answer.ts'
import { judgeCode, judgeRefresh } from '../../src/microsoft/verdict.ts'
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

// Microsoft's table, told a second time: every AADSTS row, as it usually arrives, and what must come of it on a refresh.
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
  [700016, unauthorized, 'one', 'app_registration', 'ops'],
  [700011, unauthorized, 'one', 'app_registration', 'ops'],
  [70001, unauthorized, 'one', 'app_registration', 'ops'],
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
  [500011, 'invalid_resource', 'one', 'app_registration', 'ops'],
  [650052, client, 'curable', 'app_unavailable', 'tenant_admin'],
  [650056, request, 'curable', 'admin_consent_required', 'tenant_admin'],
  [650057, request, 'one', 'app_registration', 'ops'],
  [90002, 'invalid_tenant', 'one', 'app_registration', 'ops'],
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
  [135010, grant, 'curable', 'device_not_compliant', 'tenant_admin'],
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
  for (const [number, error, state, reason, who, suberror] of EXPECTED) {
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
    new Set(EXPECTED.map(([number]) => number)),
    'no row of the table is untested',
  )
})

t.test('only refusals of our credential concern everybody', async (t) => {
  const everybody = AADSTS.filter((row) => row.everybody).map((row) => row.code)
  const design = [7000215, 7000222, 7000218, 70002, 700027, 50012, 50013, 700025]
  const assertions = [700021, 700023, 700024, 50027]
  t.strictSame(everybody.toSorted(), [...design, ...assertions].toSorted())
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
    '',
    'Bad Request',
    '<html><body>407</body></html>',
    '[]',
    'null',
    '"invalid_grant"',
    '42',
    '{"error":"invalid_gra',
    '{}',
    '{"error":null}',
    '{"error":["invalid_grant"]}',
    '{"error":{"error":"invalid_grant"}}',
    '{"__proto__":{"error":"invalid_grant"}}',
    JSON.stringify({ error: 'x'.repeat(200_000) }),
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

t.test("a personal account's withdrawn consent is told from a bad token", async (t) => {
  const text =
    'The request was denied because one or more scopes requested are unauthorized or expired. The user must first sign in.'
  t.match(refresh(json(400, errorBody(70000, grant, {}, text))), { kind: 'reconnect', reason: 'consent_required' })
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
