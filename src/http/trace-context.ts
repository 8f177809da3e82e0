/**
 * Trace id of a `traceparent` header (W3C Trace Context, 3.2), so that our log lines are found by the caller's trace; undefined when there
 * is none or it is not valid, which is not an error (3.2.2.3, 4.3). Later versions may go on after the flags.
 */
export function traceId(header: string | string[] | undefined): string | undefined {
  const [, version, trace, parent] = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(?:$|-)/.exec(typeof header === 'string' ? header : '') ?? []
  if (trace === undefined || version === 'ff' || /^0+$/.test(trace) || /^0+$/.test(parent!)) return undefined
  if (version === '00' && (header as string).length !== 55) return undefined
  return trace
}
