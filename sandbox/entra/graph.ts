/**
 * The few parts of Microsoft Graph that MEGDocs uses (docs/microsoft.md#graph): profile, drive, a file and its content.
 */
import { randomUUID } from 'node:crypto'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { readAccessToken } from './access-tokens.ts'
import type { AccessToken } from './access-tokens.ts'
import type { Account } from './accounts.ts'
import { challengeFor } from './cae.ts'
import type { DriveFile } from './drive.ts'
import { context, describeDrive, describeFile, profile } from './graph-bodies.ts'
import { uploadRoutes } from './uploads.ts'
import type { World } from './world.ts'

type Answer = { status: number; code: string; message: string; headers?: Record<string, string> }
type Work = (account: Account, request: FastifyRequest, reply: FastifyReply) => unknown

const readFiles = [
  'Files.Read',
  'Files.ReadWrite',
  'Files.Read.All',
  'Files.ReadWrite.All',
  'Sites.Read.All',
  'Sites.ReadWrite.All',
]
const writeFiles = readFiles.filter((scope) => scope.includes('Write'))
const readUser = ['User.Read', 'User.ReadWrite']
const revoke = ['User.RevokeSessions.All', 'User.ReadWrite']

/** Thrown by the work of a route, sent as Graph's error body. */
class GraphError extends Error {
  readonly answer: Answer

  constructor(answer: Answer) {
    super(answer.code)
    this.answer = answer
  }
}

export function graphRoutes(app: FastifyInstance, world: World): void {
  const now = (): number => world.clock.now()
  const route = (method: 'GET' | 'POST' | 'PUT', url: string, scopes: string[], work: Work): void => {
    app.route({ method, url, handler: (request, reply) => serve(world, scopes, work, request, reply) })
  }
  const file = (account: Account, request: FastifyRequest): DriveFile => {
    const found = world.drives.find(account, (request.params as { id: string }).id, now())
    if (!found) throw new GraphError({ status: 404, code: 'itemNotFound', message: 'The resource could not be found.' })
    return found
  }

  route('GET', '/v1.0/me', readUser, profile)
  route('GET', '/oidc/userinfo', [], (account) => ({
    sub: account.objectId,
    name: account.displayName,
    family_name: account.surname,
    given_name: account.givenName,
    email: account.username,
  }))
  route('POST', '/v1.0/me/revokeSignInSessions', revoke, (account) => {
    world.revocations.revoke(account, now())
    return { '@odata.context': `${context}Edm.Boolean`, value: true }
  })
  route('GET', '/v1.0/me/drive', readFiles, describeDrive)
  const uploads = uploadRoutes(app, world)
  // Microsoft's SDKs name the drive by its id.
  for (const drive of ['/v1.0/me/drive', '/v1.0/drives/:driveId']) {
    const ownDrive =
      (work: Work): Work =>
      (account, request, reply) => {
        const { driveId } = request.params as { driveId?: string }
        if (driveId !== undefined && driveId !== describeDrive(account).id)
          throw new GraphError({ status: 404, code: 'itemNotFound', message: 'The resource could not be found.' })
        return work(account, request, reply)
      }
    for (const children of ['root/children', 'items/root/children'])
      route(
        'GET',
        `${drive}/${children}`,
        readFiles,
        ownDrive((account) => ({
          '@odata.context': `${context}users('${account.objectId}')/drive/root/children`,
          value: world.drives.files(account, now()).map((entry) => describeFile(account, entry)),
        })),
      )
    route(
      'GET',
      `${drive}/items/:id`,
      readFiles,
      ownDrive((account, request) => ({
        '@odata.context': `${context}users('${account.objectId}')/drive/items/$entity`,
        ...describeFile(account, file(account, request)),
      })),
    )
    route(
      'GET',
      `${drive}/items/:id/content`,
      readFiles,
      ownDrive((account, request, reply) => {
        const found = file(account, request)
        void reply.type(`${found.mimeType}; charset=utf-8`)
        return found.content
      }),
    )
    route(
      'PUT',
      `${drive}/items/:id/content`,
      writeFiles,
      ownDrive((account, request) => {
        const found = file(account, request)
        world.drives.write(account, found.id, typeof request.body === 'string' ? request.body : '', now())
        return describeFile(account, found)
      }),
    )
    route(
      'POST',
      `${drive}/items/:id/createUploadSession`,
      writeFiles,
      ownDrive((account, request) =>
        uploads.begin(account, file(account, request), new URL(`${request.protocol}://${request.host}`)),
      ),
    )
  }
}

