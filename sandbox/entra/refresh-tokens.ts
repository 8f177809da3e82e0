/** Refresh tokens: sealed, so they outlive a restart of the simulator; what kills one is remembered beside them. */
import type { Account } from './accounts.ts'
import { isPersonal } from './accounts.ts'
import type { Sealer } from './seal.ts'

/** 90 days, in milliseconds, from issue or from the last use. */
export const refreshTokenIdleLimit = 90 * 24 * 3600 * 1000

export interface RefreshToken {
  id: string
  objectId: string
  clientId: string
  /** Milliseconds. */
  issuedAt: number
  /** Graph scopes it stands for. */
  scopes: string[]
  openid: boolean
  /** Sessions of the account revoked when it was issued. */
  epoch: number
}

const personalPrefix = 'M.C544_BAY.0.U.-'
const workPrefix = '1.AX'

/** About 1.2 kB for work accounts, 0.4 kB with odd characters for personal ones, as measured at Microsoft. */
export function writeRefreshToken(
  sealer: Sealer,
  account: Account,
  facts: Omit<RefreshToken, 'id' | 'objectId'>,
): string {
  const personal = isPersonal(account)
  const content = [account.objectId, facts.clientId, facts.issuedAt, facts.scopes, facts.openid ? 1 : 0, facts.epoch]
  const sealed = sealer.seal('refresh token', content, personal ? 290 : 880)
  if (personal)
    return personalPrefix + sealed.toString('base64').replace(/\+/g, '*').replace(/\//g, '!').replace(/=/g, '$')
  const text = sealed.toString('base64url')
  return `${workPrefix}${text.slice(0, 64)}.${text.slice(64)}`
}

/** undefined: not a refresh token of this simulator. */
export function readRefreshToken(sealer: Sealer, token: string): RefreshToken | undefined {
  let bytes: Buffer
  if (token.startsWith(personalPrefix)) {
    const text = token.slice(personalPrefix.length).replace(/\*/g, '+').replace(/!/g, '/').replace(/\$/g, '=')
    bytes = Buffer.from(text, 'base64')
  } else if (token.startsWith(workPrefix)) {
    bytes = Buffer.from(token.slice(workPrefix.length).replace('.', ''), 'base64url')
  } else return undefined
  const content = sealer.open('refresh token', bytes) as [string, string, number, string[], number, number] | undefined
  if (!content) return undefined
  const [objectId, clientId, issuedAt, scopes, openid, epoch] = content
  const id = bytes.toString('base64url', 0, 12)
  return { id, objectId, clientId, issuedAt, scopes, openid: openid === 1, epoch }
}

/** What cannot be seen in the token: it was spent (strict rotation), or used without getting a successor. */
export interface RefreshTokenUses {
  spend(id: string): void
  isSpent(id: string): boolean
  touch(id: string, at: number): void
  lastUsed(id: string): number
}

export function createRefreshTokenUses(): RefreshTokenUses {
  const spent = new Set<string>()
  const used = new Map<string, number>()
  return {
    spend: (id) => void spent.add(id),
    isSpent: (id) => spent.has(id),
    touch: (id, at) => void used.set(id, at),
    lastUsed: (id) => used.get(id) ?? 0,
  }
}
