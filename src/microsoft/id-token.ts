import { createLocalJWKSet, decodeJwt, decodeProtectedHeader, errors, jwtVerify } from 'jose'
import type { JWK } from 'jose'
import { PERSONAL_TENANT, type Account } from '../core/integration.ts'
import { isGuid } from './answer.ts'

/**
 * Who signed in: checks of Microsoft's id token (OpenID Connect Core section 3.1.3.7, docs/microsoft.md#id-token). jose
 * checks the signature and the times; the tenant rules are ours. Pure; keys and time come in.
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
  'authorized_party',
  'expired',
  'not_yet_valid',
  'nonce',
  'tenant',
  'object',
  'account_type_not_allowed',
  'tenant_not_allowed',
] as const
export type IdTokenProblem = (typeof ID_TOKEN_PROBLEMS)[number]

/** Microsoft's signing keys by key id. */
export interface SigningKeys {
  has(keyId: string): boolean
  size: number
  /** The entry's own issuer, a template or one tenant's; Microsoft gives it with every key. */
  issuerOf(keyId: string): string | undefined
  find: ReturnType<typeof createLocalJWKSet>
}

export interface IdTokenRules {
  /** `https://login…/{tenantid}/v2.0`, or one tenant's issuer (docs/microsoft.md#id-token). */
  issuer: string
  clientId: string
  /** The configured tenant segment: `organizations`, `consumers`, `common`, a GUID or a domain. */
  tenant: string
  /** Empty: any. */
  allowedTenants: readonly string[]
  /** Milliseconds since the epoch. */
  now: number
}

/** `loginHint`: the optional claim of that name, for the next sign-in (docs/microsoft.md#prompt-and-login-hint). */
export type IdTokenResult = { account: Account; loginHint?: string } | { problem: IdTokenProblem }

/** How far our clock and Microsoft's may differ. */
const SKEW_SECONDS = 300
/** Microsoft signs with this one only (discovery, `id_token_signing_alg_values_supported`). */
const ALGORITHM = 'RS256'
/** Base64url characters of a modulus of 2048 bits. jose refuses shorter keys only when it verifies with one. */
const MIN_MODULUS_LENGTH = 342
const MAX_KEYS = 100
const MAX_KEY_ID_LENGTH = 200
/** Microsoft calls it opaque. It goes into a URL as it is. */
const LOGIN_HINT = /^[\x21-\x7e]{1,1024}$/

/** The RSA signing keys in the `keys` of a JWKS (RFC 7517 section 5). Undefined: there is none. */
export function readSigningKeys(list: unknown): SigningKeys | undefined {
  const keys = new Map<string, JWK & { kid: string; issuer?: unknown }>()
  for (const jwk of Array.isArray(list) ? list.slice(0, MAX_KEYS) : []) {
    if (isSigningKey(jwk)) keys.set(jwk.kid, jwk)
  }
  if (keys.size === 0) return undefined
  return {
    has: (keyId) => keys.has(keyId),
    size: keys.size,
    issuerOf: (keyId) => {
      const issuer = keys.get(keyId)?.issuer
      return typeof issuer === 'string' ? issuer : undefined
    },
    find: createLocalJWKSet({ keys: [...keys.values()] }),
  }
}

function isSigningKey(jwk: unknown): jwk is JWK & { kid: string } {
  if (typeof jwk !== 'object' || jwk === null) return false
  const { kty, use, kid, n, e } = jwk as Record<string, unknown>
  if (kty !== 'RSA' || (use !== undefined && use !== 'sig') || typeof kid !== 'string') return false
  return typeof n === 'string' && n.length >= MIN_MODULUS_LENGTH && typeof e === 'string'
}

/** The `kid` the token names; undefined where its header cannot be read. */
export function keyIdOf(idToken: string): string | undefined {
  try {
    const { kid } = decodeProtectedHeader(idToken)
    return typeof kid === 'string' && kid.length <= MAX_KEY_ID_LENGTH ? kid : undefined
  } catch {
    return undefined
  }
}

/**
 * Verifies the id token of a code exchange: signature, issuer, audience, times, nonce, tenant, object. The signature
 * would be optional, since the token comes straight from Microsoft over TLS (section 3.1.3.7 item 6); checking it costs
 * little, and only once for each connect.
 */
