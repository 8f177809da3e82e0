// Verifies a signed response for a caller: the broker made this answer, just now, for the request that the caller sent.
// Used by the sandbox's MEGDocs and by tests; clients/python does the same.
import { fieldsOf, fieldValue, requestComponent, signatureBase } from './base.ts'
import type { BaseLine, Fields, RequestMessage } from './base.ts'
import { verifyContentDigest } from './content-digest.ts'
import type { DigestProblem } from './content-digest.ts'
import { signatureMatches } from './keys.ts'
import type { VerificationKey } from './keys.ts'
import { MAX_LIFETIME_SECONDS, MAX_RESPONSE_SIGNATURE_FIELD, RESPONSE_TAG, TARGET_COMPONENTS } from './profile.ts'
import { toMessage } from './sign.ts'
import type { OutgoingRequest } from './sign.ts'
import { readSignatureFields } from './signature-fields.ts'
import type { ComponentIdentifier, SignatureInput } from './structured-fields.ts'

export type ResponseRefusalDetail =
  | 'unsigned'
  | 'malformed_signature'
  | 'component_not_allowed'
  | 'component_missing'
  | 'component_unresolvable'
  | 'parameter_invalid'
  | 'wrong_tag'
  | 'wrong_key'
  | 'wrong_signature'
  | 'clock_skew'
  | DigestProblem

/**
 * `created`: the broker's clock, in seconds. With `clock_skew` everything else is correct: the caller can adjust its
 * clock by `created` and try once more.
 */
export type ResponseVerdict =
  | { readonly kind: 'verified'; readonly created: number }
  | { readonly kind: 'refused'; readonly detail: ResponseRefusalDetail; readonly created?: number }

/** A response as received: header names in lower case, `body` the raw bytes. */
export interface ReceivedResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  readonly body: Uint8Array
}

const PARAMETERS = ['created', 'keyid', 'tag'] as const

/**
 * Verifies a response against the request as it was sent, including its `signature-input` header, which contains the
 * nonce. `now` in ms; the response may be made at most 60 s before or after. Throws only for a request URL that is not
 * absolute.
 */
export function verifyResponse(
  response: ReceivedResponse,
  request: OutgoingRequest,
  key: VerificationKey,
  options: { readonly now: number },
): ResponseVerdict {
  const fields = fieldsOf(toRawHeaders(response.headers))
  const signed = readSignatureFields(fields, MAX_RESPONSE_SIGNATURE_FIELD)
  if (typeof signed === 'string') return refused(signed === 'missing_signature' ? 'unsigned' : 'malformed_signature')
  const created = readCreated(signed.input, key)
  if (typeof created === 'string') return refused(created)
  const lines = resolveComponents(signed.input.components, response.status, fields, toMessage(request))
  if (typeof lines === 'string') return refused(lines)
  const base = signatureBase(lines, signed.input.value)
  if (!signatureMatches(key, base, signed.signature)) return refused('wrong_signature')
  const digest = verifyContentDigest(fields.get('content-digest') ?? [], response.body)
  if (digest !== 'matches') return refused(digest)
  const fresh = Math.abs(options.now - created * 1000) <= MAX_LIFETIME_SECONDS * 1000
  return fresh ? { kind: 'verified', created } : { ...refused('clock_skew'), created }
}

function refused(detail: ResponseRefusalDetail) {
  return { kind: 'refused', detail } as const
}

function toRawHeaders(headers: ReceivedResponse['headers']): readonly string[] {
  return Object.entries(headers).flatMap(([name, value]) => [value ?? []].flat().flatMap((line) => [name, line]))
}

function readCreated({ parameters }: SignatureInput, key: VerificationKey): number | ResponseRefusalDetail {
  const created = parameters.get('created')
  if (parameters.size !== PARAMETERS.length || !PARAMETERS.every((name) => parameters.has(name)))
    return 'parameter_invalid'
  if (typeof created !== 'number') return 'parameter_invalid'
  if (parameters.get('tag') !== RESPONSE_TAG) return 'wrong_tag'
  return parameters.get('keyid') === key.keyId ? created : 'wrong_key'
}

/**
 * Values from the response, or from the request for components with `;req`. No other component parameter is allowed.
 */
function resolveComponents(
  components: readonly ComponentIdentifier[],
  status: number,
  fields: Fields,
  request: RequestMessage,
): readonly BaseLine[] | ResponseRefusalDetail {
  const requestFields = fieldsOf(request.rawHeaders)
  const identifiers = new Set<string>()
  const lines: BaseLine[] = []
  for (const { name, parameters, text } of components) {
    const ofRequest = parameters.get('req') === true
    if (parameters.size !== (ofRequest ? 1 : 0) || identifiers.has(text)) return 'component_not_allowed'
    const value = ofRequest ? requestComponent(request, requestFields, name) : responseComponent(name, status, fields)
    if (value === undefined) return 'component_unresolvable'
    identifiers.add(text)
    lines.push([text, value])
  }
  return coversEnough(identifiers, fields) ? lines : 'component_missing'
}

function responseComponent(name: string, status: number, fields: Fields): string | undefined {
  if (name === '@status') return String(status)
  return name.startsWith('@') ? undefined : fieldValue(fields, name)
}

function coversEnough(identifiers: ReadonlySet<string>, fields: Fields): boolean {
  const needed = ['"@status"', '"content-digest"', '"signature-input";req']
  if (fields.has('content-type')) needed.push('"content-type"')
  const target = TARGET_COMPONENTS.some((names) => names.every((name) => identifiers.has(`"${name}";req`)))
  return target && needed.every((identifier) => identifiers.has(identifier))
}
