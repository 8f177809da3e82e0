import t from 'tap'
import { CALLBACK, JANE, startWorld } from '../support/world.ts'

// What is kept of a refusal of Microsoft, and who is named (docs/microsoft.md#callback-errors,
// docs/microsoft.md#admin-consent). Numbers, ids and the time get through; free text never does.

const world = await startWorld(t)
const { entra, caller, sql } = world
const CANARY = 'canary-5e2a90-do-not-keep'
const TRACE = '0b5d8e59-8f7a-4c24-9b8c-0d8a1c5d2a00'
const CORRELATION = 'ff2b3a3c-3d2a-4b1c-8f1d-7f4f0e3f2b11'
const TIME = '2026-11-22 09:58:10Z'
const ADMIN_PAGE = `${world.baseUrl}/auth/oauth2/microsoft/admin-consent`

const describe = (number: number): string =>
  `AADSTS${number}: ${CANARY} jane@contoso.com. Trace ID: ${TRACE} Correlation ID: ${CORRELATION} Timestamp: ${TIME} ${CANARY}`
const lookup = (number: number): string =>
  `https://login.microsoftonline.com/error?x=${CANARY}&code=${number}&y=${CANARY}#${CANARY}`
const callback = (parameters: Record<string, string>): string =>
  `${world.baseUrl}${CALLBACK}?${new URLSearchParams(parameters)}`
const stateOf = (url: string): string => new URL(url).searchParams.get('state')!
/** Everything that is stored, as text. */
async function stored(): Promise<string> {
  const tables = await sql`select tablename from pg_tables where schemaname = 'public'`
  const rows = await Promise.all(tables.map(({ tablename }) => sql`select * from ${sql(String(tablename))}`))
  return JSON.stringify(rows)
}

interface Refusal {
  error: string
  number: number
  reason: string
  who_acts: string
  code: string
  page: RegExp
}
const REFUSALS: Refusal[] = [
  {
    error: 'invalid_client',
    number: 650052,
    reason: 'app_unavailable',
    who_acts: 'tenant_admin',
    code: 'connect_refused',
    page: /IT team/,
  },
  {
    error: 'interaction_required',
    number: 50105,
    reason: 'not_assigned',
    who_acts: 'tenant_admin',
    code: 'connect_refused',
    page: /IT team/,
  },
  {
    error: 'interaction_required',
    number: 90072,
    reason: 'account_not_found',
    who_acts: 'tenant_admin',
    code: 'connect_refused',
    page: /IT team/,
  },
  {
    error: 'access_denied',
    number: 90094,
    reason: 'admin_consent_required',
    who_acts: 'tenant_admin',
    code: 'connect_refused',
    page: /IT team/,
  },
  {
    error: 'interaction_required',
    number: 5000225,
    reason: 'tenant_unavailable',
    who_acts: 'tenant_admin',
    code: 'connect_refused',
    page: /IT team/,
  },
  {
    error: 'invalid_client',
    number: 650053,
    reason: 'app_registration',
    who_acts: 'ops',
    code: 'broker_misconfigured',
    page: /MEGDocs support/,
  },
  {
    error: 'invalid_client',
    number: 7000222,
    reason: 'client_credential',
    who_acts: 'ops',
    code: 'broker_misconfigured',
    page: /MEGDocs support/,
  },
]

for (const { error, number, reason, who_acts, code, page } of REFUSALS) {
  t.test(`a callback with AADSTS${number}: ${who_acts} is named, the facts are kept, the text is not`, async (t) => {
    for (const [form, parameters, facts] of [
      [
        'description',
        { error_description: describe(number), error_uri: lookup(1) },
        { error, aadsts: number, trace_id: TRACE, correlation_id: CORRELATION, timestamp: TIME },
      ],
      ['error_uri', { error_description: CANARY, error_uri: lookup(number) }, { error, aadsts: number }],
    ] as const) {
      const userId = `facts-${number}-${form}`
      const { id, browser, authorizeUrl } = await world.toMicrosoft(userId)
      const shown = await browser.open(callback({ error, ...parameters, state: stateOf(authorizeUrl) }))
      t.match(shown.text, page, form)
      const session = await caller.send('GET', `/connect-sessions/${id}`)
      const outcome = { result: 'refused', code, reason, who_acts, microsoft: facts }
      t.match(session.body, { status: 'refused', outcome })
      t.strictSame((session.body as { outcome: { microsoft: object } }).outcome.microsoft, facts, 'nothing more')
      const logged = world.replica.logged()
      t.match(logged, `"aadsts":${number}`)
      if (form === 'description')
        for (const id of [TRACE, CORRELATION, TIME]) t.ok(logged.includes(id), `${id} is logged`)
      t.equal(
        shown.links.some(({ href }) => href === `${world.baseUrl}/microsoft/connect`),
        number === 90072,
        'connect',
      )
      for (const text of [shown.html, logged, JSON.stringify(session), await stored()]) t.notMatch(text, CANARY, form)
    }
  })
}

t.test('a refused reconnect: the link for the administrator names the tenant of the stored account', async (t) => {
  await world.connect('tenant')
  const tenantId = String((await world.row('tenant'))!['tenant_id'])
  const refused = async (allowSwitch: boolean) => {
    const { browser, authorizeUrl } = await world.toMicrosoft('tenant', { allowSwitch })
    const answer = { error: 'access_denied', error_description: describe(90094), state: stateOf(authorizeUrl) }
    return browser.open(callback(answer))
  }
  t.ok((await refused(false)).text.includes(`${ADMIN_PAGE}?lang=en&tenant=${tenantId}`))
  t.notOk((await refused(true)).html.includes(tenantId), 'another account may be of another organisation')

  const { html } = await world.browser().open(`${ADMIN_PAGE}?tenant=${tenantId.toUpperCase()}`)
  t.match(html, new RegExp(`/${tenantId}/v2.0/adminconsent`, 'i'))
})

