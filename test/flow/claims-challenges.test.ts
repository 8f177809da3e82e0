import t from 'tap'
import type { Problem, Token } from '../../sandbox/megdocs/broker-client.ts'
import { createGraph, GraphProblem } from '../../sandbox/megdocs/graph.ts'
import { MAX_FORCED_REFRESHES } from '../../src/core/claims.ts'
import { diagnoseUser } from '../../src/doctor.ts'
import type { Conclusion } from '../../src/doctor/check.ts'
import type { UserFacts } from '../../src/doctor/user.ts'
import { until } from '../support/until.ts'
import { JANE, startWorld, type Replica } from '../support/world.ts'

// Claims challenges of Graph, from the caller to Microsoft and back (docs/design.md#continuous-access-evaluation), with
// real Postgres, the simulator and several replicas.

const CAE = { CONTINUOUS_ACCESS_EVALUATION: 'on' }
const world = await startWorld(t, { env: CAE })
const { entra, sql } = world
const { control } = entra
const graph = createGraph(entra.graphUrl)

type Answer = { status: number; body: Token & Problem & { addresses?: object; invalid?: object[] } }
const read = async (user: string, { caller: from }: Pick<Replica, 'caller'> = world) =>
  (await from.send('GET', `/tokens/${user}`)) as Answer
const force = async (
  user: string,
  generation: number,
  claims?: string,
  { caller: from }: Pick<Replica, 'caller'> = world,
) =>
  (await from.send('POST', `/tokens/${user}/refresh`, {
    generation,
    ...(claims === undefined ? {} : { claims }),
  })) as Answer
const refreshes = () => control.tokenRequests().byGrant['refresh_token'] ?? 0
const lastClaims = (): unknown => {
  const text = control.tokenRequests().recent.at(-1)?.values['claims']
  return text === undefined ? undefined : JSON.parse(text)
}
const claimsOfUrl = (url: string): unknown => JSON.parse(new URL(url).searchParams.get('claims') ?? 'null')
const encode = (accessToken: object) => Buffer.from(JSON.stringify({ access_token: accessToken })).toString('base64')
const nowSeconds = () => Math.floor(Date.now() / 1000)
/** Asks for what no token has that was got without it. */
const acrs = (value: string) => encode({ acrs: { essential: true, value } })
const CP1 = { xms_cc: { values: ['cp1'] } }

/** How often a flight has waited for another one's lease. */
async function waits(): Promise<number> {
  const metrics = await world.replica.services.metrics.registry.metrics()
  return Number(/^token_broker_refresh_waits_total (\d+)/m.exec(metrics)?.[1])
}

/** The challenge with which Graph refuses this token. */
async function challengeOf(token: string): Promise<string> {
  const problem = await graph.me(token).then(
    () => undefined,
    (error: unknown) => error,
  )
  if (!(problem instanceof GraphProblem) || problem.claims === undefined) throw new Error('Graph did not challenge')
  return problem.claims
}

t.afterEach(() => {
  control.behave()
  control.enableUser({ account: JANE })
  control.network({ account: JANE })
})

t.test('cp1 is declared at each request, and tokens live for a day; switched off, nothing is declared', async (t) => {
  const { authorizeUrl } = await world.toMicrosoft('declares')
  t.same(claimsOfUrl(authorizeUrl), { access_token: CP1 })
  await world.connect('declares')
  t.same(lastClaims(), { access_token: CP1 }, 'with the code')
  const { body: token } = await read('declares')
  t.ok(token.expires_in > 70_000, `${token.expires_in} s`)
  await world.setRemaining('declares', -1)
  t.equal((await read('declares')).status, 200)
  t.same(lastClaims(), { access_token: CP1 }, 'with the refresh')

  const plain = await world.startReplica({ CONTINUOUS_ACCESS_EVALUATION: 'off' })
  await world.setRemaining('declares', -1)
  t.ok((await read('declares', plain)).body.expires_in < 7200)
  t.equal(lastClaims(), undefined)
  const { url } = await plain.caller.beginConnect('declares')
  const page = await world.stoppingBrowser().open(url.replace(world.baseUrl, plain.publicUrl))
  t.notMatch(page.refresh ?? '', /claims/)
})

t.test(
  'a challenge goes to Microsoft with our capability, and its answer is for all who were challenged',
  async (t) => {
    await world.connect('passes')
    const second = await world.startReplica()
    const { body: first } = await read('passes')
    control.misbehave('cae_challenge', true, { times: 1 })
    const claims = await challengeOf(first.access_token)
    const before = refreshes()
    const { status, body: later } = await force('passes', first.generation, claims)
    t.equal(status, 200)
    t.ok(later.generation > first.generation)
    const { nbf } = (JSON.parse(Buffer.from(claims, 'base64').toString()) as { access_token: { nbf: object } })
      .access_token
    t.same(lastClaims(), { access_token: { nbf, ...CP1 } })
    t.equal(await graph.me(later.access_token).then(({ userPrincipalName }) => userPrincipalName), JANE)
    for (const replica of [world, second])
      t.match(await force('passes', first.generation, claims, replica), { body: { generation: later.generation } })
    t.equal(refreshes() - before, 1, 'the others got what was stored, at each replica')
  },
)

