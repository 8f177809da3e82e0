import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
  type Sampler,
} from '@opentelemetry/sdk-trace'

/**
 * The sampler that OTEL_TRACES_SAMPLER and OTEL_TRACES_SAMPLER_ARG name, because the SDK no longer reads them
 * (https://opentelemetry.io/docs/languages/sdk-configuration/general/). `ignored` is called with the name of a variable whose
 * value cannot be used; the default is used instead.
 */
export function samplerOf(name = '', arg = '', ignored: (variable: string) => void): Sampler {
  const [, parentBased, root] =
    /^(parentbased_)?(always_on|always_off|traceidratio)$/.exec(name || 'parentbased_always_on') ?? []
  if (root === undefined) {
    ignored('OTEL_TRACES_SAMPLER')
    return samplerOf('', '', ignored)
  }
  const sampler =
    root === 'always_on'
      ? new AlwaysOnSampler()
      : root === 'always_off'
        ? new AlwaysOffSampler()
        : new TraceIdRatioBasedSampler(ratioOf(arg, ignored))
  return parentBased === undefined ? sampler : new ParentBasedSampler({ root: sampler })
}

function ratioOf(arg: string, ignored: (variable: string) => void): number {
  const ratio = arg === '' ? 1 : Number(arg)
  if (ratio >= 0 && ratio <= 1) return ratio
  ignored('OTEL_TRACES_SAMPLER_ARG')
  return 1
}
