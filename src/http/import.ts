import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { IMPORT_SKIPS, type Import, type ImportResult } from '../core/import.ts'
import { audit } from './audit.ts'
import { IMPORT_ROW } from './examples.ts'
import { openList } from './problem-schema.ts'
import { answer, problemResponses } from './schemas.ts'
import { callerOf } from './signed.ts'

/** Rows of one request. */
export const MAX_ROWS = 500
/** Bytes: each row may hold two tokens of Microsoft's largest size. */
export const BODY_LIMIT = 8 * 1024 * 1024

const FORM = `One integration as the caller held it. \`null\`, a blank string and an empty list count as absent.

| field | | |
|---|---|---|
| \`user_id\` | needed | as in every other call |
| \`refresh_token\` | needed | \`null\` or blank: the user has nothing to import, and the row is skipped |
| \`updated_at\` | needed | when Microsoft gave these tokens: RFC 3339, with its zone |
| \`access_token\`, \`expires_at\` | both or neither | without them the first read refreshes |
| \`scopes\` | | granted permissions, a list or separated by spaces; absent: those that are configured, so name them if the tokens have others |
| \`tenant_id\`, \`object_id\` | both or neither | absent: the first refresh fills them, and the row cannot replace a connection that was made through the broker |
| \`username\`, \`connected_at\` | | |
| \`client_id\` | | the app registration that the tokens belong to: the broker's current one or one of \`MICROSOFT_PREVIOUS_CLIENTS\`; absent: the current one |`

const SKIPPED =
  '`skipped` only: `newer_stored` (connected or refreshed after `updated_at`), `disconnected_since` (the user disconnected after ' +
  '`updated_at`), `refresh_token_too_old` (unused for 90 days, so it is dead), `other_account` (another account is stored), ' +
  '`connected_through_broker` (only a row with the same `tenant_id` and `object_id` may replace this connection), ' +
  '`stored_unreadable` (ops must look first), `no_refresh_token` (the row has nothing to import), `no_needed_scope` (the row ' +
  'has none of the permissions that the broker knows; it may belong to another provider).'

export const importRoutes: FastifyPluginAsyncTypebox<{ imports: Import }> = async (scope, { imports }) => {
  scope.post(
    '/integrations/import',
    {
      config: { permission: 'integrations:import' },
      bodyLimit: BODY_LIMIT,
      schema: {
        operationId: 'importIntegrations',
        tags: ['integrations'],
        summary: 'Import integrations that the caller held',
        description:
          'Each row is judged separately. Sending the same rows again changes nothing: repeat an import that was interrupted. ' +
          'A newer integration is never overwritten. A connection that was made through the broker is only replaced by a ' +
          'newer row of the same tenant and object id. Users who have disconnected since are skipped. Give the permission ' +
          'to a key that is valid for one day.',
        body: Type.Object(
          {
            rows: Type.Array(Type.Unknown({ description: FORM }), { minItems: 1, maxItems: MAX_ROWS }),
            dry_run: Type.Optional(
              Type.Boolean({ default: false, description: 'Decide for each row, store nothing.' }),
            ),
          },
          { additionalProperties: false, examples: [{ rows: [IMPORT_ROW], dry_run: true }] },
        ),
        response: {
          200: answer(
            Type.Object({
              results: Type.Array(
                Type.Object(
                  {
                    row: Type.Integer({ description: 'Its place in the request, from 0.' }),
                    user_id: Type.Optional(Type.String()),
                    result: openList(['imported', 'unchanged', 'skipped', 'invalid'], {
                      description: '`unchanged`: this refresh token is stored already.',
                    }),
                    reason: Type.Optional(openList(IMPORT_SKIPS, { description: SKIPPED })),
                    reasons: Type.Optional(
                      Type.Array(Type.String(), {
                        description: '`invalid` only: which fields, and what was expected.',
                      }),
                    ),
                    generation: Type.Optional(Type.Integer({ description: 'Of the tokens that are stored now.' })),
                  },
                  { title: 'ImportResult' },
                ),
              ),
            }),
            'One result for each row, in the same order.',
            { results: [{ row: 0, user_id: '42', result: 'imported' as const, generation: 1817 }] },
          ),
          ...problemResponses(),
        },
      },
    },
    async (request) => {
      const { caller } = callerOf(request)
      const { rows, dry_run: dryRun = false } = request.body
      const results = await imports.run(rows, { caller: caller.name, dryRun })
      const count = (wanted: ImportResult['result']) => results.filter(({ result }) => result === wanted).length
      audit(request, {
        audit: 'imported',
        dry_run: dryRun,
        counts: {
          imported: count('imported'),
          unchanged: count('unchanged'),
          skipped: count('skipped'),
          invalid: count('invalid'),
        },
      })
      return { results: results.map((result, row) => resultView(result, row)) }
    },
  )
}

function resultView(result: ImportResult, row: number) {
  const { userId, ...rest } = result
  return { row, ...(userId === undefined ? {} : { user_id: userId }), ...rest }
}