t.test('a challenge without a time is answered only by a token that was got with it', async (t) => {
  await world.connect('acrs')
  const { body: first } = await read('acrs')
  const before = refreshes()
  t.match(await force('acrs', first.generation), { status: 200 })
  const { body: stepped } = await force('acrs', first.generation, acrs('c1'))
  t.equal(refreshes() - before, 2, 'the later token was got without it')
  t.match(await force('acrs', first.generation, acrs('c1')), { body: { generation: stepped.generation } })
  t.match(await force('acrs', first.generation), { body: { generation: stepped.generation } }, 'without one, any')
  t.equal(refreshes() - before, 2)
  await sql`update oauth2_integration set forced_at = null where user_id = 'acrs'`
  t.match(await force('acrs', first.generation, acrs('c2')), { status: 200 })
  t.equal(refreshes() - before, 3)
})

t.test(
  'a call with claims does not join a refresh without them, and takes its token only if it is late enough',
  async (t) => {
    for (const [user, nbf, calls] of [
      ['joins-1', nowSeconds() - 60, 1],
      ['joins-2', nowSeconds() + 200, 2],
    ] as const) {
      await world.connect(user)
      const { body: first } = await read(user)
      await world.setRemaining(user, -1)
      const before = refreshes()
      control.hold()
      const plain = read(user)
      await control.held()
      const waiting = await waits()
      const challenged = force(user, first.generation, encode({ nbf: { value: String(nbf) } }))
      await until(async () => (await waits()) > waiting)
      control.release()
      t.match(await plain, { status: 200 })
      t.match(await challenged, { status: 200 })
      t.equal(refreshes() - before, calls, user)
    }
  },
)

t.test(
  'Microsoft wants the user: this caller hears it, the row stays active, and the next connect asks for it',
  async (t) => {
    await world.connect('wants')
    const { body: first } = await read('wants')
    control.misbehave('aadsts', 50076, { times: 1 })
    t.match(await force('wants', first.generation, acrs('c1')), {
      status: 409,
      body: { code: 'reconnect_required', reason: 'mfa_required', who_acts: 'user', microsoft: { aadsts: 50076 } },
    })
    t.match(await world.row('wants'), { status: 'active', failure: null, retry_at: null, lease_owner: null })
    t.match(await read('wants'), { status: 200, body: { access_token: first.access_token, degraded: undefined } })
    const asked = { access_token: { acrs: { essential: true, value: 'c1' }, ...CP1 } }
    const { id, browser, authorizeUrl } = await world.toMicrosoft('wants')
    t.same(claimsOfUrl(authorizeUrl), asked)
    await browser.open(control.signIn({ account: JANE, authorizeUrl }))
    await world.complete(id, 'wants')
    t.same(lastClaims(), asked, 'the code is redeemed with the same claims')
    t.match(await world.row('wants'), { challenge: null, forced_at: null })
    t.same(claimsOfUrl((await world.toMicrosoft('wants')).authorizeUrl), { access_token: CP1 }, 'it was satisfied')
  },
)

t.test('a challenge is kept for an hour, with what Microsoft asked for besides', async (t) => {
  await world.connect('kept')
  const { body: first } = await read('kept')
  control.misbehave('aadsts', 53003, { times: 1 })
  t.match(await force('kept', first.generation, acrs('c1')), { body: { reason: 'blocked_by_policy' } })
  t.match(claimsOfUrl((await world.toMicrosoft('kept')).authorizeUrl), {
    access_token: { acrs: { value: 'c1' }, capolids: { essential: true }, ...CP1 },
  })
  const { text, json } = await diagnoseUser(world.env, 'kept')
  const { user, conclusion } = json as { user: UserFacts; conclusion: Conclusion }
  t.match(user.integration?.challenge, { reason: 'blocked_by_policy', who_acts: 'tenant_admin' })
  t.ok(user.integration!.challenge!.seconds_left > 3_500 && user.integration!.challenge!.seconds_left <= 3_600)
  t.match(conclusion, { result: 'warning', who_acts: 'tenant_admin', message: /blocked_by_policy/ })
  t.match(text, /challenge +blocked_by_policy: .* asks for it/)
  await sql`update oauth2_integration set challenged_at = challenged_at - interval '61 minutes' where user_id = 'kept'`
  const { json: later } = await diagnoseUser(world.env, 'kept')
  t.match(later, { user: { integration: { challenge: null } }, conclusion: { result: 'ok' } })
  t.same(claimsOfUrl((await world.toMicrosoft('kept')).authorizeUrl), { access_token: CP1 })
})

