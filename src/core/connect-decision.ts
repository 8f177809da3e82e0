import { FROZEN_REASONS, type FrozenPerson } from './freeze.ts'
import { isSameAccount, type Account } from './integration.ts'
import type { ConnectOutcome, ConnectSession } from './ports.ts'

// What a completed connect writes (docs/design.md#connect). Pure: the store calls it inside its transaction, with the
// row locked, as db/import.ts calls `judge`.

/** The integration that is stored for the user. `account` is missing until the first refresh of an imported row. */
export interface StoredForConnect {
  account?: Account
}

export type ConnectDecision =
  /** Nothing of the integration is written; the connect session ends with this outcome. */
  | { kind: 'refuse'; outcome: ConnectOutcome }
  | {
      kind: 'store'
      outcome: ConnectOutcome
      /** The event to write, with the new generation. A failure that stood is over with it: no `recovered` follows. */
      event: 'connected' | 'reconnected'
      /**
       * Whether the stored row keeps its id. Not if its account is another one, or was never known: sealed values are
       * bound to the id, so those of an earlier account do not open in the new row (docs/security.md#sealing).
       */
      keepsRow: boolean
      /** Replaces everything that is stored of the account: a name that this connect did not bring is cleared. */
      account: { tenantId: string; objectId: string; username: string | null; displayName: string | null }
    }

/**
 * The account pin: a user who has connected one account gets another one only by a connect session that allows a
 * switch. The account is `tid` and `oid` (docs/microsoft.md#accounts).
 */
export function judgeConnect(
  stored: StoredForConnect | undefined,
  { allowSwitch }: Pick<ConnectSession, 'allowSwitch'>,
  { account }: { account: Account },
  frozen?: FrozenPerson,
): ConnectDecision {
  // Only now the tenant is known. A connect must not bring tokens past a freeze (docs/design.md#freeze).
  if (frozen !== undefined)
    return { kind: 'refuse', outcome: { result: 'refused', code: 'frozen', reason: FROZEN_REASONS[frozen], account } }
  const pinned = stored?.account
  if (pinned !== undefined && !allowSwitch && !isSameAccount(pinned, account))
    return {
      kind: 'refuse',
      outcome: {
        result: 'refused',
        code: 'account_mismatch',
        reason: 'other_account',
        account,
        expectedAccount: pinned,
      },
    }
  const result = stored === undefined ? 'connected' : 'reconnected'
  const { tenantId, objectId, username = null, displayName = null } = account
  return {
    kind: 'store',
    outcome: { result, account },
    event: result,
    keepsRow: pinned !== undefined && isSameAccount(pinned, account),
    account: { tenantId, objectId, username, displayName },
  }
}
