import { AsyncLocalStorage } from 'node:async_hooks'
import type { IncomingMessage } from 'node:http'
import {
  diag,
  DiagLogLevel,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  TraceFlags,
  type Attributes,
  type DiagLogger,
  type Span,
} from '@opentelemetry/api'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto'
import { defaultResource, detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources'
import { BatchSpanProcessor, TracerProvider, type SpanExporter } from '@opentelemetry/sdk-trace'
import type { Logger } from 'pino'
import { Failure } from '../core/failure.ts'
import { samplerOf } from './sampler.ts'
import type { RemoteSpan, Traces } from './traces.ts'

// Spans by OpenTelemetry's semantic conventions for HTTP and databases, without the personal and secret attributes:
// url.path and url.query hold tickets, codes and user ids, client.address belongs to a person. Nothing is registered
// globally.

/** For the last export, when the process ends. */
const LAST_EXPORT_MS = 2_000

type Work<T> = (span: Span) => T

/** Exports to the OTLP endpoint of the environment. The SDK reads its other variables itself. */
export function openTelemetry(env: NodeJS.ProcessEnv, log: Logger): Traces {
  const ignored = new Set<string>()
  diag.setLogger(collectingVariables(ignored), { logLevel: DiagLogLevel.DEBUG, suppressOverrideMessage: true })
  const provider = new TracerProvider({
    resource: defaultResource()
      .merge(resourceFromAttributes({ 'service.name': 'token-broker' }))
      .merge(detectResources({ detectors: [envDetector] })),
    sampler: samplerOf(env['OTEL_TRACES_SAMPLER'], env['OTEL_TRACES_SAMPLER_ARG'], (variable) => ignored.add(variable)),
    spanProcessors: [new BatchSpanProcessor({ exporter: loggingExporter(new OTLPTraceExporter(), log) })],
  })
  diag.disable()
  if (
    !['', 'http/protobuf'].includes(
      env['OTEL_EXPORTER_OTLP_TRACES_PROTOCOL'] || env['OTEL_EXPORTER_OTLP_PROTOCOL'] || '',
    )
  )
    ignored.add('OTEL_EXPORTER_OTLP_PROTOCOL')
  for (const variable of ignored) log.warn({ variable }, 'traces ignore the value of this variable and use the default')
  log.info('traces are on')
  const tracer = provider.getTracer('token-broker')

  const current = new AsyncLocalStorage<Span>()
  const requests = new WeakMap<IncomingMessage, Span>()
  const contextOf = (parent: Span | undefined) =>
    parent === undefined ? ROOT_CONTEXT : trace.setSpan(ROOT_CONTEXT, parent)

  /** A span that ends when the promise of the work settles. */
  async function inSpan<T>(name: string, kind: SpanKind, attributes: Attributes, work: Work<Promise<T>>): Promise<T> {
    const span = tracer.startSpan(name, { kind, attributes }, contextOf(current.getStore()))
    try {
      return await current.run(span, work, span)
    } catch (error) {
      // Only a code of ours: messages of other errors may quote anything.
      markFailed(span, error instanceof Failure ? error.code : 'internal_error')
      throw error
    } finally {
      span.end()
    }
  }

  return {
    begin(request, method, parent) {
      const span = tracer.startSpan(
        method,
        { kind: SpanKind.SERVER },
        parent === undefined ? ROOT_CONTEXT : remote(parent),
      )
      requests.set(request, span)
      return span.spanContext().traceId
    },
    within(request, rest) {
      const span = requests.get(request)
      if (span === undefined) rest()
      else current.run(span, rest)
    },
    failed(request, code) {
      requests.get(request)?.setAttribute('error.type', code)
    },
    answered(request, { method, route, status, requestId, whole }) {
      const span = requests.get(request)
      if (span === undefined) return
      span.updateName(route === undefined ? method : `${method} ${route}`)
      span.setAttributes({
        'http.request.method': method,
        ...(route === undefined ? {} : { 'http.route': route }),
        ...(whole ? { 'http.response.status_code': status } : { 'error.type': 'aborted' }),
        'token_broker.request_id': requestId,
      })
      // A 4xx is an error of the caller (https://opentelemetry.io/docs/specs/semconv/http/http-spans/#status).
      if (status >= 500) span.setStatus({ code: SpanStatusCode.ERROR })
      span.end()
    },
    flight: (fly) =>
      inSpan('refresh', SpanKind.INTERNAL, {}, async (span) => {
        const landed = await fly()
        span.setAttribute('token_broker.outcome', landed.kind)
        return landed
      }),
    refreshed(event) {
      current
        .getStore()
        ?.addEvent(`refresh.${event.kind}`, event.kind === 'discarded' ? { 'token_broker.what': event.what } : {})
    },
    calling(microsoft, loginUrl) {
      const { protocol, hostname, port } = new URL(loginUrl)
      const server = {
        'server.address': hostname,
        'server.port': Number(port) || (protocol === 'https:' ? 443 : 80),
        'http.request.method': 'POST',
      }
      const call = <V extends { kind: string; reason?: string; microsoft?: { aadsts?: number } }>(
        name: string,
        ask: () => Promise<V>,
      ) =>
        inSpan(`microsoft ${name}`, SpanKind.CLIENT, server, async (span) => {
          const verdict = await ask()
          span.setAttribute('token_broker.verdict', verdict.kind)
          if (verdict.reason !== undefined) markFailed(span, verdict.reason)
          if (verdict.microsoft?.aadsts !== undefined)
            span.setAttribute('token_broker.aadsts', verdict.microsoft.aadsts)
          return verdict
        })
      return {
        ...microsoft,
        refresh: (request, permit) => call('refresh', () => microsoft.refresh(request, permit)),
        redeem: (request) => call('redeem', () => microsoft.redeem(request)),
      }
    },
    dispatching: (dispatcher) =>
      dispatcher.compose((dispatch) => (options, handler) => {
        const span = current.getStore()
        if (span === undefined) return dispatch(options, handler)
        return dispatch(options, {
          onRequestStart: (...args) => handler.onRequestStart?.(...args),
          onRequestUpgrade: (...args) => handler.onRequestUpgrade?.(...args),
          onResponseStart(controller, status, ...args) {
            span.setAttribute('http.response.status_code', status)
            handler.onResponseStart?.(controller, status, ...args)
          },
          onResponseData: (...args) => handler.onResponseData?.(...args),
          onResponseEnd: (...args) => handler.onResponseEnd?.(...args),
          onResponseError: (...args) => handler.onResponseError?.(...args),
        })
      }),
    storing: (table, store) =>
      new Proxy(store, {
        get(target, name, receiver) {
          const member: unknown = Reflect.get(target, name, receiver)
          if (typeof member !== 'function' || typeof name !== 'string') return member
          return (...args: unknown[]) => {
            const ask = async () => Reflect.apply(member, target, args) as unknown
            // Work outside a traced request, such as the deletion of expired rows, begins no trace.
            if (current.getStore() === undefined) return Reflect.apply(member, target, args) as unknown
            return inSpan(
              `${name} ${table}`,
              SpanKind.CLIENT,
              { 'db.system.name': 'postgresql', 'db.collection.name': table, 'db.operation.name': name },
              ask,
            )
          }
        },
      }),
    async close() {
      let timer: NodeJS.Timeout | undefined
      const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, LAST_EXPORT_MS)))
      await Promise.race([provider.shutdown().catch(() => {}), late])
      clearTimeout(timer)
    },
  }
}

