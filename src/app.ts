import { randomUUID } from 'node:crypto'
import { TypeBoxValidatorCompiler, type TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import Fastify, { LogController, type FastifyInstance, type FastifyServerOptions } from 'fastify'
import { Failure } from './core/failure.ts'
import { accountRoutes } from './http/account.ts'
import { adminConsentRoutes } from './http/admin-consent.ts'
import { auditOf } from './http/audit.ts'
import { browserErrors } from './http/browser.ts'
import { connectSessionRoutes } from './http/connect-sessions.ts'
import { connectRoutes } from './http/connect.ts'
import { eventRoutes } from './http/events.ts'
import { importRoutes } from './http/import.ts'
import { integrationRoutes } from './http/integrations.ts'
import { openApi } from './http/openapi.ts'
import { operationsRoutes } from './http/operations.ts'
import { asFailure, sendProblem } from './http/problem.ts'
import { referencePage } from './http/reference-page.ts'
import { answerArrivalReports } from './http/arrival-report.ts'
import { limitVisitors, publicSecurity } from './http/security.ts'
import { browserSessions } from './http/session.ts'
import { requireSignatures } from './http/signed.ts'
import { tokenRoutes } from './http/tokens.ts'
import { traceParent } from './http/trace-context.ts'
import { readiness } from './readiness.ts'
import type { Services } from './services.ts'
import { replicaStatus } from './status.ts'
import type { Traces } from './telemetry/traces.ts'

// The three listeners: options and registrations in order, a table of contents. Tests build them by the same functions.

/** Bytes of request line and headers: Microsoft's codes make callback URLs of 2 kB and more, MEGDocs' cookies come on top (entra.md 10). */
export const MAX_HEADER_BYTES = 32_768
/** Bytes of a body, and milliseconds: for a whole request to arrive, without any traffic, between two requests of a connection. */
export const LIMITS = {
  bodyLimit: 65_536,
  requestTimeout: 15_000,
  connectionTimeout: 45_000,
  keepAliveTimeout: 75_000,
} as const

type Listener = 'public' | 'internal' | 'operations'

function newApp(listener: Listener, { log, metrics, lifecycle, traces }: Services, more: FastifyServerOptions = {}) {
  // Probes and scrapes would be most of all traces.
  const traced = listener === 'operations' ? undefined : traces
  const app = Fastify({
    loggerInstance: log.child({ listener }),
    // Its lines hold URLs, and ours hold tickets and codes.
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'request_id' }),
    genReqId: () => randomUUID(),
    childLoggerFactory(logger, bindings, _options, raw) {
      // Callers' traces go on here. Strangers decide neither which trace a request belongs to nor whether it is sampled.
      const parent = listener === 'internal' ? traceParent(raw.headers.traceparent) : undefined
      const trace = traced?.begin(raw, raw.method ?? '', parent) ?? parent?.traceId
      // Without the options, of which no route has any: pino then takes its short way.
      return logger.child(trace === undefined ? bindings : { ...bindings, trace_id: trace })
    },
    exposeHeadRoutes: false,
    // Requests on keep-alive connections are answered, not refused, while the listener closes (design 4).
    return503OnClosing: false,
    http: { maxHeaderSize: MAX_HEADER_BYTES },
    // A user id has up to 128 characters, and Fastify's limit is 100. The header limit bounds everything.
    routerOptions: { maxParamLength: MAX_HEADER_BYTES },
    rewriteUrl: ({ url = '/' }) => (isReadable(url) ? url : '/'),
    ...LIMITS,
    ...more,
  } as FastifyServerOptions) as unknown as FastifyInstance
  app.setValidatorCompiler(validatorCompiler)
  if (traced !== undefined) traceRequests(app, traced)
  // Callers take their next request to another replica; and a connection that is busy when the listener closes does not outlive it.
  app.addHook('onSend', (_request, reply, payload, done) => {
    if (lifecycle.draining) reply.header('connection', 'close')
    done(null, payload)
  })
  app.addHook('onResponse', (request, reply, done) => {
    const route = request.routeOptions.url ?? 'none'
    const { statusCode: status, elapsedTime } = reply
    metrics.answered(listener, route, status, elapsedTime / 1000)
    if (listener !== 'operations') {
      request.log.info(
        { method: request.method, route, status, ms: Math.round(elapsedTime * 10) / 10, ...auditOf(request) },
        'answered',
      )
    }
    done()
  })
  return app.withTypeProvider<TypeBoxTypeProvider>()
}

/** Each request goes on within its span, which ends when the connection has the answer, or is gone. */
function traceRequests(app: FastifyInstance, traces: Traces): void {
  app.addHook('onRequest', (request, reply, done) => {
    reply.raw.once('close', () =>
      traces.answered(request.raw, {
        method: request.method,
        route: request.routeOptions.url,
        status: reply.statusCode,
        requestId: request.id,
        whole: reply.raw.writableFinished,
      }),
    )
    traces.within(request.raw, done)
  })
  app.addHook('onError', (request, _reply, error, done) => {
    traces.failed(request.raw, asFailure(error).code)
    done()
  })
  // Not every problem is thrown: some come with a page to go on to.
  app.addHook('onSend', (request, reply, payload, done) => {
    if (typeof payload === 'string' && String(reply.getHeader('content-type')).startsWith('application/problem+json')) {
      traces.failed(request.raw, (JSON.parse(payload) as { code: string }).code)
    }
    done(null, payload)
  })
}

