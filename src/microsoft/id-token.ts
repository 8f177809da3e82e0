import { createPublicKey, verify } from 'node:crypto'
import type { JsonWebKey, KeyObject } from 'node:crypto'
import type { Account } from '../core/integration.ts'
import { isGuid, readObject } from './answer.ts'

/**
 * Who signed in: checks of Microsoft's id token (OpenID Connect Core 3.1.3.7, entra.md 7). Pure; keys and time come in.
 */

/** Every way an id token can fail. The last two are about the account, the others about the proof. */
export const ID_TOKEN_PROBLEMS = [
  'missing',
  'malformed',
  'algorithm',
  'unknown_key',
  'key_issuer',
  'signature',
  'issuer',
  'audience',
  'expired',
  'not_yet_valid',
  'nonce',
  'tenant',
  'object',
  'account_type_not_allowed',
  'tenant_not_allowed',
] as const
export type IdTokenProblem = (typeof ID_TOKEN_PROBLEMS)[number]

export interface SigningKey {
  key: KeyObject
  /** The JWKS entry's own issuer, a template or one tenant's; Microsoft gives it with every key. */
  issuer?: string
}

export interface IdTokenRules {
  /** `https://login…/{tenantid}/v2.0`, or one tenant's issuer (entra.md 1.1). */
  issuer: string
  clientId: string
  /** The configured tenant segment: `organizations`, `consumers`, `common`, a GUID or a domain. */
  tenant: string
  /** Empty: any. */
  allowedTenants: readonly string[]
  /** Milliseconds since the epoch. */
  now: number
}

export type IdTokenResult = { account: Account } | { problem: IdTokenProblem }

/** The tenant of personal Microsoft accounts (entra.md 1). */
export const PERSONAL_TENANT = '9188040d-6c67-4c5b-b112-36a304b66dad'
/** Seconds our clock and Microsoft's may differ. */
const SKEW = 300
const MIN_RSA_BITS = 2048
const BASE64URL = /^[A-Za-z0-9_-]+$/

/** Microsoft's answer is signed with RS256 only (discovery, `id_token_signing_alg_values_supported`). Undefined: not such a key. */
export function importSigningKey(jwk: Record<string, unknown>): SigningKey | undefined {
  if (jwk['kty'] !== 'RSA' || (jwk['use'] !== undefined && jwk['use'] !== 'sig')) return undefined
  try {
    const key = createPublicKey({ key: { kty: 'RSA', n: jwk['n'], e: jwk['e'] } as JsonWebKey, format: 'jwk' })
    if ((key.asymmetricKeyDetails?.modulusLength ?? 0) < MIN_RSA_BITS) return undefined
    return { key, ...(typeof jwk['issuer'] === 'string' && { issuer: jwk['issuer'] }) }
  } catch {
    return undefined
  }
}

/** The `kid` the token names; undefined where its header cannot be read. */
export function keyIdOf(idToken: string): string | undefined {
  const kid = decode(idToken.split('.', 1)[0])?.['kid']
  return typeof kid === 'string' && kid.length <= 200 ? kid : undefined
}

/**
 * Verifies the id token of a code exchange: signature, issuer, audience, times, nonce, tenant, object. The signature would be
 * optional, since the token comes straight from Microsoft over TLS (3.1.3.7 item 6); checking it costs 50 µs once per connect.
 */
export function verifyIdToken(
  idToken: string,
  rules: IdTokenRules & { nonce: string },
  keys: ReadonlyMap<string, SigningKey>,
): IdTokenResult {
  const parts = idToken.split('.')
  const [header, payload, signature] = parts
  const head = decode(header)
  if (parts.length !== 3 || !head || !signature || !BASE64URL.test(signature)) return { problem: 'malformed' }
  if (head['alg'] !== 'RS256' || head['crit'] !== undefined) return { problem: 'algorithm' }
  const key = typeof head['kid'] === 'string' ? keys.get(head['kid']) : undefined
  if (!key) return { problem: 'unknown_key' }
  if (!verify('sha256', Buffer.from(`${header}.${payload}`), key.key, Buffer.from(signature, 'base64url')))
    return { problem: 'signature' }

  const claims = decode(payload)
  if (!claims) return { problem: 'malformed' }
  const result = checkClaims(claims, rules)
  if ('problem' in result) return result
  const { exp, nbf } = claims
  const now = rules.now / 1000
  if (typeof exp !== 'number' || !(exp > now - SKEW)) return { problem: 'expired' }
  if (nbf !== undefined && !(typeof nbf === 'number' && nbf < now + SKEW)) return { problem: 'not_yet_valid' }
  // A key of the personal accounts' issuer must not vouch for a work account (entra.md 7).
  if (key.issuer !== undefined && forTenant(key.issuer, result.account.tenantId) !== claims['iss'])
    return { problem: 'key_issuer' }
  if (claims['nonce'] !== rules.nonce) return { problem: 'nonce' }
  return result
}

/**
 * Reads the account from a refresh's id token. Whom it names is checked; its signature, nonce and times are not: it comes straight
 * from Microsoft over TLS (OpenID Connect Core 3.1.3.7 item 6), has no nonce guarantee (12.2), and a refresh must depend neither on
 * JWKS nor on this machine's clock.
 */
export function readIdToken(idToken: string, rules: Omit<IdTokenRules, 'now'>): IdTokenResult {
  const parts = idToken.split('.')
  const claims = decode(parts[1])
  if (parts.length !== 3 || !claims) return { problem: 'malformed' }
  return checkClaims(claims, rules)
}

function checkClaims(claims: Record<string, unknown>, rules: Omit<IdTokenRules, 'now'>): IdTokenResult {
  const { tid, oid, iss, aud } = claims
  if (typeof tid !== 'string' || !isGuid(tid)) return { problem: 'tenant' }
  if (typeof oid !== 'string' || !isGuid(oid)) return { problem: 'object' }
  if (iss !== forTenant(rules.issuer, tid)) return { problem: 'issuer' }
  if (typeof aud !== 'string' || aud.toLowerCase() !== rules.clientId.toLowerCase()) return { problem: 'audience' }
  const tenantId = tid.toLowerCase()
  const tenant = rules.tenant.toLowerCase()
  if (
    (tenant === 'organizations' && tenantId === PERSONAL_TENANT) ||
    (tenant === 'consumers' && tenantId !== PERSONAL_TENANT)
  ) {
    return { problem: 'account_type_not_allowed' }
  }
  const allowed = rules.allowedTenants.map((id) => id.toLowerCase())
  if ((isGuid(tenant) && tenantId !== tenant) || (allowed.length > 0 && !allowed.includes(tenantId))) {
    return { problem: 'tenant_not_allowed' }
  }
  const username = readName(claims['preferred_username'])
  const displayName = readName(claims['name'])
  return {
    account: {
      tenantId,
      objectId: oid.toLowerCase(),
      ...(username !== undefined && { username }),
      ...(displayName !== undefined && { displayName }),
    },
  }
}

function forTenant(template: string, tenantId: string): string {
  return template.replace('{tenantid}', tenantId)
}

// Names are only shown: shortened, without control and bidirectional formatting characters.
function readName(value: unknown): string | undefined {
  if (typeof value !== 'string') return undefined
  const name = value
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '')
    .trim()
    .slice(0, 256)
  return name === '' ? undefined : name
}

function decode(part: string | undefined): Record<string, unknown> | undefined {
  return part !== undefined && BASE64URL.test(part)
    ? readObject(Buffer.from(part, 'base64url').toString('utf8'))
    : undefined
}
