/**
 * The interactive part: `/{tenant}/oauth2/v2.0/authorize` and the steps of its pages. No step trusts the one before:
 * each carries the authorize query along and reads it again, so a scripted client and a browser meet the same checks.
 */
import { randomUUID } from 'node:crypto'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Account } from './accounts.ts'
import { approve, callbackUrl, decline, leaveWithoutApproval, refuse, standing, traceOf } from './approval.ts'
import type { Callback } from './approval.ts'
import { readAuthorizeRequest, ReturnedRefusal, worldOfQuery } from './authorize-request.ts'
import type { AuthorizeRequest } from './authorize-request.ts'
import { Refusal } from './errors.ts'
import { readForm } from './form.ts'
import { usernameInHint } from './id-token.ts'
import {
  consentPage,
  errorPage,
  formPostPage,
  lookupPage,
  needAdminPage,
  pickerPage,
  signedOutPage,
  signInPage,
} from './pages.ts'
import type { Step } from './pages.ts'
import { texts } from './texts.ts'
import type { World } from './world.ts'

type Incoming = FastifyRequest<{ Params: { tenant: string } }>

const cookieName = 'simulated-ests'

export function authorizeRoutes(app: FastifyInstance, world: World): void {
  app.get('/:tenant/oauth2/v2.0/authorize', (request: Incoming, reply) =>
    begin(worldOfQuery(world, queryOf(request)), request, reply, queryOf(request)),
  )
  app.post('/:tenant/oauth2/v2.0/authorize', (request: Incoming, reply) =>
    begin(worldOfQuery(world, bodyOf(request)), request, reply, bodyOf(request)),
  )
  app.post('/:tenant/login', (request: Incoming, reply) =>
    step(world, request, reply, (own, read, account) => {
      void reply.header(
        'set-cookie',
        `${cookieName}=${encodeURIComponent(account.username)}; Path=/; HttpOnly; SameSite=Lax`,
      )
      return proceed(own, read, account, reply)
    }),
  )
  app.post('/:tenant/consent', (request: Incoming, reply) =>
    step(world, request, reply, (own, read, account, form) => {
      if (form.get('decision') !== 'accept') return deliver(reply, decline(read, account))
      const found = standing(own, read, account)
      if (found.kind === 'stopped' || found.kind === 'needs_admin') return proceed(own, read, account, reply)
      const forOrganisation = account.admin === true && form.get('organisation') === 'on'
      return deliver(reply, approve(own, read, account, { forOrganisation }))
    }),
  )
  app.post('/:tenant/return', (request: Incoming, reply) =>
    step(world, request, reply, (own, read) => deliver(reply, leaveWithoutApproval(own, read, traceOf(own)))),
  )
  app.get('/:tenant/oauth2/v2.0/logout', (request: Incoming, reply) => signOut(world, reply, queryOf(request)))
  app.post('/:tenant/oauth2/v2.0/logout', (request: Incoming, reply) => signOut(world, reply, bodyOf(request)))
  app.get('/error', (request, reply) =>
    html(reply, 200, lookupPage(new URLSearchParams(queryOf(request)).get('code') ?? '')),
  )
}

function begin(world: World, request: Incoming, reply: FastifyReply, query: string): FastifyReply {
  world.counters.count('authorize')
  return guarded(world, reply, () => {
    const read = readAuthorizeRequest(world, request.params.tenant, query)
    const session = world.directory.find(cookieOf(request) ?? '')
    const hinted = read.loginHint === undefined ? undefined : world.directory.find(usernameInHint(read.loginHint))
    if (read.prompt === 'none') return silently(world, read, hinted && session !== hinted ? undefined : session, reply)
    const switching = read.prompt === 'select_account' || read.prompt === 'login'
    if (session && !switching && (read.loginHint === undefined || session === hinted))
      return proceed(world, read, session, reply)
    if (hinted && read.prompt !== 'select_account')
      return html(reply, 200, signInPage(hinted, loginStep(read), switchHref(read)))
    const intro = texts.pickIntro(world.app.name)
    return html(reply, 200, pickerPage(world.directory.accounts, loginStep(read), intro))
  })
}

