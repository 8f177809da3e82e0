import t from 'tap'
import { bench, jane, read, redirectUri } from './entra-support.ts'
import type { Answer, Bench } from './entra-support.ts'

const contoso = 'contoso.com'

/** A client without script: one page, its forms and links, and a cookie. */
function visitor(b: Bench) {
  let cookie = ''
  async function go(
    url: string,
    form?: Record<string, string>,
  ): Promise<Answer & { location: URL | null; main: string | undefined }> {
    const answer = await fetch(new URL(url, b.entra.url), {
      redirect: 'manual',
      headers: { cookie },
      ...(form && { method: 'POST', body: new URLSearchParams(form) }),
    })
    for (const set of answer.headers.getSetCookie()) cookie = set.split(';')[0] ?? ''
    const location = answer.headers.get('location')
    const got = await read(answer)
    return {
      ...got,
      location: location === null ? null : new URL(location),
      main: /<main id="([^"]+)"/.exec(got.text)?.[1],
    }
  }
  /** Submits the page's form with its hidden fields. */
  function submit(page: Answer, extra: Record<string, string> = {}) {
    const decode = (text: string): string =>
      text.replace(/&#(\d+);/g, (_, code: string) => String.fromCharCode(Number(code)))
    const action = decode(/<form method="post" action="([^"]*)"/.exec(page.text)?.[1] ?? '')
    const hidden = [...page.text.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)">/g)]
    return go(action, {
      ...Object.fromEntries(hidden.map(([, name = '', value = '']) => [name, decode(value)])),
      ...extra,
    })
  }
  return { go, submit }
}

t.test('a person picks an account, approves and is sent back; the next time there is no consent page', async (t) => {
  const b = await bench(t.teardown)
  const v = visitor(b)
  const picker = await v.go(b.authorizeUrl({ prompt: 'select_account' }))
  t.equal(picker.main, 'picker')
  t.match(picker.text, 'Simulated Microsoft — not real')
  t.match(picker.text, 'id="account-jane"')
  t.notMatch(picker.text, /<script/)
  const consent = await v.submit(picker, { account: jane })
  t.equal(consent.main, 'consent')
  t.match(consent.text, 'Files.ReadWrite.All')
  const back = await v.submit(consent, { decision: 'accept' })
  t.equal(back.status, 302)
  t.same([...(back.location?.searchParams.keys() ?? [])], ['code', 'state', 'session_state'])
  t.equal(back.location?.searchParams.get('state'), 'st4te')
  t.ok(back.location?.href.startsWith(`${redirectUri}?code=1.A`))
  t.match(back.headers.get('location'), /#$/, 'the empty fragment')
  t.equal((await b.redeem(back.location?.href ?? '')).status, 200)
  const again = await v.submit(await v.go(b.authorizeUrl({ prompt: 'select_account' })), { account: jane })
  t.equal(again.status, 302)
  t.equal((await v.go(b.authorizeUrl())).status, 302, 'without a prompt the session of the browser is enough')
  t.equal((await v.go(b.authorizeUrl({ prompt: 'consent' }))).main, 'consent', 'prompt=consent asks again')
  b.entra.control.forgetConsent({ account: jane })
  t.equal((await v.go(b.authorizeUrl())).main, 'consent')
})

t.test('a login hint leads to that account’s sign-in, with a way to another', async (t) => {
  const b = await bench(t.teardown)
  const v = visitor(b)
  const page = await v.go(b.authorizeUrl({ login_hint: jane }))
  t.equal(page.main, 'sign-in-page')
  t.equal((await v.submit(page)).main, 'consent')
  const href = /id="other-account" href="([^"]*)"/.exec(page.text)?.[1]?.replaceAll('&#38;', '&') ?? ''
  t.equal((await v.go(href)).main, 'picker')
  t.equal(
    (await v.go(b.authorizeUrl({ login_hint: 'omar@contoso.com' }))).main,
    'sign-in-page',
    'not the account that is signed in',
  )
})

t.test('cancel comes back bare for work accounts and with Microsoft’s sentence for personal ones', async (t) => {
  const b = await bench(t.teardown)
  const v = visitor(b)
  const cancel = async (account: string) => {
    const picker = await v.go(b.authorizeUrl({ prompt: 'select_account' }, 'common'))
    return (await v.submit(await v.submit(picker, { account }), { decision: 'cancel' })).location
  }
  t.equal((await cancel(jane))?.search, '?error=access_denied&error_subcode=cancel&state=st4te')
  const personal = await cancel('pat@outlook.example')
  t.equal(
    personal?.searchParams.get('error_description'),
    'The user has denied access to the scope requested by the client application.',
  )
})

