import { createHash, createHmac, timingSafeEqual } from 'node:crypto'

// The handle of a completion (docs/design.md#completion): proof that the browser that came back from Microsoft has been
// at MEGDocs. It stands in the completion URL only. Its hash is stored with the attempt.

/**
 * 43 characters of base64url. Keyed by the PKCE verifier, which only Microsoft gets, and made of the code, which only
 * the browser that came back has. So a reload of the callback gives the same handle, and nobody else can compute it:
 * neither from the id nor from the code alone.
 */
export function completionHandle(input: { codeVerifier: string; id: string; code: string }): string {
  const hmac = createHmac('sha256', input.codeVerifier)
  return hmac.update(input.id).update(sha256(input.code)).digest('base64url')
}

/** The form in which it is stored. */
export const handleHash = (handle: string): Buffer => sha256(handle)

/** In constant time. Undefined: the browser has not come back with a code, so nothing fits. */
export function fitsHandle(stored: Buffer | undefined, handle: string): boolean {
  const given = handleHash(handle)
  return stored !== undefined && stored.length === given.length && timingSafeEqual(stored, given)
}

const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest()
