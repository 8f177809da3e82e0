import type { RefusedRequest, RequestSignatures, SignedRequest, WireRequest } from '../core/ports.ts'
import type { Callers } from './callers.ts'
import { verifyBody } from './content-digest.ts'
import type { SigningKey } from './keys.ts'
import { replayKey, type NonceMemory } from './nonces.ts'
import { MAX_SKEW_SECONDS, RESPONSE_FIELDS } from './profile.ts'
import { responseKey, signResponse } from './sign.ts'
import { verifyRequest, type VerifiedRequest } from './verify.ts'

export interface RequestSignaturesOptions {
  /** The callers of now: the file may change while we run. */
  callers(): Callers
  /** In the form normalizeAuthority gives. */
  authorities: ReadonlySet<string>
  /** Of the internal listener as callers reach it; never taken from the socket (security.md 1.2). */
  scheme: 'http' | 'https'
  nonces: NonceMemory
  /** Signs answers to Ed25519 callers. */
  brokerKey?: SigningKey
  /** Milliseconds since the epoch. */
  now(): number
}

/** Joins verifier, nonces and answers into the port that the HTTP side asks. */
export function createRequestSignatures(options: RequestSignaturesOptions): RequestSignatures {
  function toSigned(request: VerifiedRequest, now: number): SignedRequest {
    const key = responseKey(request, options.brokerKey)
    const signed: SignedRequest = {
      caller: request.caller,
      keyId: request.key.keyId,
      remember() {
        const seen = options.nonces.remember(request.key.keyId, request.nonce, now)
        if (seen === 'full')
          return { code: 'rate_limited', detail: 'nonce_memory_full', keyId: request.key.keyId, answerable: signed }
        return seen === 'replayed' ? replayed(request.key.keyId) : undefined
      },
      replayKey: () => replayKey(request.key.keyId, request.nonce),
      replayTtlSeconds: Math.max(1, Math.ceil(request.expires - now / 1000) + MAX_SKEW_SECONDS),
      bodyMatches: (body) => verifyBody(request.covered, body) === 'matches',
      answerFields: RESPONSE_FIELDS,
      signAnswer: (answer) => (key === undefined ? {} : signResponse(answer, request, key, { now: options.now() })),
    }
    return signed
  }

  return {
    check(wire: WireRequest) {
      const now = options.now()
      const { scheme, authorities } = options
      const verdict = verifyRequest({ ...wire, scheme }, { callers: options.callers(), authorities, now })
      if (verdict.kind === 'refused') {
        const { code, detail, keyId } = verdict
        const refused: RefusedRequest = { code, detail, ...(keyId === undefined ? {} : { keyId }) }
        return {
          refused: verdict.code === 'clock_skew' ? { ...refused, answerable: toSigned(verdict.request, now) } : refused,
        }
      }
      return { signed: toSigned(verdict, now) }
    },
  }
}

const replayed = (keyId: string): RefusedRequest => ({ code: 'invalid_signature', detail: 'replayed', keyId })