t.test('a revoked session marks the row; nobody asks Microsoft again, and the sign-in is challenged', async (t) => {
  await world.connect('revoked')
  const { body: first } = await read('revoked')
  control.revokeSessions({ account: JANE })
  const claims = await challengeOf(first.access_token)
  t.match(await force('revoked', first.generation, claims), {
    status: 409,
    body: { code: 'reconnect_required', reason: 'access_revoked', who_acts: 'user' },
  })
  t.match(await world.row('revoked'), { status: 'reconnect_required', failure: { final: true } })
  const before = refreshes()
  t.match(await force('revoked', first.generation, claims), { body: { reason: 'access_revoked' } })
  t.equal(refreshes(), before)
  const { id, browser, authorizeUrl } = await world.toMicrosoft('revoked')
  t.match(claimsOfUrl(authorizeUrl), { access_token: { nbf: { essential: true }, ...CP1 } })
  await browser.open(control.signIn({ account: JANE, authorizeUrl }))
  await world.complete(id, 'revoked')
  t.match(await graph.me((await read('revoked')).body.access_token), { userPrincipalName: JANE })
})

t.test('back-off does not answer for a challenge, unless no claims would change the refusal', async (t) => {
  await world.connect('back-off')
  const { body: first } = await read('back-off')
  await sql`update oauth2_integration set retry_at = now() + interval '10 minutes',
    failure = '{"verdict":"try_later","reason":"microsoft_error","final":false,"microsoft":{}}' where user_id = 'back-off'`
  t.match(await force('back-off', first.generation), { status: 503, body: { code: 'microsoft_unavailable' } })
  const { status, body: second } = await force('back-off', first.generation, acrs('c1'))
  t.equal(status, 200)
  control.disableUser({ account: JANE })
  const claims = await challengeOf(second.access_token)
  const disabled = { status: 409, body: { reason: 'account_disabled', who_acts: 'tenant_admin' } }
  t.match(await force('back-off', second.generation, claims), disabled)
  const before = refreshes()
  for (const n of [1, 2, 3, 4]) t.match(await force('back-off', second.generation, acrs(`c${n}`)), disabled)
  t.equal(refreshes(), before, 'nothing is asked while it stands')
})

t.test('a caller that ignores challenges causes no loop, at whichever replica', async (t) => {
  await world.connect('loops')
  const replicas = [world, await world.startReplica(), await world.startReplica()]
  control.misbehave('cae_challenge', true)
  let { body: token } = await read('loops')
  const first = token.generation
  const before = refreshes()
  for (const replica of replicas) {
    const answer = await force('loops', token.generation, undefined, replica)
    t.equal(answer.status, 200)
    token = answer.body
  }
  t.equal(refreshes() - before, MAX_FORCED_REFRESHES)
  for (const replica of replicas)
    t.match(await force('loops', token.generation, undefined, replica), {
      status: 409,
      body: { code: 'claims_not_satisfied', reason: 'challenge_repeated', who_acts: 'ops' },
    })
  t.match(await force('loops', first), { status: 200, body: { generation: token.generation } }, 'the stored later one')
  t.match(await read('loops'), { status: 200, body: { generation: token.generation } }, 'a read is no forced refresh')
  const { body } = await force('loops', token.generation, encode({ xms_rp_ipaddr: { value: '198.51.100.7' } }))
  t.match(body, { code: 'claims_not_satisfied', addresses: { graph: '198.51.100.7', sign_in: '192.0.2.10' } })
  t.ok(body.retry_after! > 0 && body.retry_after! <= 600, `${body.retry_after} s`)
  t.equal(refreshes() - before, MAX_FORCED_REFRESHES, 'nothing was sent since')
  t.match(world.replica.logged(), /"refresh":"forced".*"result":"not_satisfied"/)
  t.match(
    await world.replica.services.metrics.registry.metrics(),
    /forced_refreshes_total\{result="not_satisfied"\} [1-9]/,
  )
  await sql`update oauth2_integration set forced_at = (select array_agg(at - interval '10 minutes')
    from unnest(forced_at) as at) where user_id = 'loops'`
  t.match(await force('loops', token.generation), { status: 200 }, 'after ten minutes')
})

t.test('different challenges at the same moment at three replicas: three go to Microsoft, no more', async (t) => {
  await world.connect('burst')
  const replicas = [world, await world.startReplica(), await world.startReplica()]
  const { body: first } = await read('burst')
  const before = refreshes()
  const answers = await Promise.all(
    Array.from({ length: 12 }, (_, n) => force('burst', first.generation, acrs(`c${n}`), replicas[n % 3])),
  )
  t.equal(refreshes() - before, MAX_FORCED_REFRESHES)
  const codes = answers.map(({ body }) => body.code ?? 'token')
  t.equal(codes.filter((code) => code === 'token').length, MAX_FORCED_REFRESHES)
  t.equal(codes.filter((code) => code === 'claims_not_satisfied').length, 12 - MAX_FORCED_REFRESHES)
})

