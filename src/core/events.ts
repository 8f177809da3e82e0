import type { Reason } from './failure.ts'

// Events: what became true of a user's integration, for callers that want to know before they ask for a token (design 2.5).

export const BROKER_EVENT_TYPES = [
  'connected',
  'reconnected',
  'recovered',
  'reconnect_required',
  'disconnected',
  'imported',
] as const
export type BrokerEventType = (typeof BROKER_EVENT_TYPES)[number]

export interface BrokerEvent {
  id: number
  /** ISO 8601. */
  at: string
  userId: string
  type: BrokerEventType
  reason?: Reason
  /** `disconnected` by the broker itself: no caller has read it for as long as is configured. */
  cause?: 'unused'
  /** Of the tokens that came with it. */
  generation?: number
}

export interface EventStore {
  /** The cursor behind everything that is visible now. Whoever lists integrations afterwards and reads from here on misses nothing. */
  newest(): Promise<string>
  /**
   * Events after the cursor, in the order in which they became true; without one, from the oldest that is kept. `more`: the page is full.
   * `expired`: the cursor is of another database, or events behind it may have been purged.
   */
  read(input: {
    after?: string
    limit: number
  }): Promise<{ events: BrokerEvent[]; cursor: string; more: boolean } | 'expired'>
}
