/**
 * The two grants of the token endpoint: what is checked, in which order, and the answer
 * (docs/microsoft.md#refresh-tokens).
 */
import { createHash } from 'node:crypto'
import { admits, isPersonal } from './accounts.ts'
import type { Account, Audience } from './accounts.ts'
import { issueAccessToken } from './access-tokens.ts'
import { longTimestamp } from './answers.ts'
import { readAskedClaims } from './cae.ts'
import { codeLifetime } from './codes.ts'
import type { IssuedCode } from './codes.ts'
import { aadstsCases, personalScopeRefusal, Refusal } from './errors.ts'
import { required } from './form.ts'
import { issueIdToken } from './id-token.ts'
import type { IdTokenFault } from './misbehaviour.ts'
import { refreshTokenIdleLimit, writeRefreshToken } from './refresh-tokens.ts'
import type { RefreshToken } from './refresh-tokens.ts'
import { echoScopes, readScopes } from './scopes.ts'
import type { RequestedScopes } from './scopes.ts'
import type { World } from './world.ts'

type Form = ReadonlyMap<string, string>

const ONE_HOUR = 3_600

/** From here on an answer says in `refresh_in` when to refresh (docs/microsoft.md#token-response). */
const LONG_TOKEN_SECONDS = 7_200

export interface Faults {
  idToken?: IdTokenFault | undefined
  noRefreshToken?: boolean
  expiresInString?: boolean
}

export interface TokenResponse {
  token_type: 'Bearer'
  scope: string
  expires_in: number | string
  ext_expires_in: number | string
  refresh_in?: number
  access_token: string
  refresh_token?: string
  id_token?: string
  client_info?: string
}

export async function redeemCode(
  world: World,
  form: Form,
  audience: Audience,
  code: IssuedCode | undefined,
  faults: Faults,
): Promise<TokenResponse> {
  required(form, 'code')
  if (!code || code.clientId !== world.app.clientId) throw new Refusal(9002313, { error: 'invalid_grant' })
  const redirectUri = required(form, 'redirect_uri')
  if (code.audience !== audience.key) throw new Refusal(700005)
  if (code.redeemed) throw new Refusal(54005)
  if (world.clock.now() - code.issuedAt >= codeLifetime) throw new Refusal(70008)
  if (redirectUri !== code.redirectUri) throw new Refusal(500112)
  checkVerifier(code, form.get('code_verifier'))
  if (world.policies.disabledSince(code.account) !== undefined) throw new Refusal(50057)
  checkNotRevoked(world, code.account, code.epoch, code.issuedAt)
  const asked = form.get('scope') === undefined ? code.scopes : readScopes(form.get('scope') ?? '')
  checkConsent(world, code.account, asked.graph)
  code.redeemed = true
  return answer(world, form, {
    account: code.account,
    asked,
    granted: code.scopes.graph,
    nonce: code.nonce,
    clientInfo: code.clientInfo,
    successor: true,
    faults,
  })
}

export async function refresh(
  world: World,
  form: Form,
  audience: Audience,
  token: RefreshToken | undefined,
  faults: Faults,
): Promise<TokenResponse> {
  required(form, 'refresh_token')
  const account = token && world.directory.find(token.objectId)
  if (!token || token.clientId !== world.app.clientId)
    throw new Refusal(9002313, { error: 'invalid_grant', suberror: 'bad_token' })
  if (!account) throw new Refusal(50034)
  if (!admits(audience, account)) throw new Refusal(50020, { error: 'invalid_grant' })
  const now = world.clock.now()
  const uses = world.refreshTokenUses
  if (world.policies.disabledSince(account) !== undefined) throw new Refusal(50057)
  if (uses.isSpent(token.id)) throw new Refusal(70000, { suberror: 'bad_token' })
  checkNotRevoked(world, account, token.epoch, token.issuedAt)
  if (now - Math.max(token.issuedAt, uses.lastUsed(token.id)) >= refreshTokenIdleLimit) {
    const issued = `issued on ${longTimestamp(token.issuedAt)} and`
    throw new Refusal(700082, { text: aadstsCases[700082]?.text.replace(/issued on \S+ and/, issued) ?? '' })
  }
  const given = form.get('scope')
  const asked: RequestedScopes =
    given === undefined
      ? {
          openid: token.openid,
          profile: token.openid,
          email: token.openid,
          offline: true,
          graph: token.scopes,
          form: 'short',
        }
      : readScopes(given)
  const held = new Set([...token.scopes, ...world.consents.of(account)])
  if (!asked.graph.every((scope) => held.has(scope)) || !world.consents.stands(account, asked.graph))
    throw notConsented(account)
  const successor = world.settings.rotation !== 'none_returned'
  if (world.settings.rotation === 'strict') uses.spend(token.id)
  else if (!successor || faults.noRefreshToken) uses.touch(token.id, now)
  return answer(world, form, {
    account,
    asked,
    granted: token.scopes,
    nonce: undefined,
    clientInfo: false,
    successor,
    faults,
  })
}

