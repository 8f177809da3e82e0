/**
 * Metadata and keys for any tenant segment (docs/microsoft.md#endpoints): Microsoft's members, in its order, and
 * without what it lacks.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { errorBody, newTrace } from './answers.ts'
import { Refusal } from './errors.ts'
import { unknownTenant } from './token.ts'
import type { World } from './world.ts'

type Incoming = FastifyRequest<{ Params: { tenant: string } }>

const claims = [
  'sub',
  'iss',
  'cloud_instance_name',
  'cloud_instance_host_name',
  'cloud_graph_host_name',
  'msgraph_host',
  'aud',
  'exp',
  'iat',
  'auth_time',
  'acr',
  'nonce',
  'preferred_username',
  'name',
  'tid',
  'ver',
  'at_hash',
  'c_hash',
  'email',
]

export function discoveryRoutes(app: FastifyInstance, world: World): void {
  app.get('/:tenant/v2.0/.well-known/openid-configuration', (request: Incoming, reply) => {
    world.counters.count('discovery')
    const audience = world.directory.audience(request.params.tenant)
    if (!audience) return tenantNotFound(world, request, reply)
    // A domain name is answered with the organisation's GUID; `consumers` keeps its name in addresses.
    const segment = request.params.tenant.toLowerCase() === 'consumers' ? 'consumers' : audience.key
    return published(reply, metadata(world, segment, audience.tenant?.id))
  })
  app.get('/:tenant/discovery/v2.0/keys', async (request: Incoming, reply) => {
    world.counters.count('keys')
    if (!world.directory.audience(request.params.tenant)) return tenantNotFound(world, request, reply)
    return published(reply, await world.keys.jwks(world.url))
  })
}

function metadata(world: World, segment: string, tenantId: string | undefined): object {
  const base = `${world.url}/${segment}`
  return {
    token_endpoint: `${base}/oauth2/v2.0/token`,
    token_endpoint_auth_methods_supported: ['client_secret_post', 'private_key_jwt', 'client_secret_basic'],
    jwks_uri: `${base}/discovery/v2.0/keys`,
    response_modes_supported: ['query', 'fragment', 'form_post'],
    subject_types_supported: ['pairwise'],
    id_token_signing_alg_values_supported: ['RS256'],
    response_types_supported: ['code', 'id_token', 'code id_token', 'id_token token'],
    scopes_supported: ['openid', 'profile', 'email', 'offline_access'],
    issuer: `${world.url}/${tenantId ?? '{tenantid}'}/v2.0`,
    request_uri_parameter_supported: false,
    userinfo_endpoint: `${world.url}/oidc/userinfo`,
    authorization_endpoint: `${base}/oauth2/v2.0/authorize`,
    device_authorization_endpoint: `${base}/oauth2/v2.0/devicecode`,
    http_logout_supported: true,
    frontchannel_logout_supported: true,
    end_session_endpoint: `${base}/oauth2/v2.0/logout`,
    claims_supported: claims,
    kerberos_endpoint: `${base}/kerberos`,
    tenant_region_scope: tenantId === undefined ? null : 'EU',
    cloud_instance_name: 'microsoftonline.com',
    cloud_graph_host_name: 'graph.windows.net',
    msgraph_host: 'graph.microsoft.com',
    rbac_url: 'https://pas.windows.net',
  }
}

function published(reply: FastifyReply, body: object): FastifyReply {
  return reply
    .headers({ 'Cache-Control': 'max-age=86400, private', 'Access-Control-Allow-Origin': '*' })
    .type('application/json; charset=utf-8')
    .send(JSON.stringify(body))
}

function tenantNotFound(world: World, request: Incoming, reply: FastifyReply): FastifyReply {
  const refusal = new Refusal(90002, { error: 'invalid_tenant', text: unknownTenant(request.params.tenant) })
  const trace = newTrace(request.headers['client-request-id'], world.clock.now())
  return reply
    .code(400)
    .type('application/json; charset=utf-8')
    .send(JSON.stringify(errorBody(refusal, trace, world.app, world.url)))
}
