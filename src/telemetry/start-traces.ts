import type { Logger } from 'pino'
import type { Traces } from './traces.ts'

/**
 * Undefined unless the standard variables switch traces on: an OTLP endpoint is set, or OTEL_TRACES_EXPORTER=otlp. A
 * setting that cannot be used is one warning in the log and never stops the service
 * (https://opentelemetry.io/docs/languages/sdk-configuration/general/).
 */
export async function startTraces(env: NodeJS.ProcessEnv, log: Logger): Promise<Traces | undefined> {
  const {
    OTEL_TRACES_EXPORTER: exporter = '',
    OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: tracesEndpoint,
  } = env
  if (env['OTEL_SDK_DISABLED']?.trim().toLowerCase() === 'true' || exporter === 'none') return undefined
  if (exporter === '' && !endpoint && !tracesEndpoint) return undefined
  if (!['', 'otlp'].includes(exporter)) {
    log.warn({ variable: 'OTEL_TRACES_EXPORTER' }, 'traces are off: the exporter may be otlp or none')
    return undefined
  }
  // The SDK is loaded only if traces are on.
  const { openTelemetry } = await import('./open-telemetry.ts')
  return openTelemetry(env, log)
}
