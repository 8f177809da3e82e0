import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  AuthError,
  ConfidentialClientApplication,
  InteractionRequiredAuthError,
  type AuthenticationResult,
} from '@azure/msal-node'
import t from 'tap'
import type { Entra } from '../../sandbox/entra/main.ts'
import { claimsOfBroker, CP1, JANE, pkce, REDIRECT_URI, SCOPES, startMicrosoft } from './support.ts'
import { startIssuer } from '../../sandbox/issuer.ts'
import { createAuthenticator } from '../../src/microsoft/credential.ts'
import { systemClock, systemRandom } from '../../src/services.ts'

// npm run test:independent: Microsoft's own client library for Node, with the simulator in Microsoft's place.

function client(entra: Entra, changes: { secret?: string; assertion?: string; capabilities?: string[] } = {}) {
  const { host } = new URL(entra.url)
  return new ConfidentialClientApplication({
    auth: {
      clientId: entra.clientId,
      ...(changes.assertion === undefined
        ? { clientSecret: changes.secret ?? entra.clientSecret }
        : { clientAssertion: changes.assertion }),
      authority: `${entra.url}/organizations`,
      knownAuthorities: [host],
      ...(changes.capabilities && { clientCapabilities: changes.capabilities }),
    },
  })
}

async function signIn(entra: Entra, app: ConfidentialClientApplication): Promise<AuthenticationResult> {
  const { verifier, challenge } = pkce()
  const authorizeUrl = await app.getAuthCodeUrl({
    scopes: SCOPES,
    redirectUri: REDIRECT_URI,
    codeChallenge: challenge,
    codeChallengeMethod: 'S256',
  })
  const callback = new URL(entra.control.signIn({ account: JANE, authorizeUrl }))
  return app.acquireTokenByCode({
    code: callback.searchParams.get('code') ?? '',
    scopes: SCOPES,
    redirectUri: REDIRECT_URI,
    codeVerifier: verifier,
  })
}

const rejected = async (promise: Promise<unknown>): Promise<AuthError> => {
  try {
    await promise
  } catch (error) {
    if (error instanceof AuthError) return error
    throw error
  }
  throw new Error('it was not refused')
}

t.test('authorization code with PKCE, silent, and a forced refresh', async (t) => {
  const entra = await startMicrosoft(t)
  const app = client(entra)
  const first = await signIn(entra, app)
  t.equal(first.account?.username, JANE)
  t.ok(SCOPES.every((scope) => first.scopes.some((granted) => granted.toLowerCase().endsWith(scope.toLowerCase()))))
  const account = first.account!
  const silent = await app.acquireTokenSilent({ account, scopes: SCOPES })
  t.equal(silent.accessToken, first.accessToken, 'from its cache')
  t.equal(silent.fromCache, true)
  const refreshed = await app.acquireTokenSilent({ account, scopes: SCOPES, forceRefresh: true })
  t.not(refreshed.accessToken, first.accessToken)
  t.strictSame(entra.control.tokenRequests().byOutcome, { tokens: 2 })
  const me = await fetch(`${entra.graphUrl}/v1.0/me`, { headers: { authorization: `Bearer ${refreshed.accessToken}` } })
  t.match(await me.json(), { userPrincipalName: JANE })
})

t.test(
  'the token of another issuer as assertion, for the code and the refresh, in the form that we send',
  async (t) => {
    const entra = await startMicrosoft(t)
    const issuer = await startIssuer()
    t.teardown(() => issuer.close())
    entra.control.configureApp({ clientSecrets: [], federatedCredentials: [issuer.credential] })
    const assertion = issuer.token()
    const app = client(entra, { assertion })
    const { account } = await signIn(entra, app)
    await app.acquireTokenSilent({ account: account!, scopes: SCOPES, forceRefresh: true })
    const { recent, byOutcome } = entra.control.tokenRequests()
    t.strictSame(byOutcome, { tokens: 2 })

    const file = join(t.testdir(), 'token')
    writeFileSync(file, assertion)
    const ours = createAuthenticator({ kind: 'federated', file }, entra.clientId, systemClock, systemRandom)
    const fields = (await ours.fields(`${entra.url}/organizations/oauth2/v2.0/token`)) ?? {}
    t.equal(fields['client_assertion'], assertion, 'the token as it is')
    for (const request of recent) {
      t.strictSame(
        request.fields.filter((name) => /^client_(?:assertion|secret)/.test(name)).sort(),
        Object.keys(fields).sort(),
        `${request.values['grant_type']}: the same fields as MSAL`,
      )
      t.equal(request.values['client_assertion_type'], fields['client_assertion_type'])
    }
    t.strictSame(
      recent.map(({ values }) => values['grant_type']),
      ['authorization_code', 'refresh_token'],
    )
  },
)

