import { randomBytes } from 'node:crypto'
import t from 'tap'
import { runCommandLine } from '../../src/cli/commands.ts'
import { generateSealingKey } from '../../src/crypto/keyring.ts'
import { diagnoseUser } from '../../src/doctor.ts'
import type { Conclusion } from '../../src/doctor/check.ts'
import type { UserFacts } from '../../src/doctor/user.ts'
import { JANE, startWorld } from '../support/world.ts'

// `doctor --user`: the report about one user whose documents do not open. One world; each test has a user of its own.

const world = await startWorld(t)
const {
  caller,
  entra: { control },
} = world
const LINK = world.env['ENTRY_URL_CONNECT']!

async function look(userId: string, changes: Record<string, string> = {}) {
  const { text, json, failed } = await diagnoseUser({ ...world.env, ...changes }, userId)
  return { text, failed, ...(json as { user: UserFacts; conclusion: Conclusion }) }
}

t.test('a healthy user: account, token, keys and last events, and nobody has to act', async (t) => {
  await world.connect('healthy')
  const { text, failed, user, conclusion } = await look('healthy')
  t.equal(failed, false)
  t.match(conclusion, { result: 'ok', who_acts: 'nobody' })
  t.match(user.integration, {
    status: 'active',
    generation: Number,
    account: { username: JANE, tenant_id: String, object_id: String },
    missing_scopes: [],
    failure: null,
    retry_at: null,
    lease: 'free',
    refresh_token: { days_left: 89 },
    sealed: [
      { column: 'access_token', key_id: 'sandbox-1', opens: true },
      { column: 'refresh_token', key_id: 'sandbox-1', opens: true },
    ],
  })
  t.ok(user.integration!.access_token.seconds_left > 3_000)
  t.match(user.events, [{ type: 'connected', caller: 'megdocs' }])
  t.match(user.connect_attempts, [{ status: 'connected', open: false, refused: null, username: JANE }])
  for (const part of [JANE, 'active, generation', 'sandbox-1 opens', 'last failure   none', 'connected, by megdocs'])
    t.ok(text.includes(part), part)
})

t.test(
  "an authorization that has ended: reason, AADSTS code, ids for Microsoft's support, start, and the link for the user",
  async (t) => {
    await world.connect('over')
    control.misbehave('aadsts', 700082, { times: 1 })
    await world.setRemaining('over', 10)
    await caller.token('over').catch(() => {})
    const { text, failed, user, conclusion } = await look('over')
    t.equal(failed, true)
    t.match(conclusion, {
      result: 'failed',
      who_acts: 'user',
      advice: new RegExp(`Connect again\\. The user starts here: ${LINK}$`),
    })
    t.match(user.integration, {
      status: 'reconnect_required',
      failure: {
        reason: 'refresh_token_expired',
        title: /expired/,
        who_acts: 'user',
        final: true,
        verdict: 'reconnect',
        consecutive_failures: 1,
        since: /^20.*Z$/,
        microsoft: {
          error: 'invalid_grant',
          aadsts: 700082,
          trace_id: /^[0-9a-f-]{36}$/,
          correlation_id: /^[0-9a-f-]{36}$/,
          timestamp: /^20/,
        },
      },
    })
    for (const part of ['AADSTS700082', 'trace ', 'correlation ', 'Who acts: the user', LINK])
      t.ok(text.includes(part), part)
  },
)

