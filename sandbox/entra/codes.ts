/** Authorization codes: ten minutes, once, bound to path, redirect URI and PKCE challenge. Kept in memory. */
import { randomBytes, randomUUID } from 'node:crypto'
import type { Account } from './accounts.ts'
import { isPersonal } from './accounts.ts'
import type { RequestedScopes } from './scopes.ts'

export const codeLifetime = 600_000

export interface IssuedCode {
  account: Account
  /** The application that it was issued to. */
  clientId: string
  /** The path's audience; AADSTS700005 elsewhere. */
  audience: string
  redirectUri: string
  scopes: RequestedScopes
  nonce: string | undefined
  challenge: string | undefined
  challengeMethod: 'S256' | 'plain'
  clientInfo: boolean
  /** Milliseconds. */
  issuedAt: number
  /** Sessions revoked so far, see Revocations. */
  epoch: number
  redeemed: boolean
}

export interface CodeBook {
  issue(facts: Omit<IssuedCode, 'redeemed'>): string
  get(code: string): IssuedCode | undefined
}

export function createCodeBook(): CodeBook {
  const codes = new Map<string, IssuedCode>()
  return {
    issue(facts) {
      for (const [code, old] of codes) {
        if (facts.issuedAt - old.issuedAt < 6 * codeLifetime) break
        codes.delete(code)
      }
      const code = isPersonal(facts.account)
        ? `M.C544_BAY.2.U.${randomUUID()}`
        : `1.AX${randomBytes(60).toString('base64url')}.${randomBytes(620).toString('base64url')}`
      codes.set(code, { ...facts, redeemed: false })
      return code
    },
    get: (code) => codes.get(code),
  }
}
