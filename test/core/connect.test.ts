import { createHash } from 'node:crypto'
import t from 'tap'
import { CALLBACK, handleIn, JANE, startWorld } from '../support/world.ts'

// A connect without obstacles, from the link to the result page (docs/design.md#connect).

const world = await startWorld(t)
const { entra, caller } = world
const OMAR = 'omar@contoso.com'

const queryOf = (url: string) => Object.fromEntries(new URL(url).searchParams)
const statusOf = async (id: string) => (await caller.send('GET', `/connect-sessions/${id}`)).body as Record<string, any>

t.test(
  'the browser is sent to Microsoft with exactly the parameters of an authorization code request with PKCE',
  async (t) => {
    const { id, authorizeUrl } = await world.toMicrosoft('exact')
    const { state, nonce, code_challenge: challenge, 'client-request-id': requestId, ...rest } = queryOf(authorizeUrl)
    t.equal(authorizeUrl.split('?')[0], `${entra.url}/common/oauth2/v2.0/authorize`)
    t.same(rest, {
      client_id: entra.clientId,
      response_type: 'code',
      redirect_uri: `${world.baseUrl}${CALLBACK}`,
      scope: 'openid profile offline_access Files.ReadWrite.All User.Read',
      response_mode: 'query',
      code_challenge_method: 'S256',
      prompt: 'select_account',
    })
    for (const random of [state, nonce, challenge]) t.match(random, /^[A-Za-z0-9_-]{43}$/)
    t.match(requestId, /^[0-9a-f-]{36}$/)

    const [row] = await world.sql`select pkce_verifier, state_hash, nonce from connect_session where id = ${id}`
    t.same(row!['state_hash'], createHash('sha256').update(state!).digest(), 'of the state only a hash is kept')
    t.equal(row!['nonce'], nonce)
    const verifier = world.replica.services.vault.open(
      { table: 'connect_session', column: 'pkce_verifier', provider: 'microsoft', userId: 'exact', recordId: id },
      row!['pkce_verifier'] as Buffer,
    )
    t.match(verifier, /^[A-Za-z0-9_-]{43}$/)
    t.equal(createHash('sha256').update(verifier).digest('base64url'), challenge)
  },
)

t.test('each attempt has a state, nonce and challenge of its own', async (t) => {
  const [a, b] = [await world.toMicrosoft('own'), await world.toMicrosoft('own')].map(({ authorizeUrl }) =>
    queryOf(authorizeUrl),
  )
  for (const name of ['state', 'nonce', 'code_challenge']) t.not(a![name], b![name])
})

for (const slash of ['', '/']) {
  t.test(
    `an answer that comes to the callback ${slash === '' ? 'without' : 'with'} a trailing slash connects`,
    async (t) => {
      const userId = `slash${slash.length}`
      const { id, browser, authorizeUrl } = await world.toMicrosoft(userId)
      const back = entra.control.signIn({ account: JANE, authorizeUrl }).replace(`${CALLBACK}?`, `${CALLBACK}${slash}?`)
      const page = await browser.open(back)
      t.equal(page.status, 200, 'a page, so that SameSite=Strict cookies of MEGDocs travel on')
      t.match(page.refresh, `${world.baseUrl}/microsoft/connected?connect_session=${id}&handle=`)
      t.ok(
        page.links.some(({ href }) => href === page.refresh),
        'also as a link',
      )
      t.match(await statusOf(id), { status: 'received' })
      t.equal(await world.row(userId), undefined, 'nothing is stored before MEGDocs completes')

      const { next } = await world.complete(id, userId)
      t.match(await statusOf(id), {
        status: 'connected',
        user_id: userId,
        outcome: { result: 'connected', account: { username: JANE } },
      })
      const result = await world.browser().open(next)
      t.equal(result.status, 200)
      t.match(result.text, JANE)
      t.match(await world.row(userId), {
        status: 'active',
        username: JANE,
        display_name: 'Jane Miller',
        caller: undefined,
      })
    },
  )
}

