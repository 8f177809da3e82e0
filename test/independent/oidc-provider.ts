import { randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import Provider from 'oidc-provider'
import t from 'tap'
import { CALLBACK, handleIn, JANE, startWorld, type World } from '../support/world.ts'

// npm run test:independent: the broker's whole flow with oidc-provider, an OpenID Provider that others wrote, in place
// of our simulator. It shows that the flow follows the standards and not only our own picture of Microsoft. Around it
// stands only what Entra does in its own way: its paths, its templated issuer, its claims `tid` and `oid`, and its
// values of `prompt`.

const TENANT = '7e57c0de-0000-4000-8000-000000000001'
const OBJECT = '7e57c0de-0000-4000-8000-00000000000a'
const CLIENT = {
  client_id: '7e57c0de-0000-4000-8000-00000000000c',
  client_secret: randomBytes(24).toString('base64url'),
}

interface OtherProvider {
  url: string
  provider(redirectUri: string): Provider
  /** Path and status of every token request. */
  tokenRequests: { path: string; status: number }[]
}

async function startOtherProvider(t: { teardown(end: () => unknown): unknown }): Promise<OtherProvider> {
  let provider: Provider | undefined
  let url = ''
  const tokenRequests: OtherProvider['tokenRequests'] = []
  const metadata = () => ({
    issuer: `${url}/{tenantid}/v2.0`,
    authorization_endpoint: `${url}/organizations/oauth2/v2.0/authorize`,
    token_endpoint: `${url}/organizations/oauth2/v2.0/token`,
    jwks_uri: `${url}/organizations/discovery/v2.0/keys`,
  })
  function answer(request: IncomingMessage, response: ServerResponse): void {
    const target = new URL(request.url ?? '/', url)
    const [, tenant, path] = /^\/(organizations|[0-9a-f-]{36})\/(.+)$/.exec(target.pathname) ?? []
    if (tenant !== undefined && path === 'v2.0/.well-known/openid-configuration') {
      response.setHeader('content-type', 'application/json')
      response.end(JSON.stringify(metadata()))
      return
    }
    if (path === 'oauth2/v2.0/authorize') {
      // OpenID Connect Core section 11: offline_access needs prompt=consent. Entra does not ask for that.
      target.searchParams.set('prompt', 'login consent')
      request.url = `/auth${target.search}`
    }
    if (path === 'oauth2/v2.0/token') {
      response.once('finish', () => tokenRequests.push({ path: target.pathname, status: response.statusCode }))
      request.url = '/token'
    }
    if (path === 'discovery/v2.0/keys') request.url = '/jwks'
    void provider?.callback()(request, response)
  }
  const server = createServer(answer).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  t.teardown(() => void server.close().closeAllConnections())
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    url,
    tokenRequests,
    provider(redirectUri) {
      provider = new Provider(`${url}/${TENANT}/v2.0`, {
        clients: [
          {
            ...CLIENT,
            redirect_uris: [redirectUri],
            grant_types: ['authorization_code', 'refresh_token'],
            response_types: ['code'],
            token_endpoint_auth_method: 'client_secret_post',
          },
        ],
        scopes: ['openid', 'profile', 'offline_access', 'User.Read', 'Files.ReadWrite.All'],
        claims: { openid: ['sub'], profile: ['tid', 'oid', 'name', 'preferred_username'] },
        // Entra puts the claims of `profile` into the id token.
        conformIdTokenClaims: false,
        rotateRefreshToken: true,
        cookies: { keys: [randomBytes(24).toString('base64url')] },
        findAccount: (_, sub) => ({
          accountId: sub,
          claims: () => ({ sub, tid: TENANT, oid: OBJECT, name: 'Jane Doe', preferred_username: sub }),
        }),
      })
      return provider
    },
  }
}

async function start(t: { teardown(end: () => unknown): unknown }): Promise<{
  world: World
  other: OtherProvider
  provider: Provider
}> {
  const other = await startOtherProvider(t)
  const world = await startWorld(t, {
    env: {
      MICROSOFT_LOGIN_URL: other.url,
      MICROSOFT_TENANT: 'organizations',
      MICROSOFT_CLIENT_ID: CLIENT.client_id,
      MICROSOFT_CLIENT_SECRET: CLIENT.client_secret,
    },
  })
  return { world, other, provider: other.provider(`${world.baseUrl}${CALLBACK}`) }
}

/** Signs in and approves on the provider's own pages, and completes. */
async function connect(world: World, userId: string): Promise<string> {
  const browser = world.browser({ stopBefore: (url) => url.includes('/microsoft/connected') })
  const { id, url } = await world.caller.beginConnect(userId)
  const login = await browser.open(url)
  const consent = await browser.press(login, 'Sign-in', { login: JANE, password: 'any' })
  const back = await browser.press(consent, 'Continue')
  if (!back.refresh?.includes('/microsoft/connected')) throw new Error(`did not come back: ${back.url} ${back.html}`)
  return (await world.caller.complete(id, userId, handleIn(back))).next
}

t.test('the whole flow: connect, token, refresh with rotation on the path of the tenant, disconnect', async (t) => {
  const { world, other } = await start(t)
  const page = await world.browser().open(await connect(world, '42'))
  t.match(page.html, JANE)
  const first = await world.caller.token('42')
  t.match(first, {
    scope: 'Files.ReadWrite.All User.Read',
    missing_scopes: [],
    account: { username: JANE, tenant_id: TENANT, object_id: OBJECT },
  })
  const before = await world.stored('42')

  await world.setRemaining('42', 299)
  const second = await world.caller.token('42')
  t.ok(second.generation > first.generation)
  t.not(second.access_token, first.access_token)
  t.not((await world.stored('42'))?.refreshToken, before?.refreshToken, 'the rotated refresh token is stored')
  t.strictSame(other.tokenRequests, [
    { path: '/organizations/oauth2/v2.0/token', status: 200 },
    { path: `/${TENANT}/oauth2/v2.0/token`, status: 200 },
  ])
  const me = await fetch(`${other.url}/me`, { headers: { authorization: `Bearer ${second.access_token}` } })
  t.match(await me.json(), { oid: OBJECT }, 'the provider accepts the token')

  await world.caller.disconnect('42')
  t.match(await world.caller.send('GET', '/tokens/42'), { status: 404, body: { code: 'not_connected' } })
})

t.test('a grant that the provider revoked is reconnect_required; connecting again heals it', async (t) => {
  const { world, provider } = await start(t)
  await connect(world, '42')
  const refreshToken = await provider.RefreshToken.find((await world.stored('42'))?.refreshToken ?? '')
  await provider.Grant.adapter.destroy(refreshToken?.grantId ?? '')
  await world.setRemaining('42', -5)
  t.match(await world.caller.send('GET', '/tokens/42'), { status: 409, body: { code: 'reconnect_required' } })
  await connect(world, '42')
  t.match(await world.caller.token('42'), { account: { username: JANE } })
})

t.test('a wrong client secret is our fault: no user is marked', async (t) => {
  const { world } = await start(t)
  await connect(world, '42')
  const wrong = await world.startReplica({ MICROSOFT_CLIENT_SECRET: 'another-secret-of-30-characters' })
  await world.setRemaining('42', -5)
  t.match(await wrong.caller.send('GET', '/tokens/42'), {
    status: 503,
    body: { code: 'broker_misconfigured' },
  })
  t.match(await world.row('42'), { status: 'active', failure: { reason: 'client_credential', final: false } })
})
