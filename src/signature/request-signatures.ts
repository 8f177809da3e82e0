import type { RefusedRequest, RequestSignatures, SignedRequest, WireRequest } from '../core/signed-requests.ts'
import type { Callers } from './callers.ts'
import { verifyBody } from './content-digest.ts'
import type { SigningKey } from './keys.ts'
import { replayKey, type NonceMemory } from './nonces.ts'
import { MAX_SKEW_SECONDS, RESPONSE_FIELDS } from './profile.ts'
import { responseKey, signResponse } from './sign.ts'
import { verifyRequest, type VerifiedRequest } from './verify.ts'

export interface RequestSignaturesOptions {
  /** The present callers: the file may change while the process runs. */
  callers(): Callers
  /** As `normalizeAuthority` returns them. */
  authorities: ReadonlySet<string>
  /** Of the internal listener as callers reach it. Configured, never read from the socket: a proxy may end TLS. */
  scheme: 'http' | 'https'
  nonces: NonceMemory
  /** Signs answers to Ed25519 callers. The key may change while the process runs. */
  brokerKey?(): SigningKey | undefined
  /** Milliseconds since the epoch. */
  now(): number
}

/** The port for HTTP: verifier, nonce memory and signer of answers. */
export function createRequestSignatures(options: RequestSignaturesOptions): RequestSignatures {
  const { scheme, authorities, nonces } = options
  return {
    answerFields: RESPONSE_FIELDS,
    check(wire: WireRequest) {
      const now = options.now()
      const verdict = verifyRequest({ ...wire, scheme }, { callers: options.callers(), authorities, now })
      if (verdict.kind === 'verified') return { signed: toSigned(verdict, now) }
      const { code, detail, keyId } = verdict
      const refused: RefusedRequest = { code, detail, ...(keyId === undefined ? {} : { keyId }) }
      return {
        refused: verdict.code === 'clock_skew' ? { ...refused, answerable: toSigned(verdict.request, now) } : refused,
      }
    },
    rememberNonce(signed) {
      const { keyId } = signed.key
      // The time of the freshness check: both agree on the window, even if the clock was set back in between.
      const seen = nonces.remember(keyId, signed.nonce, signed.checkedAtMs)
      if (seen === 'full') return { code: 'rate_limited', detail: 'nonce_memory_full', keyId, answerable: signed }
      return seen === 'replayed' ? { code: 'invalid_signature', detail: 'replayed', keyId } : undefined
    },
    replayKey: ({ key, nonce }) => replayKey(key.keyId, nonce),
    replayTtlSeconds: ({ expires, checkedAtMs }) =>
      Math.max(1, Math.ceil(expires - checkedAtMs / 1000) + MAX_SKEW_SECONDS),
    bodyMatches: ({ covered }, body) => verifyBody(covered, body) === 'matches',
    signAnswer(signed, answer) {
      const key = responseKey(signed, options.brokerKey?.())
      // Start and reload refuse callers without it. A caller must never get used to unsigned answers.
      if (key === undefined && signed.caller.signResponses) throw new TypeError('no key for answers to this caller')
      return key === undefined ? {} : signResponse(answer, signed, key, { now: options.now() })
    },
  }
}

function toSigned(
  { caller, key, nonce, expires, signatureInput, context, covered }: VerifiedRequest,
  now: number,
): SignedRequest {
  return { caller, key, nonce, expires, checkedAtMs: now, signatureInput, context, covered }
}
