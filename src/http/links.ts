import { createHmac, timingSafeEqual } from 'node:crypto'

// Our own addresses that carry a proof. Path constants of the pages stand in pages/paths.ts.

export const CONNECT_PATH = '/auth/oauth2/microsoft/connect'
export const CALLBACK_PATH = '/auth/oauth2/microsoft/callback'
export const RESULT_PATH = '/auth/oauth2/microsoft/result'
export const ADMIN_CONSENT_PATH = '/auth/oauth2/microsoft/admin-consent'

export interface Links {
  ticket(ticket: string): string
  /** The page that shows how a connect session ended: only who was told the address may see it. The same for the same id. */
  result(connectSessionId: string): string
  checkResult(connectSessionId: string, proof: string): boolean
  /** State of a request for admin consent; tells it apart from a user's sign-in. It grants nothing. */
  adminConsentState(nonce: string): string
  isAdminConsentState(state: string): boolean
}

const ADMIN = 'admin'

/** `secrets` newest first: the first proves, all of them check. */
export function createLinks(publicBaseUrl: string, secrets: readonly string[]): Links {
  const proofs = (purpose: string, value: string) =>
    secrets.map((secret) => createHmac('sha256', secret).update(`token-broker/${purpose}\0${value}`).digest())
  const proofOf = (purpose: string, value: string) => proofs(purpose, value)[0]!.toString('base64url')
  const holds = (purpose: string, value: string, proof: string) => {
    const given = Buffer.from(proof, 'base64url')
    return proofs(purpose, value).some((right) => given.length === right.length && timingSafeEqual(given, right))
  }
  return {
    ticket: (ticket) => `${publicBaseUrl}${CONNECT_PATH}/${ticket}`,
    result: (id) => `${publicBaseUrl}${RESULT_PATH}/${id}/${proofOf('result', id)}`,
    checkResult: (id, proof) => holds('result', id, proof),
    adminConsentState: (nonce) => `${ADMIN}.${nonce}.${proofOf('admin-consent', nonce)}`,
    isAdminConsentState(state) {
      const [kind, nonce = '', proof = ''] = state.split('.')
      return kind === ADMIN && holds('admin-consent', nonce, proof)
    },
  }
}
