import { randomUUID } from 'node:crypto'
import type { IncomingMessage, Server } from 'node:http'
import type { Server as TlsServer } from 'node:https'
import Fastify, {
  LogController,
  type FastifyBaseLogger,
  type FastifyHttpOptions,
  type FastifyHttpsOptions,
  type FastifyInstance,
} from 'fastify'
import { Failure } from './core/failure.ts'
import { accountRoutes } from './http/account.ts'
import { trustedProxies } from './http/addresses.ts'
import { adminConsentRoutes } from './http/admin-consent.ts'
import { answerArrivalReports } from './http/arrival-report.ts'
import { auditAnswers, auditTrace, hasAuditLine } from './http/audit.ts'
import { browserErrors } from './http/browser.ts'
import { connectSessionRoutes } from './http/connect-sessions.ts'
import { connectRoutes } from './http/connect.ts'
import { limitConnections, MAX_CONNECTIONS } from './http/connections.ts'
import {
  answerConnect,
  answerExpectation,
  answerPlainly,
  answerUnparsable,
  handleErrors,
  problemErrors,
  type ListenerErrors,
} from './http/errors.ts'
import { eventRoutes } from './http/events.ts'
import { freezeRoutes } from './http/freezes.ts'
import { importRoutes } from './http/import.ts'
import { integrationRoutes } from './http/integrations.ts'
import { openApi } from './http/openapi.ts'
import { operationsRoutes, PROBE_PATHS } from './http/operations.ts'
import { notedProblem } from './http/problem.ts'
import { queryValidator } from './http/query.ts'
import { referencePage } from './http/reference-page.ts'
import { limitVisitors, publicSecurity } from './http/security.ts'
import { browserSessions } from './http/session.ts'
import { requireSignatures } from './http/signed.ts'
import { createStrangers, type Listener, type Strangers } from './http/strangers.ts'
import type { TlsTexts } from './http/tls-files.ts'
import { tokenRoutes } from './http/tokens.ts'
import { traceParent } from './http/trace-context.ts'
import { readiness } from './readiness.ts'
import type { Services } from './services.ts'
import { MAX_TARGET } from './signature/profile.ts'
import { replicaStatus } from './status.ts'
import { lastingChild } from './telemetry.ts'
import type { Traces } from './telemetry/traces.ts'

// The three listeners, a table of contents: their options, hooks and routes in order. Tests build them by the same
// functions.

/**
 * Bytes of request line and headers. Microsoft's codes make callback URLs of 2 kB and more, and the cookies of MEGDocs,
 * which has the same host, come on top.
 */
export const MAX_HEADER_BYTES = 32_768
/**
 * Bytes of a body; milliseconds until a whole request has arrived, without any traffic on a connection, and between two
 * requests of a connection.
 */
export const LISTENER_LIMITS = {
  bodyLimit: 65_536,
  requestTimeout: 15_000,
  connectionTimeout: 45_000,
  keepAliveTimeout: 75_000,
} as const satisfies FastifyHttpOptions<Server>
/**
 * How often Node looks for requests beyond `requestTimeout`. Its default of 30 s would allow 45 s.
 */
export const REQUEST_TIMEOUT_CHECK_MS = 5_000
/** A body that no route reads is read and dropped up to this length. Beyond it, the connection is closed. */
const MAX_DROPPED_BODY = 16_384
/** More than any parameter of a signed target, so that a caller learns from the schema what is wrong with it. */
const MAX_PARAMETER_LENGTH = MAX_TARGET
const MINUTE_MS = 60_000

interface ListenerOptions {
  errors: ListenerErrors
  routes(scope: FastifyInstance, strangers: Strangers): Promise<void>
  trustProxy?: ((address: string) => boolean) | false
  /** Absent: plain HTTP. */
  tls?: TlsTexts | undefined
}