t.test(
  'a user who needs an administrator is sent back as if cancelled, until the administrator approves',
  async (t) => {
    const b = await bench(t.teardown)
    const v = visitor(b)
    const pick = async (account: string) =>
      v.submit(await v.go(b.authorizeUrl({ prompt: 'select_account' })), { account })
    const stopped = await pick('nora@northwind.com')
    t.equal(stopped.main, 'need-admin-approval')
    const back = (await v.submit(stopped)).location
    t.match(Object.fromEntries(back?.searchParams ?? []), {
      error: 'access_denied',
      error_subcode: 'cancel',
      error_description: /^AADSTS65004: .* Trace ID: /,
      state: 'st4te',
    })
    const consent = await pick('adele@northwind.com')
    t.match(consent.text, 'id="organisation"')
    t.equal((await v.submit(consent, { decision: 'accept', organisation: 'on' })).status, 302)
    t.equal((await pick('nora@northwind.com')).status, 302, 'approved for her too')
    const alone = await v.go('/organizations/consent', {
      account: 'nora@northwind.com',
      decision: 'accept',
      request: new URL(b.authorizeUrl()).search.slice(1),
    })
    t.equal(alone.status, 302)
  },
)

t.test('posting the consent form does not get around what the pages would have stopped', async (t) => {
  const b = await bench(t.teardown)
  const v = visitor(b)
  const request = new URL(b.authorizeUrl()).search.slice(1)
  const accept = (account: string) =>
    v.go('/organizations/consent', { account, decision: 'accept', organisation: 'on', request })
  t.equal((await accept('nora@northwind.com')).main, 'need-admin-approval')
  t.equal((await accept('dora@contoso.com')).main, 'error')
  t.equal((await accept('pat@outlook.example')).main, 'error')
  t.equal((await accept(jane)).status, 302)
  const omar = b.entra.control.state().accounts.find((account) => account.username === 'omar@contoso.com')
  t.same(omar?.consented, [], 'jane is no administrator')
})

t.test('disabled, blocked and foreign accounts end on Microsoft’s page', async (t) => {
  const b = await bench(t.teardown)
  const v = visitor(b)
  const pick = async (account: string, tenant?: string) => {
    const page = await v.submit(await v.go(b.authorizeUrl({ prompt: 'select_account' }, tenant)), { account })
    return [page.main, /id="error-description">(AADSTS\d+)/.exec(page.text)?.[1]]
  }
  t.same(await pick('dora@contoso.com'), ['error', 'AADSTS50057'])
  t.same(await pick('blake@contoso.com'), ['error', 'AADSTS53003'])
  t.same(await pick('pat@outlook.example'), ['error', 'AADSTS50020'], 'a personal account at organizations')
  t.same(await pick('lena@fabrikam.com', contoso), ['error', 'AADSTS50020'])
  t.same(await pick(jane, contoso), ['consent', undefined])
})

t.test('an unknown client, redirect URI or tenant gets a page and never a redirect', async (t) => {
  const b = await bench(t.teardown)
  const v = visitor(b)
  const refused = async (changes: Record<string, string | undefined>, tenant?: string) => {
    const page = await v.go(b.authorizeUrl(changes, tenant))
    t.equal(page.location, null)
    return [page.status, /AADSTS(\d+)/.exec(page.text)?.[1]]
  }
  t.same(await refused({ client_id: 'other' }), [400, '700016'])
  t.same(await refused({ redirect_uri: `${redirectUri}/` }), [400, '50011'], 'a trailing slash is another address')
  t.same(await refused({ redirect_uri: redirectUri.toUpperCase() }), [400, '50011'])
  t.same(await refused({ redirect_uri: undefined }), [400, '900971'])
  t.same(await refused({}, 'nowhere.example'), [400, '90002'])
  t.same(await refused({ redirect_uri: '"><script>alert(1)</script>' }), [400, '50011'])
  t.notMatch((await v.go(b.authorizeUrl({ redirect_uri: '"><script>alert(1)</script>' }))).text, '<script')
  t.same(await refused({ client_id: undefined }), [400, '900144'])
})

t.test('on localhost the port does not matter, the path does', async (t) => {
  const b = await bench(t.teardown, {
    redirectUris: ['http://localhost/callback', 'https://audits.example.com:8443/callback'],
  })
  const v = visitor(b)
  const main = async (uri: string) => (await v.go(b.authorizeUrl({ redirect_uri: uri }))).main
  t.equal(await main('http://localhost:4711/callback'), 'picker')
  t.equal(await main('http://localhost:4711/callback/'), 'error')
  t.equal(await main('http://localhost.evil.example:4711/callback'), 'error')
  t.equal(await main('https://audits.example.com/callback'), 'error')
})

