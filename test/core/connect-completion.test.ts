import { readFileSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { BROKER_AUTHORITY } from '../../sandbox/broker.ts'
import { idTokenFaults } from '../../sandbox/entra/misbehaviour.ts'
import { createBrokerClient } from '../../sandbox/megdocs/broker-client.ts'
import { CALLER_PERMISSIONS } from '../../src/signature/callers.ts'
import { systemClock } from '../../src/services.ts'
import { generateKey } from '../../src/signature/keygen.ts'
import { JANE, startWorld } from '../support/world.ts'

// MEGDocs says who came back; only then is the code redeemed (docs/design.md#completion): what Microsoft may answer,
// and who else may try.

const world = await startWorld(t)
const { entra, caller, sql } = world
type Body = Record<string, any>

const statusOf = async (id: string) => (await caller.send('GET', `/connect-sessions/${id}`)).body as Body
const complete = (id: string, userId: string, handle = world.handle(id)) =>
  caller.send('POST', `/connect-sessions/${id}/complete`, { user_id: userId, handle })
const codesRedeemed = () => entra.control.tokenRequests().byGrant['authorization_code'] ?? 0

/** Up to the moment when MEGDocs is asked. */
async function received(userId: string, account = JANE) {
  const attempt = await world.toMicrosoft(userId)
  await attempt.browser.open(entra.control.signIn({ account, authorizeUrl: attempt.authorizeUrl }))
  return attempt
}

t.test('for another user than the one who began, the attempt ends and its code is never redeemed', async (t) => {
  const before = codesRedeemed()
  const { id } = await received('mallory')
  const refused = await complete(id, 'victim')
  t.match(refused, {
    status: 409,
    body: { code: 'connect_refused', reason: 'not_the_same_user', who_acts: 'user', next: /\/result\// },
  })
  t.match((await world.browser().open((refused.body as Body)['next'])).text, /Somebody else started this/)
  t.match(
    await complete(id, 'mallory'),
    { status: 409, body: { reason: 'not_the_same_user' } },
    'the user who began it cannot complete it afterwards',
  )
  t.match(await complete(id, 'victim'), { status: 409, body: { reason: 'not_the_same_user' } })
  t.match(await statusOf(id), { status: 'refused', outcome: { reason: 'not_the_same_user' } })
  t.equal(codesRedeemed(), before)
  t.same(await sql`select 1 from oauth2_integration where user_id in ('mallory', 'victim')`, [])
})

t.test('of an attempt that is over another user learns nothing', async (t) => {
  const { id } = await received('finished')
  await world.complete(id, 'finished')
  const stranger = await complete(id, 'stranger')
  t.match(stranger, { status: 409, body: { code: 'connect_refused', reason: 'not_the_same_user' } })
  t.equal((stranger.body as Body)['next'], undefined)
  t.notMatch(JSON.stringify(stranger), JANE)
  t.match(await statusOf(id), { status: 'connected' }, 'and changes nothing')
})

t.test('for another caller there is no such attempt', async (t) => {
  const { id } = await received('callers')
  const key = generateKey('hmac-sha256', 'reports', Date.now() + 86_400_000, Date.now() - 60_000)
  const file = world.env['CALLERS_FILE']!
  const before = readFileSync(file, 'utf8')
  const { callers } = JSON.parse(before) as { callers: object[] }
  writeFileSync(
    file,
    JSON.stringify({ callers: [...callers, { name: 'reports', permissions: CALLER_PERMISSIONS, keys: [key.broker] }] }),
  )
  t.equal(world.replica.services.callers.reload(), 'changed')
  const other = createBrokerClient({
    address: () => world.replica.internalUrl,
    authority: BROKER_AUTHORITY,
    key: key.caller,
  })
  t.match(
    await other.send('POST', `/connect-sessions/${id}/complete`, { user_id: 'callers', handle: world.handle(id) }),
    {
      status: 404,
      body: { code: 'not_found' },
    },
  )
  t.match(await other.send('GET', `/connect-sessions/${id}`), { status: 404, body: { code: 'not_found' } })
  t.match(await statusOf(id), { status: 'received' })
  t.equal((await complete(id, 'callers')).status, 200)
})

t.test('repeating a completion gives the same outcome and redeems nothing', async (t) => {
  const { id } = await received('repeat')
  const first = await complete(id, 'repeat')
  t.equal(first.status, 200)
  const before = codesRedeemed()
  const row = await world.row('repeat')
  t.same(await complete(id, 'repeat'), first)
  t.equal(codesRedeemed(), before)
  t.same(await world.row('repeat'), row)
})

t.test('completions at the same moment share one outcome and one call to Microsoft', async (t) => {
  const { id } = await received('at-once')
  const before = codesRedeemed()
  const other = await world.startReplica()
  entra.control.hold()
  const all = [
    complete(id, 'at-once'),
    complete(id, 'at-once'),
    other.caller.send('POST', `/connect-sessions/${id}/complete`, { user_id: 'at-once', handle: world.handle(id) }),
  ]
  await entra.control.held()
  entra.control.release()
  const [first, ...rest] = await Promise.all(all)
  t.match(first, { status: 200, body: { session: { status: 'connected' } } })
  for (const answer of rest) t.same(answer, first)
  t.equal(codesRedeemed(), before + 1)
})

t.test('before the browser is back there is nothing to complete, and the attempt goes on', async (t) => {
  const notBack = { status: 409, body: { code: 'connect_refused', reason: 'not_back_yet', next: undefined } }
  const { id, url } = await caller.beginConnect('early')
  for (const handle of [undefined, 'A'.repeat(43)]) t.match(await complete(id, 'early', handle), notBack)
  const browser = world.stoppingBrowser()
  const { refresh = '' } = await browser.open(url)
  for (const userId of ['early', 'somebody-else'])
    for (const handle of [undefined, 'A'.repeat(43)]) t.match(await complete(id, userId, handle), notBack)
  t.match(await statusOf(id), { status: 'authorizing' })
  await browser.open(entra.control.signIn({ account: JANE, authorizeUrl: refresh }))
  t.equal((await complete(id, 'early')).status, 200)
})

t.test('a completion that broke has an outcome, and a repeat hears it at once', async (t) => {
  await sql.unsafe(`create function refuse_broken() returns trigger language plpgsql as $$ begin
    if new.user_id = 'broken' then raise exception using errcode = '23514'; end if; return new; end $$`)
  await sql.unsafe(
    'create trigger refuse_broken before insert on oauth2_integration for each row execute function refuse_broken()',
  )
  const { id: spent } = await received('broken')
  const { id: sealed } = await received('garbled')
  await sql`update connect_session set code = set_byte(code, length(code) - 1, get_byte(code, length(code) - 1) # 1) where id = ${sealed}`
  for (const [id, userId, code, repeated] of [
    [spent, 'broken', 'internal_error', { status: 409, code: 'connect_refused' }],
    [sealed, 'garbled', 'token_unreadable', { status: 500, code: 'token_unreadable' }],
  ] as const) {
    const outcome = { code: repeated.code, reason: 'broker_trouble' }
    t.match(await complete(id, userId), { status: 500, body: { code } })
    t.match(await complete(id, userId), { status: repeated.status, body: { ...outcome, next: /\/result\// } })
    t.match((await caller.send('GET', `/connect-sessions/${id}`)).body, { status: 'refused', outcome })
  }
})

t.test('a completion whose process died is said to be under way, then over', async (t) => {
  const { id } = await received('died')
  await sql`update connect_session set status = 'completing', expires_at = now() + interval '60 seconds' where id = ${id}`
  // Its patience passes as fast as it is asked for.
  let slept = 0
  const hurried = await world.startReplica(
    {},
    {
      clock: { ...systemClock, elapsed: () => systemClock.elapsed() + slept, sleep: async (ms) => void (slept += ms) },
    },
  )
  t.match(
    await hurried.caller.send('POST', `/connect-sessions/${id}/complete`, {
      user_id: 'died',
      handle: world.handle(id),
    }),
    {
      status: 503,
      body: { code: 'microsoft_unavailable', reason: 'connect_in_progress', retry_after: 2 },
    },
  )
  await sql`update connect_session set expires_at = now() where id = ${id}`
  t.match(await complete(id, 'died'), { status: 410, body: { code: 'connect_session_expired', reason: 'abandoned' } })
})

t.test('five minutes after the browser came back it is too late, and the code is not redeemed', async (t) => {
  const { id } = await received('too-late')
  const [row] = await sql`select extract(epoch from expires_at - now())::int left from connect_session where id = ${id}`
  t.ok(row!['left'] > 280 && row!['left'] <= 300)
  await sql`update connect_session set expires_at = now() where id = ${id}`
  const before = codesRedeemed()
  t.match(await complete(id, 'too-late'), {
    status: 410,
    body: { code: 'connect_session_expired', reason: 'abandoned' },
  })
  t.equal(codesRedeemed(), before)
  t.match(await statusOf(id), { status: 'expired' })
})

t.test('a disconnect in the middle of a completion wins: nothing is stored', async (t) => {
  const { id } = await received('torn')
  entra.control.hold()
  const completion = complete(id, 'torn')
  await entra.control.held()
  await caller.disconnect('torn')
  entra.control.release()
  t.match(await completion, { status: 410, body: { code: 'connect_session_expired', next: /\/result\// } })
  t.equal(await world.row('torn'), undefined)
  t.match(await statusOf(id), { status: 'expired' })
  t.same(await sql`select type from event where user_id = 'torn'`, [{ type: 'disconnected' }])
})

t.test('a disconnect ends an attempt that has not been completed', async (t) => {
  const { id, browser, authorizeUrl } = await world.toMicrosoft('gone')
  const later = await received('gone')
  await caller.disconnect('gone')
  t.equal((await browser.open(entra.control.signIn({ account: JANE, authorizeUrl }))).status, 400)
  const before = codesRedeemed()
  t.match(await complete(id, 'gone'), { status: 409, body: { reason: 'not_back_yet' } })
  t.match(await complete(later.id, 'gone'), { status: 410, body: { code: 'connect_session_expired' } })
  t.match(await statusOf(id), { status: 'expired' })
  t.equal(codesRedeemed(), before)
})

t.test(
  'an attempt that ends in a failure of the database can be completed again where nothing was stored',
  async (t) => {
    const { id } = await received('unlucky')
    await sql`alter table connect_session add constraint unlucky check (status <> 'completing') not valid`
    t.match(await complete(id, 'unlucky'), { status: 500, body: { code: 'internal_error' } })
    await sql`alter table connect_session drop constraint unlucky`
    t.equal((await complete(id, 'unlucky')).status, 200)
  },
)

// Under a right signature another tid or oid is another person: what makes it wrong is the account that is pinned.
const OTHER_PERSON = ['wrong_tid', 'wrong_oid'] as const

t.test('a database that stumbles while tokens are saved does not cost the user their approval', async (t) => {
  let release = () => {}
  const sleep = async () => release()
  const replica = await world.startReplica({ DATABASE_DEADLINE_MS: '1000' }, { clock: { ...systemClock, sleep } })
  const { id } = await received('stumbled-over')
  const before = codesRedeemed()
  const stuck = sql.begin(async (tx) => {
    await tx`lock table oauth2_integration in access exclusive mode`
    return new Promise<void>((resolve) => {
      release = resolve
    })
  })
  // The lock is there before anybody asks.
  await sql.begin(async (tx) => {
    while (
      (
        await tx`select 1 from pg_locks where mode = 'AccessExclusiveLock' and granted and relation = 'oauth2_integration'::regclass`
      ).length === 0
    );
  })
  const answer = await replica.caller.send('POST', `/connect-sessions/${id}/complete`, {
    user_id: 'stumbled-over',
    handle: world.handle(id),
  })
  await stuck
  t.match(answer, { status: 200, body: { session: { status: 'connected', outcome: { account: { username: JANE } } } } })
  t.equal(codesRedeemed(), before + 1)
  t.match(await world.row('stumbled-over'), { status: 'active' })
  t.equal((await sql`select 1 from event where user_id = 'stumbled-over'`).length, 1, 'stored once')
})

for (const fault of OTHER_PERSON) {
  t.test(`an id token of another person (${fault}) does not take the stored account's place`, async (t) => {
    const userId = `id-token-${fault}`
    await world.connect(userId)
    const before = await world.row(userId)
    const { id } = await received(userId)
    entra.control.misbehave('id_token', fault, { times: 1 })
    t.match(await complete(id, userId), { status: 409, body: { code: 'account_mismatch', reason: 'other_account' } })
    t.same(await world.row(userId), before)
  })
}

for (const fault of idTokenFaults.filter((name) => !(OTHER_PERSON as readonly string[]).includes(name))) {
  t.test(`an id token that is wrong (${fault}) proves nobody, and nothing is stored`, async (t) => {
    const userId = `id-token-${fault}`
    const { id } = await received(userId)
    entra.control.misbehave('id_token', fault, { times: 1 })
    const answer = await complete(id, userId)
    t.match(answer, {
      status: 409,
      body: { code: 'connect_refused', reason: 'identity_unproven', who_acts: 'ops', next: /\/result\// },
    })
    t.equal(await world.row(userId), undefined)
    t.match(await statusOf(id), { status: 'refused', outcome: { reason: 'identity_unproven' } })
  })
}

interface Case {
  name: string
  account?: string
  misbehave?: () => void
  status: number
  body: object
}
const aadsts = (code: number) => () => entra.control.misbehave('aadsts', code, { times: 1 })
const refusedWith = (reason: string, more: object = {}) => ({
  status: 409,
  body: { code: 'connect_refused', reason, ...more },
})

const CASES: Case[] = [
  {
    name: 'not every needed permission was granted',
    account: 'sam@fabrikam.com',
    ...refusedWith('missing_scopes', { who_acts: 'user' }),
  },
  {
    name: 'no refresh token came',
    misbehave: () => entra.control.misbehave('no_refresh_token', true, { times: 1 }),
    ...refusedWith('no_refresh_token', { who_acts: 'ops' }),
  },
  {
    name: 'the account is disabled',
    misbehave: aadsts(50057),
    ...refusedWith('account_disabled', { who_acts: 'tenant_admin', microsoft: { aadsts: 50057 } }),
  },
  {
    name: 'a policy blocks',
    misbehave: aadsts(53003),
    ...refusedWith('blocked_by_policy', { who_acts: 'tenant_admin' }),
  },
  { name: 'a second factor is wanted', misbehave: aadsts(50076), ...refusedWith('mfa_required') },
  {
    name: 'the administrator has not approved',
    misbehave: aadsts(90094),
    ...refusedWith('admin_consent_required', { who_acts: 'tenant_admin', admin_consent_url: /admin-consent/ }),
  },
  { name: 'the user is not assigned', misbehave: aadsts(50105), ...refusedWith('not_assigned') },
  { name: 'the code is over', misbehave: aadsts(70008), ...refusedWith('code_rejected') },
  {
    name: 'the kind of account is not for this registration',
    misbehave: aadsts(9002332),
    ...refusedWith('account_type_not_allowed'),
  },
  {
    name: 'our registration is wrong',
    misbehave: aadsts(700016),
    status: 503,
    body: { code: 'broker_misconfigured', reason: 'app_registration', who_acts: 'ops' },
  },
  {
    name: 'our secret is wrong',
    misbehave: () => entra.control.configureApp({ clientSecrets: ['quite-another-secret-0123456789'] }),
    status: 503,
    body: {
      code: 'broker_misconfigured',
      reason: 'client_credential',
      who_acts: 'ops',
      microsoft: { aadsts: 7000215 },
    },
  },
  {
    name: 'Microsoft is down',
    misbehave: () => entra.control.misbehave('status', 503),
    status: 503,
    body: { code: 'microsoft_unavailable', reason: 'microsoft_error', who_acts: 'nobody', retry_after: 5 },
  },
  {
    name: 'Microsoft throttles',
    misbehave: () => entra.control.misbehave('throttle', 7),
    status: 503,
    body: { code: 'microsoft_unavailable', reason: 'throttled' },
  },
  {
    name: 'Microsoft takes the code and answers nonsense',
    misbehave: () => entra.control.misbehave('malformed', true, { times: 1 }),
    status: 503,
    body: { code: 'microsoft_unavailable', reason: 'microsoft_bad_answer' },
  },
  {
    name: 'Microsoft takes the code and the connection breaks',
    misbehave: () => entra.control.misbehave('reset', true, { times: 1 }),
    status: 503,
    body: { code: 'microsoft_unavailable', reason: 'microsoft_unreachable' },
  },
]

for (const [index, { name, account, misbehave, status, body }] of CASES.entries()) {
  t.test(`${name}: refused in words, nothing stored, nobody's breaker opened`, async (t) => {
    const userId = `case-${index}`
    const { id } = await received(userId, account)
    misbehave?.()
    const answer = await complete(id, userId)
    entra.control.behave()
    entra.control.configureApp({ clientSecrets: [entra.clientSecret] })
    t.match(answer, { status, body: { ...body, next: /\/result\// } })
    t.match(await statusOf(id), {
      status: 'refused',
      outcome: { result: 'refused', code: (body as Body)['code'], reason: (body as Body)['reason'] },
    })
    t.match(await complete(id, userId), { status, body }, 'the outcome stays')
    const page = await world.browser().open((answer.body as Body)['next'])
    t.equal(page.status, 200)
    t.ok(
      page.links.some(({ href }) => href.startsWith(world.baseUrl)),
      'there is a way on',
    )
    t.equal(await world.row(userId), undefined)
    t.equal(world.replica.services.microsoft.breaker().mode, 'closed')
  })
}

t.test('one stumble of Microsoft is not shown to the user', async (t) => {
  const { id } = await received('stumble')
  entra.control.misbehave('status', 503, { times: 1 })
  t.equal((await complete(id, 'stumble')).status, 200)
})

t.test('only accounts of allowed tenants are accepted', async (t) => {
  const CONTOSO = 'c0470500-0000-4000-8000-00000c047050'
  const replica = await world.startReplica({ ALLOWED_TENANTS: CONTOSO })
  for (const [account, accepted] of [
    [JANE, true],
    ['lena@fabrikam.com', false],
    ['pat@outlook.example', false],
  ] as const) {
    const userId = `tenant-${account.split('@')[0]}`
    const { id } = await received(userId, account)
    const answer = await replica.caller.send('POST', `/connect-sessions/${id}/complete`, {
      user_id: userId,
      handle: world.handle(id),
    })
    if (accepted) t.equal(answer.status, 200)
    else
      t.match(answer, {
        status: 409,
        body: { code: 'connect_refused', reason: 'tenant_not_allowed', who_acts: 'user' },
      })
    t.equal((await world.row(userId)) !== undefined, accepted)
  }
})

t.test('a personal account is accepted where the tenant is common', async (t) => {
  await world.connect('personal', 'pat@outlook.example')
  t.match(await world.row('personal'), { status: 'active', tenant_id: '9188040d-6c67-4c5b-b112-36a304b66dad' })
})

t.test('a result page opens with its proof only, and for ten minutes', async (t) => {
  const { id, next } = await world.connect('result')
  t.equal((await world.browser().open(next)).status, 200)
  const proof = next.split('/').at(-1)!
  const other = await world.connect('result-too')
  for (const address of [
    next.replace(proof, ''),
    next.slice(0, -1),
    next.replace(proof, 'A'.repeat(43)),
    next.replace(id, other.id),
  ]) {
    const page = await world.browser().open(address)
    t.equal(page.status, 404)
    t.notMatch(page.html, JANE)
  }
  await sql`update connect_session set expires_at = now() where id = ${id}`
  t.equal((await world.browser().open(next)).status, 410)
})
