// Content-Digest (RFC 9530 section 2) over a body's raw bytes. A signature covers this field and not the body: without
// this check, the body is not protected (RFC 9421 section 7.2.8).
import { hash } from 'node:crypto'
import type { BaseLine } from './base.ts'
import { parseByteMembers } from './structured-fields.ts'

export type DigestProblem = 'digest_missing' | 'digest_malformed' | 'digest_unsupported' | 'digest_mismatch'

const ALGORITHMS = { 'sha-256': 'sha256', 'sha-512': 'sha512' } as const
/** In characters. */
export const MAX_DIGEST_FIELD = 1024

/** The field's value for this body, `sha-256=:…:`. */
export function contentDigest(body: Uint8Array | string): string {
  return `sha-256=:${hash('sha256', body, 'base64')}:`
}

/**
 * Compares the Content-Digest lines of a message with its raw body, before the body is parsed. At least one sha-256 or
 * sha-512 is required, and each of them must match. Other algorithms are ignored (RFC 9530 section 5).
 */
export function verifyContentDigest(fieldLines: readonly string[], body: Uint8Array): 'matches' | DigestProblem {
  const [line] = fieldLines
  if (line === undefined) return 'digest_missing'
  if (fieldLines.length > 1 || line.length > MAX_DIGEST_FIELD) return 'digest_malformed'
  const members = parseByteMembers(line)
  if (members === undefined) return 'digest_malformed'
  let counted = 0
  for (const [field, algorithm] of Object.entries(ALGORITHMS)) {
    const digest = members.get(field)
    if (digest === undefined) continue
    if (!digest.equals(hash(algorithm, body, 'buffer'))) return 'digest_mismatch'
    counted++
  }
  return counted === 0 ? 'digest_unsupported' : 'matches'
}

/**
 * Whether the body of a verified request is the one that was signed. `covered`: the covered components of the request.
 * `body`: the raw bytes, empty if there is no body. A body that was removed on the way counts as changed.
 */
export function verifyBody(covered: readonly BaseLine[], body: Uint8Array): 'matches' | DigestProblem {
  const signed = covered.find(([identifier]) => identifier === '"content-digest"')
  if (signed !== undefined) return verifyContentDigest([signed[1]], body)
  return body.length === 0 ? 'matches' : 'digest_missing'
}
