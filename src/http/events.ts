import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { BROKER_EVENT_TYPES, type BrokerEvent, type EventStore } from '../core/events.ts'
import { Failure } from '../core/failure.ts'
import type { Clock, IntegrationStore } from '../core/ports.ts'
import { EVENTS, LISTED } from './examples.ts'
import { openList, Reason } from './problem-schema.ts'
import { answer, Integration, problemResponses, UserId } from './schemas.ts'
import { integrationView, type MissingScopes } from './views.ts'

export interface EventRoutesOptions {
  events: EventStore
  integrations: IntegrationStore
  clock: Clock
  missingScopes: MissingScopes
  /** Whoever waits is answered at once when the process ends. */
  isDraining(): boolean
}

/** Seconds a caller may be kept waiting: less than any proxy's patience. */
const MAX_WAIT = 25
/** Milliseconds between two looks for a caller who waits. No database connection is held meanwhile. */
const LOOK_EVERY = 500

const Cursor = Type.String({ pattern: '^[A-Za-z0-9_-]{1,128}$', description: 'Opaque: as an answer gave it.' })
const Limit = (fallback: number) =>
  Type.Integer({ minimum: 1, maximum: 500, default: fallback, description: 'Entries of one answer.' })

const Event = Type.Object(
  {
    id: Type.Integer({
      description: 'Grows with every event. The same event may be delivered again, never with another id.',
    }),
    at: Type.String({ format: 'date-time', description: 'When it became true.' }),
    user_id: Type.String(),
    type: openList(BROKER_EVENT_TYPES, { description: 'More may come: ignore those that you do not know.' }),
    reason: Type.Optional(Reason),
    cause: Type.Optional(
      openList(['unused'], {
        description: '`disconnected` by the broker itself: no caller has read it for a long time.',
      }),
    ),
    generation: Type.Optional(Type.Integer({ description: 'Of the tokens that came with it.' })),
  },
  { title: 'Event' },
)

/** What became true, and what is (design 2.5): so that MEGDocs can tell a user before they click Edit. */
export const eventRoutes: FastifyPluginAsyncTypebox<EventRoutesOptions> = async (scope, options) => {
  const { events, integrations, clock, missingScopes, isDraining } = options

  scope.get(
    '/events',
    {
      config: { permission: 'events:read' },
      schema: {
        operationId: 'readEvents',
        tags: ['events'],
        summary: 'What happened to integrations since',
        description:
          'Events in the order in which they became true, none left out. Keep `cursor` when you have dealt with them and send it as `after`; what you ' +
          'had not kept is delivered again. With `wait`, an answer without events comes only after that time. Events are kept for 90 days.',
        querystring: Type.Object(
          {
            after: Type.Optional(Cursor),
            limit: Type.Optional(Limit(100)),
            wait: Type.Optional(Type.Integer({ minimum: 0, maximum: MAX_WAIT, default: 0, description: 'Seconds.' })),
          },
          { additionalProperties: false },
        ),
        response: {
          200: answer(
            Type.Object({
              events: Type.Array(Event),
              cursor: Type.String({ description: 'Behind the last of them.' }),
              more: Type.Boolean({ description: 'There may be more: ask again at once.' }),
            }),
            'What happened.',
            EVENTS,
          ),
          ...problemResponses(['cursor_expired']),
        },
      },
    },
    async (request, reply) => {
      const { after, limit = 100, wait = 0 } = request.query
      const until = clock.elapsed() + wait * 1000
      const gone = new AbortController()
      reply.raw.once('close', () => gone.abort())
      for (;;) {
        const page = await events.read({ limit, ...(after === undefined ? {} : { after }) })
        if (page === 'expired') throw new Failure('cursor_expired')
        const left = until - clock.elapsed()
        if (page.events.length > 0 || left <= 0 || gone.signal.aborted || isDraining())
          return { ...page, events: page.events.map(eventView) }
        await clock.sleep(Math.min(left, LOOK_EVERY), gone.signal)
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
        summary: 'Everything that is connected, page by page',
        description:
          'To begin with events, or again after `cursor_expired`: keep `events_cursor` of the first page, read all pages, then read events from it. Pages are ordered ' +
          'by user id: what was there all the time is listed exactly once.',
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
              events_cursor: Type.String({ description: 'For `GET /events`, from before this page was read.' }),
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
      // Before the page: what happens while it is read is an event behind the cursor.
      const cursor = await events.newest()
      const page = await integrations.list({ limit, ...(after === undefined ? {} : { after }) })
      return {
        integrations: page.map((summary) => integrationView(summary, missingScopes)),
        ...(page.length < limit ? {} : { next: page.at(-1)!.userId }),
        events_cursor: cursor,
      }
    },
  )
}

function eventView({ id, at, userId, type, reason, cause, generation }: BrokerEvent) {
  return {
    id,
    at,
    user_id: userId,
    type,
    ...(reason === undefined ? {} : { reason }),
    ...(cause === undefined ? {} : { cause }),
    ...(generation === undefined ? {} : { generation }),
  }
}
