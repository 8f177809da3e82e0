import { verdictOfCode } from '../core/failure.ts'
import { FROZEN_REASONS, type Freeze } from '../core/freeze.ts'
import type { Account, IntegrationSummary, StoredFailure } from '../core/integration.ts'
import type { ConnectOutcome, ConnectSession } from '../core/ports.ts'
import type { TokenAnswer } from '../core/blocked.ts'
import { microsoftFacts, reasonFacts } from './problem.ts'

// Core's types as the JSON of the internal API (schemas.ts). Members are copied one by one, so that nothing else goes
// out with them.

/** What was granted, compared with the permissions that are configured. */
export type CompareScopes = (granted: readonly string[]) => { missing: string[]; excess: string[] }

const account = ({ tenantId, objectId, username }: Account) => ({
  tenant_id: tenantId,
  object_id: objectId,
  ...(username === undefined ? {} : { username }),
})

export function tokenView({ integration, degraded }: TokenAnswer, compareScopes: CompareScopes) {
  const { missing, excess } = compareScopes(integration.scopes)
  return {
    user_id: integration.userId,
    access_token: integration.accessToken,
    token_type: 'Bearer' as const,
    expires_at: integration.expiresAt,
    expires_in: Math.max(0, Math.floor(integration.remainingSeconds)),
    scope: integration.scopes.join(' '),
    missing_scopes: missing,
    excess_scopes: excess,
    generation: integration.generation,
    ...(integration.account === undefined ? {} : { account: account(integration.account) }),
    ...(degraded === undefined
      ? {}
      : {
          degraded: {
            reason: degraded.reason,
            ...(degraded.retryAfterSeconds === undefined ? {} : { retry_after: degraded.retryAfterSeconds }),
          },
        }),
  }
}

export function integrationView(summary: IntegrationSummary, compareScopes: CompareScopes) {
  const { missing, excess } = compareScopes(summary.scopes)
  return {
    user_id: summary.userId,
    status: summary.status,
    generation: summary.generation,
    ...(summary.account === undefined ? {} : { account: account(summary.account) }),
    scope: summary.scopes.join(' '),
    missing_scopes: missing,
    excess_scopes: excess,
    connected_at: summary.connectedAt,
    refreshed_at: summary.refreshedAt,
    access_token_expires_at: summary.accessTokenExpiresAt,
    ...(summary.failure === undefined ? {} : { failure: failureView(summary.failure) }),
    ...(summary.frozen === undefined ? {} : { frozen: reasonFacts(FROZEN_REASONS[summary.frozen]) }),
  }
}

function failureView({ reason, verdict, final, at, microsoft }: StoredFailure) {
  return {
    ...reasonFacts(reason, verdict),
    final,
    ...(at === undefined ? {} : { at }),
    microsoft: microsoftFacts(microsoft),
  }
}

function outcomeView(outcome: ConnectOutcome) {
  const { result, code, reason, microsoft } = outcome
  return {
    result,
    ...(code === undefined ? {} : { code }),
    ...(reason === undefined ? {} : reasonFacts(reason, verdictOfCode(code))),
    ...(outcome.account === undefined ? {} : { account: account(outcome.account) }),
    ...(microsoft === undefined ? {} : { microsoft: microsoftFacts(microsoft) }),
  }
}

/** A connect session that ran out of time is shown as expired, in whichever step it was. */
export function connectSessionView(session: ConnectSession) {
  const isOver = session.outcome === undefined && session.expired
  return {
    id: session.id,
    user_id: session.userId,
    intent: session.intent,
    status: isOver ? 'expired' : session.status,
    created_at: session.createdAt,
    expires_at: session.expiresAt,
    ...(session.outcome === undefined ? {} : { outcome: outcomeView(session.outcome) }),
  }
}

export function freezeView({ id, scope, value, reason, caller, createdAt, expiresAt }: Freeze) {
  return {
    id,
    scope,
    value,
    reason,
    caller,
    created_at: createdAt,
    ...(expiresAt === undefined ? {} : { expires_at: expiresAt }),
  }
}
