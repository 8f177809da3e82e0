/**
 * Continuous access evaluation, as recorded (docs/microsoft.md#claims-challenges): when Graph challenges a token that
 * has not expired, and how.
 */
import type { AccessToken } from './access-tokens.ts'
import type { Account } from './accounts.ts'
import { graphAppId } from './scopes.ts'
import type { World } from './world.ts'

/** What Graph says of a token that is no longer good. */
export interface GraphChallenge {
  status: number
  code: string
  message: string
  headers: Record<string, string>
}

/** Undefined: Graph takes the token. Without cp1 an access token outlives all of this, as at Microsoft. */
export function challengeFor(world: World, account: Account, token: AccessToken): GraphChallenge | undefined {
  const now = world.clock.now()
  if (world.board.take('cae_challenge', [account.username, account.objectId]))
    return challenge(world, 'TokenIssuedBeforeRevocationTimestamp', world.revocations.validFrom(account) || now)
  if (!token.cp1) return undefined
  const disabledSince = world.policies.disabledSince(account)
  if (disabledSince !== undefined) return challenge(world, 'UserAccountDisabled', disabledSince)
  if (token.epoch < world.revocations.epoch(account))
    return challenge(world, 'TokenIssuedBeforeRevocationTimestamp', world.revocations.validFrom(account))
  const network = world.policies.network(account)
  if (network !== undefined && !token.anywhere && !network.allowed.includes(network.graphSees))
    return challenge(world, 'LocationConditionEvaluationSatisfied', now, network.graphSees)
  return undefined
}

/** `since` in milliseconds: tokens issued before it are no longer good. `address`: from where Graph saw the client. */
function challenge(world: World, why: string, since: number, address?: string): GraphChallenge {
  const nbf = `"nbf":{"essential":true, "value":"${Math.floor(since / 1000)}"}`
  const from = address === undefined ? '' : `,"xms_rp_ipaddr":{"value":"${address}"}`
  const parts = [
    'Bearer realm=""',
    `authorization_uri="${world.url}/common/oauth2/authorize"`,
    `client_id="${graphAppId}"`,
    'error="insufficient_claims"',
    `claims="${Buffer.from(`{"access_token":{${nbf}${from}}}`).toString('base64')}"`,
  ]
  return {
    status: 401,
    code: 'InvalidAuthenticationToken',
    message: `Continuous access evaluation resulted in claims challenge with result: InteractionRequired and code: ${why}`,
    headers: { 'WWW-Authenticate': parts.join(', ') },
  }
}

/** What `claims` of a token request ask for. */
export interface AskedClaims {
  cp1: boolean
  /** From where Graph saw the client. */
  graphAddress?: string
}

/** Texts that are no JSON ask for nothing. The letters of cp1 have no case (docs/microsoft.md#claims-challenges). */
export function readAskedClaims(claims: string | undefined): AskedClaims {
  try {
    const { access_token: asked } = JSON.parse(claims ?? '{}') as {
      access_token?: { xms_cc?: { values?: unknown }; xms_rp_ipaddr?: { value?: unknown } }
    }
    const capabilities = asked?.xms_cc?.values
    const address = asked?.xms_rp_ipaddr?.value
    return {
      cp1: Array.isArray(capabilities) && capabilities.some((value) => String(value).toLowerCase() === 'cp1'),
      ...(typeof address === 'string' && { graphAddress: address }),
    }
  } catch {
    return { cp1: false }
  }
}
