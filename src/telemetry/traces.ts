import type { IncomingMessage } from 'node:http'
import type { RefreshEvent } from '../core/refresh-event.ts'
import type { MicrosoftClient, MicrosoftOptions } from '../microsoft/client.ts'

// What the rest of the broker knows of traces. The OpenTelemetry SDK is used in open-telemetry.ts only.

type Dispatcher = NonNullable<MicrosoftOptions['dispatcher']>

/** The span of a caller, which the span of its request continues (W3C Trace Context, section 3.2). */
export interface RemoteSpan {
  traceId: string
  spanId: string
  sampled: boolean
}

/** No span ever holds a user, a token, a ticket or an address: only names, numbers and words of closed lists. */
export interface Traces {
  /**
   * Begins the span of a request, below the caller's span if there is one. Returns the id of the trace, for the log.
   */
  begin(request: IncomingMessage, method: string, parent?: RemoteSpan): string
  /** Continues a request inside its span. */
  within(request: IncomingMessage, rest: () => void): void
  /** Records the problem code of a request. */
  failed(request: IncomingMessage, code: string): void
  /** Ends the span of a request. `route` is the template and never the path: paths hold tickets and user ids. */
  answered(
    request: IncomingMessage,
    facts: { method: string; route: string | undefined; status: number; requestId: string; whole: boolean },
  ): void
  /** A span around one refresh of core. */
  flight<T extends { kind: string }>(fly: () => Promise<T>): Promise<T>
  /** Records an event on the current span. */
  refreshed(event: RefreshEvent): void
  /**
   * The client with a span around each refresh and each redemption of a code. `loginUrl` is the address that it calls.
   */
  calling(microsoft: MicrosoftClient, loginUrl: string): MicrosoftClient
  /** Records the status of each answer on the span of its call. */
  dispatching(dispatcher: Dispatcher): Dispatcher
  /** The store with a span around each query that belongs to a traced request. */
  storing<S extends object>(table: string, store: S): S
  /** Exports the remaining spans; takes at most two seconds. */
  close(): Promise<void>
}
