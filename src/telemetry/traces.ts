import type { IncomingMessage } from 'node:http'
import type { Logger } from 'pino'
import type { RefreshEvent } from '../core/refresh.ts'
import type { MicrosoftClient, MicrosoftOptions } from '../microsoft/client.ts'

// Traces, and whether there are any. What speaks OpenTelemetry is in open-telemetry.ts and is loaded only when they are switched on.

type Dispatcher = NonNullable<MicrosoftOptions['dispatcher']>

/** A caller's span that a request goes on from (W3C Trace Context, 3.2). */
export interface RemoteSpan {
  traceId: string
  spanId: string
  sampled: boolean
}

/** Nothing of a user, a token, a ticket or an address is ever in a span: names, numbers and words of closed lists only. */
export interface Traces {
  /** Begins the span of a request, within the caller's if there is one. Yields the trace's id, for the log. */
  begin(request: IncomingMessage, method: string, parent?: RemoteSpan): string
  /** Goes on with a request within its span. */
  within(request: IncomingMessage, rest: () => void): void
  /** The code of a request's problem. */
  failed(request: IncomingMessage, code: string): void
  /** `route` is the template, never the path: paths hold tickets and user ids. */
  answered(
    request: IncomingMessage,
    facts: { method: string; route: string | undefined; status: number; requestId: string; whole: boolean },
  ): void
  /** A span around one flight of core's refresh. */
  flight<T extends { kind: string }>(fly: () => Promise<T>): Promise<T>
  /** Notes what happened on the span that it happened in. */
  refreshed(event: RefreshEvent): void
  /** The client with a span around each refresh and redemption. `loginUrl` is where it calls. */
  calling(microsoft: MicrosoftClient, loginUrl: string): MicrosoftClient
  /** Notes the status of each answer on the span of its call. */
  dispatching(dispatcher: Dispatcher): Dispatcher
  /** The store with a span around each statement that a traced piece of work asks of it. */
  storing<S extends object>(table: string, store: S): S
  /** Exports what is left, for two seconds at most. */
  close(): Promise<void>
}

/**
 * Undefined unless the standard variables switch traces on: an OTLP endpoint is set, or OTEL_TRACES_EXPORTER=otlp. A setting that cannot
 * be followed is one warning in the log and never stops the service (OpenTelemetry, "General SDK configuration").
 */
export async function startTraces(env: NodeJS.ProcessEnv, log: Logger): Promise<Traces | undefined> {
  const {
    OTEL_TRACES_EXPORTER: exporter = '',
    OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: own,
  } = env
  if (env['OTEL_SDK_DISABLED']?.trim().toLowerCase() === 'true' || exporter === 'none') return undefined
  if (exporter === '' && !endpoint && !own) return undefined
  if (!['', 'otlp'].includes(exporter)) {
    log.warn({ variable: 'OTEL_TRACES_EXPORTER' }, 'no traces: it may be otlp or none')
    return undefined
  }
  const { openTelemetry } = await import('./open-telemetry.ts')
  return openTelemetry(env, log)
}
