import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Microsoft } from '../core/microsoft-port.ts'
import type { Random } from '../core/ports.ts'
import { pageContext, sendPage } from './browser.ts'
import { ADMIN_CONSENT_PATH, type Links } from './links.ts'
import { adminConsentPage, type Site } from './pages/pages.ts'

export interface AdminConsentRoutesOptions {
  site: Site
  links: Links
  random: Random
  /** Names Microsoft's page for administrators, which answers to the ordinary redirect URI. */
  microsoft: Pick<Microsoft, 'adminConsentUrl'>
}

/**
 * What an administrator is asked for, before they are sent to Microsoft (docs/microsoft.md#admin-consent). Public, and
 * changes nothing here. `tenant` in the query: the id of their organisation, if the sender of the link knew it.
 */
export async function adminConsentRoutes(
  scope: FastifyInstance,
  { site, links, random, microsoft }: AdminConsentRoutesOptions,
): Promise<void> {
  scope.get(ADMIN_CONSENT_PATH, show)
  scope.get(`${ADMIN_CONSENT_PATH}/`, show)

  async function show(request: FastifyRequest<{ Querystring: Record<string, unknown> }>, reply: FastifyReply) {
    const { tenant } = request.query
    const context = pageContext(site, request)
    const state = links.adminConsentState(random.bytes(16).toString('base64url'), context.language)
    const startUrl = microsoft.adminConsentUrl({ state, ...(typeof tenant === 'string' ? { tenantId: tenant } : {}) })
    return sendPage(site, reply, adminConsentPage(context, { startUrl }))
  }
}