t.test('other faults go back to the application', async (t) => {
  const b = await bench(t.teardown)
  const v = visitor(b)
  const error = async (changes: Record<string, string | undefined>) => {
    const { location } = await v.go(b.authorizeUrl(changes))
    t.equal(location?.searchParams.get('state'), 'st4te')
    return [
      location?.searchParams.get('error'),
      /^AADSTS(\d+)/.exec(location?.searchParams.get('error_description') ?? '')?.[1],
    ]
  }
  t.same(await error({ response_type: 'token' }), ['unsupported_response_type', '70005'])
  t.same(await error({ response_type: 'id_token' }), ['unsupported_response_type', '700054'])
  t.same(await error({ response_mode: 'carrier_pigeon' }), ['invalid_request', '70007'])
  t.same(await error({ scope: 'openid User.Reed' }), ['invalid_scope', '70011'])
  t.same(await error({ code_challenge: 'short' }), ['invalid_request', '501491'])
  t.same(await error({ prompt: 'please' }), ['invalid_request', '90023'])
  t.same(await error({ resource: 'x' }), ['invalid_request', '901002'])
  t.same(await error({ prompt: 'none' }), ['login_required', '50058'])
  await v.submit(await v.go(b.authorizeUrl()), { account: jane })
  t.same(await error({ prompt: 'none' }), ['interaction_required', '65001'])
})

t.test('form_post brings a form with a button, fragment a fragment', async (t) => {
  const b = await bench(t.teardown)
  const v = visitor(b)
  b.entra.control.signIn({ account: jane, authorizeUrl: b.authorizeUrl() })
  const page = await v.submit(await v.go(b.authorizeUrl({ response_mode: 'form_post' })), { account: jane })
  t.equal(page.main, 'form-post')
  t.match(page.text, `action="${redirectUri}"`)
  t.match(page.text, /name="code" value="1\.A/)
  const there = await v.go(b.authorizeUrl({ response_mode: 'fragment', client_info: '1' }))
  t.match(there.location?.hash, /^#code=1\.A.*&client_info=.*&state=st4te&session_state=/)
})

t.test('an administrator approves for the organisation without a code', async (t) => {
  const b = await bench(t.teardown)
  const v = visitor(b)
  const query = new URLSearchParams({
    client_id: b.entra.clientId,
    redirect_uri: redirectUri,
    state: 's',
    scope: 'https://graph.microsoft.com/User.Read https://graph.microsoft.com/Files.ReadWrite.All',
  })
  const picker = await v.go(`/organizations/v2.0/adminconsent?${query}`)
  t.notMatch(picker.text, 'account-jane')
  t.equal((await v.submit(picker, { account: jane })).status, 400, 'jane is no administrator')
  const question = await v.submit(picker, { account: 'adele@northwind.com' })
  t.equal(question.main, 'admin-consent')
  const no = (await v.submit(question, { decision: 'cancel' })).location
  t.match(Object.fromEntries(no?.searchParams ?? []), {
    admin_consent: 'True',
    error: 'consent_required',
    error_description: /^AADSTS65004/,
    state: 's',
  })
  const yes = (await v.submit(question, { decision: 'accept' })).location
  t.same(Object.fromEntries(yes?.searchParams ?? []), {
    admin_consent: 'True',
    tenant: '40270a1d-0000-4000-8000-0000040270a1',
    scope: query.get('scope'),
    state: 's',
  })
  t.ok(b.entra.control.signIn({ account: 'nora@northwind.com', authorizeUrl: b.authorizeUrl() }))
  t.equal((await v.go(`/common/v2.0/adminconsent?${query}`)).status, 400)
})

t.test('signing out ends the browser’s session', async (t) => {
  const b = await bench(t.teardown)
  const v = visitor(b)
  await v.submit(await v.go(b.authorizeUrl()), { account: jane })
  t.equal((await v.go('/common/oauth2/v2.0/logout?post_logout_redirect_uri=https://evil.example')).main, 'signed-out')
  t.equal((await v.go(b.authorizeUrl())).main, 'picker')
  const away = await v.go(`/common/oauth2/v2.0/logout?post_logout_redirect_uri=${redirectUri}`)
  t.equal(away.location?.href, redirectUri)
  t.match((await v.go('/error?code=50173')).text, 'AADSTS50173')
})
