import { createHmac, timingSafeEqual } from 'node:crypto'

// Addresses of ours, most of them with a proof. The paths of the account page are in pages/account.ts.

export const CONNECT_PATH = '/auth/oauth2/microsoft/connect'
export const CALLBACK_PATH = '/auth/oauth2/microsoft/callback'
export const RESULT_PATH = '/auth/oauth2/microsoft/result'
export const ADMIN_CONSENT_PATH = '/auth/oauth2/microsoft/admin-consent'

/** The form of a ticket: base64url of 32 bytes. */
export const TICKET = /^[A-Za-z0-9_-]{43}$/

export interface Links {
  ticket(ticket: string): string
  /** A link with the user's word that it may replace the sign-in that is under way in this browser session. */
  instead(ticket: string, browserSession: Buffer): string
  checkInstead(ticket: string, browserSession: Buffer, proof: string): boolean
  /** The page that shows how a connect session ended. Its address is the proof, and always the same for one id. */
  result(connectSessionId: string): string
  checkResult(connectSessionId: string, proof: string): boolean
  /** The `state` of a request for admin consent, to distinguish it from a sign-in. It grants nothing. */
  adminConsentState(nonce: string, language: string): string
  /** The language of a request for admin consent. Undefined: the state is not of one. */
  adminConsentLanguage(state: string): string | undefined
  /** Whose visit a browser keeps the language of, without the user id. */
  person(userId: string): string
  isPerson(userId: string, mark: string): boolean
}

const ADMIN = 'admin'
const insteadOf = (ticket: string, browserSession: Buffer): string =>
  `${ticket}\0${browserSession.toString('base64url')}`

/**
 * `secrets` newest first: the first makes proofs, all of them are accepted. They may change while the process runs.
 */
export function createLinks(publicBaseUrl: string, secrets: () => readonly string[]): Links {
  const proofs = (purpose: string, value: string) =>
    secrets().map((secret) => createHmac('sha256', secret).update(`token-broker/${purpose}\0${value}`).digest())
  const proofOf = (purpose: string, value: string) => proofs(purpose, value)[0]!.toString('base64url')
  const holds = (purpose: string, value: string, proof: string) => {
    const given = Buffer.from(proof, 'base64url')
    return proofs(purpose, value).some((right) => given.length === right.length && timingSafeEqual(given, right))
  }
  return {
    ticket: (ticket) => `${publicBaseUrl}${CONNECT_PATH}/${ticket}`,
    instead: (ticket, browserSession) =>
      `${publicBaseUrl}${CONNECT_PATH}/${ticket}?instead=${proofOf('instead', insteadOf(ticket, browserSession))}`,
    checkInstead: (ticket, browserSession, proof) => holds('instead', insteadOf(ticket, browserSession), proof),
    result: (id) => `${publicBaseUrl}${RESULT_PATH}/${id}/${proofOf('result', id)}`,
    checkResult: (id, proof) => holds('result', id, proof),
    adminConsentState(nonce, language) {
      const value = `${language}_${nonce}`
      return `${ADMIN}.${value}.${proofOf('admin-consent', value)}`
    },
    adminConsentLanguage(state) {
      const [kind, value = '', proof = ''] = state.split('.')
      return kind === ADMIN && holds('admin-consent', value, proof) ? value.split('_', 1)[0] : undefined
    },
    person: (userId) => proofOf('person', userId),
    isPerson: (userId, mark) => holds('person', userId, mark),
  }
}
