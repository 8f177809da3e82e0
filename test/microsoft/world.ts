// A Microsoft of our own on loopback: discovery, keys, and a token endpoint that answers as the test says.
import { DEFAULT_SCOPES } from '../../src/core/microsoft-permissions.ts'
import type { CodeRequest, Permit, RefreshRequest } from '../../src/core/microsoft-port.ts'
import { createMicrosoft } from '../../src/microsoft/client.ts'
import type { MicrosoftOptions } from '../../src/microsoft/client.ts'
import {
  claims,
  CLIENT_ID,
  fixedRandom,
  idToken,
  json,
  jwk,
  listen,
  manualClock,
  OBJECT,
  TENANT,
  tokenBody,
} from './support.ts'
import type { Reply, Seen } from './support.ts'

export const REQUEST_ID = '99999999-0000-4000-8000-000000000003'
export const refreshRequest: RefreshRequest = {
  refreshToken: 'stored-refresh-token-canary',
  scopes: ['User.Read', 'Files.ReadWrite.All'],
  account: { tenantId: TENANT, objectId: OBJECT },
  requestId: REQUEST_ID,
}
export const codeRequest: CodeRequest = {
  code: 'code-canary',
  codeVerifier: 'verifier-canary',
  nonce: 'the-nonce',
  requestId: REQUEST_ID,
}
export const noPermit: Permit = { release: () => {} }

type Test = { teardown(end: () => unknown): unknown }

export interface World {
  token: Reply
  discovery: (base: string) => object
  keys: object[]
}

export const discovery = (base: string) => ({
  issuer: `${base}/{tenantid}/v2.0`,
  jwks_uri: `${base}/organizations/discovery/v2.0/keys`,
  authorization_endpoint: `${base}/organizations/oauth2/v2.0/authorize`,
  token_endpoint: `${base}/organizations/oauth2/v2.0/token`,
})

/** A Microsoft of our own, its token endpoint answering as the test says. */
export async function setUp(t: Test, changes: Partial<MicrosoftOptions> = {}, world: Partial<World> = {}) {
  const clock = manualClock()
  const far: World = {
    token: json(tokenBody()),
    discovery,
    keys: [jwk()],
    ...world,
  }
  const server = await listen(t, (response, seen) => {
    const base = `http://${seen.headers.host}`
    if (seen.path.endsWith('/openid-configuration')) return json(JSON.stringify(far.discovery(base)))(response, seen)
    if (seen.path.endsWith('/keys')) return json(JSON.stringify({ keys: far.keys }))(response, seen)
    return far.token(response, seen)
  })
  const problems: string[] = []
  const microsoft = createMicrosoft({
    loginUrl: server.url,
    tenant: 'organizations',
    allowedTenants: [],
    clientId: CLIENT_ID,
    redirectUri: 'https://audits.megsupportools.com/auth/oauth2/microsoft/callback',
    credentials: [{ kind: 'secret', secret: 'secret~canary.1' }],
    permissions: DEFAULT_SCOPES,
    clock,
    random: fixedRandom(),
    onIdTokenProblem: (problem) => problems.push(problem),
    ...changes,
  })
  t.teardown(() => microsoft.close().catch(() => 'closed by the test'))
  const tokenRequests = (): Seen[] => server.seen.filter(({ path }) => path.endsWith('/token'))
  const metadataRequests = (): number => server.seen.length - tokenRequests().length
  return { microsoft, clock, far, url: server.url, problems, tokenRequests, metadataRequests }
}

/** Answers with an id token made for the address it was asked at. */
export const withIdToken =
  (
    payload: object = {},
    header: object = {},
    changes: object = {},
    key = undefined as Parameters<typeof idToken>[2],
  ): Reply =>
  (response, seen) =>
    json(tokenBody({ id_token: idToken(claims(`http://${seen.headers.host}`, payload), header, key), ...changes }))(
      response,
      seen,
    )