/** TypeBox's own, without its conversion where that has nothing to do: it costs more than the check. A path holds text, and most queries hold nothing. */
const validatorCompiler: typeof TypeBoxValidatorCompiler = (route) => {
  const checking = TypeBoxValidatorCompiler({ ...route, httpPart: 'body' })
  if (route.httpPart !== 'querystring') return checking
  const converting = TypeBoxValidatorCompiler(route)
  return (value) => (isEmpty(value) ? checking(value) : converting(value))
}

function isEmpty(value: unknown): boolean {
  for (const _ in value as object) return false
  return true
}

/** What is not goes where every unknown address goes: Fastify would answer by itself, quoting it and without our headers. */
function isReadable(url: string): boolean {
  if (!url.includes('%')) return true
  try {
    decodeURIComponent(url.split('?', 1)[0]!)
    return true
  } catch {
    return false
  }
}

/** For browsers, behind the ingress: connect, callback, result, account page. */
export async function buildPublicApp(services: Services): Promise<FastifyInstance> {
  const { config, connect, links, site, integrations, connectSessions, random, clock, missingScopes, adminConsentUrl } =
    services
  const https = config.publicBaseUrl.startsWith('https:')
  const app = newApp('public', services, {
    trustProxy: config.trustedProxies.length > 0 ? [...config.trustedProxies] : false,
  })
  app.setErrorHandler(browserErrors(site))
  app.setNotFoundHandler((request, reply) => browserErrors(site)(new Failure('not_found'), request, reply))
  answerArrivalReports(app, { secrets: config.sessionSecrets, now: () => clock.now() })
  await publicSecurity(app, { https })
  await browserSessions(app, { store: services.browserSessions, secrets: config.sessionSecrets, secure: https })
  await limitVisitors(app)
  await app.register(connectRoutes, { connect, links, site, completionUrl: config.completionUrl })
  await app.register(accountRoutes, {
    integrations,
    connectSessions,
    site,
    missingScopes,
    random,
    now: () => clock.now(),
  })
  await app.register(adminConsentRoutes, { site, links, random, adminConsentUrl })
  return app as unknown as FastifyInstance
}

/** For callers: the signed API and its OpenAPI document. */
export async function buildInternalApp(services: Services): Promise<FastifyInstance> {
  const tls = services.internalTls?.current()
  const app = newApp('internal', services, tls === undefined ? {} : ({ https: tls } as FastifyServerOptions))
  app.setErrorHandler((error, request, reply) => {
    const failure = asFailure(error)
    const level = failure.code === 'internal_error' || failure.code === 'token_unreadable' ? 'error' : 'info'
    request.log[level](
      {
        code: failure.code,
        reason: failure.facts.reason,
        detail: failure.facts.detail,
        ...(level === 'error' ? { err: error } : {}),
      },
      'request failed',
    )
    return sendProblem(request, reply, failure)
  })
  app.addHook('onRequest', (_request, reply, done) => {
    reply.header('cache-control', 'no-store')
    done()
  })
  await app.register(openApi, {
    serverUrl: `${tls === undefined ? 'http' : 'https'}://${services.config.internalAuthorities[0]}`,
  })
  await app.register(referencePage)
  await app.register((scope) => signedRoutes(scope, services))
  return app as unknown as FastifyInstance
}

/** Everything a caller may ask for, and that it is signed. */
async function signedRoutes(scope: FastifyInstance, services: Services): Promise<void> {
  const {
    signatures,
    nonces,
    refresh,
    integrations,
    connect,
    browserSessions: sessions,
    links,
    metrics,
    clock,
    missingScopes,
    events,
    imports,
  } = services
  await requireSignatures(scope, {
    signatures,
    nonces,
    requestsPerMinute: () => services.config.callerRequestsPerMinute,
    now: () => clock.now(),
    onRefused: ({ detail, keyId }) => metrics.requestRefused(detail, keyId),
    onForbidden: (caller, permission) => metrics.callerForbidden(caller, permission),
  })
  scope.setNotFoundHandler(() => {
    throw new Failure('not_found')
  })
  await scope.register(tokenRoutes, { refresh, missingScopes })
  await scope.register(integrationRoutes, { integrations, missingScopes })
  await scope.register(eventRoutes, {
    events,
    integrations,
    clock,
    missingScopes,
    isDraining: () => services.lifecycle.draining,
  })
  await scope.register(importRoutes, { imports })
  await scope.register(connectSessionRoutes, { connect, browserSessions: sessions, links })
}

/** The OpenAPI document of the signed API. Needs no configuration and no database: the routes are declared, and none is called. */
export async function openApiDocument(): Promise<object> {
  const app = Fastify()
  app.setValidatorCompiler(TypeBoxValidatorCompiler)
  await app.register(openApi)
  await app.register((scope) => signedRoutes(scope, {} as Services))
  await app.ready()
  return app.swagger()
}

/** For Kubernetes and Prometheus. */
export async function buildOperationsApp(services: Services): Promise<FastifyInstance> {
  const { registry } = services.metrics
  const app = newApp('operations', services)
  await app.register(operationsRoutes, {
    readiness: () => readiness(services),
    status: () => replicaStatus(services),
    metrics: async () => ({ contentType: registry.contentType, text: await registry.metrics() }),
  })
  return app as unknown as FastifyInstance
}