async function buildApp(
  listener: Listener,
  { log, metrics, lifecycle, traces, clock }: Services,
  { errors, routes, trustProxy = false, tls }: ListenerOptions,
): Promise<FastifyInstance> {
  // Probes and scrapes would be most of all traces.
  const traced = listener === 'operations' ? undefined : traces
  const loggerInstance: FastifyBaseLogger = lastingChild(log, { listener })
  const strangers = createStrangers({
    listener,
    log: loggerInstance,
    now: () => clock.elapsed(),
    onEvent: (event) => metrics.stranger(listener, event),
  })
  const options = {
    loggerInstance,
    // Fastify's request lines hold URLs, and ours hold tickets and codes.
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'request_id' }),
    genReqId: () => randomUUID(),
    childLoggerFactory(logger, bindings, _options, raw) {
      // A caller's trace is continued. A stranger decides neither which trace a request belongs to nor whether it is
      // sampled.
      const parent = listener === 'internal' ? traceParent(raw.headers.traceparent) : undefined
      const trace = traced?.begin(raw, raw.method ?? '', parent) ?? parent?.traceId
      // Without the options, which no route has: pino's faster path.
      if (trace !== undefined) auditTrace(raw, trace)
      return logger.child(trace === undefined ? bindings : { ...bindings, trace_id: trace })
    },
    // A signed call has one method; a page may be asked for its head, by a link checker or the scanner of a mail.
    exposeHeadRoutes: listener === 'public',
    // While the listener closes, requests on keep-alive connections are answered, not refused.
    return503OnClosing: false,
    routerOptions: { maxParamLength: MAX_PARAMETER_LENGTH },
    rewriteUrl: ({ url = '/' }) => (isRoutable(url) ? url : '/'),
    clientErrorHandler: (error, socket) => answerUnparsable(error, socket, errors, loggerInstance, strangers),
    trustProxy,
    ...LISTENER_LIMITS,
  } satisfies FastifyHttpOptions<Server>
  const limits = {
    maxHeaderSize: MAX_HEADER_BYTES,
    // Given here as well: Fastify sets it after Node has derived its limit for headers, and then a body that comes
    // slowly lives for 60 to 90 s (measured on Node 24).
    requestTimeout: LISTENER_LIMITS.requestTimeout,
    headersTimeout: LISTENER_LIMITS.requestTimeout,
    connectionsCheckingInterval: REQUEST_TIMEOUT_CHECK_MS,
    // We refuse it ourselves: Node's answer has no body and none of our headers.
    requireHostHeader: false,
  }
  const app: FastifyInstance =
    tls === undefined
      ? Fastify({ ...options, http: limits })
      : Fastify<TlsServer>({ ...options, https: { ...tls, ...limits } } satisfies FastifyHttpsOptions<TlsServer>)
  app.setValidatorCompiler(queryValidator)
  limitConnections(app.server, {
    max: MAX_CONNECTIONS[listener],
    isProxy: trustProxy === false ? () => false : trustProxy,
    strangers,
  })
  const awaitsContinue = new WeakSet<IncomingMessage>()
  app.server.on('checkContinue', (request, response) => {
    awaitsContinue.add(request)
    app.routing(request, response)
  })
  app.server.on('checkExpectation', (_request, response) => answerExpectation(response, errors, strangers))
  app.server.on('connect', (_request, socket) => answerConnect(socket, errors, strangers))
  const sweep = setInterval(() => strangers.sweep(), MINUTE_MS).unref()
  app.addHook('onClose', async () => clearInterval(sweep))
  if (traced !== undefined) traceRequests(app, traced)
  app.addHook('onRequest', (request, reply, done) => {
    // RFC 9112 section 3.2.
    if (request.raw.headers.host !== undefined || request.raw.httpVersion === '1.0') return done()
    strangers.spend(request)
    answerPlainly(request, reply, errors, 400)
  })
  // A body is asked for only when the request has passed all checks that come before it.
  app.addHook('preParsing', (request, reply, payload, done) => {
    if (awaitsContinue.delete(request.raw)) reply.raw.writeContinue()
    done(null, payload)
  })
  // Callers send their next request to another replica, and a connection that is busy when the listener closes does not
  // outlive it.
  app.addHook('onSend', (request, reply, payload, done) => {
    if (lifecycle.draining || refusesLongBody(request.raw)) reply.header('connection', 'close')
    done(null, payload)
  })
  app.addHook('onRoute', ({ url }) => metrics.routeAdded(listener, url))
  app.addHook('onResponse', (request, reply, done) => {
    const route = request.routeOptions.url ?? 'none'
    const { statusCode: status, elapsedTime } = reply
    metrics.answered(listener, request.method, route, status, elapsedTime / 1000)
    if (status >= 500) strangers.countFailure(request)
    if (listener !== 'operations' && !hasAuditLine(request))
      request.log.info({ method: request.method, route, status, ms: Math.round(elapsedTime * 10) / 10 }, 'answered')
    done()
  })
  await app.register(async (scope) => {
    handleErrors(app, scope, errors)
    await routes(scope, strangers)
  })
  return app
}