t.test('a failure says who acts: the administrator, ops, or nobody if the broker retries', async (t) => {
  await world.connect('cases')
  const fail = async (code: number) => {
    control.misbehave('aadsts', code, { times: 1 })
    await world.sql`update oauth2_integration set retry_at = null, failure = null, failures = 0, status = 'active' where user_id = 'cases'`
    await world.setRemaining('cases', 100)
    await caller.token('cases').catch(() => {})
    return look('cases')
  }
  t.match(await fail(53003), {
    failed: true,
    conclusion: { who_acts: 'tenant_admin', message: /is handed out for/, advice: /without a reconnect/ },
    user: { integration: { retry_at: String } },
  })
  t.match(await fail(650057), { failed: true, conclusion: { who_acts: 'ops', advice: /runbooks\.md#refreshes-fail/ } })
  t.match(await fail(90033), {
    failed: false,
    conclusion: { result: 'warning', who_acts: 'nobody', message: /does not try again before 20/ },
  })
  await world.sql`update oauth2_integration set failures = 7, failure = failure || '{"since": "2026-01-01T00:00:00Z"}' where user_id = 'cases'`
  t.match(
    await look('cases'),
    { user: { integration: { failure: { consecutive_failures: 7, since: '2026-01-01T00:00:00Z', at: /^20/ } } } },
    'since the first try, not the last',
  )
})

t.test('a user who is not connected: who disconnected them, or how the last attempt ended', async (t) => {
  t.match(await look('stranger'), {
    failed: true,
    user: { integration: null },
    conclusion: {
      who_acts: 'user',
      message: /No event .* names this user\. There was no attempt/,
      advice: new RegExp(LINK),
    },
  })

  await world.connect('left')
  await caller.send('DELETE', '/integrations/left')
  t.match((await look('left')).conclusion, { message: /megdocs disconnected the user on 20/ })
  await world.sql`update event set caller = 'account-page' where user_id = 'left' and type = 'disconnected'`
  t.match((await look('left')).conclusion, { message: /The user disconnected on the account page/ })
  await world.sql`update event set caller = 'broker', detail = '{"cause":"unused"}' where user_id = 'left' and type = 'disconnected'`
  t.match((await look('left')).conclusion, { message: /The broker deleted the connection on 20.*LET_GO_AFTER_DAYS/ })

  const { browser, authorizeUrl } = await world.toMicrosoft('trying')
  t.match(await look('trying'), {
    user: { connect_attempts: [{ status: 'authorizing', open: true }] },
    conclusion: { message: /sent to Microsoft and not back; it is still open/ },
  })
  const back = new URL(authorizeUrl).searchParams
  await browser.open(`${back.get('redirect_uri')}?error=access_denied&state=${back.get('state')}`)
  const refused = await look('trying')
  t.match(refused, {
    user: { connect_attempts: [{ status: 'refused', refused: { reason: 'not_approved', who_acts: 'user' } }] },
    conclusion: { message: /was refused: not_approved/, advice: /administrator must approve/ },
  })
  t.match(refused.text, 'connect: refused, not_approved')

  const second = await world.toMicrosoft('uncompleted')
  await second.browser.open(control.signIn({ account: JANE, authorizeUrl: second.authorizeUrl }))
  await world.sql`update connect_session set expires_at = now() - interval '1 minute' where id = ${second.id}`
  t.match((await look('uncompleted')).conclusion, {
    who_acts: 'ops',
    message: /not completed by MEGDocs; it has expired/,
    advice: /COMPLETION_URL/,
  })
})

t.test('a value that does not open is reported with its key, and ops act', async (t) => {
  await world.connect('sealed')
  const other = await look('sealed', { SEALING_KEYS: generateSealingKey('newer') })
  t.match(other, {
    failed: true,
    conclusion: {
      who_acts: 'ops',
      message: /access_token does not open \(key sandbox-1\): unknown_key/,
      advice: /Add the key sandbox-1 to/,
    },
  })
  await world.sql`update oauth2_integration set refresh_token = ${randomBytes(60)} where user_id = 'sealed'`
  t.match((await look('sealed')).conclusion, { result: 'failed', message: /^refresh_token does not open/ })
})

t.test('a lease, a delayed refresh, missing permissions and an expiring refresh token are reported', async (t) => {
  await world.connect('odd')
  const set = (columns: Record<string, unknown>) =>
    world.sql`update oauth2_integration set ${world.sql(columns as Record<string, string>)} where user_id = 'odd'`
  await set({ lease_owner: 'x', lease_until: new Date(Date.now() + 60_000).toISOString() })
  t.match(await look('odd'), { user: { integration: { lease: 'held' } }, conclusion: { result: 'ok' } })
  await set({ lease_owner: 'x', lease_until: new Date(Date.now() - 60_000).toISOString() })
  t.match((await look('odd')).text, 'the next one takes over')
  await set({ lease_owner: null, lease_until: null, retry_at: new Date(Date.now() + 60_000).toISOString() })
  t.match((await look('odd')).conclusion, { result: 'warning', advice: /--fleet/ })
  await set({ retry_at: null, scopes: ['User.Read'] })
  t.match(await look('odd'), {
    failed: false,
    user: { integration: { missing_scopes: ['Files.ReadWrite.All'] } },
    conclusion: { who_acts: 'user' },
  })
  await set({
    scopes: ['Files.ReadWrite.All', 'User.Read'],
    refreshed_at: new Date(Date.now() - 85 * 86_400_000).toISOString(),
  })
  t.match(await look('odd'), {
    user: { integration: { refresh_token: { days_left: 4 } } },
    conclusion: { message: /Keep-alive should have/ },
  })
})

t.test('a reason that a newer release stored is shown, and explained by its verdict', async (t) => {
  await world.connect('future')
  await world.sql`update oauth2_integration set status = 'reconnect_required', failure = '{"verdict":"reconnect","reason":"something_new","final":false}' where user_id = 'future'`
  t.match(await look('future'), {
    failed: true,
    user: { integration: { failure: { reason: 'something_new', who_acts: 'user' } } },
  })
})

t.test('nothing is reported from the database of another deployment, and never a secret', async (t) => {
  const elsewhere = await diagnoseUser({ ...world.env, PUBLIC_BASE_URL: 'http://localhost:9' }, 'healthy')
  t.match(elsewhere, { failed: true, json: { checks: [{ name: 'deployment', result: 'failed' }] } })
  t.notMatch(elsewhere.text, JANE)
  for (const user of ['healthy', 'over', 'sealed', 'stranger']) {
    const { text, user: json } = await look(user)
    const stored = user === 'healthy' ? Object.values((await world.stored(user))!) : []
    for (const secret of [
      ...stored,
      world.env['SEALING_KEYS']!.split(':')[1]!,
      world.env['SESSION_SECRETS']!,
      world.env['MICROSOFT_CLIENT_SECRET']!,
    ]) {
      t.notOk((text + JSON.stringify(json)).includes(secret))
    }
  }
})

t.test('the command line: exit status, --json, and wrong arguments', async (t) => {
  const run = async (...argv: string[]) => {
    const [out, err]: [string[], string[]] = [[], []]
    const code = await runCommandLine(['doctor', ...argv], {
      env: world.env,
      now: () => Date.now(),
      out: (line) => out.push(line),
      err: (line) => err.push(line),
    })
    return { code, out: out.join('\n'), err: err.join('\n') }
  }
  t.match(await run('--user', 'healthy'), { code: 0, out: /^token-broker [^]*\nUser healthy\n/ })
  const json = await run('--user', 'stranger', '--json')
  t.equal(json.code, 1)
  t.match(JSON.parse(json.out), { user: { user_id: 'stranger', integration: null }, conclusion: { who_acts: 'user' } })
  for (const wrong of [
    ['--user', 'a b'],
    ['--user', ''],
    ['--user', '..'],
    ['--user'],
    ['--user', '1', '--fleet'],
    ['--public', '--fleet'],
    ['--verbose'],
    ['42'],
  ]) {
    t.match(
      await run(...wrong),
      { code: 2, out: '', err: /Usage: token-broker doctor \[--user <user id> \| --fleet \| --public\] \[--json\]$/ },
      wrong.join(' '),
    )
  }
})