export async function verifyIdToken(
  idToken: string,
  rules: IdTokenRules & { nonce: string },
  keys: SigningKeys,
): Promise<IdTokenResult> {
  const keyId = keyIdOf(idToken)
  let claims: Record<string, unknown>
  try {
    const verified = await jwtVerify(
      idToken,
      // A token that names no key is not tried with whatever key there is.
      (header, token) =>
        typeof header.kid === 'string' ? keys.find(header, token) : Promise.reject(new errors.JWKSNoMatchingKey()),
      {
        algorithms: [ALGORITHM],
        clockTolerance: SKEW_SECONDS,
        currentDate: new Date(rules.now),
        requiredClaims: ['exp'],
      },
    )
    claims = verified.payload
  } catch (error) {
    // jose reports the times first. But a token of another account must be reported as that, even if it has expired.
    if (!(error instanceof errors.JWTExpired || error instanceof errors.JWTClaimValidationFailed))
      return { problem: problemOf(error) }
    const result = checkClaims(error.payload, rules)
    return 'problem' in result ? result : { problem: problemOf(error) }
  }
  const result = checkClaims(claims, rules)
  if ('problem' in result) return result
  // A key of the personal accounts' issuer must not vouch for a work account (docs/microsoft.md#id-token).
  const issuer = keyId === undefined ? undefined : keys.issuerOf(keyId)
  if (issuer !== undefined && forTenant(issuer, result.account.tenantId) !== claims['iss'])
    return { problem: 'key_issuer' }
  if (claims['nonce'] !== rules.nonce) return { problem: 'nonce' }
  return result
}

/** jose's error as one of ours. */
function problemOf(error: unknown): IdTokenProblem {
  if (error instanceof errors.JOSEAlgNotAllowed || error instanceof errors.JOSENotSupported) return 'algorithm'
  if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys)
    return 'unknown_key'
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'signature'
  if (error instanceof errors.JWTExpired) return 'expired'
  if (error instanceof errors.JWTClaimValidationFailed) return error.claim === 'nbf' ? 'not_yet_valid' : 'expired'
  return 'malformed'
}

/**
 * Reads the account from a refresh's id token. Whom it names is checked; its signature, nonce and times are not: it
 * comes straight from Microsoft over TLS (OpenID Connect Core section 3.1.3.7 item 6), has no nonce guarantee (section
 * 12.2), and a refresh must depend neither on JWKS nor on this machine's clock.
 */
export function readIdToken(idToken: string, rules: Omit<IdTokenRules, 'now'>): IdTokenResult {
  try {
    return checkClaims(decodeJwt(idToken), rules)
  } catch {
    return { problem: 'malformed' }
  }
}

function checkClaims(claims: Record<string, unknown>, rules: Omit<IdTokenRules, 'now'>): IdTokenResult {
  const { tid, oid, iss, aud, azp } = claims
  const isClient = (id: unknown): boolean => typeof id === 'string' && id.toLowerCase() === rules.clientId.toLowerCase()
  if (typeof tid !== 'string' || !isGuid(tid)) return { problem: 'tenant' }
  if (typeof oid !== 'string' || !isGuid(oid)) return { problem: 'object' }
  if (iss !== forTenant(rules.issuer, tid)) return { problem: 'issuer' }
  if (!isClient(aud)) return { problem: 'audience' }
  // If it is there, it must name us (OpenID Connect Core section 3.1.3.7 item 5).
  if (azp !== undefined && !isClient(azp)) return { problem: 'authorized_party' }
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
  const { login_hint: loginHint } = claims
  return {
    account: {
      tenantId,
      objectId: oid.toLowerCase(),
      ...(username !== undefined && { username }),
      ...(displayName !== undefined && { displayName }),
    },
    ...(typeof loginHint === 'string' && LOGIN_HINT.test(loginHint) && { loginHint }),
  }
}

function forTenant(template: string, tenantId: string): string {
  return template.replace('{tenantid}', tenantId)
}

// Names are only shown: shortened, without control characters and bidirectional formatting.
function readName(value: unknown): string | undefined {
  if (typeof value !== 'string') return undefined
  const name = value
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '')
    .trim()
    .slice(0, 256)
  return name === '' ? undefined : name
}
