/**
 * The outside of Microsoft's answers: headers, ids, timestamps and the error body, in the recorded order
 * (docs/microsoft.md#simulator).
 */
import { randomUUID } from 'node:crypto'
import type { Refusal } from './errors.ts'

export interface Trace {
  traceId: string
  correlationId: string
  /** Milliseconds, the simulator's clock. */
  at: number
}

const guid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/** A new trace; `client-request-id` becomes the correlation id when it is a GUID. */
export function newTrace(clientRequestId: unknown, at: number): Trace {
  const given = typeof clientRequestId === 'string' && guid.test(clientRequestId) ? clientRequestId : undefined
  return { traceId: randomUUID(), correlationId: given ?? randomUUID(), at }
}

/** `2026-03-02 09:05:31Z` */
export function timestamp(ms: number): string {
  return new Date(ms)
    .toISOString()
    .replace('T', ' ')
    .replace(/\.\d+Z$/, 'Z')
}

/** Seven digits of a second, as .NET writes them: `2026-03-01T08:00:00.4080000Z` */
export function longTimestamp(ms: number): string {
  return new Date(ms).toISOString().replace('Z', '0000Z')
}

export interface AppNames {
  clientId: string
  name: string
}

/** `AADSTS50011: The redirect URI …`, as Microsoft's own pages show it. */
export function say(refusal: Refusal, app: AppNames): string {
  return `AADSTS${refusal.code}: ${refusal.case.text.replaceAll('{app}', app.clientId).replaceAll('{name}', app.name)}`
}

/** The same with ids and time, as `error_description` has it; separated by single spaces since late 2023. */
export function describe(refusal: Refusal, trace: Trace, app: AppNames): string {
  return `${say(refusal, app)} Trace ID: ${trace.traceId} Correlation ID: ${trace.correlationId} Timestamp: ${timestamp(trace.at)}`
}

/** The JSON of an error answer of the token endpoint and of discovery. */
export function errorBody(refusal: Refusal, trace: Trace, app: AppNames, baseUrl: string): Record<string, unknown> {
  const { error, suberror, codes, claims, extra } = refusal.case
  return {
    error,
    error_description: describe(refusal, trace, app),
    error_codes: codes ?? [refusal.code],
    timestamp: timestamp(trace.at),
    trace_id: trace.traceId,
    correlation_id: trace.correlationId,
    error_uri: `${baseUrl}/error?code=${refusal.code}`,
    ...(suberror && { suberror }),
    ...(claims && { claims }),
    ...extra,
  }
}

/** Headers on every answer of the token endpoint, good or bad. `aadsts` is 0 on success. */
export function tokenHeaders(trace: Trace, aadsts: number): Record<string, string | string[]> {
  return {
    'Cache-Control': 'no-store, no-cache',
    Pragma: 'no-cache',
    'Content-Type': 'application/json; charset=utf-8',
    Expires: '-1',
    'Strict-Transport-Security': 'max-age=31536000; includeSubDomains',
    'X-Content-Type-Options': 'nosniff',
    P3P: 'CP="DSP CUR OTPi IND OTRi ONL FIN"',
    'x-ms-request-id': trace.traceId,
    'x-ms-ests-server': '2.1.00000.0 - SIMULATED',
    'x-ms-clitelem': `1,${aadsts},0,,`,
    'Set-Cookie': [
      'fpc=simulated; expires=Tue, 01-Jan-2030 00:00:00 GMT; path=/; secure; HttpOnly; SameSite=None',
      'x-ms-gateway-slice=estsfd; path=/; secure; httponly',
      'stsservicecookie=estsfd; path=/; secure; httponly',
    ],
  }
}
