import type { KeyObject } from 'node:crypto'
import type { CallerPermission } from './caller-permissions.ts'

// The port for signed requests: what http needs of src/signature. Types only, joined in services.ts.

/** A request as it arrived. */
export interface WireRequest {
  method: string
  /** Raw request target. */
  target: string
  /** Node's `rawHeaders`. */
  rawHeaders: readonly string[]
}

/** A request whose signature is valid: plain data. `RequestSignatures` has the functions that use it. */
export interface SignedRequest {
  readonly caller: {
    readonly name: string
    readonly permissions: ReadonlySet<CallerPermission>
    /** The nonces of its GETs too are checked against all replicas. */
    readonly strictReplay: boolean
    readonly signResponses: boolean
  }
  readonly key: { readonly keyId: string; readonly algorithm: 'hmac-sha256' | 'ed25519'; readonly key: KeyObject }
  readonly nonce: string
  /** Seconds since the epoch. */
  readonly expires: number
  /** The time that `expires` was compared with, in milliseconds since the epoch. */
  readonly checkedAtMs: number
  /** The whole value of its Signature-Input field. */
  readonly signatureInput: string
  /** The field Broker-Context, which the signature covers where it is present. Its form is not checked yet. */
  readonly context?: string | undefined
  /** The covered components with their values. */
  readonly covered: readonly (readonly [component: string, value: string])[]
}

export interface RefusedRequest {
  code: 'invalid_signature' | 'clock_skew' | 'rate_limited'
  /** For the log only. */
  detail: string
  keyId?: string
  /** The signature is valid, so the answer can be signed. Never set for a nonce that was seen before. */
  answerable?: SignedRequest
}

/**
 * Signatures of requests and answers (docs/design.md#signed-requests). Every function is synchronous. Only `signAnswer`
 * throws: if the answer must be signed and there is no key for it.
 */
export interface RequestSignatures {
  /** The header fields that the signature of an answer covers where the answer has them; lower case. */
  readonly answerFields: readonly string[]
  check(request: WireRequest): { signed: SignedRequest } | { refused: RefusedRequest }
  /** Remembers the nonce at this replica. Returns the refusal if it was seen before, or if the memory is full. */
  rememberNonce(signed: SignedRequest): RefusedRequest | undefined
  /** The key of the nonce in the table that all replicas share. */
  replayKey(signed: SignedRequest): Buffer
  /** Seconds that the table must keep it: until the request can no longer be accepted. */
  replayTtlSeconds(signed: SignedRequest): number
  /**
   * Whether these raw bytes have the signed digest (RFC 9530): at least one sha-256 or sha-512, and every one of them
   * matches.
   */
  bodyMatches(signed: SignedRequest, body: Buffer): boolean
  /**
   * The header fields that sign an answer to this request; none if the caller wants none. `headers`: those of
   * `answerFields`.
   */
  signAnswer(
    signed: SignedRequest,
    answer: { status: number; headers: Record<string, string>; body: string | Buffer },
  ): Record<string, string>
}
