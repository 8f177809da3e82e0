import swagger from '@fastify/swagger'
import type { FastifyInstance } from 'fastify'
import { FAILURE_CODES } from '../core/failure.ts'
import { PROBLEMS } from './problem.ts'

/** How the signature is told to whoever implements a caller from the document alone. */
const SIGNATURE = 'RFC 9421 HTTP Message Signatures, profile `token-broker/1`. Cover `"@method" "@authority" "@path" "@query"` (or `"@method" "@target-uri"`), with a '
  + 'body also `"content-digest" "content-type"` (RFC 9530, sha-256 or sha-512). Parameters: `created` and `expires` in seconds, at most 60 apart; `nonce`, 22 to 64 '
  + 'characters of base64url, new for every attempt; `keyid`; `tag="token-broker/1"`. Algorithm `hmac-sha256` or `ed25519`, fixed by the key. One signature per request. '
  + 'Answers are signed back with `;req` components and `tag="token-broker-response/1"`: verify them.'

/** Registered before the routes it describes. Serves the document, unsigned: it holds no secret. */
async function openApiPlugin(app: FastifyInstance, { serverUrl }: { serverUrl: string }): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Token broker',
        version: '0.1.0',
        summary: 'Delegated Microsoft access tokens for MEGDocs.',
        description: `The internal API. Every request is signed. Failures are RFC 9457 problem details with one of these codes:\n\n${
          FAILURE_CODES.map((code) => `* \`${code}\` (${PROBLEMS[code].status}): ${PROBLEMS[code].title}. ${PROBLEMS[code].meaning}`).join('\n')}`,
      },
      servers: [{ url: serverUrl }],
      tags: [
        { name: 'tokens', description: 'Access tokens for users.' },
        { name: 'integrations', description: 'What is connected.' },
        { name: 'connect', description: 'Connecting an account.' },
      ],
      components: { securitySchemes: { signature: { type: 'http', scheme: 'signature', description: SIGNATURE } } },
      security: [{ signature: [] }],
    },
    hideUntagged: true,
  })
  app.get('/openapi.json', { schema: { hide: true } }, async () => app.swagger())
}
export const openApi = Object.assign(openApiPlugin, { [Symbol.for('skip-override')]: true })
