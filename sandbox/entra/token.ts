/** `/{tenant}/oauth2/v2.0/token`: counts, misbehaves as told, checks the client, leaves the rest to the grants. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { errorBody, newTrace, tokenHeaders } from './answers.ts'
import type { Trace } from './answers.ts'
import { authenticateClient, authenticationMethod, readClientId } from './client-auth.ts'
import type { TokenRequest } from './counters.ts'
import { aadstsCases, Refusal } from './errors.ts'
import { readForm, required } from './form.ts'
import { redeemCode, refresh } from './grants.ts'
import type { Faults } from './grants.ts'
import { readRefreshToken } from './refresh-tokens.ts'
import type { IssuedCode } from './codes.ts'
import type { RefreshToken } from './refresh-tokens.ts'
import { worldOf } from './world.ts'
import type { World } from './world.ts'

type Incoming = FastifyRequest<{ Params: { tenant: string }; Querystring: { 'client-request-id'?: unknown } }>

interface Answer {
  status: number
  headers: Record<string, string | string[]>
  body: string
  outcome: string
}

/** What the request shows, read once: the grant's own code or refresh token tells whose request it is. */
interface Presented {
  form: ReadonlyMap<string, string>
  code?: IssuedCode | undefined
  token?: RefreshToken | undefined
  formRefusal?: Refusal
}

export function tokenRoutes(app: FastifyInstance, world: World): void {
  app.post('/:tenant/oauth2/v2.0/token', (request: Incoming, reply) => answerToken(world, request, reply))
  app.get('/:tenant/oauth2/v2.0/token', (request: Incoming, reply) => {
    const trace = newTrace(request.headers['client-request-id'], world.clock.now())
    const refusal = new Refusal(900561, { text: 'The endpoint only accepts POST requests. Received a GET request.' })
    return send(reply, refused(world, refusal, trace))
  })
}

async function answerToken(world: World, request: Incoming, reply: FastifyReply): Promise<FastifyReply> {
  const presented = read(world, typeof request.body === 'string' ? request.body : '')
  const { form } = presented
  const account = world.directory.find(presented.code?.account.objectId ?? presented.token?.objectId ?? '')
  const names = account ? [account.username, account.objectId] : []
  const authentication = authenticationMethod(form, request.headers.authorization)
  const counted = world.counters.begin({
    at: world.clock.now(),
    tenant: request.params.tenant,
    grant: form.get('grant_type') ?? '',
    account: account?.username ?? null,
    authentication,
    form,
    httpVersion: request.raw.httpVersion,
    headers: request.headers,
  })
  const { board, gates } = world
  await gates.before.pass()
  if (board.take('hang', names)) {
    world.counters.end(counted, 'hang')
    await gates.hang.pass()
    request.raw.socket.destroy()
    return reply.hijack()
  }
  const latency = board.take('latency', names)
  if (latency !== undefined) await world.sleep(latency)

  // MSAL Node sends it in the query.
  const clientRequestId =
    request.headers['client-request-id'] ?? request.query['client-request-id'] ?? form.get('client-request-id')
  const trace = newTrace(clientRequestId, world.clock.now())
  const answer =
    told(world, names, trace) ?? shaped(world, names, await judged(world, request, presented, counted, trace))
  if (request.headers['return-client-request-id'] === 'true') answer.headers['client-request-id'] = trace.correlationId
  const reset = board.take('reset', names)
  world.counters.end(counted, reset ? 'reset' : answer.outcome)
  await gates.after.pass()
  if (reset) {
    request.raw.socket.destroy()
    return reply.hijack()
  }
  return send(reply, answer)
}

function read(world: World, body: string): Presented {
  try {
    const form = readForm(body)
    return {
      form,
      code: world.codes.get(form.get('code') ?? ''),
      token: readRefreshToken(world.sealer, form.get('refresh_token') ?? ''),
    }
  } catch (error) {
    if (error instanceof Refusal) return { form: new Map(), formRefusal: error }
    throw error
  }
}

/** An answer that was ordered, without looking at the request. */
function told(world: World, names: string[], trace: Trace): Answer | undefined {
  const { board } = world
  const location = board.take('redirect', names)
  if (location !== undefined) {
    return { status: 302, headers: { Location: location, 'Content-Type': 'text/html' }, body: '', outcome: 'redirect' }
  }
  const retryAfterSeconds = board.take('throttle', names)
  if (retryAfterSeconds !== undefined) {
    const headers = {
      'Content-Type': 'text/plain',
      'Retry-After': String(retryAfterSeconds),
      'x-ms-request-id': trace.traceId,
    }
    return { status: 429, headers, body: 'Too Many Requests', outcome: 'throttled' }
  }
  const status = board.take('status', names)
  if (status !== undefined) {
    const body = `<html><body><h2>Our services aren't available right now</h2><p>${status}, SIMULATED</p></body></html>`
    const headers = { 'Content-Type': 'text/html; charset=utf-8', 'x-ms-request-id': trace.traceId }
    return { status, headers, body, outcome: `status ${status}` }
  }
  const aadsts = board.take('aadsts', names)
  if (aadsts !== undefined) {
    const { code, ...facts } = typeof aadsts === 'number' ? { code: aadsts } : aadsts
    return refused(world, new Refusal(code, facts), trace)
  }
  return undefined
}

