import type { BrokerEventType, EventDetail } from './events.ts'
import type { IntegrationStatus, StoredFailure } from './integration.ts'

// What the end of a refresh writes beside tokens or failure: the status, and the event that tells callers
// (docs/design.md#events). Pure: the store calls it with the status that the row has at that moment.

/** What every write of tokens sets: a refresh, a connect or an import (docs/design.md#refresh). */
export const CLEARED_BY_TOKENS = {
  failure: null,
  failures: 0,
  retryAt: null,
  leaseOwner: null,
  leaseUntil: null,
} as const

export interface EventToWrite {
  type: BrokerEventType
  detail: EventDetail
}

/**
 * New tokens of a refresh were saved. `recovered`: the integration was marked for a reconnect until now, and works
 * again.
 */
export function judgeTokens(was: IntegrationStatus, generation: number): { recovered: boolean; event?: EventToWrite } {
  return was === 'reconnect_required'
    ? { recovered: true, event: { type: 'recovered', detail: { generation } } }
    : { recovered: false }
}

/** A refresh was refused. The event is written once, not again while the integration stays marked. */
export function judgeFailure(
  was: IntegrationStatus,
  { verdict, reason, microsoft }: StoredFailure,
): { status: IntegrationStatus; event?: EventToWrite } {
  if (verdict !== 'reconnect' || was === 'reconnect_required') return { status: was }
  return { status: 'reconnect_required', event: { type: 'reconnect_required', detail: { reason, microsoft } } }
}
