import { Failure, type FailureCode, type FailureFacts, type Reason } from '../core/failure.ts'
import { NEXT } from './examples.ts'
import { toProblem, type ProblemBody } from './problem.ts'

const MICROSOFT = {
  error: 'invalid_grant',
  suberror: 'bad_token',
  aadsts: 50173,
  traceId: '2f1c6a0e-7b1d-4f4e-9a4c-2a8f0e6b1d00',
  correlationId: '6a1d52c8-6d5c-4c4f-9b0e-0f4b7d1f0c11',
  timestamp: '2026-11-22 09:06:46Z',
}
const because = (reason: Reason, more: FailureFacts = {}): FailureFacts => ({ reason, ...more })

/** Facts of the examples that have more than a code. */
const FACTS: Partial<Record<FailureCode, FailureFacts>> = {
  reconnect_required: because('access_revoked', { microsoft: MICROSOFT }),
  connect_refused: because('not_approved'),
  account_mismatch: because('other_account'),
  claims_not_satisfied: because('challenge_repeated', {
    retryAfterSeconds: 412,
    addresses: { graph: '198.51.100.7', signIn: '192.0.2.10' },
  }),
  invalid_request: { invalid: [{ field: 'querystring.min_ttl', expected: 'must be <= 1800' }] },
  rate_limited: { retryAfterSeconds: 12 },
  microsoft_unavailable: because('microsoft_unreachable', { retryAfterSeconds: 30 }),
  broker_misconfigured: because('client_credential', { microsoft: { error: 'invalid_client', aadsts: 7000222 } }),
}

/** A problem as a caller sees it, for the OpenAPI document. */
export function exampleProblem(code: FailureCode): ProblemBody {
  const problem = toProblem(new Failure(code, FACTS[code]), MICROSOFT.correlationId)
  return code === 'connect_refused' || code === 'account_mismatch' ? { ...problem, next: NEXT } : problem
}
