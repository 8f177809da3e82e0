import type { FailureCode, Reason } from './failure.ts'
import type { Verdict } from './microsoft-port.ts'

/** How a forced refresh ended. `user`: Microsoft wants the user. `failed`: anything else. */
export const FORCED_RESULTS = ['tokens', 'user', 'not_satisfied', 'failed'] as const
export type ForcedResult = (typeof FORCED_RESULTS)[number]

/** What happened, for metrics and the log. Never holds a token. */
export type RefreshEvent =
  | {
      kind: 'sent'
      integrationId: string
      userId: string
      requestId: string
      /** Of the tokens that were to be replaced. */
      generation: number
      outcome: Verdict['kind']
      reason?: Reason
      seconds: number
      aadsts?: number
      correlationId?: string
    }
  | { kind: 'joined' | 'waited' | 'lease_taken_over'; integrationId: string }
  /** Microsoft's answer came after the row had changed or was deleted: nothing of it was written. */
  | { kind: 'discarded'; integrationId: string; what: 'tokens' | 'refusal' }
  /** The integration was refused before and works again without a reconnect. */
  | { kind: 'recovered'; integrationId: string; userId: string }
  /**
   * Another process marked the row while this one held its new tokens: the user was asked to reconnect by mistake. Must
   * never happen.
   */
  | { kind: 'false_reconnect'; integrationId: string; userId: string }
  /**
   * A refresh that a caller forced with a claims challenge, or that counts because challenges are possible.
   * `not_satisfied`: too many in a short time, nothing was sent.
   */
  | { kind: 'forced'; integrationId: string; userId: string; result: ForcedResult }
  /** New tokens could not be saved; the broker tries again. */
  | { kind: 'save_failed'; integrationId: string; userId: string; code: FailureCode }
  /** New tokens were never saved, because the process ended first: a rotation is lost. Must never happen. */
  | { kind: 'save_given_up'; integrationId: string; userId: string; code: FailureCode }