/** One step of the pages: the form carries `request` (the authorize query) and, but for errors, `account`. */
function step(
  world: World,
  request: Incoming,
  reply: FastifyReply,
  act: (own: World, read: AuthorizeRequest, account: Account, form: ReadonlyMap<string, string>) => FastifyReply,
): FastifyReply {
  return guarded(world, reply, () => {
    const form = readForm(bodyOf(request))
    const query = form.get('request') ?? ''
    const own = worldOfQuery(world, query)
    const read = readAuthorizeRequest(own, request.params.tenant, query)
    const account = world.directory.find(form.get('account') ?? '')
    if (!account) throw new Refusal(50034)
    return act(own, read, account, form)
  })
}

function proceed(world: World, read: AuthorizeRequest, account: Account, reply: FastifyReply): FastifyReply {
  const found = standing(world, read, account)
  const hidden = { request: read.query, account: account.username }
  if (found.kind === 'ready') return deliver(reply, approve(world, read, account, { forOrganisation: false }))
  if (found.kind === 'stopped')
    return html(reply, 200, errorPage(found.refusal, traceOf(world), world.app, switchHref(read)))
  if (found.kind === 'needs_admin') {
    return html(
      reply,
      200,
      needAdminPage(account, world.app.name, { action: `/${read.segment}/return`, hidden }, switchHref(read)),
    )
  }
  const view = { account, appName: world.app.name, scopes: read.scopes.graph, offline: read.scopes.offline }
  return html(reply, 200, consentPage(view, { action: `/${read.segment}/consent`, hidden }))
}

function silently(
  world: World,
  read: AuthorizeRequest,
  session: Account | undefined,
  reply: FastifyReply,
): FastifyReply {
  if (!session) throw new ReturnedRefusal(new Refusal(50058), read)
  const found = standing(world, read, session)
  if (found.kind === 'ready') return deliver(reply, approve(world, read, session, { forOrganisation: false }))
  throw new ReturnedRefusal(
    found.kind === 'stopped' ? found.refusal : new Refusal(65001, { error: 'interaction_required' }),
    read,
  )
}

/** Turns refusals into a page or a redirect, by whether the redirect URI is known to be the application's. */
function guarded(world: World, reply: FastifyReply, act: () => FastifyReply): FastifyReply {
  try {
    return act()
  } catch (error) {
    if (error instanceof ReturnedRefusal)
      return deliver(reply, refuse(world, error.address, error.refusal, traceOf(world)))
    if (error instanceof Refusal) return html(reply, 400, errorPage(error, traceOf(world), world.app))
    throw error
  }
}

export function deliver(reply: FastifyReply, callback: Callback): FastifyReply {
  const { address, parameters } = callback
  if (address.responseMode === 'form_post') return html(reply, 200, formPostPage(address.redirectUri, parameters))
  return reply
    .headers({ 'Cache-Control': 'no-store, no-cache', Pragma: 'no-cache', 'x-ms-request-id': randomUUID() })
    .redirect(callbackUrl(callback), 302)
}

export function html(reply: FastifyReply, status: number, body: string): FastifyReply {
  return reply
    .code(status)
    .headers({
      'Cache-Control': 'no-store, no-cache',
      'x-ms-request-id': randomUUID(),
      'Content-Security-Policy':
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'",
      'Referrer-Policy': 'no-referrer',
      'X-Content-Type-Options': 'nosniff',
    })
    .type('text/html; charset=utf-8')
    .send(body)
}

function signOut(world: World, reply: FastifyReply, query: string): FastifyReply {
  return guarded(world, reply, () => {
    void reply.header('set-cookie', `${cookieName}=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0`)
    const back = readForm(query).get('post_logout_redirect_uri')
    return back !== undefined && world.app.redirectUris.includes(back)
      ? reply.redirect(back, 302)
      : html(reply, 200, signedOutPage())
  })
}

function loginStep(read: AuthorizeRequest): Step {
  return { action: `/${read.segment}/login`, hidden: { request: read.query } }
}

/** The same request again, with the account picker. */
function switchHref(read: AuthorizeRequest): string {
  const query = new URLSearchParams(read.query)
  query.set('prompt', 'select_account')
  return `/${read.segment}/oauth2/v2.0/authorize?${query}`
}

export function queryOf(request: FastifyRequest): string {
  const mark = request.url.indexOf('?')
  return mark < 0 ? '' : request.url.slice(mark + 1)
}

export function bodyOf(request: FastifyRequest): string {
  return typeof request.body === 'string' ? request.body : ''
}

function cookieOf(request: FastifyRequest): string | undefined {
  const found = /(?:^|;\s*)simulated-ests=([^;]*)/.exec(request.headers.cookie ?? '')?.[1]
  return found === undefined ? undefined : decodeURIComponent(found)
}
