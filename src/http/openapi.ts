import swagger from '@fastify/swagger'
import type { FastifyInstance, FastifySchema } from 'fastify'
import type { CallerPermission } from '../core/caller-permissions.ts'
import { FAILURE_CODES } from '../core/failure.ts'
import { VALUES_MAY_BE_ADDED } from './problem-schema.ts'
import { VERSION } from '../version.ts'
import { PROBLEMS } from './problem.ts'
import { signingGuide } from './signing-guide.ts'

/** In the committed document, which belongs to no deployment. */
const ANY_SERVER = {
  url: 'https://{authority}',
  variables: {
    authority: {
      default: 'token-broker.megdocs.svc:8081',
      description: "One of the deployment's INTERNAL_AUTHORITIES: `@authority` of every signature.",
    },
  },
}

const DESCRIPTION = `The internal API of the token broker, for MEGDocs and other callers. Every request is signed. \
The security scheme \`signature\` describes how, with worked examples.

Failures are RFC 9457 problem details (\`application/problem+json\`) with one of these values of \`code\`. \
Treat one that you do not know by its status.

${FAILURE_CODES.map((code) => `* \`${code}\` (${PROBLEMS[code].status}): ${PROBLEMS[code].title}. ${PROBLEMS[code].meaning}`).join('\n')}

Expect more in any release: answers gain members, operations gain failures, and lists marked \`${VALUES_MAY_BE_ADDED}\` gain values. Nothing else changes in a way that breaks a caller.`

/** Register it before the routes that it describes. Serves the document unsigned, because it contains no secret. */
async function openApiPlugin(app: FastifyInstance, { serverUrl }: { serverUrl?: string }): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Token broker',
        version: VERSION,
        summary: 'Delegated Microsoft access tokens for MEGDocs.',
        description: DESCRIPTION,
      },
      servers: [serverUrl === undefined ? ANY_SERVER : { url: serverUrl }],
      tags: [
        { name: 'tokens', description: 'Access tokens for users.' },
        { name: 'integrations', description: 'Stored authorizations of users.' },
        { name: 'events', description: 'Changes of integrations.' },
        { name: 'freezes', description: 'Access that is paused.' },
        { name: 'connect', description: 'Connecting an account.' },
      ],
      components: {
        securitySchemes: {
          signature: { type: 'apiKey', in: 'header', name: 'Signature', description: signingGuide() },
        },
      },
      security: [{ signature: [] }],
    },
    hideUntagged: true,
    transform: ({ schema, url, route }) => ({ schema: withPermission(schema, route.config?.permission), url }),
    transformObject: (document) =>
      'openapiObject' in document ? withComponents(document.openapiObject) : document.swaggerObject,
  })
  app.get('/openapi.json', { schema: { hide: true } }, async () => app.swagger())
}
export const openApi = Object.assign(openApiPlugin, { [Symbol.for('skip-override')]: true })

/**
 * The permission that a caller needs, as a role of the security requirement (OpenAPI 3.1, section 4.8.30) and in words.
 */
function withPermission(schema: FastifySchema, permission: CallerPermission | undefined): FastifySchema {
  if (permission === undefined) return schema
  return {
    ...schema,
    description: `${schema.description} Needs the permission \`${permission}\`.`,
    security: [{ signature: [permission] }],
  }
}

/** Puts every schema that has a title under `components`, once: people read the document too. */
function withComponents<T extends { components?: { schemas?: object } | undefined }>(document: T): T {
  const schemas: Record<string, unknown> = {}
  function hoist(node: unknown): unknown {
    if (Array.isArray(node)) return node.map(hoist)
    if (typeof node !== 'object' || node === null) return node
    const copy = Object.fromEntries(Object.entries(node).map(([name, value]) => [name, hoist(value)]))
    const { title } = copy
    // The titles of problems in examples are sentences, not names.
    if (typeof title !== 'string' || !/^[A-Z]\w+$/.test(title)) return copy
    schemas[title] ??= copy
    return { $ref: `#/components/schemas/${title}` }
  }
  const hoisted = hoist(document) as T
  return { ...hoisted, components: { ...hoisted.components, schemas: { ...hoisted.components?.schemas, ...schemas } } }
}
