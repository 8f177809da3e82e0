// Names and limits of the profile `token-broker/1`: what both sides agree on in addition to RFC 9421
// (docs/design.md#signed-requests).

export const REQUEST_TAG = 'token-broker/1'
export const RESPONSE_TAG = 'token-broker-response/1'

/** A signature is valid for at most this long, in seconds. */
export const MAX_LIFETIME_SECONDS = 60
/** How far the two clocks may differ, in seconds. */
export const MAX_SKEW_SECONDS = 5
/**
 * How long after its first arrival a request can still be accepted, in ms: created up to 5 s ahead, 60 s, 5 s of skew.
 */
export const ACCEPTED_FOR_MS = (MAX_LIFETIME_SECONDS + 2 * MAX_SKEW_SECONDS) * 1000

/** Limits in characters. */
export const MAX_SIGNATURE_FIELD = 1024
/** Longer, because a response also lists the components of the request, each with `;req`. */
export const MAX_RESPONSE_SIGNATURE_FIELD = 4096
export const MAX_TARGET = 2048

export const NONCE = /^[A-Za-z0-9_-]{22,64}$/

/** Two ways to cover the target of a request. A signature needs all components of one of them. */
export const TARGET_COMPONENTS = [
  ['@method', '@authority', '@path', '@query'],
  ['@method', '@target-uri'],
] as const
/** Covered in addition when a request says what it is for (docs/design.md#audit). */
export const CONTEXT_FIELD = 'broker-context'
export const CONTEXT_COMPONENT = `"${CONTEXT_FIELD}"`
/** Covered in addition when a request has a body. */
export const BODY_COMPONENTS = ['content-digest', 'content-type'] as const
/** Fields that the signature of a response covers if they are present, besides `@status` and `content-digest`. */
export const RESPONSE_FIELDS = ['content-type', 'cache-control', 'retry-after', 'date'] as const
