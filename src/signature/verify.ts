// Verifies signed requests: RFC 9421 in the profile `token-broker/1` (docs/design.md#signed-requests). It is pure:
// plain data in, a result out; no clock, no network, no framework. It decides whether a signature has the required form
// and is correct. It must not depend on routes, permissions, seen nonces or the bytes of a body: these are checked
// later (docs/security.md#order-of-checks).
//
// Cheap checks of public facts come first. The check of key and signature takes the same time whether the key exists or
// not. The clock comes last, so that only a caller that holds the key learns about our clock.
import { createSecretKey, generateKeyPairSync, randomBytes } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import type { Caller, CallerKey, Callers } from './callers.ts'
import { authorityOf, fieldsOf, requestComponent, signatureBase } from './base.ts'
import type { BaseLine, Fields, RequestMessage } from './base.ts'
import { verifyBody } from './content-digest.ts'
import { CALLER_KEY_ID, signatureMatches } from './keys.ts'
import type { Algorithm } from './keys.ts'
import { BODY_COMPONENTS, CONTEXT_COMPONENT, CONTEXT_FIELD, NONCE, REQUEST_TAG, TARGET_COMPONENTS } from './profile.ts'
import { MAX_LIFETIME_SECONDS, MAX_SIGNATURE_FIELD, MAX_SKEW_SECONDS, MAX_TARGET } from './profile.ts'
import { readSignatureFields } from './signature-fields.ts'
import type { SignatureFieldProblem } from './signature-fields.ts'
import type { ComponentIdentifier, Parameters } from './structured-fields.ts'

/** Why a request was refused, for the log only. Callers see the same answer for all but the last two. */
export type RefusalDetail =
  | 'bad_method'
  | 'bad_target'
  | 'unknown_authority'
  | 'content_encoding'
  | 'ambiguous_length'
  | 'unexpected_body'
  | SignatureFieldProblem
  | 'component_not_allowed'
  | 'component_repeated'
  | 'component_missing'
  | 'component_unresolvable'
  | 'body_missing'
  | 'context_not_covered'
  | 'parameter_not_allowed'
  | 'parameter_missing'
  | 'parameter_invalid'
  | 'wrong_tag'
  | 'lifetime_too_long'
  | 'algorithm_mismatch'
  | 'unknown_key'
  | 'key_not_valid_now'
  | 'wrong_signature'
  | 'created_in_future'
  | 'expired'

/** A request with a correct signature. Its nonce and its body are not checked yet. */
export interface VerifiedRequest {
  readonly kind: 'verified'
  readonly caller: Caller
  readonly key: CallerKey
  /** The whole value of Signature-Input, which the response covers (`"signature-input";req`) */
  readonly signatureInput: string
  readonly nonce: string
  /** Seconds since the epoch */
  readonly created: number
  readonly expires: number
  /** The value of the field Broker-Context */
  readonly context?: string
  /** The covered components and their values: what the caller has proven. A signed response covers them too. */
  readonly covered: readonly BaseLine[]
}

/** The answer to every problem except freshness. `keyId`: as presented, if it has the form of a key id. */
export interface InvalidSignature {
  readonly kind: 'refused'
  readonly code: 'invalid_signature'
  readonly detail: RefusalDetail
  readonly keyId?: string
}

/** The signature is correct and only the clocks differ. `request` is needed to sign the answer. */
export interface ClockSkew {
  readonly kind: 'refused'
  readonly code: 'clock_skew'
  readonly detail: 'created_in_future' | 'expired'
  readonly keyId: string
  readonly caller: Caller
  readonly request: VerifiedRequest
}

export type SignatureRefusal = InvalidSignature | ClockSkew

export interface VerifyOptions {
  readonly callers: Callers
  /** Our own authorities, normalized by normalizeAuthority */
  readonly authorities: ReadonlySet<string>
  /** ms since the epoch */
  readonly now: number
}

/** The parameters of a signature; times in seconds. */
interface Claims {
  readonly created: number
  readonly expires: number
  readonly nonce: string
  readonly keyId: string
}