t.test('the code is redeemed with its verifier, the same redirect URI and the same scopes', async (t) => {
  entra.control.resetCounters()
  await world.connect('redeemed')
  t.match(entra.control.tokenRequests(), {
    total: 1,
    recent: [
      {
        grant: 'authorization_code',
        outcome: 'tokens',
        values: {
          redirect_uri: `${world.baseUrl}${CALLBACK}`,
          scope: 'openid profile offline_access Files.ReadWrite.All User.Read',
        },
        fields: ['client_id', 'grant_type', 'code', 'redirect_uri', 'code_verifier', 'scope', 'client_secret'],
      },
    ],
  })
})

t.test(
  "a reconnect goes straight to the stored account, with the claims that Microsoft's last refusal carried",
  async (t) => {
    await world.connect('again')
    const first = queryOf((await world.toMicrosoft('again')).authorizeUrl)
    t.match(first, { login_hint: JANE, prompt: undefined, claims: undefined })

    entra.control.misbehave('aadsts', 53003, { account: JANE, times: 1 })
    await world.setRemaining('again', 10)
    await caller.send('GET', '/tokens/again')
    const claims = ((await world.row('again'))!['failure'] as { claims: string }).claims
    t.match(claims, /capolids/)
    const { id, browser, authorizeUrl } = await world.toMicrosoft('again')
    t.match(queryOf(authorizeUrl), { login_hint: JANE, claims })

    const before = (await world.row('again'))!
    await browser.open(entra.control.signIn({ account: JANE, authorizeUrl }))
    await world.complete(id, 'again')
    const after = (await world.row('again'))!
    t.match(await statusOf(id), { status: 'connected', outcome: { result: 'reconnected' } })
    t.equal(after['id'], before['id'])
    t.ok(Number(after['generation']) > Number(before['generation']))
    t.match(after, { status: 'active', failure: null, retry_at: null, lease_owner: null })
    t.match(queryOf((await world.toMicrosoft('again')).authorizeUrl), { claims: undefined })
    t.same(
      (await world.sql`select type from event where user_id = 'again' order by id`).map(({ type }) => type),
      ['connected', 'reconnect_required', 'reconnected'],
    )
  },
)

t.test('another account than the stored one is refused, unless MEGDocs allowed a switch', async (t) => {
  await world.connect('pinned')
  const kept = await world.stored('pinned')
  const wrong = await world.toMicrosoft('pinned')
  await wrong.browser.open(entra.control.signIn({ account: OMAR, authorizeUrl: wrong.authorizeUrl }))
  const refused = await caller.send('POST', `/connect-sessions/${wrong.id}/complete`, {
    user_id: 'pinned',
    handle: world.handle(wrong.id),
  })
  t.match(refused, { status: 409, body: { code: 'account_mismatch', reason: 'other_account', who_acts: 'user' } })
  t.same(await world.stored('pinned'), kept)
  const page = await world.browser().open((refused.body as { next: string }).next)
  t.equal(page.status, 200)
  t.notMatch(page.text, OMAR, 'both accounts are shown masked')
  t.notMatch(page.text, JANE)

  const allowed = await world.toMicrosoft('pinned', { allowSwitch: true })
  t.match(queryOf(allowed.authorizeUrl), { prompt: 'select_account', login_hint: undefined })
  await allowed.browser.open(entra.control.signIn({ account: OMAR, authorizeUrl: allowed.authorizeUrl }))
  await world.complete(allowed.id, 'pinned')
  t.match(await world.row('pinned'), { username: OMAR })
  t.notSame(await world.stored('pinned'), kept)
})

t.test("a person clicks through the simulated Microsoft and ends on the result page's doorstep", async (t) => {
  const { id, url } = await caller.beginConnect('clicks')
  const browser = world.browser({ stopBefore: (to) => to.includes('/microsoft/connected') })
  const picker = await browser.open(url)
  const consent = await browser.press(picker, JANE)
  const page = consent.refresh === undefined ? await browser.press(consent, 'Accept') : consent
  t.match(page.refresh, `${world.baseUrl}/microsoft/connected?connect_session=${id}&handle=`)
  await caller.complete(id, 'clicks', handleIn(page))
  t.match(await world.row('clicks'), { username: JANE })
})
