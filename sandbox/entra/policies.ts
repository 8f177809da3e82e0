/** What an administrator decides about an account while its tokens live: disabled, and from which place it may ask. */
import type { Account } from './accounts.ts'

/** A named location of Conditional Access, and from where the two sides see the requests of an account. */
export interface Network {
  /** Addresses that the policy allows. */
  allowed: string[]
  /** Of the client of Graph. */
  graphSees: string
  /** Of the client of the token endpoint. */
  signInSees: string
  /** Strict enforcement: no token is issued while Graph sees another place. */
  strict: boolean
}

/** The address in access tokens where no network is set. */
export const USUAL_ADDRESS = '192.0.2.10'

export interface Policies {
  disable(account: Account, at: number): void
  enable(account: Account): void
  /** Milliseconds; undefined: enabled. */
  disabledSince(account: Account): number | undefined
  /** Undefined: no policy. */
  setNetwork(account: Account, network: Network | undefined): void
  network(account: Account): Network | undefined
}

export function createPolicies(): Policies {
  const disabled = new Map<string, number>()
  const networks = new Map<string, Network>()
  return {
    disable: (account, at) => void disabled.set(account.objectId, at),
    enable: (account) => void disabled.delete(account.objectId),
    disabledSince: (account) => disabled.get(account.objectId),
    setNetwork(account, network) {
      if (network === undefined) networks.delete(account.objectId)
      else networks.set(account.objectId, network)
    },
    network: (account) => networks.get(account.objectId),
  }
}