async function judged(
  world: World,
  request: Incoming,
  presented: Presented,
  counted: TokenRequest,
  trace: Trace,
): Promise<Answer> {
  const { board } = world
  const names = counted.account ? [counted.account, world.directory.find(counted.account)?.objectId ?? ''] : []
  try {
    const faults: Faults = {
      idToken: board.take('id_token', names),
      noRefreshToken: board.take('no_refresh_token', names) ?? false,
      expiresInString: board.take('expires_in_string', names) ?? false,
    }
    const tokens = await grant(world, request, presented, faults)
    return { status: 200, headers: tokenHeaders(trace, 0), body: JSON.stringify(tokens), outcome: 'tokens' }
  } catch (error) {
    if (error instanceof Refusal) return refused(world, error, trace)
    throw error
  }
}

async function grant(
  world: World,
  request: Incoming,
  presented: Presented,
  faults: Faults,
): Promise<Awaited<ReturnType<typeof refresh>>> {
  const { form } = presented
  const { authorization, origin, host } = request.headers
  if (presented.formRefusal) throw presented.formRefusal
  const audience = world.directory.audience(request.params.tenant)
  if (!audience) throw new Refusal(90002, { text: unknownTenant(request.params.tenant) })
  const grantType = required(form, 'grant_type')
  if (grantType !== 'authorization_code' && grantType !== 'refresh_token') {
    throw new Refusal(70003, { text: `The app requested an unsupported grant type '${grantType}'.` })
  }
  const clientId = readClientId(form, authorization)
  if (clientId === undefined) required(form, 'client_id')
  const own = worldOf(world, clientId)
  if (!own) throw new Refusal(700016)
  if (origin !== undefined) throw new Refusal(9002326)
  if (form.has('resource')) throw new Refusal(901002)
  const path = `/${request.params.tenant}/oauth2/v2.0/token`
  await authenticateClient(own, form, authorization, [`${world.url}${path}`, `${request.protocol}://${host}${path}`])
  checkLoop(own, form, presented)
  if (grantType === 'authorization_code') return redeemCode(own, form, audience, presented.code, faults)
  return refresh(own, form, audience, presented.token, faults)
}

export function unknownTenant(segment: string): string {
  return aadstsCases[90002]?.text.replace('Tenant not', `Tenant '${segment}' not`) ?? ''
}

const recentRequests = new WeakMap<World, Map<string, number[]>>()

/** AADSTS50196, "client request loop": too many identical requests in five minutes. */
function checkLoop(world: World, form: ReadonlyMap<string, string>, presented: Presented): void {
  const { loopAfter } = world.settings
  if (loopAfter === 0 || !presented.token) return
  let requests = recentRequests.get(world)
  if (!requests) recentRequests.set(world, (requests = new Map()))
  const key = `${presented.token.objectId} ${form.get('scope') ?? ''}`
  const now = world.clock.now()
  const times = [...(requests.get(key) ?? []).filter((at) => now - at < 300_000), now]
  requests.set(key, times)
  if (times.length > loopAfter) throw new Refusal(50196)
}

function refused(world: World, refusal: Refusal, trace: Trace): Answer {
  const body = JSON.stringify(errorBody(refusal, trace, world.app, world.url))
  return { status: refusal.status, headers: tokenHeaders(trace, refusal.code), body, outcome: `AADSTS${refusal.code}` }
}

/** Spoils the form of an answer whose content is right. */
function shaped(world: World, names: string[], answer: Answer): Answer {
  if (world.board.take('malformed', names))
    return { ...answer, body: '<!DOCTYPE html><p>SIMULATED: not JSON', outcome: 'malformed' }
  if (world.board.take('truncated', names)) {
    return { ...answer, body: answer.body.slice(0, answer.body.length / 2), outcome: 'truncated' }
  }
  const size = world.board.take('oversized', names)
  if (size === undefined) return answer
  const padding = 'x'.repeat(Math.max(0, size - answer.body.length - 13))
  return { ...answer, body: `${answer.body.slice(0, -1)},"padding":"${padding}"}`, outcome: 'oversized' }
}

function send(reply: FastifyReply, answer: Answer): FastifyReply {
  return reply.code(answer.status).headers(answer.headers).send(answer.body)
}
