import t from 'tap'
import type { Answer } from '../../src/microsoft/answer.ts'
import { judgeAuthorizePage } from '../../src/microsoft/authorize-page.ts'

const ASKED = {
  endpoint: 'https://login.microsoftonline.com/organizations/oauth2/v2.0/authorize',
  redirectUri: 'https://audits.megsupportools.com/auth/oauth2/microsoft/callback',
}
const judge = (answer: Partial<Answer>) => judgeAuthorizePage({ status: 200, headers: {}, body: '', ...answer }, ASKED)
const MICROSOFT = { 'x-ms-request-id': '47a2d1a1-0000-4000-8000-000000000001' }
const back = (query: string, to = ASKED.redirectUri) => judge({ status: 302, headers: { location: `${to}?${query}` } })

t.test('what says that all is right', async (t) => {
  const description = encodeURIComponent('AADSTS50058: A silent sign-in request was sent but no user is signed in.')
  t.equal(back(`error=login_required&error_description=${description}&state=s`), undefined)
  t.equal(back('error=login_required'), undefined, 'without a number')
  t.equal(back('error=interaction_required'), undefined)
  t.equal(judge({ headers: MICROSOFT, body: '<html>Sign in</html>' }), undefined, 'a sign-in page')
  t.equal(judge({ headers: MICROSOFT, body: 'AADSTS50058: A silent sign-in request' }), undefined, 'as a page')
  t.equal(judge({ status: 302, headers: { location: '/common/reprocess?ctx=1' } }), undefined, 'a step of the sign-in')
})

t.test('pages with a number name the fault', async (t) => {
  const page = (code: number, status = 200) => judge({ status, body: `<p>AADSTS${code}: something</p>` })
  t.same(page(50011), { fault: 'redirect_uri_not_registered', aadsts: 50011 })
  t.same(page(500113, 400), { fault: 'redirect_uri_not_registered', aadsts: 500113 })
  t.same(page(700016, 400), { fault: 'application_not_found', aadsts: 700016 })
  t.same(page(7000112), { fault: 'application_disabled', aadsts: 7000112 })
  t.same(page(90002), { fault: 'tenant_not_found', aadsts: 90002 })
  t.same(page(50194), { fault: 'app_registration', aadsts: 50194 })
  t.same(page(90033), { fault: 'microsoft_error', aadsts: 90033 })
  t.same(page(999999), { fault: 'app_registration', aadsts: 999999 }, 'a number that is not known')
})

t.test('what comes back with another error names it', async (t) => {
  const error = (code: number, word: string) =>
    back(`error=${word}&error_description=${encodeURIComponent(`AADSTS${code}: text`)}`)
  t.same(error(650053, 'invalid_client'), { fault: 'app_registration', aadsts: 650053 })
  t.same(error(7000112, 'unauthorized_client'), { fault: 'application_disabled', aadsts: 7000112 })
  t.same(back('error=server_error'), { fault: 'microsoft_error' })
  t.same(back('code=x'), { fault: 'microsoft_bad_answer' }, 'nobody has signed in')
})

t.test('what is not from Microsoft, and what passes', async (t) => {
  t.same(judge({ status: 429 }), { fault: 'throttled' })
  t.same(judge({ status: 503, body: '<h1>Service unavailable</h1>' }), { fault: 'microsoft_error' })
  const bad = { fault: 'microsoft_bad_answer' }
  t.same(judge({ body: '<h1>Filtered</h1>' }), bad, 'a page of a filter')
  t.same(judge({ status: 403, headers: MICROSOFT, body: 'no' }), bad)
  t.same(judge({ status: 302, headers: { location: 'https://portal.example/login' } }), bad, 'a captive portal')
  t.same(judge({ status: 302, headers: { location: 'https://[' } }), bad)
  t.same(judge({ status: 302 }), bad)
  t.same(back('error=login_required', `${ASKED.redirectUri}/`), bad, 'another address than ours')
})