/** Whether more of the body may come than we are willing to read for nothing. */
function refusesLongBody({ complete, headers }: IncomingMessage): boolean {
  if (complete) return false
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > MAX_DROPPED_BODY
}

/** Each request runs within its span, which ends when the connection has the answer or is gone. */
function traceRequests(app: FastifyInstance, traces: Traces): void {
  app.addHook('onRequest', (request, reply, done) => {
    reply.raw.once('close', () => {
      const code = notedProblem(request)?.code
      if (code !== undefined) traces.failed(request.raw, code)
      traces.answered(request.raw, {
        method: request.method,
        route: request.routeOptions.url,
        status: reply.statusCode,
        requestId: request.id,
        whole: reply.raw.writableFinished,
      })
    })
    traces.within(request.raw, done)
  })
}

/**
 * Paths that cannot be decoded, and those with a longer part than any parameter of ours, become `/` (404). Fastify
 * would answer them itself, quoting the URL, without our headers. `request.originalUrl` stays as it was sent.
 */
function isRoutable(url: string): boolean {
  const isLong = url.length > MAX_PARAMETER_LENGTH
  if (!isLong && !url.includes('%')) return true
  const [path = ''] = url.split('?', 1)
  if (isLong && path.split('/').some((part) => part.length > MAX_PARAMETER_LENGTH)) return false
  try {
    decodeURIComponent(path)
    return true
  } catch {
    return false
  }
}

const notFound = () => {
  throw new Failure('not_found')
}

/** For browsers, behind the ingress: connect, callback, result, account page. */
export function buildPublicApp(services: Services): Promise<FastifyInstance> {
  const { config, connect, links, site, integrations, connectSessions, random, clock, compareScopes, microsoft } =
    services
  const https = config.publicBaseUrl.startsWith('https:')
  const now = () => clock.now()
  const sessionSecrets = () => services.rotating.sessionSecrets
  return buildApp('public', services, {
    errors: browserErrors(site, { https }),
    trustProxy: config.trustedProxies.length > 0 ? trustedProxies(config.trustedProxies) : false,
    async routes(scope, strangers) {
      scope.setNotFoundHandler(notFound)
      answerArrivalReports(scope, { secrets: sessionSecrets, now })
      // Forms only, and only where there is one (http/account.ts).
      scope.removeAllContentTypeParsers()
      await publicSecurity(scope, { https, strangers })
      await browserSessions(scope, { store: services.browserSessions, secrets: sessionSecrets, secure: https })
      limitVisitors(scope, { strangers, now: () => clock.elapsed() })
      await scope.register(connectRoutes, { connect, links, site, microsoft, completionUrl: config.completionUrl })
      await scope.register(accountRoutes, {
        integrations,
        connectSessions,
        site,
        compareScopes,
        random,
        auditLog: services.auditLog,
        now,
      })
      await scope.register(adminConsentRoutes, { site, links, random, microsoft })
    },
  })
}

/** For callers: the signed API and its OpenAPI document. */
export function buildInternalApp(services: Services): Promise<FastifyInstance> {
  const tls = services.internalTls?.current()
  const serverUrl = `${tls === undefined ? 'http' : 'https'}://${services.config.internalAuthorities[0]}`
  return buildApp('internal', services, {
    errors: problemErrors(services.site.app.adminConsentUrl),
    tls,
    async routes(scope, strangers) {
      forbidCaching(scope)
      scope.addHook('onRequest', (request, _reply, done) => {
        // The document and its page, which need no signature.
        const isOpen = !request.is404 && request.routeOptions.config.permission === undefined
        const refusal = isOpen ? strangers.refusalOf(request) : undefined
        if (isOpen && refusal === undefined) strangers.spend(request)
        done(refusal)
      })
      await scope.register(openApi, { serverUrl })
      await scope.register(referencePage)
      await scope.register((signed) => signedRoutes(signed, services, strangers))
    },
  })
}

