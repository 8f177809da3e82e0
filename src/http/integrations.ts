import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { Failure } from '../core/failure.ts'
import type { IntegrationStore } from '../core/ports.ts'
import { audit } from './audit.ts'
import { INTEGRATION } from './examples.ts'
import { INSTANT, utcInstant } from '../core/instant.ts'
import { answer, Integration, NoContent, problemResponses, UserParams } from './schemas.ts'
import { callerOf } from './signed.ts'
import { integrationView, type CompareScopes } from './views.ts'

export interface IntegrationRoutesOptions {
  integrations: IntegrationStore
  compareScopes: CompareScopes
}

const ConnectedBefore = Type.String({
  pattern: INSTANT.source,
  description: 'Time of the disconnect that is repeated: `at` of its event, or when it was sent.',
})

export const integrationRoutes: FastifyPluginAsyncTypebox<IntegrationRoutesOptions> = async (
  scope,
  { integrations, compareScopes },
) => {
  scope.get(
    '/integrations/:userId',
    {
      config: { permission: 'integrations:read' },
      schema: {
        operationId: 'getIntegration',
        tags: ['integrations'],
        summary: 'The integration of a user, and whether it works',
        description: 'Status, account, permissions and the last failure. Never a token.',
        params: UserParams,
        response: {
          200: answer(Integration, 'What is stored, without tokens.', INTEGRATION),
          ...problemResponses(['not_connected']),
        },
      },
    },
    async (request) => {
      const summary = await integrations.summary(request.params.userId)
      if (summary === undefined) throw new Failure('not_connected')
      return integrationView(summary, compareScopes)
    },
  )

  scope.delete(
    '/integrations/:userId',
    {
      config: { permission: 'integrations:delete' },
      schema: {
        operationId: 'disconnect',
        tags: ['integrations'],
        summary: 'Disconnect a user',
        description:
          "Deletes the integration with its tokens at once and ends the user's connect and browser sessions. Also " +
          '204 if there was none; the event is written either way. The consent at Microsoft remains: only the user ' +
          'or an administrator can withdraw it there. With `connected_before` it repeats a disconnect that a restore ' +
          'of the database may have undone: an integration that was connected later stays, sessions stay, and no ' +
          'event is written if that disconnect still has its event.',
        params: UserParams,
        querystring: Type.Object({ connected_before: Type.Optional(ConnectedBefore) }, { additionalProperties: false }),
        response: { 204: NoContent('Disconnected, or connected later.'), ...problemResponses() },
      },
    },
    async (request, reply) => {
      const { caller } = callerOf(request)
      const { connected_before: given } = request.query
      const before = given === undefined ? undefined : utcInstant(given)
      if (given !== undefined && before === undefined)
        throw new Failure('invalid_request', {
          invalid: [{ field: 'querystring.connected_before', expected: 'a time that exists' }],
        })
      const wasConnected = await integrations.disconnect(request.params.userId, caller.name, before)
      audit(request, { audit: 'disconnected', user_id: request.params.userId, was_connected: wasConnected })
      return reply.code(204).send()
    },
  )
}