t.test('the last refresh that is allowed is waited for, also at another replica', async (t) => {
  await world.connect('last')
  const other = await world.startReplica()
  const { body: first } = await read('last')
  await sql`update oauth2_integration set forced_at = array[now(), now()] where user_id = 'last'`
  control.hold()
  const answers = [force('last', first.generation, acrs('c1'))]
  await control.held()
  answers.push(force('last', first.generation, acrs('c1'), other))
  const waits = async () =>
    /^token_broker_refresh_waits_total [1-9]/m.test(await other.services.metrics.registry.metrics())
  const answered = answers[1]!.then(() => true)
  await until(async () => (await waits()) || (await Promise.race([answered, Promise.resolve(false)])))
  control.release()
  const [one, two] = await Promise.all(answers)
  t.match(one, { status: 200 })
  t.match(two, { status: 200, body: { generation: one!.body.generation } })
})

t.test('who was refused for a sign-in hears that again when the limit is reached', async (t) => {
  await world.connect('again')
  const { body: first } = await read('again')
  control.misbehave('aadsts', 50076)
  const before = refreshes()
  for (let n = 0; n < MAX_FORCED_REFRESHES + 1; n++)
    t.match(await force('again', first.generation, acrs('c1')), {
      body: { code: 'reconnect_required', reason: 'mfa_required', who_acts: 'user' },
    })
  t.equal(refreshes() - before, MAX_FORCED_REFRESHES)
})

t.test('without the switch, forced refreshes without a challenge are not limited', async (t) => {
  const plain = await world.startReplica({ CONTINUOUS_ACCESS_EVALUATION: 'off' })
  await world.connect('free')
  let { body: token } = await read('free', plain)
  for (let n = 0; n < MAX_FORCED_REFRESHES + 2; n++) {
    const answer = await force('free', token.generation, undefined, plain)
    t.equal(answer.status, 200)
    token = answer.body
  }
})

t.test('a place that the policy does not allow: one token of an hour, or with strict enforcement none', async (t) => {
  await world.connect('place')
  let { body: token } = await read('place')
  control.network({ account: JANE, allowed: ['192.0.2.10'], graphSees: '198.51.100.7' })
  const claims = await challengeOf(token.access_token)
  t.match(Buffer.from(claims, 'base64').toString(), '"xms_rp_ipaddr":{"value":"198.51.100.7"}')
  token = (await force('place', token.generation, claims)).body
  t.ok(token.expires_in <= 3600)
  t.match(await graph.me(token.access_token), { userPrincipalName: JANE })

  await world.connect('strict')
  token = (await read('strict')).body
  control.network({ account: JANE, allowed: ['192.0.2.10'], graphSees: '198.51.100.7', strict: true })
  t.match(await force('strict', token.generation, await challengeOf(token.access_token)), {
    status: 409,
    body: { code: 'reconnect_required', reason: 'blocked_by_policy', who_acts: 'tenant_admin' },
  })
  t.match(await world.row('strict'), { status: 'active' }, 'from the allowed place it works')
})

t.test('without cp1 Graph does not challenge: a token lives until it expires', async (t) => {
  const plain = await world.startReplica({ CONTINUOUS_ACCESS_EVALUATION: 'off' })
  await world.connect('unchallenged')
  await world.setRemaining('unchallenged', -1)
  const { body: token } = await read('unchallenged', plain)
  control.disableUser({ account: JANE })
  control.network({ account: JANE, allowed: ['192.0.2.10'], graphSees: '198.51.100.7' })
  t.match(await graph.me(token.access_token), { userPrincipalName: JANE })
})

t.test('claims that are no challenge are refused in words, and nothing is sent', async (t) => {
  await world.connect('wrong')
  const { body: token } = await read('wrong')
  const before = refreshes()
  for (const [claims, expected] of [
    ['no challenge', /base64/],
    [Buffer.from('{"id_token":{}}').toString('base64'), /access_token/],
    [encode({ xms_cc: { values: ['cp1'] } }), /no other members/],
    [encode({ nbf: { value: String(nowSeconds() + 3600) } }), /ahead/],
    ['x'.repeat(4097), /4096/],
  ] as const) {
    const { status, body } = await force('wrong', token.generation, claims)
    t.equal(status, 422)
    t.match(body, { code: 'invalid_request', invalid: [{ field: 'body.claims', expected }] })
  }
  t.equal(refreshes(), before)
})
