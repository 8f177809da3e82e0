import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
  type Sampler,
} from '@opentelemetry/sdk-trace'

/**
 * The sampler that OTEL_TRACES_SAMPLER and its ARG name (OpenTelemetry, "General SDK configuration"): the SDK itself no longer reads them.
 * What is no sampler or no ratio is complained of by its variable, and the default is taken.
 */
export function samplerOf(name = '', arg = '', complain: (variable: string) => void): Sampler {
  const [, parentBased, root] =
    /^(parentbased_)?(always_on|always_off|traceidratio)$/.exec(name || 'parentbased_always_on') ?? []
  if (root === undefined) {
    complain('OTEL_TRACES_SAMPLER')
    return samplerOf('', '', complain)
  }
  const sampler =
    root === 'always_on'
      ? new AlwaysOnSampler()
      : root === 'always_off'
        ? new AlwaysOffSampler()
        : new TraceIdRatioBasedSampler(ratioOf(arg, complain))
  return parentBased === undefined ? sampler : new ParentBasedSampler({ root: sampler })
}

function ratioOf(arg: string, complain: (variable: string) => void): number {
  const ratio = arg === '' ? 1 : Number(arg)
  if (ratio >= 0 && ratio <= 1) return ratio
  complain('OTEL_TRACES_SAMPLER_ARG')
  return 1
}
