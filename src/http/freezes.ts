import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { Failure } from '../core/failure.ts'
import { FREEZE_REASON, FREEZE_SCOPES, freezeValue, freezeValueProblem, type FreezeStore } from '../core/freeze.ts'
import { INSTANT, utcInstant } from '../core/instant.ts'
import { audit } from './audit.ts'
import { FREEZE } from './examples.ts'
import { closedList } from './problem-schema.ts'
import { answer, Freeze, NoContent, problemResponses } from './schemas.ts'
import { callerOf } from './signed.ts'
import { freezeView } from './views.ts'

const NewFreeze = Type.Object(
  {
    scope: closedList(FREEZE_SCOPES),
    value: Type.String({
      minLength: 1,
      maxLength: 128,
      description: 'The user id, the tenant id of Microsoft (a GUID), or the id of the caller key.',
    }),
    reason: Type.String({
      pattern: FREEZE_REASON.source,
      description: 'For operators, on one line, such as the number of an incident. No user sees it.',
    }),
    expires_at: Type.Optional(
      Type.String({
        pattern: INSTANT.source,
        description: 'Ends by itself, by the clock of the database. Absent: when it is lifted.',
      }),
    ),
  },
  {
    additionalProperties: false,
    examples: [{ scope: FREEZE.scope, value: FREEZE.value, reason: FREEZE.reason }],
  },
)

/** Freeze, list, lift (docs/design.md#freeze). */
export const freezeRoutes: FastifyPluginAsyncTypebox<{ freezes: FreezeStore }> = async (scope, { freezes }) => {
  scope.post(
    '/freezes',
    {
      config: { permission: 'freezes:write' },
      schema: {
        operationId: 'freeze',
        tags: ['freezes'],
        summary: 'Stop handing out tokens of a user, an organisation or to a key',
        description:
          'From one second after this answer, no replica hands out a token of the frozen scope, even if it is valid. ' +
          'Nothing is deleted, and nobody has to reconnect afterwards. It cannot reach tokens that were given before: ' +
          'they are valid for up to 90 minutes, and clients may hold them for up to a minute. A frozen key may do nothing, ' +
          'lifting freezes included. Freezing what is frozen changes the reason, and can only make the freeze longer.',
        body: NewFreeze,
        response: {
          200: answer(Freeze, 'It was frozen already.', FREEZE),
          201: answer(Freeze, 'Frozen.', FREEZE),
          ...problemResponses(),
        },
      },
    },
    async (request, reply) => {
      const { scope: what, value, reason, expires_at: ends } = request.body
      const { caller } = callerOf(request)
      const expected = freezeValueProblem(what, value)
      if (expected !== undefined) throw new Failure('invalid_request', { invalid: [{ field: 'body.value', expected }] })
      const expiresAt = ends === undefined ? undefined : utcInstant(ends)
      if (ends !== undefined && expiresAt === undefined)
        throw new Failure('invalid_request', {
          invalid: [{ field: 'body.expires_at', expected: 'a time that exists' }],
        })
      const { freeze, created } = await freezes.freeze({
        scope: what,
        value: freezeValue(what, value),
        reason,
        caller: caller.name,
        ...(expiresAt === undefined ? {} : { expiresAt }),
      })
      audit(request, { audit: 'frozen', freeze: freeze.id, scope: freeze.scope, value: freeze.value })
      return reply.code(created ? 201 : 200).send(freezeView(freeze))
    },
  )

  scope.get(
    '/freezes',
    {
      config: { permission: 'freezes:write' },
      schema: {
        operationId: 'listFreezes',
        tags: ['freezes'],
        summary: 'What is frozen now',
        description: 'Oldest first. A freeze whose time is over is not in it.',
        response: {
          200: answer(Type.Object({ freezes: Type.Array(Freeze) }), 'All freezes.', { freezes: [FREEZE] }),
          ...problemResponses(),
        },
      },
    },
    async () => ({ freezes: (await freezes.list()).map(freezeView) }),
  )

  scope.delete(
    '/freezes/:id',
    {
      config: { permission: 'freezes:write' },
      schema: {
        operationId: 'unfreeze',
        tags: ['freezes'],
        summary: 'Lift a freeze',
        description: 'Tokens are handed out again at once.',
        params: Type.Object(
          { id: Type.String({ format: 'uuid', description: 'The id of the freeze.', examples: [FREEZE.id] }) },
          { additionalProperties: false },
        ),
        response: { 204: NoContent('Lifted.'), ...problemResponses(['not_found']) },
      },
    },
    async (request, reply) => {
      const { caller } = callerOf(request)
      const freeze = await freezes.lift(request.params.id, caller.name)
      if (freeze === undefined) throw new Failure('not_found')
      audit(request, { audit: 'unfrozen', freeze: freeze.id, scope: freeze.scope, value: freeze.value })
      return reply.code(204).send()
    },
  )
}
