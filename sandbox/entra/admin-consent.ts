/**
 * `/{tenant}/v2.0/adminconsent`: an administrator approves for everybody (docs/microsoft.md#admin-consent). No code is
 * issued.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { admits } from './accounts.ts'
import type { Account, Audience } from './accounts.ts'
import { isRegistered } from './application.ts'
import { describe } from './answers.ts'
import { traceOf } from './approval.ts'
import { worldOfQuery } from './authorize-request.ts'
import { bodyOf, html, queryOf } from './authorize.ts'
import { Refusal } from './errors.ts'
import { readForm, required } from './form.ts'
import { adminConsentPage, errorPage, pickerPage } from './pages.ts'
import { readScopes } from './scopes.ts'
import { texts } from './texts.ts'
import { unknownTenant } from './token.ts'
import type { World } from './world.ts'

type Incoming = FastifyRequest<{ Params: { tenant: string } }>

interface AdminRequest {
  audience: Audience
  redirectUri: string
  state: string | undefined
  scopeText: string
  scopes: string[]
  query: string
}

export function adminConsentRoutes(app: FastifyInstance, world: World): void {
  app.get('/:tenant/v2.0/adminconsent', (request: Incoming, reply) =>
    guarded(world, reply, () => {
      world.counters.count('adminconsent')
      const own = worldOfQuery(world, queryOf(request))
      const read = readRequest(own, request.params.tenant, queryOf(request))
      return html(reply, 200, picker(own, read, request.params.tenant))
    }),
  )
  app.post('/:tenant/v2.0/adminconsent', (request: Incoming, reply) =>
    guarded(world, reply, () => {
      const form = readForm(bodyOf(request))
      const query = form.get('request') ?? ''
      const own = worldOfQuery(world, query)
      const read = readRequest(own, request.params.tenant, query)
      const account = world.directory.find(form.get('account') ?? '')
      if (!account) return html(reply, 200, picker(own, read, request.params.tenant))
      if (!admits(read.audience, account)) throw new Refusal(50020)
      if (!account.admin) throw new Refusal(90094)
      const decision = form.get('decision')
      if (decision === undefined) return html(reply, 200, question(own, read, account, request.params.tenant))
      return reply.redirect(decision === 'accept' ? accepted(own, read, account) : refused(own, read), 302)
    }),
  )
}

function picker(world: World, read: AdminRequest, segment: string): string {
  const accounts = world.directory.accounts.filter((account) => account.admin && admits(read.audience, account))
  return pickerPage(
    accounts,
    { action: `/${segment}/v2.0/adminconsent`, hidden: { request: read.query } },
    texts.adminOnly,
  )
}

function question(world: World, read: AdminRequest, account: Account, segment: string): string {
  const view = {
    account,
    appName: world.app.name,
    scopes: read.scopes,
    offline: false,
    organisation: world.directory.tenantOf(account).name,
  }
  const hidden = { request: read.query, account: account.username }
  return adminConsentPage(view, { action: `/${segment}/v2.0/adminconsent`, hidden })
}

function accepted(world: World, read: AdminRequest, account: Account): string {
  world.consents.recordForOrganisation(account.tenantId, read.scopes)
  return back(read, [
    ['admin_consent', 'True'],
    ['tenant', account.tenantId],
    ['scope', read.scopeText],
  ])
}

function refused(world: World, read: AdminRequest): string {
  const description = describe(new Refusal(65004), traceOf(world), world.app)
  return back(read, [
    ['admin_consent', 'True'],
    ['error', 'consent_required'],
    ['error_description', description],
  ])
}

function back(read: AdminRequest, parameters: [string, string][]): string {
  const all = read.state === undefined ? parameters : [...parameters, ['state', read.state] as [string, string]]
  return `${read.redirectUri}${read.redirectUri.includes('?') ? '&' : '?'}${new URLSearchParams(all)}`
}

function readRequest(world: World, segment: string, query: string): AdminRequest {
  const form = readForm(query)
  const audience = world.directory.audience(segment)
  // Microsoft asks for a tenant or `organizations` here, never `common`.
  if (!audience || audience.key === 'common') throw new Refusal(90002, { text: unknownTenant(segment) })
  if (required(form, 'client_id') !== world.app.clientId) throw new Refusal(700016)
  const redirectUri = required(form, 'redirect_uri')
  if (!isRegistered(world.app, redirectUri)) throw new Refusal(50011)
  const scopeText = required(form, 'scope')
  return { audience, redirectUri, state: form.get('state'), scopeText, scopes: readScopes(scopeText).graph, query }
}

function guarded(world: World, reply: FastifyReply, act: () => FastifyReply): FastifyReply {
  try {
    return act()
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    return html(reply, 400, errorPage(error, traceOf(world), world.app))
  }
}