function serve(world: World, scopes: string[], work: Work, request: FastifyRequest, reply: FastifyReply): unknown {
  world.counters.count('graph')
  const requestId = randomUUID()
  const clientRequestId = String(request.headers['client-request-id'] ?? requestId)
  void reply.headers({
    'request-id': requestId,
    'client-request-id': clientRequestId,
    'x-ms-ags-diagnostic':
      '{"ServerInfo":{"DataCenter":"SIMULATED","Slice":"E","Ring":"0","ScaleUnit":"000","RoleInstance":"SIMULATED"}}',
    'OData-Version': '4.0',
    'Cache-Control': 'no-cache',
    'Content-Type':
      'application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8',
  })
  try {
    const { account, token } = authorize(world, request)
    misbehave(world, account, request)
    if (scopes.length > 0 && !scopes.some((scope) => token.scopes.includes(scope)))
      throw new GraphError(forbidden(request))
    const result = work(account, request, reply)
    return reply.send(typeof result === 'string' ? result : JSON.stringify(result))
  } catch (error) {
    if (!(error instanceof GraphError)) throw error
    const { status, code, message, headers } = error.answer
    const date = new Date(world.clock.now()).toISOString().slice(0, 19)
    const innerError = { date, 'request-id': requestId, 'client-request-id': clientRequestId }
    return reply
      .code(status)
      .headers(headers ?? {})
      .send(JSON.stringify({ error: { code, message, innerError } }))
  }
}

function authorize(world: World, request: FastifyRequest): { account: Account; token: AccessToken } {
  const text = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1]
  if (text === undefined) throw new GraphError(unauthorized('Access token is empty.'))
  const token = readAccessToken(world, text)
  const account = token && world.directory.find(token.objectId)
  if (!token || !account) throw new GraphError(unauthorized('Access token validation failure. Invalid audience.'))
  if (token.expiresAt <= world.clock.now() || token.accessTokenEpoch < world.revocations.accessTokenEpoch()) {
    throw new GraphError(unauthorized('Lifetime validation failed, the token is expired.'))
  }
  const challenge = challengeFor(world, account, token)
  if (challenge) throw new GraphError(challenge)
  return { account, token }
}

function unauthorized(message: string): Answer {
  return { status: 401, code: 'InvalidAuthenticationToken', message, headers: { 'WWW-Authenticate': 'Bearer' } }
}

const isOfDrive = ({ url }: FastifyRequest): boolean => /^\/v1\.0\/(?:me\/drive|drives\/)/.test(url)

function forbidden(request: FastifyRequest): Answer {
  return isOfDrive(request)
    ? { status: 403, code: 'accessDenied', message: 'Access denied' }
    : {
        status: 403,
        code: 'Authorization_RequestDenied',
        message: 'Insufficient privileges to complete the operation.',
      }
}

function misbehave(world: World, account: Account, request: FastifyRequest): void {
  const names = [account.username, account.objectId]
  const status = world.board.take('graph_status', names)
  if (status !== undefined) {
    const code = status === 429 ? 'TooManyRequests' : 'serviceNotAvailable'
    throw new GraphError({
      status,
      code,
      message: 'Simulated misbehaviour.',
      headers: status === 429 ? { 'Retry-After': '10' } : {},
    })
  }
  if (isOfDrive(request) && world.board.take('no_spo_licence', names)) {
    throw new GraphError({ status: 400, code: 'BadRequest', message: 'Tenant does not have a SPO license.' })
  }
}
