/** The span of the caller in a `traceparent` header. */
export interface TraceParent {
  traceId: string
  spanId: string
  sampled: boolean
}

/**
 * Reads a `traceparent` header (W3C Trace Context, section 3.2): our log lines then have the caller's trace id, and our
 * spans continue its trace. Undefined if there is none or it is not valid, which is no error (sections 3.2.2.3 and
 * 4.3). Later versions may have more after the flags.
 */
export function traceParent(header: string | string[] | undefined): TraceParent | undefined {
  const [, version, traceId, spanId, flags] =
    /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:$|-)/.exec(
      typeof header === 'string' ? header : '',
    ) ?? []
  if (traceId === undefined || version === 'ff' || /^0+$/.test(traceId) || /^0+$/.test(spanId!)) return undefined
  if (version === '00' && (header as string).length !== 55) return undefined
  return { traceId, spanId: spanId!, sampled: (Number.parseInt(flags!, 16) & 1) === 1 }
}
