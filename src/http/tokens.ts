import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { MAX_CLAIMS_LENGTH, readChallenge, type Challenge } from '../core/claims.ts'
import { Failure, type AnyReason } from '../core/failure.ts'
import { frozenFailure, type FreezeStore } from '../core/freeze.ts'
import type { HarvestAlarm } from '../core/harvest.ts'
import { DEFAULT_MIN_TTL_SECONDS } from '../core/integration.ts'
import type { Clock } from '../core/ports.ts'
import type { CheckedAnswer } from '../core/refresh-types.ts'
import type { Refresh, TokenRequest } from '../core/refresh.ts'
import { audit } from './audit.ts'
import { TOKEN } from './examples.ts'
import { answer, DEADLINE_MS, DeadlineMs, MinTtl, problemResponses, Token, UserParams } from './schemas.ts'
import { callerOf } from './signed.ts'
import { tokenView, type CompareScopes } from './views.ts'
import type { FastifyRequest } from 'fastify'

/** A token that was issued before a user's sessions were revoked. */
const CLAIMS = Buffer.from('{"access_token":{"nbf":{"essential":true,"value":"1764000000"}}}').toString('base64')

const CODES = [
  'not_connected',
  'reconnect_required',
  'microsoft_unavailable',
  'broker_misconfigured',
  'token_unreadable',
] as const

