// Signing: requests (for the sandbox's MEGDocs, benchmarks and tests) and the broker's responses.
import { randomBytes } from 'node:crypto'
import { fieldsOf, normalizeAuthority, requestComponent, signatureBase } from './base.ts'
import type { BaseLine, RequestMessage } from './base.ts'
import type { Caller } from './callers.ts'
import { contentDigest } from './content-digest.ts'
import { createSignature } from './keys.ts'
import type { SigningKey } from './keys.ts'
import {
  BODY_COMPONENTS,
  CONTEXT_FIELD,
  REQUEST_TAG,
  RESPONSE_FIELDS,
  RESPONSE_TAG,
  TARGET_COMPONENTS,
} from './profile.ts'
import { serializeSignatureParams } from './structured-fields.ts'
import type { VerifiedRequest } from './verify.ts'

/** A request as a caller is about to send it, or has sent it. */
export interface OutgoingRequest {
  readonly method: string
  /** Absolute. It must be sent exactly as it is here. */
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
}

export interface SignRequestOptions {
  /** ms since the epoch */
  readonly now: number
  /** 22 to 64 characters of base64url, never used before. Default: 128 random bits. */
  readonly nonce?: string
  /** At most 60. Default: 30. */
  readonly expiresInSeconds?: number
}

/** A response as it will be sent; header names in lower case, Content-Digest not among them. */
export interface OutgoingResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | Uint8Array
}

const ABSOLUTE_URL = /^(https?):\/\/([^/?#@\s]+)(\/[^#\s]*)?$/i

/**
 * Headers to add to a request: `content-digest` if it has a body, `signature-input`, `signature`. Sign each attempt
 * again: a repeated signature is refused as a replay. Throws TypeError for a URL that is not absolute and for a body
 * without content-type.
 */
export function signRequest(
  request: OutgoingRequest,
  key: SigningKey,
  options: SignRequestOptions,
): Record<string, string> {
  const { body, headers = {} } = request
  const digest = body === undefined ? {} : { 'content-digest': contentDigest(body) }
  const message = toMessage({ ...request, headers: { ...headers, ...digest } })
  const fields = fieldsOf(message.rawHeaders)
  const names: readonly string[] = [
    ...TARGET_COMPONENTS[0],
    ...(fields.has(CONTEXT_FIELD) ? [CONTEXT_FIELD] : []),
    ...(body === undefined ? [] : BODY_COMPONENTS),
  ]
  const lines = names.map((name): BaseLine => {
    const value = requestComponent(message, fields, name)
    if (value === undefined) throw new TypeError(`the request has no single ${name} to sign`)
    return [`"${name}"`, value]
  })
  const created = Math.floor(options.now / 1000)
  const signature = signLines(lines, key, {
    created,
    expires: created + (options.expiresInSeconds ?? 30),
    nonce: options.nonce ?? randomBytes(16).toString('base64url'),
    keyid: key.keyId,
    tag: REQUEST_TAG,
  })
  return { ...digest, ...signature }
}

/**
 * Headers to add to a response: `content-digest`, `signature-input`, `signature`. The signature covers the status, the
 * RESPONSE_FIELDS that are present, everything that the request's signature covered, and the request's Signature-Input
 * (RFC 9421 section 2.4). So nobody can present it as the answer to another request. `now` in ms. Set `date` only where
 * it must be covered: some proxies replace it.
 */
export function signResponse(
  response: OutgoingResponse,
  request: Pick<VerifiedRequest, 'covered' | 'signatureInput'>,
  key: SigningKey,
  options: { readonly now: number },
): Record<string, string> {
  const digest = contentDigest(response.body)
  const lines: BaseLine[] = [
    ['"@status"', String(response.status)],
    ['"content-digest"', digest],
  ]
  for (const name of RESPONSE_FIELDS) {
    const value = response.headers[name]
    if (value !== undefined) lines.push([`"${name}"`, value])
  }
  for (const [identifier, value] of request.covered) lines.push([`${identifier};req`, value])
  lines.push(['"signature-input";req', request.signatureInput])
  const created = Math.floor(options.now / 1000)
  return { 'content-digest': digest, ...signLines(lines, key, { created, keyid: key.keyId, tag: RESPONSE_TAG }) }
}

/**
 * The key for answers to this request (docs/design.md#answers-are-signed): the caller's own for HMAC, the broker's for
 * Ed25519. Undefined: do not sign, because the caller does not want it or the broker has no key of its own.
 */
export function responseKey(
  request: { readonly caller: Pick<Caller, 'signResponses'>; readonly key: SigningKey },
  brokerKey: SigningKey | undefined,
): SigningKey | undefined {
  if (!request.caller.signResponses) return undefined
  return request.key.algorithm === 'hmac-sha256' ? request.key : brokerKey
}

/**
 * The request as the other side will receive it. The URL is cut, not parsed, so that exactly what is sent is signed.
 */
export function toMessage({ method, url, headers = {} }: OutgoingRequest): RequestMessage {
  const match = ABSOLUTE_URL.exec(url)
  if (match === null)
    throw new TypeError('expected an absolute http or https URL without user information and fragment')
  const [, protocol = '', host = '', target = '/'] = match
  const scheme = protocol.toLowerCase() === 'https' ? 'https' : 'http'
  return {
    method,
    target,
    scheme,
    rawHeaders: ['host', normalizeAuthority(host, scheme), ...Object.entries(headers).flat()],
  }
}

function signLines(
  lines: readonly BaseLine[],
  key: SigningKey,
  parameters: Record<string, string | number>,
): { 'signature-input': string; signature: string } {
  const identifiers = lines.map(([identifier]) => identifier)
  const params = serializeSignatureParams(identifiers, parameters)
  const signature = createSignature(key, signatureBase(lines, params))
  return { 'signature-input': `sig1=${params}`, signature: `sig1=:${signature}:` }
}