const NO_BODY = new Uint8Array()
const METHOD = /^[A-Z]{1,16}$/
const TARGET = /^\/[\x21\x22\x24-\x7e]*$/
const FIELD_NAME = /^[!#$%&'*+.^_`|~0-9a-z-]+$/
const FIELD_VALUE = /^[\x20-\x7e]*$/
const LENGTH = /^[0-9]{1,15}$/
const DERIVED: ReadonlySet<string> = new Set(TARGET_COMPONENTS.flat())
const PARAMETERS: ReadonlySet<string> = new Set(['created', 'expires', 'nonce', 'keyid', 'tag', 'alg'])

/**
 * Verifies a request's signature (RFC 9421 section 3.2) and its freshness. Does not throw. For signatures of the same
 * length, an unknown key, a key that is not valid now and a wrong signature cost the same work.
 */
export function verifyRequest(message: RequestMessage, options: VerifyOptions): VerifiedRequest | SignatureRefusal {
  const fields = fieldsOf(message.rawHeaders)
  const problem = checkTarget(message, fields, options.authorities) ?? checkFraming(message, fields)
  if (problem !== undefined) return invalid(problem)

  const signed = readSignatureFields(fields, MAX_SIGNATURE_FIELD)
  if (typeof signed === 'string') return invalid(signed)
  const { input, signature, algorithm, field } = signed

  const claims = readClaims(input.parameters, algorithm)
  if (typeof claims === 'string') return invalid(claims)
  const covered = resolveComponents(input.components, message, fields)
  if (typeof covered === 'string') return invalid(covered, claims.keyId)
  // Without body headers no body is read, and its digest would not be checked. So a removed body is detected here.
  if (!hasBody(fields) && verifyBody(covered, NO_BODY) !== 'matches') return invalid('body_missing', claims.keyId)

  const context = covered.find(([component]) => component === CONTEXT_COMPONENT)?.[1]
  // What a caller says a token is for must be proven, or a proxy on the way could change the audit.
  if (context === undefined && fields.has(CONTEXT_FIELD)) return invalid('context_not_covered', claims.keyId)

  const base = signatureBase(covered, input.value)
  const found = verifyWithKey(options, claims.keyId, algorithm, base, signature)
  if (typeof found === 'string') return invalid(found, claims.keyId)

  const { created, expires, nonce, keyId } = claims
  const request: VerifiedRequest = {
    kind: 'verified',
    ...found,
    signatureInput: field,
    nonce,
    created,
    expires,
    ...(context !== undefined && { context }),
    covered,
  }
  const stale = judgeFreshness(claims, options.now)
  if (stale === undefined) return request
  return { kind: 'refused', code: 'clock_skew', detail: stale, keyId, caller: found.caller, request }
}

function invalid(detail: RefusalDetail, keyId?: string): InvalidSignature {
  return { kind: 'refused', code: 'invalid_signature', detail, ...(keyId !== undefined && { keyId }) }
}

/** Method and target must have their one unambiguous form, and Host must be one of our authorities. */
function checkTarget(
  message: RequestMessage,
  fields: Fields,
  authorities: ReadonlySet<string>,
): RefusalDetail | undefined {
  const { method, target } = message
  if (!METHOD.test(method)) return 'bad_method'
  // No absolute form: Node would pass it on unchanged. A trailing "?" is refused because it has the same @query as no
  // query.
  if (target.length > MAX_TARGET || !TARGET.test(target) || target.indexOf('?') === target.length - 1)
    return 'bad_target'
  const authority = authorityOf(message, fields)
  return authority !== undefined && authorities.has(authority) ? undefined : 'unknown_authority'
}

/** Only a POST may have a body, and its length must be unambiguous. */
function checkFraming({ method }: RequestMessage, fields: Fields): RefusalDetail | undefined {
  const lengths = fields.get('content-length')
  if (fields.has('content-encoding')) return 'content_encoding'
  if (
    lengths !== undefined &&
    (lengths.length > 1 || fields.has('transfer-encoding') || !LENGTH.test(lengths[0] as string))
  ) {
    return 'ambiguous_length'
  }
  return method !== 'POST' && hasBody(fields) ? 'unexpected_body' : undefined
}

function hasBody(fields: Fields): boolean {
  return fields.has('transfer-encoding') || Number(fields.get('content-length')?.[0] ?? 0) > 0
}

function readClaims(parameters: Parameters, algorithm: Algorithm): Claims | RefusalDetail {
  for (const name of parameters.keys()) if (!PARAMETERS.has(name)) return 'parameter_not_allowed'
  const created = parameters.get('created')
  const expires = parameters.get('expires')
  const nonce = parameters.get('nonce')
  const keyId = parameters.get('keyid')
  const tag = parameters.get('tag')
  const alg = parameters.get('alg')
  if (
    created === undefined ||
    expires === undefined ||
    nonce === undefined ||
    keyId === undefined ||
    tag === undefined
  ) {
    return 'parameter_missing'
  }
  if (tag !== REQUEST_TAG) return 'wrong_tag'
  if (typeof created !== 'number' || typeof expires !== 'number') return 'parameter_invalid'
  if (typeof nonce !== 'string' || !NONCE.test(nonce)) return 'parameter_invalid'
  if (typeof keyId !== 'string' || !CALLER_KEY_ID.test(keyId)) return 'parameter_invalid'
  if (expires <= created || expires - created > MAX_LIFETIME_SECONDS) return 'lifetime_too_long'
  // The algorithm follows from the signature's length and is later compared with the key's, so `alg` must match both.
  if (alg !== undefined && alg !== algorithm) return 'algorithm_mismatch'
  return { created, expires, nonce, keyId }
}

/** The covered components with their values. All must be allowed and have exactly one value; none may be missing. */
function resolveComponents(
  components: readonly ComponentIdentifier[],
  message: RequestMessage,
  fields: Fields,
): readonly BaseLine[] | RefusalDetail {
  const names = new Set<string>()
  const lines: BaseLine[] = []
  for (const { name, parameters, text } of components) {
    if (parameters.size > 0 || !isAllowed(name)) return 'component_not_allowed'
    if (names.has(name)) return 'component_repeated'
    names.add(name)
    const single = name.startsWith('@') || fields.get(name)?.length === 1
    const value = single ? requestComponent(message, fields, name) : undefined
    if (value === undefined || !FIELD_VALUE.test(value)) return 'component_unresolvable'
    lines.push([text, value])
  }
  const target = TARGET_COMPONENTS.some((set) => set.every((name) => names.has(name)))
  const body = !hasBody(fields) || BODY_COMPONENTS.every((name) => names.has(name))
  return target && body ? lines : 'component_missing'
}

function isAllowed(name: string): boolean {
  if (name.startsWith('@')) return DERIVED.has(name)
  return FIELD_NAME.test(name) && name !== 'signature' && name !== 'signature-input'
}

/**
 * Used in place of a key that does not exist, so that an unknown key takes as long as a wrong signature. Their result
 * is ignored.
 */
const DUMMY_KEYS: Record<Algorithm, KeyObject> = {
  'hmac-sha256': createSecretKey(randomBytes(32)),
  ed25519: generateKeyPairSync('ed25519').publicKey,
}

/** The key and its caller, if the key exists, has this algorithm, is valid now, and the signature is correct. */
function verifyWithKey(
  { callers, now }: VerifyOptions,
  keyId: string,
  algorithm: Algorithm,
  base: string,
  signature: Uint8Array,
): { caller: Caller; key: CallerKey } | RefusalDetail {
  const found = callers.byKeyId.get(keyId)
  const sameAlgorithm = found?.key.algorithm === algorithm
  const key = sameAlgorithm ? found.key.key : DUMMY_KEYS[algorithm]
  const matches = signatureMatches({ algorithm, key }, base, signature)
  if (found === undefined) return 'unknown_key'
  if (!sameAlgorithm) return 'algorithm_mismatch'
  if (!matches) return 'wrong_signature'
  return now >= found.key.notBefore && now < found.key.notAfter ? found : 'key_not_valid_now'
}

/** `created` may be at most 5 s in the future, `expires` less than 5 s in the past; both are seconds. */
function judgeFreshness({ created, expires }: Claims, nowMs: number): 'created_in_future' | 'expired' | undefined {
  if (created * 1000 > nowMs + MAX_SKEW_SECONDS * 1000) return 'created_in_future'
  return expires * 1000 > nowMs - MAX_SKEW_SECONDS * 1000 ? undefined : 'expired'
}
