import { verdictOfCode } from '../core/failure.ts'
import type { Account, IntegrationSummary } from '../core/integration.ts'
import type { ConnectOutcome, ConnectSession } from '../core/ports.ts'
import { microsoftFacts, reasonFacts } from './problem.ts'
import type { TokenAnswer } from '../core/blocked.ts'

// Core's types as the JSON of the internal API (schemas.ts). Only named fields are copied: nothing can slip out with them.

export type MissingScopes = (granted: readonly string[]) => string[]

const account = ({ tenantId, objectId, username }: Account) => ({
  tenant_id: tenantId,
  object_id: objectId,
  ...(username === undefined ? {} : { username }),
})

export function tokenView({ integration, degraded }: TokenAnswer, missing: MissingScopes) {
  return {
    user_id: integration.userId,
    access_token: integration.accessToken,
    token_type: 'Bearer' as const,
    expires_at: integration.expiresAt,
    expires_in: Math.max(0, Math.floor(integration.remainingSeconds)),
    scope: integration.scopes.join(' '),
    missing_scopes: missing(integration.scopes),
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

export function integrationView(summary: IntegrationSummary, missing: MissingScopes) {
  const { failure } = summary
  return {
    user_id: summary.userId,
    status: summary.status,
    generation: summary.generation,
    ...(summary.account === undefined ? {} : { account: account(summary.account) }),
    scope: summary.scopes.join(' '),
    missing_scopes: missing(summary.scopes),
    connected_at: summary.connectedAt,
    refreshed_at: summary.refreshedAt,
    access_token_expires_at: summary.accessTokenExpiresAt,
    ...(failure === undefined
      ? {}
      : {
          failure: {
            ...reasonFacts(failure.reason, failure.verdict),
            final: failure.final,
            ...(failure.at === undefined ? {} : { at: failure.at }),
            microsoft: microsoftFacts(failure.microsoft),
          },
        }),
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

/** An attempt that ran out of time is shown as expired, whatever step it was in. */
export function connectSessionView(session: ConnectSession) {
  const over = session.outcome === undefined && session.expired
  return {
    id: session.id,
    user_id: session.userId,
    intent: session.intent,
    status: over ? ('expired' as const) : session.status,
    created_at: session.createdAt,
    expires_at: session.expiresAt,
    ...(session.outcome === undefined ? {} : { outcome: outcomeView(session.outcome) }),
  }
}