function forbidCaching(scope: FastifyInstance): void {
  scope.addHook('onRequest', (_request, reply, done) => {
    reply.header('cache-control', 'no-store')
    done()
  })
}

/** The routes for callers. Every request is signed. */
async function signedRoutes(scope: FastifyInstance, services: Services, strangers: Strangers): Promise<void> {
  const {
    signatures,
    nonces,
    freezes,
    harvest,
    refresh,
    integrations,
    connect,
    browserSessions: sessions,
    links,
    metrics,
    clock,
    compareScopes,
    events,
    imports,
    site,
  } = services
  auditAnswers(scope, services.auditLog, services.clock)
  await requireSignatures(scope, {
    signatures,
    nonces,
    freezes,
    requestsPerMinute: () => services.config.callerRequestsPerMinute,
    now: () => clock.now(),
    strangers,
    isKnownKey: (keyId) => services.callers.current().byKeyId.has(keyId),
    onRefused: ({ detail, keyId }) => metrics.requestRefused(detail, keyId),
    onForbidden: (caller, permission) => metrics.callerForbidden(caller, permission),
  })
  scope.setNotFoundHandler(notFound)
  await scope.register(tokenRoutes, {
    refresh,
    freezes,
    harvest,
    clock,
    compareScopes,
    onDegraded: (reason) => metrics.degraded(reason),
  })
  await scope.register(integrationRoutes, { integrations, compareScopes })
  await scope.register(eventRoutes, {
    events,
    integrations,
    clock,
    compareScopes,
    isDraining: () => services.lifecycle.draining,
  })
  await scope.register(importRoutes, { imports })
  await scope.register(freezeRoutes, { freezes })
  // A function: the OpenAPI document is made without a configuration.
  const routes = { connect, browserSessions: sessions, links, site, completionUrl: () => services.config.completionUrl }
  await scope.register(connectSessionRoutes, routes)
}

/**
 * For listing the routes, none of which is called: every service is a function that throws. The one cast of the
 * listeners; otherwise every route would have to declare its schema apart from its handler, which would lose the types
 * of its request.
 */
const SERVICES_FOR_LISTING = new Proxy({} as Services, {
  get: (_target, name) => () => {
    throw new TypeError(`the OpenAPI document is made without services, but asked for ${String(name)}`)
  },
})

/** The OpenAPI document of the signed API. It needs no configuration and no database. */
export async function openApiDocument(): Promise<object> {
  const app = Fastify()
  app.setValidatorCompiler(queryValidator)
  await app.register(openApi)
  const strangers = createStrangers({ listener: 'internal', log: app.log, now: () => 0, onEvent: () => {} })
  await app.register((scope) => signedRoutes(scope, SERVICES_FOR_LISTING, strangers))
  await app.ready()
  return app.swagger()
}

/** For Kubernetes and Prometheus. */
export function buildOperationsApp(services: Services): Promise<FastifyInstance> {
  const { registry } = services.metrics
  return buildApp('operations', services, {
    errors: problemErrors(),
    async routes(scope, strangers) {
      scope.setNotFoundHandler(notFound)
      forbidCaching(scope)
      scope.addHook('onRequest', (request, _reply, done) => {
        // A probe that is refused ends the replica, and the kubelet's address may be that of others.
        if (PROBE_PATHS.has(request.routeOptions.url ?? '')) return done()
        const refusal = strangers.refusalOf(request)
        if (refusal !== undefined || !request.is404) return done(refusal)
        strangers.spend(request)
        done(new Failure('not_found'))
      })
      await scope.register(operationsRoutes, {
        readiness: () => readiness(services),
        status: () => replicaStatus(services),
        metrics: async () => ({ contentType: registry.contentType, text: await registry.metrics() }),
      })
    },
  })
}
