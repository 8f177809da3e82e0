import { Failure, REASONS, type Actor, type Reason } from '../core/failure.ts'
import type { StoredFailure } from '../core/integration.ts'
import type { SealContext } from '../core/ports.ts'
import { keyIdOf } from '../crypto/vault.ts'
import {
  lastConnects,
  lastEvents,
  userDiagnostics,
  type ConnectDiagnostics,
  type EventDiagnostics,
  type UserDiagnostics,
} from '../db/diagnostics-user.ts'
import { texts } from '../http/pages/texts.ts'
import { microsoftFacts } from '../http/problem.ts'
import type { Services } from '../services.ts'

// What is known about one user, in the shape that `doctor --user … --json` prints. No token is in it.

/** Attempts and events that are shown. */
const SHOWN = 10
const DAY = 86_400

export type MicrosoftFacts = ReturnType<typeof microsoftFacts>

/** A reason in words: the one table of core, and the title that the user sees. */
export interface Explained {
  /** As stored; empty: the row does not say. */
  reason: string
  title: string
  who_acts: Actor
  advice: string
}

export interface UserFacts {
  user_id: string
  integration: null | {
    id: string
    status: 'active' | 'reconnect_required'
    generation: number
    account: null | { tenant_id: string; object_id: string; username: string | null }
    access_token: { seconds_left: number; expires_at: string }
    /** Unused, it dies so many days from now. */
    refresh_token: { days_left: number }
    connected_at: string
    refreshed_at: string
    last_used_at: string
    scopes: string[]
    missing_scopes: string[]
    failure:
      | null
      | (Explained & {
          verdict: string
          /** No further tries: only a reconnect helps. */
          final: boolean
          /** In a row. */
          failures: number
          /** Since when, as far as it is known; and the last one. */
          since: string | null
          at: string | null
          microsoft: MicrosoftFacts
        })
    /** No try before then. Without a failure: the breaker of a replica held one back. */
    retry_at: string | null
    /** A refresh is under way. `left_behind`: one never ended; the next one takes over. */
    lease: 'free' | 'held' | 'left_behind'
    sealed: { column: 'access_token' | 'refresh_token'; key_id: string; opens: boolean; why: string | null }[]
  }
  /** Newest first, of the last day. */
  connects: {
    id: string
    caller: string
    intent: string
    status: string
    /** Still under way. */
    open: boolean
    created_at: string
    expires_at: string
    /** Of a refusal. */
    refused: null | Explained
    /** What was chosen at Microsoft. */
    username: string | null
    microsoft: MicrosoftFacts
  }[]
  /** Newest first. */
  events: { at: string; type: string; caller: string; reason: string | null; cause: string | null }[]
  /** Where this user begins to connect. */
  link: string
}

/** Throws Failure when the database does not answer. */
export async function userFacts(
  { database, vault, missingScopes, config }: Services,
  userId: string,
): Promise<UserFacts> {
  const [row, connects, events] = await Promise.all([
    userDiagnostics(database, userId),
    lastConnects(database, userId, SHOWN),
    lastEvents(database, userId, SHOWN),
  ])
  return {
    user_id: userId,
    integration:
      row === undefined
        ? null
        : {
            id: row.id,
            status: row.status,
            generation: row.generation,
            account:
              row.tenantId === null || row.objectId === null
                ? null
                : { tenant_id: row.tenantId, object_id: row.objectId, username: row.username },
            access_token: { seconds_left: Math.max(0, Math.floor(row.remaining)), expires_at: row.expiresAt },
            refresh_token: { days_left: Math.floor(row.diesIn / DAY) },
            connected_at: row.connectedAt,
            refreshed_at: row.refreshedAt,
            last_used_at: row.lastUsedAt,
            scopes: row.scopes,
            missing_scopes: missingScopes(row.scopes),
            failure: row.failure === null ? null : failureFacts(row.failure, row, events),
            retry_at: (row.retryInSeconds ?? 0) > 0 ? row.retryAt : null,
            lease: row.leaseInSeconds === null ? 'free' : row.leaseInSeconds > 0 ? 'held' : 'left_behind',
            sealed: (['access_token', 'refresh_token'] as const).map((column) =>
              sealedFacts(vault, userId, row, column),
            ),
          },
    connects: connects.map(connectFacts),
    events: events.map(({ at, type, caller, detail }) => ({
      at,
      type,
      caller,
      reason: detail.reason ?? null,
      cause: detail.cause ?? null,
    })),
    link: config.entryUrls.connect,
  }
}

export function explained(reason: string | undefined): Explained {
  const known = reason !== undefined && Object.hasOwn(REASONS, reason) ? (reason as Reason) : undefined
  if (known === undefined) {
    return {
      reason: reason ?? '',
      title: 'A reason that this release does not know',
      who_acts: 'ops',
      advice: 'Ask the release that wrote it: run its doctor.',
    }
  }
  const { whoActs, advice } = REASONS[known]
  return { reason: known, title: texts.en.reasons[known].title, who_acts: whoActs, advice }
}

function failureFacts(
  failure: StoredFailure,
  { status, failures }: UserDiagnostics,
  events: readonly EventDiagnostics[],
) {
  // The row has the last failure; when the integration stopped working is in the events.
  const marked =
    status === 'reconnect_required' ? events.find(({ type }) => type === 'reconnect_required')?.at : undefined
  return {
    ...explained(failure.reason),
    verdict: failure.verdict,
    final: failure.final,
    failures,
    since: marked ?? failure.since ?? (failures === 1 ? failure.at : undefined) ?? null,
    at: failure.at ?? null,
    microsoft: microsoftFacts(failure.microsoft ?? {}),
  }
}

function sealedFacts(
  vault: Services['vault'],
  userId: string,
  row: UserDiagnostics,
  column: 'access_token' | 'refresh_token',
) {
  const context: SealContext = { table: 'oauth2_integration', column, provider: 'microsoft', userId, recordId: row.id }
  const sealed = column === 'access_token' ? row.accessToken : row.refreshToken
  const key_id = keyIdOf(sealed) ?? ''
  try {
    vault.open(context, sealed)
    return { column, key_id, opens: true, why: null }
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    return { column, key_id, opens: false, why: error.facts.detail ?? null }
  }
}

function connectFacts({
  id,
  caller,
  intent,
  status,
  outcome,
  createdAt,
  expiresAt,
  expired,
}: ConnectDiagnostics): UserFacts['connects'][number] {
  const over = ['connected', 'refused', 'expired'].includes(status)
  return {
    id,
    caller,
    intent,
    status,
    open: !over && !expired,
    created_at: createdAt,
    expires_at: expiresAt,
    refused: outcome?.result === 'refused' ? explained(outcome.reason) : null,
    username: outcome?.account?.username ?? null,
    microsoft: microsoftFacts(outcome?.microsoft ?? {}),
  }
}
