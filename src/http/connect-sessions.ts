import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import type { Connect } from '../core/connect.ts'
import { Failure } from '../core/failure.ts'
import type { BrowserSessionStore } from '../core/ports.ts'
import { audit } from './audit.ts'
import { BEGUN, CONNECT_SESSION, CONNECT_URLS, HANDLE, NEXT } from './examples.ts'
import type { Links } from './links.ts'
import type { Site } from './pages/pages.ts'
import { isFailureCode, sendProblem, toProblem } from './problem.ts'
import { answer, ConnectSession, NoContent, problemResponses, UserId, UserParams } from './schemas.ts'
import { callerOf } from './signed.ts'
import { connectSessionView } from './views.ts'

export interface ConnectSessionRoutesOptions {
  connect: Connect
  browserSessions: BrowserSessionStore
  links: Links
  site: Site
  completionUrl(): string
}

const IdParams = Type.Object(
  { id: Type.String({ format: 'uuid', description: 'Of the connect session.', examples: [CONNECT_SESSION.id] }) },
  { additionalProperties: false },
)

/** The form of BCP 47, with a hyphen. Which languages are known is not the caller's concern. */
const Locale = Type.String({
  pattern: '^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$',
  maxLength: 35,
  description:
    'Language of the user, as a BCP 47 tag (`de`, `de-AT`, `es-419`): for all pages of this visit. A language that ' +
    'the pages do not have gives English. Without it, the browser decides. A language that the user chooses on a ' +
    'page comes first.',
  examples: ['de-AT'],
})

const TimeZone = Type.String({
  pattern: '^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$',
  maxLength: 64,
  description:
    'Time zone of the user, as an IANA name: for the times on all pages of this visit. An unknown name gives UTC, and ' +
    'so does none.',
  examples: ['Europe/Vienna'],
})

/** As core/completion-handle.ts makes it. */
const Handle = Type.String({
  pattern: '^[A-Za-z0-9_-]{43}$',
  description: '`handle` of the address that the browser came with. A secret: do not log or store it.',
  examples: [HANDLE],
})

