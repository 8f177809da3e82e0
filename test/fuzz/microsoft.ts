import fc from 'fast-check'
import { isReason } from '../../src/core/failure.ts'
import { readIdToken } from '../../src/microsoft/id-token.ts'
import { judgeAdminConsent, judgeCallback } from '../../src/microsoft/callback.ts'
import { judgeCode, judgeRefresh } from '../../src/microsoft/verdict.ts'
import { near, promise, target } from './target.ts'

/** Stands in free text. It must not come back in anything that is kept. */
const CANARY = 'canary-jane@example.com'
const NOW = Date.parse('2026-11-28T10:00:00Z')
const DESCRIPTION =
  `AADSTS65004: User ${CANARY} declined to consent. Trace ID: 1b2c3d4e-0000-4000-8000-1234567890ab ` +
  'Correlation ID: 2b2c3d4e-0000-4000-8000-1234567890ab Timestamp: 2026-11-28 10:00:00Z'
const OUTCOMES = ['answer', 'reconnect', 'refused', 'try_later', 'misconfigured']

const FORMS: Record<string, RegExp> = {
  error: /^[A-Za-z0-9_.-]{1,64}$/,
  suberror: /^[A-Za-z0-9_.-]{1,64}$/,
  traceId: /^[0-9a-f-]{36}$/i,
  correlationId: /^[0-9a-f-]{36}$/i,
  timestamp: /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ$/,
}

/** Only the closed set of facts, each in its form: no free text of Microsoft, and of nobody who imitates it. */
function checkFacts(microsoft: object | undefined): void {
  for (const [name, value] of Object.entries(microsoft ?? {})) {
    if (typeof value === 'number') promise(Number.isSafeInteger(value) && value >= 0, `${name} is no count`)
    else promise(typeof value === 'string' && (FORMS[name]?.test(value) ?? false), `${name} is not in its form`)
  }
}

const optional = <T>(inputs: fc.Arbitrary<T>) => fc.option(inputs, { nil: undefined })

export const callback = target(
  'callback',
  fc.record(
    {
      error: near('access_denied', 'server_error', 'constructor', '__proto__', CANARY),
      errorSubcode: optional(near('cancel', 'consent_required')),
      errorDescription: optional(near(DESCRIPTION, 'AADSTS50105:', 'AADSTS9999999999')),
      errorUri: optional(near('https://login.microsoftonline.com/error?code=90094', '?code=65001&x=')),
      adminConsent: optional(near('True', 'false')),
    },
    { requiredKeys: ['error'] },
  ),
  (input) => {
    const parameters = Object.fromEntries(Object.entries(input).filter(([, value]) => value !== undefined))
    const refusal = judgeCallback({ ...parameters, error: input.error })
    const admin = judgeAdminConsent(parameters)
    promise(isReason(refusal.reason), 'a reason outside the closed list')
    checkFacts(refusal.microsoft)
    if (!admin.approved) {
      promise(isReason(admin.reason), 'a reason outside the closed list')
      checkFacts(admin.microsoft)
    }
    promise(!admin.approved || parameters['error'] === undefined, 'an error was taken for an approval')
    promise(!JSON.stringify([refusal, admin]).includes(CANARY), 'free text was kept')
  },
)

const refusal = JSON.stringify({
  error: 'invalid_grant',
  error_description: DESCRIPTION,
  error_codes: [65004],
  timestamp: '2026-11-28 10:00:00Z',
  trace_id: '1b2c3d4e-0000-4000-8000-1234567890ab',
  correlation_id: '2b2c3d4e-0000-4000-8000-1234567890ab',
  suberror: 'bad_token',
  claims: '{"access_token":{"capolids":{"essential":true,"values":["1"]}}}',
})
const tokens = JSON.stringify({
  token_type: 'Bearer',
  scope: 'User.Read Files.ReadWrite.All',
  expires_in: 3600,
  access_token: 'eyJ0eXAiOiJKV1QifQ.e30.c2ln',
  refresh_token: '1.AXkA-refresh',
  id_token: 'eyJhbGciOiJSUzI1NiJ9.e30.c2ln',
})