export const tokenRoutes: FastifyPluginAsyncTypebox<{
  refresh: Refresh
  freezes: Pick<FreezeStore, 'isKeyFrozen'>
  harvest: Pick<HarvestAlarm, 'asked'>
  clock: Pick<Clock, 'elapsed' | 'now'>
  compareScopes: CompareScopes
  /** A token is handed out although it could not be refreshed. */
  onDegraded(reason: AnyReason): void
}> = async (scope, { refresh, freezes, harvest, clock, compareScopes, onDegraded }) => {
  /** When the caller of a request that begins now stops waiting. */
  const deadlineAt = (deadlineMs: number = DEADLINE_MS.default): number => clock.elapsed() + deadlineMs

  function challengeOf(claims: string): Challenge {
    const read = readChallenge(claims, clock.now())
    if ('challenge' in read) return read.challenge
    throw new Failure('invalid_request', { invalid: [{ field: 'body.claims', expected: read.expected }] })
  }

  /** Where there is no row, the read has not seen the freezes. A frozen key does not even learn that. */
  async function refuseFrozenKey(error: unknown, keyId: string): Promise<never> {
    if (error instanceof Failure && error.code === 'not_connected' && (await freezes.isKeyFrozen(keyId)))
      throw frozenFailure('caller_key')
    throw error
  }

  /**
   * Every token that is handed out leaves an audit line (docs/design.md#audit): who got the token of whom, which one.
   * Never the token.
   */
  async function handOut(request: FastifyRequest, wanted: TokenRequest & { keyId: string }) {
    // Also what is then refused: a stolen key finds out by asking who is connected.
    harvest.asked(wanted.keyId, wanted.userId)
    const unlessKeyIsFrozen = (asked: Promise<CheckedAnswer>) =>
      asked.catch((error: unknown) => refuseFrozenKey(error, wanted.keyId))
    let answer = await unlessKeyIsFrozen(refresh.tokenFor(wanted))
    // Whatever was waited for since: a token leaves only within a second after its freezes were read.
    if (clock.elapsed() > answer.leavesBefore) answer = await unlessKeyIsFrozen(refresh.recheck(answer, wanted))
    const { generation, account } = answer.integration
    if (answer.degraded !== undefined) onDegraded(answer.degraded.reason)
    audit(
      request,
      {
        audit: 'token_handed_out',
        user_id: wanted.userId,
        generation,
        tenant_id: account?.tenantId,
        object_id: account?.objectId,
        degraded: answer.degraded?.reason,
      },
      {
        before: answer.leavesBefore,
        // The body is written already: its `expires_in` is too long by what the line took, a few seconds at most.
        recheck: async () => (answer = await unlessKeyIsFrozen(refresh.recheck(answer, wanted))).leavesBefore,
      },
    )
    return tokenView(answer, compareScopes)
  }

  scope.get(
    '/tokens/:userId',
    {
      config: { permission: 'tokens:read', readsFreezes: true },
      schema: {
        operationId: 'getToken',
        tags: ['tokens'],
        summary: 'A usable access token for a user',
        description:
          'Answers the stored token if it has more than `min_ttl` seconds left, else refreshes it first. A token ' +
          'that is still valid is never an error, except under a freeze: if it could not be refreshed, it comes with ' +
          '`degraded`.',
        params: UserParams,
        querystring: Type.Object(
          { min_ttl: Type.Optional(MinTtl), deadline_ms: Type.Optional(DeadlineMs) },
          { additionalProperties: false },
        ),
        response: { 200: answer(Token, 'A token to use.', TOKEN), ...problemResponses(CODES) },
      },
    },
    async (request) =>
      handOut(request, {
        userId: request.params.userId,
        minTtlSeconds: request.query.min_ttl ?? DEFAULT_MIN_TTL_SECONDS,
        deadlineAt: deadlineAt(request.query.deadline_ms),
        requestId: request.id,
        keyId: callerOf(request).key.keyId,
      }),
  )

  scope.post(
    '/tokens/:userId/refresh',
    {
      config: { permission: 'tokens:refresh' },
      schema: {
        operationId: 'refreshToken',
        tags: ['tokens'],
        summary: 'A token of a later generation than the one that failed',
        description:
          'For the moment when Graph answers 401 although the token has not expired. The stored token if it is ' +
          'later than `generation`, else one refresh, however many ask at once. The token that failed is never ' +
          'the answer: where no later one can be had, it is a failure. A `generation` above the stored one was ' +
          'never issued here (a restored backup): then a token refreshed less than a minute ago counts as later. ' +
          'If the 401 has a claims challenge, send it as `claims`: only a token that was got with it, or issued later ' +
          'than it asks for, is an answer then. If Microsoft wants the user for it, the answer is ' +
          '`reconnect_required`, and the next connect asks for it. After three such refreshes of a user in ten ' +
          'minutes nothing is sent to Microsoft: `claims_not_satisfied`.',
        params: UserParams,
        querystring: Type.Object({ deadline_ms: Type.Optional(DeadlineMs) }, { additionalProperties: false }),
        body: Type.Object(
          {
            generation: Type.Integer({
              minimum: 0,
              maximum: Number.MAX_SAFE_INTEGER,
              description: 'Of the token that failed.',
            }),
            claims: Type.Optional(
              Type.String({
                minLength: 1,
                maxLength: MAX_CLAIMS_LENGTH,
                description:
                  "`claims` of Graph's `WWW-Authenticate`: the base64 as it came, or its JSON. Members of `access_token`: " +
                  '`nbf` (at most five minutes ahead), `acrs`, `xms_rp_ipaddr`, `xms_caeerror`, `capolids`, `polids`.',
                examples: [CLAIMS],
              }),
            ),
          },
          { additionalProperties: false, examples: [{ generation: 1817 }, { generation: 1817, claims: CLAIMS }] },
        ),
        response: {
          200: answer(Token, 'A later token.', { ...TOKEN, generation: 1818 }),
          ...problemResponses([...CODES, 'claims_not_satisfied']),
        },
      },
    },
    async (request) =>
      handOut(request, {
        userId: request.params.userId,
        minTtlSeconds: DEFAULT_MIN_TTL_SECONDS,
        deadlineAt: deadlineAt(request.query.deadline_ms),
        after: request.body.generation,
        ...(request.body.claims === undefined ? {} : { challenge: challengeOf(request.body.claims) }),
        requestId: request.id,
        keyId: callerOf(request).key.keyId,
      }),
  )
}
