/** The caller's span, as a `traceparent` header names it. */
export interface TraceParent {
  traceId: string
  spanId: string
  sampled: boolean
}

/**
 * A `traceparent` header (W3C Trace Context, 3.2), so that our log lines are found by the caller's trace and our spans go on from it;
 * undefined when there is none or it is not valid, which is not an error (3.2.2.3, 4.3). Later versions may go on after the flags.
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