export const connectSessionRoutes: FastifyPluginAsyncTypebox<ConnectSessionRoutesOptions> = async (
  scope,
  { connect, browserSessions, links, site, completionUrl },
) => {
  scope.post(
    '/connect-sessions',
    {
      config: { permission: 'connect:write' },
      schema: {
        operationId: 'beginConnectSession',
        tags: ['connect'],
        summary: 'Begin a connect session, or open the account page',
        description:
          "Keep `id` in the user's own session and redirect the browser to `url`, which works once, for ten " +
          'minutes. The browser returns to the configured completion URL with `?connect_session=<id>&handle=<handle>`.',
        body: Type.Object(
          {
            user_id: UserId,
            intent: Type.Optional(
              Type.Enum(['connect', 'manage'], { default: 'connect', description: '`manage` opens the account page.' }),
            ),
            allow_account_switch: Type.Optional(
              Type.Boolean({
                default: false,
                description: 'Whether another Microsoft account may replace the stored one.',
              }),
            ),
            locale: Type.Optional(Locale),
            time_zone: Type.Optional(TimeZone),
          },
          {
            additionalProperties: false,
            examples: [{ user_id: '42', intent: 'connect', locale: 'de-AT', time_zone: 'Europe/Vienna' }],
          },
        ),
        response: {
          201: answer(
            Type.Object({
              id: Type.String({ format: 'uuid' }),
              url: Type.String({ format: 'uri', description: 'Where to send the browser. A secret until it is used.' }),
              expires_at: Type.String({ format: 'date-time', description: 'The link must be opened before.' }),
            }),
            'Begun.',
            BEGUN,
          ),
          ...problemResponses(),
        },
      },
    },
    async (request, reply) => {
      const { caller } = callerOf(request)
      const { user_id: userId, intent = 'connect', allow_account_switch: allowSwitch = false } = request.body
      const { locale, time_zone: timeZone } = request.body
      const { session, ticket } = await connect.begin({
        caller: caller.name,
        userId,
        intent,
        allowSwitch,
        ...(locale === undefined ? {} : { locale }),
        ...(timeZone === undefined ? {} : { timeZone }),
      })
      audit(request, { audit: 'connect_begun', user_id: userId, intent, connect_session: session.id })
      return reply.code(201).send({ id: session.id, url: links.ticket(ticket), expires_at: session.expiresAt })
    },
  )

  scope.get(
    '/connect-sessions/:id',
    {
      config: { permission: 'connect:write' },
      schema: {
        operationId: 'getConnectSession',
        tags: ['connect'],
        summary: 'How a connect session ended, or where it stands',
        description: 'Also for one that was declined at Microsoft or never came back. Kept for a day.',
        params: IdParams,
        response: {
          200: answer(ConnectSession, 'Where it stands.', CONNECT_SESSION),
          ...problemResponses(['not_found']),
        },
      },
    },
    async (request) => connectSessionView(await connect.status(request.params.id, callerOf(request).caller.name)),
  )

  scope.post(
    '/connect-sessions/:id/complete',
    {
      config: { permission: 'connect:write' },
      schema: {
        operationId: 'completeConnectSession',
        tags: ['connect'],
        summary: 'Confirm which user came back, and finish the connect',
        description:
          'Call it only if the `connect_session` that came with the browser is the one in the session of this ' +
          'logged-in user; otherwise call `DELETE /connect-sessions/{id}`. Send the `handle` that came with it: ' +
          "without it, or with another one, nothing changes (`not_back_yet`). Microsoft's code is redeemed only " +
          'now. For another `user_id` than at the beginning, the connect session ends. Repeating the call gives the ' +
          'same outcome. Send the user to `next`, which a problem of this operation has too once it has an outcome. ' +
          'An attempt that was declined at Microsoft has no handle: its browser stays with the broker, whose page ' +
          'says what happened.',
        params: IdParams,
        body: Type.Object(
          { user_id: UserId, handle: Type.Optional(Handle) },
          { additionalProperties: false, examples: [{ user_id: '42', handle: HANDLE }] },
        ),
        response: {
          200: answer(
            Type.Object({
              session: ConnectSession,
              next: Type.String({ format: 'uri', description: 'The page to send the user to.' }),
            }),
            'Connected.',
            {
              session: CONNECT_SESSION,
              next: NEXT,
            },
          ),
          ...problemResponses([
            'not_found',
            'connect_refused',
            'account_mismatch',
            'connect_session_expired',
            'microsoft_unavailable',
            'broker_misconfigured',
            'token_unreadable',
          ]),
        },
      },
    },
    async (request, reply) => {
      const { caller } = callerOf(request)
      const { id } = request.params
      const next = links.result(id)
      const session = await connect
        .complete({
          id,
          caller: caller.name,
          userId: request.body.user_id,
          handle: request.body.handle,
          requestId: request.id,
        })
        .catch((error: unknown) =>
          error instanceof Failure && error.code === 'connect_session_expired' ? error : Promise.reject(error),
        )
      if (session instanceof Failure) {
        sendProblem(request, reply, { ...toProblem(session, request.id), next })
        return reply
      }
      const { outcome } = session
      audit(request, {
        audit: 'connect_completed',
        user_id: request.body.user_id,
        connect_session: id,
        outcome: outcome.result,
        reason: outcome.reason,
        aadsts: outcome.microsoft?.aadsts,
        correlation_id: outcome.microsoft?.correlationId,
      })
      if (outcome.code === undefined) return { session: connectSessionView(session), next }
      const { reason, microsoft } = outcome
      // A code of a newer release is answered as what it is for the caller: the connect failed.
      const failure = new Failure(isFailureCode(outcome.code) ? outcome.code : 'connect_refused', {
        ...(reason === undefined ? {} : { reason }),
        ...(microsoft === undefined ? {} : { microsoft }),
      })
      sendProblem(request, reply, { ...toProblem(failure, request.id, site.app.adminConsentUrl), next })
      return reply
    },
  )

  scope.delete(
    '/connect-sessions/:id',
    {
      config: { permission: 'connect:write' },
      schema: {
        operationId: 'endConnectSession',
        tags: ['connect'],
        summary: 'End a connect session that came back to another login',
        description:
          'Call it if the `connect_session` that came with the browser is not in the session of this logged-in user: ' +
          'somebody else began it, and could complete it with what this user approved. With the right `handle`, and ' +
          'before the completion, the connect session ends and nobody can complete it. Otherwise nothing changes, ' +
          'and the answer is the same.',
        params: IdParams,
        querystring: Type.Object({ handle: Handle }, { additionalProperties: false }),
        response: {
          204: NoContent('Ended, or nothing to end.'),
          ...problemResponses(['not_found']),
        },
      },
    },
    async (request, reply) => {
      const caller = callerOf(request).caller.name
      const ended = await connect.end({ id: request.params.id, caller, handle: request.query.handle })
      if (ended !== undefined)
        // The browser came back to another login.
        audit(request, {
          audit: 'connect_ended',
          user_id: ended.userId,
          connect_session: ended.id,
          reason: ended.outcome.reason,
        })
      return reply.code(204).send()
    },
  )

  scope.get(
    '/connect-urls',
    {
      config: { permission: 'connect:write' },
      schema: {
        operationId: 'getConnectUrls',
        tags: ['connect'],
        summary: 'Where the broker sends browsers',
        description: 'As it is configured, so that the caller can compare it with its own pages.',
        response: {
          200: answer(
            Type.Object({
              connect_url: Type.String({ format: 'uri', description: '`ENTRY_URL_CONNECT`' }),
              manage_url: Type.String({ format: 'uri', description: '`ENTRY_URL_MANAGE`' }),
              completion_url: Type.String({ format: 'uri', description: '`COMPLETION_URL`' }),
            }),
            'The configured URLs.',
            CONNECT_URLS,
          ),
          ...problemResponses(),
        },
      },
    },
    async () => ({
      connect_url: site.entryUrls.connect,
      manage_url: site.entryUrls.manage,
      completion_url: completionUrl(),
    }),
  )

  scope.delete(
    '/browser-sessions/:userId',
    {
      config: { permission: 'sessions:delete' },
      schema: {
        operationId: 'endBrowserSessions',
        tags: ['connect'],
        summary: 'End the browser sessions of a user',
        description: 'Call it when the user logs out of MEGDocs. It also ends connect sessions that are at Microsoft.',
        params: UserParams,
        response: { 204: NoContent('Ended.'), ...problemResponses() },
      },
    },
    async (request, reply) => {
      await browserSessions.endAllOf(request.params.userId)
      audit(request, { audit: 'browser_sessions_ended', user_id: request.params.userId })
      return reply.code(204).send()
    },
  )
}
