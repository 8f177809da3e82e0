import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { BROKER_EVENT_TYPES, type BrokerEvent, type EventStore } from '../core/events.ts'
import { Failure } from '../core/failure.ts'
import type { Clock, IntegrationStore } from '../core/ports.ts'
import { EVENTS, LISTED } from './examples.ts'
import { openList, Reason } from './problem-schema.ts'
import { answer, FreezeScope, Integration, problemResponses, UserId } from './schemas.ts'
import { integrationView, type CompareScopes } from './views.ts'

export interface EventRoutesOptions {
  events: EventStore
  integrations: IntegrationStore
  clock: Clock
  compareScopes: CompareScopes
  /** Callers that wait are answered at once when the process ends. */
  isDraining(): boolean
}

/** Less than the timeout of any usual proxy. */
const MAX_WAIT_SECONDS = 25
/** Between two reads for a caller that waits. It holds no database connection in between. */
const POLL_MS = 500

const Cursor = Type.String({ pattern: '^[A-Za-z0-9_-]{1,128}$', description: 'Opaque: as the last answer had it.' })
const Limit = (fallback: number) =>
  Type.Integer({ minimum: 1, maximum: 500, default: fallback, description: 'Entries of one answer.' })

const Event = Type.Object(
  {
    id: Type.Integer({
      description: 'Grows with every event. The same event may be delivered again, never with another id.',
    }),
    at: Type.String({ format: 'date-time', description: 'When it became true.' }),
    user_id: Type.String({ description: 'Empty for a freeze of a tenant or of a caller key.' }),
    type: openList(BROKER_EVENT_TYPES, { description: 'More may come: ignore those that you do not know.' }),
    reason: Type.Optional(Reason),
    cause: Type.Optional(
      openList(['unused', 'expired'], {
        description:
          '`unused`: `disconnected` by the broker itself, because no caller has read it for a long time. `expired`: the ' +
          'time of a freeze is over.',
      }),
    ),
    freeze: Type.Optional(
      Type.Object(
        { id: Type.String({ format: 'uuid' }), scope: FreezeScope, value: Type.String() },
        {
          description:
            '`frozen`: forget the tokens that you hold of this user, tenant or key. `unfrozen`: it has ended.',
        },
      ),
    ),
    generation: Type.Optional(Type.Integer({ description: 'Of the tokens that came with it.' })),
  },
  { title: 'Event' },
)

/** Events and the list of integrations (docs/design.md#events): MEGDocs can inform a user before they click Edit. */
export const eventRoutes: FastifyPluginAsyncTypebox<EventRoutesOptions> = async (scope, options) => {
  const { events, integrations, clock, compareScopes, isDraining } = options

  scope.get(
    '/events',
    {
      config: { permission: 'events:read' },
      schema: {
        operationId: 'readEvents',
        tags: ['events'],
        summary: 'Events of integrations since a cursor',
        description:
          'Events in the order in which they became true, without gaps. Store `cursor` when you have processed ' +
          'them, and send it as `after`; events after the cursor that you send are delivered again. With `wait`, ' +
          'an answer without events comes after that time. Events are kept for 90 days. `cursor_expired` also says that ' +
          'the database was restored to a time before the cursor: repeat the disconnects that you know of with ' +
          '`connected_before`, then list all integrations.',
        querystring: Type.Object(
          {
            after: Type.Optional(Cursor),
            limit: Type.Optional(Limit(100)),
            wait: Type.Optional(
              Type.Integer({ minimum: 0, maximum: MAX_WAIT_SECONDS, default: 0, description: 'Seconds.' }),
            ),
          },
          { additionalProperties: false },
        ),
        response: {
          200: answer(
            Type.Object({
              events: Type.Array(Event),
              cursor: Type.String({ description: 'After the last of them.' }),
              more: Type.Boolean({ description: 'There may be more: read again at once.' }),
            }),
            'Events.',
            EVENTS,
          ),
          ...problemResponses(['cursor_expired']),
        },
      },
    },
    async (request, reply) => {
      const { after, limit = 100, wait = 0 } = request.query
      const deadlineAt = clock.elapsed() + wait * 1000
      const gone = new AbortController()
      reply.raw.once('close', () => gone.abort())
      for (;;) {
        const page = await events.read({ limit, ...(after === undefined ? {} : { after }) })
        if (page === 'expired') throw new Failure('cursor_expired')
        const leftMs = deadlineAt - clock.elapsed()
        if (page.events.length > 0 || leftMs <= 0 || gone.signal.aborted || isDraining())
          return { ...page, events: page.events.map(eventView) }
        await clock.sleep(Math.min(leftMs, POLL_MS), gone.signal)
      }
    },
  )

  scope.get(
    '/integrations',
    {
      config: { permission: 'integrations:read' },
      schema: {
        operationId: 'listIntegrations',
        tags: ['integrations'],
        summary: 'All integrations, page by page',
        description:
          'Before the first read of events, and after `cursor_expired`: store `events_cursor` of the first page, ' +
          'read all pages, then read events from it. Pages are ordered by user id. An integration that exists all ' +
          'the time is listed exactly once.',
        querystring: Type.Object(
          { after: Type.Optional(UserId), limit: Type.Optional(Limit(100)) },
          { additionalProperties: false },
        ),
        response: {
          200: answer(
            Type.Object({
              integrations: Type.Array(Integration),
              next: Type.Optional(
                Type.String({ description: 'Send it as `after` for the next page; absent on the last.' }),
              ),
              events_cursor: Type.String({ description: 'For `GET /events`. Older than this page.' }),
            }),
            'One page.',
            LISTED,
          ),
          ...problemResponses(),
        },
      },
    },
    async (request) => {
      const { after, limit = 100 } = request.query
      // Before the page: a change while the page is read is an event after the cursor.
      const cursor = await events.newest()
      const page = await integrations.list({ limit, ...(after === undefined ? {} : { after }) })
      return {
        integrations: page.map((summary) => integrationView(summary, compareScopes)),
        ...(page.length < limit ? {} : { next: page.at(-1)!.userId }),
        events_cursor: cursor,
      }
    },
  )
}

function eventView({ id, at, userId, type, reason, cause, generation, freeze }: BrokerEvent) {
  return {
    id,
    at,
    user_id: userId,
    type,
    ...(reason === undefined ? {} : { reason }),
    ...(cause === undefined ? {} : { cause }),
    ...(generation === undefined ? {} : { generation }),
    ...(freeze === undefined ? {} : { freeze }),
  }
}
