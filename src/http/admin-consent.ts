import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Random } from '../core/ports.ts'
import { pageContext, sendPage } from './browser.ts'
import { ADMIN_CONSENT_PATH, type Links } from './links.ts'
import { adminConsentPage, type Site } from './pages/pages.ts'

export interface AdminConsentRoutesOptions {
  site: Site
  links: Links
  random: Random
  /** Microsoft's page for administrators. Its answer comes to the ordinary redirect URI with this state. */
  adminConsentUrl(state: string): string
}

/**
 * What an administrator is asked to approve, before Microsoft asks (docs/microsoft.md#admin-consent). Public; it
 * changes nothing here.
 */
export async function adminConsentRoutes(
  scope: FastifyInstance,
  { site, links, random, adminConsentUrl }: AdminConsentRoutesOptions,
): Promise<void> {
  scope.get(ADMIN_CONSENT_PATH, show)
  scope.get(`${ADMIN_CONSENT_PATH}/`, show)

  async function show(request: FastifyRequest, reply: FastifyReply) {
    const state = links.adminConsentState(random.bytes(16).toString('base64url'))
    return sendPage(reply, adminConsentPage(pageContext(site, request), { startUrl: adminConsentUrl(state) }))
  }
}
