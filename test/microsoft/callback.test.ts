import t from 'tap'
import { REASONS } from '../../src/core/failure.ts'
import { judgeAdminConsent, judgeCallback } from '../../src/microsoft/callback.ts'
import { CORRELATION, TRACE } from './support.ts'

// What Microsoft says by way of the browser. Anybody can write such a URL: only numbers, ids and times get through.

const description = (code: number | string, text = 'User jane@contoso.com is not assigned.') =>
  `AADSTS${code}: ${text} Trace ID: ${TRACE} Correlation ID: ${CORRELATION} Timestamp: 2026-03-02 09:05:31Z`

t.test('number, ids and time are taken from the description, nothing else of it is kept', async (t) => {
  const judged = judgeCallback({ error: 'interaction_required', errorDescription: description(50105) })
  t.strictSame(judged, {
    reason: 'not_assigned',
    code: 'connect_refused',
    microsoft: {
      error: 'interaction_required',
      aadsts: 50105,
      traceId: TRACE,
      correlationId: CORRELATION,
      timestamp: '2026-03-02 09:05:31Z',
    },
  })
  const lines = description(50105).replaceAll(/ (?=Trace|Correlation|Timestamp)/g, '\r\n')
  t.strictSame(judgeCallback({ error: 'interaction_required', errorDescription: lines }), judged, 'each on a line')
})

t.test('the number counts only at the start of the description, or in the lookup address', async (t) => {
  const aadsts = (errorDescription?: string, errorUri?: string) =>
    judgeCallback({
      error: 'access_denied',
      ...(errorDescription !== undefined && { errorDescription }),
      ...(errorUri !== undefined && { errorUri }),
    }).microsoft.aadsts
  t.equal(aadsts('AADSTS65004: User declined'), 65004)
  t.equal(aadsts(undefined, 'https://login.microsoftonline.com/error?code=65004'), 65004)
  t.equal(aadsts('AADSTS50105: x', 'https://login.microsoftonline.com/error?code=65004'), 50105)
  for (const none of [' AADSTS65004', 'x AADSTS65004', 'AADSTS650', 'AADSTS1234567890', 'aadsts65004', 'AADSTS', ''])
    t.equal(aadsts(none), undefined, none)
  for (const none of [
    'code=65004',
    'https://x/?xcode=65004',
    'https://x/?code=65004a',
    'https://x/?code=1234567890',
    '',
  ])
    t.equal(aadsts(undefined, none), undefined, none)
})

t.test('what is not of the expected form does not get through', async (t) => {
  const bad = [
    `Trace ID: ${TRACE}a Correlation ID: <script> Timestamp: yesterday`,
    `Trace ID: ${TRACE}-1 Correlation ID: ${CORRELATION.slice(1)} Timestamp: 2026-03-02T09:05:31Z`,
  ]
  for (const text of bad)
    t.strictSame(judgeCallback({ error: 'access_denied', errorDescription: text }).microsoft, {
      error: 'access_denied',
    })
  t.strictSame(
    judgeCallback({ error: 'Mail jane@contoso.com', errorSubcode: 'x'.repeat(41), errorDescription: 'x'.repeat(1e6) }),
    { reason: 'app_registration', code: 'broker_misconfigured', microsoft: {} },
  )
  t.match(judgeCallback({ error: 'access_denied', errorSubcode: 'cancel' }), {
    reason: 'not_approved',
    microsoft: { error: 'access_denied', suberror: 'cancel' },
  })
  for (const error of ['constructor', '__proto__', 'toString'])
    t.match(judgeCallback({ error }), { reason: 'app_registration' })
})

t.test('the number decides over the word, and who acts follows from it', async (t) => {
  const cases: [error: string, number: number | undefined, reason: string, code: string][] = [
    ['access_denied', 90094, 'admin_consent_required', 'connect_refused'],
    ['access_denied', 65004, 'not_approved', 'connect_refused'],
    ['access_denied', undefined, 'not_approved', 'connect_refused'],
    ['access_denied', 999_999, 'not_approved', 'connect_refused'],
    ['invalid_client', 650052, 'app_unavailable', 'connect_refused'],
    ['invalid_client', 7000215, 'client_credential', 'broker_misconfigured'],
    ['invalid_client', undefined, 'app_registration', 'broker_misconfigured'],
    ['unauthorized_client', 700016, 'app_registration', 'broker_misconfigured'],
    ['unauthorized_client', 7000112, 'app_unavailable', 'connect_refused'],
    ['invalid_request', 9002332, 'account_type_not_allowed', 'connect_refused'],
    ['invalid_request', 900382, 'other_cloud', 'connect_refused'],
    ['interaction_required', 5000229, 'tenant_unavailable', 'connect_refused'],
    ['login_required', undefined, 'sign_in_required', 'connect_refused'],
    ['invalid_grant', 70000, 'code_rejected', 'connect_refused'],
    ['server_error', undefined, 'microsoft_error', 'microsoft_unavailable'],
    ['temporarily_unavailable', 50034, 'microsoft_error', 'microsoft_unavailable'],
    ['server_error', 90055, 'throttled', 'microsoft_unavailable'],
    ['invalid_request', 50196, 'loop_detected', 'microsoft_unavailable'],
  ]
  for (const [error, number, reason, code] of cases) {
    const parameters = { error, ...(number !== undefined && { errorDescription: description(number) }) }
    t.match(judgeCallback(parameters), { reason, code }, `${error} ${number}`)
  }
})

t.test('an administrator: approved only without an error; whom it sends to act', async (t) => {
  t.strictSame(judgeAdminConsent({ adminConsent: 'True' }), { approved: true })
  const cases: [Parameters<typeof judgeAdminConsent>[0], reason: string, whoActs: string][] = [
    [{}, 'not_approved', 'tenant_admin'],
    [{ adminConsent: 'False' }, 'not_approved', 'tenant_admin'],
    [
      { adminConsent: 'True', error: 'access_denied', errorDescription: description(50020) },
      'account_not_found',
      'tenant_admin',
    ],
    [{ error: 'access_denied', errorSubcode: 'cancel' }, 'not_approved', 'tenant_admin'],
    [{ error: 'access_denied', errorUri: 'https://x/error?code=65004' }, 'not_approved', 'tenant_admin'],
    [{ error: 'access_denied', errorDescription: description(90094) }, 'admin_consent_required', 'tenant_admin'],
    [{ error: 'access_denied', errorDescription: description(999_999) }, 'not_approved', 'tenant_admin'],
    [{ error: 'invalid_request' }, 'account_type_not_allowed', 'tenant_admin'],
    [{ error: 'invalid_request', errorDescription: description(500200) }, 'account_type_not_allowed', 'tenant_admin'],
    [{ error: 'invalid_client', errorDescription: description(1003031) }, 'app_registration', 'ops'],
    [{ error: 'access_denied', errorDescription: description(1003031) }, 'app_registration', 'ops'],
    [{ error: 'invalid_request', errorDescription: description(50011) }, 'app_registration', 'ops'],
    [{ error: 'invalid_client' }, 'app_registration', 'ops'],
    [{ error: 'invalid_scope' }, 'app_registration', 'ops'],
    [{ error: 'server_error' }, 'microsoft_error', 'nobody'],
  ]
  for (const [parameters, reason, whoActs] of cases) {
    const result = judgeAdminConsent(parameters)
    t.match(result, { approved: false, reason, whoActs }, JSON.stringify(parameters))
    if (!result.approved) t.ok(result.reason in REASONS)
  }
})