const remote = ({ traceId, spanId, sampled }: RemoteSpan) =>
  trace.setSpanContext(ROOT_CONTEXT, {
    traceId,
    spanId,
    traceFlags: sampled ? TraceFlags.SAMPLED : TraceFlags.NONE,
    isRemote: true,
  })

function markFailed(span: Span, type: string): void {
  span.setAttribute('error.type', type)
  span.setStatus({ code: SpanStatusCode.ERROR })
}

/** Logs one line when exports begin to fail and one when they succeed again, however many fail in between. */
function loggingExporter(exporter: SpanExporter, log: Logger): SpanExporter {
  let failing = false
  return {
    export(spans, done) {
      exporter.export(spans, (result) => {
        const failed = result.code !== 0
        if (failed && !failing)
          log.warn(
            { cause: kindOf(result.error) },
            'traces cannot be exported and are dropped; requests are not affected',
          )
        else if (!failed && failing) log.info('traces are exported again')
        failing = failed
        done(result)
      })
    },
    shutdown: () => exporter.shutdown(),
    ...(exporter.forceFlush === undefined ? {} : { forceFlush: () => exporter.forceFlush!() }),
  }
}

/**
 * The code of a network error, the status of the collector, or the class of the error. Its message may quote the
 * collector.
 */
function kindOf(error: Error | undefined): string {
  const { code } = (error ?? {}) as { code?: unknown }
  return typeof code === 'number'
    ? `status ${code}`
    : typeof code === 'string' && /^\w{1,40}$/.test(code)
      ? code
      : (error?.name ?? 'unknown')
}

/** The messages of the SDK quote values: only the names of the variables are kept. */
function collectingVariables(variables: Set<string>): DiagLogger {
  const note = (message: string): void =>
    void variables.add(
      /\bOTEL_\w+/.exec(message)?.[0] ??
        (message.includes('URL') ? 'OTEL_EXPORTER_OTLP_ENDPOINT' : 'OTEL_EXPORTER_OTLP_CERTIFICATE'),
    )
  // The SDK reports some problems at the debug level only.
  const noteFailure = (message: string): void => void (message.includes('failed') && note(message))
  return { error: note, warn: note, info() {}, debug: noteFailure, verbose() {} }
}