t.test('a tenant that is not a GUID is ignored and never shown', async (t) => {
  const { html: plain } = await world.browser().open(ADMIN_PAGE)
  t.match(plain, '/organizations/v2.0/adminconsent')
  const guid = '72f988bf-86f1-41af-91ab-2d7cd011db47'
  for (const query of [
    `tenant=${CANARY}`,
    `tenant=${guid}${CANARY}`,
    `tenant=${CANARY}%0A${guid}`,
    `tenant=${guid}%0A`,
    `tenant=${guid}/../${CANARY}`,
    `tenant=${guid}&tenant=${CANARY}`,
    'tenant=contoso.com',
    'tenant=9188040d-6c67-4c5b-b112-36a304b66dad',
    'tenant=',
    `tenant[]=${guid}`,
  ]) {
    const { status, html } = await world.browser().open(`${ADMIN_PAGE}?${query}`)
    t.equal(status, 200)
    t.match(html, '/organizations/v2.0/adminconsent', query)
    t.notMatch(html, new RegExp(`${CANARY}|contoso|72f988bf|9188040d`), query)
  }
})

t.test('an administrator who comes back reads who must act, and no text of the address', async (t) => {
  const { links } = await world.browser().open(ADMIN_PAGE)
  const state = stateOf(links.map(({ href }) => href).find((href) => href.startsWith(entra.url))!)
  const NOT_APPROVED = 'MEGDocs was not approved'
  const cases: [name: string, parameters: Record<string, string>, title: string, text: RegExp, again: boolean][] = [
    ['cancelled', { error: 'access_denied', error_subcode: 'cancel' }, NOT_APPROVED, /declined or cancelled/, true],
    ['declined', { error: 'access_denied', error_description: describe(65004) }, NOT_APPROVED, /declined or/, true],
    ['no right', { error: 'access_denied', error_description: describe(90094) }, NOT_APPROVED, /may not approve/, true],
    [
      'no right, by address',
      { error: 'access_denied', error_uri: lookup(90094) },
      NOT_APPROVED,
      /may not approve/,
      true,
    ],
    ['another directory', { error: 'access_denied', error_uri: lookup(50020) }, NOT_APPROVED, /not in the organ/, true],
    ['personal account', { error: 'invalid_request', error_description: CANARY }, NOT_APPROVED, /personal/, true],
    [
      'broken',
      { error: 'invalid_client', error_description: describe(1003031) },
      'cannot be approved',
      /on our side/,
      false,
    ],
    [
      'credential',
      { error: 'invalid_client', error_description: describe(7000215) },
      'cannot be approved',
      /on our/,
      false,
    ],
    ['no number', { error: 'invalid_client' }, 'cannot be approved', /MEGDocs support/, false],
    ['scope', { error: 'invalid_scope', error_uri: lookup(1) }, 'cannot be approved', /on our side/, false],
    ['trouble', { error: 'server_error' }, 'Microsoft has a problem', /few minutes/, true],
  ]
  for (const [name, parameters, title, text, again] of cases) {
    for (const more of [{}, { admin_consent: 'True', tenant: CANARY, scope: CANARY }]) {
      const page = await world.browser().open(callback({ ...parameters, ...more, state }))
      t.match(page, { status: 200 }, name)
      t.match(page.title, title, name)
      t.match(page.text, text, name)
      t.equal(page.text.includes('Who can fix this?'), !again, name)
      t.equal(
        page.links.some(({ href }) => href === `${ADMIN_PAGE}?lang=en`),
        again,
        name,
      )
      if (title !== NOT_APPROVED) t.notMatch(page.text, /not approved|AADSTS/, name)
      t.notMatch(page.html, CANARY, name)
    }
  }
  const broken = world.replica
    .logged()
    .split('\n')
    .filter((line) => line.includes('1003031'))
  t.match(JSON.parse(broken[0]!), {
    admin_consent: 'refused',
    who_acts: 'ops',
    microsoft: { aadsts: 1003031, traceId: TRACE },
  })
  for (const text of [world.replica.logged(), await stored()]) t.notMatch(text, CANARY)
})

t.test('a caller learns who must act, and where the administrator of this tenant approves', async (t) => {
  await world.connect('reader', JANE)
  const tenantId = String((await world.row('reader'))!['tenant_id'])
  const read = async (number: number) => {
    entra.control.misbehave('aadsts', number, { times: 1 })
    await world.setRemaining('reader', -1)
    await sql`update oauth2_integration set retry_at = null where user_id = 'reader'`
    return caller.send('GET', '/tokens/reader')
  }
  const url = `${ADMIN_PAGE}?tenant=${tenantId}`
  t.match(await read(53003), {
    status: 409,
    body: { who_acts: 'tenant_admin', admin_consent_url: url, retry_after: 900 },
  })
  t.match(await read(65001), { status: 409, body: { who_acts: 'user', admin_consent_url: url } }, 'or an administrator')
  const revoked = await read(50173)
  t.match(revoked, { status: 409, body: { who_acts: 'user' } })
  t.notMatch(revoked.body, { admin_consent_url: String })
})