t.test('a wrong secret is invalid_client, with our correlation id', async (t) => {
  const entra = await startMicrosoft(t)
  const error = await rejected(signIn(entra, client(entra, { secret: 'wrong8Q~secret' })))
  t.equal(error.errorCode, 'invalid_client')
  t.match(error.message, /AADSTS7000215/)
  t.match(error.message, error.correlationId, 'MSAL sends its id in the query of the token request')
})

t.test('a refresh token that is none, and refusals that need the user', async (t) => {
  const entra = await startMicrosoft(t)
  const app = client(entra)
  const none = await rejected(app.acquireTokenByRefreshToken({ refreshToken: 'none', scopes: SCOPES }))
  t.equal(none.errorCode, 'invalid_grant')
  const { account } = await signIn(entra, app)
  for (const aadsts of [50076, 53003, 65001]) {
    entra.control.misbehave('aadsts', aadsts, { times: 1 })
    const error = await rejected(app.acquireTokenSilent({ account: account!, scopes: SCOPES, forceRefresh: true }))
    t.ok(error instanceof InteractionRequiredAuthError, `AADSTS${aadsts}`)
    t.match(error.message, `AADSTS${aadsts}`)
    if (aadsts === 53003) t.match(error instanceof InteractionRequiredAuthError && error.claims, /capolids/)
  }
})

t.test('continuous access evaluation: long tokens, a challenge of Graph, its claims at sign-in', async (t) => {
  const entra = await startMicrosoft(t)
  const app = client(entra, { capabilities: [CP1] })
  const first = await signIn(entra, app)
  const seconds = ((first.expiresOn?.getTime() ?? 0) - Date.now()) / 1000
  t.ok(seconds > 70_000, `the token is valid for ${Math.round(seconds)} s`)
  t.ok(first.refreshOn !== undefined, 'with a hint when to refresh')
  entra.control.revokeSessions({ account: JANE })
  const me = await fetch(`${entra.graphUrl}/v1.0/me`, { headers: { authorization: `Bearer ${first.accessToken}` } })
  t.equal(me.status, 401)
  const claims = Buffer.from(
    /claims="([^"]+)"/.exec(me.headers.get('www-authenticate') ?? '')?.[1] ?? '',
    'base64',
  ).toString()
  t.match(claims, /nbf/)
  const error = await rejected(app.acquireTokenSilent({ account: first.account!, scopes: SCOPES, claims }))
  t.ok(error instanceof InteractionRequiredAuthError)
  t.match(error.message, /AADSTS50173/)
  const url = await app.getAuthCodeUrl({ scopes: SCOPES, redirectUri: REDIRECT_URI, claims })
  t.match(new URL(url).searchParams.get('claims'), /nbf/)
})

/** MSAL Node also asks for claims of the id token, for its own cache of accounts. */
const ofAccessToken = (claims: string | null | undefined): string =>
  JSON.stringify((JSON.parse(claims ?? '{}') as { access_token?: object }).access_token)

t.test(
  'the broker sends the claims that MSAL sends, with and without a challenge, to authorize and with a refresh',
  async (t) => {
    const entra = await startMicrosoft(t)
    const app = client(entra, { capabilities: ['cp1'] })
    const { account } = await signIn(entra, app)
    const challenge =
      '{"access_token":{"nbf":{"essential":true,"value":"1635527790"},"xms_rp_ipaddr":{"value":"192.0.2.1"}}}'
    for (const claims of [undefined, challenge]) {
      const more = claims === undefined ? {} : { claims }
      const url = await app.getAuthCodeUrl({ scopes: SCOPES, redirectUri: REDIRECT_URI, ...more })
      await app.acquireTokenSilent({ account: account!, scopes: SCOPES, forceRefresh: true, ...more })
      const byMsal = {
        authorize: new URL(url).searchParams.get('claims'),
        token: entra.control.tokenRequests().recent.at(-1)?.values['claims'],
      }
      const byBroker = await claimsOfBroker(t, entra, claims)
      for (const request of ['authorize', 'token'] as const) {
        const name = `${request}, ${claims ?? 'no challenge'}`
        t.equal(ofAccessToken(byBroker[request]), ofAccessToken(byMsal[request]), name)
        t.match(byMsal[request], '"xms_cc":{"values":["cp1"]}', name)
      }
    }
  },
)