const member = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom<unknown>(null, '', ' ', 0, -1, 1e9, 0.5, '3600', true, [], {}, [CANARY], ['65004'], [1e300]),
  near('AADSTS50076: x', 'Bearer', 'invalid_grant', 'eyJ0eXAiOiJKV1QifQ.e30.c2ln'),
)

/** The same answer with other values in some members. */
const changed = (body: string): fc.Arbitrary<string> => {
  const whole = JSON.parse(body) as object
  return fc
    .dictionary(fc.constantFrom(...Object.keys(whole)), member, { minKeys: 1, maxKeys: 3 })
    .map((changes) => JSON.stringify({ ...whole, ...changes }))
}

export const answers = target(
  'microsoft-answers',
  fc.record({
    status: fc.constantFrom(200, 200, 200, 200, 400, 401, 403, 404, 407, 429, 500, 502, 503, 504, 302, 204),
    headers: fc.record(
      {
        'retry-after': near('5', 'Sat, 28 Nov 2026 10:00:05 GMT', '-1', '1e9'),
        'content-type': near('application/json', 'text/html'),
      },
      { requiredKeys: [] },
    ),
    body: fc.oneof(
      near(refusal, tokens, '<html><title>Sign in to Wi-Fi</title>', '[]', '{}'),
      fc.string(),
      changed(tokens),
      changed(refusal),
    ),
  }),
  (answer) => {
    for (const judged of [judgeRefresh(answer, NOW), judgeCode(answer, NOW)]) {
      promise(OUTCOMES.includes(judged.kind), 'a verdict outside the closed list')
      if (judged.kind === 'answer') {
        const { accessToken, expiresIn } = judged.answer
        promise(answer.status === 200 && /^[\x21-\x7e]+$/.test(accessToken), 'a token that is none')
        promise(Number.isSafeInteger(expiresIn) && expiresIn > 0 && expiresIn <= 172_800, 'a lifetime that is none')
        continue
      }
      checkFacts('microsoft' in judged ? judged.microsoft : undefined)
      if ('reason' in judged) promise(isReason(judged.reason), 'a reason outside the closed list')
      if (judged.kind === 'try_later' && judged.retryAfterSeconds !== undefined) {
        const wait = judged.retryAfterSeconds
        promise(Number.isFinite(wait) && wait >= 0 && wait <= 3600, 'a wait that is none')
      }
      const { claims: _, ...kept } = { claims: undefined, ...judged }
      promise(!JSON.stringify(kept).includes(CANARY), 'free text was kept')
    }
  },
)

const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
const RULES = {
  issuer: 'https://login.microsoftonline.com/{tenantid}/v2.0',
  clientId: '00000000-0000-4000-8000-00000000000c',
  tenant: 'organizations',
  allowedTenants: [],
}
const TENANT = '7e57c0de-0000-4000-8000-000000000001'
const CLAIMS = {
  aud: RULES.clientId,
  iss: `https://login.microsoftonline.com/${TENANT}/v2.0`,
  tid: TENANT,
  oid: '7e57c0de-0000-4000-8000-00000000000a',
  preferred_username: 'jane@contoso.com',
  name: 'Jane',
}
const anything = fc.oneof(fc.string({ unit: 'binary' }), fc.integer(), fc.constant(null), fc.array(fc.string()))

export const idTokens = target(
  'id-tokens',
  fc.oneof(
    near(`${part({ alg: 'RS256' })}.${part(CLAIMS)}.c2ln`),
    fc
      .dictionary(fc.constantFrom(...Object.keys(CLAIMS)), anything)
      .map((changes) => `${part({ alg: 'RS256' })}.${part({ ...CLAIMS, ...changes })}.c2ln`),
  ),
  (token) => {
    const read = readIdToken(token, RULES)
    if ('problem' in read) return
    const { tenantId, objectId, username, displayName } = read.account
    for (const id of [tenantId, objectId]) promise(/^[0-9a-f-]{36}$/.test(id), 'an id that is no GUID')
    for (const name of [username, displayName])
      promise(
        name === undefined || (name.length <= 256 && !/[\p{Cc}\p{Cf}]/u.test(name)),
        'a name that cannot be shown',
      )
  },
)
