import type { FreezeScope } from './freeze.ts'
import type { AnyReason, MicrosoftError } from './failure.ts'

// Events tell callers what changed in a user's integration, before they ask for a token (docs/design.md#events).

export const BROKER_EVENT_TYPES = [
  'connected',
  'reconnected',
  'recovered',
  'reconnect_required',
  'disconnected',
  'imported',
  'frozen',
  'unfrozen',
] as const
/** A type that this release writes. */
export type BrokerEventType = (typeof BROKER_EVENT_TYPES)[number]

/** What is stored beside the type of an event. */
export interface EventDetail {
  reason?: AnyReason
  /** `unused`: disconnected by the broker, because no caller has read it for as long as is configured. */
  /** `expired`: the time of a freeze is over. */
  cause?: 'unused' | 'expired' | (string & {})
  /** Of the tokens that came with it. */
  generation?: number
  /** Which freeze began or ended. */
  freeze?: { id: string; scope: FreezeScope | (string & {}); value: string }
  microsoft?: MicrosoftError
}

export type BrokerEvent = {
  id: number
  /** ISO 8601. */
  at: string
  /** Empty: it concerns no single user (a freeze of a tenant or a caller key). */
  userId: string
  /** A newer release may have written a type that this release does not know. */
  type: BrokerEventType | (string & {})
} & Omit<EventDetail, 'microsoft'>

export interface EventStore {
  /**
   * The cursor behind everything that is visible now. A caller that lists integrations afterwards and reads from here
   * misses nothing.
   */
  newest(): Promise<string>
  /**
   * Events after the cursor, in the order in which they became true; without a cursor, from the oldest that is kept.
   * `more`: the page is full. `expired`: the cursor belongs to another database, or events behind it may have been
   * deleted.
   */
  read(input: {
    after?: string
    limit: number
  }): Promise<{ events: BrokerEvent[]; cursor: string; more: boolean } | 'expired'>
}