function notConsented(account: Account): Refusal {
  if (!isPersonal(account)) return new Refusal(65001)
  return new Refusal(70000, { text: personalScopeRefusal })
}

function checkConsent(world: World, account: Account, scopes: readonly string[]): void {
  if (!world.consents.covers(account, scopes)) throw notConsented(account)
}

function checkVerifier(code: IssuedCode, verifier: string | undefined): void {
  if (code.challenge === undefined && verifier === undefined) return
  const made =
    code.challengeMethod === 'plain'
      ? verifier
      : createHash('sha256')
          .update(verifier ?? '')
          .digest('base64url')
  if (verifier === undefined || made !== code.challenge) throw new Refusal(501481)
}

function checkNotRevoked(world: World, account: Account, epoch: number, issuedAt: number): void {
  if (epoch >= world.revocations.epoch(account)) return
  const validFrom = longTimestamp(world.revocations.validFrom(account))
  const text = aadstsCases[50173]?.text
    .replace(/issued on '[^']*'/, `issued on '${longTimestamp(issuedAt)}'`)
    .replace(/user is '[^']*'/, `user is '${validFrom}'`)
  throw new Refusal(50173, { text: text ?? '' })
}

interface Granting {
  account: Account
  asked: RequestedScopes
  granted: readonly string[]
  nonce: string | undefined
  clientInfo: boolean
  /** Whether a refresh token may be returned at all. */
  successor: boolean
  faults: Faults
}

async function answer(world: World, form: Form, granting: Granting): Promise<TokenResponse> {
  const { account, asked, faults } = granting
  // Everything the user once approved for Graph comes back, also what this request did not ask for.
  const everything = [...new Set([...asked.graph, ...granting.granted, ...world.consents.of(account)])]
  const scopes = everything.filter((scope) => !account.withheldScopes?.includes(scope))
  const { cp1, graphAddress } = readAskedClaims(form.get('claims'))
  const anywhere = mayAskFrom(world, account, graphAddress) === 'anywhere'
  const lifetime =
    world.settings.lifetime ??
    (anywhere ? ONE_HOUR : cp1 ? world.random.between(72_000, 100_800) : world.random.between(3600, 5399))
  const expiresIn = faults.expiresInString ? String(lifetime) : lifetime
  const idToken = asked.openid
    ? await issueIdToken(world, {
        account,
        profile: asked.profile,
        email: asked.email,
        nonce: granting.nonce,
        fault: faults.idToken,
      })
    : undefined
  const response: TokenResponse = {
    token_type: 'Bearer',
    scope: echoScopes(scopes, asked.form, isPersonal(account), world.random),
    expires_in: expiresIn,
    ext_expires_in: expiresIn,
    ...(lifetime >= LONG_TOKEN_SECONDS && { refresh_in: Math.floor(lifetime / 2) }),
    access_token: issueAccessToken(world, account, { scopes, cp1, anywhere, lifetime }),
  }
  if (asked.offline && granting.successor && !faults.noRefreshToken) {
    response.refresh_token = writeRefreshToken(world.sealer, account, {
      clientId: world.app.clientId,
      issuedAt: world.clock.now(),
      scopes: everything,
      openid: asked.openid,
      epoch: world.revocations.epoch(account),
    })
  }
  if (idToken !== undefined) response.id_token = idToken
  if (granting.clientInfo || form.get('client_info') === '1') response.client_info = clientInfo(account)
  return response
}

/**
 * The places of an account's network policy. The token endpoint's own view must be allowed. If Graph's is not, strict
 * enforcement refuses; otherwise one token of an hour is issued, for which the place does not count.
 */
function mayAskFrom(world: World, account: Account, graphAddress: string | undefined): 'allowed' | 'anywhere' {
  const network = world.policies.network(account)
  if (network === undefined) return 'allowed'
  if (!network.allowed.includes(network.signInSees)) throw new Refusal(53003)
  if (graphAddress === undefined || network.allowed.includes(graphAddress)) return 'allowed'
  if (network.strict) throw new Refusal(53003)
  return 'anywhere'
}

export function clientInfo(account: Account): string {
  return Buffer.from(JSON.stringify({ uid: account.objectId, utid: account.tenantId })).toString('base64url')
}
